"""Tests and comparisons across the units of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib import columns
from lib.responses.receptive_fields import distance_test
from lib.statistics import FEWEST_PAIRS, compare

AREA_MEASURES = {
    "the oracle correlation": "oracle_correlation",
    "CCmax": "cc_max",
    "the correlation to the average": "correlation_to_average",
    "CCnorm": "cc_norm",
    "the lifetime sparseness": "sparseness",
}
SHAPES = {"symmetry_1": "one-fold symmetry", "spatial_frequency": "spatial frequency"}
STIMULI = {
    "gabor": "the best Gabor",
    "fitted_gabor": "the Gabor fitted to the MEI",
    "image": "the best natural image",
    "linear_rf": "the linear receptive field",
}
SHARES = {
    "of_optimum": "masked MEI / optimum",
    "gabor_of_optimum": "best Gabor / optimum",
    "image_of_optimum": "best image / optimum",
}
OF_KIND = {"units": "neurons", **SHARES, **columns.shown("kinds")}


def sorted_scores(scores: pd.DataFrame) -> dict[str, np.ndarray]:
    """Correlations to the average of every model that has more than two units, largest first.

    Parameters
    ----------
    scores : DataFrame
        A row a unit and model, of `lib.models.fit_run.fit_models`.

    Returns
    -------
    dict of str to (units,) array
    """
    return {
        kind: np.sort(rows.correlation_to_average.dropna())[::-1]
        for kind, rows in scores.groupby("model", sort=False)
        if len(rows) > 2
    }


def response_tests(table: pd.DataFrame, *, true: bool = False, seed: int = 0) -> pd.DataFrame:
    """The response to the MEI against that to each other stimulus, paired over units.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`, the selected units.
    true : bool
        The true responses of simulated units, not the predicted ones.
    seed : int

    Returns
    -------
    DataFrame
        Of `lib.statistics.compare`; index: names of `STIMULI`.
    """
    kind = "_true_response" if true else "_response"
    return compare(table, {name: (f"mei{kind}", f"{name}{kind}") for name in STIMULI}, seed=seed)


def gain_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """How far the predicted gains of the MEI over other stimuli agree with the true ones.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`, simulated units.

    Returns
    -------
    DataFrame
        Index: names of `STIMULI`. n units; predicted and true: median ratios MEI / stimulus;
        same_direction: units in which both say which is better; rank_correlation (Spearman) and
        factor: the median of how many times the one ratio is the other (1: they agree).
    """
    rows = {}
    for name in STIMULI:
        columns = [f"{who}{kind}" for kind in ("_response", "_true_response") for who in ("mei", name)]
        values = table[columns].dropna()
        values = values[(values > 0).all(axis=1)].to_numpy(float)
        predicted, true = values[:, 0] / values[:, 1], values[:, 2] / values[:, 3]
        off = np.exp(np.abs(np.log(predicted / true)))
        rank = pd.Series(predicted).corr(pd.Series(true), method="spearman") if len(true) > 2 else np.nan
        rows[name] = [
            len(true),
            *(np.median(v) if len(v) else np.nan for v in (predicted, true)),
            int(((predicted > 1) == (true > 1)).sum()),
            rank,
            np.median(off) if len(off) else np.nan,
        ]
    return pd.DataFrame.from_dict(
        rows,
        orient="index",
        columns=["n", "predicted", "true", "same_direction", "rank_correlation", "factor"],
    )


def known_truth(table: pd.DataFrame) -> pd.DataFrame:
    """Simulated units with a true response to the masked MEI, by kind, and what it and others draw.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`.

    Returns
    -------
    DataFrame
        With predicted_gain and true_gain: response to the masked MEI over that to the best Gabor;
        of_optimum, gabor_of_optimum and image_of_optimum: true responses over that to the optimum.
    """
    known = table.dropna(subset=["mei_true_response"]).sort_values("truth_kind")
    return known.assign(
        predicted_gain=known.mei_response / known.gabor_response,
        true_gain=known.mei_true_response / known.gabor_true_response,
        of_optimum=known.mei_true_response / known.optimum_true_response,
        gabor_of_optimum=known.gabor_true_response / known.optimum_true_response,
        image_of_optimum=known.image_true_response / known.optimum_true_response,
    )


def gain_limit(known: pd.DataFrame) -> float:
    """Gain up to which an axis shows the neurons of `known_truth`: 1.5 times what 3 of 4 have."""
    return float(1.5 * known[["predicted_gain", "true_gain"]].max(axis=1).quantile(0.75))


def by_kind(table: pd.DataFrame) -> pd.DataFrame:
    """How well the truth of simulated units is met, a row a kind of unit.

    MEI, best Gabor and best natural image against the true optimum; the recorded map against the true
    place, where the map is significant. Medians.

    Parameters
    ----------
    table : DataFrame
        Of `known_truth`.
    """
    table = table.assign(map_error_deg=table.map_error_deg.where(table.map_p < 0.05))
    groups, columns = table.groupby("truth_kind"), list(OF_KIND)[1:]
    return groups[columns].median().assign(units=groups.size())[list(OF_KIND)]


def by_area(table: pd.DataFrame, measures: dict[str, str] = AREA_MEASURES) -> pd.DataFrame:
    """Units and medians of every area.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`.
    measures : dict of str to str
        Words for a measure: its column.

    Returns
    -------
    DataFrame
        Index: structure; units, selected and the medians of the measures.
    """
    areas = table.groupby("structure")
    return areas.agg(units=("unit_id", "size"), selected=("selected", "sum")).join(
        areas[list(measures.values())].median()
    )


def field_distances(
    table: pd.DataFrame, *, alpha: float = 0.05, seed: int = 0
) -> tuple[pd.DataFrame, dict | None]:
    """How near MEIs lie to the receptive fields that the recorded Gabors found.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`, the selected units.
    alpha : float
        Of the test of a map.
    seed : int

    Returns
    -------
    known : DataFrame
        The units with a significant map and an MEI.
    test : dict or None
        Of `lib.responses.receptive_fields.distance_test`; None for fewer than `FEWEST_PAIRS` units.
    """
    known = table[(table.map_p < alpha) & table.mei_x.notna()]
    if len(known) < FEWEST_PAIRS:
        return known, None
    return known, distance_test(known[["map_x", "map_y"]], known[["mei_x", "mei_y"]], seed=seed)
