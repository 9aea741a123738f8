"""Populations whose reliability is known: what the estimators of `lib.responses.reliability` are worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.responses import reliability

MEASURES = ("oracle", "split_half", "explainable_variance", "cc_max")
DURATION = 0.25  # s, of the window that a mean count belongs to
MEAN_COUNTS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)


def population(
    rng: np.random.Generator,
    *,
    mean: np.ndarray | float,
    explained: np.ndarray | float,
    repeats: int = 50,
    images: int = 118,
    gain: float = 0.2,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Poisson counts with a gain shared within a presentation, and what the ceilings truly are.

    The expected counts of a unit are gamma distributed over images.

    Parameters
    ----------
    mean : array (U,) or float
        Mean count of each unit.
    explained : array (U,) or float
        Fraction of the single-trial variance that the image explains, below 1 / (1 + gain**2).
    gain : float
        Standard deviation of the shared gain, around 1.

    Returns
    -------
    counts : array (repeats, images, U) of float32
    truth : DataFrame
        One row per unit; for endlessly many images, its columns are `MEASURES`.
    """
    mean, explained = np.broadcast_arrays(np.asarray(mean, float), np.asarray(explained, float))
    signal = explained * (mean + gain**2 * mean**2) / (1 - explained * (1 + gain**2))
    noise = mean + gain**2 * (mean**2 + signal)
    rates = rng.gamma(mean**2 / signal, signal / mean, (images, len(mean)))
    shared = rng.gamma(1 / gain**2, gain**2, (repeats, images, 1))
    others = signal + noise / (repeats - 1)
    truth = {
        "oracle": signal / np.sqrt((signal + noise) * others),
        "split_half": signal / (signal + noise / repeats),
        "explainable_variance": signal / (signal + noise),
        "cc_max": np.sqrt(signal / (signal + noise / repeats)),
    }
    return rng.poisson(rates * shared).astype(np.float32), pd.DataFrame(truth)


def interval_coverage(
    populations: int,
    *,
    explained: Sequence[float],
    mean: Sequence[float],
    resamples: int = 500,
    splits: int = 20,
) -> pd.DataFrame:
    """Bias of every estimator and coverage of its 95 % interval, over simulated populations.

    Their seeds are 0, 1, 2, ...; every combination of `explained` and `mean` is one unit of each
    `population`.

    Returns
    -------
    DataFrame
        One row for each measure and fraction explained: mean ``truth``, ``bias`` (estimate less truth),
        ``sd`` of the estimate around the truth, ``coverage`` (share of the intervals that hold the truth).
    """
    explained, mean = (grid.ravel() for grid in np.meshgrid(explained, mean, indexing="ij"))
    rows = []
    for seed in range(populations):
        trials, truth = population(np.random.default_rng(seed), mean=mean, explained=explained)
        table = reliability.bootstrap_ceilings(trials, resamples=resamples, splits=splits, seed=seed)
        for name in MEASURES:
            covered = table[f"{name}_low"].le(truth[name]) & table[f"{name}_high"].ge(truth[name])
            row = {"measure": name, "explained": explained, "truth": truth[name]}
            row |= {"bias": table[name] - truth[name], "coverage": covered}
            rows.append(pd.DataFrame(row))
    rows = pd.concat(rows)
    table = rows.groupby(["measure", "explained"], sort=False).mean()
    table.insert(2, "sd", rows.groupby(["measure", "explained"], sort=False)["bias"].std())
    return table.reset_index()


def zeros_bias(
    populations: int, *, explained: float = 0.15, repeats: int = 50, images: int = 118, units: int = 20
) -> pd.DataFrame:
    """What dropping the trials without a spike does to the oracle, by firing rate.

    The populations, with seeds 0, 1, 2, ..., have `units` of each mean count, all with the same variance
    `explained` (see `population`).

    Returns
    -------
    DataFrame
        One row for each mean count, means over units: ``rate`` (spikes/s), ``silent`` (fraction of the trials
        that have no spike), the ``true`` oracle, the exact ``jackknife``, the published oracle with zeros
        ``kept`` and ``dropped``, and the ``bias`` of the last.
    """
    mean = np.repeat(MEAN_COUNTS, units)
    rows = []
    for seed in range(populations):
        trials, truth = population(
            np.random.default_rng(seed), mean=mean, explained=explained, repeats=repeats, images=images
        )
        kept, dropped = (
            reliability.oracle_correlation_published(trials, seed=seed, drop_zeros=drop)["oracle"]
            for drop in (False, True)
        )
        row = {"rate": mean / DURATION, "silent": (trials == 0).mean(axis=(0, 1)), "true": truth["oracle"]}
        row |= {"jackknife": reliability.oracle_correlation(trials), "kept": kept, "dropped": dropped}
        rows.append(pd.DataFrame(row).assign(bias=dropped - truth["oracle"]))
    return pd.concat(rows).groupby("rate").mean().reset_index()


def size_like(counts: np.ndarray, explainable_variance: np.ndarray) -> dict:
    """Size of a simulated population like a recording, of counts (T, I, U), for `zeros_bias`.

    ``repeats`` and ``images`` are at least 2 and 20; ``explained`` is the median over units of the
    explainable variance (U,), kept within 0.05 to 0.6, 0.15 if no unit has a value.
    """
    values = np.asarray(explainable_variance, float)
    values = values[np.isfinite(values)]
    return {
        "repeats": max(2, counts.shape[0]),
        "images": max(20, counts.shape[1]),
        "explained": float(np.clip(np.median(values), 0.05, 0.6)) if len(values) else 0.15,
    }
