"""Most exciting inputs: images of fixed mean and contrast that maximise a predicted response.

Any torch module from images ``(n, 1, h, w)`` in the displayable range to responses
``(n, units)`` will do, and so will a list of such modules (an ensemble, responses averaged).
Images handed in and out are numpy float32 ``(..., h, w)``.

After Walker, Sinz, Cobos et al., Nat Neurosci 22:2060 (2019), with the corrections listed in
``published_mei``, which keeps the original report's algorithm for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from lib.mei.ascent import AscentSettings, Response, ascend, unit_rms
from lib.models.ensemble import check_model, predicted_responses, white_noise
from lib.stimuli.contrast import Target, project

REVIVALS = 8
FLAT_STARTS = ("grey", "black", "white")


@dataclass(frozen=True)
class MEIResult:
    """Most exciting inputs of some units from some starts.

    Attributes
    ----------
    images : (units, starts, h, w) float32
        The best iterate of every run.
    responses : (units, starts) float32
        Predicted response, recomputed on `images`.
    best : (units,) int
        Index of the start with the largest response.
    units : (units,) int
        Columns of the model's output.
    starts : tuple of str
        Name of every start; "given" for an explicit image.
    target : Target
    settings : AscentSettings
    response_trace, contrast_trace : (steps + 1, units, starts) float32
        Response itself and RMS contrast of the iterate after every step.
    iterations : (units, starts) int
        Steps until convergence (or all of them).
    converged : (units, starts) bool
    path : (k, units, starts, h, w) float32
        The start, the iterates after `path_steps` steps and the last one.
    path_steps : (k,) int
    """

    images: np.ndarray
    responses: np.ndarray
    best: np.ndarray
    units: np.ndarray
    starts: tuple
    target: Target
    settings: AscentSettings
    response_trace: np.ndarray
    contrast_trace: np.ndarray
    iterations: np.ndarray
    converged: np.ndarray
    path: np.ndarray
    path_steps: np.ndarray

    @property
    def labels(self) -> list:
        """Names of the starts, numbered so that each is another one."""
        return [f"{name} {k + 1}" for k, name in enumerate(self.starts)]

    @property
    def best_images(self) -> np.ndarray:
        """(units, h, w): per unit the image of its best start."""
        return self.images[np.arange(len(self.best)), self.best]

    @property
    def best_responses(self) -> np.ndarray:
        """(units,): per unit the response to `best_images`."""
        return self.responses[np.arange(len(self.best)), self.best]


def most_exciting_input(
    model: torch.nn.Module | list[torch.nn.Module],
    shape: tuple[int, int],
    target: Target,
    *,
    starts: Sequence[str] | np.ndarray = ("noise", "noise", "noise", "grey"),
    images: np.ndarray | None = None,
    units: Sequence[int] | None = None,
    settings: AscentSettings = AscentSettings(),
    batch_size: int = 32,
    seed: int = 0,
) -> MEIResult:
    """Images of fixed mean and RMS contrast that maximise the predicted response.

    Gradient ascent on the sphere of images with the given mean and contrast. The gradient's
    tangential part is smoothed in Fourier space (amplitude 1/f^a on true frequencies, times a
    Gaussian blur that falls linearly to nothing over the first tenth of the steps); a step
    that does not raise the response is undone and halved, so the trace never falls. All units
    and starts run in one batch, and a run leaves it on convergence.

    Parameters
    ----------
    model : torch module or list of them
        (n, 1, h, w) -> (n, units), in evaluation mode; a list is averaged.
    target : Target
        Mean, contrast and displayable range of the image; its mask plays no part.
    starts : sequence of str or array
        "noise" (white), "natural" (best of `images`), "grey", "black", "white" (the gradient at
        a flat image), or an explicit image (h, w) or (units, h, w). Repeated "noise" draws new
        noise. A start at which a rectified unit is silent, and so without a gradient, is
        replaced (contrast reversed, or new noise).
    images : (n, h, w) array, optional
        Natural images, for the start "natural".
    units : sequence of int, optional
        Columns of the model's output; all by default.
    batch_size : int
        Images through the model at a time.

    Raises
    ------
    ValueError
        Before the run, when the model, the mean, the contrast or a start cannot be used.

    Examples
    --------
    >>> pattern = torch.linspace(-1, 1, 48).reshape(6, 8)
    >>> class Linear(torch.nn.Module):
    ...     def forward(self, images):
    ...         return torch.einsum("nchw,hw->n", images, pattern)[:, None]
    >>> found = most_exciting_input(Linear().eval(), (6, 8), Target(mean=0.5, contrast=0.1))
    >>> round(float(np.corrcoef(found.best_images[0].ravel(), pattern.ravel())[0, 1]), 3)
    1.0
    """
    return _optimise(model, shape, target, starts, images, units, settings, batch_size, seed, 1.0)


def most_inhibiting_input(
    model: torch.nn.Module | list[torch.nn.Module],
    shape: tuple[int, int],
    target: Target,
    *,
    starts: Sequence[str] | np.ndarray = ("noise", "noise", "noise", "grey"),
    settings: AscentSettings = AscentSettings(),
    seed: int = 0,
) -> MEIResult:
    """Images of fixed mean and RMS contrast that minimise the predicted response, of all units.

    Arguments, result and errors as for `most_exciting_input`; here `best` is the start with the
    smallest response and the trace never rises.
    """
    return _optimise(model, shape, target, starts, None, None, settings, 32, seed, -1.0)


def _optimise(model, shape, target, starts, images, units, settings, batch_size, seed, sign) -> MEIResult:
    """`most_exciting_input` for `sign` times the response."""
    shape = tuple(int(n) for n in shape)
    count = check_model(model, shape, target, units=units)
    units = np.arange(count) if units is None else np.asarray(units, dtype=int)
    names = tuple(s if isinstance(s, str) else "given" for s in starts)
    if "natural" in names and images is None:
        raise ValueError("start 'natural' has no images: pass images=(n, h, w)")
    response = Response(model, torch.as_tensor(units), sign, batch_size)
    x = []
    for i, (start, name) in enumerate(zip(starts, names)):
        if name == "natural":
            image, ok = _best_natural(model, images, units, sign, target, settings, batch_size)
        else:
            image, ok = _start_image(start, response, shape, target, settings, seed + i)
        if not ok.all():
            raise ValueError(
                f"a start ({name}) cannot have mean {target.mean:g} and contrast "
                f"{target.contrast:g} inside {target.value_range}: lower the contrast"
            )
        x.append(image.expand(len(units), -1, -1, -1))
    response.units = response.units.repeat_interleave(len(names))
    x = _revive(response, torch.cat(x, 1).reshape(-1, 1, *shape), len(names), target, settings, seed)
    run = ascend(response, x, target, settings)
    return _result(run, model, units, names, sign, target, settings, batch_size)


def _start_image(start, response, shape, target, settings, seed):
    """(1 or units, 1, h, w) start and (n,) whether it has the mean and contrast."""
    noise = white_noise(1, shape, seed=seed)
    if not isinstance(start, str):
        start = torch.as_tensor(np.array(start, dtype=np.float32))
        if start.shape[-2:] != shape or (start.ndim == 3 and len(start) != len(response.units)):
            raise ValueError(
                f"a start image has shape {tuple(start.shape)}, expected {shape} or "
                f"{(len(response.units), *shape)}"
            )
        x = start.reshape(-1, 1, *shape)
    elif start == "noise":
        x = noise
    elif start in FLAT_STARTS:
        low, high = target.value_range
        level = {"grey": target.mean, "black": low, "white": high}[start]
        x = (level + 1e-3 * target.contrast * noise).expand(len(response.units), -1, -1, -1)
        gradient = response(x, torch.arange(len(x)))[1]
        x = x + target.contrast * unit_rms(gradient)
    else:
        raise ValueError(
            f"start '{start}' is unknown, expected noise, natural, an image or one "
            f"of {', '.join(FLAT_STARTS)}"
        )
    return project(settings.in_band(x), target)


def _revive(response, images, n_starts, target, settings, seed):
    """Replace starts at which a unit has no gradient, as a rectified unit that is silent has.

    By their contrast-reversed image, else by smooth noise, which drives a receptive field more.
    """

    def dead(x):
        return response(x, torch.arange(len(x)))[1].flatten(1).abs().amax(1) == 0

    was, others = dead(images), [-images]
    for k in range(REVIVALS if was.any() else 0):
        other, ok = project(settings.in_band(others[k]), target)
        images = torch.where((was & ok)[:, None, None, None], other, images)
        was = dead(images)
        noise = white_noise(1, images.shape[-2:], seed=seed + 1000 + k).numpy(force=True)
        smooth = ndimage.gaussian_filter(noise, (0, 0, 1 + k // 2, 1 + k // 2))
        others.append(torch.as_tensor(smooth).expand_as(images))
    silent = was.reshape(-1, n_starts).all(1)
    if silent.any():
        units = response.units.reshape(-1, n_starts)[silent, 0].tolist()
        raise ValueError(
            f"zero gradient at every start for units {units}: the response does not "
            "depend on the image there; drop them or give a start that drives them"
        )
    return images


def _best_natural(model, images, units, sign, target, settings, batch_size):
    """(units, 1, h, w) natural image of the largest sign * response per unit, and (units,) ok."""
    x = torch.as_tensor(np.ascontiguousarray(images), dtype=torch.float32)[:, None]
    x, ok = project(settings.in_band(x), target)
    shown = x[:, 0].numpy(force=True)
    responses = sign * predicted_responses(model, shown, units=units, batch_size=batch_size)
    responses[~ok.numpy(force=True)] = -np.inf
    best = torch.as_tensor(responses.argmax(0))
    return x[best], ok[best]


def own_responses(
    model: torch.nn.Module | list[torch.nn.Module], images: np.ndarray, units: Sequence[int], batch_size: int
) -> np.ndarray:
    """(units, n, h, w) -> (units, n) responses of each unit to its own images."""
    n, own = images.shape[:2], np.arange(len(images))
    flat = images.reshape(-1, *images.shape[2:])
    responses = predicted_responses(model, flat, units=units, batch_size=batch_size)
    return responses.reshape(*n, len(own))[own, :, own]


def _result(run, model, units, names, sign, target, settings, batch_size) -> MEIResult:
    n, shape = (len(units), len(names)), run.images.shape[-2:]
    images = run.images.reshape(*n, *shape).numpy(force=True)
    responses = own_responses(model, images, units, batch_size)
    left = np.isin(np.arange(n[0] * n[1]), run.active.numpy(force=True))
    return MEIResult(
        images=images,
        responses=responses,
        best=(sign * responses).argmax(1),
        units=units,
        starts=names,
        target=target.within(None),
        settings=settings,
        response_trace=sign * torch.stack(run.value_trace).reshape(-1, *n).numpy(force=True),
        contrast_trace=torch.stack(run.contrast_trace).reshape(-1, *n).numpy(force=True),
        iterations=run.iterations.reshape(n).numpy(force=True),
        converged=~left.reshape(n),
        path=torch.stack(run.path).reshape(-1, *n, *shape).numpy(force=True),
        path_steps=np.array(run.path_steps),
    )
