"""How repeatable each unit's responses are: the oracle correlation and the ceilings of prediction.

`counts` is always (repeats T, images I, units U) with NaN where an image was shown fewer times than
T. A unit with fewer than two trials above its lowest response (silent, or a single spike), one
repeat or one image has no reliability: NaN for it, and nothing changes for the others.

Every measure but the published one is a function of sums over images. `bootstrap_ceilings` therefore
resamples images by weighting those sums, which is exact and needs no second pass over the trials.
"""
import numpy as np
import pandas as pd


def oracle_correlation(counts):
    """Jackknife oracle: correlation of each trial with the mean of the other trials of its image.

    Exact: over all (t, i), of ``C[t, i, u]`` and ``mean_{s != t} C[s, i, u]``, from the sums over
    repeats alone. Images with a single repeat are left out.

    Parameters
    ----------
    counts : array (T, I, U)
        Spike counts, NaN where not shown.

    Returns
    -------
    array (U,)
        Between -1 and 1; NaN where undefined.

    References
    ----------
    Walker et al., Nat Neurosci 22:2060 (2019), Methods, "oracle score".
    """
    return _estimate(counts, _oracle_sums, _oracle)


def explainable_variance(counts):
    """Fraction of the single-trial variance that the image explains.

    ``(total - noise) / total``: total the variance over all trials, noise the mean over images of
    the variance over repeats (both with n - 1). Slightly negative for an untuned unit.

    Parameters
    ----------
    counts : array (T, I, U)
        Spike counts, NaN where not shown.

    Returns
    -------
    array (U,)
        At most 1; NaN where undefined.

    References
    ----------
    Cadena et al., PLoS Comput Biol 15:e1006897 (2019), Methods; Willeke et al., arXiv 2206.08666
    (2022), where units under 0.15 are left out of FEVE.
    """
    return _estimate(counts, _variance_sums, _explainable)


def cc_max(counts):
    """Highest correlation with the mean response that any model can reach: sqrt(SP / Var(Y)).

    SP is the signal power. With equal repeats it is exactly Schoppe's
    ``(Var(sum_t C) - sum_t Var(C_t)) / (T (T - 1))``, computed as the variance of the mean response
    less the noise left in it once each repeat's own mean (slow drift) is taken out; in that form it
    holds for unequal repeats too. Zero where the signal power is not above zero: CCnorm = r / CCmax
    has no value there.

    Parameters
    ----------
    counts : array (T, I, U)
        Spike counts, NaN where not shown.

    Returns
    -------
    array (U,)
        From 0 to 1; NaN where undefined.

    References
    ----------
    Schoppe, Harper, Willmore, King, Schnupp, Front Comput Neurosci 10:10 (2016), equations 1 and 7.
    """
    return _estimate(counts, _power_sums, _cc_max)


def split_half_reliability(counts, *, splits=100, seed=0):
    """Reliability of the mean response: correlation of two halves, stepped up to all repeats.

    The repeats of every image are dealt at random into two equal halves; the correlation over
    images of the two half means is averaged over the splits and then corrected for the halves'
    length (Spearman-Brown). In expectation it is the square of `cc_max`.

    Parameters
    ----------
    counts : array (T, I, U)
        Spike counts, NaN where not shown.
    splits : int
        Number of random splits.
    seed : int
        Seed of the splits.

    Returns
    -------
    array (U,)
        At most 1; NaN where undefined.

    References
    ----------
    Spearman, Br J Psychol 3:271 (1910); Brown, Br J Psychol 3:296 (1910).
    """
    deviations, shown = _deviations(counts)
    halves, ratio = _half_means(deviations, shown, splits=splits, seed=seed)
    ones = np.ones((1, deviations.shape[1]))
    reliability = _split_half(halves, ones, ratio)[0]
    return np.where(_informative(deviations), reliability, np.nan)


def oracle_correlation_published(counts, *, draws=50, seed=0, drop_zeros=False):
    """The original report's oracle: one random repeat per image against the mean of its others.

    In every draw each unit takes, for each image, one repeat at random; the correlation over images
    with the mean of the remaining repeats is multiplied by the fraction of images with more than
    one repeat. Correlations and ranks (0 the best, undefined ones last) are averaged over draws. As
    in the original, a unit undefined in one draw has no mean correlation.

    Parameters
    ----------
    counts : array (T, I, U)
        Spike counts, NaN where not shown.
    draws : int
        Number of draws.
    seed : int
        Seed of the draws.
    drop_zeros : bool
        Leave out trials without a spike, as the original's table did, before anything else.

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
        used.sum(axis=0), single.sum(axis=1), others.sum(axis=1), (single**2).sum(axis=1),
        (others**2).sum(axis=1), (single * others).sum(axis=1))
    correlation *= used.mean(axis=0)
    rank = np.argsort(np.argsort(-correlation, axis=1, kind="stable"), axis=1, kind="stable")
    return pd.DataFrame({"oracle": correlation.mean(axis=0), "rank": rank.mean(axis=0),
                         "images_used": used.mean(axis=0)})


def bootstrap_ceilings(counts, *, unit_ids=None, resamples=1000, level=0.95, splits=50, seed=0):
    """Oracle, split-half reliability, explainable variance and CCmax with bootstrap intervals.

    Images are resampled with replacement, all repeats of an image together, the same resamples for
    every unit and every measure.

    Parameters
    ----------
    counts : array (T, I, U)
        Spike counts, NaN where not shown.
    unit_ids : sequence of int, optional
        Index of the table; 0..U-1 if not given.
    resamples : int
        Number of resamples.
    level : float
        Coverage of the intervals.
    splits : int
        Splits for the split-half reliability.
    seed : int
        Seed of the resamples and the splits.

    Returns
    -------
    DataFrame
        One row per unit; for each of ``oracle``, ``split_half``, ``explainable_variance`` and
        ``cc_max`` the estimate and ``<name>_low``, ``<name>_high``.
    """
    deviations, shown = _deviations(counts)
    n_images, n_units = deviations.shape[1:]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size=resamples)
    drawn = drawn[(drawn > 0).sum(axis=1) > 1]  # one image has no correlation over images
    weights = np.vstack([np.ones(n_images), drawn])
    halves, ratio = _half_means(deviations, shown, splits=splits, seed=seed)
    values = {
        "oracle": _oracle(_weigh(weights, _oracle_sums(deviations, shown))),
        "split_half": _split_half(halves, weights, ratio),
        "explainable_variance": _explainable(_weigh(weights, _variance_sums(deviations, shown))),
        "cc_max": _cc_max(_weigh(weights, _power_sums(deviations, shown)))}
    table = pd.DataFrame(index=pd.RangeIndex(n_units) if unit_ids is None else unit_ids)
    table.index.name = "unit_id"
    informative = _informative(deviations)
    for name, value in values.items():
        value = np.where(informative, value, np.nan)
        table[name] = value[0]
        table[f"{name}_low"], table[f"{name}_high"] = _interval(value, level)
    return table


def _checked(counts):
    counts = np.asarray(counts, dtype=float)
    if counts.ndim != 3:
        raise ValueError(f"counts has shape {counts.shape}; expected (repeats, images, units): "
                         "see counts.scene_counts")
    return counts


def _deviations(counts):
    """Counts above each unit's lowest (0 where not shown), and whether they were shown.

    The shift changes no measure here and makes a constant unit exactly zero.
    """
    counts = _checked(counts)
    shown = np.isfinite(counts)
    lowest = np.min(counts, axis=(0, 1), where=shown, initial=np.inf)
    return np.where(shown, counts - np.where(np.isfinite(lowest), lowest, 0.0), 0.0), shown


def _informative(deviations):
    """Units with at least two trials above their lowest response."""
    return np.count_nonzero(deviations, axis=(0, 1)) > 1


def _estimate(counts, sums, estimator):
    deviations, shown = _deviations(counts)
    value = estimator([term.sum(axis=0) for term in sums(deviations, shown)])
    return np.where(_informative(deviations), value, np.nan)


def _weigh(weights, terms):
    """Weighted sums over images: weights (B, I), terms (I, U) each -> (B, U) each."""
    return [weights @ term for term in terms]


def _repeat_sums(deviations, shown):
    """Repeats, sum and sum of squares per image and unit, of images shown more than once."""
    n = shown.sum(axis=0)
    total = deviations.sum(axis=0)
    squares = np.einsum("tiu,tiu->iu", deviations, deviations)
    used = n > 1
    return np.where(used, n, 2), np.where(used, total, 0.), np.where(used, squares, 0.), used


def _oracle_sums(deviations, shown):
    n, total, squares, used = _repeat_sums(deviations, shown)
    others_squared = ((n - 2) * total**2 + squares) / (n - 1) ** 2
    product = (total**2 - squares) / (n - 1)
    return n * used, total, squares, others_squared, product, 1.0 * used


def _oracle(sums):
    n, total, squares, others_squared, product, images = sums
    value = _correlation(n, total, total, squares, others_squared, product)
    return np.where(images > 1, value, np.nan)


def _variance_sums(deviations, shown):
    n, total, squares, used = _repeat_sums(deviations, shown)
    noise = (squares - total**2 / n) / (n - 1)
    return n * used, total, squares, noise, 1.0 * used


def _explainable(sums):
    n, total, squares, noise, images = sums
    variance = _variance(n, total, squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((images > 1) & (variance > 0), 1 - noise / images / variance, np.nan)


def _power_sums(deviations, shown):
    n, total, _, used = _repeat_sums(deviations, shown)
    mean = total / n
    residual = np.where(shown & used, deviations - mean, 0.0)
    trials = (shown & used).sum(axis=1)
    residual -= (residual.sum(axis=1) / np.maximum(trials, 1))[:, None]
    error = np.einsum("tiu,tiu,tiu->iu", residual, residual, shown & used)
    freedom = ((n - 1) * used).sum(axis=0)
    left = np.maximum(freedom - (trials > 0).sum(axis=0) + 1, 1)
    noise = error / (n - 1) / n * (freedom / left)
    return 1.0 * used, mean, mean**2, noise


def _cc_max(sums):
    images, mean, squares, noise = sums
    variance = _variance(images, mean, squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        power = np.clip(variance - noise / images, 0, None)
        return np.where((images > 1) & (variance > 0), np.sqrt(power / variance), np.nan)


def _half_means(deviations, shown, *, splits, seed):
    """Mean response of two random halves, (splits, I, U) each, and repeats over repeats in a half.

    Images with fewer than two repeats are NaN.
    """
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
        r = _correlation(*_weigh(weights, (1.0 * used, first, second, first**2, second**2,
                                           first * second)))
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


def _interval(values, level):
    """Percentile interval of the resamples in rows 1.. of (1 + B, U)."""
    low, high = np.full((2, values.shape[1]), np.nan)
    for unit in np.flatnonzero(np.isfinite(values[1:]).any(axis=0) & np.isfinite(values[0])):
        resampled = values[1:, unit]
        low[unit], high[unit] = np.quantile(resampled[np.isfinite(resampled)],
                                            [(1 - level) / 2, (1 + level) / 2])
    return low, high
