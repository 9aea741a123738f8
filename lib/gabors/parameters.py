"""The seven parameters of a Gabor: rendered, bounded, in one form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lib.stimuli.patterns import ROTATION, pixel_grid

PARAMETERS = ["x", "y", "orientation", "spatial_frequency", "phase", "sigma", "aspect"]


def render_gabors(
    parameters: torch.Tensor, shape: tuple[int, int], *, degrees_per_pixel: float
) -> torch.Tensor:
    """`lib.stimuli.patterns.gabor` for n patches (n, 7) of `PARAMETERS`, differentiable: (n, h, w)."""
    gx, gy = pixel_grid(shape, degrees_per_pixel=degrees_per_pixel)
    x, y, orientation, frequency, phase, sigma, aspect = parameters.unbind(1)
    dx = torch.tensor(gx[0].copy(), dtype=parameters.dtype) - x[:, None]
    dy = torch.tensor(gy[:, 0].copy(), dtype=parameters.dtype) - y[:, None]
    theta = ROTATION * torch.deg2rad(orientation)
    cos, sin = theta.cos(), theta.sin()
    turn = 2 * torch.pi * frequency[:, None]
    shift = 2 * torch.pi * phase[:, None]
    if not parameters.requires_grad and bool((aspect == 1).all()):  # products of a row and a column
        row, column = (torch.exp(-0.5 * (d / sigma[:, None]) ** 2) for d in (dy, dx))
        down, across = turn * sin[:, None] * dy + shift, turn * cos[:, None] * dx
        return torch.stack([row * down.cos(), -row * down.sin()], 2) @ torch.stack(
            [column * across.cos(), column * across.sin()], 1
        )
    # exponent and phase are sums of few products of a row and a column: low-rank matrices
    across, along = 0.5 / sigma**2, 0.5 / (sigma * aspect) ** 2
    a = (across * cos**2 + along * sin**2)[:, None]
    b = (across * sin**2 + along * cos**2)[:, None]
    c = (2 * (across - along) * sin * cos)[:, None]
    one_x, one_y = torch.ones_like(dx), torch.ones_like(dy)
    exponent = torch.stack([one_y, b * dy**2, c * dy], 2) @ torch.stack([a * dx**2, one_x, dx], 1)
    angle = torch.stack([one_y, turn * sin[:, None] * dy + shift], 2) @ torch.stack(
        [turn * cos[:, None] * dx, one_x], 1
    )
    return torch.exp(-exponent) * torch.cos(angle)


def bounds(shape: tuple[int, int], degrees_per_pixel: float) -> list[torch.Tensor]:
    """Return lowest and highest value of each parameter in `to_free`'s scale."""
    half = np.array(shape[::-1]) * degrees_per_pixel / 2
    low = [-half[0], -half[1], -1e6, 0.5 / (2 * half.max()), -1e6, degrees_per_pixel, 0.4]
    high = [half[0], half[1], 1e6, 0.45 / degrees_per_pixel, 1e6, half.max(), 2.5]
    return [to_free(torch.tensor(b, dtype=torch.float32)) for b in (low, high)]


def to_free(p: torch.Tensor) -> torch.Tensor:
    """Return parameters in units in which steps of equal size change the Gabor about equally."""
    x, y, theta, f, phase, sigma, aspect = p.unbind(-1)
    free = [x / 10, y / 10, torch.deg2rad(theta), f.log(), phase * 3, sigma.log(), aspect.log()]
    return torch.stack(free, -1)


def from_free(q: torch.Tensor) -> torch.Tensor:
    """Return the parameters of which `to_free` is the scale."""
    x, y, theta, f, phase, sigma, aspect = q.unbind(-1)
    p = [x * 10, y * 10, torch.rad2deg(theta), f.exp(), phase / 3, sigma.exp(), aspect.exp()]
    return torch.stack(p, -1)


def canonical(parameters: np.ndarray) -> pd.DataFrame:
    """Return a DataFrame with orientation in [0, 180) and phase in [0, 1), the same images."""
    table = pd.DataFrame(np.atleast_2d(parameters).copy(), columns=PARAMETERS)
    half_turns = np.floor(table.orientation / 180)
    table["phase"] = np.where(half_turns % 2 == 1, -table.phase, table.phase) % 1
    table["orientation"] %= 180
    return table
