"""Whether a unit kept its responses from the first to the last repeat of the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.stats

from lib.statistics import holm

LEAST_CHANGE = 0.35  # of the mean, from first to last repeat: a gain that falls evenly to 0.7 of its start
COMMON = 0.5  # more than slow gains of a session make in a few minutes; an even fall to 0.6 of the start
FEWEST = 8  # units in which a change can be told to be common
ALPHA = 0.01  # corrected over units: one session in a hundred names a unit that did not drift


def drift(counts: np.ndarray, *, unit_ids: Sequence[int] | None = None) -> pd.DataFrame:
    """Change of every unit's responses over the repeats of the images.

    A line through the counts of each image against the number of the repeat; its slope, averaged over images,
    is tested against 0 over images, so that the count noise of the unit itself is the yardstick. What three
    of four units change by at least, as with the state of the animal, is no drift of one of them: what counts
    is the smaller of a unit's change and its distance from that. A common change above `COMMON` counts in
    full.

    Parameters
    ----------
    counts : array (T, I, U)
        Responses, repeats in the order in which they were shown; NaN where not shown.
    unit_ids : sequence of int, optional

    Returns
    -------
    DataFrame
        Index unit_id. ``drift_ratio``: mean response in the last half of the repeats over that in the first
        half; ``drift``: change along the line from first to last repeat, over the mean (-0.67: an even fall
        to one half); ``drift_p``: of the t test, after Holm's correction over units; ``drifts``: p below
        `ALPHA`, and a change that counts of at least `LEAST_CHANGE` either way. NaN and False for a silent
        unit, and with fewer than two repeats or images.

    Examples
    --------
    >>> steady = np.random.default_rng(0).poisson(3.0, (20, 30, 1)).astype(float)
    >>> lost = steady * (np.arange(20) < 10)[:, None, None]
    >>> drift(np.concatenate([steady, lost], axis=2)).drifts.tolist()
    [False, True]
    """
    counts = np.asarray(counts, dtype=float)
    shown = np.isfinite(counts)
    n, filled = shown.sum(0), np.where(shown, counts, 0)
    # number of the repeat, counted from the middle one
    late = np.where(shown, np.cumsum(shown, axis=0) - (n + 1) / 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = (late * filled).sum(0) / (late**2).sum(0) * (n - 1)
        level = filled.sum((0, 1)) / n.sum(0)
        change = change / np.where(level > 0, level, np.nan)
        images = np.isfinite(change).sum(0)
        size = np.nansum(change, axis=0) / np.where(images > 1, images, np.nan)
        error = np.sqrt(np.nansum((change - size) ** 2, axis=0) / (images - 1) / images)
        own = abs(size)
        if abs(common := _common(size)) < COMMON:
            own = np.minimum(own, abs(size - common))
        p = holm(2 * scipy.stats.t.sf(own / error, images - 1))
        first, last = ((filled * half).sum((0, 1)) / half.sum((0, 1)) for half in (late < 0, late > 0))
        ratio = last / np.where(first > 0, first, np.nan)
    index = pd.RangeIndex(counts.shape[2]) if unit_ids is None else unit_ids
    return pd.DataFrame(
        {"drift_ratio": ratio, "drift": size, "drift_p": p, "drifts": (p < ALPHA) & (own > LEAST_CHANGE)},
        index=pd.Index(index, name="unit_id"),
    )


def _common(change):
    """What three of four units change by at least, in one direction; 0 where there are too few."""
    change = change[np.isfinite(change)]
    if len(change) < FEWEST:
        return 0.0
    low, high = np.quantile(change, [0.25, 0.75])
    return float(max(low, 0) + min(high, 0))
