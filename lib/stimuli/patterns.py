"""Stimuli in degrees of visual angle: Gabors, gratings, masks, and their mean and contrast.

Geometry: the image is centred on the screen; x is azimuth (right positive), y elevation (up
positive), ``col = (w - 1) / 2 + x / degrees_per_pixel`` and ``row = (h - 1) / 2 - y /
degrees_per_pixel``. Orientation is in degrees, 0 for vertical bars, and grows clockwise on the screen, as
PsychoPy showed it and AllenSDK draws it (``stimulus_info.get_spatial_grating``, whose row 0 is at the bottom:
``Monitor.show_image`` has ``origin='lower'`` and turns scenes upside down for it). Spatial frequency is in
cycles/degree, phase in cycles (0: bright at the centre).
"""

from __future__ import annotations

import numpy as np

DURATION = 0.25  # s, of a presentation of Allen's Gabors
ROTATION = -1  # sense in which orientation grows on the screen: 1 counter-clockwise, -1 clockwise


def pixel_grid(shape: tuple[int, int], *, degrees_per_pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Position of every pixel of an image (h, w) on the screen.

    Returns
    -------
    x, y : (h, w) arrays, degrees; x to the right, y upwards, (0, 0) in the middle of the image
    """
    h, w = shape
    if not degrees_per_pixel > 0:
        raise ValueError(f"degrees_per_pixel is {degrees_per_pixel}; give the size of a pixel, above 0")
    x = (np.arange(w) - (w - 1) / 2) * degrees_per_pixel
    y = ((h - 1) / 2 - np.arange(h)) * degrees_per_pixel
    return np.broadcast_to(x, (h, w)), np.broadcast_to(y[:, None], (h, w))


def carrier_coordinates(
    x: np.ndarray, y: np.ndarray, orientation: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates across the bars (along the carrier) and along the bars, all in degrees.

    `orientation_of` is its inverse.
    """
    theta = ROTATION * np.deg2rad(orientation)
    return x * np.cos(theta) + y * np.sin(theta), y * np.cos(theta) - x * np.sin(theta)


def orientation_of(fx: np.ndarray | float, fy: np.ndarray | float) -> np.ndarray | float:
    """Orientation in [0, 180) of a wave vector with rightward part `fx` and upward part `fy`."""
    return ROTATION * np.rad2deg(np.arctan2(fy, fx)) % 180


def orientation_difference(first: np.ndarray | float, second: np.ndarray | float) -> np.ndarray | float:
    """Return the angle between orientations in degrees, 0 to 90.

    Examples
    --------
    >>> orientation_difference(178, 2)
    4
    """
    return abs((first - second + 90) % 180 - 90)


def _stack(*parameters):
    """Give parameters a shape (n, 1, 1) when any is an array; tell whether all were scalars."""
    arrays = np.broadcast_arrays(*(np.asarray(p, dtype=float) for p in parameters))
    if arrays[0].ndim > 1:
        raise ValueError(
            f"stimulus parameters broadcast to shape {arrays[0].shape}; give scalars or (n,) arrays"
        )
    return [np.atleast_1d(a)[:, None, None] for a in arrays], arrays[0].ndim == 0


def grating(
    shape: tuple[int, int],
    *,
    degrees_per_pixel: float,
    orientation: float | np.ndarray,
    spatial_frequency: float | np.ndarray,
    phase: float | np.ndarray,
) -> np.ndarray:
    """Sinusoidal gratings ``cos 2 pi (f u + phase)``, u the coordinate across the bars.

    Parameters
    ----------
    shape : (h, w)
    orientation : float or (n,) array, degrees
    spatial_frequency : float or (n,) array, cycles/degree
    phase : float or (n,) array, cycles

    Returns
    -------
    (h, w) array in [-1, 1], or (n, h, w) when any parameter is an array

    Examples
    --------
    >>> grating((2, 4), degrees_per_pixel=1.0, orientation=0, spatial_frequency=0.5, phase=0.25).round(2)
    array([[-1.,  1., -1.,  1.],
           [-1.,  1., -1.,  1.]])
    """
    (theta, f, p), single = _stack(orientation, spatial_frequency, phase)
    x, y = pixel_grid(shape, degrees_per_pixel=degrees_per_pixel)
    across, _ = carrier_coordinates(x, y, theta)
    images = np.cos(2 * np.pi * (f * across + p))
    return images[0] if single else images


def gabor(
    shape: tuple[int, int],
    *,
    degrees_per_pixel: float,
    x: float | np.ndarray,
    y: float | np.ndarray,
    orientation: float | np.ndarray,
    spatial_frequency: float | np.ndarray,
    phase: float | np.ndarray,
    sigma: float | np.ndarray,
    aspect: float | np.ndarray = 1.0,
) -> np.ndarray:
    """Gabor patches: a grating seen through a Gaussian window, both centred on (x, y).

    ``exp(-(u^2 + v^2 / aspect^2) / (2 sigma^2)) cos 2 pi (f u + phase)`` with u across the bars
    and v along them, from (x, y).

    Parameters
    ----------
    shape, orientation, spatial_frequency, phase
        As in `grating`.
    x, y : float or (n,) array, degrees
        Centre: azimuth and elevation.
    sigma : float or (n,) array, degrees
        Standard deviation of the window across the bars.
    aspect : float or (n,) array
        Length of the window along the bars over its width across them.

    Returns
    -------
    (h, w) array in [-1, 1], or (n, h, w) when any parameter is an array

    Examples
    --------
    >>> place = dict(x=[-10.0, 10.0], y=0.0, orientation=45.0)
    >>> wave = dict(spatial_frequency=0.05, phase=0.0, sigma=6.0)
    >>> left, right = gabor((41, 61), degrees_per_pixel=1.0, **place, **wave)
    >>> left.shape, [int(k) for k in np.unravel_index(right.argmax(), right.shape)]
    ((41, 61), [20, 40])
    """
    (cx, cy, theta, f, p, s, a), single = _stack(x, y, orientation, spatial_frequency, phase, sigma, aspect)
    if not (np.all(s > 0) and np.all(a > 0)):
        raise ValueError("sigma and aspect must be positive; give sizes in degrees above 0")
    gx, gy = pixel_grid(shape, degrees_per_pixel=degrees_per_pixel)
    across, along = carrier_coordinates(gx - cx, gy - cy, theta)
    images = np.exp(-(across**2 + (along / a) ** 2) / (2 * s**2))
    images *= np.cos(2 * np.pi * (f * across + p))
    return images[0] if single else images


def drifting_gabor(
    shape: tuple[int, int],
    *,
    degrees_per_pixel: float,
    x: float,
    y: float,
    orientation: float,
    spatial_frequency: float = 0.08,
    diameter: float = 20.0,
    temporal_frequency: float = 4.0,
    n_phases: int = 8,
) -> np.ndarray:
    """Frames of one presentation of Allen's receptive-field stimulus (`gabors`).

    Despite its name the stimulus is a drifting grating in a circular aperture, 20 degrees across
    (Siegle et al., Nature 592:86, 2021, Methods); at 4 Hz it drifts through one full cycle in its
    0.25 s, so that no single phase describes it.

    Parameters
    ----------
    x, y, orientation, spatial_frequency : float, degrees, degrees, degrees, cycles/degree
    diameter : float, degrees
    temporal_frequency : float, Hz
    n_phases : int
        Number of frames, evenly spaced in time.

    Returns
    -------
    (n_phases, h, w) array in [-1, 1], 0 outside the aperture
    """
    time = np.arange(n_phases) * DURATION / n_phases
    gx, gy = pixel_grid(shape, degrees_per_pixel=degrees_per_pixel)
    across, _ = carrier_coordinates(gx - x, gy - y, orientation)
    phase = temporal_frequency * time[:, None, None]
    window = circular_mask(
        shape, degrees_per_pixel=degrees_per_pixel, x=x, y=y, radius=diameter / 2, edge=degrees_per_pixel
    )
    return window * np.cos(2 * np.pi * (spatial_frequency * across + phase))


def circular_mask(
    shape: tuple[int, int], *, degrees_per_pixel: float, x: float, y: float, radius: float, edge: float = 0.0
) -> np.ndarray:
    """Disk (h, w) of some radius around (x, y), in degrees: 1 inside and 0 outside.

    `edge` (degrees) is the width of a raised-cosine border, half on each side of the radius; 0 for none.

    Examples
    --------
    >>> circular_mask((3, 5), degrees_per_pixel=1.0, x=1.0, y=0.0, radius=1.0).astype(int)
    array([[0, 0, 0, 1, 0],
           [0, 0, 1, 1, 1],
           [0, 0, 0, 1, 0]])
    """
    gx, gy = pixel_grid(shape, degrees_per_pixel=degrees_per_pixel)
    distance = np.hypot(gx - x, gy - y)
    if edge == 0:
        return (distance <= radius).astype(float)
    ramp = np.clip((distance - radius) / edge + 0.5, 0, 1)
    return 0.5 * (1 + np.cos(np.pi * ramp))
