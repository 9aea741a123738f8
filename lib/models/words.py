"""What the page of the response model says of the fitted models of one unit."""

import numpy as np
import pandas as pd

from lib import statistics, words
from lib.models import by_images
from lib.models.left_out import LEAST_CEILING
from lib.responses.tuning import FIELD_P, MEASURES
from lib.statistics import FEWEST_PAIRS
from lib.words import listed

ALPHA = 0.05  # of permutation tests


def describe_prediction(model, row):
    """Say how well a model predicts a unit, and whether that could be chance.

    `model` is its kind, `row` that of the unit and the model in the scores of
    `lib.models.fit_run.fit_models`.
    """
    chance = (
        "The prediction is better than chance"
        if row.permutation_p < ALPHA
        else "The prediction is not distinguishable from chance"
    )
    return (
        f"The predictions of the *{model}* model correlate with the mean responses at "
        f"**{row.correlation_to_average:.3f}** (95 % interval over images {row.correlation_low:.3f} to "
        f"{row.correlation_high:.3f}; it holds for the images shown, less often for other scenes) and with "
        f"single trials at {row.single_trial_correlation:.3f}. A "
        f"perfect model would reach CCmax = {row.cc_max:.3f}, so the normalised correlation is "
        f"{row.cc_norm:.3f}; the model explains {100 * row.feve:.0f} % of the explainable variance (FEVE). "
        f"{chance} (images permuted, p = {row.permutation_p:.4f})."
    )


def describe_ranking(scores):
    """Say which model predicts a unit best, and which are clearly worse.

    `scores` (index model) has the columns `correlation_to_average` and `correlation_high`, of one unit.
    """
    ranking = scores.correlation_to_average.dropna().sort_values(ascending=False)
    if ranking.empty:
        return "No model's correlation with the mean responses is defined."
    best, top = ranking.index[0], ranking.iloc[0]
    text = f"The *{best}* model has the highest correlation with the mean responses ({top:.3f})."
    if len(ranking) == 1:
        return text
    below = [f"*{name}* ({r:.3f})" for name, r in ranking.items() if scores.correlation_high[name] < top]
    if not below:
        return f"{text} The intervals of all other models include it: this neuron does not tell them apart."
    return f"{text} It lies above the intervals of {listed(below)}."


def describe_training(model, stimuli):
    """Say what the models learned from: the chosen kind, if it is v1, from other stimuli of the session too.

    `stimuli` are the names of these, of `lib.models.training_sets.held`.
    """
    if model != "v1" or not stimuli:
        return "All models learned from natural scenes alone."
    names = listed(name.replace("_", " ") for name in stimuli)
    return (
        f"Besides natural scenes, the *{model}* model learned from {names}; any other model learned from "
        "natural scenes alone."
    )


def describe_choice(model, images):
    """Say which kind of model predicts best, in simulation, where there are so many images to learn from."""
    kind, size = by_images.best_kind(images)
    measured = (
        f"On simulated neurons and {size:,} images (the measured number nearest to the {images:,} here)"
    )
    if model not in set(by_images.measured().model):
        return f"{measured}, *{kind}* predicts best; *{model}* was not measured."
    if kind == model:
        return f"{measured}, the chosen kind, *{model}*, predicts best."
    return (
        f"{measured}, *{kind}* predicts better than the chosen kind, *{model}*: consider `cnn.model: {kind}`."
    )


def describe_learning(history):
    """Say for how long the network of a unit was trained by gradient descent, if it was (else None)."""
    if history is None:
        return "*No model of this neuron was trained by gradient descent.*"
    return (
        f"The *published* network of this neuron was trained for up to {np.max(history['epoch']):.0f} "
        "epochs; the curves are means over folds."
    )


def describe_sensitivity(field, centre, *, degrees_per_pixel):
    """Say where the sensitivity of a model lies, and how large it is.

    `field` (h, w) is that of `lib.models.ensemble.sensitivity`, its maximum 1; `centre` (x, y) in degrees.
    """
    area = (field > 0.5).sum() * degrees_per_pixel**2
    return (
        f"The receptive field is centred at azimuth {centre[0]:.1f} and elevation {centre[1]:.1f} degrees; "
        f"the sensitivity exceeds half its maximum over {area:.0f} square degrees."
    )


CLASSES = {
    "natural_scenes": "natural scenes",
    "natural_movies": "natural movies",
    "static_gratings": "static gratings",
    "gabors": "Gabors",
}


def describe_classes(classes):
    """Say which classes a session holds, and of how many responses; one alone is one of the answers."""
    held = [
        f"{CLASSES[name]} ({sum(len(frames) for frames, _ in sets)} responses of "
        f"{' and '.join(str(n) for n in sorted({len(counts) for _, counts in sets}))} repeats)"
        for name, sets in classes.items()
    ]
    if len(held) == 1:
        return (
            "This recording holds natural scenes alone: no other stimulus can be learned from or predicted."
        )
    return f"Each is left out in turn, and the model learns from the rest: {', '.join(held)}."


def shown_transfer(summary):
    """Rows of `lib.models.left_out.summary` as a page shows them."""
    table = pd.DataFrame(
        {
            "units": summary.units,
            "r": summary.r,
            "ceiling": summary.ceiling,
            "r / ceiling": summary.r_over_ceiling,
            "95 % interval": _intervals(summary.low, summary.high),
            "other unit": summary.other_unit,
            "own less other": summary.median_difference,
            "95 % interval ": _intervals(summary.difference_low, summary.difference_high),
            "own is higher": summary.higher,
        }
    )
    return table.rename(index=CLASSES).rename_axis(columns="left out").style.format(precision=2, na_rep="–")


def transfer_sentences(summary):
    """Say of every class what the others tell of it, and whether it is the unit's own."""
    said = []
    for name, row in summary.iterrows():
        size = f"{row.r_over_ceiling:.2f} of the ceiling"
        if np.isfinite(row.low):
            size += f" (95 % interval {row.low:.2f} to {row.high:.2f})"
        told = (
            f"{CLASSES[name].capitalize()}, never shown to the model, are "
            f"predicted with r = {row.r:.2f}, {size}; medians over {row.units:.0f} units."
        )
        if row.compared < FEWEST_PAIRS:
            control = "Too few units can be compared with the other units' models."
        else:
            difference = (
                f"its own is better in {row.higher:.0f} of {row.compared:.0f} units, by "
                f"{row.median_difference:+.2f} in the median ({row.difference_low:+.2f} to "
                f"{row.difference_high:+.2f})"
            )
            control = (
                f"Another unit's model reaches {row.other_unit:.2f}; {difference}."
                if row.difference_low > 0 or row.difference_high < 0
                else f"That is no evidence of tuning specific to a unit: another unit's model reaches "
                f"{row.other_unit:.2f}; {difference}."
            )
        said.append(f"{told} {control}")
    return said or [f"No unit has a ceiling of {LEAST_CEILING:g} or more: nothing can be said."]


def shown_transfer_agreement(agreement):
    """Rows of `lib.models.left_out.agreement_with_truth` as a page shows them."""
    labels = {
        "units": "units",
        "true_r": "r with the truth",
        "median_difference": "r / ceiling less it",
        "median_error": "size of the difference",
        "rank_correlation": "rank correlation",
    }
    table = agreement.rename(columns=labels, index=CLASSES).rename_axis(columns="left out")
    return table.style.format(precision=2, na_rep="–")


def transfer_agreements(agreement):
    """Say how far r over ceiling can be trusted, from units whose true responses are known."""
    return [
        f"{CLASSES[name].capitalize()}: r over ceiling differs from the "
        f"correlation with the true responses by {row.median_difference:+.2f} (median over {row.units:.0f} "
        f"units; size {row.median_error:.2f})"
        + (
            f" and ranks the units as it does with {row.rank_correlation:.2f} (Spearman)."
            if np.isfinite(row.rank_correlation)
            else "."
        )
        for name, row in agreement.iterrows()
    ]


def _intervals(low, high):
    return [f"{a:.2f} to {b:.2f}" if np.isfinite([a, b]).all() else words.MISSING for a, b in zip(low, high)]


# ---- physiology ---------------------------------------------------------------------------------

MEASURED = {  # of `lib.responses.tuning.MEASURES`: what it is, and the unit of an error
    "centre": ("centre of the receptive field", "degrees"),
    "size": ("size of the receptive field", ""),
    "orientation": ("preferred orientation", "degrees"),
    "frequency": ("preferred spatial frequency", "octaves"),
    "phase": ("preferred phase", "cycles"),
    "gOSI": ("orientation selectivity (gOSI)", ""),
    "phase modulation": ("modulation by the phase of static gratings", ""),
    "F1/F0": ("F1/F0", ""),
    "C50": ("contrast of half the response (C50)", ""),
    "preferred size": ("preferred size", ""),
    "suppression": ("suppression by large gratings", ""),
}
SHOWN_TUNING = {
    "x_rf": "azimuth (deg)",
    "y_rf": "elevation (deg)",
    "size_rf": "field size (deg)",
    "pref_ori_sg": "orientation (deg)",
    "pref_sf_sg": "frequency (cycles/deg)",
    "pref_phase_sg": "phase (cycles)",
    "g_osi_sg": "gOSI",
    "phase_modulation_sg": "phase modulation",
    "f1_f0": "F1/F0",
    "c50": "C50",
    "preferred_size": "preferred size (deg)",
    "suppression_index": "suppression index",
}


def describe_physiology(recorded, fits):
    """Say what a session shows of tuning, and which of it the model has learned from.

    `recorded` is of `lib.responses.tuning.recorded_measures`; `fits`, of `lib.models.fit_run`, names model
    and stimuli: only v1 learns from more than natural scenes, and "available" stands for movies and static
    gratings.
    """
    said, learned = [], fits.stimuli if fits.model == "v1" else []
    for name, column, is_learned in (
        ("Gabors at a grid of positions", "x_rf", "gabors" in learned),
        ("static gratings", "pref_ori_sg", {"static_gratings", "available"} & set(learned)),
    ):
        if column not in recorded:
            said.append(
                f"The session shows no {name}, so what they would tell is known from the model alone."
            )
        elif is_learned:
            said.append(
                f"The session shows {name}. The model has learned from these responses, so that its "
                "agreement with them is no test of it."
            )
        else:
            said.append(f"The session shows {name}, from which the model has not learned.")
    if "p_value_rf" in recorded:
        found = (recorded.p_value_rf < FIELD_P).sum()
        said.append(
            f"{words.counted(found, 'unit')} of {len(recorded)} respond differently to Gabors at different "
            f"places (permutation p < {FIELD_P:g}); receptive fields are compared for these."
        )
    return said


def shown_agreement(agreement):
    """Rows of `lib.responses.tuning.agreement` as a page shows them."""
    table = pd.DataFrame(
        {
            "units": agreement.units,
            "compared by": [_compared_by(name) for name in agreement.index],
            "agreement": agreement.value,
            "95 % interval": _intervals(agreement.low, agreement.high),
            "other unit": agreement.other,
            "p": agreement.p.map("{:.2g}".format).replace("nan", words.MISSING),
        }
    )
    names = {name: text for name, (text, _) in MEASURED.items()}
    return table.rename(index=names).style.format({"agreement": "{:.2f}", "other unit": "{:.2f}"}, na_rep="–")


def _compared_by(name):
    unit = MEASURED[name][1]
    return f"{_average(name)} error ({unit})" if unit else "ranks"


def _average(name):
    return "median" if MEASURES[name].average is np.median else "mean"


def agreement_sentences(agreement, first, second):
    """Say of every measure how far two sources agree, and whether two different units would as well.

    `agreement` is of `lib.responses.tuning.agreement` and may be empty; `first` and `second` are the sources
    as they stand in a sentence: "the model", "the recording". The tests are corrected over the measures
    (Holm).
    """
    if agreement.empty:
        return [f"No measure is available from both {first} and {second}."]
    corrected = dict(zip(agreement.index, statistics.holm(agreement.p.to_numpy(float))))
    said = []
    for name, row in agreement.iterrows():
        what, unit = MEASURED[name]
        what = what[0].upper() + what[1:]
        if not np.isfinite(row.value):
            said.append(
                f"{what}: not compared, because too few units ({row.units:.0f}) have both values or all "
                "values are alike."
            )
            continue
        size = f"95 % interval {row.low:.2f} to {row.high:.2f}, {row.units:.0f} units"
        p = f"p = {corrected[name]:.2g}"
        if unit:
            text = (
                f"{what}: {first} differs from {second} by {row.value:.2f} {unit} ({_average(name)}; {size})"
            )
            alone = f"{first} of another unit would differ by {row.other:.2f}"
            sure, unsure = f"; {alone} ({p}).", f", which is no better than chance: {alone} ({p})."
        else:
            text = f"{what}: the ranks in {first} and {second} correlate at {row.value:.2f} ({size}"
            sure, unsure = f"; {p}).", f"; {p}): no agreement was found."
        said.append(text + (sure if corrected[name] < ALPHA else unsure))
    return said


def shown_physiology(tables):
    """A unit a row and a measure of `SHOWN_TUNING` a column, the sources side by side: {source: table}."""
    columns = {
        f"{label}: {source}": table[name]
        for name, label in SHOWN_TUNING.items()
        for source, table in tables.items()
        if name in table
    }
    return pd.DataFrame(columns).rename_axis("unit").reset_index().style.format(precision=2, na_rep="–")


def describe_patches(measures):
    """Say how units respond to gratings of other sizes and contrasts in their models."""
    known = measures.dropna(subset=["f1_f0"])
    if known.empty:
        return "No selected unit responds to gratings in its model: nothing can be said of size and contrast."
    return (
        f"Medians over {words.counted(len(known), 'selected unit')}: the preferred size is "
        f"{known.preferred_size.median():.0f} degrees; a grating of 90 degrees evokes "
        f"{100 * known.suppression_index.median():.0f} % less than the best size; half of the response to "
        f"contrast is reached at {known.c50.median():.2f}. F1/F0 exceeds 1, as in simple cells, in "
        f"{(known.f1_f0 > 1).sum()} of {len(known)}."
    )


def no_truth():
    """Say that there is no truth to compare with."""
    return "*This is a recorded session, so the truth is not known.*"


def no_metrics():
    """Say that a source holds none of the Allen Institute's figures."""
    return (
        "*The source holds none of the Allen Institute's figures of these units; the chapter on your own "
        "data says where the report looks for them.*"
    )
