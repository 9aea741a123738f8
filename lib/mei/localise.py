"""What lies far from the bulk of an image is weakened, in frequency and in place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage

from lib.mei.search import MEIResult, own_responses
from lib.stimuli.contrast import set_mean_contrast

# Standard deviations by which power is smoothed: cycles per image, and parts of the image's height.
FREQUENCY, PLACE = 1.5, 1 / 15


def localise(
    model: torch.nn.Module | list[torch.nn.Module],
    found: MEIResult,
    *,
    power: float = 1 / 3,
    batch_size: int = 64,
) -> MEIResult:
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
    power : float
        0 changes nothing.

    Returns
    -------
    MEIResult
        With other `images`, `responses` and `best`; traces and path are those of the ascent.
    """
    h, w = found.images.shape[2:]
    images = found.images.reshape(-1, h, w)
    spectrum = np.fft.fft2(images - images.mean((1, 2), keepdims=True, dtype=float))
    pattern = np.fft.ifft2(spectrum * _envelope(np.abs(spectrum), FREQUENCY) ** power).real
    pattern = pattern * _envelope(pattern, PLACE * h, mode="constant") ** power
    images = set_mean_contrast(pattern, found.target).reshape(found.images.shape)
    responses = own_responses(model, images, found.units, batch_size)
    return replace(found, images=images, responses=responses, best=responses.argmax(1))


def _envelope(amplitude, sigma, mode="wrap"):
    """Power (n, h, w) smoothed by a Gaussian of `sigma`, over its maximum."""
    power = ndimage.gaussian_filter(amplitude**2, (0, sigma, sigma), mode=mode)
    return power / power.max((1, 2), keepdims=True)
