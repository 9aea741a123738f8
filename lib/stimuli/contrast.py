"""Stimuli at one mean, contrast and mask: what makes them comparable.

One rule for arrays, for tensors on their way up a gradient, and for tensors that a gradient passes
through: ``clip(mean + gain * pattern + offset * mask)``, gain and offset found by Newton steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

TOLERANCE = 1e-5  # of mean and contrast, in float32
ITERATIONS = 100
CLIP_STEPS = 20  # at most, where a gradient passes through


@dataclass(frozen=True, eq=False)
class Target:
    """What stimuli that are compared have in common.

    Attributes
    ----------
    mean, contrast : float
        Mean and standard deviation (RMS contrast) over ALL pixels of the image.
    mask : (h, w) array in [0, 1], optional
        Pixels outside it are `mean`.
    value_range : (float, float)
        The displayable range.
    """

    mean: float
    contrast: float
    mask: np.ndarray | None = None
    value_range: tuple[float, float] = (0.0, 1.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest deviation from the mean inside the range."""
        return self.value_range[0] - self.mean, self.value_range[1] - self.mean

    def weight(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return the mask as a tensor (h, w), or ones (1, 1) for no mask."""
        if self.mask is None:
            return torch.ones(1, 1, dtype=dtype)
        return torch.as_tensor(np.asarray(self.mask), dtype=dtype)

    def within(self, mask: np.ndarray | None) -> Target:
        """Return the same target under another mask."""
        return replace(self, mask=mask)

    def check(self) -> None:
        """Raise one clear ValueError if no image can have this mean and contrast."""
        low, high = self.value_range
        if not low < self.mean < high:
            raise ValueError(f"mean is {self.mean:g}, expected inside the range ({low:g}, {high:g})")
        largest = float(np.sqrt((self.mean - low) * (high - self.mean)))
        if not 0 < self.contrast <= largest:
            raise ValueError(
                f"contrast is {self.contrast:g}, expected above 0 and at most {largest:.4g}, the largest "
                f"standard deviation an image of mean {self.mean:g} can have in ({low:g}, {high:g})"
            )


def set_mean_contrast(images: np.ndarray, target: Target, *, flat: bool = False) -> np.ndarray:
    """Images (h, w) or (n, h, w) with exactly the target's mean and RMS contrast, inside its range.

    Stimuli brought to the same target are thereby comparable. Only the pattern of an image matters: adding a
    constant or multiplying by a positive number changes nothing. Solved by Newton steps in double precision;
    returned in float32.

    Parameters
    ----------
    target : Target
        Where a small mask leaves the contrast out of reach, the image of the last step is returned:
        in range, with as much contrast as it got.
    flat : bool
        Whether an image may be flat under the mask, as one of many natural images can be; it becomes
        uniform.

    Raises
    ------
    ValueError
        Mean outside the range, contrast above what any image of that mean has, mask empty, or an
        image that is flat under the mask and may not be.

    Examples
    --------
    >>> ramp = np.linspace(0, 9, 12).reshape(3, 4)
    >>> shown = set_mean_contrast(ramp, Target(mean=0.5, contrast=0.1))
    >>> round(float(shown.mean()), 6), round(float(shown.std()), 6)
    (0.5, 0.1)
    """
    target.check()
    images = np.asarray(images, dtype=float)
    weight = target.weight(torch.float64)
    if weight.sum() <= 0:
        raise ValueError("the mask is empty; give one with at least two pixels above 0")
    pattern = _inside(torch.as_tensor(images.reshape(-1, *images.shape[-2:])), weight)
    largest = np.abs(images).max(axis=(-2, -1)).reshape(-1, 1, 1)
    some = (_rms(pattern).numpy(force=True) > 1e-9 * largest)[:, 0, 0]
    if not (flat or some.all()):
        raise ValueError("an image is flat under the mask and cannot be given a contrast")
    shown = torch.zeros_like(pattern)
    shown[some] = _fit(pattern[some], target, weight, tolerance=1e-9)[0]
    return (target.mean + shown.numpy(force=True)).astype(np.float32).reshape(images.shape)


def project(images: torch.Tensor, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
    """`set_mean_contrast` for tensors (n, 1, h, w), whatever the mask; tells where it failed.

    Returns
    -------
    images : (n, 1, h, w) tensor
    ok : (n,) bool tensor
        False where it did not succeed to `TOLERANCE` (an image with too few different values).
    """
    weight = torch.ones(1, 1)
    shown, _, _, off = _fit(_inside(images[:, 0], weight), target, weight)
    return target.mean + shown[:, None], off <= TOLERANCE


def at_mean_contrast(patterns: torch.Tensor, target: Target) -> torch.Tensor:
    """`set_mean_contrast` for tensors, differentiable in the patterns: (n, h, w) -> (n, 1, h, w)."""
    (low, high), weight = target.bounds, target.weight()
    pattern = _inside(patterns, weight)
    pattern = pattern * (target.contrast / _rms(pattern).clamp_min(1e-7))
    clips = (pattern.detach().amin((1, 2)) < low) | (pattern.detach().amax((1, 2)) > high)
    if clips.any():
        part = pattern[clips]
        _, gain, offset, _ = _fit(part.detach(), target, weight, iterations=CLIP_STEPS)
        part = (gain * part + offset * weight).clamp(low, high)
        part = part * (target.contrast / _rms(part))
        pattern = pattern.index_put((clips,), part.clamp(low, high))
    return target.mean + pattern[:, None]


def _inside(patterns, weight):
    """Patterns (n, h, w) under a mask, their mean there taken out."""
    return weight * (patterns - _mean(patterns * weight) / weight.mean())


def _fit(pattern, target, weight, *, tolerance=TOLERANCE, iterations=ITERATIONS):
    """Give clipped patterns (n, h, w) mean 0 and a contrast, by steps of Newton's on offset and gain.

    Returns the patterns, gain and offset (n, 1, 1), and the largest error (n,) of mean and contrast.
    """
    contrast, (low, high) = target.contrast, target.bounds
    gain = contrast / _rms(pattern).clamp_min(1e-12)
    offset = torch.zeros_like(gain)
    shown = (gain * pattern).clamp(low, high)
    off = _error(shown, contrast)
    left = torch.nonzero(off > tolerance)[:, 0]
    for _ in range(iterations):
        if not len(left):
            break
        scaled = gain[left] * pattern[left] + offset[left] * weight
        clipped = scaled.clamp(low, high)
        free = _mean(weight * (clipped == scaled))  # only pixels inside the range move
        shift = _mean(clipped) / free.clamp_min(0.02 * weight.mean())
        scaled = scaled - shift * weight
        clipped = scaled.clamp(low, high)
        power = _mean(clipped**2)
        share = _mean(clipped**2 * (clipped == scaled)) / power
        factor = (contrast / power.sqrt()) ** (1 / share.clamp_min(0.1))
        gain[left] = (factor * gain[left]).clamp_max(1e9)  # saturated long before
        offset[left] = (factor * (offset[left] - shift)).clamp(-1e6, 1e6)
        shown[left] = (gain[left] * pattern[left] + offset[left] * weight).clamp(low, high)
        off[left] = _error(shown[left], contrast)
        left = left[off[left] > tolerance]
    return shown, gain, offset, off


def _error(shown, contrast):
    """(n,) largest error of mean (0) and contrast."""
    return torch.maximum(_mean(shown).abs(), (_rms(shown) - contrast).abs())[:, 0, 0]


def _mean(images):
    return images.mean((1, 2), keepdim=True)


def _rms(images):
    """(n, 1, 1) root mean square of (n, h, w)."""
    return images.square().mean((1, 2), keepdim=True).sqrt()  # several times faster than std
