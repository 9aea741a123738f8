"""Most exciting inputs: images of fixed mean and contrast that maximise a predicted response.

Any torch module from images ``(n, 1, h, w)`` in the displayable range to responses
``(n, units)`` will do, and so will a list of such modules (an ensemble, responses averaged).
Images handed in and out are numpy float32 ``(..., h, w)``.

After Walker, Sinz, Cobos et al., Nat Neurosci 22:2060 (2019), with the corrections listed in
``published_mei``, which keeps the original report's algorithm for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

PROJECTION_TOLERANCE = 1e-5
PATH_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
FLAT = {"grey": None, "black": 0.0, "white": 1.0}


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
        Name of every start.
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
    response_trace: np.ndarray
    contrast_trace: np.ndarray
    iterations: np.ndarray
    converged: np.ndarray
    path: np.ndarray
    path_steps: np.ndarray

    @property
    def best_images(self) -> np.ndarray:
        """(units, h, w): per unit the image of its best start."""
        return self.images[np.arange(len(self.best)), self.best]

    @property
    def best_responses(self) -> np.ndarray:
        """(units,): per unit the response to `best_images`."""
        return self.responses[np.arange(len(self.best)), self.best]


def most_exciting_input(
    model,
    shape,
    *,
    mean,
    contrast,
    starts=("noise", "noise", "noise", "grey"),
    images=None,
    units=None,
    value_range=(0.0, 1.0),
    steps=200,
    step_size=0.5,
    blur=2.0,
    frequency_exponent=1.0,
    tolerance=1e-4,
    patience=10,
    batch_size=32,
    seed=0,
    progress=False,
) -> MEIResult:
    """Images of fixed mean and RMS contrast that maximise the predicted response.

    Gradient ascent on the sphere of images with the given mean and contrast. The gradient's
    tangential part is smoothed in Fourier space (amplitude 1/f^a on true frequencies, times a
    Gaussian blur that falls linearly to nothing over the first quarter of the steps); a step
    that does not raise the response is undone and halved, so the trace never falls. All units
    and starts run in one batch, and a run leaves it on convergence.

    Parameters
    ----------
    model : torch module or list of them
        (n, 1, h, w) -> (n, units), in evaluation mode; a list is averaged.
    shape : (int, int)
        Height and width in pixels.
    mean, contrast : float
        Mean and standard deviation over all pixels of the image.
    starts : sequence of str or array
        "noise", "grey", "black", "white", "natural" (best of `images`), or an explicit image
        (h, w) or (units, h, w). Repeated "noise" draws new noise.
    images : (n, h, w) array, optional
        Natural images, for the start "natural".
    units : sequence of int, optional
        Columns of the model's output; all by default.
    steps, step_size, blur, frequency_exponent
        Number of steps; first step in units of the contrast; first blur (pixels); exponent a.
    tolerance, patience
        A run has converged when `patience` steps raise it by less than `tolerance`, relative.
    batch_size : int
        Images through the model at a time.

    Raises
    ------
    ValueError
        Before the run, when the model, the mean, the contrast or a start cannot be used.
    """
    return _optimise(
        model, shape, mean=mean, contrast=contrast, starts=starts, images=images, units=units,
        value_range=value_range, steps=steps, step_size=step_size, blur=blur,
        frequency_exponent=frequency_exponent, tolerance=tolerance, patience=patience,
        batch_size=batch_size, seed=seed, progress=progress, sign=1.0,
    )


def most_inhibiting_input(model, shape, *, mean, contrast, **options) -> MEIResult:
    """Images of fixed mean and contrast that minimise the predicted response.

    Arguments, result and errors as for `most_exciting_input`; `best` is the smallest response.
    """
    defaults = {"starts": ("noise", "noise", "noise", "grey")}
    return _optimise(model, shape, mean=mean, contrast=contrast, sign=-1.0, **defaults | options)


def predicted_responses(model, images, *, units=None, batch_size=64) -> np.ndarray:
    """Responses of a module, or of an ensemble's mean, to images.

    Parameters
    ----------
    images : (n, h, w) array
    units : sequence of int, optional

    Returns
    -------
    (n, units) float32
    """
    images = torch.as_tensor(np.ascontiguousarray(images), dtype=torch.float32)[:, None]
    members = _members(model)
    with torch.no_grad():
        parts = [
            sum(member(part) for member in members) / len(members)
            for part in images.split(batch_size)
        ]
    out = torch.cat(parts).numpy()
    return out if units is None else out[:, np.asarray(units)]


def project(images, *, mean, contrast, value_range=(0.0, 1.0), max_iterations=200):
    """Bring images to exactly one mean and RMS contrast inside a range.

    Alternates rescaling and clipping until all three hold.

    Parameters
    ----------
    images : (n, 1, h, w) float32 tensor

    Returns
    -------
    images : (n, 1, h, w) tensor
    ok : (n,) bool tensor
        False where it did not succeed to 1e-5 (an image with too few free values).
    """
    low, high = value_range
    for _ in range(max_iterations):
        deviation = images - images.mean((1, 2, 3), keepdim=True)
        spread = deviation.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        images = (mean + deviation * (contrast / spread)).clamp(low, high)
        off = torch.maximum(
            (images.mean((1, 2, 3)) - mean).abs(),
            (images.std((1, 2, 3), correction=0) - contrast).abs(),
        )
        if not (off > PROJECTION_TOLERANCE).any():
            break
    return images, off <= PROJECTION_TOLERANCE


def check_model(model, shape, *, mean, contrast, units=None, value_range=(0.0, 1.0)) -> int:
    """Raise one clear ValueError if a module cannot be optimised over; return its unit count."""
    low, high = value_range
    if not low < mean < high:
        raise ValueError(f"mean is {mean:g}, expected inside the range ({low:g}, {high:g})")
    largest = float(np.sqrt((mean - low) * (high - mean)))
    if not 0 < contrast < largest:
        raise ValueError(
            f"contrast is {contrast:g}, expected above 0 and below {largest:.4g}, the largest "
            f"standard deviation an image of mean {mean:g} can have in ({low:g}, {high:g})"
        )
    counts = [_check_member(m, shape, mean, contrast, value_range) for m in _members(model)]
    if len(set(counts)) != 1:
        raise ValueError(f"ensemble members give {counts} units, expected the same number each")
    if units is not None and not all(0 <= u < counts[0] for u in units):
        raise ValueError(f"units {list(units)} not all in 0..{counts[0] - 1}, the model's outputs")
    return counts[0]


def _check_member(model, shape, mean, contrast, value_range) -> int:
    if any(module.training for module in model.modules()):
        raise ValueError("the model is in training mode, expected evaluation: call model.eval()")
    x = _noise(2, shape, seed=0) * contrast + mean
    x = x.clamp(*value_range).requires_grad_(True)
    try:
        out = model(x)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the model fails on images of shape {tuple(x.shape)}: {reason}") from None
    if not torch.is_tensor(out) or out.ndim != 2 or len(out) != 2:
        got = tuple(out.shape) if torch.is_tensor(out) else type(out).__name__
        raise ValueError(f"the model gives {got} for 2 images, expected the shape (2, units)")
    if not torch.isfinite(out).all():
        raise ValueError("the model gives non-finite responses to noise: check its weights")
    if not out.requires_grad:
        raise ValueError(
            "the response has no gradient with respect to the image: take detach(), numpy or "
            "no_grad out of the model's forward"
        )
    return out.shape[1]


def _members(model) -> list:
    members = list(model) if isinstance(model, (list, tuple)) else [model]
    if not members or not all(isinstance(m, torch.nn.Module) for m in members):
        raise ValueError("model is not a torch module nor a list of them: pass one")
    return members


def _noise(n, shape, *, seed) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((n, 1, *shape), generator=generator)


class _Objective:
    """Value and image gradient of `sign * response` of one unit per image."""

    def __init__(self, model, sign, batch_size):
        self.members, self.sign, self.batch_size = _members(model), sign, batch_size

    def __call__(self, images, units):
        """(n, 1, h, w), (n,) -> values (n,), gradients (n, 1, h, w)."""
        values, gradients = [], []
        for x, u in zip(images.split(self.batch_size), units.split(self.batch_size), strict=True):
            x = x.detach().requires_grad_(True)
            value, gradient = 0.0, 0.0
            for member in self.members:
                one = member(x).gather(1, u[:, None])[:, 0]
                gradient = gradient + torch.autograd.grad(one.sum(), x)[0]
                value = value + one.detach()
            scale = self.sign / len(self.members)
            values.append(value * scale)
            gradients.append(gradient * scale)
        return torch.cat(values), torch.cat(gradients)


def _frequency(shape) -> torch.Tensor:
    """Radial frequency in cycles per pixel on rfft2's grid, the constant term raised to 1/size."""
    f = torch.hypot(torch.fft.fftfreq(shape[0])[:, None], torch.fft.rfftfreq(shape[1])[None])
    f[0, 0] = 1 / max(shape)
    return f


def _tangent(direction, deviation):
    """Take the mean and the part along `deviation` out of `direction`; scale to RMS 1."""
    direction = direction - direction.mean((1, 2, 3), keepdim=True)
    along = (direction * deviation).sum((1, 2, 3), keepdim=True)
    norm = deviation.square().sum((1, 2, 3), keepdim=True).clamp_min(1e-20)
    direction = direction - along / norm * deviation
    rms = direction.square().mean((1, 2, 3), keepdim=True).sqrt()
    return direction / rms.clamp_min(1e-20)


def _ascent_direction(gradient, images, weights):
    """Smooth the tangential gradient in Fourier space; it stays a direction of ascent."""
    deviation = images - images.mean((1, 2, 3), keepdim=True)
    spectrum = torch.fft.rfft2(_tangent(gradient, deviation)) * weights
    smooth = torch.fft.irfft2(spectrum, s=images.shape[-2:])
    return _tangent(smooth, deviation)


def _start_images(starts, objective, units, shape, *, natural, seed, constraint):
    """(units, starts, h, w) tensor: every start brought to mean and contrast, and its names."""
    out, names, value_range = [], [], constraint["value_range"]
    for i, start in enumerate(starts):
        noise = _noise(1, shape, seed=seed + i)
        name = start if isinstance(start, str) else "given"
        if not isinstance(start, str):
            x = torch.as_tensor(np.array(start, dtype=np.float32)).reshape(-1, 1, *shape)
        elif start == "noise":
            x = noise
        elif start == "natural":
            x = natural
        elif start in FLAT:
            level = constraint["mean"] if start == "grey" else value_range[start == "white"]
            x = level + 1e-3 * constraint["contrast"] * noise
            x = x.clamp(*value_range).expand(len(units), -1, -1, -1)
            x = x + _unit_rms(objective(x, units)[1]) * constraint["contrast"]
        else:
            raise ValueError(f"start '{start}' unknown, expected noise, natural, an image or one "
                             f"of {', '.join(FLAT)}")
        x, ok = project(x, **constraint)
        if not ok.all():
            raise ValueError(f"start {i} ({name}) cannot be brought to mean "
                             f"{constraint['mean']:g} and contrast {constraint['contrast']:g} "
                             f"inside {value_range}: lower the contrast")
        out.append(x.expand(len(units), -1, -1, -1))
        names.append(name)
    return torch.stack(out, 1), tuple(names)


def _unit_rms(x):
    return x / x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-20)


def _optimise(
    model, shape, *, mean, contrast, sign, starts, images=None, units=None,
    value_range=(0.0, 1.0), steps=200, step_size=0.5, blur=2.0, frequency_exponent=1.0,
    tolerance=1e-4, patience=10, batch_size=32, seed=0, progress=False,
):
    shape = tuple(int(n) for n in shape)
    constraint = {"mean": float(mean), "contrast": float(contrast), "value_range": value_range}
    count = check_model(model, shape, **constraint, units=units)
    units = np.arange(count) if units is None else np.asarray(units, dtype=int)
    columns = torch.as_tensor(units)
    objective = _Objective(model, sign, batch_size)
    natural = None
    if any(isinstance(s, str) and s == "natural" for s in starts):
        natural = _best_natural(model, images, units, sign, constraint, batch_size)
    x, names = _start_images(
        starts, objective, columns, shape, natural=natural, seed=seed, constraint=constraint
    )
    run = _ascend(
        objective, x.flatten(0, 1)[:, None].reshape(-1, 1, *shape),
        columns.repeat_interleave(len(names)), constraint=constraint, steps=steps,
        step_size=step_size, blur=blur, frequency_exponent=frequency_exponent,
        tolerance=tolerance, patience=patience, progress=progress,
    )
    return _result(run, model, units, names, shape, sign, batch_size)


def _best_natural(model, images, units, sign, constraint, batch_size):
    """(units, 1, h, w): per unit the natural image with the largest sign * response."""
    if images is None:
        raise ValueError("start 'natural' needs images=(n, h, w): pass the natural images")
    x = torch.as_tensor(np.ascontiguousarray(images), dtype=torch.float32)[:, None]
    x, ok = project(x, **constraint)
    x = x[ok]
    if not len(x):
        raise ValueError(f"none of {len(ok)} images reaches the contrast: lower it")
    responses = predicted_responses(model, x[:, 0].numpy(), units=units, batch_size=batch_size)
    return x[torch.as_tensor((sign * responses).argmax(0))]


def _ascend(objective, x, units, *, constraint, steps, step_size, blur, frequency_exponent,
            tolerance, patience, progress):
    """Ascend from (n, 1, h, w); see `most_exciting_input`. Returns a dict of tensors."""
    n = len(x)
    frequency = _frequency(x.shape[-2:])
    value, gradient = objective(x, units)
    dead = gradient.flatten(1).abs().amax(1) == 0
    stuck = [int(u) for u in units.unique() if dead[units == u].all()]
    if stuck:
        raise ValueError(f"zero gradient at every start for units {stuck}: they do not depend on "
                         "the image there; leave them out or give a start that drives them")
    size = torch.full((n, 1, 1, 1), float(step_size))
    scale = value.abs()
    values = [value.clone()]
    contrasts = [x.std((1, 2, 3), correction=0)]
    path, path_steps = [x.clone()], [0]
    iterations = torch.full((n,), steps)
    active = torch.arange(n)
    bar = tqdm(total=steps, desc="most exciting inputs", disable=not progress)
    for step in range(1, steps + 1):
        sigma = blur * max(0.0, 1 - 4 * (step - 1) / steps)
        weights = frequency ** -frequency_exponent
        weights = weights * torch.exp(-2 * (np.pi * sigma * frequency) ** 2)
        now = x[active]
        direction = _ascent_direction(gradient[active], now, weights)
        trial, ok = project(
            now + size[active] * constraint["contrast"] * direction, **constraint
        )
        trial_value, trial_gradient = objective(trial, units[active])
        better = ok & (trial_value > value[active])
        won = active[better]
        x[won], value[won], gradient[won] = trial[better], trial_value[better], trial_gradient[better]
        size[active] *= torch.where(better, 1.5, 0.5)[:, None, None, None]
        size.clamp_(max=2.0)
        values.append(value.clone())
        contrasts.append(x.std((1, 2, 3), correction=0))
        if step in PATH_STEPS:
            path.append(x.clone())
            path_steps.append(step)
        bar.update()
        if sigma == 0 and step > patience:
            scale = torch.maximum(scale, value.abs())
            done = (value - values[-1 - patience] <= tolerance * scale)[active]
            iterations[active[done]] = step
            active = active[~done]
            if not len(active):
                break
    bar.close()
    if path_steps[-1] != step:
        path.append(x.clone())
        path_steps.append(step)
    left = torch.zeros(n, dtype=torch.bool)
    left[active] = True
    return {"images": x, "values": torch.stack(values), "contrasts": torch.stack(contrasts),
            "path": torch.stack(path), "path_steps": path_steps, "iterations": iterations,
            "converged": ~left}


def _result(run, model, units, names, shape, sign, batch_size) -> MEIResult:
    n = (len(units), len(names))
    images = run["images"].reshape(*n, *shape).numpy()
    flat = predicted_responses(model, images.reshape(-1, *shape), units=units, batch_size=batch_size)
    responses = flat.reshape(*n, len(units))[np.arange(n[0]), :, np.arange(n[0])]
    return MEIResult(
        images=images,
        responses=responses,
        best=(sign * responses).argmax(1),
        units=units,
        starts=names,
        response_trace=sign * run["values"].reshape(-1, *n).numpy(),
        contrast_trace=run["contrasts"].reshape(-1, *n).numpy(),
        iterations=run["iterations"].reshape(n).numpy(),
        converged=run["converged"].reshape(n).numpy(),
        path=run["path"].reshape(-1, *n, *shape).numpy(),
        path_steps=np.array(run["path_steps"]),
    )
