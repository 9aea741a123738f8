"""Gabors in a response model: the best one, the one fitted to an image, and the comparison.

    python -m lib.gabor_search PARAMETERS.json

searches the grid for all units of a run at once: features of a Gabor are computed once, whatever
the number of units. 06_gabor goes on from there, under the unit's own mask.

A model is a torch module, images (n, 1, h, w) in [0, 1] -> (n, units), or a list of such modules
whose mean prediction counts. All stimuli are brought to one mean, contrast and mask by the rule of
`lib.stimuli.set_mean_contrast`.
"""

import argparse
import dataclasses
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import optimize
from tqdm.auto import tqdm

from lib import crossvalidation, ensemble
from lib.errors import InputError
from lib.metrics import masked_correlation
from lib.models import MeanModel
from lib.node import cores
from lib.results import Stage
from lib.session import load_session, required
from lib.statistics import holm, jackknife_comparison
from lib.stimuli import ROTATION, gabor, pixel_grid, set_mean_contrast

PARAMETERS = ["x", "y", "orientation", "spatial_frequency", "phase", "sigma", "aspect"]
GRIDS = {   # at least so many positions; orientations, frequencies, phases, sigma x frequency
    "full": (104, 12, 5, 4, (0.25, 0.4, 0.7)),      # 74,880 Gabors or a few more
    "coarse": (48, 8, 4, 4, (0.4,)),                # 6,144 or a few more
    "quick": (20, 6, 3, 4, (0.4,)),                 # 1,440 or a few more
}
FREQUENCIES = (0.02, 0.16)      # cycles/degree: the range of mouse visual cortex
LABELS = {"mei": "masked MEI", "gabor": "best Gabor", "fitted_gabor": "fitted Gabor",
          "image": "best image", "linear_rf": "linear RF", "image_full": "best image, full"}
CLIP_STEPS = 7
KEPT = 40       # Gabors of the grid kept for each unit, to be ranked again under its mask


@dataclasses.dataclass
class GridSearch:
    """The Gabors of a grid that excite each unit most, best first.

    Attributes
    ----------
    parameters : (U, k, 7) float32 array
        Columns `PARAMETERS`.
    responses : (U, k) array
    n_grid : int
        Number of Gabors in the grid.
    """

    parameters: np.ndarray
    responses: np.ndarray
    n_grid: int


@dataclasses.dataclass
class GaborSearch:
    """Best Gabor of every unit of a model.

    Attributes
    ----------
    parameters : DataFrame, one row a unit
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


def gabor_grid(shape, *, degrees_per_pixel, grid="full", mask=None):
    """Parameters of a full grid of Gabors: position, orientation, frequency, phase and size.

    Positions fill the image, or the mask; the size is a number of cycles.

    Parameters
    ----------
    shape : (h, w)
    degrees_per_pixel : float
    grid : {"full", "coarse", "quick"}
        At least 74,880 or 6,144 Gabors.
    mask : (h, w) array in [0, 1], optional

    Returns
    -------
    DataFrame with columns `PARAMETERS`
    """
    if grid not in GRIDS:
        raise ValueError(f"grid is {grid!r}; give one of {', '.join(GRIDS)}")
    n_positions, n_orientations, n_frequencies, n_phases, cycles = GRIDS[grid]
    inside = np.ones(shape, bool) if mask is None else np.asarray(mask) >= 0.5
    if not inside.any():
        raise ValueError("no pixel of the mask reaches 0.5; give a mask that covers the stimulus")
    places = _positions(inside, n_positions, degrees_per_pixel)
    highest = min(FREQUENCIES[1], 0.4 / degrees_per_pixel)
    axes = [np.arange(len(places)), np.arange(n_orientations) * 180 / n_orientations,
            np.geomspace(FREQUENCIES[0], highest, n_frequencies),
            np.arange(n_phases) / n_phases, cycles]
    place, orientation, frequency, phase, cycle = (
        axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    columns = [*places[place].T, orientation, frequency, phase, cycle / frequency,
               np.ones(len(place))]
    return pd.DataFrame(dict(zip(PARAMETERS, columns)))


def _positions(inside, n, degrees_per_pixel):
    """At least n points (degrees) of the widest square lattice that has so many in the region."""
    rows, cols = np.nonzero(inside)
    spacing = np.sqrt(len(rows) / n)
    while True:
        number = [max(round((np.ptp(c) + 1) / spacing), 1) for c in (rows, cols)]
        at = [(c.min() + c.max()) / 2 + spacing * (np.arange(k) - (k - 1) / 2)
              for c, k in zip((rows, cols), number)]
        row, col = (axis.ravel() for axis in np.meshgrid(*at, indexing="ij"))
        kept = inside[np.round(row).astype(int).clip(0, inside.shape[0] - 1),
                      np.round(col).astype(int).clip(0, inside.shape[1] - 1)]
        if kept.sum() >= n:
            h, w = inside.shape
            return degrees_per_pixel * np.stack(
                [col[kept] - (w - 1) / 2, (h - 1) / 2 - row[kept]], axis=1)
        spacing *= 0.98


# ---- rendering in torch -------------------------------------------------------------------------

def render_gabors(parameters, shape, *, degrees_per_pixel):
    """`lib.stimuli.gabor` for many patches at once, differentiable.

    Parameters
    ----------
    parameters : (n, 7) tensor
        Columns `PARAMETERS`.

    Returns
    -------
    (n, h, w) tensor
    """
    gx, gy = pixel_grid(shape, degrees_per_pixel=degrees_per_pixel)
    x, y, orientation, frequency, phase, sigma, aspect = parameters.unbind(1)
    dx = torch.tensor(gx[0].copy(), dtype=parameters.dtype) - x[:, None]
    dy = torch.tensor(gy[:, 0].copy(), dtype=parameters.dtype) - y[:, None]
    theta = ROTATION * torch.deg2rad(orientation)
    cos, sin = theta.cos(), theta.sin()
    # exponent and phase are sums of few products of a row and a column: low-rank matrices
    across, along = 0.5 / sigma**2, 0.5 / (sigma * aspect) ** 2
    a = (across * cos**2 + along * sin**2)[:, None]
    b = (across * sin**2 + along * cos**2)[:, None]
    c = (2 * (across - along) * sin * cos)[:, None]
    one_x, one_y = torch.ones_like(dx), torch.ones_like(dy)
    exponent = torch.stack([one_y, b * dy**2, c * dy], 2) @ torch.stack([a * dx**2, one_x, dx], 1)
    turn = 2 * torch.pi * frequency[:, None]
    shift = 2 * torch.pi * phase[:, None]
    angle = (torch.stack([one_y, turn * sin[:, None] * dy + shift], 2)
             @ torch.stack([turn * cos[:, None] * dx, one_x], 1))
    return torch.exp(-exponent) * torch.cos(angle)


def at_mean_contrast(patterns, *, mean, contrast, weight, value_range):
    """`set_mean_contrast` on tensors, differentiable; a few Newton steps where pixels clip.

    Parameters
    ----------
    patterns : (n, h, w) tensor
    mean, contrast : float
    weight : (h, w) tensor, or (1, 1) for no mask
    value_range : (low, high)

    Returns
    -------
    (n, 1, h, w) tensor
    """
    low, high = value_range[0] - mean, value_range[1] - mean
    share = weight.mean()
    pattern = weight * (patterns - _mean(patterns * weight) / share)
    pattern = pattern * (contrast / _rms(pattern))
    clips = (pattern.detach().amin((1, 2)) < low) | (pattern.detach().amax((1, 2)) > high)
    if clips.any():
        part = pattern[clips]
        gain, offset = _clipping(part.detach(), weight, share, contrast, low, high)
        part = (gain * part + offset * weight).clamp(low, high)
        part = part * (contrast / _rms(part))
        pattern = pattern.index_put((clips,), part.clamp(low, high))
    return mean + pattern[:, None]


def _clipping(pattern, weight, share, contrast, low, high):
    """Gain and offset with which clipped patterns have mean 0 and the contrast (secant steps)."""
    log_gain = torch.zeros(len(pattern), 1, 1)
    offset, slope = torch.zeros_like(log_gain), torch.full_like(log_gain, 0.7)
    last, change = None, None
    for _ in range(CLIP_STEPS):
        shown = (log_gain.exp() * pattern + offset * weight).clamp(low, high)
        missing = (contrast / _rms(shown)).log()
        if last is not None:
            measured = ((last - missing) / change).clamp(0.1, 1)
            slope = torch.where(change.abs() > 1e-3, measured, slope)
        last, change = missing, missing / slope
        log_gain = log_gain + change
        offset = (offset - _mean(shown) / share) * change.exp()
    return log_gain.exp(), offset


def _mean(images):
    return images.mean((1, 2), keepdim=True)


def _rms(images):
    n = images.shape[-2] * images.shape[-1]
    norm = torch.linalg.vector_norm(images, dim=(1, 2), keepdim=True)
    return (norm / n**0.5).clamp_min(1e-7)


def _predict(model, images):
    members = model if isinstance(model, (list, tuple)) else [model]
    return sum(member(images) for member in members) / len(members)


def _evaluate(model, images, batch_size=32):
    """Predictions (n, units) to float images (n, h, w), as an array."""
    _set_eval(model)
    with torch.no_grad():
        parts = torch.as_tensor(np.asarray(images, np.float32))[:, None].split(batch_size)
        return torch.cat([_predict(model, part) for part in parts]).numpy()


def _set_eval(model):
    for member in model if isinstance(model, (list, tuple)) else [model]:
        member.eval()


# ---- the best Gabor -----------------------------------------------------------------------------

def search_grid(model, shape, *, degrees_per_pixel, mean, contrast, mask=None,
                value_range=(0.0, 1.0), grid="full", keep=KEPT, batch_size=32, workers=1,
                progress=False):
    """Show every Gabor of a grid to all units of a model at once.

    Parameters
    ----------
    model : torch module, or list of them
    shape : (h, w)
    degrees_per_pixel : float
    mean, contrast : float
        Mean and RMS contrast of the whole image.
    mask : (h, w) array in [0, 1], optional
        One for all units; without it the grid fills the image.
    value_range : (low, high)
    grid : {"full", "coarse", "quick"}
    keep : int
        Gabors kept for each unit.
    batch_size : int
    workers : int
        Batches at once, each in a thread. Faster than several threads within torch, which wait for
        each other after every operation.
    progress : bool

    Returns
    -------
    GridSearch
    """
    _set_eval(model)
    table = gabor_grid(shape, degrees_per_pixel=degrees_per_pixel, grid=grid, mask=mask)
    parameters = torch.tensor(table.to_numpy(), dtype=torch.float32)
    images = _images_of(shape, degrees_per_pixel=degrees_per_pixel, mean=mean, contrast=contrast,
                        mask=mask, value_range=value_range)
    top, index = _search(model, parameters, images, keep, batch_size, workers, progress)
    return GridSearch(parameters[index].numpy(), top.numpy(), len(table))


def best_gabor(model, shape, *, degrees_per_pixel, mean, contrast, mask=None,
               value_range=(0.0, 1.0), starts=None, grid="full", refine_from=10, steps=60,
               batch_size=32, progress=False):
    """The Gabor that excites each unit of a model most.

    From the best few Gabors of a grid the parameters (aspect now among them) follow the gradient of
    the response, with Adam, everything at exactly the same mean, contrast and mask.

    Parameters
    ----------
    model, shape, degrees_per_pixel, mean, contrast, value_range, grid, batch_size, progress
        As for `search_grid`.
    mask : (h, w) array in [0, 1], optional
        Mask of all units.
    starts : GridSearch, optional
        A search made before, at any mask, for the units of `model`: its Gabors are ranked again
        under `mask`. Absent: `search_grid` under `mask`.
    refine_from : int
        Gabors, per unit, from which the refinement starts.
    steps : int
        Steps of refinement; after a third of them the best 3 go on.

    Returns
    -------
    GaborSearch
    """
    _set_eval(model)
    how = dict(degrees_per_pixel=degrees_per_pixel, mean=mean, contrast=contrast, mask=mask,
               value_range=value_range)
    starts = starts or search_grid(model, shape, grid=grid, keep=refine_from, batch_size=batch_size,
                                   progress=progress, **how)
    images = _images_of(shape, **how)
    top, ranked = _rank(model, torch.tensor(starts.parameters), images, refine_from, batch_size)
    bounds = _bounds(shape, degrees_per_pixel)
    best = _refine(model, ranked, images, bounds, steps, batch_size, progress)
    found, first = (_canonical(p.numpy().astype(float)) for p in (best, ranked[:, 0]))
    final = _final_images(found, shape, **how)
    responses = np.diagonal(_evaluate(model, final, batch_size)).copy()
    return GaborSearch(found, final, responses, first, top[:, 0].numpy(), starts.n_grid)


def _images_of(shape, *, degrees_per_pixel, mean, contrast, mask, value_range):
    """Function from parameters (n, 7) to images (n, 1, h, w) at the mean, contrast and mask."""
    weight = torch.ones(1, 1) if mask is None else torch.tensor(np.asarray(mask, np.float32))

    def images(parameters):
        patterns = render_gabors(parameters, shape, degrees_per_pixel=degrees_per_pixel)
        return at_mean_contrast(patterns, mean=mean, contrast=contrast, weight=weight,
                                value_range=value_range)

    return images


def _rank(model, parameters, images, keep, batch_size):
    """The `keep` Gabors of each unit's own (units, k, 7) to which it responds most, best first."""
    units, k, _ = parameters.shape
    own = torch.arange(units).repeat_interleave(k)
    with torch.no_grad():
        values = torch.cat([_predict(model, images(part))[torch.arange(len(part)), unit]
                            for part, unit in zip(parameters.flatten(0, 1).split(batch_size),
                                                  own.split(batch_size))])
    top, order = values.view(units, k).topk(min(keep, k), dim=1)
    return top, parameters.gather(1, order[..., None].expand(-1, -1, parameters.shape[2]))


def _search(model, parameters, images, keep, batch_size, workers, progress):
    """Highest responses (units, keep) over the grid, and where they are."""

    def respond(rows):
        with torch.no_grad():       # which holds for one thread alone
            return _predict(model, images(parameters[rows])).T

    top, index = None, None
    batches = torch.arange(len(parameters)).split(batch_size)
    with ThreadPoolExecutor(workers) as pool:
        shown = zip(batches, pool.map(respond, batches))
        for rows, values in tqdm(shown, "Gabor grid", len(batches), disable=not progress):
            places = rows.expand(values.shape)
            if top is not None:
                values, places = torch.cat([top, values], 1), torch.cat([index, places], 1)
            top, order = values.topk(min(keep, values.shape[1]), dim=1)
            index = places.gather(1, order)
    return top, index


def _bounds(shape, degrees_per_pixel):
    """Lowest and highest value of each parameter in `_to_free`'s scale."""
    half = np.array(shape[::-1]) * degrees_per_pixel / 2
    low = [-half[0], -half[1], -1e6, 0.5 / (2 * half.max()), -1e6, degrees_per_pixel, 0.4]
    high = [half[0], half[1], 1e6, 0.45 / degrees_per_pixel, 1e6, half.max(), 2.5]
    return [_to_free(torch.tensor(b, dtype=torch.float32)) for b in (low, high)]


def _to_free(p):
    """Parameters in units in which steps of equal size change the Gabor about equally."""
    x, y, theta, f, phase, sigma, aspect = p.unbind(-1)
    return torch.stack([x / 10, y / 10, torch.deg2rad(theta), f.log(), phase * 3, sigma.log(),
                        aspect.log()], -1)


def _from_free(q):
    x, y, theta, f, phase, sigma, aspect = q.unbind(-1)
    return torch.stack([x * 10, y * 10, torch.rad2deg(theta), f.exp(), phase / 3, sigma.exp(),
                        aspect.exp()], -1)


def _refine(model, starts, images, bounds, steps, batch_size, progress):
    """Best parameters (units, 7) by gradient from the starts (units, k, 7)."""
    starts, total = _to_free(starts), steps
    bar = tqdm(total=total, desc="Gabor refinement", disable=not progress)
    for stage, keep in ((total // 3, 3), (total - total // 3, 1)):
        best, value = _ascend(model, starts, images, bounds, stage, batch_size, bar)
        order = value.topk(min(keep, value.shape[1]), dim=1).indices
        starts = best.gather(1, order[..., None].expand(-1, -1, best.shape[2]))
    bar.close()
    return _from_free(starts[:, 0])


def _ascend(model, starts, images, bounds, steps, batch_size, bar):
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
        for rows in torch.arange(units * k).split(batch_size):
            part = free.detach()[rows].requires_grad_(True)
            out = _predict(model, images(_from_free(part)))[torch.arange(len(rows)), own[rows]]
            gradient[rows], = torch.autograd.grad(-out.sum(), part)
            value[rows] = out.detach()
        better = value > best_value
        best[better], best_value[better] = free.detach()[better], value[better]
        if step < steps:
            free.grad = gradient
            optimiser.step()
            schedule.step()
            bar.update()
            with torch.no_grad():
                free.clamp_(*bounds)
    return best.reshape(starts.shape), best_value.reshape(units, k)


def _canonical(parameters):
    """DataFrame with orientation in [0, 180) and phase in [0, 1), the same images."""
    table = pd.DataFrame(np.atleast_2d(parameters).copy(), columns=PARAMETERS)
    half_turns = np.floor(table.orientation / 180)
    table["phase"] = np.where(half_turns % 2 == 1, -table.phase, table.phase) % 1
    table["orientation"] %= 180
    return table


def _final_images(table, shape, *, degrees_per_pixel, mean, contrast, mask, value_range):
    patterns = gabor(shape, degrees_per_pixel=degrees_per_pixel,
                     **{name: table[name].to_numpy() for name in PARAMETERS})
    return set_mean_contrast(patterns, mean=mean, contrast=contrast, mask=mask,
                             value_range=value_range)


# ---- the Gabor fitted to an image ---------------------------------------------------------------

@dataclasses.dataclass
class GaborFit:
    """Gabor fitted to an image.

    Attributes
    ----------
    parameters : dict of float, keys `PARAMETERS`
    image : (h, w) float32 array
        The fitted Gabor at the image's own luminance and amplitude, unmasked.
    r : float
        Correlation with the image inside the mask.
    """

    parameters: dict
    image: np.ndarray
    r: float


def gabor_fitted_to(image, *, degrees_per_pixel, mask=None, starts=5):
    """Least-squares Gabor of an image, such as an MEI.

    Starts from the best of a full grid, whose inner products with the image are computed in
    closed form (over phases too, by the quadrature pair); then Levenberg-Marquardt.

    Parameters
    ----------
    image : (h, w) array
    degrees_per_pixel : float
    mask : (h, w) array in [0, 1], optional
        Weights of the pixels.
    starts : int
        Gabors of the grid from which the fit goes on.

    Returns
    -------
    GaborFit
    """
    image = np.asarray(image, dtype=float)
    weight = np.ones(image.shape) if mask is None else np.asarray(mask, dtype=float)
    grey = np.average(image, weights=weight)
    target = weight * (image - grey)
    if np.ptp(image[weight > 0]) == 0:
        raise ValueError("the image is flat under the mask; a Gabor cannot be fitted to it")
    scale = np.array([10, 10, 57, 1, 0.3, 1, 1])
    limits = [b.numpy().astype(float) for b in map(_from_free, _bounds(image.shape,
                                                                      degrees_per_pixel))]

    def parameters(q):
        p = q * scale
        p[[3, 5, 6]] = np.exp(p[[3, 5, 6]])
        return np.clip(p, *limits)

    def fit(q):
        pattern = gabor(image.shape, degrees_per_pixel=degrees_per_pixel,
                        **dict(zip(PARAMETERS, parameters(q))))
        design = np.stack([(weight * pattern).ravel(), weight.ravel()], axis=1)
        coefficients = np.linalg.lstsq(design, target.ravel(), rcond=None)[0]
        return pattern, coefficients, design @ coefficients - target.ravel()

    results = []
    for start in _projections(target, degrees_per_pixel, mask, starts):
        start[[3, 5, 6]] = np.log(start[[3, 5, 6]])
        results.append(optimize.least_squares(lambda q: fit(q)[2], start / scale, max_nfev=60))
    best = min(results, key=lambda result: result.cost).x
    pattern, (amplitude, offset), _ = fit(best)
    found = parameters(best)
    found[4] += 0.5 * (amplitude < 0)
    fitted = (grey + offset + amplitude * pattern).astype(np.float32)
    r = masked_correlation(image, fitted, masks=[weight])
    return GaborFit(_canonical(found).iloc[0].to_dict(), fitted, r)


def _projections(target, degrees_per_pixel, mask, keep):
    """The Gabors of the full grid that correlate best with an image, at their best phases."""
    table = gabor_grid(target.shape, degrees_per_pixel=degrees_per_pixel, mask=mask)
    table = table[table.phase == 0].reset_index(drop=True)
    gx, gy = pixel_grid(target.shape, degrees_per_pixel=degrees_per_pixel)
    p = {name: table[name].to_numpy()[:, None] for name in PARAMETERS}
    theta = ROTATION * np.deg2rad(p["orientation"])
    dx, dy = gx[0] - p["x"], gy[:, 0] - p["y"]
    wave = 2j * np.pi * p["spatial_frequency"]
    column = np.exp(-dx**2 / (2 * p["sigma"]**2) + wave * np.cos(theta) * dx)
    row = np.exp(-dy**2 / (2 * p["sigma"]**2) + wave * np.sin(theta) * dy)
    inner = np.sum((row @ target) * column, axis=1)
    norm = np.sqrt(np.sum(np.abs(row)**2, axis=1) * np.sum(np.abs(column)**2, axis=1))
    best = np.argsort(-np.abs(inner) / norm)[:keep]
    table["phase"] = -np.angle(inner) / (2 * np.pi) % 1
    return table.iloc[best][PARAMETERS].to_numpy()


# ---- other stimuli, and the comparison ----------------------------------------------------------

def linear_receptive_field(model, shape, *, mean):
    """Gradient of every unit's response at a grey image, as a stimulus.

    Parameters
    ----------
    model : torch module, or list of them
    shape : (h, w)
    mean : float
        Luminance of the grey image.

    Returns
    -------
    (U, h, w) float32 array
        All 0 for units without a linear part, such as ideal complex cells.
    """
    _set_eval(model)
    grey = torch.full((1, 1, *shape), float(mean), requires_grad=True)
    out = _predict(model, grey)[0]
    fields = [torch.autograd.grad(unit, grey, retain_graph=True)[0][0, 0] for unit in out]
    return torch.stack(fields).numpy()


def predict_gabors(model, frames, *, batch_size=32):
    """Predicted responses to recorded Gabors: the mean over the phases of the drift.

    Parameters
    ----------
    model : torch module, or list of them
    frames : (K, phases, h, w) array
        Of `lib.conditions.gabor_frames`.

    Returns
    -------
    (K, U) array
    """
    k, phases, h, w = frames.shape
    predicted = _evaluate(model, frames.reshape(-1, h, w), batch_size)
    return predicted.reshape(k, phases, -1).mean(axis=1)


def equalise(stimuli, *, mean, contrast, mask=None, value_range=(0.0, 1.0)):
    """Bring stimuli to one mean, contrast and mask; flat ones are left out.

    Parameters
    ----------
    stimuli : dict of str to (h, w) array
        Any luminance.
    mean, contrast : float
    mask : (h, w) array in [0, 1], optional
    value_range : (low, high)

    Returns
    -------
    dict of str to (h, w) float32 array
    """
    weight = 1.0 if mask is None else np.asarray(mask)
    return {name: set_mean_contrast(image, mean=mean, contrast=contrast, mask=mask,
                                    value_range=value_range)
            for name, image in stimuli.items() if np.ptp(np.asarray(image) * (weight > 0)) > 0}


def competitors(making, found, images, *, mean, contrast, mask):
    """All stimuli that are compared, at one mean and contrast: the given ones and the models' own.

    Parameters
    ----------
    making : torch module
        The models that make stimuli, of one unit.
    found : dict of str to (h, w) array
        Stimuli made on them.
    images : (n, h, w) array
        Natural images.
    mean, contrast : float
    mask : (h, w) array in [0, 1]

    Returns
    -------
    dict of str to (h, w) float32 array
        Those of `found`; image (the natural one that the models prefer under the mask), linear_rf
        (not where it is flat), and image_full (preferred, and shown, without the mask), last.
    """
    level = dict(mean=mean, contrast=contrast)
    masked, full = (set_mean_contrast(images, mask=m, **level) for m in (mask, None))
    best, best_full = (_evaluate(making, shown)[:, 0].argmax() for shown in (masked, full))
    field = linear_receptive_field(making, images.shape[1:], mean=mean)[0]
    return equalise(found | {"image": images[best], "linear_rf": field}, mask=mask, **level) | {
        "image_full": full[best_full]}


def compare_stimuli(stimuli, models, *, unit=0):
    """Predicted responses of one unit to several stimuli.

    Parameters
    ----------
    stimuli : dict of str to (h, w) array
        Of `equalise`.
    models : list of torch modules
        Not used in making any of the stimuli.
    unit : int
        Column of the models' predictions.

    Returns
    -------
    DataFrame
        Rows: names of the stimuli; columns: one a model.
    """
    shown = list(stimuli.values())
    responses = np.stack([_evaluate(model, shown)[:, unit] for model in models], axis=1)
    return pd.DataFrame(responses, index=list(stimuli))


def describe(search, fit, *, refine_from):
    """Say which Gabor won a search of one unit, and how well a Gabor fits its MEI.

    Parameters
    ----------
    search : GaborSearch
    fit : GaborFit
    refine_from : int
        Gabors of the grid from which the search went on.
    """
    best = search.parameters.iloc[0]
    return (f"Of {search.n_grid:,} Gabors and the search from the best {refine_from} the winner has "
            f"orientation {best.orientation:.0f} degrees, {best.spatial_frequency:.3f} cycles per "
            f"degree, sigma {best.sigma:.1f} degrees at azimuth {best.x:.1f}, elevation "
            f"{best.y:.1f}. The Gabor fitted to the MEI correlates {fit.r:.3f} with it.")


def shown_beside_gabors(of_mei, of_gabor):
    """Return names and true responses to the optimum, the MEI and everything that is compared with it.

    Parameters
    ----------
    of_mei : dict
        Of `lib.ground_truth.judge_mei`: there mei is the whole MEI.
    of_gabor : dict
        Of `lib.ground_truth.judge_gabor`: there mei is the masked MEI.
    """
    shown = {"true optimum": of_mei["optimum_true_response"], "whole MEI": of_mei["mei_true_response"]}
    shown |= {label: of_gabor[f"{name}_true_response"] for name, label in LABELS.items()
              if f"{name}_true_response" in of_gabor}
    shown["grey"] = of_mei["grey_true_response"]
    return list(shown), list(shown.values())


def compare_predictions(table, *, folds):
    """The masked MEI against each other stimulus, in the predictions for one unit.

    Parameters
    ----------
    table : DataFrame
        Of `compare_stimuli`, on models that each left out another fold of the images.
    folds : int
        Number of folds.

    Returns
    -------
    DataFrame
        Of `lib.statistics.jackknife_comparison`, a row a stimulus; p_holm: corrected for their number.
    """
    rows = {name: jackknife_comparison(table.loc["mei"], table.loc[name], folds=folds)
            for name in table.index.drop("mei")}
    tests = pd.DataFrame.from_dict(rows, orient="index")
    return tests.assign(p_holm=holm(tests.p.to_numpy(float)))


def shown_tests(tests):
    """`compare_predictions` as a page shows it."""
    shown = pd.DataFrame({
        "models": tests.n, "difference (spikes)": tests.mean_difference.map("{:+.2f}".format),
        "95 % interval": [f"{low:+.2f} to {high:+.2f}" for low, high in zip(tests.low, tests.high)],
        "ratio": tests.mean_ratio, "p (Holm)": tests.p_holm.map("{:.2g}".format)})
    return shown.replace({"nan": "–", "+nan to +nan": "–"}).rename(index=LABELS).rename_axis(
        columns="masked MEI against").style.format({"ratio": "{:.2f}"}, na_rep="–")


def describe_comparison(table, tests, *, alpha=0.05):
    """Say what MEI, best Gabor and best natural image draw, and whether the first two differ.

    Parameters
    ----------
    table : DataFrame
        Of `compare_stimuli`.
    tests : DataFrame
        Of `compare_predictions`.
    alpha : float
        Of the corrected test.
    """
    mean, gabor = table.mean(axis=1), tests.loc["gabor"]
    above = int((table.loc["mei"] > table.loc["gabor"]).sum())
    text = (f"The masked MEI draws {mean['mei']:.2f} predicted spikes, the best Gabor "
            f"{mean['gabor']:.2f} (ratio {gabor.mean_ratio:.2f}; in {above} of {table.shape[1]} models the "
            f"MEI is better), the best natural image {mean['image']:.2f}. ")
    if not np.isfinite(gabor.p_holm):
        return text + "So few models allow no test."
    better = "masked MEI" if gabor.mean_difference > 0 else "best Gabor"
    certain = ("other natural images could have changed that" if gabor.p_holm >= alpha else
               "other natural images would hardly have changed that")
    return text + f"More is predicted of the {better}; {certain} (p = {gabor.p_holm:.2g})."


# ---- the grid of a run --------------------------------------------------------------------------

def search_run(run_folder, *, model, grid, contrast, progress=True):
    """Search the grid for all units of a run, on the models that make stimuli.

    Parameters
    ----------
    run_folder : Path
        `build/<name>` with session.h5 and models/<model>.
    model : str
        Kind of the models.
    grid : {"full", "coarse", "quick"}
    contrast : float
        RMS contrast of the Gabors over the images' mean standard deviation.
    progress : bool

    Returns
    -------
    GridSearch
    """
    session = load_session(run_folder)
    folder = required(Path(run_folder) / "models" / model, "04_cnn")
    makers, _ = ensemble.split_members(crossvalidation.load_ensemble(folder).models)
    return search_grid(MeanModel(makers), session.images.shape[1:], grid=grid, progress=progress,
                       workers=cores(),
                       degrees_per_pixel=session.degrees_per_pixel, mean=session.mean_luminance,
                       contrast=contrast * session.target_contrast)


def load_starts(run_folder, column, *, grid):
    """Read the starts of one unit, made by `python -m lib.gabor_search`.

    Parameters
    ----------
    run_folder : Path
    column : int
        Position of the unit among those the models were fitted to.
    grid : str
        The grid wanted.

    Returns
    -------
    GridSearch, or None where the run's grid is another one (a parameter of this unit alone)

    Raises
    ------
    InputError
        One line with the command, if the search has not run.
    """
    path = Path(run_folder) / "gabor_grid.json"
    if not path.exists():
        raise InputError(f"{path} is not there: `make notebook NB=06_gabor UNIT=id` makes it, or "
                         "`make report` for all stages")
    made = json.loads(path.read_text())["scalars"]
    if made["grid"] != grid:
        return None
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
        return GridSearch(file["parameters"][[column]], file["responses"][[column]], made["n_grid"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parameters", help="JSON text: arguments of search_run")
    parameters = json.loads(parser.parse_args().parameters)
    run_folder = Path(parameters.pop("run_folder"))
    stage = Stage("gabor_grid", run_folder, None, parameters, time.time())
    stage.use(run_folder / "session.h5")
    torch.set_num_threads(1)    # the cores work side by side on batches
    try:
        found = search_run(run_folder, progress=sys.stderr.isatty(), **parameters)
    except InputError as error:
        sys.exit(f"Gabor grid: {error}")
    provenance = stage.save({"grid": parameters["grid"], "n_grid": found.n_grid},
                            {"parameters": found.parameters, "responses": found.responses})
    print(f"Gabor grid: done ({provenance['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
