"""Can a most exciting input be believed? Agreement over starts and models, transfer, verdict."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.models.ensemble import predicted_responses
from lib.stimuli.contrast import Target, set_mean_contrast
from lib.stimuli.metrics import local_energy

# What a unit's figures must reach: (to be reliable, to be supported at all). Their meanings: `lib.mei.words`.
VERDICT_RULES = {
    "prediction_low": (0.1, 0.0),
    "cc_norm": (0.7, 0.2),  # 0.7: half of the variance that noise leaves to explain
    "start_response_ratio": (0.9, 0.5),
    "start_energy_correlation": (0.7, 0.3),
    "member_energy_correlation": (0.6, 0.2),
    "transfer": (0.7, 0.3),
    "natural_fraction_below": (1.0, 0.95),
}


class Missed(NamedTuple):
    """A figure below a threshold: the second if it misses that too, else the first; NaN: not measured."""

    name: str
    value: float
    threshold: float


def agreement(images, responses, *, degrees_per_pixel, best=None) -> dict:
    """How much the images made for one unit, from several starts or models, agree.

    All pairs count, or, given `best`, those with this image: an ascent that stalled says nothing against
    the image that the others found again.

    Parameters
    ----------
    images : (n, h, w) array
    responses : (n,) array
    degrees_per_pixel : float
    best : int, optional
        Index of one of the images.

    Returns
    -------
    dict of float
        `image_correlation` and `energy_correlation` (of the local energy, so the same whatever
        the phase), means over the pairs; `response_ratio`, smallest over largest. With `best`,
        medians over the other images, their responses over that to it.
    """
    images, responses = np.asarray(images), np.asarray(responses)
    if images.ndim != 3 or len(images) < 2 or responses.shape != images.shape[:1]:
        raise ValueError(
            f"images {images.shape} and responses {responses.shape}, expected "
            "(n, h, w) and (n,) with n at least 2"
        )
    energy = [local_energy(i, degrees_per_pixel=degrees_per_pixel).ravel() for i in images]
    others = np.arange(len(images)) != best
    pairs, middle, ratio = (
        (np.triu_indices(len(images), 1), np.mean, responses.min() / responses.max())
        if best is None
        else ((best, others), np.median, np.median(responses[others]) / responses[best])
    )
    return {
        "image_correlation": float(middle(np.corrcoef(images.reshape(len(images), -1))[pairs])),
        "energy_correlation": float(middle(np.corrcoef(energy)[pairs])),
        "response_ratio": float(ratio),
    }


def agreements(found, per_member, *, degrees_per_pixel) -> dict:
    """How far one unit's images agree, over starts and over the models that make them.

    Parameters
    ----------
    found : MEIResult
        Of one unit.
    per_member : MEIResult
        The images that the models make alone, a unit a model.
    degrees_per_pixel : float

    Returns
    -------
    dict of dict
        `agreement` under "over starts" and "over fold models"; the second is empty for one model.
    """
    many = len(per_member.best) > 1
    return {
        "over starts": agreement(
            found.images[0], found.responses[0], best=found.best[0], degrees_per_pixel=degrees_per_pixel
        ),
        "over fold models": agreement(
            per_member.best_images, per_member.best_responses, degrees_per_pixel=degrees_per_pixel
        )
        if many
        else {},
    }


def evidence(judged, agreed, *, prediction) -> dict:
    """The figures that `verdict` weighs, NaN for what was not measured.

    Parameters
    ----------
    judged : Series
        A row of `transfer`.
    agreed : dict
        Of `agreements`.
    prediction : dict
        Scalars of 04_cnn: correlation_low and cc_norm, None for what was not measured.
    """
    starts, members = agreed["over starts"], agreed["over fold models"]
    return {
        **{
            name: np.nan if prediction[key] is None else prediction[key]
            for name, key in (("prediction_low", "correlation_low"), ("cc_norm", "cc_norm"))
        },
        "start_response_ratio": starts["response_ratio"],
        "start_energy_correlation": starts["energy_correlation"],
        "member_energy_correlation": members.get("energy_correlation", np.nan),
        "transfer": judged.transfer,
        "natural_fraction_below": judged.natural_fraction_below,
    }


def transfer(
    makers, judges, images, target: Target, *, units, natural_images, masks=None, batch_size=64
) -> pd.DataFrame:
    """Whether MEIs drive models that had no part in making them.

    Parameters
    ----------
    makers, judges : torch module or list of them
        The models the images were made on, and others.
    images : (units, h, w) array
        One MEI per unit.
    target : Target
        Their mean and contrast.
    units : sequence of int
    natural_images : (n, h, w) array
        Brought to the same mean and contrast, within `masks` (units, h, w) if given.

    Returns
    -------
    DataFrame, one row per unit
        `maker_response`, `response` (judges), `grey_response` (judges), `best_natural_response`
        (judges, of the natural image that the makers prefer), `transfer` = rise above grey of
        the judges over that of the makers, `natural_rank` (1: above every natural image),
        `natural_fraction_below`.
    """
    units, n = list(units), len(images)
    grey = np.full((1, *images.shape[1:]), target.mean, np.float32)
    own = np.arange(n)
    makers_own, judges_own = (
        predicted_responses(m, images, units=units, batch_size=batch_size)[own, own] for m in (makers, judges)
    )
    makers_grey, judges_grey = (predicted_responses(m, grey, units=units)[0] for m in (makers, judges))
    natural = [
        _natural_responses((makers, judges), natural_images, u, target.within(mask), batch_size)
        for u, mask in zip(units, [None] * n if masks is None else masks, strict=True)
    ]
    by_makers, by_judges = np.array(natural).transpose(1, 0, 2)
    above = (by_judges >= judges_own[:, None]).sum(1)
    return pd.DataFrame(
        {
            "maker_response": makers_own,
            "response": judges_own,
            "grey_response": judges_grey,
            "best_natural_response": by_judges[own, by_makers.argmax(1)],
            "transfer": (judges_own - judges_grey) / (makers_own - makers_grey),
            "natural_rank": 1 + above,
            "natural_fraction_below": 1 - above / by_judges.shape[1],
        },
        index=pd.Index(units, name="unit"),
    )


def _natural_responses(models, images, unit, target, batch_size):
    """(models, n): responses of one unit to natural images at a mean, contrast and mask."""
    stimuli = set_mean_contrast(images, target)
    return [predicted_responses(m, stimuli, units=[unit], batch_size=batch_size)[:, 0] for m in models]


def verdict(figures, *, rules=VERDICT_RULES):
    """Judge whether a unit's MEI can be believed.

    Parameters
    ----------
    figures : dict of float
        Any of the keys of `rules`; a figure that is missing or NaN was not measured.
    rules : dict
        Name: (value to be reliable, value to be supported at all).

    Returns
    -------
    word : str
        "not supported" if any figure misses its second threshold, "reliable" if all reach the
        first, otherwise "uncertain".
    missed : list of Missed
        Every figure that misses a threshold; `lib.mei.words.reasons` makes sentences of them.
    """
    word, missed = "reliable", []
    for name, (good, enough) in rules.items():
        value = figures.get(name, np.nan)
        if value >= good:
            continue
        if not np.isnan(value) and value < enough:
            word = "not supported"
        elif word == "reliable":
            word = "uncertain"
        missed.append(Missed(name, value, enough if value < enough else good))
    return word, missed
