"""Images that drive a model nearly as well as its most exciting input and look different."""

from __future__ import annotations

import numpy as np
import torch

from lib.mei.ascent import AscentSettings, Response, ascend
from lib.mei.search import MEIResult, own_responses
from lib.models.ensemble import check_model, white_noise
from lib.stimuli.contrast import project

BATCH = 32  # images through the model at a time


def diverse_exciting_inputs(
    model: torch.nn.Module | list[torch.nn.Module],
    mei: MEIResult,
    *,
    number: int,
    fraction: float = 0.85,
    starts: int = 3,
    steps: int = 200,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per unit a set of images that drive it nearly as well as its MEI and differ most.

    One image after the other: the next one keeps its response at `fraction` of the MEI's and
    makes its largest correlation with the images before it as small as possible. For a linear
    unit all of them look like the MEI; for a complex cell the second is its opposite phase and
    the third its quadrature. Purpose as in Cadena et al., ECCV (2018) and Ding et al., bioRxiv
    2023.03.15.532836; the search is a quadratic penalty on the missing response.

    Parameters
    ----------
    mei : MEIResult
        Of the same model; gives units, mean, contrast, finest detail and the first image.
    number : int
        Images in a set, the MEI included.
    starts : int
        Starts of every image (the one before it, its contrast reversed, and white noise); the
        best is kept.

    Returns
    -------
    images : (units, number, h, w) float32
        The MEI first.
    responses : (units, number) float32
        Recomputed; within about a hundredth of `fraction` of the MEI's, or above.
    largest_correlation : (units, number) float32
        With the images before it; the first entry is 1.
    """
    best = mei.best_images
    shape, rows = best.shape[1:], torch.arange(len(best)).repeat_interleave(starts)
    check_model(model, shape, mei.target, units=mei.units)
    known = torch.as_tensor(best)[:, None]
    goal = fraction * torch.as_tensor(mei.best_responses)
    drive = Response(model, torch.as_tensor(mei.units)[rows], 1.0, BATCH)
    # relative to the penalty at the start, which is far larger than a correlation
    settings = AscentSettings(steps=steps, tolerance=1e-6, highest_frequency=mei.settings.highest_frequency)
    correlation = [torch.ones(len(best))]
    for k in range(1, number):
        x = white_noise(starts, shape, seed=seed + k).repeat(len(best), 1, 1, 1)
        x[::starts] = -known[:, -1:]
        x, _ = project(settings.in_band(x), mei.target)
        objective = _Diversity(drive, known[rows], goal[rows], mei.target)
        run = ascend(objective, x, mei.target, settings)
        won = torch.arange(0, len(rows), starts) + run.values.reshape(-1, starts).argmax(1)
        correlation.append(objective.correlations(run.images[won], won).amax(1))
        known = torch.cat([known, run.images[won]], 1)
    images = known.numpy(force=True)
    largest = torch.stack(correlation, 1).numpy(force=True)
    return images, own_responses(model, images, mei.units, BATCH), largest


class _Diversity:
    """Minus the largest correlation with known images, minus a penalty on missing response."""

    PENALTY = 100.0

    def __init__(self, drive, known, goal, target):
        self.drive, self.goal = drive, goal
        self.mean, power = target.mean, known[0, 0].numel() * target.contrast**2
        self.known = (known - self.mean) / power

    def correlations(self, images, rows):
        """(n, 1, h, w), (n,) -> (n, number known)."""
        return torch.einsum("nchw,nkhw->nk", images - self.mean, self.known[rows])

    def __call__(self, images, rows):
        value, gradient = self.drive(images, rows)
        missing = (1 - value / self.goal[rows]).clamp_min(0)
        largest, which = self.correlations(images, rows).max(1)
        slope = 2 * self.PENALTY * missing / self.goal[rows]
        gradient = slope[:, None, None, None] * gradient - self.known[rows, which, None]
        return -largest - self.PENALTY * missing**2, gradient
