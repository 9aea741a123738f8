"""The tolerance of the notebook tests lets rounding pass and nothing else."""

import pytest

from tests.notebooks.tolerance import close


@pytest.mark.parametrize(
    "stored, computed",
    [
        ("r = 0.512", "r = 0.513"),  # the last printed digit may fall either way
        ("12,345 spikes", "12,345 spikes"),
        ("1.234e-05", "1.235e-05"),
        ("-0.5", "-0.5"),
    ],
)
def test_rounding_passes(stored, computed):
    assert close(stored, computed)


@pytest.mark.parametrize(
    "stored, computed",
    [
        ("r = 0.512", "r = 0.518"),
        ("12,345 spikes", "12,445 spikes"),
        ("up", "down"),
        ("unit 951092050", "unit 951092051"),
        ("0.5 0.6", "0.5"),
        ("-0.5", "0.5"),
        ("p = 1.20e-07", "p = 1.30e-07"),
    ],
)  # small is not nothing
def test_other_results_fail(stored, computed):
    assert not close(stored, computed)
