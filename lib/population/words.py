"""The sentences of the page on all neurons, and of the conclusions, written from the tests."""

import numpy as np
import pandas as pd

from lib import columns
from lib.gabors.compare import AT_EQUAL_TRUTH, LEAST_GAIN
from lib.mei.calibration import VERDICTS
from lib.population.tests import ANSWERS, AREA_MEASURES, OF_KIND, SHAPES, STIMULI, by_kind
from lib.statistics import FEWEST_PAIRS, holm
from lib.words import counted, listed

SHOWN = columns.shown("units")
GAINS = {
    "n": "neurons",
    "predicted": "predicted gain",
    "true": "true gain",
    "same_direction": "agree on the better one",
    "majority": "one guess for all",
    "rank_correlation": "rank correlation within kinds",
    "factor": "factor between the gains",
}
ANSWERED = dict(
    zip(ANSWERS, ("where the MEI is more than a Gabor", "where it is not", "where it cannot be told"))
)
DISTINCTIONS = {
    "fit_r": "correlation of the MEI with the Gabor fitted to it",
    "cc_norm": "CCnorm of the model",
    "mei_spatial_frequency": "spatial frequency of the MEI (cycles per degree)",
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


def model_summary(scores):
    """Units, median and 90th percentile of the correlations to the average of every model."""
    return scores.groupby("model", sort=False).correlation_to_average.agg(
        units="count", median="median", **{"90th percentile": lambda r: r.quantile(0.9)}
    )


def model_sentences(gains, *, model, stimuli=("natural_scenes",)):
    """Say what the chosen model gains over each other: of `lib.population.tests.model_gains`.

    It learned from `stimuli`, the others from natural scenes alone.
    """
    said, alone = [], ", which learned from natural scenes alone" * (list(stimuli) != ["natural_scenes"])
    for kind, row in gains.iterrows():
        if row.n == 0:
            said.append(f"The {model} and {kind} models share no unit in which they could be compared.")
            continue
        relation = (
            "predicts better than"
            if row.low > 0
            else "predicts worse than"
            if row.high < 0
            else "predicts as well as"
        )
        interval = f"95 % interval over images {row.low:+.2f} to {row.high:+.2f}"
        if row.n == 1:
            said.append(
                f"The {kind} model was fitted to one unit, in which the {model} model {relation} it (by "
                f"{row.median_difference:+.2f}; {interval}); this says nothing of other units."
            )
            continue
        said.append(
            f"The {model} model {relation} the {kind} model{alone}: its correlation is higher in "
            f"{row.higher:.0f} of {row.n:.0f} units, by {row.median_difference:+.2f} in the median "
            f"({interval})."
        )
    return said


def chance_sentence(table, *, alpha=0.05):
    """Say how many units are predicted better than chance."""
    tested = int(table.permutation_p.notna().sum())
    significant = int((table.permutation_p * tested < alpha).sum())
    untested = f"; {len(table) - tested} more could not be tested" if tested < len(table) else ""
    return (
        f"The model predicts {significant} of {tested} units better than chance (images permuted, "
        f"p < {alpha:g} after Bonferroni's correction){untested}."
    )


def shape_sentences(measured, answers):
    """How MEI and best Gabor differ in `table.measures`, by the answer: a sentence for each of `SHAPES`."""
    said = []
    for name, words in SHAPES.items():
        difference = measured[f"mei_{name}"] - measured[f"gabor_measured_{name}"]
        groups = difference.dropna().groupby(answers.reindex(difference.index))
        parts = [
            f"{ANSWERED[answer]} {rows.median():+.3g} (n = {len(rows)})"
            for answer, rows in sorted(groups, key=lambda group: ANSWERS.index(group[0]))
        ]
        said.append(
            f"The {words} of the MEI differs from that of the best Gabor by (medians) {listed(parts)}."
            if parts
            else f"The {words} of MEI and best Gabor could not be compared: no unit has both."
        )
    return said


def answer_sentences(answers):
    """Say in how many neurons the MEI is more than a Gabor: of `lib.population.tests.more_than_gabor`."""
    known = answers.dropna()
    if known.empty:
        return ["No selected neuron has both an MEI and a best Gabor."]
    yes, no, open_ = (int((known == answer).sum()) for answer in ANSWERS)
    return [
        f"The MEI is more than a Gabor in {yes} of {counted(len(known), 'neuron')} and not more in {no}; in "
        f"{open_} it cannot be told. More means that it is predicted to evoke more than {LEAST_GAIN:g} times "
        "the response to the best Gabor (jackknife over images; false discovery rate over neurons)."
    ]


def distinction_sentence(table):
    """Say how the columns `DISTINCTIONS` set neurons apart by whether their MEI is more than a Gabor."""
    groups = {answer: table[table.more_than_gabor == answer] for answer in ANSWERS}
    groups = {answer: rows for answer, rows in groups.items() if len(rows)}
    if len(groups) < 2:
        return "All neurons have the same answer, so there is nothing to set them apart."
    said = []
    for name, words in DISTINCTIONS.items():
        if name in table and table[name].notna().any():
            digits = 3 if "frequency" in name else 2
            medians = listed(
                f"{rows[name].median():.{digits}f} {ANSWERED[word]}" for word, rows in groups.items()
            )
            said.append(f"the {words} is {medians}")
    return f"In the median, {'; '.join(said)}."


def gain_sentences(tests, *, alpha=0.05):
    """Return {name of the stimulus: sentence} for the rows of `lib.population.tests.gain_tests`."""
    said = {}
    for name, words in STIMULI.items():
        row = tests.loc[name]
        if row.n == 0:
            said[name] = f"MEI and {words} could not be compared: no neuron has both."
            continue
        text = (
            f"Over {words}, the masked MEI has a predicted gain of {row.ratio:.2f} in the median neuron; the "
            f"gain is above 1 in {row.higher:.0f} of {row.n:.0f}"
        )
        if not np.isfinite(row.p_holm):
            said[name] = f"{text}; with so few models, no test is possible."
            continue
        errors = f" and fitting errors produce (up to {AT_EQUAL_TRUTH:g})" if "gabor" in name else ""
        relation = "exceeds" if row.p_holm < alpha and row.above else "does not exceed"
        said[name] = (
            f"{text}. The median gain {relation} what other images could have changed{errors} (95 % "
            f"jackknife interval {row.low:.2f} to {row.high:.2f}, p = {row.p_holm:.2g} after Holm's "
            "correction)."
        )
    return said


def shown_gain_tests(tests):
    """`gain_tests` as a page shows it."""
    shown = pd.DataFrame(
        {
            "neurons": tests.n,
            "gain above 1": tests.higher,
            "median gain": tests.ratio,
            "95 % interval": [f"{low:.2f} to {high:.2f}" for low, high in zip(tests.low, tests.high)],
            "p (Holm)": tests.p_holm.map("{:.2g}".format),
        }
    )
    return (
        shown.replace({"nan": "–", "nan to nan": "–"})
        .rename(index=STIMULI)
        .rename_axis(columns="masked MEI over")
        .style.format({"median gain": "{:.2f}"}, na_rep="–")
    )


def agreement_sentence(row, words, *, weak=0.5):
    """Say how far predicted and true gains over one stimulus agree."""
    if row.n == 0:
        return f"Predicted and true gains over {words} could not be compared: no unit has both."
    text = (
        f"Over {words}, the masked MEI has a predicted gain of {row.predicted:.2f} and a true gain of "
        f"{row.true:.2f} (medians, n = {row.n:.0f}). Prediction and truth agree on the better stimulus in "
        f"{row.same_direction:.0f} of {row.n:.0f} neurons, where one guess for all would be right in "
        f"{row.majority:.0f}"
    )
    if not np.isfinite(row.rank_correlation):
        return text + "; there are too few neurons of one kind to correlate the gains within kinds."
    relation = (
        "are unrelated"
        if abs(row.rank_correlation) < 0.2
        else "are inversely related"
        if row.rank_correlation < 0
        else "are weakly related"
        if row.rank_correlation < weak
        else "rise together"
    )
    return text + f". Within kinds, the gains {relation} (rank correlation {row.rank_correlation:.2f})."


def agreement_sentences(gains):
    """`agreement_sentence` for the stimuli that are images: the first three of `STIMULI`."""
    return [agreement_sentence(gains.loc[name], words) for name, words in list(STIMULI.items())[:3]]


def shown_gains(gains):
    """`gain_agreement` as a page shows it."""
    whole = [GAINS[k] for k in ("n", "same_direction", "majority")]
    shown = gains.rename(index=STIMULI, columns=GAINS).style.format(precision=2, na_rep="–")
    return shown.format("{:.0f}", subset=whole, na_rep="–")


def shown_kinds(kinds):
    """`by_kind` as a page shows it: a column per kind."""
    shown = kinds.rename(index=lambda kind: kind.replace("_", " "), columns=OF_KIND).T
    return (
        shown.rename_axis(index=None, columns=None)
        .style.format(precision=2, na_rep="–")
        .format("{:.0f}", subset=(OF_KIND["units"], slice(None)))
    )


def kind_sentence(table, *, goal):
    """Say in which kinds of `known_truth` the MEI evokes less than a share of the optimum's response."""
    kinds = by_kind(table).sort_values("of_optimum")

    def named(rows, why=""):
        return ", ".join(
            f"*{kind.replace('_', ' ')}* ({100 * row.of_optimum:.0f} %, n = {row.units:.0f}"
            f"{why.format(row.correlation_to_average)})"
            for kind, row in rows.iterrows()
        )

    short = kinds[kinds.of_optimum < goal]
    reached = kinds[kinds.of_optimum >= goal]
    if short.empty:
        return (
            f"For every kind of neuron, the masked MEI evokes at least {100 * goal:.0f} % of the response "
            f"to the optimum (medians): {named(reached)}."
        )
    why = ", responses to unseen images predicted with r = {:.2f}"
    return (
        f"The model fails for some kinds of neuron: the masked MEI evokes less than {100 * goal:.0f} % of "
        f"the response to the optimum (medians) in {named(short, why)}; it reaches that share in "
        f"{named(reached) or 'no kind'}."
    )


def known_truth(table, kinds):
    """Say how many neurons have known true responses (`table`); `kinds` is None for a recorded session."""
    if kinds is None:
        return "*This is a recorded session: only an experiment can tell how its neurons really respond.*"
    return f"The true responses to all stimuli are known for {len(table)} of the selected neurons."


def truth_sentences(table, *, goal, alpha=0.05):
    """Say how near MEIs, best Gabors and recorded maps come to the truth of simulated units, by name.

    Of `known_truth`; a kind of unit is named below the share `goal` of the response to the optimum.
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
    """Say whether MEIs lie where the recorded Gabors found the receptive fields of `n` units.

    `test` is that of `lib.population.tests.field_distances`.
    """
    if test is None:
        return (
            f"The number of selected neurons with both an MEI and a significant map of recorded Gabors is "
            f"{n}, too few to test where MEIs lie ({FEWEST_PAIRS} needed)."
        )
    size = (
        f"median distance {test['median']:.1f} degrees, {test['shuffled']:.1f} with neurons shuffled, "
        f"n = {test['n']}"
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
    above = int((known.gabor_prediction > known.gabor_prediction_ceiling).sum())
    noisy = f", an estimate so noisy that {counted(above, 'model')} exceed it" if above else ""
    return (
        f"The model predicts the responses to recorded Gabors better than chance in "
        f"{int((p < alpha).sum())} of {tested} selected neurons (conditions permuted, Holm's correction). "
        f"The median correlation is {known.gabor_prediction.median():.2f}; the median that perfect models "
        f"are estimated to reach is {known.gabor_prediction_ceiling.median():.2f}{noisy}."
    )


def area_sentences(table, measures=AREA_MEASURES):
    """Give the medians of the areas of a run; no test, since units of a session are no independent draws.

    As `by_area`; units without a value are left out. Empty for a run on one area; a measure that fewer than
    two areas have for five units is reported as not compared.
    """
    if table.structure.nunique() < 2:
        return []
    said = []
    for words, column in measures.items():
        areas = table.groupby("structure")[column].agg(["median", "count"]).query("count >= 5")
        if len(areas) < 2:
            said.append(f"The areas were not compared in {words}, which too few units have.")
            continue
        medians = listed(
            f"{row['median']:.3f} in {area} (n = {row['count']:.0f})" for area, row in areas.iterrows()
        )
        said.append(f"In the median, {words} is {medians}.")
    return [*said, "Units of a session share images and animal, so areas are not tested against each other."]
