"""The sentences of the MEI's page, written from what the run computed."""

import numpy as np
import pandas as pd

from lib.mei.recovery import shortest_design
from lib.words import listed

AGREEMENT = {
    "image_correlation": "correlation of the pixels",
    "energy_correlation": "correlation of the local energy, whatever the phase",
    "response_ratio": "ratio of the responses",
}


def made(makers, judges, *, kind, target, fraction, natural_contrast, finest_detail):
    """Say on what models and under which limits the images were made.

    Parameters
    ----------
    makers, judges : list
        Of models, of `kind`.
    target : Target
        Mean and contrast of every image.
    fraction, natural_contrast : float
        Whose product the contrast is.
    finest_detail : float
        Cycles per degree.
    """
    return (
        f"Made on {len(makers)} models of kind *{kind}*, judged by {len(judges)}. Every image has "
        f"mean {target.mean:.3f} and RMS contrast {target.contrast:.4f}, {fraction:g} of C* = "
        f"{natural_contrast:.4f}: "
        "a pattern of the size of a receptive field on grey could not have the full C* without "
        "leaving the displayable range. No image is given detail above "
        f"{finest_detail:g} cycles per degree."
    )


def shown_agreement(agreed):
    """`verdict.agreements` as a page shows it."""
    return pd.DataFrame(agreed).T.rename(columns=AGREEMENT).style.format(precision=3, na_rep="–")


def masked(mask, *, kept, degrees_per_pixel):
    """Say how much of the response the MEI (`kept`, of the ascent's) and its `MEIMask` keep."""
    inside = mask.mask > 0.5
    return (
        f"The MEI draws {100 * kept:.0f} % of the predicted response to the end of the ascent. Its "
        f"mask covers {inside.sum() * degrees_per_pixel**2:.0f} square degrees "
        f"({100 * inside.mean():.0f} % of the image) and keeps "
        f"{100 * mask.masked_response / mask.response:.0f} % of the response."
    )


def others(drives, correlations, heard, *, alike=0.5):
    """Say whether images unlike the MEI drive the model, and what the judges answer.

    Parameters
    ----------
    drives, correlations : (n,) arrays
        Of `diverse_exciting_inputs`, the MEI first.
    heard : (n + 2,) array
        The judges' responses to these images, to the most inhibiting one and to grey.
    alike : float
        Correlation with the MEI below which the first other image counts as unlike it.
    """
    finding = (
        "the model answers patterns that are unlike each other"
        if correlations[1] < alike
        else "nothing unlike the MEI was found to draw nearly as much"
    )
    answers = ", ".join(f"{r:.2f}" for r in heard[:-2])
    return (
        f"The others draw {100 * min(drives[1:]) / drives[0]:.0f} % or more of the MEI's response on "
        f"the models that made them; the first correlates {correlations[1]:.2f} with the MEI: "
        f"{finding}. The judges answer {answers} spikes to MEI and others, {heard[-2]:.2f} to the most "
        f"inhibiting image and {heard[-1]:.2f} to grey."
    )


def judged(word, reasons, row):
    """Say the verdict, what the judges answer (`row` of `verdict.transfer`) and what speaks against it."""
    text = (
        f"**Verdict: {word}.** The models that did not make it answer {row.response:.2f} spikes "
        f"({row.grey_response:.2f} to grey), {100 * row.transfer:.0f} % of the rise that the makers "
        f"predict; it beats {100 * row.natural_fraction_below:.0f} % of the natural images at equal "
        "mean, contrast and mask.\n"
    )
    return text + "".join(f"\n- {reason}" for reason in reasons)


def published(mine, theirs, *, contrast):
    """Say what the judges answer to the MEI and to the published image at equal contrast."""
    return (
        f"At equal mean and contrast the judges answer {mine:.2f} to the MEI and {theirs:.2f} to "
        f"the published image, whose own contrast ended at {contrast:.3f}."
    )


SHOWN = {
    "optimum": "true optimum",
    "whole_mei": "MEI",
    "ascent": "end of ascent",
    "masked_mei": "masked MEI",
    "natural": "best image",
    "published": "published",
    "grey": "grey",
    "inhibiting": "most inhibiting",
}


def shown_responses(scalars):
    """Return names and true responses of the stimuli of `judge_mei` as a page shows them, best first."""
    return [*SHOWN.values()], [scalars[f"{name}_true_response"] for name in SHOWN]


def sentence(scalars):
    """Say in plain words what `judge_mei` found, and that a recorded neuron ({}) has no known truth.

    Errors the unit does not define are left out.
    """
    if not scalars:
        return "*This is a recorded neuron: only an experiment can tell.*"
    mine, reached = scalars["whole_mei_true_response"], scalars["optimum_true_response"]
    text = (
        f"This simulated neuron is of kind *{scalars['truth_kind']}*. It really answers {mine:.2f} "
        f"spikes to the whole MEI, {scalars['natural_true_response']:.2f} to the best natural image in the "
        f"mask and {scalars['grey_true_response']:.2f} to grey"
    )
    if not np.isfinite(scalars["mei_truth_correlation"]):
        return text + ": no image matters to it."
    errors = [
        f"{scalars[f'whole_mei_{name}_error_{unit}']:.2f} {word} in {said}"
        for name, unit, word, said in (
            ("position", "deg", "degrees", "position"),
            ("orientation", "deg", "degrees", "orientation"),
            ("frequency", "octaves", "octaves", "spatial frequency"),
        )
        if np.isfinite(scalars[f"whole_mei_{name}_error_{unit}"])
    ]
    return (
        f"{text}. The MEI draws {100 * mine / reached:.0f} % of the {reached:.2f} spikes to the true "
        f"optimum of that mean and contrast; the two correlate "
        f"{scalars['mei_truth_correlation']:.3f}, and the MEI is off by {', '.join(errors)}."
    )


ERRORS = {
    "position_error_deg": "degrees in position",
    "orientation_error_deg": "degrees in orientation",
    "frequency_error_octaves": "octaves in spatial frequency",
}


def describe_errors(errors):
    """Say how far an MEI misses the true optimum; errors that the unit does not define are left out.

    Parameters
    ----------
    errors : dict of str to float
        Of `lib.mei.truth.tuning_errors`; empty for a recorded neuron.

    Returns
    -------
    str
    """
    if not errors:
        return "This is a recorded neuron, whose true tuning is unknown."
    defined = [f"{errors[name]:.2f} {words}" for name, words in ERRORS.items() if np.isfinite(errors[name])]
    if not defined:
        return "This simulated neuron is untuned, so tuning errors are undefined."
    return f"The MEI misses the true optimum by {listed(defined)}."


def gabor_sentence(scalars, *, predicted, optimum):
    """Say what `judge_gabor` found beside the optimum and the predicted responses.

    Parameters
    ----------
    scalars : dict
        Of `judge_gabor`.
    predicted : dict
        Predicted responses to mei (masked) and gabor, spikes.
    optimum : float
        True response to the optimum, spikes.
    """
    mine, gabor, image = (scalars[f"{name}_true_response"] for name in ("mei", "gabor", "image"))

    def answer(response):
        return f"{response:.2f} ({100 * response / optimum:.0f} %)"

    return (
        f"In truth this simulated neuron answers {answer(mine)} spikes to the MEI under its mask, "
        f"{answer(gabor)} to the best Gabor and {answer(image)} to the natural image, in brackets "
        f"as parts of the {optimum:.2f} to its optimum: the gain of the masked MEI over the Gabor "
        f"is predicted as {predicted['mei'] / predicted['gabor']:.2f} and is "
        f"{mine / max(gabor, 1e-6):.2f}."
    )


def recovery_sentence(by_design, *, goal):
    """Say which design at the units' own rate is the shortest that reaches a goal, or that none does."""
    best = shortest_design(by_design, goal=goal)
    if best is None:
        top = by_design.loc[by_design["median"].idxmax()]
        return (
            f"No design at the units' own rate reaches {goal:g} of the optimum's response in the "
            f"median; the most that any reaches is {top['median']:.2f}."
        )
    return (
        f"At the units' own rate ({best.spikes_per_second:.1f} spikes per second) the shortest of "
        f"these recordings whose MEIs reach {goal:g} of the optimum's response in the median shows "
        f"{best.images:.0f} images {best.repeats:.0f} times, {best.minutes:.1f} minutes of "
        f"stimulation; it reaches {best['median']:.2f} (95 % interval {best.low:.2f} to "
        f"{best.high:.2f})."
    )
