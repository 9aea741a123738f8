"""Images that are the same, or nearly, whatever their ids say."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIMILAR = 0.99  # correlation of reduced images from which two of them count as one picture
REDUCED = (20, 16)  # width and height, px
BLOCK = 2000  # images compared with all others at once


def first_of_same(images: np.ndarray) -> np.ndarray:
    """Return, for each image (images, h, w), the position of the first one with exactly its pixels.

    Examples
    --------
    >>> first_of_same(np.array([[[0, 1]], [[1, 1]], [[0, 1]]])).tolist()
    [0, 1, 0]
    """
    seen = {}
    return np.array([seen.setdefault(image.tobytes(), k) for k, image in enumerate(images)])


def similar_groups(images: np.ndarray) -> np.ndarray:
    """Return the group of each image; two that show nearly the same picture are in one group.

    Nearly the same are images that correlate above `SIMILAR` when they are reduced to 16 x 20 pixels,
    such as one picture at two contrasts, with noise, or twice compressed. Uniform images are one group.
    Of images (images, h, w) in [0, 1]; groups (images,) from 0, in the order of their first images.
    """
    small = np.stack(
        [
            np.asarray(Image.fromarray(np.float32(image)).resize(REDUCED, Image.BOX)).ravel()
            for image in images
        ]
    )
    small -= small.mean(1, keepdims=True)
    size = np.linalg.norm(small, axis=1, keepdims=True)
    flat = size[:, 0] < 1e-4
    small /= np.maximum(size, 1e-12)
    group = np.arange(len(images))
    group[flat] = np.flatnonzero(flat).min(initial=len(images))

    def root(k):
        while group[k] != k:
            k = group[k]
        return k

    for start in range(0, len(small), BLOCK):
        for a, b in np.argwhere(small[start : start + BLOCK] @ small.T > SIMILAR):
            a, b = sorted((root(a + start), root(b)))
            group[b] = a
    _, first, label = np.unique([root(k) for k in range(len(group))], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[label]
