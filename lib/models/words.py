"""What the page of the response model says of the fitted models of one unit."""

import numpy as np
import pandas as pd

from lib import words
from lib.models.left_out import LEAST_CEILING
from lib.words import listed


def describe_prediction(model, row, *, alpha=0.05):
    """Say how well a model predicts a unit, and whether that could be chance.

    Parameters
    ----------
    model : str
        Its kind.
    row : Series
        Of the unit and the model, in the scores of `lib.models.fit_run.fit_models`.
    alpha : float
        Of the permutation test.

    Returns
    -------
    str
    """
    chance = (
        "The prediction is better than chance"
        if row.permutation_p < alpha
        else "The prediction is not distinguishable from chance"
    )
    return (
        f"The predictions of the *{model}* model correlate with the mean responses at "
        f"**{row.correlation_to_average:.3f}** (95 % interval over images {row.correlation_low:.3f} to "
        f"{row.correlation_high:.3f}) and with single trials at {row.single_trial_correlation:.3f}. A "
        f"perfect model would reach CCmax = {row.cc_max:.3f}, so the normalised correlation is "
        f"{row.cc_norm:.3f}; the model explains {100 * row.feve:.0f} % of the explainable variance (FEVE). "
        f"{chance} (images permuted, p = {row.permutation_p:.4f})."
    )


def describe_ranking(scores):
    """Say which model predicts a unit best, and which are clearly worse.

    Parameters
    ----------
    scores : DataFrame
        Of one unit: index model; `correlation_to_average` and `correlation_high`.

    Returns
    -------
    str
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
    """Say what the models learned from.

    Parameters
    ----------
    model : str
        The chosen kind; only v1 learns from more than natural scenes.
    stimuli : list of str
        Other stimuli of the session: of `lib.models.training_sets.held`.

    Returns
    -------
    str
    """
    if model != "v1" or not stimuli:
        return "All models learned from natural scenes alone."
    names = listed(name.replace("_", " ") for name in stimuli)
    return (
        f"Besides natural scenes, the *{model}* model learned from {names}; any other model learned from "
        "natural scenes alone."
    )


def describe_learning(history):
    """Say for how long the network of a unit was trained by gradient descent, if it was.

    Parameters
    ----------
    history : dict or None
        Of `lib.models.fit_run.learning_curves`.

    Returns
    -------
    str
    """
    if history is None:
        return "*No model of this neuron was trained by gradient descent.*"
    return (
        f"The *published* network of this neuron was trained for up to {np.max(history['epoch']):.0f} "
        "epochs; the curves are means over folds."
    )


def describe_sensitivity(field, centre, *, degrees_per_pixel):
    """Say where the sensitivity of a model lies, and how large it is.

    Parameters
    ----------
    field : (h, w) array
        Of `lib.models.ensemble.sensitivity`, its maximum 1.
    centre : (x, y)
        Degrees.
    degrees_per_pixel : float

    Returns
    -------
    str
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
            "p (Holm)": summary.p_holm.map("{:.2g}".format).replace("nan", words.MISSING),
        }
    )
    return table.rename(index=CLASSES).rename_axis(columns="left out").style.format(precision=2, na_rep="–")


def transfer_sentences(summary, *, alpha=0.05):
    """Say of every class what the others tell of it, and whether it is the unit's own."""
    said = []
    for name, row in summary.iterrows():
        size = f"{row.r_over_ceiling:.2f} of the ceiling"
        if np.isfinite(row.low):
            size += f" (95 % interval {row.low:.2f} to {row.high:.2f})"
        told = (
            f"{CLASSES[name].capitalize() if name != 'gabors' else 'Gabors'}, never shown to the model, are "
            f"predicted with r = {row.r:.2f}, {size}; medians over {row.units:.0f} units."
        )
        if not np.isfinite(row.p_holm):
            control = "Too few units for a test against the other units' models."
        elif row.p_holm >= alpha:
            control = (
                f"That is no proof of tuning of a unit's own: another unit's model reaches "
                f"{row.other_unit:.2f}, and no difference was found (p = {row.p_holm:.2g})."
            )
        else:
            verb = "more" if row.effect_size > 0 else "less"
            control = (
                f"Another unit's model reaches {row.other_unit:.2f}; a unit's own does {verb} "
                f"(median difference {row.median_difference:+.2f}, {row.difference_low:+.2f} to "
                f"{row.difference_high:+.2f}, p = {row.p_holm:.2g})."
            )
        said.append(f"{told} {control}")
    if not said:
        said.append(f"No unit has a ceiling of {LEAST_CEILING:g} or more: nothing can be said.")
    return said


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
        f"{CLASSES[name].capitalize() if name != 'gabors' else 'Gabors'}: r over ceiling differs from the "
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
