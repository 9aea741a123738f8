"""What the page of the response model says of the fitted models of one unit."""

import numpy as np

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
        return "No model of this neuron was trained by gradient descent."
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
