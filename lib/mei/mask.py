"""The region of a most exciting input that carries the response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull

from lib.models.ensemble import predicted_responses
from lib.stimuli.contrast import Target, set_mean_contrast

NEAR = 0.1  # of the image's height: parts that lie nearer are one
LEAST_PART = 0.1  # of the energy of the strongest part


@dataclass(frozen=True)
class MEIMask:
    """The region of an image that carries the response.

    Attributes
    ----------
    mask : (h, w) float32 in [0, 1]
        1 everywhere where no smaller region carries the response.
    threshold : float
        Of the local deviation, as a part of its maximum; 0 without a smaller region.
    parts : int
        Regions apart from each other.
    masked_image : (h, w) float32
        Grey outside the mask, at the target's mean and contrast.
    response, masked_response, grey_response : float
        To the image, to the masked image and to grey.
    """

    mask: np.ndarray
    threshold: float
    parts: int
    masked_image: np.ndarray
    response: float
    masked_response: float
    grey_response: float

    @property
    def kept(self) -> float:
        """Rise above grey under the mask over that without it."""
        return (self.masked_response - self.grey_response) / (self.response - self.grey_response)


def mei_mask(
    model: torch.nn.Module | list[torch.nn.Module],
    image: np.ndarray,
    target: Target,
    *,
    unit: int = 0,
    fraction: float = 0.95,
    smoothing: float = 1.5,
    edge: float = 1.5,
    levels: int = 64,
) -> MEIMask:
    """Smallest of a family of masks under which an image, at its contrast, raises the response as much.

    Local deviation (RMS deviation from the mean under a Gaussian of `smoothing`) above a threshold, the
    convex hull of every part of that, a Gaussian edge outside. Under each mask the image is brought to its
    mean and contrast again. Of the masks that can hold it, that of the highest threshold is taken under
    which it keeps `fraction` of the largest rise above grey. After Walker et al. 2019, Methods; they keep a
    part of the response itself, at a contrast that falls with the mask, in one region.

    Parameters
    ----------
    target : Target
        Mean and contrast.
    smoothing, edge : float
        Pixels.
    levels : int
        Number of thresholds tried.

    A flat image raises ValueError.

    Examples
    --------
    >>> patch = torch.zeros(20, 30)
    >>> patch[8:12, 14:18], patch[8:12, 18:22] = 1.0, -1.0
    >>> class Edge(torch.nn.Module):
    ...     def forward(self, images):
    ...         return torch.einsum("nchw,hw->n", images - 0.5, patch)[:, None]
    >>> found = mei_mask(Edge(), 0.5 + 0.3 * patch.numpy(), Target(mean=0.5, contrast=0.06))
    >>> bool(found.mask[10, 16] == 1), bool(found.mask[0, 0] < 0.01), found.parts
    (True, True, 1)
    """
    image = np.asarray(image, dtype=np.float32)
    local = np.sqrt(ndimage.gaussian_filter(np.square(image - image.mean(), dtype=float), smoothing))
    if not local.max() > 0:
        raise ValueError("the image is flat: a mask needs an image with contrast")
    thresholds = np.r_[0, np.geomspace(0.01, 0.95, levels)]
    regions = [(np.ones(image.shape), 1)]
    regions += [_region(local, t * local.max(), edge) for t in thresholds[1:]]
    shown = np.stack([set_mean_contrast(image, target.within(mask)) for mask, _ in regions])
    stimuli = np.concatenate([shown, np.full_like(image, target.mean)[None]])
    *responses, grey = predicted_responses(model, stimuli, units=[unit])[:, 0]
    rise = np.array(responses) - grey
    rise[shown.std((1, 2), dtype=float) < 0.99 * target.contrast] = -np.inf  # too small a mask
    k = np.flatnonzero(rise >= fraction * rise.max())[-1] if rise.max() > 0 else 0
    mask, parts = regions[k]
    heard = (float(r) for r in (responses[0], responses[k], grey))
    return MEIMask(mask.astype(np.float32), float(thresholds[k]), parts, shown[k], *heard)


def _region(local, threshold, edge) -> tuple[np.ndarray, int]:
    """(h, w) mask and its number of parts: convex hulls of what exceeds a threshold, with a Gaussian edge.

    Places nearer to each other than `NEAR` are one part; weak parts are left out.
    """
    above = local > threshold
    reach = max(round(NEAR * len(local) / 2), 1)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disk = x**2 + y**2 <= reach**2
    labels, count = ndimage.label(ndimage.binary_dilation(above, disk), np.ones((3, 3)))
    energy = ndimage.sum_labels(local**2 * above, labels, np.arange(1, count + 1))
    strong = 1 + np.flatnonzero(energy >= LEAST_PART * energy.max())
    hulls = np.any([_convex_hull(above & (labels == part)) for part in strong], axis=0)
    return np.exp(-(ndimage.distance_transform_edt(~hulls) ** 2) / (2 * edge**2)), len(strong)


def _convex_hull(region) -> np.ndarray:
    """(h, w) bool: pixels whose centres lie in the convex hull of the region's pixel squares."""
    points = np.argwhere(region)
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
    sides = ConvexHull((points[:, None] + corners).reshape(-1, 2)).equations
    grid = np.indices(region.shape).reshape(2, -1)
    return (sides[:, :2] @ grid + sides[:, 2:] <= 1e-9).all(0).reshape(region.shape)
