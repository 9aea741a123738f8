"""From an image in degrees to the grey values of a screen, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from lib.errors import InputError

WHITE = 255  # the largest grey value of 8 bits


@dataclass(frozen=True)
class Screen:
    """A screen on which an image stands in the middle, grey around it.

    Attributes
    ----------
    width, height : int
        Pixels.
    degrees_per_pixel : float
    grey : float
        Luminance around the image, in [0, 1].
    gamma : float
        The screen shows grey value v with luminance ``(v / 255) ** gamma``; 1 for a linearised screen.
    """

    width: int
    height: int
    degrees_per_pixel: float
    grey: float
    gamma: float = 1.0

    def size_of(self, shape: tuple[int, int], degrees_per_pixel: float) -> tuple[int, int]:
        """Return (height, width) in pixels of the screen of an image of `shape`.

        Raises
        ------
        InputError
            The image is larger than the screen.
        """
        scale = degrees_per_pixel / self.degrees_per_pixel
        size = round(shape[0] * scale), round(shape[1] * scale)
        if size[0] > self.height or size[1] > self.width:
            raise InputError(
                f"screen is {self.width} x {self.height} pixels, the images take {size[1]} x {size[0]} "
                "at its degrees_per_pixel; give the screen that shows them whole"
            )
        return size

    def _middle(self, size) -> tuple[slice, slice]:
        """Rows and columns of the middle of the screen that take `size` (h, w)."""
        (h, w), top, left = size, (self.height - size[0]) // 2, (self.width - size[1]) // 2
        return slice(top, top + h), slice(left, left + w)

    def render(self, image: np.ndarray, *, degrees_per_pixel: float) -> np.ndarray:
        """Return the luminance (height, width) of the whole screen that shows an image (h, w), float32.

        The image is interpolated (bicubic) and stays in [0, 1]; `degrees_per_pixel` are its own.
        """
        size = self.size_of(image.shape, degrees_per_pixel)
        shown = np.full((self.height, self.width), self.grey, np.float32)
        large = Image.fromarray(np.asarray(image, np.float32)).resize(size[::-1], Image.BICUBIC)
        shown[self._middle(size)] = np.clip(np.asarray(large), 0, 1)
        return shown

    def encode(self, luminance: np.ndarray) -> np.ndarray:
        """Return the grey values (uint8) that give luminances in [0, 1].

        Examples
        --------
        >>> Screen(2, 1, 1.0, 0.5, gamma=2.0).encode(np.array([0.25, 1.0])).tolist()
        [128, 255]
        """
        return np.round(self.values(luminance)).astype(np.uint8)

    def values(self, luminance: np.ndarray) -> np.ndarray:
        """Return the grey values of luminances before they are rounded, from 0 to 255."""
        return WHITE * np.asarray(luminance) ** (1 / self.gamma)

    def luminance(self, values: np.ndarray) -> np.ndarray:
        """Return the luminance in [0, 1] that the screen gives to grey values."""
        return (np.asarray(values, np.float32) / WHITE) ** self.gamma

    def crop(
        self, luminance: np.ndarray, shape: tuple[int, int], *, degrees_per_pixel: float, pixels: tuple
    ) -> np.ndarray:
        """Return the part of a screen (height, width) where an image stands, averaged to `pixels` (h, w).

        Shape and degrees_per_pixel are those of the image that was rendered.
        """
        where = self._middle(self.size_of(shape, degrees_per_pixel))
        part = np.asarray(luminance, np.float32)[where]
        return np.asarray(Image.fromarray(part).resize(pixels[::-1], Image.BOX))


def place(luminance: np.ndarray, *, degrees_per_pixel: float, grey: float) -> tuple:
    """Where and how large a stimulus (h, w) is: centre of its squared deviation from grey, radius of 95 %.

    Returns
    -------
    x, y, radius : float, degrees
        x to the right, y upwards from the middle of the screen; NaN for a uniform image.
    """
    power = (np.asarray(luminance, float) - grey) ** 2
    if not power.max() > 1e-12:
        return (np.nan,) * 3
    h, w = power.shape
    x = (np.arange(w) - (w - 1) / 2) * degrees_per_pixel
    y = ((h - 1) / 2 - np.arange(h)) * degrees_per_pixel
    cx, cy = (power.sum(0) * x).sum() / power.sum(), (power.sum(1) * y).sum() / power.sum()
    distance = np.hypot(x - cx, (y - cy)[:, None]).ravel()
    order = np.argsort(distance)
    inside = np.searchsorted(np.cumsum(power.ravel()[order]), 0.95 * power.sum())
    return float(cx), float(cy), float(distance[order[min(inside, len(order) - 1)]])
