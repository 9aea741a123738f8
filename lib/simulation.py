"""A simulated session: natural-like images and movies, presentations in blocks, spikes."""

import numpy as np
import pandas as pd
import torch
from scipy import ndimage

from lib import stimuli
from lib.truth import SCENE_HEIGHT

IMAGE_SHAPE = (115, 147)      # the Allen scenes at an eighth of their size, aspect kept
GREY = 0.5                    # luminance of the screen behind gratings and Gabors
DURATION = 0.25               # s, of a scene, grating or Gabor
FRAME_RATE = 30.0             # Hz, of movies
CONTRAST = 0.8                # of gratings and Gabors: luminance 0.1 to 0.9
SLOW_GAIN, FAST_GAIN = 0.14, 0.14   # SD of the two parts of the log of the shared gain
SLOW_TIME = 30.0              # s, over which the slow part changes


def dead_leaves(n, shape=IMAGE_SHAPE, *, rng, leaves=500):
    """Natural-like greyscale images: overlapping leaves with shading and 1/f texture.

    Opaque ellipses of power-law sizes give the edges, occlusions and scale-free statistics of
    natural scenes (Lee, Mumford & Huang, IJCV 41:35, 2001). Luminance and contrast vary over
    images: mean about 0.45, SD about 0.22.

    Parameters
    ----------
    n : int
    shape : (h, w)
    rng : numpy Generator
    leaves : int
        Leaves on an image of the default shape; larger images get more.

    Returns
    -------
    (n, h, w) uint8 array, 0 black to 255 white
    """
    count = round(leaves * shape[0] * shape[1] / (IMAGE_SHAPE[0] * IMAGE_SHAPE[1]))
    images = np.empty((n, *shape), np.uint8)
    for image in images:
        scene = _leaf_scene(shape, rng, count)
        scene = (scene - scene.mean()) / scene.std()
        mean, sd = rng.normal(0.45, 0.04), np.clip(rng.normal(0.24, 0.04), 0.14, 0.34)
        image[:] = np.round(255 * np.clip(mean + sd * scene, 0, 1))
    return images


def _leaf_scene(shape, rng, leaves):
    """One dead-leaves scene of arbitrary luminance, leaves painted over one another."""
    rows, columns = np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32)
    texture = one_over_f(shape, rng)
    scene = 0.7 * one_over_f(shape, rng)
    low, high = 2.0, 0.35 * IMAGE_SHAPE[0]
    size = (low**-2 + rng.random(leaves) * (high**-2 - low**-2)) ** -0.5   # p(r) ~ r^-3
    ratio = np.exp(rng.uniform(0, np.log(3), leaves))
    angle = rng.uniform(0, np.pi, leaves)
    centre = rng.uniform(-high / 2, np.array(shape) + high / 2, (leaves, 2))
    level, roughness = rng.normal(0, 1, leaves), rng.exponential(0.35, leaves)
    slope = rng.normal(0, 0.35, (leaves, 2)) / size[:, None]
    for i in rng.permutation(leaves):
        reach = size[i] * np.sqrt(ratio[i])
        r0, r1 = np.clip([centre[i, 0] - reach, centre[i, 0] + reach + 1], 0, shape[0]).astype(int)
        c0, c1 = np.clip([centre[i, 1] - reach, centre[i, 1] + reach + 1], 0, shape[1]).astype(int)
        dr, dc = rows[r0:r1, None] - centre[i, 0], columns[None, c0:c1] - centre[i, 1]
        u, v = dr * np.cos(angle[i]) + dc * np.sin(angle[i]), dc * np.cos(angle[i]) - dr * np.sin(angle[i])
        inside = u**2 / ratio[i] + v**2 * ratio[i] <= size[i] ** 2
        leaf = level[i] + slope[i, 0] * dr + slope[i, 1] * dc + roughness[i] * texture[r0:r1, c0:c1]
        scene[r0:r1, c0:c1] = np.where(inside, leaf, scene[r0:r1, c0:c1])
    return ndimage.gaussian_filter(scene, 0.6)


def one_over_f(shape, rng):
    """Noise (h, w) whose amplitude falls as 1/f; mean 0, SD 1; float32."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) / frequency, shape)
    return (noise / noise.std()).astype(np.float32)
