"""The published values stand beside the run's, and only where the recording is the same."""

import numpy as np
import pandas as pd
import pytest

from lib.data.session import Session
from lib.original import printed_values as values


def session(**changes):
    """Counts of six units, two of them the pair that the original found most alike."""
    rng = np.random.default_rng(0)
    tuning = rng.gamma(2, 2, (30, 6))
    tuning[:, 1] = tuning[:, 0]
    counts = rng.poisson(np.broadcast_to(tuning, (40, 30, 6)))
    ids = [951098242, 951093125, 951092798, 951093846, 951097947, 5]
    given = dict(
        name="session_798911424",
        source="allen",
        counts=counts.astype(np.float32),
        window=(0, 0.25),
        units=pd.DataFrame({"structure": "VISam"}, index=pd.Index(ids, name="unit_id")),
        images=rng.random((30, 60, 77)).astype(np.float32),
        image_ids=np.arange(30),
        degrees_per_pixel=1.0,
    )
    return Session(**given | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "session_715093703"},
        {"source": "simulated"},
        {"source": "arrays"},
        {"units": pd.DataFrame({"structure": ["VISp"] * 6}, index=pd.Index(range(6)))},
    ],
)
def test_says_nothing_of_another_recording(changes):
    """Fails if made-up sessions are set beside the published values."""
    assert values.applies(session()) and not values.applies(session(**changes))


def test_quantities_come_under_their_own_names():
    """Fails if values are shifted by a row, or a missing unit gets another's value."""
    measured = values.measure(session())
    assert list(measured) == list(values.VALUES)
    assert measured["units"] == 6
    assert measured["signal correlation of 951098242 and 951093125, the largest"] > 0.95
    assert abs(measured["signal correlation of 951097947 and 951098242, the lowest"]) < 0.6
    assert measured["units with a signal correlation above 0.7"] == 2
    assert np.isnan(measured["oracle of 951093821, mean of 50 draws"])
    assert 0.2 < measured["mean contrast of the images"] < 0.35
    assert all(0.5 < measured[f"oracle of {u}, mean of 50 draws"] < 1 for u in (951098242, 951093125))


def test_agreement_difference_and_nothing_are_told_apart():
    """Fails if a difference passes, or a missing value counts as agreement."""
    same = {name: value for name, (value, _) in values.VALUES.items()}
    table = values.compare(same)
    assert set(table.verdict) == {"agrees"}
    largest = "signal correlation of 951098242 and 951093125, the largest"
    table = values.compare(same | {"units": np.nan, largest: 0.9056, "units selected": 50})
    verdicts = table.set_index("quantity").verdict
    assert (verdicts["units"], verdicts[largest], verdicts["units selected"]) == (
        "missing",
        "differs",
        "agrees",
    )
