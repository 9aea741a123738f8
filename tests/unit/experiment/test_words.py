"""What is said of a loop is said by its numbers, and nothing recorded is said so."""

import time

import numpy as np
import pandas as pd
import pytest

from lib.errors import InputError
from lib.experiment import folder, words
from lib.experiment.loop import Loop, open_loop
from lib.stages import Stage


def opened(stage, **given):
    given = {"responses": "", "units": "", "stimuli": "", "source": "arrays", "seed": 1} | given
    return open_loop(stage, None, **given)


@pytest.fixture
def stage(tmp_path):
    return Stage("loop", tmp_path, None, {}, time.time())


def test_a_run_without_stimuli_says_why_and_goes_on(stage):
    """Fault: a report that ends because its images do not fit on a screen."""
    folder.write_none(stage.run_folder, "screen is too small")
    loop = opened(stage)
    assert not loop.answered and "screen is too small" in words.opened(loop)
    assert words.conclusions(loop, None, []) == ""
    with pytest.raises(InputError, match="screen is too small"):
        opened(stage, responses="r.npz", units="u.csv")


def test_a_recorded_run_waits_for_its_responses(stage, written):
    """Fault: an animal simulated for a recording."""
    loop = opened(stage, stimuli=str(written.folder))
    text = words.opened(loop)
    assert not loop.answered and "No responses have come back yet" in text and "simulated" not in text


def test_what_time_cannot_tell_is_named():
    plan = pd.DataFrame({"needs": [5.0, 50.0, np.inf]}, index=[1, 2, 3])
    text = words.untold(plan, 20)
    assert "cannot tell the MEI of 2 from" in text and "For 3, the models do not predict" in text
    assert "should be told" in words.untold(plan[:1], 20)


@pytest.mark.parametrize(
    "low, high, said", [(0.1, 0.5, "more than"), (-0.5, -0.1, "less than"), (-0.1, 0.2, "no more and")]
)
def test_a_pooled_gain_has_three_directions(low, high, said):
    """Fault: 'more' whatever the interval."""
    found = {"mean": (low + high) / 2, "low": low, "high": high, "tau": 0.1, "n": 9, "sessions": 1}
    assert said in words.pooled_gain(found) and "of one recording" in words.pooled_gain(found)


def test_outcomes_are_counted_by_verdict():
    shares = pd.DataFrame(
        {
            "confirmed": [3, 0],
            "refuted": [0, 1],
            "undecided": [1, 0],
            "n": [4, 1],
            "share": [0.75, 0],
            "low": 0.1,
            "high": 0.9,
        },
        index=["well supported", "not supported"],
    )
    first, second = words.outcomes(shares)
    assert (
        "Of 4 units whose MEI was called *well supported*, the next experiment confirms 3, refutes 0" in first
    )
    assert "Of 1 unit whose MEI" in second and "refutes 1" in second


def test_drift_and_lost_units_are_named(written):
    class Recording:
        name, lost, unpaired, pairing_p = "day.npz", [7], 1, 0.001
        counts = pd.DataFrame(0.0, index=[1], columns=[1, 2])
        agreement = pd.Series([0.9, 0.5], index=[1, 2])

    loop = Loop(written, "", [Recording()], False)
    assert "(7 lost); 1 unit of the recording is not of this run" in words.opened(loop)
    units = pd.DataFrame({"session": "day.npz", "drift": [0.1, -0.8]}, index=[1, 2])
    assert "Responses of 2 drift over the blocks" in words.held(loop, units)
    assert "No unit's responses drift much" in words.held(loop, units.assign(drift=0.0))
