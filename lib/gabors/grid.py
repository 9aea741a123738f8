"""A full grid of Gabors, shown to all units of a run at once: 06_gabor goes on from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from lib.data.session import load_session
from lib.errors import InputError
from lib.gabors.parameters import PARAMETERS, bounds, from_free, render_gabors, to_free
from lib.machine import cores, side_by_side
from lib.models import ensemble, own
from lib.models.ensemble import MeanModel, one_model
from lib.stimuli.contrast import Target, at_mean_contrast
from lib.stimuli.patterns import ROTATION

GRIDS = {  # at least so many positions; orientations, frequencies, phases, sigma x frequency
    "full": (104, 12, 5, 4, (0.25, 0.4, 0.7)),  # 74,880 Gabors or a few more
    "coarse": (48, 8, 4, 4, (0.4,)),  # 6,144 or a few more
    "quick": (20, 6, 3, 4, (0.4,)),  # 1,440 or a few more
}
FREQUENCIES = (0.02, 0.16)  # cycles/degree: the range of mouse visual cortex
SHOWN, BATCH = 64, 32  # Gabors at a time: of the grid, and where a gradient is taken too
KEPT = 40  # Gabors of the grid kept for each unit, to be ranked again under its mask
ZOOMED, ROUNDS = 3, 6  # Gabors of each unit that move between the points of the grid, and how often


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


def gabor_grid(
    shape: tuple[int, int], *, degrees_per_pixel: float, grid: str = "full", mask: np.ndarray | None = None
) -> pd.DataFrame:
    """Parameters of a full grid of Gabors: position, orientation, frequency, phase and size.

    Positions fill the image (h, w), or where a mask reaches 0.5; the size is a number of cycles. The grid is
    one of `GRIDS`, the columns are `PARAMETERS`.
    """
    if grid not in GRIDS:
        raise ValueError(f"grid is {grid!r}; give one of {', '.join(GRIDS)}")
    n_positions, n_orientations, n_frequencies, n_phases, cycles = GRIDS[grid]
    inside = np.ones(shape, bool) if mask is None else np.asarray(mask) >= 0.5
    if not inside.any():
        raise ValueError("no pixel of the mask reaches 0.5; give a mask that covers the stimulus")
    places = _positions(inside, n_positions, degrees_per_pixel)
    highest = min(FREQUENCIES[1], 0.4 / degrees_per_pixel)
    axes = [
        np.arange(len(places)),
        np.arange(n_orientations) * 180 / n_orientations,
        np.geomspace(FREQUENCIES[0], highest, n_frequencies),
        np.arange(n_phases) / n_phases,
        cycles,
    ]
    place, orientation, frequency, phase, cycle = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    columns = [*places[place].T, orientation, frequency, phase, cycle / frequency, np.ones(len(place))]
    return pd.DataFrame(dict(zip(PARAMETERS, columns)))


def _positions(inside, n, degrees_per_pixel):
    """At least n points (degrees) of the widest square lattice that has so many in the region."""
    (h, w), (rows, cols) = inside.shape, np.nonzero(inside)
    spacing = np.sqrt(len(rows) / n)
    while True:
        number = [max(round((np.ptp(c) + 1) / spacing), 1) for c in (rows, cols)]
        at = [
            (c.min() + c.max()) / 2 + spacing * (np.arange(k) - (k - 1) / 2)
            for c, k in zip((rows, cols), number)
        ]
        row, col = (axis.ravel() for axis in np.meshgrid(*at, indexing="ij"))
        kept = inside[np.round(row).astype(int).clip(0, h - 1), np.round(col).astype(int).clip(0, w - 1)]
        if kept.sum() >= n:
            return degrees_per_pixel * np.stack([col[kept] - (w - 1) / 2, (h - 1) / 2 - row[kept]], axis=1)
        spacing *= 0.98


def search_grid(
    model: torch.nn.Module | list[torch.nn.Module],
    shape: tuple[int, int],
    target: Target,
    *,
    degrees_per_pixel: float,
    grid: str = "full",
    keep: int = KEPT,
    workers: int = 1,
    progress: bool = False,
) -> GridSearch:
    """Show every Gabor of a grid to all units of a model at once, and keep the best few of each.

    Parameters
    ----------
    model : torch module, or list of them
    shape : (h, w)
    target : Target
        Mean and contrast of the whole image; a mask is one for all units, without it the grid fills the
        image.
    grid : str
        One of `GRIDS`.
    workers : int
        Batches at once, each in a thread.
    """
    model = one_model(model).eval()
    table = gabor_grid(shape, degrees_per_pixel=degrees_per_pixel, grid=grid, mask=target.mask)
    parameters = torch.tensor(table.to_numpy(), dtype=torch.float32)
    images = images_of(shape, target, degrees_per_pixel=degrees_per_pixel)

    def respond(rows):
        with torch.no_grad():  # which holds for one thread alone
            return model(images(parameters[rows])).T

    top, index = None, None
    batches = torch.arange(len(parameters)).split(SHOWN)
    with side_by_side(workers) as each:
        shown = zip(batches, each(respond, batches))
        for rows, values in tqdm(shown, "Gabor grid", len(batches), disable=not progress):
            places = rows.expand(values.shape)
            if top is not None:
                values, places = torch.cat([top, values], 1), torch.cat([index, places], 1)
            top, order = values.topk(min(keep, values.shape[1]), dim=1)
            index = places.gather(1, order)
    return GridSearch(parameters[index].numpy(force=True), top.numpy(force=True), len(table))


def zoom(
    model: torch.nn.Module | list[torch.nn.Module],
    found: GridSearch,
    shape: tuple[int, int],
    target: Target,
    *,
    degrees_per_pixel: float,
    grid: str = "full",
    workers: int = 1,
) -> GridSearch:
    """Let the best Gabors of each unit move between the points of the grid that they come from.

    A pattern search (Hooke & Jeeves, J ACM 8:212, 1961): in each round a Gabor moves to the best of its
    neighbours, half a spacing of the grid away along one parameter, or halves its steps where none is better.
    A step to another place leaves the bars where they are.

    Takes what `search_grid` found, and its arguments; returns it with the best `ZOOMED` of each unit moved,
    best first.
    """
    model = one_model(model).eval()
    table = gabor_grid(shape, degrees_per_pixel=degrees_per_pixel, grid=grid, mask=target.mask)
    points = to_free(torch.tensor(table.to_numpy(), dtype=torch.float32)).numpy(force=True)
    spacing = [np.diff(np.unique(axis.round(3))).max(initial=0) / 2 for axis in points.T]
    moves = torch.diag(torch.tensor(spacing, dtype=torch.float32))
    moves = torch.cat([moves, -moves])[torch.tensor(spacing * 2) > 0]
    limits = bounds(shape, degrees_per_pixel)
    images = images_of(shape, target, degrees_per_pixel=degrees_per_pixel)
    parameters, responses = torch.tensor(found.parameters), torch.tensor(found.responses)
    best, value = to_free(parameters[:, :ZOOMED]), responses[:, :ZOOMED].clone()
    size = torch.ones(*value.shape, 1, 1)
    for _ in range(ROUNDS):
        near = from_free((best[:, :, None] + size * moves).clamp(*limits))
        near[..., 4] += _phase_of(near, near[..., :2] - from_free(best)[:, :, None, :2])
        answers = own_responses(model, near.flatten(1, 2), images, workers=workers)
        answers, which = answers.view(*value.shape, -1).max(2)
        better = answers > value
        best[better] = to_free(near[better][torch.arange(int(better.sum())), which[better]])
        value, size = value.maximum(answers), size.where(better[..., None, None], size / 2)
    parameters[:, :ZOOMED], responses[:, :ZOOMED] = from_free(best), value
    responses, order = responses.sort(dim=1, descending=True, stable=True)
    parameters = parameters.gather(1, order[..., None].expand_as(parameters))
    return GridSearch(parameters.numpy(force=True), responses.numpy(force=True), found.n_grid)


def _phase_of(parameters, steps):
    """Phase (cycles) that leaves the bars of a Gabor in place when it takes a step (..., 2), degrees."""
    theta = ROTATION * torch.deg2rad(parameters[..., 2])
    return parameters[..., 3] * (theta.cos() * steps[..., 0] + theta.sin() * steps[..., 1])


def own_responses(
    model: torch.nn.Module,
    parameters: torch.Tensor,
    images: Callable[[torch.Tensor], torch.Tensor],
    *,
    workers: int = 1,
) -> torch.Tensor:
    """Return (units, k) responses of each unit to Gabors of its own, parameters (units, k, 7)."""
    units, k, _ = parameters.shape
    own = torch.arange(units).repeat_interleave(k)

    def respond(part):
        with torch.no_grad():  # which holds for one thread alone
            gabors, unit = part
            return model(images(gabors))[torch.arange(len(gabors)), unit]

    with side_by_side(workers) as each:
        parts = zip(parameters.flatten(0, 1).split(SHOWN), own.split(SHOWN))
        return torch.cat(list(each(respond, parts))).view(units, k)


def images_of(
    shape: tuple[int, int], target: Target, *, degrees_per_pixel: float
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function from parameters (n, 7) to images (n, 1, h, w) at a `Target`."""

    def images(parameters):
        patterns = render_gabors(parameters, shape, degrees_per_pixel=degrees_per_pixel)
        return at_mean_contrast(patterns, target)

    return images


def search_run(
    run_folder: Path | str, *, model: str | dict, grid: str, contrast: float, progress: bool
) -> GridSearch:
    """Search the grid, and between its points, for all units of a run, on the models that make stimuli.

    Parameters
    ----------
    run_folder : Path
        `build/<name>` with session.h5 and models/<model>.
    model : str or dict
        Kind of the models, or somebody's own (`lib.models.own`).
    contrast : float
        RMS contrast of the Gabors over the images' mean standard deviation.
    """
    session = load_session(run_folder)
    makers, _ = ensemble.split_members(ensemble.load_models(run_folder, own.kind_of(model)))
    target = Target(session.mean_luminance, contrast * session.target_contrast)
    model, shape = MeanModel(makers), session.images.shape[1:]
    how = dict(grid=grid, workers=cores(), degrees_per_pixel=session.degrees_per_pixel)
    return zoom(model, search_grid(model, shape, target, progress=progress, **how), shape, target, **how)


def load_starts(run_folder: Path | str, column: int, *, grid: str) -> GridSearch | None:
    """Read the starts of one unit, made by `python -m workflow.jobs gabor_grid`.

    `column` is the position of the unit among those the models were fitted to. None where the run's grid is
    another one (a parameter of this unit alone).

    Raises
    ------
    InputError
        One line with the command, if the search has not run.
    """
    path = Path(run_folder) / "gabor_grid.json"
    if not path.exists():
        raise InputError(
            f"{path} is not there: `make notebook NB=06_gabor UNIT=id` makes it, or "
            "`make report` for all stages"
        )
    made = json.loads(path.read_text())["scalars"]
    if made["grid"] != grid:
        return None
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
        return GridSearch(file["parameters"][[column]], file["responses"][[column]], made["n_grid"])
