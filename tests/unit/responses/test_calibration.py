"""lib.responses.calibration: the truth that the estimators are held against is itself right."""

import numpy as np
import pytest

from lib.responses import calibration


def test_population_has_the_mean_and_the_ceilings_it_claims():
    """Fails for a wrong variance of signal or noise: every figure of the benchmark rests on them."""
    mean, explained = np.array([0.3, 1.0, 4.0]), np.array([0.1, 0.2, 0.5])
    counts, truth = calibration.population(
        np.random.default_rng(0), mean=mean, explained=explained, repeats=8, images=20_000
    )
    np.testing.assert_allclose(counts.mean((0, 1)), mean, rtol=0.05)
    total = counts.reshape(-1, 3).var(axis=0)
    within = counts.var(axis=0, ddof=1).mean(axis=0)
    np.testing.assert_allclose(1 - within / total, explained, atol=0.02)
    np.testing.assert_allclose(truth.explainable_variance, explained)
    one, others = counts[0], counts[1:].mean(axis=0)
    oracle = [np.corrcoef(a, b)[0, 1] for a, b in zip(one.T, others.T)]
    np.testing.assert_allclose(truth.oracle, oracle, atol=0.03)
    halves = [np.corrcoef(a, b)[0, 1] for a, b in zip(counts[:4].mean(0).T, counts[4:].mean(0).T)]
    stepped = 2 * np.array(halves) / (1 + np.array(halves))
    np.testing.assert_allclose(truth.split_half, stepped, atol=0.03)
    np.testing.assert_allclose(truth.cc_max, np.sqrt(stepped), atol=0.03)


def test_shared_gain_is_shared():
    """Fails if every unit has a gain of its own: bootstrapped units would then be independent."""
    counts, _ = calibration.population(
        np.random.default_rng(1), mean=np.full(2, 30.0), explained=0.01, repeats=2000, images=2, gain=0.3
    )
    residual = counts - counts.mean(axis=0)
    assert np.corrcoef(residual[:, 0].T)[0, 1] > 0.5


def test_dropping_zeros_hurts_the_units_that_fire_little():
    """Fails if rates and rows are mixed up, or the zeros are dropped in both columns."""
    table = calibration.zeros_bias(1, repeats=20, images=100, units=20)
    assert table.rate.tolist() == [count / 0.25 for count in calibration.MEAN_COUNTS]
    assert table.silent.is_monotonic_decreasing and table.silent.iloc[-1] < 0.2
    error = table[["jackknife", "kept", "dropped"]].sub(table.true, axis=0).abs()[1:]
    assert error.dropped.iloc[0] > 0.1 and (table.bias < 0).all()
    assert error.jackknife.max() < 0.05 and error.kept.max() < 0.05


def test_coverage_counts_the_intervals_that_hold_the_truth(monkeypatch):
    """Fails if a row is another measure's, or a truth outside every interval counts as covered."""
    table = calibration.interval_coverage(2, explained=(0.2, 0.4), mean=(1.0, 3.0), resamples=60, splits=4)
    assert len(table) == 8 and table.coverage.between(0, 1).all()
    truth = table.set_index(["measure", "explained"]).truth
    assert truth["explainable_variance", 0.4] == pytest.approx(0.4)
    real = calibration.population

    def wrong(*args, **options):
        counts, truth = real(*args, **options)
        return counts, truth + 5

    monkeypatch.setattr(calibration, "population", wrong)
    wrongly = calibration.interval_coverage(1, explained=(0.2,), mean=(1.0,), resamples=60, splits=4)
    assert (wrongly.coverage == 0).all() and (wrongly.bias < -4).all()


def test_size_like_a_recording_survives_undefined_units():
    """Fails if NaN or a negative fraction reaches the simulation."""
    counts = np.zeros((30, 118, 3))
    size = calibration.size_like(counts, [0.1, np.nan, 0.3])
    assert size == {"repeats": 30, "images": 118, "explained": pytest.approx(0.2)}
    assert calibration.size_like(counts[:1, :1], [np.nan]) == {"repeats": 2, "images": 20, "explained": 0.15}
    assert calibration.size_like(counts, [-0.2])["explained"] == 0.05
