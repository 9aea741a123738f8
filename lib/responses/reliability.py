"""How repeatable each unit's responses are: the oracle correlation and the ceilings of prediction.

`counts` is always (repeats T, images I, units U) with NaN where an image was shown fewer times than
T. A unit with fewer than two trials above its lowest response (silent, or a single spike), one
repeat or one image has no reliability: NaN for it, and nothing changes for the others.

Every measure but the published one is a function of sums over images, so `bootstrap_ceilings`
resamples images by weighting those sums, without a second pass over the trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from lib.errors import InputError


def repeated_images(counts: np.ndarray) -> np.ndarray:
    """Images (I,) of bool that reliability, ceilings and scores rest on: those shown more than once.

    Of a recording in which no two images were repeated, it is all of them.

    Examples
    --------
    >>> counts = np.ones((2, 4, 1))  # 2 repeats, 4 images, 1 unit
    >>> counts[1, 2:] = np.nan
    >>> repeated_images(counts).tolist()
    [True, True, False, False]
    """
    repeated = np.isfinite(counts).any(axis=2).sum(axis=0) > 1
    return repeated if repeated.sum() > 1 else np.ones_like(repeated)


def oracle_correlation(counts: np.ndarray) -> np.ndarray:
    """Jackknife oracle (U,): correlation of each trial with the mean of the other trials of its image.

    Exact: over all (t, i), of ``C[t, i, u]`` and ``mean_{s != t} C[s, i, u]``, from the sums over repeats
    alone. Images with a single repeat are left out.

    References
    ----------
    Walker et al., Nat Neurosci 22:2060 (2019), Methods, "oracle score".

    Examples
    --------
    >>> trials = [[[0, 2], [3, 1], [6, 1]], [[0, 1], [3, 2], [6, 2]]]  # 2 repeats, 3 images, 2 units
    >>> oracle_correlation(np.array(trials)).round(2).tolist()
    [1.0, -1.0]
    """
    return _estimate(counts, _oracle_sums, _oracle)


def explainable_variance(counts: np.ndarray) -> np.ndarray:
    """Fraction (U,), at most 1, of the single-trial variance that the image explains.

    ``(total - noise) / total``: total the variance over all trials, noise the mean over images of the
    variance over repeats (both with n - 1). Slightly negative for an untuned unit.

    References
    ----------
    Cadena et al., PLoS Comput Biol 15:e1006897 (2019), Methods; Willeke et al., arXiv 2206.08666 (2022),
    where units under 0.15 are left out of FEVE.
    """
    return _estimate(counts, _variance_sums, _explainable)


def cc_max(counts: np.ndarray) -> np.ndarray:
    """Highest correlation (U,) with the mean response that any model can reach: sqrt(SP / Var(Y)).

    SP is the signal power. With equal repeats it is exactly Schoppe's
    ``(Var(sum_t C) - sum_t Var(C_t)) / (T (T - 1))``, computed as the variance of the mean response less the
    noise left in it once each repeat's own mean (slow drift) is taken out; in that form it holds for unequal
    repeats too. Zero where the signal power is not above zero: CCnorm = r / CCmax has no value there.

    References
    ----------
    Schoppe, Harper, Willmore, King, Schnupp, Front Comput Neurosci 10:10 (2016), equations 1 and 7.

    Examples
    --------
    >>> rates = np.array([[1.0], [4.0], [9.0], [2.0]]).repeat(2, axis=1)  # 4 images, 2 units
    >>> counts = np.random.default_rng(0).poisson(rates, size=(3, 4, 2))
    >>> cc_max(counts).shape, bool(np.all(cc_max(counts) > 0.9))
    ((2,), True)
    """
    return _estimate(counts, _power_sums, _cc_max)


def split_half_reliability(counts: np.ndarray, *, splits: int = 100, seed: int = 0) -> np.ndarray:
    """Reliability (U,) of the mean response: correlation of two halves, stepped up to all repeats.

    The repeats of every image are dealt at random into two equal halves; the correlation over images of the
    two half means is averaged over the splits and then corrected for the halves' length (Spearman-Brown). In
    expectation it is the square of `cc_max`.

    References
    ----------
    Spearman, Br J Psychol 3:271 (1910); Brown, Br J Psychol 3:296 (1910).

    Examples
    --------
    >>> rates = np.array([[1.0], [4.0], [9.0], [2.0]])
    >>> counts = np.random.default_rng(0).poisson(rates, size=(10, 4, 1))
    >>> bool(split_half_reliability(counts, seed=1)[0] > 0.9)
    True
    """
    repeats = _repeats(counts)
    halves, ratio = _half_means(repeats, splits=splits, seed=seed)
    reliability = _split_half(halves, np.ones((1, len(repeats.n))), ratio)[0]
    return np.where(_informative(repeats), reliability, np.nan)


def oracle_correlation_published(
    counts: np.ndarray, *, draws: int = 50, seed: int = 0, drop_zeros: bool = False
) -> pd.DataFrame:
    """The original report's oracle: one random repeat per image against the mean of its others.

    In every draw each unit takes, for each image, one repeat at random; the correlation over images with the
    mean of the remaining repeats is multiplied by the fraction of images with more than one repeat.
    Correlations and ranks (0 the best, undefined ones last) are averaged over draws. As in the original, a
    unit undefined in one draw has no mean correlation. `drop_zeros` leaves out trials without a spike, as the
    original's table did, before anything else.

    Returns
    -------
    DataFrame
        One row per unit in order: ``oracle``, ``rank``, ``images_used`` (fraction).
    """
    counts = _checked(counts)
    lowest = 0.0 if drop_zeros else -np.inf
    with np.errstate(invalid="ignore"):
        kept = counts > lowest
    packed = -np.sort(np.where(kept, -counts, np.inf), axis=0)  # the trials kept come first
    n = kept.sum(axis=0)
    total = np.where(kept, counts, 0.0).sum(axis=0)
    used = n > 1
    rng = np.random.default_rng(seed)
    pick = (rng.random((draws, *n.shape)) * n).astype(int)
    single = np.where(used, np.take_along_axis(packed, pick, axis=0), 0.0)
    others = np.where(used, (total - single) / np.maximum(n - 1, 1), 0.0)
    correlation = _correlation(
        used.sum(axis=0),
        single.sum(axis=1),
        others.sum(axis=1),
        (single**2).sum(axis=1),
        (others**2).sum(axis=1),
        (single * others).sum(axis=1),
    )
    correlation *= used.mean(axis=0)
    rank = np.argsort(np.argsort(-correlation, axis=1, kind="stable"), axis=1, kind="stable")
    return pd.DataFrame(
        {"oracle": correlation.mean(axis=0), "rank": rank.mean(axis=0), "images_used": used.mean(axis=0)}
    )


def bootstrap_ceilings(
    counts: np.ndarray,
    *,
    unit_ids: Sequence[int] | None = None,
    resamples: int = 1000,
    splits: int = 50,
    seed: int = 0,
) -> pd.DataFrame:
    """Oracle, split-half reliability, explainable variance and CCmax with bootstrap intervals.

    Images are resampled with replacement, all repeats of an image together, the same resamples for every unit
    and every measure; 95 % intervals are bias-corrected and accelerated (BCa). Where few images carry much of
    the signal they are too short: over simulated populations of skewed tuning they hold the truth in 88 to
    94 % (benchmarks/bench_selection.py).

    Returns
    -------
    DataFrame
        One row per unit; for each of ``oracle``, ``split_half``, ``explainable_variance`` and ``cc_max`` the
        estimate and ``<name>_low``, ``<name>_high``.

    References
    ----------
    Efron, J Am Stat Assoc 82:171 (1987).
    """
    repeats = _repeats(counts)
    n_images, n_units = repeats.n.shape
    weights = _image_weights(n_images, resamples=resamples, seed=seed)
    halves, ratio = _half_means(repeats, splits=splits, seed=seed)
    values = {
        "oracle": _oracle(_weigh(weights, _oracle_sums(repeats))),
        "split_half": _split_half(halves, weights, ratio),
        "explainable_variance": _explainable(_weigh(weights, _variance_sums(repeats))),
        "cc_max": _cc_max(_weigh(weights, _power_sums(repeats))),
    }
    table = pd.DataFrame(index=pd.RangeIndex(n_units) if unit_ids is None else unit_ids)
    table.index.name = "unit_id"
    informative = _informative(repeats)
    for name, value in values.items():
        value = np.where(informative, value, np.nan)
        table[name] = value[0]
        table[f"{name}_low"], table[f"{name}_high"] = _bca_interval(
            value[0], value[1 + n_images :], value[1 : 1 + n_images]
        )
    return table


class _Repeats(NamedTuple):
    """Sums over the repeats of every image that was shown more than once."""

    deviations: np.ndarray  # (T, I, U) counts above each unit's lowest, 0 where not shown
    shown: np.ndarray  # (T, I, U)
    used: np.ndarray  # (I, U) shown more than once
    n: np.ndarray  # (I, U) repeats; 2, so that n - 1 can divide, where not used
    total: np.ndarray  # (I, U) sum over repeats, 0 where not used
    squares: np.ndarray  # (I, U) sum of squares over repeats, 0 where not used


def _checked(counts):
    counts = np.asarray(counts, dtype=float)
    if counts.ndim != 3 or counts.size == 0:
        raise InputError(
            f"counts has shape {counts.shape}; expected (repeats, images, units), none of them 0"
        )
    return counts


def _repeats(counts):
    """The shift to each unit's lowest count changes no measure and makes a constant unit zero."""
    counts = _checked(counts)
    shown = ~np.isnan(counts)
    deviations = counts - np.fmin.reduce(counts.reshape(-1, counts.shape[2]), axis=0)
    if not shown.all():
        deviations[~shown] = 0.0
    n = shown.sum(axis=0)
    used = n > 1
    return _Repeats(
        deviations,
        shown,
        used,
        np.where(used, n, 2),
        deviations.sum(axis=0) * used,
        np.einsum("tiu,tiu->iu", deviations, deviations) * used,
    )


def _informative(repeats):
    """Units with at least two trials above their lowest: else no product of two trials is left."""
    return repeats.total.sum(axis=0) ** 2 > repeats.squares.sum(axis=0)


def _estimate(counts, sums, estimator):
    repeats = _repeats(counts)
    value = estimator([term.sum(axis=0) for term in sums(repeats)])
    return np.where(_informative(repeats), value, np.nan)


def _weigh(weights, terms):
    """Weighted sums over images: weights (B, I), terms (I, U) each -> (B, U) each."""
    return [weights @ term for term in terms]


def _oracle_sums(repeats):
    _, _, used, n, total, squares = repeats
    others_squared = ((n - 2) * total**2 + squares) / (n - 1) ** 2
    product = (total**2 - squares) / (n - 1)
    return n * used, total, squares, others_squared, product, 1.0 * used


def _oracle(sums):
    n, total, squares, others_squared, product, images = sums
    value = _correlation(n, total, total, squares, others_squared, product)
    return np.where(images > 1, value, np.nan)


def _variance_sums(repeats):
    _, _, used, n, total, squares = repeats
    noise = (squares - total**2 / n) / (n - 1)
    return n * used, total, squares, noise, 1.0 * used


def _explainable(sums):
    n, total, squares, noise, images = sums
    variance = _variance(n, total, squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((images > 1) & (variance > 0), 1 - noise / images / variance, np.nan)


def _power_sums(repeats):
    deviations, shown, used, n, total, _ = repeats
    mean = total / n
    shown = shown & used
    residual = np.where(shown, deviations - mean, 0.0)
    trials = shown.sum(axis=1)
    drift = residual.sum(axis=1) / np.maximum(trials, 1)
    residual -= np.where(shown, drift[:, None], 0.0)
    freedom = ((n - 1) * used).sum(axis=0)
    left = np.maximum(freedom - (trials > 0).sum(axis=0) + 1, 1)
    noise = np.einsum("tiu,tiu->iu", residual, residual) / (n - 1) / n * (freedom / left)
    return 1.0 * used, mean, mean**2, noise


def _cc_max(sums):
    images, mean, squares, noise = sums
    variance = _variance(images, mean, squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - noise / images / variance
        share = np.where(share > 1e-12, share, 0.0)  # else CCnorm would divide by what rounding left
        return np.where((images > 1) & (variance > 0), np.sqrt(share), np.nan)


def _half_means(repeats, *, splits, seed):
    """Mean response of two random halves, (splits, I, U) each, and repeats over repeats in a half.

    Images with fewer than two repeats are NaN.
    """
    deviations, shown = repeats.deviations, repeats.shown
    present = shown.any(axis=2)  # a presentation that was not shown is missing for every unit
    half = present.sum(axis=0) // 2
    key = np.random.default_rng(seed).random((splits, *present.shape))
    order = np.argsort(np.argsort(np.where(present, key, 2.0), axis=1), axis=1)
    means = []
    for chosen in (order < half, (order >= half) & (order < 2 * half)):
        chosen = chosen.astype(float).transpose(2, 0, 1)  # (I, splits, T)
        total = chosen @ deviations.transpose(1, 0, 2)
        n = chosen @ shown.transpose(1, 0, 2)
        means.append(np.where(n > 0, total / np.maximum(n, 1), np.nan).transpose(1, 0, 2))
    used = half > 0
    return means, present.sum(axis=0)[used].sum() / max(half.sum(), 1)


def _split_half(halves, weights, ratio):
    """Spearman-Brown reliability under each row of image weights (B, I) -> (B, U)."""
    total, defined = 0.0, 0
    for first, second in zip(*halves):
        used = np.isfinite(first) & np.isfinite(second)
        first, second = np.where(used, first, 0.0), np.where(used, second, 0.0)
        r = _correlation(*_weigh(weights, (1.0 * used, first, second, first**2, second**2, first * second)))
        total = total + np.where(np.isfinite(r), r, 0.0)
        defined = defined + np.isfinite(r)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(defined > 0, total / defined, np.nan)
        return ratio * mean / (1 + (ratio - 1) * mean)


def _variance(n, total, squares):
    """Sample variance from sums; exactly 0 where only rounding is left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total**2 / n) / (n - 1)
        return np.where(variance > 1e-12 * squares / n, variance, 0.0)


def _correlation(n, x, y, xx, yy, xy):
    """Pearson correlation from sums; NaN where either side does not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(_variance(n, x, xx) * _variance(n, y, yy))
        return np.where(spread > 0, (xy - x * y / n) / (n - 1) / spread, np.nan)


def _image_weights(n_images, *, resamples, seed):
    """How often each image counts: once; all but one, for each; resampled with replacement."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size=resamples)
    drawn = drawn[(drawn > 0).sum(axis=1) > 1]  # over one image nothing varies
    return np.vstack([np.ones(n_images), 1 - np.eye(n_images), drawn])


def _bca_interval(estimate, resampled, left_out):
    """Bias-corrected accelerated 95 % interval: estimate (U,), (B, U), jackknife (I, U) -> low, high."""
    low, high = np.full((2, len(estimate)), np.nan)
    tails = norm.ppf([(1 - 0.95) / 2, (1 + 0.95) / 2])
    for unit in np.flatnonzero(np.isfinite(estimate)):
        values = resampled[np.isfinite(resampled[:, unit]), unit]
        jackknife = left_out[np.isfinite(left_out[:, unit]), unit]
        if not len(values) or not len(jackknife):
            continue
        below = np.mean(values < estimate[unit]) + np.mean(values == estimate[unit]) / 2
        bias = norm.ppf(np.clip(below, 1 / len(values), 1 - 1 / len(values)))
        influence = jackknife.mean() - jackknife
        size = np.sum(influence**2) ** 1.5
        acceleration = np.sum(influence**3) / (6 * size) if size > 0 else 0.0
        shifted = (bias + tails) / (1 - acceleration * (bias + tails))
        low[unit], high[unit] = np.quantile(values, norm.cdf(bias + shifted))
    return low, high
