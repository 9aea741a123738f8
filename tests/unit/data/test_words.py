"""The page of the data says what the session holds, and what it lacks."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from lib.data import words as data_words

TIMES = [np.arange(3.0), np.arange(4.0)]


def session(**changes):
    return SimpleNamespace(
        **dict(
            name="x",
            source="test",
            counts=np.zeros((3, 5, 2)),
            traces=False,
            spike_times=TIMES,
            presentations=pd.DataFrame({"frame": range(20)}),
            notes=["Left out."],
            warnings=["Odd."],
        )
        | changes
    )


def test_a_session_is_described_with_all_that_it_holds():
    """Fault: units, images and repeats exchanged; spikes claimed of a source of counts; a note lost."""
    text = data_words.describe_session(session(), structure=["VISp", "VISl"])
    assert "**2 units** in VISp and VISl, which fired 7 spikes" in text
    assert "20 presentations of all stimuli include 5 images, each shown up to 3 times" in text
    assert text.endswith("\n\n*Left out.*")
    text = data_words.describe_session(session(spike_times=None, presentations=None), structure="VISp")
    assert "in VISp and 5 images, each shown up to 3 times. It provides counts, but no spike times." in text
    assert "fired" not in text
    text = data_words.describe_session(
        session(spike_times=None, presentations=None, traces=True), structure="VISp"
    )
    assert "It provides traces, but no spike times." in text


def test_images_shown_once_are_counted():
    """Fault: the numbers of repeated images and of those shown once exchanged; a note where there is none."""
    (note,) = data_words.once_note(np.array([1, 1, 1, 4, 2]))
    assert note.startswith("3 images of 5 were shown once.") and note.endswith(
        "rest on the 2 that were repeated."
    )
    assert not data_words.once_note(np.array([2, 3])) and not data_words.once_note(np.ones(4, int))


def test_only_the_named_structures_are_analysed():
    """Fault: a structure called analysed because its name lies in that of another."""
    shown = data_words.shown_structures({"VIS": 3, "VISp": 4}, "VISp").data
    assert dict(zip(shown.structure, shown.analysed)) == {"VIS": "no", "VISp": "yes"}
    assert shown.units.tolist() == [3, 4]


def test_absent_metrics_and_times_are_reported():
    """Fault: a page that is silent about what its source lacks."""
    assert "no quality metrics" in data_words.describe_quality(pd.DataFrame(index=[1, 2]))
    assert "1 quality metric per" in data_words.describe_quality(pd.DataFrame({"snr": [1.0, 2.0]}))
    assert "no presentation times" in data_words.describe_timeline(None)
    text = data_words.describe_count_window(None, window=(0.05, 0.3))
    assert "no spike times" in text and "from 50 to 300 ms" in text


def test_blocks_and_minutes_are_counted():
    """Fault: seconds for minutes, presentations for blocks, grey counted as a stimulus."""
    presentations = pd.DataFrame(
        {
            "start_time": [0.0, 60.0, 119.0, 120.0],
            "stop_time": [1.0, 61.0, 120.0, 180.0],
            "stimulus_name": ["gabors", "gabors", "natural_scenes", "spontaneous"],
        }
    )
    text = data_words.describe_timeline(presentations)
    assert "3 blocks of 2 stimuli in 2.0 minutes" in text


def test_images_are_as_many_degrees_as_they_have_pixels():
    """Fault: width for height, or pixels for degrees."""
    shown = SimpleNamespace(
        images=np.zeros((2, 10, 30)), degrees_per_pixel=2.0, mean_luminance=0.4, target_contrast=0.1
    )
    text = data_words.describe_images(shown)
    assert "10 x 30 pixels of 2.000 degrees and cover 20 x 60 degrees" in text
    assert "luminance is 0.400" in text and text.endswith("is 0.1000.")


def test_the_count_window_is_compared_with_one_from_onset():
    """Fault: a latency without a signal; the two shares exchanged; seconds for milliseconds."""
    histogram = pd.DataFrame({"time": np.arange(-0.1, 0.4, 0.1), "signal": [0.0, 0.0, 3.0, 1.0, 0.0]})
    text = data_words.describe_count_window((histogram, 0.1, 0.3), window=(0.1, 0.3))
    assert "from 100 to 300 ms" in text
    assert "contains 100 % of the signal" in text and text.endswith("contains 75 %.")
    text = data_words.describe_count_window((histogram, np.nan, np.nan), window=(0.1, 0.3))
    assert "At no time" in text and "nan" not in text


def test_every_differing_count_is_reported():
    """Fault: equal counts for different ones, or presentations for values."""
    ours = np.array([[1, 2], [3, 4]])
    assert "in 0 of 4 values" in data_words.describe_check(ours, ours)
    assert "in 2 of 4 values" in data_words.describe_check(ours + [0, 1], ours)


def test_zeros_are_a_percentage_and_tables_have_rows():
    """Fault: a share shown as a percentage; columns for rows, or a file not named."""
    assert "38.9 % are zero" in data_words.describe_zeros(0.389)
    text = data_words.describe_tables({"a": pd.DataFrame({"x": [1, 2]}), "b": pd.DataFrame({"x": [1]})})
    assert "`a.csv` (2 rows) and `b.csv` (1 row)" in text
