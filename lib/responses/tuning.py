"""Tuning by measures that a recording, a response model and a simulated truth can all be given.

Names and rules are AllenSDK's where it has them (`RECEPTIVE_FIELD`, `STATIC_GRATINGS`): its tables and ours
can then stand side by side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import scipy.stats

from lib import statistics
from lib.data import conditions
from lib.responses import gaussian_fit, receptive_fields
from lib.stimuli.patterns import orientation_difference

# Allen's azimuth and elevation of the middle of the screen, where our (0, 0) is: its maps count from the
# first of 9 positions of the Gabors, 10 and -30 degrees (`receptive_field_mapping` of AllenSDK)
SCREEN_CENTRE = (50.0, 10.0)
FIELD_P = 0.01  # a map is one of a receptive field below it, as in AllenSDK's own selection of units
SELECTIVE = 0.1  # gOSI from which an orientation is preferred, phase modulation from which a phase is
FEWEST = 5  # units for an agreement
PERMUTATIONS = 200  # of the presentations of Gabors


@dataclasses.dataclass(frozen=True)
class Measure:
    """How two values of a measure are compared.

    Attributes
    ----------
    columns : tuple of str
    error : callable or None
        Of two arrays that broadcast; None: the ranks of the units are compared (Spearman).
    average : callable
        Of the errors over units. A fit to a noisy map can lie anywhere; values on a coarse grid of stimuli
        have a median of 0 or of a whole step.
    """

    columns: tuple
    error: Callable | None = None
    average: Callable = np.mean


def _distance(a, b):
    return np.hypot(*np.moveaxis(a - b, -1, 0))


def _octaves(a, b):
    return np.abs(np.log2(a / b))


def _cycles(a, b):
    return np.abs((a - b + 0.5) % 1 - 0.5)


RECEPTIVE_FIELD = ("x_rf", "y_rf", "size_rf")
STATIC_GRATINGS = ("pref_ori_sg", "pref_sf_sg", "pref_phase_sg", "g_osi_sg", "phase_modulation_sg")
MEASURES = {
    "centre": Measure(("x_rf", "y_rf"), _distance, np.median),
    "size": Measure(("size_rf",)),
    "orientation": Measure(("pref_ori_sg",), orientation_difference),
    "frequency": Measure(("pref_sf_sg",), _octaves),
    "phase": Measure(("pref_phase_sg",), _cycles),
    "gOSI": Measure(("g_osi_sg",)),
    "phase modulation": Measure(("phase_modulation_sg",)),
    "F1/F0": Measure(("f1_f0",)),
    "C50": Measure(("c50",)),
    "preferred size": Measure(("preferred_size",)),
    "suppression": Measure(("suppression_index",)),
}


def field_measures(means: pd.DataFrame) -> pd.DataFrame:
    """Centre and size of receptive fields: a Gaussian fitted to the responses over positions.

    `means` (K, U) are those of `lib.data.conditions.condition_means`: Gabors at every position of a grid.

    Returns
    -------
    DataFrame, U rows
        `RECEPTIVE_FIELD`: x_rf, y_rf (degrees), size_rf (geometric mean of the two standard deviations,
        degrees, of field and Gabor together); NaN for a unit that responds alike to all.
    """
    maps, x, y = receptive_fields.response_map(means)
    fit = gaussian_fit.fit_gaussians(maps, x, y)
    found = pd.DataFrame({"x_rf": fit.x, "y_rf": fit.y, "size_rf": np.sqrt(fit.sigma_x * fit.sigma_y)})
    found[np.ptp(maps, axis=(1, 2)) == 0] = np.nan
    return found


def grating_measures(means: pd.DataFrame) -> pd.DataFrame:
    """Tuning to static gratings by AllenSDK's rules (`StaticGratings`), and the modulation by phase.

    Preferred orientation, spatial frequency and phase: the value whose mean response over all conditions that
    share it is the highest. Global orientation selectivity (gOSI): ``|sum R exp 2i theta| / sum R`` at the
    preferred frequency and phase (Ringach et al., J Neurosci 22:5639, 2002: 1 - circular variance). `means`
    (K, U) have the index levels orientation (degrees), spatial_frequency (cycles/degree) and phase (cycles).

    Returns
    -------
    DataFrame, U rows
        `STATIC_GRATINGS`; phase_modulation_sg is ``2 |first harmonic over phases| / mean`` at the preferred
        orientation and frequency, 0 to 2. NaN for a unit that responds alike to all.
    """
    means = means.sort_index()
    found = {}
    for column, level in zip(STATIC_GRATINGS, conditions.GRATING):
        curve = means.groupby(level=level).mean()
        found[column] = curve.idxmax().to_numpy()
    levels = [means.index.get_level_values(name).to_numpy() for name in conditions.GRATING]
    values = means.to_numpy()
    at = [levels[k][:, None] == np.asarray(found[c]) for k, c in enumerate(STATIC_GRATINGS[:3])]
    turn = [np.exp(2j * np.deg2rad(levels[0]))[:, None], np.exp(2j * np.pi * levels[2])[:, None]]
    with np.errstate(invalid="ignore", divide="ignore"):
        for column, rows, wave, factor in (
            ("g_osi_sg", at[1] & at[2], turn[0], 1),
            ("phase_modulation_sg", at[0] & at[1], turn[1], 2),
        ):
            shown = np.where(rows, values, 0)
            found[column] = factor * np.abs((shown * wave).sum(0)) / shown.sum(0)
    found = pd.DataFrame(found)
    found[np.ptp(values, axis=0) == 0] = np.nan
    return found


def recorded_measures(session, *, seed: int = 0) -> pd.DataFrame:
    """What a `lib.data.session.Session` shows of its units' tuning.

    Returns
    -------
    DataFrame
        Index unit_id. `RECEPTIVE_FIELD` and p_value_rf (`lib.responses.receptive_fields.position_test`) where
        Gabors were shown, `STATIC_GRATINGS` where gratings were; no column where neither was.
    """
    table = pd.DataFrame(index=session.units.index)
    if session.presentations is None:
        return table
    for stimulus, columns, measures in (
        ("gabors", conditions.GABOR, field_measures),
        ("static_gratings", conditions.GRATING, grating_measures),
    ):
        if whole_set(session.presentations, stimulus, columns):
            shown = (session.presentation_counts, session.presentations)
            found = measures(conditions.condition_means(*shown, stimulus=stimulus, columns=columns))
            table[list(found)] = found.to_numpy()
            if stimulus == "gabors":
                table["p_value_rf"] = receptive_fields.position_test(
                    *shown, permutations=PERMUTATIONS, seed=seed
                )
    return table


def whole_set(presentations: pd.DataFrame | None, stimulus: str, columns: list[str]) -> bool:
    """Whether a stimulus was shown in every combination of its parameters, of two positions at least."""
    if presentations is None:
        return False
    rows = presentations.loc[presentations.stimulus_name == stimulus]
    if not set(columns) <= set(rows):
        return False
    rows = rows[columns].apply(pd.to_numeric, errors="coerce").dropna().drop_duplicates()
    levels = [rows[column].nunique() for column in columns]
    return len(rows) > 1 and len(rows) == np.prod(levels) and min(levels[:2]) > 1


def allen_measures(units: pd.DataFrame) -> pd.DataFrame:
    """The Allen Institute's figures of units, in our coordinates.

    From the columns `lib.data.unit_metrics.TUNING` of a session's units, as far as they are there, come those
    of `MEASURES`: size_rf is the root of area_rf, f1_f0 and c50 are those of drifting gratings; and
    p_value_rf.
    """
    known = {name: pd.to_numeric(units[name], errors="coerce") for name in units.columns}
    found = {name: known[name] for name in (*STATIC_GRATINGS, "p_value_rf") if name in known}
    if "azimuth_rf" in known and "elevation_rf" in known:
        found["x_rf"] = known["azimuth_rf"] - SCREEN_CENTRE[0]
        found["y_rf"] = known["elevation_rf"] - SCREEN_CENTRE[1]
    if "area_rf" in known:
        found["size_rf"] = known["area_rf"].clip(lower=0) ** 0.5
    for ours, theirs in (("f1_f0", "f1_f0_dg"), ("c50", "c50_dg")):
        if theirs in known:
            found[ours] = known[theirs]
    return pd.DataFrame(found, index=units.index).dropna(axis=1, how="all")


def tuned(table: pd.DataFrame) -> pd.DataFrame:
    """The same table without the preferences of units that show none.

    Receptive fields count where p_value_rf is below `FIELD_P`, orientations where gOSI and phases where the
    phase modulation exceeds `SELECTIVE`; a table that lacks the figure keeps the preference.
    """
    table = table.copy()
    for columns, name, shows in (
        (RECEPTIVE_FIELD, "p_value_rf", lambda v: v < FIELD_P),
        (("pref_ori_sg",), "g_osi_sg", lambda v: v > SELECTIVE),
        (("pref_phase_sg",), "phase_modulation_sg", lambda v: v > SELECTIVE),
    ):
        if name in table:
            columns = [column for column in columns if column in table]
            table[columns] = table[columns].where(shows(table[name]), np.nan)
    return table


def agreement(
    first: pd.DataFrame, second: pd.DataFrame, *, permutations: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How far two tables of the same units agree in every measure that both hold.

    Their index is unit_id. `second` is the reference: its preferences count only where `tuned` keeps them,
    and its units are permuted for the p value (one-sided).

    Returns
    -------
    DataFrame
        Index: names of `MEASURES`. units; value: average error (degrees, octaves or cycles), or Spearman's
        correlation; low, high: 95 % bootstrap interval over units; other: the same between different units
        (median over permutations of `second`); p. NaN with fewer than `FEWEST` units or where all are alike.
    """
    second = tuned(second).reindex(first.index)
    rows = {}
    for name, measure in MEASURES.items():
        columns = list(measure.columns)
        if not set(columns) <= set(first) & set(second):
            continue
        a, b = (t[columns].to_numpy(float) for t in (first, second))
        both = np.isfinite(a).all(1) & np.isfinite(b).all(1)
        a, b = (v[both].squeeze(1) if len(columns) == 1 else v[both] for v in (a, b))
        rows[name] = {"units": len(a)} | dict.fromkeys(("value", "low", "high", "other", "p"), np.nan)
        if len(a) >= FEWEST and (measure.error or min(np.ptp(a), np.ptp(b)) > 0):
            rows[name] |= _compare(a, b, measure, np.random.default_rng(seed), permutations)
    return pd.DataFrame.from_dict(rows, orient="index")


def _compare(a, b, measure, rng, permutations):
    """The row of `agreement` of the values of units, (n,) or (n, columns)."""
    if measure.error is None:
        a, b = (scipy.stats.rankdata(v) for v in (a, b))
        of_units, average, better = lambda a, b: np.stack([a, b], 1), _correlation, 1
    else:
        of_units, average, better = measure.error, measure.average, -1
    value = average(of_units(a, b))
    null = np.array([average(of_units(a, rng.permutation(b))) for _ in range(permutations)])
    low, high = statistics.bootstrap_interval(of_units(a, b), average)
    p = float(statistics.permutation_p(better * value, better * null))
    return {"value": value, "low": low, "high": high, "other": np.median(null), "p": p}


def _correlation(pairs, axis=0):
    """Correlation of the two columns of (n, resamples, 2) ranks; a resample of one value counts as 0."""
    a, b = np.moveaxis(pairs - pairs.mean(axis, keepdims=True), -1, 0)
    size = np.sqrt((a**2).sum(axis) * (b**2).sum(axis))
    return (a * b).sum(axis) / np.where(size > 0, size, np.inf)
