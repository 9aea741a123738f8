"""Most exciting inputs: images of fixed mean and contrast that maximise a predicted response.

Any torch module from images ``(n, 1, h, w)`` in the displayable range to responses
``(n, units)`` will do, and so will a list of such modules (an ensemble, responses averaged).
Images handed in and out are numpy float32 ``(..., h, w)``.

After Walker, Sinz, Cobos et al., Nat Neurosci 22:2060 (2019), with the corrections listed in
``published_mei``, which keeps the original report's algorithm for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull
from tqdm import tqdm

from lib.metrics import local_energy
from lib.stimuli import set_mean_contrast

PROJECTION_TOLERANCE = 1e-5
PATH_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
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
    value_range : (float, float)
    highest_frequency : float or None
        Cycles per pixel.
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
    value_range: tuple
    highest_frequency: float | None
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
    frequency_exponent=0.25,
    highest_frequency=None,
    tolerance=1e-4,
    patience=10,
    batch_size=32,
    seed=0,
    progress=False,
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
    shape : (int, int)
        Height and width in pixels.
    mean, contrast : float
        Mean and standard deviation over all pixels of the image.
    starts : sequence of str or array
        "noise" (white), "natural" (best of `images`), "grey", "black", "white" (the gradient at
        a flat image), or an explicit image (h, w) or (units, h, w). Repeated "noise" draws new
        noise. A start at which a rectified unit is silent, and so without a gradient, is
        replaced (contrast reversed, or new noise).
    images : (n, h, w) array, optional
        Natural images, for the start "natural".
    units : sequence of int, optional
        Columns of the model's output; all by default.
    steps, step_size, blur, frequency_exponent
        Number of steps; first step in units of the contrast; first blur (pixels); exponent a.
    highest_frequency : float, optional
        Cycles per pixel of the finest detail that is looked for: starts and steps hold none above.
        A model that was fitted to few images answers finer patterns that its neuron does not.
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
        value_range=value_range, batch_size=batch_size, seed=seed, sign=1.0,
        settings=_Settings(steps, step_size, blur, frequency_exponent, highest_frequency, tolerance,
                           patience),
        progress=progress,
    )


def localise(model, found, *, power=1 / 3, place=1 / 15, batch_size=64) -> MEIResult:
    """Weaken in most exciting inputs what lies far from the bulk of them, in frequency and in place.

    What a model has learned of a receptive field is concentrated in both; the errors of a fit to few
    images are spread over all frequencies and the whole image, and the maximum takes them for gain.
    Amplitudes are multiplied by their own smoothed power to `power`, first over two-dimensional
    frequency, then over the image, and mean and contrast restored. The idea of a prior that is local
    in both is that of Park & Pillow, PLoS Comput Biol 7:e1002219 (2011).

    Parameters
    ----------
    model : torch module or list of them
        Which made them; responses are recomputed on it.
    found : MEIResult
        Of `most_exciting_input`.
    power : float
        0 changes nothing.
    place : float
        Standard deviation, over the image's height, by which power is smoothed in place; in
        frequency it is 1.5 cycles per image.

    Returns
    -------
    MEIResult
        With other `images`, `responses` and `best`; traces and path are those of the ascent.
    """
    first, (h, w) = found.images[0, 0], found.images.shape[2:]
    images = found.images.reshape(-1, h, w)
    spectrum = np.fft.fft2(images - images.mean((1, 2), keepdims=True, dtype=float))
    pattern = np.fft.ifft2(spectrum * _envelope(np.abs(spectrum), 1.5) ** power).real
    pattern = pattern * _envelope(pattern, place * h, mode="constant") ** power
    images = set_mean_contrast(pattern, mean=float(first.mean(dtype=float)),
                               contrast=float(first.std(dtype=float)),
                               value_range=found.value_range).reshape(found.images.shape)
    responses = _own_responses(model, images, found.units, batch_size)
    return replace(found, images=images, responses=responses, best=responses.argmax(1))


def _envelope(amplitude, sigma, mode="wrap"):
    """Power (n, h, w) smoothed by a Gaussian of `sigma`, over its maximum."""
    power = ndimage.gaussian_filter(amplitude**2, (0, sigma, sigma), mode=mode)
    return power / power.max((1, 2), keepdims=True)


def most_inhibiting_input(
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
    highest_frequency=None,
    batch_size=32,
    seed=0,
    progress=False,
) -> MEIResult:
    """Images of fixed mean and RMS contrast that minimise the predicted response.

    Arguments, result and errors as for `most_exciting_input`; here `best` is the start with the
    smallest response and the trace never rises.
    """
    return _optimise(
        model, shape, mean=mean, contrast=contrast, starts=starts, images=images, units=units,
        value_range=value_range, batch_size=batch_size, seed=seed, sign=-1.0,
        settings=_Settings(steps=steps, highest_frequency=highest_frequency), progress=progress,
    )


def diverse_exciting_inputs(
    model, mei, *, number=4, fraction=0.85, starts=3, steps=200, batch_size=32, seed=0,
    progress=False,
):
    """Per unit a set of images that drive it nearly as well as its MEI and differ most.

    One image after the other: the next one keeps its response at `fraction` of the MEI's and
    makes its largest correlation with the images before it as small as possible. For a linear
    unit all of them look like the MEI; for a complex cell the second is its opposite phase and
    the third its quadrature. Purpose as in Cadena et al., ECCV (2018) and Ding et al., bioRxiv
    2023.03.15.532836; the search is a quadratic penalty on the missing response.

    Parameters
    ----------
    model : torch module or list of them
    mei : MEIResult
        Of the same model; gives units, mean, contrast, finest detail and the first image.
    number : int
        Images in a set, the MEI included.
    fraction : float
        Of the MEI's response.
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
    constraint = {"mean": float(best[0].mean(dtype=np.float64)),
                  "contrast": float(best[0].std(dtype=np.float64)),
                  "value_range": mei.value_range}
    check_model(model, shape, units=mei.units, **constraint)
    known = torch.as_tensor(best)[:, None]
    goal = fraction * torch.as_tensor(mei.best_responses)
    drive = _Response(model, torch.as_tensor(mei.units)[rows], 1.0, batch_size)
    # relative to the penalty at the start, which is far larger than a correlation
    settings = _Settings(steps=steps, tolerance=1e-6, highest_frequency=mei.highest_frequency)
    correlation = [torch.ones(len(best))]
    for k in range(1, number):
        x = _noise(starts, shape, seed=seed + k).repeat(len(best), 1, 1, 1)
        x[::starts] = -known[:, -1:]
        x, _ = project(settings.in_band(x), **constraint)
        objective = _Diversity(drive, known[rows], goal[rows], constraint)
        run = _ascend(objective, x, constraint, settings, progress)
        won = torch.arange(0, len(rows), starts) + run.values.reshape(-1, starts).argmax(1)
        correlation.append(objective.correlations(run.images[won], won).amax(1))
        known = torch.cat([known, run.images[won]], 1)
    images = known.numpy()
    return images, _own_responses(model, images, mei.units, batch_size), (
        torch.stack(correlation, 1).numpy())


def predicted_responses(model, images, *, units=None, batch_size=64) -> np.ndarray:
    """Responses of a module, or the mean of an ensemble's, to images.

    Parameters
    ----------
    model : torch module or list of them
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


def project(images, *, mean, contrast, value_range=(0.0, 1.0), max_iterations=100):
    """Bring images to exactly one mean and RMS contrast inside a range, on torch tensors.

    ``clip(gain * image + offset)``, as `stimuli.set_mean_contrast` does for numpy images: the
    form of the nearest image that meets all three.

    Parameters
    ----------
    images : (n, 1, h, w) tensor

    Returns
    -------
    images : (n, 1, h, w) tensor
    ok : (n,) bool tensor
        False where it did not succeed to 1e-5 (an image with too few different values).
    """
    low, high = value_range[0] - mean, value_range[1] - mean
    pattern = images - images.mean((1, 2, 3), keepdim=True)
    pattern = pattern * (contrast / _rms(pattern).clamp_min(1e-12)[:, None, None, None])
    shown = pattern.clamp(low, high)
    off = _distance(shown, contrast)
    left = torch.nonzero(off > PROJECTION_TOLERANCE)[:, 0]
    for _ in range(max_iterations):
        if not len(left):
            break
        pattern[left], shown[left] = _newton_step(pattern[left], contrast, low, high)
        off[left] = _distance(shown[left], contrast)
        left = left[off[left] > PROJECTION_TOLERANCE]
    return mean + shown, off <= PROJECTION_TOLERANCE


def _distance(deviation, contrast):
    """(n,) largest error of mean (0) and contrast."""
    return torch.maximum(deviation.mean((1, 2, 3)).abs(), (_rms(deviation) - contrast).abs())


def _newton_step(pattern, contrast, low, high):
    """One step of offset and gain of clipped patterns; only pixels inside the range move."""
    def mean(x):
        return x.mean((1, 2, 3), keepdim=True)

    shown = pattern.clamp(low, high)
    free = mean((shown == pattern).float())
    pattern = pattern - mean(shown) / free.clamp_min(0.02)
    shown = pattern.clamp(low, high)
    power = mean(shown**2)
    share = mean(shown**2 * (shown == pattern)) / power
    gain = (contrast / power.sqrt()) ** (1 / share.clamp_min(0.1))
    pattern = (gain * pattern).clamp(-1e6, 1e6)
    return pattern, pattern.clamp(low, high)


def check_model(model, shape, *, mean, contrast, units=None, value_range=(0.0, 1.0)) -> int:
    """Raise one clear ValueError if a module cannot be optimised over.

    Checked: mean and contrast against the range; a torch module (or a list of them) in
    evaluation mode, that takes (2, 1, h, w), gives (2, units), finite, with a gradient.

    Returns
    -------
    int
        Number of the model's units.
    """
    low, high = value_range
    if not low < mean < high:
        raise ValueError(f"mean is {mean:g}, expected inside the range ({low:g}, {high:g})")
    largest = float(np.sqrt((mean - low) * (high - mean)))
    if not 0 < contrast < largest:
        raise ValueError(
            f"contrast is {contrast:g}, expected above 0 and below {largest:.4g}, the largest "
            f"standard deviation an image of mean {mean:g} can have in ({low:g}, {high:g})"
        )
    probe = (mean + contrast * _noise(2, shape, seed=0)).clamp(low, high)
    counts = [_check_member(member, probe) for member in _members(model)]
    if len(set(counts)) != 1:
        raise ValueError(f"ensemble members give {counts} units, expected the same number each")
    if units is not None and not all(0 <= u < counts[0] for u in units):
        raise ValueError(f"units {list(units)} not all in 0..{counts[0] - 1}, the model's outputs")
    return counts[0]


def _check_member(model, probe) -> int:
    if any(module.training for module in model.modules()):
        raise ValueError("the model is in training mode, expected evaluation: call model.eval()")
    shape = tuple(probe.shape)
    try:
        out = model(probe.requires_grad_(True))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the model fails on images of shape {shape}: {reason}") from None
    if not torch.is_tensor(out) or out.ndim != 2 or len(out) != 2:
        got = tuple(out.shape) if torch.is_tensor(out) else type(out).__name__
        raise ValueError(f"the model gives {got} for 2 images, expected the shape (2, units)")
    if not torch.isfinite(out).all():
        raise ValueError("the model gives non-finite responses to noise: check its weights")
    if not out.requires_grad or not _depends_on(out, probe):
        raise ValueError("the response has no gradient with respect to the image: take detach(), "
                         "no_grad and numpy out of the model's forward")
    return out.shape[1]


def _depends_on(out, probe) -> bool:
    return torch.autograd.grad(out.sum(), probe, allow_unused=True)[0] is not None


def _members(model) -> list:
    members = list(model) if isinstance(model, (list, tuple)) else [model]
    if not members or not all(isinstance(m, torch.nn.Module) for m in members):
        raise ValueError("model is neither a torch module nor a list of them: pass one")
    return members


def _noise(n, shape, *, seed) -> torch.Tensor:
    return torch.randn((n, 1, *shape), generator=torch.Generator().manual_seed(seed))


def _rms(images):
    """(n,) standard deviation of (n, 1, h, w)."""
    deviation = images - images.mean((1, 2, 3), keepdim=True)
    return deviation.square().mean((1, 2, 3)).sqrt()        # several times faster than std


class _Response:
    """`sign` times the response of one unit per image, and its image gradient."""

    def __init__(self, model, units, sign, batch_size):
        self.members, self.units = _members(model), units
        self.scale, self.batch_size = sign / len(self.members), batch_size

    def __call__(self, images, rows):
        """(n, 1, h, w), (n,) rows of `units` -> values (n,), gradients (n, 1, h, w)."""
        values, gradients = [], []
        for x, row in zip(images.split(self.batch_size), rows.split(self.batch_size), strict=True):
            x = x.detach().requires_grad_(True)
            value, gradient = 0.0, 0.0
            for member in self.members:
                one = member(x).gather(1, self.units[row, None])[:, 0]
                gradient = gradient + torch.autograd.grad(one.sum(), x)[0]
                value = value + one.detach()
            values.append(value * self.scale)
            gradients.append(gradient * self.scale)
        return torch.cat(values), torch.cat(gradients)


class _Diversity:
    """Minus the largest correlation with known images, minus a penalty on missing response."""

    PENALTY = 100.0

    def __init__(self, drive, known, goal, constraint):
        self.drive, self.goal = drive, goal
        self.mean, power = constraint["mean"], known[0, 0].numel() * constraint["contrast"] ** 2
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


def _frequency(shape) -> torch.Tensor:
    """Radial frequency, cycles per pixel, on rfft2's grid; the constant term raised to 1/size."""
    f = torch.hypot(torch.fft.fftfreq(shape[0])[:, None], torch.fft.rfftfreq(shape[1])[None])
    f[0, 0] = 1 / max(shape)
    return f


def _tangent(direction, deviation, free):
    """Part of `direction` that changes, over the free pixels, neither mean nor contrast; RMS 1."""
    number = free.sum((1, 2, 3), keepdim=True).clamp_min(1)

    def centred(x):
        x = x * free
        return x - x.sum((1, 2, 3), keepdim=True) / number * free

    direction, deviation = centred(direction), centred(deviation)
    along = (direction * deviation).sum((1, 2, 3), keepdim=True)
    norm = deviation.square().sum((1, 2, 3), keepdim=True).clamp_min(1e-20)
    return _unit_rms(direction - along / norm * deviation)


def _unit_rms(images):
    return images / images.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-20)


def _ascent_direction(gradient, images, weights, value_range):
    """Smooth the tangential gradient in Fourier space; it stays a direction of ascent.

    Pixels at a bound that the gradient pushes against are held.
    """
    deviation, (low, high) = images - images.mean((1, 2, 3), keepdim=True), value_range
    slope = _tangent(gradient, deviation, torch.ones_like(images, dtype=torch.bool))
    free = ~(((images >= high) & (slope > 0)) | ((images <= low) & (slope < 0)))
    spectrum = torch.fft.rfft2(_tangent(gradient, deviation, free)) * weights
    return _tangent(torch.fft.irfft2(spectrum, s=images.shape[-2:]), deviation, free)


@dataclass(frozen=True)
class _Settings:
    """How to ascend; see `most_exciting_input`."""

    steps: int = 200
    step_size: float = 0.5
    blur: float = 2.0
    frequency_exponent: float = 0.25
    highest_frequency: float | None = None
    tolerance: float = 1e-4
    patience: int = 10

    def weights(self, step, frequency):
        """(weights on rfft2's grid, whether the blur is over) of one step, 1..steps."""
        sigma = self.blur * max(0.0, 1 - 10 * (step - 1) / self.steps)
        blur = torch.exp(-2 * (torch.pi * sigma * frequency) ** 2)
        weights = blur * frequency**-self.frequency_exponent
        if self.highest_frequency is not None:
            weights = weights * (frequency <= self.highest_frequency)
        return weights, sigma == 0

    def in_band(self, images):
        """Images without detail above the highest frequency."""
        if self.highest_frequency is None:
            return images
        shape = images.shape[-2:]
        band = _frequency(shape) <= self.highest_frequency
        return torch.fft.irfft2(torch.fft.rfft2(images) * band, s=shape)


class _Run:
    """Images on their way up: the current ones, their values and what is recorded."""

    def __init__(self, objective, images, steps):
        self.images = images
        self.values, self.gradients = objective(images, torch.arange(len(images)))
        self.active = torch.arange(len(images))
        self.iterations = torch.full((len(images),), steps)
        self.value_trace, self.contrast_trace, self.path, self.path_steps = [], [], [], []
        self.record(0)

    def accept(self, trial, values, gradients, ok):
        """Take the trial images that raise the value; (active,) bool which did."""
        better = ok & (values > self.values[self.active])
        won = self.active[better]
        self.images[won], self.values[won] = trial[better], values[better]
        self.gradients[won] = gradients[better]
        return better

    def record(self, step):
        self.value_trace.append(self.values.clone())
        self.contrast_trace.append(_rms(self.images))
        if step in PATH_STEPS:
            self.keep(step)

    def keep(self, step):
        if step not in self.path_steps:
            self.path.append(self.images.clone())
            self.path_steps.append(step)

    def retire(self, step, settings):
        """Take converged images out of the batch."""
        gain = self.values - self.value_trace[-1 - settings.patience]
        scale = torch.maximum(self.values.abs(), self.value_trace[0].abs())
        done = (gain <= settings.tolerance * scale)[self.active]
        self.iterations[self.active[done]] = step
        self.active = self.active[~done]


def _ascend(objective, images, constraint, settings, progress) -> _Run:
    """Raise `objective` from (n, 1, h, w) images under the constraint."""
    run, frequency = _Run(objective, images, settings.steps), _frequency(images.shape[-2:])
    size = torch.full((len(images), 1, 1, 1), float(settings.step_size))
    steps = range(1, settings.steps + 1)
    for step in tqdm(steps, desc="optimising images", disable=not progress):
        weights, blur_over = settings.weights(step, frequency)
        now, length = run.images[run.active], size[run.active] * constraint["contrast"]
        direction = _ascent_direction(
            run.gradients[run.active], now, weights, constraint["value_range"])
        trial, ok = project(now + length * direction, **constraint)
        better = run.accept(trial, *objective(trial, run.active), ok)
        size[run.active] *= torch.where(better, 1.5, 0.5)[:, None, None, None]
        size.clamp_(max=2.0)
        run.record(step)
        if blur_over and step >= settings.patience:
            run.retire(step, settings)
            if not len(run.active):
                break
    run.keep(step)
    return run


def _optimise(
    model, shape, *, mean, contrast, starts, images, units, value_range, batch_size, seed, sign,
    settings, progress,
) -> MEIResult:
    """`most_exciting_input` for `sign` times the response."""
    shape = tuple(int(n) for n in shape)
    constraint = {"mean": float(mean), "contrast": float(contrast), "value_range": value_range}
    count = check_model(model, shape, units=units, **constraint)
    units = np.arange(count) if units is None else np.asarray(units, dtype=int)
    names = tuple(s if isinstance(s, str) else "given" for s in starts)
    if "natural" in names and images is None:
        raise ValueError("start 'natural' has no images: pass images=(n, h, w)")
    response = _Response(model, torch.as_tensor(units), sign, batch_size)
    x = [
        _start_image(start, response, shape, constraint, settings, seed + i)
        if names[i] != "natural"
        else _best_natural(model, images, units, sign, constraint, settings, batch_size)
        for i, start in enumerate(starts)
    ]
    x = torch.cat([_check_start(*xi, name, constraint).expand(len(units), -1, -1, -1)
                   for xi, name in zip(x, names, strict=True)], 1)
    response.units = response.units.repeat_interleave(len(names))
    x = _revive(response, x.reshape(-1, 1, *shape), len(names), constraint, settings, seed)
    run = _ascend(response, x, constraint, settings, progress)
    return _result(run, model, units, names, sign, value_range, settings, batch_size)


def _start_image(start, response, shape, constraint, settings, seed):
    """(1 or units, 1, h, w) start and (n,) whether it has the mean and contrast."""
    noise = _noise(1, shape, seed=seed)
    if not isinstance(start, str):
        start = torch.as_tensor(np.array(start, dtype=np.float32))
        if start.shape[-2:] != shape or (start.ndim == 3 and len(start) != len(response.units)):
            raise ValueError(f"a start image has shape {tuple(start.shape)}, expected {shape} or "
                             f"{(len(response.units), *shape)}")
        x = start.reshape(-1, 1, *shape)
    elif start == "noise":
        x = noise
    elif start in FLAT_STARTS:
        low, high = constraint["value_range"]
        level = {"grey": constraint["mean"], "black": low, "white": high}[start]
        x = (level + 1e-3 * constraint["contrast"] * noise).expand(len(response.units), -1, -1, -1)
        gradient = response(x, torch.arange(len(x)))[1]
        x = x + constraint["contrast"] * _unit_rms(gradient)
    else:
        raise ValueError(f"start '{start}' is unknown, expected noise, natural, an image or one "
                         f"of {', '.join(FLAT_STARTS)}")
    return project(settings.in_band(x), **constraint)


def _check_start(images, ok, name, constraint):
    if not ok.all():
        raise ValueError(
            f"a start ({name}) cannot have mean {constraint['mean']:g} and contrast "
            f"{constraint['contrast']:g} inside {constraint['value_range']}: lower the contrast"
        )
    return images


def _revive(response, images, n_starts, constraint, settings, seed):
    """Replace starts at which a unit has no gradient, as a rectified unit that is silent has.

    By their contrast-reversed image, else by smooth noise, which drives a receptive field more.
    """
    def dead(x):
        return response(x, torch.arange(len(x)))[1].flatten(1).abs().amax(1) == 0

    was, others = dead(images), [-images]
    for k in range(REVIVALS if was.any() else 0):
        other, ok = project(settings.in_band(others[k]), **constraint)
        images = torch.where((was & ok)[:, None, None, None], other, images)
        was = dead(images)
        noise = _noise(1, images.shape[-2:], seed=seed + 1000 + k).numpy()
        smooth = ndimage.gaussian_filter(noise, (0, 0, 1 + k // 2, 1 + k // 2))
        others.append(torch.from_numpy(smooth).expand_as(images))
    silent = was.reshape(-1, n_starts).all(1)
    if silent.any():
        units = response.units.reshape(-1, n_starts)[silent, 0].tolist()
        raise ValueError(f"zero gradient at every start for units {units}: the response does not "
                         "depend on the image there; drop them or give a start that drives them")
    return images


def _best_natural(model, images, units, sign, constraint, settings, batch_size):
    """(units, 1, h, w) natural image of the largest sign * response per unit, and (units,) ok."""
    x = torch.as_tensor(np.ascontiguousarray(images), dtype=torch.float32)[:, None]
    x, ok = project(settings.in_band(x), **constraint)
    responses = sign * predicted_responses(model, x[:, 0], units=units, batch_size=batch_size)
    responses[~ok.numpy()] = -np.inf
    best = torch.as_tensor(responses.argmax(0))
    return x[best], ok[best]


def _own_responses(model, images, units, batch_size):
    """(units, n, h, w) -> (units, n) responses of each unit to its own images."""
    n = images.shape[:2]
    flat = predicted_responses(
        model, images.reshape(-1, *images.shape[2:]), units=units, batch_size=batch_size
    )
    return flat.reshape(*n, n[0])[np.arange(n[0]), :, np.arange(n[0])]


def _result(run, model, units, names, sign, value_range, settings, batch_size) -> MEIResult:
    n, shape = (len(units), len(names)), run.images.shape[-2:]
    images = run.images.reshape(*n, *shape).numpy()
    responses = _own_responses(model, images, units, batch_size)
    left = np.isin(np.arange(n[0] * n[1]), run.active.numpy())
    return MEIResult(
        images=images,
        responses=responses,
        best=(sign * responses).argmax(1),
        units=units,
        starts=names,
        value_range=tuple(value_range),
        highest_frequency=settings.highest_frequency,
        response_trace=sign * torch.stack(run.value_trace).reshape(-1, *n).numpy(),
        contrast_trace=torch.stack(run.contrast_trace).reshape(-1, *n).numpy(),
        iterations=run.iterations.reshape(n).numpy(),
        converged=~left.reshape(n),
        path=torch.stack(run.path).reshape(-1, *n, *shape).numpy(),
        path_steps=np.array(run.path_steps),
    )


# ------------------------------------------------------------------ the original report's algorithm


@dataclass(frozen=True)
class PublishedMEI:
    """What the original report's loop leaves behind.

    Attributes
    ----------
    image : (h, w) float32
        The last iterate, stretched to [0, 1].
    response : float
        Recomputed on `image`.
    response_trace, penalised_trace, contrast_trace : (steps,) float32
        Response, response minus penalty, and standard deviation of the iterate before every step.
        The original plots the second as "neural response".
    """

    image: np.ndarray
    response: float
    response_trace: np.ndarray
    penalised_trace: np.ndarray
    contrast_trace: np.ndarray


def published_mei(
    model, start, *, unit=0, steps=1000, sigma=7.0, alpha=0.1, exponent=0.25, penalty=2.0,
    target_contrast=0.2656,
) -> PublishedMEI:
    """The original report's algorithm, faults included, for the side by side.

    Its frequencies run 0..h-1 (negative ones count as high), its contrast is a penalty that the
    stretching to [0, 1] undoes, its sigma shrinks by a recursion, and the last iterate is kept.

    Parameters
    ----------
    model : torch module
        (1, 1, h, w) -> (1, units).
    start : (h, w) array in [0, 1]
    unit : int
    steps, sigma, alpha, exponent, penalty, target_contrast
        As in the original; sigma in pixels.
    """
    image = np.asarray(start, dtype=np.float32)
    h, w = image.shape
    radius = torch.hypot(torch.arange(h)[:, None].float(), torch.arange(w // 2 + 1)[None].float())
    weights = 1 / (radius + 1e-8) ** exponent
    weights = weights / weights.mean()
    trace = []
    for step in range(1, steps + 1):
        x = torch.from_numpy(image)[None, None].requires_grad_(True)
        spread, response = x.std(), model(x)[0, unit]
        value = response - penalty * (target_contrast - spread).abs()
        gradient = torch.autograd.grad(value, x)[0][0, 0]
        trace.append((response.item(), value.item(), spread.item()))
        smooth = torch.fft.irfftn(torch.fft.rfftn(gradient) * weights, s=(h, w)).numpy()
        sigma = sigma + (0.001 - sigma) * step / steps
        image = ndimage.gaussian_filter(image + np.float32(alpha) * smooth, sigma)
        image = (image - image.min()) / (image.max() - image.min())
    response = predicted_responses(model, image[None])[0, unit]
    return PublishedMEI(image, float(response), *np.array(trace, np.float32).T)


class IsotropicUnit(torch.nn.Module):
    """A model neuron without a preferred orientation: a rectified difference of two Gaussians.

    What an algorithm adds of its own to a most exciting input shows on it: the true optimum is
    round, so any orientation in its image is the algorithm's.

    Parameters
    ----------
    shape : (int, int)
    sigma : float
        Standard deviation of the centre in pixels; the surround's is twice that, of equal volume.
    gain : float
        Response to the optimum per unit of its norm.
    """

    def __init__(self, shape, *, sigma=3.0, gain=5.0):
        super().__init__()
        rows, columns = (torch.arange(n) - (n - 1) / 2 for n in shape)
        r2 = rows[:, None] ** 2 + columns[None] ** 2
        profile = torch.exp(-r2 / (2 * sigma**2)) - torch.exp(-r2 / (8 * sigma**2)) / 4
        profile = profile - profile.mean()
        self.register_buffer("profile", gain * profile / profile.norm())

    def forward(self, images):
        """(n, 1, h, w) -> (n, 1)."""
        drive = torch.einsum("nchw,hw->n", images, self.profile)
        return torch.nn.functional.softplus(drive)[:, None]


# ------------------------------------------------------------------------------------------ masks


@dataclass(frozen=True)
class MEIMask:
    """The region of an image that carries the response.

    Attributes
    ----------
    mask : (h, w) float32 in [0, 1]
    threshold : float
        Of the local deviation, as a part of its maximum; 0 when the whole image is needed.
    masked_image : (h, w) float32
        Grey (the image's mean) outside the mask; contrast not restored.
    response, masked_response : float
        To the image and to the masked image.
    """

    mask: np.ndarray
    threshold: float
    masked_image: np.ndarray
    response: float
    masked_response: float


def mei_mask(
    model, image, *, unit=0, fraction=0.95, smoothing=1.5, edge=1.5, levels=64, batch_size=64
) -> MEIMask:
    """Smallest of a family of masks that keeps a fraction of the predicted response.

    Local deviation (RMS deviation from the mean under a Gaussian of `smoothing`) above a
    threshold, its largest component, the convex hull of that, a Gaussian edge outside it; the
    threshold rises until the response to the masked image would fall below `fraction`.
    After Walker et al. 2019, Methods.

    Parameters
    ----------
    model : torch module or list of them
    image : (h, w) array
    unit : int
    fraction : float
    smoothing, edge : float
        Pixels.
    levels : int
        Number of thresholds tried.

    Raises
    ------
    ValueError
        A flat image.
    """
    image = np.asarray(image, dtype=np.float32)
    grey = image.mean()
    local = np.sqrt(ndimage.gaussian_filter(np.square(image - grey, dtype=float), smoothing))
    if not local.max() > 0:
        raise ValueError("the image is flat: a mask needs an image with contrast")
    thresholds = np.concatenate([[0], np.geomspace(0.01, 0.95, levels)])
    masks = [np.ones_like(image)]
    masks += [_region(local > t * local.max(), edge) for t in thresholds[1:]]
    masked = grey + np.stack(masks) * (image - grey)
    stimuli = np.concatenate([image[None], masked]).astype(np.float32)
    responses = predicted_responses(model, stimuli, units=[unit], batch_size=batch_size)[:, 0]
    fails = np.flatnonzero(responses[1:] < fraction * responses[0])
    k = max(fails[0] - 1, 0) if len(fails) else levels
    return MEIMask(
        masks[k].astype(np.float32), float(thresholds[k]), stimuli[1 + k],
        float(responses[0]), float(responses[1 + k]),
    )


def _region(above, edge) -> np.ndarray:
    """(h, w) mask: convex hull of the largest component of `above`, with a Gaussian edge."""
    labels, count = ndimage.label(above, structure=np.ones((3, 3)))
    sizes = ndimage.sum_labels(above, labels, np.arange(1, count + 1))
    hull = _convex_hull(labels == 1 + np.argmax(sizes))
    return np.exp(-(ndimage.distance_transform_edt(~hull) ** 2) / (2 * edge**2))


def _convex_hull(region) -> np.ndarray:
    """(h, w) bool: pixels whose centres lie in the convex hull of the region's pixel squares."""
    points = np.argwhere(region)
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    sides = ConvexHull((points[:, None] + corners).reshape(-1, 2)).equations
    grid = np.indices(region.shape).reshape(2, -1)
    return (sides[:, :2] @ grid + sides[:, 2:] <= 1e-9).all(0).reshape(region.shape)


# --------------------------------------------------------------------------- can it be believed


# What a unit's figures must reach: (to be reliable, to be supported at all, what the figure says).
VERDICT_RULES = {
    "prediction_low": (
        0.1, 0.0, "lower end of the interval of the correlation with responses to unseen images"),
    "cc_norm": (  # 0.7: half of the variance that noise leaves to explain
        0.7, 0.2, "correlation with responses to unseen images, over what their noise allows"),
    "start_response_ratio": (0.9, 0.5, "response to the other starts' images (median), over the MEI's"),
    "start_energy_correlation": (
        0.7, 0.3, "phase-invariant correlation of the MEI with the other starts' images (median)"),
    "member_energy_correlation": (
        0.6, 0.2, "phase-invariant correlation of the images made on single models"),
    "transfer": (0.7, 0.3, "response of models not used to make it, over that of those used"),
    "natural_fraction_below": (
        1.0, 0.95, "part of the natural images, at equal contrast and mask, that it beats"),
}


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
        raise ValueError(f"images {images.shape} and responses {responses.shape}, expected "
                         "(n, h, w) and (n,) with n at least 2")
    energy = [local_energy(i, degrees_per_pixel=degrees_per_pixel).ravel() for i in images]
    others = np.arange(len(images)) != best
    pairs, middle, ratio = (
        (np.triu_indices(len(images), 1), np.mean, responses.min() / responses.max()) if best is None
        else ((best, others), np.median, np.median(responses[others]) / responses[best]))
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
        "over starts": agreement(found.images[0], found.responses[0], best=found.best[0],
                                 degrees_per_pixel=degrees_per_pixel),
        "over fold models": agreement(per_member.best_images, per_member.best_responses,
                                      degrees_per_pixel=degrees_per_pixel) if many else {},
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
        **{name: np.nan if prediction[key] is None else prediction[key] for name, key in
           (("prediction_low", "correlation_low"), ("cc_norm", "cc_norm"))},
        "start_response_ratio": starts["response_ratio"],
        "start_energy_correlation": starts["energy_correlation"],
        "member_energy_correlation": members.get("energy_correlation", np.nan),
        "transfer": judged.transfer, "natural_fraction_below": judged.natural_fraction_below,
    }


def transfer(
    makers, judges, images, *, units, natural_images, mean, contrast, masks=None, batch_size=64
) -> pd.DataFrame:
    """Whether MEIs drive models that had no part in making them.

    Parameters
    ----------
    makers, judges : torch module or list of them
        The models the images were made on, and others.
    images : (units, h, w) array
        One MEI per unit.
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
    grey = np.full((1, *images.shape[1:]), mean, np.float32)
    own = np.arange(n)
    makers_own, judges_own = (
        predicted_responses(m, images, units=units, batch_size=batch_size)[own, own]
        for m in (makers, judges)
    )
    makers_grey, judges_grey = (predicted_responses(m, grey, units=units)[0]
                                for m in (makers, judges))
    natural = [
        _natural_responses((makers, judges), natural_images, u, mean, contrast, mask, batch_size)
        for u, mask in zip(units, [None] * n if masks is None else masks, strict=True)
    ]
    by_makers, by_judges = np.array(natural).transpose(1, 0, 2)
    above = (by_judges >= judges_own[:, None]).sum(1)
    return pd.DataFrame({
        "maker_response": makers_own,
        "response": judges_own,
        "grey_response": judges_grey,
        "best_natural_response": by_judges[own, by_makers.argmax(1)],
        "transfer": (judges_own - judges_grey) / (makers_own - makers_grey),
        "natural_rank": 1 + above,
        "natural_fraction_below": 1 - above / by_judges.shape[1],
    }, index=pd.Index(units, name="unit"))


def _natural_responses(models, images, unit, mean, contrast, mask, batch_size):
    """(models, n): responses of one unit to natural images at a mean, contrast and mask."""
    stimuli = set_mean_contrast(images, mean=mean, contrast=contrast, mask=mask)
    return [predicted_responses(m, stimuli, units=[unit], batch_size=batch_size)[:, 0]
            for m in models]


def verdict(figures, *, rules=VERDICT_RULES):
    """Say in plain words whether a unit's MEI can be believed.

    Parameters
    ----------
    figures : dict of float
        Any of the keys of `rules`; a figure that is missing or NaN was not measured.
    rules : dict
        Name: (value to be reliable, value to be supported at all, what the figure says).

    Returns
    -------
    word : str
        "not supported" if any figure misses its second threshold, "reliable" if all reach the
        first, otherwise "uncertain".
    reasons : list of str
        One sentence for every figure that misses a threshold.
    """
    word, reasons = "reliable", []
    for name, (good, enough, meaning) in rules.items():
        value = figures.get(name, np.nan)
        if value >= good:
            continue
        if not np.isnan(value) and value < enough:
            word = "not supported"
        elif word == "reliable":
            word = "uncertain"
        reasons.append(
            f"{meaning}: not measured" if np.isnan(value)
            else f"{meaning}: {value:.2f}, below {good if value >= enough else enough:g}"
        )
    return word, reasons
