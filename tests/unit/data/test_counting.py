"""lib.data.counting against plain loops and against responses whose timing is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import counting
from lib.errors import InputError


def presentations(frames, *, onset=10.0, step=0.25, name="natural_scenes"):
    start = onset + step * np.arange(len(frames))
    return pd.DataFrame(
        {
            "start_time": start,
            "stop_time": start + 0.25,
            "stimulus_name": name,
            "stimulus_block": 1.0,
            "frame": np.asarray(frames, dtype=float),
        },
        index=pd.RangeIndex(500, 500 + len(frames)),
    )


@given(
    st.lists(st.integers(0, 40), max_size=30),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_count_spikes_is_the_plain_comparison(spikes, spans):
    """Fails if an edge is open on the wrong side, windows interact or order is assumed."""
    times = np.sort(np.array(spikes, dtype=float))
    starts = np.array([a for a, _ in spans], dtype=float)
    stops = starts + np.array([b for _, b in spans], dtype=float)
    found = counting.count_spikes([times, np.empty(0)], starts, stops)
    expected = [[sum(a <= s < b for s in times), 0] for a, b in zip(starts, stops)]
    np.testing.assert_array_equal(found, np.array(expected).reshape(-1, 2))


def test_every_presentation_and_unit_has_a_row():
    """Fails if zeros are dropped, as in the original's table."""
    found = counting.count_spikes([np.array([10.1]), np.empty(0)], [10.0, 10.25, 10.5], [10.25, 10.5, 10.75])
    np.testing.assert_array_equal(found, [[1, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize(
    "spikes, starts, stops, message",
    [
        ([2.0, 1.0], [0.0], [1.0], "unit 0 .* sort"),
        ([1.0, np.nan], [0.0], [1.0], "finite"),
        ([1.0], [1.0], [0.5], "window 0 runs from 1.0 to 0.5 s; expected stop >= start"),
        ([1.0], [np.nan], [0.5], "window 0 runs from nan"),
        ([1.0], [0.0, 1.0], [0.5], "one start and one stop"),
    ],
)
def test_unusable_input_is_named(spikes, starts, stops, message):
    """Fails if a sorted search runs on unsorted spikes, which counts wrongly without an error."""
    with pytest.raises(InputError, match=message):
        counting.count_spikes([np.array(spikes)], starts, stops)


def test_counts_are_allensdks_own_value_by_value(tmp_path):
    """Fails if a unit, a presentation or an edge of the window is not what AllenSDK makes of the same
    file, silent units and all stimuli included."""
    from lib.data import nwb_files as nwb
    from lib.data import session as sessions
    from lib.data.sources import simulated

    recording = simulated.load(
        3,
        folder=tmp_path,
        structure="VISam",
        units=9,
        images=4,
        scene_repeats=5,
        gabor_repeats=1,
        grating_repeats=1,
        movie_one_frames=2,
        movie_one_repeats=2,
        movie_three_frames=3,
        movie_three_repeats=1,
    )
    ours = sessions.from_recording(recording, latency=0.05, duration=0.25, image_height=40)
    theirs = nwb.allensdk_counts(
        tmp_path / "simulated.nwb",
        unit_ids=ours.unit_ids,
        window=(0.05, 0.3),
        presentation_ids=ours.presentations.index,
    )
    assert theirs.shape == (len(ours.presentations), 9) and theirs.sum() > 100
    assert (theirs.sum(axis=0) == 0).any()
    np.testing.assert_array_equal(ours.presentation_counts, theirs)


def test_windows_reach_the_next_stimulus_only_when_they_do():
    """Fails if the last presentation, a grey gap or the shift by the latency is judged wrongly."""
    table = pd.concat(
        [
            presentations([0, 1]),
            presentations([0], onset=10.5, name="spontaneous"),
            presentations([3], onset=12.0),
        ]
    )
    starts, stops, reaches = counting.windows(table, 0.05, 0.25)
    np.testing.assert_allclose(starts, [10.05, 10.3, 10.55, 12.05])
    np.testing.assert_allclose(stops - starts, 0.25)
    np.testing.assert_array_equal(reaches, [True, False, False, False])
    assert not counting.windows(table, 0.0, 0.25)[2].any()
    np.testing.assert_allclose(counting.windows(table, 0.0)[1], table["stop_time"])


def test_scene_counts_join_on_the_frame_id():
    """Fails if images are matched by file order, repeats mixed up or the blank kept among them."""
    frames = [7, -1, 2, 7, 2, -1, 7]
    table = presentations(frames).iloc[[3, 0, 1, 2, 4, 5, 6]]  # rows not in order of time
    values = np.array([[int(row)] for row in table.index])
    scenes, blanks, ids = counting.scene_counts(values, table)
    np.testing.assert_array_equal(ids, [2, 7])
    np.testing.assert_array_equal(scenes[:, :, 0], [[502, 500], [504, 503], [np.nan, 506]])
    np.testing.assert_array_equal(blanks, [[501], [505]])
    assert scenes.dtype == np.float32


def test_scene_counts_leave_other_stimuli_out():
    """Fails if rows of counts are taken by position in the scenes and not in the session."""
    table = pd.concat([presentations([np.nan, np.nan], name="gabors"), presentations([4, 4], onset=20.0)])
    scenes, blanks, ids = counting.scene_counts(np.arange(4)[:, None], table)
    np.testing.assert_array_equal(scenes[:, :, 0], [[2], [3]])
    assert blanks is None and ids.tolist() == [4]


@pytest.mark.parametrize(
    "rows, frames, name, message",
    [
        (2, [0, 1, 2], "natural_scenes", "2 rows of counts for 3 presentations"),
        (2, [0, 1], "static_gratings", "no presentation of 'natural_scenes'; the session has static"),
        (2, [0, 1.5], "natural_scenes", "no integer frame id .* 1.5"),
        (2, [0, np.nan], "natural_scenes", "no integer frame id"),
    ],
)
def test_scene_counts_refuse_what_cannot_be_joined(rows, frames, name, message):
    """Fails if counts and presentations of different selections are joined silently."""
    with pytest.raises(InputError, match=message):
        counting.scene_counts(np.zeros((rows, 1)), presentations(frames, name=name))


def test_long_table_keeps_zeros():
    """Fails if the original's loss of zero counts slips into the table written beside the run."""
    table = presentations([3, -1])
    values = np.array([[0, 2], [1, 0]])
    full = counting.long_table(values, table, [11, 12])
    assert full.to_numpy().tolist() == [[500, 11, 0, 3], [500, 12, 2, 3], [501, 11, 1, -1], [501, 12, 0, -1]]


def test_trial_table_of_counts_alone_has_the_same_values():
    """Fails if repeats, images and units are transposed, or a repeat that was not shown is a zero."""

    class Session:
        presentations = None
        counts = np.array([[[1, 2], [3, 4]], [[5, 6], [np.nan, np.nan]]])
        unit_ids, image_ids = np.array([11, 12]), np.array([7, 9])

    assert counting.trial_table(Session).to_numpy().tolist() == [
        [0, 11, 1, 7],
        [0, 12, 2, 7],
        [0, 11, 3, 9],
        [0, 12, 4, 9],
        [1, 11, 5, 7],
        [1, 12, 6, 7],
    ]


def test_session_blocks_name_their_stimulus():
    """Fails if grey counts as a stimulus or blocks of two stimuli are joined."""
    table = pd.concat(
        [
            presentations([0, 1], onset=0.0),
            presentations([0], onset=0.5, name="gabors"),
            presentations([0], onset=0.75, name="spontaneous"),
        ]
    )
    blocks = counting.session_blocks(table)
    assert blocks[["stimulus_name", "start_time", "stop_time"]].to_numpy().tolist() == [
        ["natural_scenes", 0.0, 0.5],
        ["gabors", 0.5, 0.75],
    ]


def test_signal_share_is_of_the_signal_above_the_level_before_onset():
    """Fails if the level before onset, or bins outside the window, count as signal."""
    histogram = pd.DataFrame(
        {"time": [-0.1, -0.05, 0, 0.05, 0.1, 0.15], "signal": [1.0, 1.0, 1.0, 5.0, 2.0, 1.0]}
    )
    assert counting.signal_share(histogram, 0.05, 0.1) == pytest.approx(0.8)
    assert counting.signal_share(histogram, 0.0, 0.2) == pytest.approx(1)
    assert np.isnan(counting.signal_share(histogram.assign(signal=1.0), 0.0, 0.2))


def test_blocks_end_at_a_pause_and_at_another_stimulus():
    """Fails if the gap between two blocks of scenes becomes part of a block."""
    table = pd.concat(
        [
            presentations([0, 1], onset=0.0),
            presentations([0], onset=0.5, name="gabors"),
            presentations([2], onset=0.75),
            presentations([0] * 9, onset=1.0, name="spontaneous"),
            presentations([3, 4], onset=40.0),
        ]
    )
    blocks = counting.stimulus_blocks(table)
    assert blocks["start_time"].tolist() == [0.0, 0.75, 40.0]
    assert blocks["stop_time"].tolist() == [0.5, 1.0, 40.5]
    assert blocks["presentations"].tolist() == [2, 1, 2]


def test_bins_lie_inside_blocks():
    """Fails if bins cover the gap (44 % of the original's) or a block's last bin is lost to
    rounding of 0.3 / 0.1."""
    spikes = [np.array([0.05, 0.25, 5.0, 10.1, 10.19]), np.empty(0)]
    binned, times = counting.bin_spikes(spikes, [0.0, 10.0], [0.3, 10.25], bin_size=0.1)
    np.testing.assert_array_equal(binned[0], [[1, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(binned[1], [[0, 2], [0, 0]])
    np.testing.assert_allclose(times[1], [10.0, 10.1])


def test_aligned_spikes_and_psth_are_the_plain_loop():
    """Fails if overlapping windows lose the spikes that they share, or rates are not per second."""
    rng = np.random.default_rng(0)
    times, onsets = np.sort(rng.uniform(0, 20, 300)), np.arange(1.0, 19.0, 0.25)
    lags, trials = counting.aligned_spikes(times, onsets, window=(-0.1, 0.4))
    expected = [(s - o, k) for k, o in enumerate(onsets) for s in times if -0.1 <= s - o < 0.4]
    np.testing.assert_allclose(np.column_stack([lags, trials]), expected)
    rates, starts = counting.psth([times, np.empty(0)], onsets, window=(-0.1, 0.4), bin_size=0.05)
    plain = np.histogram([lag for lag, _ in expected], bins=np.append(starts, 0.4))[0]
    np.testing.assert_allclose(rates[0], plain / len(onsets) / 0.05)
    assert not rates[1].any()


def test_extreme_onsets_are_those_of_the_extreme_images():
    """Fails if image ids are taken for positions, or best and worst overlap in a short session."""
    table = presentations([7, -1, 2, 9, 4, 7, 2])
    best, worst = counting.extreme_onsets(table, [1.0, 3.0, 2.0, 0.5], [2, 4, 7, 9], images=1)
    assert best.tolist() == [11.0] and worst.tolist() == [10.75]
    best, worst = counting.extreme_onsets(table, [1.0, 3.0, 2.0, 0.5], [2, 4, 7, 9], images=10)
    assert best.tolist() == [10.0, 11.0, 11.25] and worst.tolist() == [10.5, 10.75, 11.5]


def tuned_spikes(rng, onsets, images, *, latency, units=30):
    """A constant population rate of which image i's share depends on i, from `latency` on."""
    tuning = rng.gamma(1.0, 8.0, (images.max() + 1, units))
    spikes = []
    for unit in range(units):
        n = rng.poisson(tuning[images, unit] * 0.25)
        spikes.append(np.sort(np.repeat(onsets + latency, n) + 0.25 * rng.random(n.sum())))
    return spikes


@pytest.mark.parametrize("latency", [0.03, 0.08])
def test_latency_is_found_though_the_rate_never_changes(latency):
    """Fails if the latency is read off the firing rate, which back-to-back images keep flat, or if
    noise is taken for signal."""
    rng = np.random.default_rng(1)
    images = rng.permutation(np.repeat(np.arange(40), 20))
    onsets = 5 + 0.25 * np.arange(len(images))
    histogram, begins, ends = counting.latency_histogram(
        tuned_spikes(rng, onsets, images, latency=latency), onsets, images
    )
    assert begins == pytest.approx(latency) and ends == pytest.approx(latency + 0.25)
    before = histogram["signal"][histogram["time"] < latency - 0.005]
    assert abs(before.mean()) < 0.02 * histogram["signal"].max()


def test_latency_of_untuned_or_single_images_is_undefined():
    """Fails if a latency is invented where there is none to see."""
    rng = np.random.default_rng(2)
    onsets = 5 + 0.25 * np.arange(400)
    spikes = [np.sort(rng.uniform(0, 110, 2000)) for _ in range(10)]
    for images in (rng.permutation(np.repeat(np.arange(20), 20)), np.zeros(400, int), np.arange(400)):
        histogram, begins, ends = counting.latency_histogram(spikes, onsets, images)
        assert np.isnan(begins) and np.isnan(ends) and len(histogram) == 40
