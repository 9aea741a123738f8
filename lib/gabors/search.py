"""The Gabor that excites each unit of a model most: from the best of a grid by gradient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch

from lib.gabors.grid import BATCH, GridSearch, images_of, own_responses, search_grid
from lib.gabors.parameters import PARAMETERS, bounds, canonical, from_free, to_free
from lib.models.ensemble import one_model, predicted_responses
from lib.stimuli.contrast import Target, set_mean_contrast
from lib.stimuli.patterns import gabor


@dataclasses.dataclass
class GaborSearch:
    """Best Gabor of every unit of a model.

    Attributes
    ----------
    parameters : DataFrame, one row per unit
        x, y, orientation, sigma (degrees), spatial_frequency (cycles/degree), phase (cycles),
        aspect.
    images : (U, h, w) float32 array
        At the mean, contrast and mask asked for.
    responses : (U,) array
        Predicted to those images.
    grid_parameters, grid_responses
        The same for the best Gabor of the grid, before refinement.
    n_grid : int
        Number of Gabors in the grid.
    """

    parameters: pd.DataFrame
    images: np.ndarray
    responses: np.ndarray
    grid_parameters: pd.DataFrame
    grid_responses: np.ndarray
    n_grid: int


def best_gabor(
    model: torch.nn.Module | list[torch.nn.Module],
    shape: tuple[int, int],
    target: Target,
    *,
    degrees_per_pixel: float,
    starts: GridSearch | None = None,
    also: np.ndarray | None = None,
    grid: str = "full",
    refine_from: int = 10,
    steps: int = 60,
) -> GaborSearch:
    """The Gabor that excites each unit of a model most.

    From the best few Gabors of a grid the parameters (aspect now among them) follow the gradient of
    the response, with Adam, everything at exactly the same mean, contrast and mask.

    Parameters
    ----------
    model, shape, degrees_per_pixel, grid
        As for `search_grid`.
    target : Target
        Its mask is that of all units.
    starts : GridSearch, optional
        A search made before, at any mask, for the units of `model`: its Gabors are ranked again
        under the mask. Absent: `search_grid` under the mask.
    also : (n, 7) array, optional
        More Gabors, ranked among those of the grid, such as the one fitted to an MEI.
    refine_from : int
        Gabors, per unit, from which the refinement starts.
    steps : int
        Steps of refinement; after a third of them the best 3 go on.

    Examples
    --------
    >>> like = dict(orientation=120, spatial_frequency=0.05, phase=0, sigma=8)
    >>> field = gabor((12, 18), degrees_per_pixel=3.0, x=6, y=-4, **like)
    >>> class Linear(torch.nn.Module):
    ...     def forward(self, images):
    ...         return (images[:, 0] * torch.tensor(field)).sum((1, 2))[:, None].float()
    >>> target = Target(mean=0.5, contrast=0.05)
    >>> found = best_gabor(Linear(), (12, 18), target, degrees_per_pixel=3.0, grid="quick", refine_from=1)
    >>> round(float(np.corrcoef(found.images[0].ravel(), field.ravel())[0, 1]), 2)
    1.0
    >>> round(float(found.parameters.orientation[0]))
    120
    """
    model = one_model(model).eval()
    starts = starts or search_grid(
        model, shape, target, degrees_per_pixel=degrees_per_pixel, grid=grid, keep=refine_from
    )
    images = images_of(shape, target, degrees_per_pixel=degrees_per_pixel)
    candidates = torch.tensor(starts.parameters)
    if also is not None:
        more = torch.as_tensor(np.asarray(also, np.float32)).expand(len(candidates), -1, -1)
        candidates = torch.cat([candidates, more], 1)
    top, ranked = _first(refine_from, candidates, own_responses(model, candidates, images))
    best = _refine(model, ranked, images, bounds(shape, degrees_per_pixel), steps)
    found, first = (canonical(p.numpy(force=True).astype(float)) for p in (best, ranked[:, 0]))
    patterns = gabor(
        shape, degrees_per_pixel=degrees_per_pixel, **{name: found[name].to_numpy() for name in PARAMETERS}
    )
    final = set_mean_contrast(patterns, target)
    responses = np.diagonal(predicted_responses(model, final)).copy()
    return GaborSearch(found, final, responses, first, top[:, 0].numpy(force=True), starts.n_grid)


def _first(keep, parameters, values):
    """The largest `keep` of each unit's values (units, k), and their parameters, of (units, k, 7)."""
    top, order = values.topk(min(keep, values.shape[1]), dim=1)
    return top, parameters.gather(1, order[..., None].expand(-1, -1, parameters.shape[2]))


def _refine(model, starts, images, bounds, steps):
    """Best parameters (units, 7) by gradient from the starts (units, k, 7)."""
    starts = to_free(starts)
    for stage, keep in ((steps // 3, 3), (steps - steps // 3, 1)):
        _, starts = _first(keep, *_ascend(model, starts, images, bounds, stage))
    return from_free(starts[:, 0])


def _ascend(model, starts, images, bounds, steps):
    """Adam on the response of each unit from each of its starts; the best iterate of each."""
    units, k, _ = starts.shape
    own = torch.arange(units).repeat_interleave(k)
    free = starts.reshape(units * k, -1).clone().requires_grad_(True)
    optimiser = torch.optim.Adam([free], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1), 0.002)
    best, best_value = free.detach().clone(), torch.full((units * k,), -torch.inf)
    for step in range(steps + 1):
        value = torch.empty(units * k)
        gradient = torch.empty_like(free)
        for rows in torch.arange(units * k).split(BATCH):
            part = free.detach()[rows].requires_grad_(True)
            out = model(images(from_free(part)))[torch.arange(len(rows)), own[rows]]
            (gradient[rows],) = torch.autograd.grad(-out.sum(), part)
            value[rows] = out.detach()
        better = value > best_value
        best[better], best_value[better] = free.detach()[better], value[better]
        if step < steps:
            free.grad = gradient
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                free.clamp_(*bounds)
    return best.reshape(starts.shape), best_value.reshape(units, k)
