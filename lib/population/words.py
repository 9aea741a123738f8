"""The sentences of the page on all neurons, and of the conclusions, written from the tests."""

import numpy as np
import pandas as pd
from scipy.stats import kruskal

from lib import columns
from lib.mei.calibration import VERDICTS
from lib.population.tests import AREA_MEASURES, OF_KIND, SHAPES, STIMULI, by_kind
from lib.statistics import FEWEST_PAIRS, compare, holm
from lib.words import sentence

SHOWN = columns.shown("units")
GAINS = {
    "n": "neurons",
    "predicted": "predicted gain",
    "true": "true gain",
    "same_direction": "agree on the better one",
    "rank_correlation": "rank correlation of the gains",
    "factor": "factor between the gains",
}


def describe(table, failed):
    """Say how many units there are, how many are selected, and which of them have no result."""
    names = ", ".join(f"{unit} ({message})" for unit, message in failed.items())
    return (
        f"The run analysed {len(table)} units and selected {int(table.selected.sum())} of them. "
        + (f"Stages failed for {len(failed)} of these: {names}. " if failed else "")
        + "The file `units.csv` has a row for every unit."
    )


def shown_units(table):
    """The columns of `units_table` that a page shows, most reliable unit first."""
    shown = table.set_index("unit_id")[list(SHOWN)].sort_values("oracle_correlation", ascending=False)
    shown = shown.replace({"selected": {True: "yes", False: "no"}}).rename(columns=SHOWN)
    return shown.rename_axis(index=None, columns="unit").style.format(precision=3, na_rep="–")


def verdicts(table):
    """Say how many of the selected units have each verdict, in one line."""
    counts = table.verdict.value_counts()
    named = ", ".join(f"{n} {word}" for word, n in counts.items())
    return f"Verdicts over all selected neurons: {named}." if named else "*No selected neuron has a verdict.*"


def doubted(believed, doubts):
    """Say for how many of the neurons the evidence does not support the MEI; both: collections of units."""
    if not believed and not doubts:
        return "*No selected neuron has an MEI to show.*"
    if not doubts:
        return f'*No MEI has the verdict "{VERDICTS[-1]}".*'
    if not believed:
        return f'*Every MEI has the verdict "{VERDICTS[-1]}"; all of them are shown above.*'
    both = len(believed) + len(doubts)
    return f"The evidence does not support the MEI of {len(doubts)} of {both} selected neurons."


def verdict_sentences(table):
    """Say how many of the selected units have each verdict, the most frequent first."""
    return [
        f"The MEI is {word} in {n} of {len(table)} selected neurons."
        for word, n in table.verdict.value_counts().items()
    ]


def model_comparison(scores, *, model, alpha=0.05, seed=0):
    """The models' correlations to the average, and what the chosen one gains over the others.

    Parameters
    ----------
    scores : DataFrame
        A row per unit and model, of `lib.models.fit_run.fit_models`.
    model : str
        The chosen one.

    Returns
    -------
    summary : DataFrame
        A row per model: units, median, 90th percentile.
    sentences : list of str
    """
    summary = scores.groupby("model", sort=False).correlation_to_average.agg(
        units="count", median="median", **{"90th percentile": lambda r: r.quantile(0.9)}
    )
    wide = scores.pivot(index="unit_id", columns="model", values="correlation_to_average")
    others = [kind for kind in summary.index if kind != model]
    tests = compare(wide, {kind: (model, kind) for kind in others}, seed=seed) if others else None
    return summary, [
        sentence(
            tests.loc[kind], f"the correlation of the {model} model", f"that of the {kind} model", alpha=alpha
        )
        for kind in others
    ]


def chance_sentence(table, *, alpha=0.05):
    """Say how many units are predicted better than chance."""
    significant = int((table.permutation_p * len(table) < alpha).sum())
    return (
        f"The model predicts {significant} of {len(table)} units better than chance (images permuted, "
        f"p < {alpha:g} after Bonferroni's correction for {len(table)} units)."
    )


def shape_sentences(measured, *, alpha=0.05, seed=0):
    """What distinguishes the MEI from the best Gabor in numbers: a sentence for each of `SHAPES`.

    Parameters
    ----------
    measured : DataFrame
        A row per unit: mei_<name>, gabor_measured_<name> of `lib.stimuli.metrics.stimulus_metrics`.
    """
    tests = compare(measured, {name: (f"mei_{name}", f"gabor_measured_{name}") for name in SHAPES}, seed=seed)
    return [
        sentence(tests.loc[name], f"the {words} of the MEI", "that of the best Gabor", alpha=alpha)
        for name, words in SHAPES.items()
    ]


def response_sentences(tests, *, true=False, alpha=0.05):
    """Return a sentence for every row of `response_tests`, {name of the stimulus: sentence}."""
    first = f"the {'true' if true else 'predicted'} response to the masked MEI"
    return {
        name: sentence(tests.loc[name], first, f"that to {words}", alpha=alpha, unit=" spikes", ratio=True)
        for name, words in STIMULI.items()
    }


def agreement_sentence(row, words, *, weak=0.5):
    """Say how far predicted and true gains over one stimulus agree."""
    if row.n == 0:
        return f"Predicted and true gains over {words} could not be compared: no unit has both."
    text = (
        f"Over {words}, the masked MEI has a predicted gain of {row.predicted:.2f} and a true gain of "
        f"{row.true:.2f} (medians, n = {row.n:.0f}). Prediction and truth agree on the better stimulus in "
        f"{row.same_direction:.0f} of {row.n:.0f} neurons"
    )
    if not np.isfinite(row.rank_correlation):
        return text + "; there are too few neurons to correlate the gains."
    relation = (
        "are unrelated"
        if abs(row.rank_correlation) < 0.2
        else "are inversely related"
        if row.rank_correlation < 0
        else "are weakly related"
        if row.rank_correlation < weak
        else "rise together"
    )
    return text + f", and the gains {relation} (rank correlation {row.rank_correlation:.2f})."


def agreement_sentences(gains):
    """`agreement_sentence` for the stimuli that are images: the first three of `STIMULI`."""
    return [agreement_sentence(gains.loc[name], words) for name, words in list(STIMULI.items())[:3]]


def shown_gains(gains):
    """`gain_agreement` as a page shows it."""
    return (
        gains.rename(index=STIMULI, columns=GAINS)
        .style.format("{:.0f}", subset=[GAINS["n"], GAINS["same_direction"]], na_rep="–")
        .format(
            precision=2,
            na_rep="–",
            subset=[GAINS[k] for k in ("predicted", "true", "rank_correlation", "factor")],
        )
    )


def shown_kinds(kinds):
    """`by_kind` as a page shows it: a column per kind."""
    shown = kinds.rename(index=lambda kind: kind.replace("_", " "), columns=OF_KIND).T
    return (
        shown.rename_axis(index=None, columns=None)
        .style.format(precision=2, na_rep="–")
        .format("{:.0f}", subset=(OF_KIND["units"], slice(None)))
    )


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
            + (
                f", responses to unseen images predicted with r = {row.correlation_to_average:.2f})"
                if why
                else ")"
            )
            for kind, row in rows.iterrows()
        )

    short = kinds[kinds.of_optimum < goal]
    reached = kinds[kinds.of_optimum >= goal]
    if short.empty:
        return (
            f"For every kind of neuron, the masked MEI evokes at least {100 * goal:.0f} % of the response "
            f"to the optimum (medians): {named(reached)}."
        )
    return (
        f"The model fails for some kinds of neuron: the masked MEI evokes less than {100 * goal:.0f} % of "
        f"the response to the optimum (medians) in {named(short, why=True)}; it reaches that share in "
        + (f"{named(reached)}." if len(reached) else "no kind.")
    )


def known_truth(table, kinds):
    """Say how many neurons have known true responses (`table`); `kinds` is None for a recorded session."""
    if kinds is None:
        return "*This is a recorded session: only an experiment can tell how its neurons really respond.*"
    return f"The true responses to all stimuli are known for {len(table)} of the selected neurons."


def truth_sentences(table, *, goal, alpha=0.05):
    """Say how near MEIs, best Gabors and recorded maps come to the truth of simulated units, by name.

    Parameters
    ----------
    table : DataFrame
        Of `known_truth`.
    goal : float
        Share of the response to the optimum below which a kind of unit is named.
    """
    if table.empty:
        return {}
    share = 100 * table.of_optimum
    lowest = share.idxmin()
    said = {
        "share": f"In truth, the masked MEI evokes {share.median():.0f} % of the response to the optimal "
        f"image, the best Gabor {100 * table.gabor_of_optimum.median():.0f} % and the best natural image in "
        f"the mask {100 * table.image_of_optimum.median():.0f} % (medians, n = {len(share)} simulated "
        f"neurons). The lowest share of an MEI is {share[lowest]:.0f} %, in a "
        f"*{table.truth_kind[lowest].replace('_', ' ')}* neuron whose verdict is "
        f"*{table.verdict[lowest]}*.",
        "kinds": kind_sentence(table, goal=goal),
    }
    simple = table[(table.truth_kind == "simple") & table.gabor_position_error_deg.notna()]
    if len(simple):
        said["gabors"] = (
            "For simple cells, whose optimum is a Gabor, the best Gabor differs from the optimum by "
            f"{simple.gabor_orientation_error_deg.median():.1f} degrees in orientation, "
            f"{simple.gabor_frequency_error_octaves.median():.2f} octaves in spatial frequency and "
            f"{simple.gabor_position_error_deg.median():.1f} degrees in position "
            f"(medians, n = {len(simple)})."
        )
    mapped = table[(table.map_p < alpha) & table.map_error_deg.notna()]
    if len(mapped):
        said["maps"] = (
            f"The centre of the recorded map misses the true position by "
            f"{mapped.map_error_deg.median():.1f} degrees (median, n = {len(mapped)} neurons with "
            "a significant map)."
        )
    return said


def tuning_sentence(table):
    """Say what neurons prefer and how far MEI and best Gabor agree, where the MEI is supported."""
    known = table[table.verdict != VERDICTS[-1]].dropna(
        subset=["mei_orientation", "gabor_measured_orientation"]
    )
    if known.empty:
        return "No selected neuron has both a supported MEI and a best Gabor."
    turn = np.abs((known.mei_orientation - known.gabor_measured_orientation + 90) % 180 - 90)
    octaves = np.abs(np.log2(known.mei_spatial_frequency / known.gabor_measured_spatial_frequency))
    low, middle, high = known.mei_spatial_frequency.quantile([0.1, 0.5, 0.9])
    return (
        f"The supported MEIs (n = {len(known)}) have a median spatial frequency of {middle:.3f} cycles per "
        f"degree (10th to 90th percentile {low:.3f} to {high:.3f}) and a median radius of "
        f"{known.mei_radius.median():.1f} degrees. The best Gabor and the MEI differ by "
        f"{turn.median():.1f} degrees in orientation and {octaves.median():.2f} octaves in spatial frequency "
        "(medians)."
    )


def receptive_field_sentence(test, n, *, alpha=0.05):
    """Say whether MEIs lie where the recorded Gabors found the receptive fields.

    Parameters
    ----------
    test : dict or None
        Of `lib.population.tests.field_distances`.
    n : int
        Units with a significant map and an MEI.
    """
    if test is None:
        return (
            f"The number of selected neurons with both an MEI and a significant map of recorded Gabors is "
            f"{n}, too few to test where MEIs lie ({FEWEST_PAIRS} needed)."
        )
    size = (
        f"median distance {test['median']:.1f} degrees, {test['shuffled']:.1f} with neurons shuffled, "
        f"permutation p = {test['p']:.2g}, n = {test['n']}"
    )
    if test["p"] < alpha:
        return f"MEIs lie where the recorded Gabors place the receptive field ({size})."
    return f"MEIs are no closer to their own neuron's recorded receptive field than to others' ({size})."


def prediction_sentence(table, *, alpha=0.05):
    """Say for how many units the model predicts the recorded Gabors better than chance."""
    p = holm(table.gabor_prediction_p.to_numpy(float))
    tested = int(np.isfinite(p).sum())
    if tested == 0:
        return "No selected neuron has recorded Gabors to predict."
    known = table[np.isfinite(p)]
    return (
        f"The model predicts the responses to recorded Gabors better than chance in "
        f"{int((p < alpha).sum())} of {tested} selected neurons (conditions permuted, Holm's correction). "
        f"The median correlation is {known.gabor_prediction.median():.2f}; the median that perfect models "
        f"are estimated to reach is {known.gabor_prediction_ceiling.median():.2f}."
    )


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
        Empty for a run on one area. A measure that fewer than two areas have for five units is
        reported as untested.
    """
    if table.structure.nunique() < 2:
        return []
    groups = {
        words: {
            area: rows.dropna()
            for area, rows in table.groupby("structure")[column]
            if rows.notna().sum() >= 5
        }
        for words, column in measures.items()
    }
    tested = {
        words: kruskal(*given.values()).pvalue
        for words, given in groups.items()
        if len(given) > 1 and pd.concat(given).nunique() > 1
    }
    corrected = dict(zip(tested, holm(np.array(list(tested.values())))))
    said = []
    for words, given in groups.items():
        medians = ", ".join(f"{area} {rows.median():.3f} (n = {len(rows)})" for area, rows in given.items())
        if words not in corrected:
            said.append(f"The areas were not compared in {words}, which too few units have.")
            continue
        p = f"medians {medians}; Kruskal-Wallis p = {corrected[words]:.2g} after Holm's correction"
        highest = max(given, key=lambda area: given[area].median())
        said.append(
            f"The areas differ in {words}; the median is highest in {highest} ({p})."
            if corrected[words] < alpha
            else f"No difference between the areas in {words} was found ({p})."
        )
    return said
