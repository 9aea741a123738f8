"""The power analysis: recovery must follow from how much was recorded, and from nothing else."""

import numpy as np
import pandas as pd
import pytest

from lib.errors import InputError
from lib.mei import recovery
from lib.mei import words as mei_words

STIMULUS = {"contrast": 0.2, "finest_detail": 0.15}


@pytest.fixture(scope="module")
def recovered():
    return recovery.simulate_recovery(
        [(12, 2, 1.0), (60, 40, 1.0), (60, 40, 0.1)], units=7, **STIMULUS, image_height=20, steps=15, seed=3
    )


def test_more_recording_recovers_more(recovered):
    """Fault: the model fitted to all images or repeats whatever the design says."""
    median = recovered.groupby(["images", "rate"]).response_ratio.median()
    assert median[60, 1.0] > median[12, 1.0] + 0.3
    assert median[60, 1.0] > median[60, 0.1]


def test_nothing_exceeds_the_optimum_or_comes_from_grey(recovered):
    """Fault: optimum and MEI at different contrasts, or of different units."""
    assert recovered.response_ratio.max() <= 1.001
    assert (recovered.grey_ratio < 0.7).all() and (recovered.grey_ratio > 0).all()
    assert recovered.groupby("images").truth_kind.nunique().eq(7).all()
    well = recovered[(recovered.images == 60) & (recovered.rate == 1)]
    assert np.corrcoef(well.response_ratio - well.grey_ratio, well.truth_correlation)[0, 1] > 0.5


def test_rate_scales_spikes(recovered):
    """Fault: the firing rate said on the axis is not that of the recording."""
    by_rate = recovered[recovered.images == 60].pivot(
        index="unit_id", columns="rate", values="spikes_per_second"
    )
    assert by_rate[0.1].to_numpy() == pytest.approx(0.1 * by_rate[1.0].to_numpy())


def test_table_and_shortest_design():
    """Fault: minutes wrong by the stimulus' length; the largest design named for the shortest."""
    units = pd.DataFrame(
        {
            "images": np.repeat([40, 80, 120], 3),
            "repeats": 30,
            "rate": 1.0,
            "response_ratio": [0.2, 0.3, 0.4, 0.7, 0.8, 0.9, 0.8, 0.9, 0.95],
            "spikes_per_second": 4.0,
            "grey_ratio": 0.1,
            "truth_correlation": 0.5,
        }
    )
    table = recovery.recovery_by_design(units)
    assert table.minutes.tolist() == [5, 10, 15]
    assert table["median"].tolist() == [0.3, 0.8, 0.9]
    assert (table.low <= table["median"]).all() and (table["median"] <= table.high).all()
    assert recovery.shortest_design(table, goal=0.8).images == 80
    assert recovery.shortest_design(table, goal=0.99) is None


def test_lines_and_sentence_follow_the_table():
    """Fault: rates mixed into the line over images; a goal said to be reached that is not."""
    designs = recovery.choose_designs([60, 30], [5], [4, 1])
    assert designs == [(30, 5, 1.0), (60, 5, 1.0), (60, 5, 4.0)]
    table = pd.DataFrame(designs, columns=["images", "repeats", "rate"]).assign(
        minutes=[1.0, 2.0, 2.0],
        spikes_per_second=[4.0, 4.0, 16.0],
        median=[0.3, 0.6, 0.9],
        low=0.1,
        high=0.95,
    )
    assert recovery.lines(table, "images")["5 repeats"].value.tolist() == [0.3, 0.6]
    assert recovery.lines(table, "spikes_per_second")["5 repeats"].x.tolist() == [4, 16]
    said = mei_words.recovery_sentence(table, goal=0.5)
    assert (
        said.startswith("At the neurons' own firing rate (4.0 spikes per second)")
        and "60 images 5 times" in said
        and said.endswith("1 shorter design cannot be told from the goal.")
    )
    assert mei_words.recovery_sentence(table, goal=0.8).startswith(
        "No design at the neurons' own firing rate"
    )


def test_a_kind_that_falls_short_is_not_hidden_by_the_others():
    """Fault: only medians over all kinds; another rate or fewer repeats mixed into a kind's line."""
    units = pd.DataFrame(
        {
            "truth_kind": ["corner", "corner", "spot", "spot", "corner", "corner"],
            "images": [60, 60, 60, 60, 30, 60],
            "repeats": [5, 5, 5, 5, 5, 2],
            "rate": [1.0, 1, 1, 1, 1, 1],
            "response_ratio": [0.4, 0.6, 0.9, 0.95, 0.2, 0.1],
        }
    )
    faster = units.assign(rate=4.0, response_ratio=1.0)
    kinds = recovery.recovery_by_kind(pd.concat([units, faster]))
    corner = kinds[kinds.kind == "corner"].set_index("x")
    assert corner.loc[60, ["value", "low", "high"]].tolist() == [0.5, 0.4, 0.6]
    assert corner.value[30] == 0.2
    assert mei_words.kinds_sentence(kinds, goal=0.85).endswith("in the mean: *corner* (0.50).")
    assert "every kind" in mei_words.kinds_sentence(kinds, goal=0.5)


def test_missing_table_names_the_command(tmp_path):
    with pytest.raises(InputError, match="make report"):
        recovery.load_designs(tmp_path)


def test_too_few_units_are_named():
    with pytest.raises(ValueError, match="6 units asked for; give at least 7"):
        recovery.simulate_recovery([], units=6, **STIMULUS)
