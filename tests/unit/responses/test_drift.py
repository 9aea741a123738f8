"""lib.responses.drift on simulated units that keep, lose or change their gain."""

import numpy as np
import pytest

from lib.data.simulated_session import shared_gain
from lib.responses import words as response_words
from lib.responses.drift import drift

T, I, U = 50, 60, 100


def counts_of(gain, *, seed, units=U, shared=True, rates=(0.05, 8)):
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.uniform(*np.log(rates), units))
    expected = mean * rng.gamma(1.0, 1.0, (I, units))
    common = shared_gain(0.25 * np.arange(T * I), rng=rng).reshape(T, I, 1) if shared else 1.0
    return rng.poisson(expected * common * np.reshape(gain, (T, 1, -1))).astype(float)


@pytest.mark.parametrize("seed", [101, 102, 103])
def test_none_of_a_hundred_stationary_units_drifts(seed):
    """Fault: p not corrected, a gain that all units share counted as each one's drift, or no least change."""
    assert not drift(counts_of(np.ones(T), seed=seed)).drifts.any()


@pytest.mark.parametrize(
    "gain",
    [np.where(np.arange(T) < T // 2, 1, 0.5), np.where(np.arange(T) < 38, 1, 0.5), np.linspace(1, 0.5, T)],
    ids=["lost at half", "lost at three quarters", "falls evenly"],
)
def test_units_whose_gain_halves_are_named_and_no_others(gain):
    """Fault: halves compared alone, which miss an even fall; direction turned; units in another order."""
    gains = np.stack([gain] * 5 + [np.ones(T)] * 15, axis=1)
    table = drift(counts_of(gains, seed=104, units=20, rates=(1, 8)), unit_ids=range(500, 520))
    assert table.index[table.drifts].tolist() == [500, 501, 502, 503, 504]
    assert (table.drift[:5] < -0.4).all() and (table.drift_ratio[:5] < 0.8).all()
    said = response_words.describe_drift(table)
    assert "5 of 20 units drift" in said and all(str(unit) in said for unit in range(500, 505))
    assert response_words.drift_warning(table.loc[500]) and not response_words.drift_warning(table.loc[510])


def test_a_recording_that_all_units_lose_is_no_common_state():
    """Fault: any common change is taken out, and a recording lost at half passes unseen."""
    lost = counts_of(np.where(np.arange(T) < T // 2, 1, 0.3), seed=105, units=12, rates=(1, 8))
    assert drift(lost).drifts.all()


def test_missing_repeats_and_silent_units_change_nothing_for_others():
    """Fault: repeats are numbered by row, not as shown; NaN of one unit spreads; silence drifts."""
    counts = counts_of(np.ones(T), seed=106, units=4, shared=False)
    counts[:, :, 1] = 0
    padded = np.concatenate([counts, np.full((7, I, 4), np.nan)])
    table = drift(padded)
    np.testing.assert_allclose(table.drift, drift(counts).drift)
    assert np.isnan(table.drift_p[1]) and not table.drifts.any()
    once = drift(counts[:1])
    assert once.drift_p.isna().all() and "could not be measured" in response_words.describe_drift(once)
