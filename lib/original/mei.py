"""The original report's gradient ascent, and a unit on which it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from lib.models.ensemble import predicted_responses


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


def published_mei(model, start, *, steps=1000, penalty=2.0, target_contrast=0.2656) -> PublishedMEI:
    """The original report's algorithm, faults included, for the first unit of a model, from a start (h, w).

    Its frequencies run 0..h-1 (negative ones count as high), its contrast is a penalty that the
    stretching to [0, 1] undoes, its sigma shrinks by a recursion, and the last iterate is kept.
    """
    image = np.asarray(start, dtype=np.float32)
    h, w = image.shape
    radius = torch.hypot(torch.arange(h)[:, None].float(), torch.arange(w // 2 + 1)[None].float())
    weights = 1 / (radius + 1e-8) ** 0.25
    weights = weights / weights.mean()
    sigma, trace = 7.0, []  # pixels
    for step in range(1, steps + 1):
        x = torch.as_tensor(image)[None, None].requires_grad_(True)
        spread, response = x.std(), model(x)[0, 0]
        value = response - penalty * (target_contrast - spread).abs()
        gradient = torch.autograd.grad(value, x)[0][0, 0]
        trace.append((response.item(), value.item(), spread.item()))
        smooth = torch.fft.irfftn(torch.fft.rfftn(gradient) * weights, s=(h, w)).numpy(force=True)
        sigma = sigma + (0.001 - sigma) * step / steps
        image = ndimage.gaussian_filter(image + np.float32(0.1) * smooth, sigma)
        image = (image - image.min()) / (image.max() - image.min())
    response = predicted_responses(model, image[None])[0, 0]
    return PublishedMEI(image, float(response), *np.array(trace, np.float32).T)


class IsotropicUnit(torch.nn.Module):
    """A model neuron without a preferred orientation: a rectified difference of two Gaussians.

    What an algorithm adds of its own to a most exciting input shows on it: the true optimum is
    round, so any orientation in its image is the algorithm's. Their standard deviations are 3 and 6 pixels,
    their volumes equal.
    """

    def __init__(self, shape):
        super().__init__()
        rows, columns = (torch.arange(n) - (n - 1) / 2 for n in shape)
        r2 = rows[:, None] ** 2 + columns[None] ** 2
        profile = torch.exp(-r2 / (2 * 3.0**2)) - torch.exp(-r2 / (2 * 6.0**2)) / 4
        profile = profile - profile.mean()
        self.register_buffer("profile", 5.0 * profile / profile.norm())

    def forward(self, images):
        """(n, 1, h, w) -> (n, 1)."""
        drive = torch.einsum("nchw,hw->n", images, self.profile)
        return torch.nn.functional.softplus(drive)[:, None]
