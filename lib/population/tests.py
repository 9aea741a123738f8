"""Tests and comparisons across the units of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from lib import columns
from lib.gabors.compare import AT_EQUAL_TRUTH, LEAST_GAIN
from lib.models.crossvalidation import weighted_correlation
from lib.responses.receptive_fields import distance_test
from lib.statistics import FEWEST_PAIRS, holm, jackknife_comparison

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
ANSWERS = ("yes", "no", "cannot be told")
SHARES = {
    "of_optimum": "masked MEI / optimum",
    "gabor_of_optimum": "best Gabor / optimum",
    "image_of_optimum": "best image / optimum",
}
OF_KIND = {"units": "neurons", **SHARES, **columns.shown("kinds")}


def sorted_scores(scores: pd.DataFrame) -> dict[str, np.ndarray]:
    """Correlations (units,) to the average of every model of more than two units, largest first.

    Of the scores of `lib.models.fit_run.fit_models`, a row per unit and model.
    """
    return {
        kind: np.sort(rows.correlation_to_average.dropna())[::-1]
        for kind, rows in scores.groupby("model", sort=False)
        if len(rows) > 2
    }


def gain_tests(judged: dict[int, tuple[list, np.ndarray]], *, folds: int) -> pd.DataFrame:
    """The predicted gain of the MEI over each other stimulus, in the median neuron.

    Neurons of a session share its images, and are no independent draws. The median over neurons is
    therefore taken for each judge, that is with each of its folds left out, and tested by a jackknife
    over the folds; the gain over Gabors against what may be predicted where there is none.

    Parameters
    ----------
    judged : dict of int to (list of str, (stimuli, judges) array)
        Of every neuron: names of the stimuli and predicted counts, judges in the same order.

    Returns
    -------
    DataFrame
        Index: names of `STIMULI`. n neurons; higher: neurons of which the MEI is predicted to evoke more;
        ratio (median neuron) with low and high; above: it is above the gain tested against; p_holm,
        corrected for the number of stimuli.
    """
    rows = {}
    for name in STIMULI:
        bias = np.log(AT_EQUAL_TRUTH) if "gabor" in name else 0.0
        logs = [
            np.log(np.maximum(counts[names.index("mei")], 1e-6) / np.maximum(counts[names.index(name)], 1e-6))
            for names, counts in judged.values()
            if name in names
        ]
        test = jackknife_comparison(np.median(logs, axis=0) if logs else [np.nan], bias, folds=folds)
        rows[name] = {
            "n": len(logs),
            "higher": sum(log.mean() > 0 for log in logs),
            "ratio": np.exp(bias + test["mean_difference"]),
            "low": np.exp(bias + test["low"]),
            "high": np.exp(bias + test["high"]),
            "p": test["p"],
            "above": test["mean_difference"] > 0,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.assign(p_holm=holm(table.p.to_numpy(float)))


def more_than_gabor(table: pd.DataFrame, *, alpha: float = 0.05) -> pd.Series:
    """Answer for each neuron whether its MEI is more than a Gabor, by `lib.gabors.compare.gain_over`.

    "yes" or "no" where gain_over_gabor lies above or below `LEAST_GAIN` by more than other images could
    change, "cannot be told" elsewhere; missing where there is no gain. `alpha` is the share of false ones
    among the answers given, after Benjamini & Hochberg, J R Stat Soc B 57:289 (1995).
    """
    p = table.gain_over_gabor_p.astype(float)
    tested = p.notna()
    sure = tested.to_numpy(copy=True)
    if tested.any():
        sure[tested] = false_discovery_control(p[tested]) < alpha
    more = table.gain_over_gabor > LEAST_GAIN
    answer = np.where(~sure, ANSWERS[2], np.where(more, *ANSWERS[:2]))
    return pd.Series(answer, table.index, dtype=object).where(table.gain_over_gabor.notna(), None)


def model_gains(
    predictions: dict,
    counts: np.ndarray,
    unit_ids: Sequence[int],
    *,
    model: str,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """What one model's correlations to the average gain over the others', in the median unit.

    Parameters
    ----------
    predictions : dict of dict
        {kind: {unit_id: (images,) predicted counts}}, out of fold.
    counts : (repeats, images, units) array
        Of the units `unit_ids`.
    model : str
        The kind that is compared with the others.
    resamples : int
        Of the images, which all units share: units are no independent draws.

    Returns
    -------
    DataFrame
        Index: the other kinds. n units; higher: units that `model` predicts better; median_difference with
        its 95 % interval low and high.
    """
    mean, rows = dict(zip(unit_ids, np.nanmean(counts, axis=0).T)), {}
    images = counts.shape[1]
    weights = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=resamples)
    weights = np.concatenate([np.ones((1, images)), weights]) / images
    for kind in predictions.keys() - {model}:
        units = [u for u in predictions[kind] if u in predictions[model] and np.ptp(mean[u]) > 0]
        shown = np.transpose([mean[u] for u in units]).reshape(images, -1)
        mine, other = (
            weighted_correlation(
                weights, np.transpose([predictions[k][u] for u in units]).reshape(images, -1), shown
            )
            for k in (model, kind)
        )
        gain = np.median(mine - other, axis=1) if units else np.full(len(weights), np.nan)
        low, high = np.quantile(gain[1:], [0.025, 0.975])
        rows[kind] = {
            "n": len(units),
            "higher": int((mine[0] > other[0]).sum()),
            "median_difference": gain[0],
            "low": low,
            "high": high,
        }
    return pd.DataFrame.from_dict(rows, orient="index").reindex([k for k in predictions if k != model])


def gain_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """How far the predicted gains of simulated units' MEIs over other stimuli agree with the true ones.

    Returns
    -------
    DataFrame
        Index: names of `STIMULI`. n units; predicted and true: median ratios MEI / stimulus;
        same_direction: units in which both say which is better; majority: as many as a guess would have
        right that is the same for all; rank_correlation (Spearman) within kinds, whose medians are taken out;
        factor: the median of how many times the one ratio is the other (1: they agree).
    """
    rows = {}
    for name in STIMULI:
        columns = [f"{who}{kind}" for kind in ("_response", "_true_response") for who in ("mei", name)]
        values = table[columns].dropna()
        values = values[(values > 0).all(axis=1)]
        mei, other, true_mei, true_other = (values[column] for column in columns)
        gains = pd.DataFrame({"predicted": mei / other, "true": true_mei / true_other})
        groups = np.log(gains).groupby(table.truth_kind.loc[gains.index])
        within = (np.log(gains) - groups.transform("median"))[groups.transform("size") > 1]
        rank = within.corr("spearman").iloc[0, 1] if len(within) > 4 else np.nan
        off = np.exp(np.abs(np.log(gains.predicted / gains.true)))
        better = (gains.true > 1).sum()
        rows[name] = [
            len(gains),
            *gains.median(),
            int(((gains > 1).sum(axis=1) != 1).sum()),
            int(max(better, len(gains) - better)),
            rank,
            off.median(),
        ]
    return pd.DataFrame.from_dict(
        rows,
        orient="index",
        columns=["n", "predicted", "true", "same_direction", "majority", "rank_correlation", "factor"],
    )


def known_truth(table: pd.DataFrame) -> pd.DataFrame:
    """Simulated units of `units_table` with a true response to the masked MEI, by kind.

    With predicted_gain and true_gain: response to the masked MEI over that to the best Gabor; of_optimum,
    gabor_of_optimum and image_of_optimum: true responses over that to the optimum.
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
    """How well the truth of the units of `known_truth` is met, a row per kind of unit.

    MEI, best Gabor and best natural image against the true optimum; the recorded map against the true
    place, where the map is significant. Medians.
    """
    table = table.assign(map_error_deg=table.map_error_deg.where(table.map_p < 0.05))
    groups, columns = table.groupby("truth_kind"), list(OF_KIND)[1:]
    return groups[columns].median().assign(units=groups.size())[list(OF_KIND)]


def by_area(table: pd.DataFrame, measures: dict[str, str] = AREA_MEASURES) -> pd.DataFrame:
    """units, selected and the medians of measures {words: column} of `units_table`, a row per area."""
    areas = table.groupby("structure")
    return areas.agg(units=("unit_id", "size"), selected=("selected", "sum")).join(
        areas[list(measures.values())].median()
    )


def field_distances(
    table: pd.DataFrame, *, alpha: float = 0.05, seed: int = 0
) -> tuple[pd.DataFrame, dict | None]:
    """How near MEIs lie to the receptive fields that the recorded Gabors found.

    Returns
    -------
    known : DataFrame
        The units of `units_table` with a significant map (`alpha`) and an MEI.
    test : dict or None
        Of `lib.responses.receptive_fields.distance_test`; None for fewer than `FEWEST_PAIRS` units.
    """
    known = table[(table.map_p < alpha) & table.mei_x.notna()]
    if len(known) < FEWEST_PAIRS:
        return known, None
    return known, distance_test(known[["map_x", "map_y"]], known[["mei_x", "mei_y"]], seed=seed)
