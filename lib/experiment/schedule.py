"""How often each stimulus is shown, in which order, and what can be told apart that way."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lib.errors import InputError
from lib.experiment.stimuli import OTHERS

BLANKS = 4  # in each pass
FEWEST, MOST = 6, 200  # passes: with fewer there is no test worth the name
POWER, ALPHA = 0.8, 0.025  # of each comparison: one end of a 95 % interval


def repeats_needed(table: pd.DataFrame, fano: pd.Series) -> pd.DataFrame:
    """How many repeats tell each unit's MEI from what it is compared with, if the predictions hold.

    Counts of the stimuli of `lib.experiment.stimuli.tabulate` have the variance that the unit showed before,
    in proportion to their mean: `fano`, index unit_id.

    Returns
    -------
    DataFrame, index unit_id
        mei, image, others: predicted responses; image_needs, others_needs: repeats, inf if the MEI is
        not predicted to be above; needs: the larger.
    """
    rows = {}
    for unit, own in table[table.unit_id > 0].groupby("unit_id", sort=False):
        predicted = own.set_index("kind").predicted
        row = {"mei": predicted["mei"], "image": predicted["image"]}
        row["others"] = predicted.reindex(OTHERS).mean()
        for name in ("image", "others"):
            row[f"{name}_needs"] = _needed(row["mei"], row[name], fano[unit])
        row["needs"] = max(row["image_needs"], row["others_needs"])
        rows[unit] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("unit_id")


def _needed(first, second, fano):
    if not first > second:
        return np.inf
    z = stats.norm.ppf(1 - ALPHA) + stats.norm.ppf(POWER)
    # two more make up for the t distribution
    return np.ceil(z**2 * fano * (first + second) / (first - second) ** 2) + 2


def fano_factors(counts: np.ndarray, unit_ids: np.ndarray) -> pd.Series:
    """Variance over repeats divided by the mean, mean over images, of counts (repeats, images, units)."""
    variance, mean = np.nanvar(counts, axis=0, ddof=1).mean(0), np.nanmean(counts, axis=(0, 1))
    ratio = np.where(mean > 0, variance / np.where(mean > 0, mean, 1), 1.0)
    return pd.Series(np.maximum(np.nan_to_num(ratio, nan=1.0), 0.5), index=unit_ids)


def passes(n: int, needs: pd.Series, *, minutes: float, duration: float, gap: float) -> int:
    """Return how often all n stimuli are shown: as often as the units need, as far as the time goes.

    Units that no time is enough for do not count; a time that is too short for `FEWEST` passes raises
    InputError.
    """
    seconds = (n + BLANKS) * (duration + gap)
    fit = int(60 * minutes // seconds)
    if fit < FEWEST:
        raise InputError(
            f"stimuli.minutes is {minutes:g}: {n} stimuli take {seconds / 60:.1f} minutes each time, and "
            f"{FEWEST} times are the least; give {np.ceil(FEWEST * seconds / 60):.0f} minutes or fewer units"
        )
    wanted = needs[np.isfinite(needs)]
    return int(np.clip(wanted.max() if len(wanted) else MOST, FEWEST, min(fit, MOST)))


def presentations(files: list[str], repeats: int, *, duration: float, gap: float, seed: int) -> pd.DataFrame:
    """The order of the experiment: passes (blocks) that hold every stimulus once, in random order.

    blank.png, one of the files, is shown `BLANKS` times a pass. Duration of a stimulus and gap of grey after
    it are in seconds.

    Returns
    -------
    DataFrame
        presentation (from 1), block (from 1), onset_s, duration_s, file.
    """
    rng = np.random.default_rng([seed, 17])
    once = np.array([*files, *["blank.png"] * (BLANKS - 1)])
    shown = np.concatenate([rng.permutation(once) for _ in range(repeats)])
    return pd.DataFrame(
        {
            "presentation": np.arange(1, len(shown) + 1),
            "block": np.repeat(np.arange(1, repeats + 1), len(once)),
            "onset_s": np.round(np.arange(len(shown)) * (duration + gap), 4),
            "duration_s": duration,
            "file": shown,
        }
    )
