"""Which units to study: their signal correlations, outliers, variance, sparseness, entropy, oracle.

`Y` is the mean response (images I, units U). A unit that does not vary over images has no
correlation, anomaly score or sparseness: NaN for it, and nothing changes for the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.stats
from scipy.cluster.hierarchy import linkage
from sklearn.ensemble import IsolationForest

from lib.errors import InputError
from lib.responses import reliability
from lib.responses.drift import drift


def unit_measures(
    counts: np.ndarray,
    *,
    unit_ids: Sequence[int] | None = None,
    resamples: int = 1000,
    draws: int = 50,
    seed: int = 0,
) -> pd.DataFrame:
    """Everything that units are judged by, one row each, on the images that were shown more than once.

    `counts` (T, I, U) are NaN where not shown; `resamples` of the images make the intervals, `draws` the
    published oracle.

    Returns
    -------
    DataFrame
        `reliability.bootstrap_ceilings`, and ``oracle_draws`` and ``oracle_published`` (the published oracle
        with trials without a spike kept, and as it was, dropped), ``variance``, ``sparseness``, ``entropy``,
        ``anomaly_score``, ``anomaly`` (inlier, outlier), and the columns of `lib.responses.drift.drift`.
    """
    counts = counts[:, reliability.repeated_images(counts)]
    means = np.nanmean(counts, axis=0)
    forest = isolation_forest(means, seed=seed)
    kept, dropped = (
        reliability.oracle_correlation_published(
            counts, draws=draws, seed=seed, drop_zeros=drop
        ).oracle.to_numpy()
        for drop in (False, True)
    )
    return reliability.bootstrap_ceilings(counts, unit_ids=unit_ids, resamples=resamples, seed=seed).assign(
        oracle_draws=kept,
        oracle_published=dropped,
        variance=response_variance(means),
        sparseness=lifetime_sparseness(means),
        entropy=response_entropy(counts),
        anomaly_score=forest.score.to_numpy(),
        anomaly=np.where(forest.anomaly, "outlier", "inlier"),
        **drift(counts, unit_ids=unit_ids),
    )


def signal_correlation(Y: np.ndarray) -> np.ndarray:
    """Correlation (U, U) between units of their mean responses; NaN for units that do not vary.

    Examples
    --------
    >>> responses = np.array([[1, 2, 3], [2, 4, 2], [3, 6, 1]])  # 3 images, 3 units
    >>> signal_correlation(responses).round(2)[0].tolist()
    [1.0, 1.0, -1.0]
    """
    standardised = _standardised(Y)
    return np.clip(standardised.T @ standardised / len(standardised), -1, 1)


def correlation_tree(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tree that puts units with like rows of a correlation matrix next to each other (average linkage).

    Returns
    -------
    tree : array (V - 1, 4)
        Of `scipy.cluster.hierarchy.linkage`, over the V units that have a correlation; empty for fewer than
        two.
    defined : array (U,) of bool
        Those units.
    """
    defined = np.isfinite(np.diag(correlation))
    rows = np.nan_to_num(correlation[np.ix_(defined, defined)])
    return linkage(rows, "average") if len(rows) > 1 else np.empty((0, 4)), defined


def correlation_partners(
    correlation: np.ndarray, unit_ids: Sequence[int], *, high: float = 0.7, low: float = -0.55
) -> pd.DataFrame:
    """Most and least correlated partner of every unit, from signal correlations (U, U).

    Returns
    -------
    DataFrame
        Index ``unit_id``; ``highest_correlation``, ``most_correlated`` (unit id), ``lowest_correlation``,
        ``least_correlated``, ``above_high``, ``below_low``. A unit without a defined correlation has NaN and
        no partner.
    """
    others = np.array(correlation, dtype=float)
    np.fill_diagonal(others, np.nan)
    unit_ids = np.asarray(unit_ids)
    defined = np.isfinite(others).any(axis=1)
    table = pd.DataFrame(index=pd.Index(unit_ids, name="unit_id"))
    for value, partner, fill, pick in (
        ("highest_correlation", "most_correlated", -np.inf, np.argmax),
        ("lowest_correlation", "least_correlated", np.inf, np.argmin),
    ):
        filled = np.where(np.isfinite(others), others, fill)
        best = pick(filled, axis=1)
        table[value] = np.where(defined, filled[np.arange(len(best)), best], np.nan)
        table[partner] = pd.array(unit_ids[best], dtype="Int64")
        table.loc[~defined, partner] = pd.NA
    table["above_high"] = table["highest_correlation"] > high
    table["below_low"] = table["lowest_correlation"] < low
    return table


def extreme_pairs(partners: pd.DataFrame) -> list[tuple[float, int, int]]:
    """The most and the least correlated pair of `correlation_partners`: correlation and two unit ids each.

    The list is empty without a defined pair.
    """
    defined = partners.dropna(subset="highest_correlation")
    if defined.empty:
        return []
    rows = (
        ("highest_correlation", "most_correlated", defined.highest_correlation.idxmax()),
        ("lowest_correlation", "least_correlated", defined.lowest_correlation.idxmin()),
    )
    return [
        (float(defined.at[unit, value]), int(unit), int(defined.at[unit, partner]))
        for value, partner, unit in rows
    ]


def isolation_forest(Y: np.ndarray, *, seed: int = 0, published: bool = False) -> pd.DataFrame:
    """Units whose tuning curve is unlike the others'.

    If `published`, from the responses as they are, as the original did, and not from tuning curves of mean 0
    and variance 1: what stands out is then mostly a high variance. The original's seed was 42.

    Returns
    -------
    DataFrame
        One row per unit in order: ``score`` (below 0: anomalous; NaN where undefined) and ``anomaly``.

    References
    ----------
    Liu, Ting & Zhou, ICDM (2008); scikit-learn IsolationForest.
    """
    curves = np.asarray(Y, dtype=float).T if published else _standardised(Y).T
    usable = np.isfinite(curves).all(axis=1)
    score = np.full(len(curves), np.nan)
    if usable.sum() > 1:
        forest = IsolationForest(n_estimators=100, contamination="auto", random_state=seed)
        score[usable] = forest.fit(curves[usable]).decision_function(curves[usable])
    return pd.DataFrame({"score": score, "anomaly": score < 0})


def response_variance(Y: np.ndarray) -> np.ndarray:
    """Variance over images of the mean response, (I, U) -> (U,); NaN with a single image."""
    Y = _shown(Y)
    return Y.var(axis=0, ddof=1) if len(Y) > 1 else np.full(Y.shape[1], np.nan)


def response_variance_published(Y: np.ndarray, score: np.ndarray, anomaly: np.ndarray) -> np.ndarray:
    """The original's variance (U,): of the responses and, by a slip, of two anomaly columns with them.

    They are the scores (U,) and the labels of scikit-learn, -1 for an anomaly.
    """
    labels = np.where(anomaly, -1.0, 1.0)
    return np.vstack([_shown(Y), np.asarray(score, dtype=float), labels]).var(axis=0, ddof=1)


def lifetime_sparseness(Y: np.ndarray) -> np.ndarray:
    """Sparseness (U,) of each unit over images: 0 responds to all alike, 1 to a single one.

    ``(1 - mean(Y)^2 / mean(Y^2)) / (1 - 1/I)`` of responses that are not negative; NaN for a silent unit and
    for a single image.

    References
    ----------
    Vinje & Gallant, Science 287:1273 (2000), note 18.

    Examples
    --------
    >>> responses = np.array([[1, 0, 2], [1, 0, 1], [1, 4, 0]])  # 3 images, 3 units
    >>> lifetime_sparseness(responses).round(2).tolist()
    [0.0, 1.0, 0.6]
    """
    Y = _shown(Y)
    squares = (Y**2).mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sparseness = (1 - Y.mean(axis=0) ** 2 / squares) / (1 - 1 / len(Y))
    return np.where((squares > 0) & (len(Y) > 1), sparseness, np.nan)


def response_entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy (U,) of the single-trial spike count, over all images and repeats, in bits.

    Plug-in entropy of the histogram of counts (T, I, U) plus the Miller-Madow correction
    ``(occupied bins - 1) / (2 N ln 2)``. NaN for a unit never shown anything; 0 for a silent one. NaN for all
    if the responses are traces, not counts: the entropy of those depends on a choice of bins.

    References
    ----------
    Miller, in Information Theory in Psychology (1955); Paninski, Neural Comput 15:1191 (2003).
    """
    counts = np.asarray(counts, dtype=float).reshape(-1, np.shape(counts)[-1])
    shown = np.isfinite(counts)
    whole = np.where(shown, counts, 0).astype(np.int64)
    if np.any(whole != np.where(shown, counts, 0)) or whole.min(initial=0) < 0:
        return np.full(counts.shape[1], np.nan)
    n_units, width = counts.shape[1], whole.max(initial=0) + 1
    cells = (whole + width * np.arange(n_units))[shown]
    histogram = np.bincount(cells, minlength=n_units * width).reshape(n_units, width)
    n = histogram.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = histogram / n[:, None]
        plug_in = -np.where(p > 0, p * np.log2(p), 0).sum(axis=1)
        correction = ((histogram > 0).sum(axis=1) - 1) / (2 * n * np.log(2))
        return np.where(n > 0, plug_in + correction, np.nan)


def response_entropy_published(Y: np.ndarray) -> np.ndarray:
    """The original's entropy (U,): of how often each distinct mean response occurs, in nats.

    At most log(I), reached as soon as no two images share a mean; it grows with the number of distinct means,
    so with the firing rate, and says nothing of their distribution.
    """
    return np.array([scipy.stats.entropy(np.unique(unit, return_counts=True)[1]) for unit in _shown(Y).T])


def select_units(
    oracle: np.ndarray,
    variance: np.ndarray,
    *,
    oracle_percentile: float = 60,
    variance_percentile: float = 50,
) -> np.ndarray:
    """Units (U,) of bool above a percentile, 0 to 100, of both the oracle and the variance.

    A unit with NaN in either is not selected, and does not count in the percentile. `thresholds` gives the
    two values.
    """
    least_oracle, least_variance = thresholds(
        oracle, variance, oracle_percentile=oracle_percentile, variance_percentile=variance_percentile
    )
    return (np.asarray(oracle) > least_oracle) & (np.asarray(variance) > least_variance)


def thresholds(
    oracle: np.ndarray,
    variance: np.ndarray,
    *,
    oracle_percentile: float = 60,
    variance_percentile: float = 50,
) -> tuple[float, float]:
    """The two values that `select_units` cuts at; NaN where no unit has a value."""
    return tuple(
        np.percentile(values, percentile) if len(values) else np.nan
        for values, percentile in (
            (_finite(oracle), oracle_percentile),
            (_finite(variance), variance_percentile),
        )
    )


def choose_units(
    measures: pd.DataFrame, units: str | Sequence[int] | dict = "selected", **percentiles: float
) -> np.ndarray:
    """Units (U,) of bool to study: by the two percentiles, those named, or the best.

    Parameters
    ----------
    measures : DataFrame
        Index unit_id; ``oracle`` and ``variance``.
    units : "selected", sequence of int, or {"best": int}
        The rule of `select_units`, unit ids, or so many of the highest oracle correlation.
    **percentiles : float
        As in `select_units`.

    Raises
    ------
    InputError
        A unit that is not there; no unit passes, and why.
    """
    if isinstance(units, dict):
        best = measures.oracle.dropna().nlargest(units["best"])
        if best.empty:
            raise InputError(
                f"none of {len(measures)} units has a value for oracle: name those to study (units: [...])"
            )
        return measures.index.isin(best.index)
    if not isinstance(units, str):
        unknown = [unit for unit in units if unit not in measures.index]
        if unknown:
            raise InputError(
                f"unit {unknown[0]} is not among the {len(measures)} units of this "
                "session; see oracle.csv of a run for those there are"
            )
        return measures.index.isin(units)
    for name, needs in (
        ("oracle", "two images shown at least twice and two trials with a spike"),
        ("variance", "two images"),
    ):
        if not np.isfinite(measures[name]).any():
            raise InputError(
                f"none of {len(measures)} units has a value for {name}, which needs "
                f"{needs}: name the units to study instead (units: [...])"
            )
    chosen = select_units(measures.oracle, measures.variance, **percentiles)
    if not chosen.any():
        raise InputError(
            f"none of {len(measures)} units passes both percentiles: lower "
            "oracle_percentile or variance_percentile, or name units"
        )
    return chosen


def compare_rankings(
    corrected: np.ndarray,
    published: np.ndarray,
    unit_ids: Sequence[int],
    *,
    selected: np.ndarray,
    selected_published: np.ndarray,
) -> dict:
    """What a published variant of a measure (U,) changes in the ranking of units and in the selection.

    Returns
    -------
    dict
        ``rank_correlation`` (Spearman, over units defined in both), ``n`` units compared, ``gained`` and
        ``lost``: unit ids that only the corrected, only the published way selects.
    """
    corrected, published = np.asarray(corrected, float), np.asarray(published, float)
    both = np.isfinite(corrected) & np.isfinite(published)
    ranks = [scipy.stats.rankdata(values[both]) for values in (corrected, published)]
    varied = all(np.ptp(rank) > 0 for rank in ranks) if both.any() else False
    unit_ids, selected = np.asarray(unit_ids), np.asarray(selected, bool)
    selected_published = np.asarray(selected_published, bool)
    return {
        "rank_correlation": float(np.corrcoef(*ranks)[0, 1]) if varied else np.nan,
        "n": int(both.sum()),
        "gained": unit_ids[selected & ~selected_published].tolist(),
        "lost": unit_ids[selected_published & ~selected].tolist(),
    }


def _finite(values):
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]


def _standardised(Y):
    """Tuning curves of mean 0 and variance 1; NaN for a unit that does not vary."""
    deviation = _shown(Y) - _shown(Y)[:1]
    deviation = deviation - deviation.mean(axis=0) if len(deviation) else deviation
    spread = np.sqrt((deviation**2).mean(axis=0)) if len(deviation) else np.zeros(Y.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 0, deviation / spread, np.nan)


def _shown(Y):
    """Mean responses (I, U) as float64, without the images that no unit has a response to."""
    Y = np.asarray(Y, dtype=float)
    if Y.ndim != 2:
        raise InputError(
            f"mean responses have shape {Y.shape}; expected (images, units): average the counts over repeats"
        )
    return Y[np.isfinite(Y).any(axis=1)]
