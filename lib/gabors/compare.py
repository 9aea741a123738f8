"""Stimuli at one mean, contrast and mask, and the responses of models to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.stats
import torch

from lib.models.ensemble import one_model, predicted_responses
from lib.statistics import holm, jackknife_comparison
from lib.stimuli.contrast import Target, set_mean_contrast

LABELS = {
    "mei": "masked MEI",
    "gabor": "best Gabor",
    "fitted_gabor": "fitted Gabor",
    "image": "best image",
    "linear_rf": "linear RF",
    "image_full": "best image, full",
}

# Errors of a fit favour the image with more freedom. Where the true gain of an MEI over the best Gabor is 1,
# the predicted one is about a standard error above it, and mostly below this (benchmarks/bench_gain.py).
AT_EQUAL_TRUTH = 1.02
LEAST_GAIN = 1.05  # what an MEI must evoke of the best Gabor's response to be more than a Gabor


def linear_receptive_field(
    model: torch.nn.Module | list[torch.nn.Module], shape: tuple[int, int], *, mean: float
) -> np.ndarray:
    """Gradient of every unit's response at an image of uniform `mean`, as a stimulus: (U, h, w) float32.

    All 0 for units without a linear part, such as ideal complex cells.
    """
    model = one_model(model).eval()
    grey = torch.full((1, 1, *shape), float(mean), requires_grad=True)
    out = model(grey)[0]
    fields = [torch.autograd.grad(unit, grey, retain_graph=True)[0][0, 0] for unit in out]
    return torch.stack(fields).numpy(force=True)


def equalise(stimuli: dict[str, np.ndarray], target: Target) -> dict[str, np.ndarray]:
    """Bring stimuli {name: (h, w) array} to one mean, contrast and mask; flat ones are left out."""
    weight = 1.0 if target.mask is None else np.asarray(target.mask)
    return {
        name: set_mean_contrast(image, target)
        for name, image in stimuli.items()
        if np.ptp(np.asarray(image) * (weight > 0)) > 0
    }


def competitors(
    making: torch.nn.Module, found: dict[str, np.ndarray], images: np.ndarray, target: Target
) -> dict[str, np.ndarray]:
    """All stimuli that are compared, at one mean and contrast: the given ones and the models' own.

    Parameters
    ----------
    making : torch module
        The models that make stimuli, of one unit.
    found : dict of str to (h, w) array
        Stimuli made on them.
    images : (n, h, w) array
        Natural images.

    Returns
    -------
    dict of str to (h, w) float32 array
        Those of `found`; image (the natural one that the models prefer under the mask), linear_rf
        (not where it is flat), and image_full (preferred, and shown, without the mask), last.
    """
    masked, full = (set_mean_contrast(images, t, flat=True) for t in (target, target.within(None)))
    best, best_full = (predicted_responses(making, shown)[:, 0].argmax() for shown in (masked, full))
    field = linear_receptive_field(making, images.shape[1:], mean=target.mean)[0]
    return equalise(found | {"image": images[best], "linear_rf": field}, target) | {
        "image_full": full[best_full]
    }


def compare_stimuli(
    stimuli: dict[str, np.ndarray], models: list[torch.nn.Module], *, unit: int = 0
) -> pd.DataFrame:
    """Predicted responses of one unit (a column of the models') to the stimuli of `equalise`.

    The models had no part in making any of them. A row per stimulus, a column per model.
    """
    shown = list(stimuli.values())
    responses = np.stack([predicted_responses(model, shown)[:, unit] for model in models], axis=1)
    return pd.DataFrame(responses, index=list(stimuli))


def gain_over(
    judged: pd.DataFrame, everyone: pd.DataFrame, *, bias: float = AT_EQUAL_TRUTH, least: float = LEAST_GAIN
) -> dict:
    """Gain of one unit's masked MEI over its best Gabor, and what other images could have changed.

    The judges predict the gain. Its error is the grouped jackknife's, over the models of all folds: those
    that made the stimuli overrate them, but scatter with the images they left out as the others do.

    Parameters
    ----------
    judged : DataFrame
        Of `compare_stimuli`, on models that made none of the stimuli.
    everyone : DataFrame
        The same on all models, each of which left out another fold of the images.
    bias : float
        Largest gain that fitting errors alone produce; a standard error, or this, is divided out.
    least : float
        Gain against which is tested.

    Returns
    -------
    dict
        ``gain`` (geometric mean over the judges), ``low`` and ``high`` (95 %) and ``p`` (two-sided t test of
        a gain of `least`); NaN for all but the gain with one model.
    """
    mine, all_ = (
        np.log(np.maximum(t.loc["mei"], 1e-6) / np.maximum(t.loc["gabor"], 1e-6)).to_numpy(float)
        for t in (judged, everyone)
    )
    mean, folds = mine.mean(), len(all_)
    if folds < 2:
        return {"gain": float(np.exp(mean - np.log(bias))), "low": np.nan, "high": np.nan, "p": np.nan}
    error = (folds - 1) / np.sqrt(folds) * max(all_.std(ddof=1), 1e-9)
    mean -= min(error, np.log(bias))
    half = scipy.stats.t.ppf(0.975, folds - 1) * error
    gain, low, high = (float(v) for v in np.exp([mean, mean - half, mean + half]))
    p = float(2 * scipy.stats.t.sf(abs(mean - np.log(least)) / error, folds - 1))
    return {"gain": gain, "low": low, "high": high, "p": p}


def compare_predictions(table: pd.DataFrame, *, folds: int) -> pd.DataFrame:
    """The masked MEI against each other stimulus, in the predictions for one unit.

    Of `compare_stimuli`, on models that each left out another of `folds` folds of the images. A row per
    stimulus, as `lib.statistics.jackknife_comparison` says; p_holm: corrected for their number.
    """
    rows = {
        name: jackknife_comparison(table.loc["mei"], table.loc[name], folds=folds)
        for name in table.index.drop("mei")
    }
    tests = pd.DataFrame.from_dict(rows, orient="index")
    return tests.assign(p_holm=holm(tests.p.to_numpy(float)))
