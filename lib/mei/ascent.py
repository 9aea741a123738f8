"""Gradient ascent on the sphere of images with one mean and contrast: the engine of `lib.mei.search`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lib.models.ensemble import one_model
from lib.stimuli.contrast import Target, project

PATH_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def _rms(images):
    """(n,) standard deviation of (n, 1, h, w)."""
    deviation = images - images.mean((1, 2, 3), keepdim=True)
    return deviation.square().mean((1, 2, 3)).sqrt()  # several times faster than std


class Response:
    """`sign` times the response of one unit per image, and its image gradient."""

    def __init__(self, model, units, sign, batch_size):
        self.model, self.units = one_model(model), units
        self.sign, self.batch_size = sign, batch_size

    def __call__(self, images, rows):
        """(n, 1, h, w), (n,) rows of `units` -> values (n,), gradients (n, 1, h, w)."""
        values, gradients = [], []
        for x, row in zip(images.split(self.batch_size), rows.split(self.batch_size), strict=True):
            x = x.detach().requires_grad_(True)
            value = self.sign * self.model(x).gather(1, self.units[row, None])[:, 0]
            gradients.append(torch.autograd.grad(value.sum(), x)[0])
            values.append(value.detach())
        return torch.cat(values), torch.cat(gradients)


def radial_frequency(shape: tuple[int, int]) -> torch.Tensor:
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
    return unit_rms(direction - along / norm * deviation)


def unit_rms(images: torch.Tensor) -> torch.Tensor:
    """Return images (n, 1, h, w) over their root mean square."""
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
class AscentSettings:
    """How to ascend.

    Attributes
    ----------
    steps : int
        At most; an ascent ends when it has converged.
    step_size : float
        First step, in units of the contrast.
    blur : float
        Pixels; falls linearly to nothing over the first tenth of the steps.
    frequency_exponent : float
        a of the amplitude 1/f^a by which gradients are smoothed.
    highest_frequency : float or None
        Cycles per pixel of the finest detail that is looked for: starts and steps hold none above.
        A model that was fitted to few images responds to finer patterns than its neuron does.
    tolerance, patience : float, int
        Converged when `patience` steps raise the response by less than `tolerance`, relative.
    """

    steps: int = 200
    step_size: float = 0.5
    blur: float = 2.0
    frequency_exponent: float = 0.25
    highest_frequency: float | None = None
    tolerance: float = 1e-4
    patience: int = 10

    def weights(self, step: int, frequency: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """(weights on rfft2's grid, whether the blur is over) of one step, 1..steps."""
        sigma = self.blur * max(0.0, 1 - 10 * (step - 1) / self.steps)
        blur = torch.exp(-2 * (torch.pi * sigma * frequency) ** 2)
        weights = blur * frequency**-self.frequency_exponent
        if self.highest_frequency is not None:
            weights = weights * (frequency <= self.highest_frequency)
        return weights, sigma == 0

    def in_band(self, images: torch.Tensor) -> torch.Tensor:
        """Images without detail above the highest frequency."""
        if self.highest_frequency is None:
            return images
        shape = images.shape[-2:]
        band = radial_frequency(shape) <= self.highest_frequency
        return torch.fft.irfft2(torch.fft.rfft2(images) * band, s=shape)


class Ascent:
    """Images on their way up: the current ones, their values and what is recorded."""

    def __init__(self, objective, images, steps):
        self.images = images
        self.values, self.gradients = objective(images, torch.arange(len(images)))
        self.active = torch.arange(len(images))
        self.iterations = torch.full((len(images),), steps)
        self.value_trace, self.contrast_trace, self.path, self.path_steps = [], [], [], []
        self.record(0)

    def accept(
        self, trial: torch.Tensor, values: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor
    ) -> torch.Tensor:
        """Take the trial images that raise the value; (active,) bool which did."""
        better = ok & (values > self.values[self.active])
        won = self.active[better]
        self.images[won], self.values[won] = trial[better], values[better]
        self.gradients[won] = gradients[better]
        return better

    def record(self, step: int) -> None:
        self.value_trace.append(self.values.clone())
        self.contrast_trace.append(_rms(self.images))
        if step in PATH_STEPS:
            self.keep(step)

    def keep(self, step: int) -> None:
        if step not in self.path_steps:
            self.path.append(self.images.clone())
            self.path_steps.append(step)

    def retire(self, step: int, settings: AscentSettings) -> None:
        """Take converged images out of the batch."""
        gain = self.values - self.value_trace[-1 - settings.patience]
        scale = torch.maximum(self.values.abs(), self.value_trace[0].abs())
        done = (gain <= settings.tolerance * scale)[self.active]
        self.iterations[self.active[done]] = step
        self.active = self.active[~done]


def ascend(objective: Callable, images: torch.Tensor, target: Target, settings: AscentSettings) -> Ascent:
    """Raise `objective` from (n, 1, h, w) images, on the sphere of a `Target`'s mean and contrast."""
    run, frequency = Ascent(objective, images, settings.steps), radial_frequency(images.shape[-2:])
    size = torch.full((len(images), 1, 1, 1), float(settings.step_size))
    for step in range(1, settings.steps + 1):
        weights, blur_over = settings.weights(step, frequency)
        now, length = run.images[run.active], size[run.active] * target.contrast
        direction = _ascent_direction(run.gradients[run.active], now, weights, target.value_range)
        trial, ok = project(now + length * direction, target)
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
