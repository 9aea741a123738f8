"""Conditions of the Gabors and gratings that a session shows: what they were, and the counts to each.

Counts of all presentations come with the table of the presentations; each function picks the rows of
its stimulus.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.stimuli.patterns import drifting_gabor

GABOR = ["x_position", "y_position", "orientation"]
GRATING = ["orientation", "spatial_frequency", "phase"]
SHOWN = [*GABOR, "spatial_frequency", "temporal_frequency", "contrast"]
DIAMETER = 20.0  # degrees: aperture of Allen's Gabors


def gabor_table(presentations: pd.DataFrame) -> pd.DataFrame:
    """What was shown: one row for each Gabor of the stimulus set.

    The columns: x_position, y_position, orientation, and where known spatial_frequency, temporal_frequency,
    contrast; repeats; duration (mean, s).
    """
    rows = shown_rows(presentations, "gabors")
    columns = [c for c in SHOWN if c in rows]
    rows = rows[columns].assign(duration=rows.stop_time - rows.start_time)
    groups = rows.groupby(columns, dropna=False).duration
    return groups.agg(repeats="size", duration="mean").reset_index()


def shown_rows(presentations: pd.DataFrame, stimulus: str) -> pd.DataFrame:
    """Return the presentations of a stimulus; `InputError` where there are none."""
    rows = presentations[presentations.stimulus_name == stimulus]
    if rows.empty:
        names = ", ".join(map(str, presentations.stimulus_name.unique()))
        raise InputError(f"no {stimulus} among the presentations; the session shows {names}")
    return rows


def condition_repeats(
    counts: np.ndarray, presentations: pd.DataFrame, *, stimulus: str = "gabors", columns: list[str] = GABOR
) -> tuple[pd.DataFrame, np.ndarray]:
    """Counts, (P,) or (P, U), of P presentations by condition and repeat.

    The values of `columns` make a condition; presentations with a NaN there (blanks) are left out.

    Returns
    -------
    table : DataFrame of K rows, the conditions in ascending order
    repeats : (K, R, U) array
        In order of presentation, padded with NaN where a condition has fewer than R repeats.
    """
    counts = np.asarray(counts, dtype=float)
    if len(counts) != len(presentations):
        raise InputError(
            f"counts of {len(counts)} presentations, a table of {len(presentations)}; "
            "give one row of counts for each row of the table"
        )
    rows = shown_rows(presentations, stimulus)[columns]
    values = rows.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    counts = counts.reshape(len(counts), -1)[(presentations.stimulus_name == stimulus).to_numpy()]
    known = np.isfinite(values).all(axis=1)
    if not known.any():
        raise InputError(f"no presentation of {stimulus} says its {', '.join(columns)} as numbers")
    table, code = np.unique(values[known], axis=0, return_inverse=True)
    repeat = pd.Series(code).groupby(code).cumcount()
    repeats = np.full((len(table), repeat.max() + 1, counts.shape[1]), np.nan)
    repeats[code, repeat] = counts[known]
    return pd.DataFrame(table, columns=columns), repeats


def condition_means(
    counts: np.ndarray, presentations: pd.DataFrame, *, stimulus: str = "gabors", columns: list[str] = GABOR
) -> pd.DataFrame:
    """Mean over the repeats of `condition_repeats`: DataFrame (K, U), its index the conditions."""
    table, repeats = condition_repeats(counts, presentations, stimulus=stimulus, columns=columns)
    return pd.DataFrame(np.nanmean(repeats, axis=1), index=pd.MultiIndex.from_frame(table))


def gabor_frames(
    table: pd.DataFrame,
    shape: tuple[int, int],
    *,
    degrees_per_pixel: float,
    phases: int = 8,
    grey: float = 0.5,
) -> np.ndarray:
    """The K Gabors of a `gabor_table` as images (K, phases, h, w) in [0, 1], float32, for a response model.

    `phases` frames make the one cycle that each drifts through; the prediction is the mean over them. `grey`
    is the luminance of the screen between stimuli.
    """
    frames = np.empty((len(table), phases, *shape), dtype=np.float32)
    for k, row in enumerate(table.itertuples()):
        pattern = drifting_gabor(
            shape,
            degrees_per_pixel=degrees_per_pixel,
            x=row.x_position,
            y=row.y_position,
            orientation=row.orientation,
            spatial_frequency=row.spatial_frequency,
            temporal_frequency=row.temporal_frequency,
            diameter=DIAMETER,
            n_phases=phases,
        )
        frames[k] = grey * (1 + row.contrast * pattern)
    return frames
