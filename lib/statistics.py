"""Intervals and tests across units, in one place so that every page states the same ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.stats

LEVEL = 0.95  # coverage of intervals
FEWEST_PAIRS = 6  # neurons below which nothing is said of all of them


def bootstrap_interval(
    values: np.ndarray,
    statistic: Callable = np.median,
    *,
    level: float = LEVEL,
    resamples: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Percentile bootstrap interval (low, high) of a statistic of independent values.

    Observations lie along the first axis of `values` (n, ...); those with a NaN are left out. low and high
    are numbers or arrays (...), NaN with fewer than two observations; `level` is the coverage.

    Examples
    --------
    >>> low, high = bootstrap_interval(np.arange(101), np.median, seed=1)
    >>> bool(low < 50 < high)
    True
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values).all(axis=tuple(range(1, values.ndim)))]
    if len(values) < 2:
        return np.full((2, *values.shape[1:]), np.nan)
    drawn = np.random.default_rng(seed).integers(len(values), size=(len(values), resamples))
    return np.quantile(statistic(values[drawn], axis=0), [(1 - level) / 2, (1 + level) / 2], axis=0)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm-Bonferroni adjusted p values (n,); NaN, a test not made, stays NaN and is not counted.

    Holm, Scand J Stat 6:65 (1979).

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(2).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(p_values.shape, np.nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def jackknife_comparison(a: np.ndarray, b: np.ndarray, *, folds: int) -> dict:
    """Compare predictions of one unit by models that each left out another fold of the images: a - b.

    Such models share most of their images, so their scatter is far smaller than the error of their
    mean. The grouped jackknife gives that error: ``(folds - 1)^2 / folds`` times the variance over models; t
    test and 95 % interval with a degree of freedom less than there are models (Efron, The Jackknife, the
    Bootstrap and Other Resampling Plans, 1982, chapters 2 and 3).

    Parameters
    ----------
    a, b : array (n,)
        Predictions of the n models at hand, of `folds` that would make the set complete.

    Returns
    -------
    dict
        ``n`` models, ``mean_difference`` with ``low`` and ``high``, ``mean_ratio`` (of the means),
        ``p``; NaN intervals and p with one model.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    difference, n = a - b, len(a)
    result = {
        "n": n,
        "mean_difference": difference.mean(),
        "low": np.nan,
        "high": np.nan,
        "mean_ratio": a.mean() / b.mean() if b.mean() > 0 else np.nan,
        "p": np.nan,
    }
    if n > 1:
        error = (folds - 1) / np.sqrt(folds) * difference.std(ddof=1)
        half = scipy.stats.t.ppf((1 + LEVEL) / 2, n - 1) * error
        result |= {"low": difference.mean() - half, "high": difference.mean() + half}
        if error > 0:
            result["p"] = 2 * scipy.stats.t.sf(np.abs(difference.mean()) / error, n - 1)
    return result


def permutation_p(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of permutations that reach the observed value, the observed one counted among them.

    One-sided, (1 + number >= observed) / (1 + n), for observed values (...) and the same under n
    permutations, (n, ...); NaN where the observed value is. Phipson & Smyth, Stat Appl Genet Mol Biol 9:39
    (2010).
    """
    observed, null = np.asarray(observed, dtype=float), np.asarray(null, dtype=float)
    p = (1 + (null >= observed).sum(axis=0)) / (1 + len(null))
    return np.where(np.isfinite(observed), p, np.nan)
