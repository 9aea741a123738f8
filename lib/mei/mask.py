"""The region of a most exciting input that carries the response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull

from lib.models.ensemble import predicted_responses


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
    model: torch.nn.Module | list[torch.nn.Module],
    image: np.ndarray,
    *,
    unit: int = 0,
    fraction: float = 0.95,
    smoothing: float = 1.5,
    edge: float = 1.5,
    levels: int = 64,
    batch_size: int = 64,
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

    Examples
    --------
    >>> patch = torch.zeros(20, 30)
    >>> patch[8:12, 14:18] = 1.0
    >>> class Spot(torch.nn.Module):
    ...     def forward(self, images):
    ...         return torch.einsum("nchw,hw->n", images - 0.5, patch)[:, None]
    >>> found = mei_mask(Spot(), 0.5 + 0.3 * patch.numpy())
    >>> bool(found.mask[10, 16] == 1), bool(found.mask[0, 0] < 0.01)
    (True, True)
    >>> found.masked_response >= 0.95 * found.response
    True
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
        masks[k].astype(np.float32),
        float(thresholds[k]),
        stimuli[1 + k],
        float(responses[0]),
        float(responses[1 + k]),
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
