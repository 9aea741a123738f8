"""All units of a run in one table, the tests across them, and the sentences these allow."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from lib.statistics import holm, paired_comparison

COLUMNS = [
    "unit_id", "structure", "selected", "oracle_correlation", "reliability", "cc_max", "variance",
    "sparseness", "correlation_to_average", "correlation_to_average_ridge",
    "correlation_to_average_published", "cc_norm", "feve", "mei_response", "gabor_response",
    "image_response", "linear_rf_response", "truth_kind", "mei_truth_correlation",
    "mei_true_response", "gabor_true_response", "image_true_response", "optimum_true_response",
    "position_error_deg", "orientation_error_deg", "frequency_error_octaves"]
EXTRA = ["verdict", "fitted_gabor_response", "image_full_response", "permutation_p",
         "single_trial_correlation", "correlation_low", "correlation_high"]
STAGES = ("cnn", "mei", "gabor", "metrics")


def units_table(run_folder, *, oracle, scores, structure, model, truth_kinds=None):
    """One row for every unit of the structure: what `units.csv` holds.

    Parameters
    ----------
    run_folder : Path
        With units/<unit_id>/<stage>.json of the selected units.
    oracle : DataFrame
        Index unit_id, of 03_oracle.
    scores : DataFrame
        A row a unit and model, of `lib.fitting.fit_models`.
    structure, model : str
        The area; the kind of model that MEIs were made on.
    truth_kinds : Series, optional
        Index unit_id, for simulated sessions.

    Returns
    -------
    table : DataFrame
        `COLUMNS` and `EXTRA`; NaN for what a unit or a source does not have.
    failed : dict of int to str
        The first error of every selected unit that has one.
    """
    table = oracle.rename(columns={"oracle": "oracle_correlation", "split_half": "reliability"})
    table = table.assign(structure=structure)
    by_model = {kind: rows.set_index("unit_id") for kind, rows in scores.groupby("model")}
    own = by_model[model]
    for name in ("correlation_to_average", "cc_norm", "feve", "single_trial_correlation",
                 "permutation_p", "correlation_low", "correlation_high"):
        table[name] = own[name]
    for kind in ("ridge", "published"):
        if kind in by_model:
            table[f"correlation_to_average_{kind}"] = by_model[kind].correlation_to_average
    results, failed = {}, {}
    for unit in table.index[table.selected]:
        results[unit], error = _unit_results(Path(run_folder) / "units" / str(unit))
        if error:
            failed[int(unit)] = error
    units = pd.DataFrame.from_dict(results, orient="index")
    for name in set(units) & set(COLUMNS[1:] + EXTRA) - set(table):
        table[name] = units[name]
    if truth_kinds is not None:
        table["truth_kind"] = truth_kinds
    table.index.name = "unit_id"
    return table.reset_index().reindex(columns=COLUMNS + EXTRA), failed


def compare(table, pairs, *, seed=0):
    """Paired tests across units, corrected for their number.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`, the selected units.
    pairs : dict of str to (str, str)
        Name of a comparison: two columns.

    Returns
    -------
    DataFrame
        Index: the name. Of `lib.statistics.paired_comparison`, and `p_holm`; the interval and the
        medians are of the columns' values.
    """
    rows = {}
    for name, (first, second) in pairs.items():
        a, b = (pd.to_numeric(table[c]).to_numpy(float) for c in (first, second))
        rows[name] = paired_comparison(a, b, seed=seed) | {
            "first": first, "second": second, "median_ratio": _median_ratio(a, b)}
    result = pd.DataFrame.from_dict(rows, orient="index")
    result["p_holm"] = holm(result.p.to_numpy(float))
    return result


def sentence(row, first, second, *, alpha=0.05, unit=""):
    """Say what one comparison shows; 'no difference' is one of the answers.

    Parameters
    ----------
    row : Series
        A row of `compare`.
    first, second : str
        What was compared, as it stands in the sentence.
    alpha : float
        Of the corrected test.
    unit : str
        Of the values.
    """
    first = first[0].upper() + first[1:]
    if row.n == 0:
        return f"{first} and {second} could not be compared: no unit has both."
    size = (f"median difference {row.median_difference:+.3f}{unit}, 95 % interval "
            f"{row.low:+.3f} to {row.high:+.3f}, n = {row.n}")
    if not np.isfinite(row.p_holm):
        return f"{first} and {second}: {size}; too few units for a test."
    test = f"Wilcoxon p = {row.p_holm:.2g} after Holm's correction, effect size {row.effect_size:+.2f}"
    if row.p_holm >= alpha:
        return f"No difference between {first[0].lower() + first[1:]} and {second} was found ({size}; {test})."
    direction = "exceeds" if row.effect_size > 0 else "falls below"
    return f"{first} {direction} {second} ({size}; {test})."


def _unit_results(folder):
    merged, error = {}, None
    for stage in STAGES:
        path = folder / f"{stage}.json"
        content = json.loads(path.read_text()) if path.exists() else {"failed": f"{stage} has not run"}
        if "failed" in content:
            error = error or content["failed"]
        else:
            merged |= content["scalars"]
    return merged, error


def _median_ratio(a, b):
    defined = np.isfinite(a) & np.isfinite(b) & (b > 0)
    return float(np.median(a[defined] / b[defined])) if defined.any() else float("nan")
