"""The sentences of the MEI's page, written from what the run computed."""

import pandas as pd

AGREEMENT = {"image_correlation": "correlation of the pixels",
             "energy_correlation": "correlation of the local energy, whatever the phase",
             "response_ratio": "ratio of the responses"}


def made(makers, judges, *, kind, mean, contrast, fraction, natural_contrast, finest_detail):
    """Say on what models and under which limits the images were made.

    Parameters
    ----------
    makers, judges : list
        Of models, of `kind`.
    mean, contrast : float
        Of every image.
    fraction, natural_contrast : float
        Whose product the contrast is.
    finest_detail : float
        Cycles per degree.
    """
    return (f"Made on {len(makers)} models of kind *{kind}*, judged by {len(judges)}. Every image has "
            f"mean {mean:.3f} and RMS contrast {contrast:.4f}, {fraction:g} of C* = {natural_contrast:.4f}: "
            "a pattern of the size of a receptive field on grey could not have the full C* without "
            "leaving the displayable range. No image is given detail above "
            f"{finest_detail:g} cycles per degree.")


def shown_agreement(agreed):
    """`mei.agreements` as a page shows it."""
    return pd.DataFrame(agreed).T.rename(columns=AGREEMENT).style.format(precision=3, na_rep="–")


def masked(mask, *, kept, degrees_per_pixel):
    """Say how much of the response the MEI (`kept`, of the ascent's) and its `MEIMask` keep."""
    inside = mask.mask > 0.5
    return (f"The MEI draws {100 * kept:.0f} % of the predicted response to the end of the ascent. Its "
            f"mask covers {inside.sum() * degrees_per_pixel**2:.0f} square degrees "
            f"({100 * inside.mean():.0f} % of the image) and keeps "
            f"{100 * mask.masked_response / mask.response:.0f} % of the response.")


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
    finding = ("the model answers patterns that are unlike each other" if correlations[1] < alike else
               "nothing unlike the MEI was found to draw nearly as much")
    answers = ", ".join(f"{r:.2f}" for r in heard[:-2])
    return (f"The others draw {100 * min(drives[1:]) / drives[0]:.0f} % or more of the MEI's response on "
            f"the models that made them; the first correlates {correlations[1]:.2f} with the MEI: "
            f"{finding}. The judges answer {answers} spikes to MEI and others, {heard[-2]:.2f} to the most "
            f"inhibiting image and {heard[-1]:.2f} to grey.")


def judged(word, reasons, row):
    """Say the verdict, what the judges answer (`row` of `mei.transfer`) and what speaks against it."""
    text = (f"**Verdict: {word}.** The models that did not make it answer {row.response:.2f} spikes "
            f"({row.grey_response:.2f} to grey), {100 * row.transfer:.0f} % of the rise that the makers "
            f"predict; it beats {100 * row.natural_fraction_below:.0f} % of the natural images at equal "
            "mean, contrast and mask.\n")
    return text + "".join(f"\n- {reason}" for reason in reasons)


def published(mine, theirs, *, contrast):
    """Say what the judges answer to the MEI and to the published image at equal contrast."""
    return (f"At equal mean and contrast the judges answer {mine:.2f} to the MEI and {theirs:.2f} to "
            f"the published image, whose own contrast ended at {contrast:.3f}.")
