"""Can a most exciting input be believed? Agreement over starts and models, transfer, verdict.

What the figures are worth was measured: `lib.mei.calibration`, `lib.mei.recorded`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.mei import calibration, recorded
from lib.models.ensemble import predicted_responses
from lib.stimuli.contrast import Target, set_mean_contrast
from lib.stimuli.metrics import local_energy

VERDICTS = calibration.VERDICTS  # best first


def agreement(images, responses, *, degrees_per_pixel, best=None) -> dict:
    """How much the images made for one unit, from several starts or models, agree.

    All pairs count, or, given `best`, those with this image: an ascent that stalled says nothing against
    the image that the others found again.

    Parameters
    ----------
    images : (n, h, w) array
    responses : (n,) array
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
    if best is None:
        pairs, middle, ratio = np.triu_indices(len(images), 1), np.mean, responses.min() / responses.max()
    else:
        others = np.arange(len(images)) != best
        pairs, middle, ratio = (best, others), np.median, np.median(responses[others]) / responses[best]
    return {
        "image_correlation": float(middle(np.corrcoef(images.reshape(len(images), -1))[pairs])),
        "energy_correlation": float(middle(np.corrcoef(energy)[pairs])),
        "response_ratio": float(ratio),
    }


def agreements(found, per_member, *, degrees_per_pixel) -> dict:
    """`agreement` of one unit's images "over starts" and "over fold models", empty for one model.

    Parameters
    ----------
    found : MEIResult
        Of one unit.
    per_member : MEIResult
        The images that the models make alone, a unit a model.
    """
    how, members = dict(degrees_per_pixel=degrees_per_pixel), per_member.best_images
    return {
        "over starts": agreement(found.images[0], found.responses[0], best=found.best[0], **how),
        "over fold models": agreement(members, per_member.best_responses, **how) if len(members) > 1 else {},
    }


def evidence(judged, *, prediction, counts, halves=None) -> dict:
    """The figures that `judge` weighs, NaN for what was not measured.

    From rows of `transfer` and of `lib.mei.halves.agreement`, the scalars of 04_cnn (None for what was not
    measured) and the unit's recorded counts (repeats, images).

    Returns
    -------
    dict of float
        What `halves` holds; prediction_low (correlation_low), cc_norm and top_lift of 04_cnn;
        rise_over_signal, the judges' rise from grey to the MEI over the standard deviation of the recorded
        means that noise does not explain.
    """
    low, norm, lift, ceiling = (
        np.nan if prediction.get(k) is None else prediction[k]
        for k in ("correlation_low", "cc_norm", "top_lift", "cc_max")
    )
    signal = max(ceiling, 0.05) * np.nanmean(counts, axis=0).std()
    return {
        **({} if halves is None else halves),
        "prediction_low": low,
        "cc_norm": norm,
        "top_lift": lift,
        "rise_over_signal": float((judged.response - judged.grey_response) / max(signal, 1e-6)),
    }


def transfer(makers, judges, images, target: Target, *, units, natural_images, masks=None) -> pd.DataFrame:
    """Whether MEIs drive models that had no part in making them.

    Parameters
    ----------
    makers, judges : torch module or list of them
        The models the images were made on, and others.
    images : (units, h, w) array
        One MEI per unit.
    target : Target
        Their mean and contrast.
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
    both = (makers, judges)
    makers_own, judges_own = (predicted_responses(m, images, units=units)[own, own] for m in both)
    makers_grey, judges_grey = (predicted_responses(m, grey, units=units)[0] for m in both)
    natural = []
    for unit, mask in zip(units, [None] * n if masks is None else masks, strict=True):
        stimuli = set_mean_contrast(natural_images, target.within(mask), flat=True)
        natural.append([predicted_responses(m, stimuli, units=[unit])[:, 0] for m in both])
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


def judge(figures: dict, heard: dict) -> dict:
    """How far one MEI can be believed: by simulated neurons with such figures, and by recorded stimuli.

    `figures` are those of `evidence`, `heard` those of `lib.mei.recorded.disagreement`.

    Returns
    -------
    dict
        verdict (of `lib.mei.calibration.VERDICTS`), verdict_probability that the MEI is right with
        verdict_probability_low and _high, as `lib.mei.calibration.Calibration.judge` gives them, and
        verdict_checks: a dict a figure with its name (figure), value, threshold (at which it neither speaks
        for the MEI nor against it, or from which the recording contradicts it), contribution to the log
        odds and whether it passed the threshold. An MEI that the recording contradicts is at best the second
        of the words.
    """
    stored = calibration.measured(figures)
    measured = calibration.load(stored)
    heard = {name: value for name, value in heard.items() if np.isfinite(value)}
    ratios = {name: recorded.log_ratio(name, value) for name, value in heard.items()}
    row = measured.judge(pd.DataFrame([figures]), more=sum(ratios.values())).iloc[0].to_dict()
    checks = [
        {
            "figure": name,
            "value": float(figures[name]),
            "threshold": figure.typical,
            "contribution": row.pop(name),
            "passed": bool(np.sign(figure.weight) * (figures[name] - figure.typical) >= 0),
        }
        for name, figure in measured.figures.items()
    ] + [
        {
            "figure": name,
            "value": value,
            "threshold": recorded.EDGES[name][1],
            "contribution": ratios[name],
            "passed": value < recorded.EDGES[name][1],
        }
        for name, value in heard.items()
    ]
    contradicted = any(value >= recorded.EDGES[name][1] for name, value in heard.items())
    if contradicted and row["verdict"] == VERDICTS[0]:
        row["verdict"] = VERDICTS[1]
    return {**row, "verdict_calibration": stored, "verdict_checks": checks}
