"""lib.statistics against tables, textbooks and simulated truth."""

import numpy as np
import pytest

from lib import statistics
from lib.errors import InputError


def test_bootstrap_interval_covers_the_mean():
    """Fails if the interval is of the values and not of the statistic, or not of this level."""
    rng = np.random.default_rng(0)
    samples = rng.normal(3.0, 2.0, (40, 300))
    low, high = statistics.bootstrap_interval(samples, np.mean, resamples=500)
    assert 0.90 < np.mean((low <= 3) & (high >= 3)) < 0.98
    assert np.mean(high - low) == pytest.approx(2 * 1.96 * 2 / np.sqrt(40), rel=0.1)
    narrow = statistics.bootstrap_interval(samples[:, 0], np.mean, level=0.5)
    wide = statistics.bootstrap_interval(samples[:, 0], np.mean, level=0.95)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_bootstrap_interval_leaves_nan_out_and_needs_two_values():
    """Fails if a missing unit spreads, or one value gets an interval of width 0."""
    values = np.random.default_rng(1).normal(size=20)
    with_gap = np.insert(values, 4, np.nan)
    np.testing.assert_array_equal(
        statistics.bootstrap_interval(with_gap), statistics.bootstrap_interval(values)
    )
    assert np.isnan(statistics.bootstrap_interval([1.0, np.nan])).all()
    assert np.isnan(statistics.bootstrap_interval([])).all()


def test_paired_comparison_of_a_textbook_example():
    """Fails if the sign, the ranks or the p is wrong. Wilcoxon (1945): the differences of Darwin's
    15 pairs of maize, T = 24; exact two-sided p .0413."""
    differences = np.array([49.0, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])
    found = statistics.paired_comparison(differences, np.zeros(15))
    assert found["p"] == pytest.approx(0.0413, abs=5e-4)
    assert found["effect_size"] == pytest.approx((96 - 24) / 120)
    assert found["n"] == 15 and found["median_difference"] == 24 and found["note"] == ""
    assert found["low"] < 24 < found["high"]
    swapped = statistics.paired_comparison(np.zeros(15), differences)
    assert swapped["effect_size"] == -found["effect_size"]
    assert swapped["p"] == found["p"]


def test_too_few_pairs_get_no_p():
    """Fails if five neurons are tested, where no result could reach .05."""
    found = statistics.paired_comparison([1, 2, 3, 4, 5, np.nan], [0, 0, 0, 0, 0, 0])
    assert np.isnan(found["p"]) and found["note"] == "too few pairs for a test: 5, 6 needed"
    assert found["median_difference"] == 3 and found["effect_size"] == 1
    nothing = statistics.paired_comparison([], [])
    assert nothing["n"] == 0 and np.isnan(nothing["median_difference"])


def test_no_difference_is_p_one():
    """Fails if equal values divide 0 by 0."""
    found = statistics.paired_comparison(np.ones(8), np.ones(8))
    assert found["p"] == 1 and found["effect_size"] == 0


def test_false_positives_are_at_the_level():
    """Fails if the test is anticonservative."""
    rng = np.random.default_rng(2)
    p = [statistics.paired_comparison(*rng.normal(size=(2, 20)), resamples=10)["p"] for _ in range(400)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085


def test_unpaired_values_are_refused():
    """Fails if 3 values are broadcast against 1."""
    with pytest.raises(InputError, match="same order"):
        statistics.paired_comparison([1, 2, 3], [1])


def test_jackknife_covers_the_truth_and_the_scatter_of_the_models_does_not():
    """Fails if models that share nine tenths of their data are taken for independent ones.

    The models are means of all folds but one; a tenth of the data is in each fold; five of ten judge.
    """
    rng = np.random.default_rng(0)
    folds = rng.normal(3.0, 1.0, (2000, 10))
    models = (folds.sum(1, keepdims=True) - folds)[:, ::2] / 9
    found = [statistics.jackknife_comparison(m, np.ones(5), folds=10) for m in models]
    assert np.mean([f["low"] <= 2 <= f["high"] for f in found]) == pytest.approx(0.95, abs=0.02)
    null = [statistics.jackknife_comparison(m, np.full(5, 3.0), folds=10)["p"] for m in models]
    assert np.mean(np.array(null) < 0.05) == pytest.approx(0.05, abs=0.02)
    assert found[0]["n"] == 5 and found[0]["mean_ratio"] == pytest.approx(models[0].mean())
    one = statistics.jackknife_comparison([3.0], [2.0], folds=1)
    assert one["mean_difference"] == 1 and np.isnan([one["low"], one["p"]]).all()


def test_holm_of_a_worked_example():
    """Fails if steps are not n, n - 1, ..., not monotone, above 1, or if NaN counts as a test."""
    found = statistics.holm([0.01, 0.04, np.nan, 0.03, 0.005])
    np.testing.assert_allclose(found, [0.03, 0.06, np.nan, 0.06, 0.02])
    np.testing.assert_allclose(statistics.holm([0.6, 0.9]), [1.0, 1.0])


def test_permutation_p_is_never_zero_and_uniform_under_the_null():
    """Fails if the observed value is not counted, or values below are counted."""
    null = np.arange(99.0)[:, None] * np.ones(3)
    np.testing.assert_allclose(statistics.permutation_p([200.0, 50.0, np.nan], null), [0.01, 0.5, np.nan])
    rng = np.random.default_rng(3)
    p = statistics.permutation_p(rng.normal(size=2000), rng.normal(size=(99, 2000)))
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.015)
