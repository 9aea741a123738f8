"""All units of a run in one table, the tests across them, and the sentences these allow."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kruskal

from lib.gabors import distance_test
from lib.results import load_result
from lib.statistics import FEWEST_PAIRS, compare, holm, sentence

AREA_MEASURES = {"the oracle correlation": "oracle_correlation", "CCmax": "cc_max",
                 "the correlation to the average": "correlation_to_average", "CCnorm": "cc_norm",
                 "the lifetime sparseness": "sparseness"}
COLUMNS = [
    "unit_id", "structure", "selected", "oracle_correlation", "reliability", "cc_max", "variance",
    "sparseness", "correlation_to_average", "correlation_to_average_ridge",
    "correlation_to_average_published", "cc_norm", "feve", "mei_response", "gabor_response",
    "image_response", "linear_rf_response", "truth_kind", "mei_truth_correlation",
    "mei_true_response", "gabor_true_response", "image_true_response", "optimum_true_response",
    "position_error_deg", "orientation_error_deg", "frequency_error_octaves"]
EXTRA = ["verdict", "fitted_gabor_response", "image_full_response", "permutation_p",
         "single_trial_correlation", "correlation_low", "correlation_high",
         "fitted_gabor_true_response", "linear_rf_true_response", "mei_x", "mei_y", "mei_radius",
         "mei_orientation", "gabor_orientation", "mei_spatial_frequency", "gabor_spatial_frequency",
         "gabor_sigma", "map_p", "map_x", "map_y", "map_error_deg", "gabor_prediction",
         "gabor_prediction_p", "gabor_prediction_ceiling", "gabor_position_error_deg",
         "gabor_orientation_error_deg", "gabor_frequency_error_octaves"]
SHAPES = {"symmetry_1": "one-fold symmetry", "spatial_frequency": "spatial frequency"}
STIMULI = {"gabor": "the best Gabor", "fitted_gabor": "the Gabor fitted to the MEI",
           "image": "the best natural image", "linear_rf": "the linear receptive field"}
SHOWN = {"selected": "selected", "oracle_correlation": "oracle correlation", "cc_max": "CCmax",
         "correlation_to_average": "correlation to average", "cc_norm": "CCnorm", "verdict": "verdict",
         "mei_response": "masked MEI (spikes)", "gabor_response": "best Gabor (spikes)",
         "image_response": "best image (spikes)", "mei_orientation": "MEI: orientation (deg)",
         "mei_spatial_frequency": "MEI: frequency (cycles/deg)", "gabor_sigma": "Gabor: sigma (deg)",
         "gabor_prediction": "recorded Gabors: correlation"}
OF_KIND = {"units": "neurons", "of_optimum": "masked MEI / optimum",
           "gabor_of_optimum": "best Gabor / optimum", "image_of_optimum": "best image / optimum",
           "correlation_to_average": "correlation to average",
           "mei_truth_correlation": "correlation of MEI and optimum",
           "position_error_deg": "MEI: position off by (deg)",
           "orientation_error_deg": "MEI: orientation off by (deg)",
           "frequency_error_octaves": "MEI: frequency off by (octaves)",
           "gabor_position_error_deg": "Gabor: position off by (deg)",
           "gabor_orientation_error_deg": "Gabor: orientation off by (deg)",
           "gabor_frequency_error_octaves": "Gabor: frequency off by (octaves)",
           "map_error_deg": "recorded map: position off by (deg)"}
GAINS = {"n": "neurons", "predicted": "predicted gain", "true": "true gain",
         "same_direction": "same one is better", "rank_correlation": "rank correlation of the gains",
         "factor": "factor between the gains"}
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
    structure : str or Series
        The area of all units, or of each (index unit_id).
    model : str
        The kind of model that MEIs were made on.
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


def describe(table, failed):
    """Say how many units there are, how many are selected, and which of them have no result."""
    names = ", ".join(f"{unit} ({message})" for unit, message in failed.items())
    return (f"{len(table)} units, {int(table.selected.sum())} selected"
            + (f"; stages of {len(failed)} failed: {names}" if failed else "")
            + ". Every row is in `units.csv`.")


def shown_units(table):
    """The columns of `units_table` that a page shows, most reliable unit first."""
    shown = table.set_index("unit_id")[list(SHOWN)].sort_values("oracle_correlation", ascending=False)
    shown = shown.replace({"selected": {True: "yes", False: "no"}}).rename(columns=SHOWN)
    return shown.rename_axis(index=None, columns="unit").style.format(precision=3, na_rep="–")


def summary(table, *, model, failed):
    """Numbers of a run for its start page, from `units_table`: dict of units, verdicts, correlation."""
    chosen = table[table.selected]
    return {"units": len(table), "selected": len(chosen), "model": model,
            "verdicts": chosen.verdict.value_counts().to_dict(),
            "median_correlation_of_all_scored_units": table.correlation_to_average.dropna().median(),
            "median_correlation_of_the_selected": chosen.correlation_to_average.dropna().median(),
            "failed": failed}


def verdicts(table):
    """Say how many of the selected units have each verdict, in one line."""
    counts = table.verdict.value_counts()
    named = ", ".join(f"{n} {word}" for word, n in counts.items())
    return f"Verdicts: {named}." if named else "*No selected neuron has a verdict.*"


def verdict_sentences(table):
    """Say how many of the selected units have each verdict, the most frequent first."""
    return [f"{n} of {len(table)} selected neurons: {word}."
            for word, n in table.verdict.value_counts().items()]


def sorted_scores(scores):
    """Correlations to the average of every model that has more than two units, largest first.

    Parameters
    ----------
    scores : DataFrame
        A row a unit and model, of `lib.fitting.fit_models`.

    Returns
    -------
    dict of str to (units,) array
    """
    return {kind: np.sort(rows.correlation_to_average.dropna())[::-1]
            for kind, rows in scores.groupby("model", sort=False) if len(rows) > 2}


def model_comparison(scores, *, model, alpha=0.05, seed=0):
    """The models' correlations to the average, and what the chosen one gains over the others.

    Parameters
    ----------
    scores : DataFrame
        A row a unit and model, of `lib.fitting.fit_models`.
    model : str
        The chosen one.

    Returns
    -------
    summary : DataFrame
        A row a model: units, median, 90th percentile.
    sentences : list of str
    """
    summary = scores.groupby("model", sort=False).correlation_to_average.agg(
        units="count", median="median", **{"90th percentile": lambda r: r.quantile(0.9)})
    wide = scores.pivot(index="unit_id", columns="model", values="correlation_to_average")
    others = [kind for kind in summary.index if kind != model]
    tests = compare(wide, {kind: (model, kind) for kind in others}, seed=seed) if others else None
    return summary, [sentence(tests.loc[kind], f"the correlation of the {model} model",
                              f"that of the {kind} model", alpha=alpha) for kind in others]


def chance_sentence(table, *, alpha=0.05):
    """Say how many units are predicted better than chance."""
    significant = int((table.permutation_p * len(table) < alpha).sum())
    return (f"{significant} of {len(table)} units are predicted better than chance (images permuted, "
            f"p below {alpha:g} after correction for {len(table)} units).")


def shape_sentences(measured, *, alpha=0.05, seed=0):
    """What distinguishes the MEI from the best Gabor in numbers: a sentence for each of `SHAPES`.

    Parameters
    ----------
    measured : DataFrame
        A row a unit: mei_<name>, gabor_<name> of `lib.metrics.stimulus_metrics`.
    """
    tests = compare(measured, {name: (f"mei_{name}", f"gabor_{name}") for name in SHAPES}, seed=seed)
    return [sentence(tests.loc[name], f"the {words} of the MEI", "that of the best Gabor", alpha=alpha)
            for name, words in SHAPES.items()]


def response_tests(table, *, true=False, seed=0):
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


def response_sentences(tests, *, true=False, alpha=0.05):
    """One sentence for every row of `response_tests`."""
    first = f"the {'true' if true else 'predicted'} response to the masked MEI"
    return [sentence(tests.loc[name], first, f"that to {words}", alpha=alpha, unit=" spikes", ratio=True)
            for name, words in STIMULI.items()]


def gain_agreement(table):
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
        rows[name] = [len(true), *(np.median(v) if len(v) else np.nan for v in (predicted, true)),
                      int(((predicted > 1) == (true > 1)).sum()), rank,
                      np.median(off) if len(off) else np.nan]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[
        "n", "predicted", "true", "same_direction", "rank_correlation", "factor"])


def agreement_sentence(row, words, *, weak=0.5):
    """Say how far predicted and true gains over one stimulus agree."""
    if row.n == 0:
        return f"Predicted and true gains over {words} could not be compared: no unit has both."
    text = (f"Over {words} the masked MEI gains a factor of {row.predicted:.2f} as predicted and "
            f"{row.true:.2f} in truth (medians, n = {row.n:.0f}); prediction and truth name the same "
            f"stimulus as the better one in {row.same_direction:.0f} of {row.n:.0f}")
    if not np.isfinite(row.rank_correlation):
        return text + "; too few neurons to correlate the gains."
    relation = ("are unrelated" if abs(row.rank_correlation) < 0.2 else "run against each other"
                if row.rank_correlation < 0 else "are weakly related"
                if row.rank_correlation < weak else "rise together")
    return text + f", and the gains {relation} (rank correlation {row.rank_correlation:.2f})."


def agreement_sentences(gains):
    """`agreement_sentence` for the stimuli that are images: the first three of `STIMULI`."""
    return [agreement_sentence(gains.loc[name], words) for name, words in list(STIMULI.items())[:3]]


def shown_gains(gains):
    """`gain_agreement` as a page shows it."""
    return gains.rename(index=STIMULI, columns=GAINS).style.format(
        "{:.0f}", subset=[GAINS["n"], GAINS["same_direction"]], na_rep="–").format(
        precision=2, na_rep="–", subset=[GAINS[k] for k in ("predicted", "true", "rank_correlation",
                                                            "factor")])


def known_truth(table):
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
    return known.assign(predicted_gain=known.mei_response / known.gabor_response,
                        true_gain=known.mei_true_response / known.gabor_true_response,
                        of_optimum=known.mei_true_response / known.optimum_true_response,
                        gabor_of_optimum=known.gabor_true_response / known.optimum_true_response,
                        image_of_optimum=known.image_true_response / known.optimum_true_response)


def gain_limit(known):
    """Gain up to which an axis shows the neurons of `known_truth`: 1.5 times what 3 of 4 have."""
    return float(1.5 * known[["predicted_gain", "true_gain"]].max(axis=1).quantile(0.75))


def by_kind(table):
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


def shown_kinds(kinds):
    """`by_kind` as a page shows it: a column a kind."""
    shown = kinds.rename(index=lambda kind: kind.replace("_", " "), columns=OF_KIND).T
    return shown.rename_axis(index=None, columns=None).style.format(precision=2, na_rep="–").format(
        "{:.0f}", subset=(OF_KIND["units"], slice(None)))


def kind_sentence(table, *, goal):
    """Say on which kinds of simulated units the MEI falls short of a share of the true optimum.

    Parameters
    ----------
    table : DataFrame
        Of `known_truth`.
    goal : float
        Share of the response to the optimum, in (0, 1).
    """
    kinds = by_kind(table).sort_values("of_optimum")

    def named(rows, *, why=False):
        return ", ".join(
            f"*{kind.replace('_', ' ')}* ({100 * row.of_optimum:.0f} %, n = {row.units:.0f}"
            + (f", responses to unseen images predicted at r = {row.correlation_to_average:.2f})"
               if why else ")") for kind, row in rows.iterrows())

    short = kinds[kinds.of_optimum < goal]
    reached = kinds[kinds.of_optimum >= goal]
    if short.empty:
        return (f"On every kind of neuron the masked MEI draws at least {100 * goal:.0f} % of the "
                f"optimum in the median: {named(reached)}.")
    return (f"The model fails on some kinds of neuron: the masked MEI falls short of {100 * goal:.0f} % "
            f"of the optimum (medians) on {named(short, why=True)}; it reaches that on "
            + (f"{named(reached)}." if len(reached) else "none."))


def truth_sentences(table, *, goal, alpha=0.05):
    """Say how near MEIs, best Gabors and recorded maps come to the truth of simulated units.

    Parameters
    ----------
    table : DataFrame
        Of `known_truth`.
    goal : float
        Share of the response to the optimum below which a kind of unit is named.
    """
    if table.empty:
        return []
    share = 100 * table.of_optimum
    lowest = share.idxmin()
    said = [f"The masked MEI really draws {share.median():.0f} % of what the best possible image draws "
            f"(medians, n = {len(share)} simulated; the best Gabor "
            f"{100 * table.gabor_of_optimum.median():.0f} %, the best natural image in the mask "
            f"{100 * table.image_of_optimum.median():.0f} %; lowest {share[lowest]:.0f} %, of a "
            f"*{table.truth_kind[lowest].replace('_', ' ')}* neuron whose verdict is "
            f"*{table.verdict[lowest]}*).", kind_sentence(table, goal=goal)]
    simple = table[(table.truth_kind == "simple") & table.gabor_position_error_deg.notna()]
    if len(simple):
        said.append(
            "For simple cells, whose optimum is a Gabor, the best Gabor misses it by "
            f"{simple.gabor_orientation_error_deg.median():.1f} degrees of orientation, "
            f"{simple.gabor_frequency_error_octaves.median():.2f} octaves and "
            f"{simple.gabor_position_error_deg.median():.1f} degrees of position "
            f"(medians, n = {len(simple)}).")
    mapped = table[(table.map_p < alpha) & table.map_error_deg.notna()]
    if len(mapped):
        said.append(f"The centre of the recorded map misses the true place by "
                    f"{mapped.map_error_deg.median():.1f} degrees (median, n = {len(mapped)} with "
                    "a significant map).")
    return said


def bullets(sentences):
    """Sentences as a Markdown list."""
    return "\n".join(f"- {text}" for text in sentences)


def conclusions(sections):
    """The conclusions as a page: {heading: sentences}, those without a sentence left out."""
    return "\n\n".join(f"## {title}\n\n{bullets(said)}"
                       for title, said in sections.items() if said) + "\n"


def tuning_sentence(table):
    """Say what neurons prefer and how far MEI and best Gabor agree, where the MEI is supported."""
    known = table[table.verdict != "not supported"].dropna(
        subset=["mei_orientation", "gabor_orientation"])
    if known.empty:
        return "No selected neuron has both a supported MEI and a best Gabor."
    turn = np.abs((known.mei_orientation - known.gabor_orientation + 90) % 180 - 90)
    octaves = np.abs(np.log2(known.mei_spatial_frequency / known.gabor_spatial_frequency))
    low, middle, high = known.mei_spatial_frequency.quantile([0.1, 0.5, 0.9])
    return (f"The supported MEIs (n = {len(known)}) prefer {middle:.3f} cycles per degree in the "
            f"median (10th to 90th percentile {low:.3f} to {high:.3f}) and fill a disk of "
            f"{known.mei_radius.median():.1f} degrees radius. Best Gabor and MEI lie "
            f"{turn.median():.1f} degrees of orientation and {octaves.median():.2f} octaves apart "
            "(medians).")


def pictures(run_folder, table, failed):
    """MEI, best Gabor and best natural image of every unit that has them, most reliable unit first.

    Returns
    -------
    dict of int to list of three (h, w) arrays
    """
    found = {}
    for unit in table.sort_values("oracle_correlation", ascending=False).index:
        if unit not in failed:
            info, arrays = load_result(Path(run_folder) / "units" / str(unit), "gabor")
            named = dict(zip(info["names"], arrays["stimuli"]))
            found[unit] = [named[name] for name in ("mei", "gabor", "image")]
    return found


def measures(run_folder, units):
    """What `lib.metrics.stimulus_metrics` found of MEI and best Gabor: a row a unit."""
    found = {unit: load_result(Path(run_folder) / "units" / str(unit), "metrics")[0] for unit in units}
    columns = None if found else [f"{who}_{name}" for who in ("mei", "gabor") for name in SHAPES]
    return pd.DataFrame.from_dict(found, orient="index", columns=columns)


def receptive_field_sentence(table, *, alpha=0.05, seed=0):
    """Say whether MEIs lie where the recorded Gabors found the receptive fields.

    Parameters
    ----------
    table : DataFrame
        Of `units_table`, the selected units.

    Returns
    -------
    text : str
    test : dict of `lib.gabors.distance_test`, or None
        distances in the order of the units with a significant map.
    units : Index
    """
    known = table[(table.map_p < alpha) & table.mei_x.notna()]
    if len(known) < FEWEST_PAIRS:
        return (f"Selected neurons with a significant map of recorded Gabors and an MEI: {len(known)}, "
                f"too few to test where MEIs lie ({FEWEST_PAIRS} needed)."), None, known.index
    test = distance_test(known[["map_x", "map_y"]], known[["mei_x", "mei_y"]], seed=seed)
    size = (f"median distance {test['median']:.1f} degrees, {test['shuffled']:.1f} between shuffled "
            f"neurons, permutation p = {test['p']:.2g}, n = {test['n']}")
    if test["p"] < alpha:
        return f"MEIs lie where the recorded Gabors found the receptive field ({size}).", test, known.index
    return (f"MEIs are no closer to their own neuron's recorded receptive field than to others' ({size}).",
            test, known.index)


def prediction_sentence(table, *, alpha=0.05):
    """Say for how many units the model predicts the recorded Gabors better than chance."""
    p = holm(table.gabor_prediction_p.to_numpy(float))
    tested = int(np.isfinite(p).sum())
    if tested == 0:
        return "No selected neuron has recorded Gabors to predict."
    known = table[np.isfinite(p)]
    return (f"The responses to recorded Gabors are predicted better than chance in "
            f"{int((p < alpha).sum())} of {tested} selected neurons (conditions permuted, Holm's "
            f"correction): median correlation {known.gabor_prediction.median():.2f}, where a perfect "
            f"model is estimated to reach {known.gabor_prediction_ceiling.median():.2f}.")


def by_area(table, measures=AREA_MEASURES):
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
        areas[list(measures.values())].median())


def area_sentences(table, measures=AREA_MEASURES, *, alpha=0.05):
    """Say in which measures the areas of a run differ: Kruskal-Wallis tests after Holm's correction.

    Parameters
    ----------
    table, measures
        As in `by_area`; units without a value are left out.
    alpha : float

    Returns
    -------
    list of str
        Empty for a run on one area. A measure that fewer than two areas have for five units is said
        to be untested.
    """
    if table.structure.nunique() < 2:
        return []
    groups = {words: {area: rows.dropna() for area, rows in table.groupby("structure")[column]
                      if rows.notna().sum() >= 5} for words, column in measures.items()}
    tested = {words: kruskal(*given.values()).pvalue for words, given in groups.items()
              if len(given) > 1 and pd.concat(given).nunique() > 1}
    corrected = dict(zip(tested, holm(np.array(list(tested.values())))))
    said = []
    for words, given in groups.items():
        medians = ", ".join(f"{area} {rows.median():.3f} (n = {len(rows)})" for area, rows in given.items())
        if words not in corrected:
            said.append(f"The areas are not compared in {words}: too few units have it.")
            continue
        p = f"medians {medians}; Kruskal-Wallis p = {corrected[words]:.2g} after Holm's correction"
        highest = max(given, key=lambda area: given[area].median())
        said.append(f"The areas differ in {words}, highest in {highest} ({p})." if corrected[words] < alpha
                    else f"No difference between the areas in {words} was found ({p}).")
    return said


def _unit_results(folder):
    merged, error = {}, None
    for stage in STAGES:
        path = folder / f"{stage}.json"
        content = json.loads(path.read_text()) if path.exists() else {"failed": f"{stage} has not run"}
        if "failed" in content:
            error = error or content["failed"]
        else:
            merged |= {k: np.nan if v is None else v for k, v in content["scalars"].items()}
    return merged, error
