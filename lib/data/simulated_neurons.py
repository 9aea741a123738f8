"""Model neurons whose receptive fields are known, for the simulated session.

Every unit sees an image through at most two filters, given in degrees. Its expected count in a
window of 0.25 s is ``baseline + gain * drive ** exponent``; the drive combines the rectified
filter outputs a and b as its kind says:

=================== ========================================= ====================================
kind                drive                                     optimum
=================== ========================================= ====================================
simple, spot        max(a, 0)                                 the filter
complex             sqrt(a^2 + b^2), quadrature pair          any phase of the pair
simple_normalised,  the same, divided by the contrast around  nearly the same
complex_normalised
corner              2 a b / (a + b): needs both               both filters, two orientations
two_subunit         max(a, 0) + max(b, 0)                     both filters, two places
untuned, silent     0                                         none
=================== ========================================= ====================================

Filters are free of DC, so luminance alone drives nothing, and the output is an integral over
degrees, so that it does not depend on the resolution of the image. It is in units of the typical
standard deviation over natural images, which have equal power in every octave: an output of 1 is
an ordinary natural image.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch
from torch import nn

from lib.stimuli import contrast as stimuli
from lib.stimuli import patterns
from lib.stimuli.contrast import Target

KINDS = {
    "simple": 12,
    "complex": 10,
    "simple_normalised": 4,
    "complex_normalised": 4,
    "corner": 4,
    "two_subunit": 4,
    "spot": 4,
    "untuned": 4,
    "silent": 2,
}
SCENE_HEIGHT = 94.8  # degrees: 918 screen pixels of 0.10327 (AllenSDK BrainObservatoryMonitor)
NATURAL_OUTPUT = 0.055  # SD over natural images of (output x spatial frequency), luminance
NATURAL_CONTRAST = 0.2  # typical local contrast (RMS) of natural images
POOL = 3.0  # the normalisation pool's sigma over the filter's
PAIRS = ("corner", "two_subunit")
TUNED = ("x", "y", "orientation_a", "orientation_b", "spatial_frequency", "phase", "sigma")


class TrueUnits(nn.Module):
    """Expected spike counts of model neurons; differentiable; float32 (`.double()` for float64).

    Parameters
    ----------
    table : DataFrame
        Index unit_id; columns of `make_units`.
    scene_height : float, degrees
        Height of the images that `forward` is given, whatever their number of pixels.

    Attributes
    ----------
    table : DataFrame
        `x`, `y` (degrees), `orientation` (degrees, NaN where the optimum has none or several),
        `spatial_frequency` (cycles/degree) and `phase` describe the optimum.
    """

    def __init__(self, table, *, scene_height=SCENE_HEIGHT):
        super().__init__()
        self.table = table
        self.scene_height = scene_height
        self._rendered = {}
        normalised = np.flatnonzero(table.truth_kind.str.endswith("_normalised"))
        for name in ("baseline", "gain", "exponent"):
            self.register_buffer(name, torch.tensor(table[name].to_numpy(np.float32)))
        semisaturation = table.semisaturation.to_numpy(np.float32)[normalised]
        energy = table.truth_kind.str.startswith("complex").to_numpy(bool)
        self.register_buffer("normalised", torch.tensor(normalised))
        self.register_buffer("semisaturation", torch.tensor(semisaturation))
        self.register_buffer("energy", torch.tensor(energy))
        self.register_buffer("corner", torch.tensor((table.truth_kind == "corner").to_numpy()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Expected counts (n, units) in 0.25 s to images (n, 1, h, w) in [0, 1]."""
        filters, pools = self._filters(tuple(images.shape[-2:]), self.gain.dtype)
        flat = images.flatten(1).to(self.gain.dtype)
        a, b = (flat @ filters.T).chunk(2, dim=1)
        drive = self._combine(a, b)
        if len(self.normalised):
            drive = drive * torch.ones_like(drive).index_copy(
                1, self.normalised, self._normalisation(flat, pools)
            )
        return self.baseline + self.gain * drive**self.exponent

    def subset(self, unit_ids: Sequence[int]) -> TrueUnits:
        """Return the TrueUnits of these units, in this order."""
        return TrueUnits(self.table.loc[list(unit_ids)], scene_height=self.scene_height)

    def preferred_stimuli(
        self, unit_id: int, shape: tuple[int, int], *, degrees_per_pixel: float
    ) -> np.ndarray:
        """Patterns that span the optimum of a unit among images of one mean and contrast.

        Returns
        -------
        (k, h, w) array of zero-mean patterns of unit norm; k is 1, 2 for complex units (any
        mixture of the two is an optimum) and 0 for units that prefer nothing. For normalised
        units it is the optimum but for 0.03 % of the response, the pool being so much wider.
        """
        row = self.table.loc[[unit_id]]
        filters = render_filters(row, shape, degrees_per_pixel=degrees_per_pixel)[:, 0]
        if row.truth_kind.iloc[0] in PAIRS:
            filters = filters.sum(0, keepdims=True)
        filters = filters - filters.mean(axis=(1, 2), keepdims=True)
        norms = np.linalg.norm(filters, axis=(1, 2), keepdims=True)
        return filters[norms[:, 0, 0] > 0] / norms[norms[:, 0, 0] > 0]

    def truth_correlation(self, image: np.ndarray, unit_id: int, *, degrees_per_pixel: float) -> float:
        """Correlation of an image (h, w) with the optimum of a unit; NaN for units that prefer nothing.

        Signed where the optimum is one pattern, the best over phases where it is a pair.
        """
        image = np.asarray(image, float)
        span = self.preferred_stimuli(unit_id, image.shape, degrees_per_pixel=degrees_per_pixel)
        if len(span) == 0:
            return float("nan")
        deviation = (image - image.mean()).ravel()
        deviation = deviation / np.linalg.norm(deviation)
        if len(span) == 1:
            return float(span[0].ravel() @ deviation)
        basis, _ = np.linalg.qr(span.reshape(len(span), -1).T)
        return float(np.linalg.norm(basis.T @ deviation))

    def optimal_image(self, unit_id: int, shape: tuple[int, int], target: Target) -> np.ndarray:
        """Image (h, w), float32, with the mean and contrast of a `Target` that excites a unit most.

        Where the pattern does not fit into the range at that contrast it is clipped and scaled up until it
        has the contrast, which for a linear filter is the exact optimum. The best of 16 phases is returned
        for complex units.
        """
        span = self.preferred_stimuli(unit_id, shape, degrees_per_pixel=self.scene_height / shape[0])
        if len(span) == 0:
            raise ValueError(
                f"unit {unit_id} is {self.table.truth_kind[unit_id]} and prefers "
                "nothing; ask for the optimum of a tuned unit"
            )
        angle = np.arange(16 if len(span) == 2 else 1) * np.pi / 8
        weights = np.stack([np.cos(angle), np.sin(angle)])[: len(span)]
        images = stimuli.set_mean_contrast(np.tensordot(weights.T, span, 1), target)
        with torch.no_grad():
            responses = self.subset([unit_id])(torch.as_tensor(images)[:, None])
        return images[int(responses.argmax())]

    def save(self, path: Path | str) -> None:
        """Write the table as HDF5, under a temporary name first."""
        partial = Path(path).with_suffix(".partial")
        with h5py.File(partial, "w") as file:
            file.attrs["scene_height"] = self.scene_height
            file["unit_id"] = self.table.index.to_numpy()
            for position, (name, values) in enumerate(self.table.items()):
                text = values.dtype == object
                file[name] = values.to_numpy(h5py.string_dtype() if text else float)
                file[name].attrs["position"] = position
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path | str) -> TrueUnits:
        """Read what `save` wrote."""
        with h5py.File(path) as file:
            unit_ids = pd.Index(file["unit_id"][()], name="unit_id")
            names = sorted(set(file) - {"unit_id"}, key=lambda n: file[n].attrs["position"])
            columns = {
                n: file[n].asstr()[()] if h5py.check_string_dtype(file[n].dtype) else file[n][()]
                for n in names
            }
            return cls(pd.DataFrame(columns, index=unit_ids), scene_height=float(file.attrs["scene_height"]))

    def _filters(self, shape, dtype):
        """Filters (2 x units, pixels) that give outputs in natural units, pools (n, pixels)."""
        if (shape, dtype) not in self._rendered:
            dpp = self.scene_height / shape[0]
            filters = render_filters(self.table, shape, degrees_per_pixel=dpp)
            frequency = self.table.spatial_frequency.fillna(0).to_numpy()[:, None, None]
            filters *= dpp * frequency / NATURAL_OUTPUT
            pools = render_pools(self.table.iloc[self.normalised.tolist()], shape, degrees_per_pixel=dpp)
            self._rendered[shape, dtype] = tuple(
                torch.tensor(a.reshape(-1, shape[0] * shape[1]), dtype=dtype) for a in (filters, pools)
            )
        return self._rendered[shape, dtype]

    def _combine(self, a, b):
        up_a, up_b = a.relu(), b.relu()
        drive = up_a + up_b  # b is 0 for simple, spot and untuned units
        both = 2 * up_a * up_b / (up_a + up_b + 1e-6)
        energy = (a**2 + b**2 + 1e-8).sqrt()
        return torch.where(self.corner, both, torch.where(self.energy, energy, drive))

    def _normalisation(self, flat, pools):
        """sqrt((s^2 + c0^2) / (s^2 + c^2)), c the contrast under the pool of a normalised unit."""
        contrast2 = (flat**2 @ pools.T - (flat @ pools.T) ** 2).relu()
        s2 = self.semisaturation**2
        return ((s2 + NATURAL_CONTRAST**2) / (s2 + contrast2)).sqrt()


def render_filters(table: pd.DataFrame, shape: tuple[int, int], *, degrees_per_pixel: float) -> np.ndarray:
    """Filters (2, units, h, w) of a `make_units` table: zero mean, unit norm, zero where a unit has none."""
    t = table.fillna(dict.fromkeys(TUNED, 0.0) | {"sigma": 1.0})
    dx = t.distance / 2 * np.cos(np.deg2rad(t.direction))
    dy = t.distance / 2 * np.sin(np.deg2rad(t.direction))
    spot = (t.truth_kind == "spot").to_numpy()
    energy = t.truth_kind.str.startswith("complex").to_numpy()
    tuned = ~t.truth_kind.isin(["untuned", "silent"]).to_numpy()
    frequency = np.where(spot, 0.0, t.spatial_frequency)
    filters = []
    for sign, orientation, shift, present in (
        (-1, t.orientation_a, 0.0, tuned),
        (1, t.orientation_b, 0.25 * energy, energy | t.truth_kind.isin(PAIRS).to_numpy()),
    ):
        place = dict(
            degrees_per_pixel=degrees_per_pixel,
            x=(t.x + sign * dx).to_numpy(),
            y=(t.y + sign * dy).to_numpy(),
            orientation=orientation.to_numpy(),
        )
        phase, sigma = (t.phase + shift).to_numpy(), t.sigma.to_numpy()
        patch = patterns.gabor(shape, **place, spatial_frequency=frequency, phase=phase, sigma=sigma)
        # a spot's surround is twice as wide as its centre; a Gabor loses its DC under its window
        wide = sigma * np.where(spot, 2.0, 1.0)
        window = patterns.gabor(shape, **place, spatial_frequency=0.0, phase=0.0, sigma=wide)
        patch -= window * (patch.sum((1, 2)) / window.sum((1, 2)))[:, None, None]
        norm = np.maximum(np.linalg.norm(patch, axis=(1, 2)), 1e-12)
        filters.append(patch * (present / norm)[:, None, None])
    return np.stack(filters)


def render_pools(table: pd.DataFrame, shape: tuple[int, int], *, degrees_per_pixel: float) -> np.ndarray:
    """Gaussian weights (units, h, w), each of sum 1, over which contrast is pooled."""
    t = table.fillna({"x": 0.0, "y": 0.0, "sigma": 1.0})
    pools = patterns.gabor(
        shape,
        degrees_per_pixel=degrees_per_pixel,
        x=t.x.to_numpy(),
        y=t.y.to_numpy(),
        orientation=0.0,
        spatial_frequency=0.0,
        phase=0.0,
        sigma=POOL * t.sigma.to_numpy(),
    )
    return pools / pools.sum((1, 2), keepdims=True)


def kind_counts(total: int) -> dict[str, int]:
    """Share `total` units among the kinds in the proportions of `KINDS`, at least one of each."""
    if total < len(KINDS):
        raise ValueError(f"{total} simulated units asked for; give at least {len(KINDS)}, one of each kind")
    weights = np.array(list(KINDS.values()), float)
    counts = np.maximum(1, np.floor(weights / weights.sum() * total)).astype(int)
    while counts.sum() != total:
        short = weights / weights.sum() * total - counts
        if counts.sum() < total:
            counts[short.argmax()] += 1
        else:
            counts[np.where(counts > 1, short, np.inf).argmin()] -= 1
    return dict(zip(KINDS, counts.tolist()))


def make_units(
    units: int | dict[str, int] = 48, *, seed: int, first_unit_id: int = 951000000
) -> pd.DataFrame:
    """Draw the parameters of model neurons in the range of mouse visual cortex.

    `units` is their number, shared among the kinds by `kind_counts`, or the number of each kind.

    Returns
    -------
    DataFrame
        Index unit_id (order of kinds shuffled). Columns: truth_kind; x, y (degrees), orientation,
        spatial_frequency, phase, sigma (of a filter's window, degrees) of the optimum; orientation_a,
        orientation_b, distance, direction of the two filters; semisaturation; baseline, gain (counts in 0.25
        s), exponent; latency (s).
    """
    counts = kind_counts(units) if isinstance(units, int) else units
    unknown = set(counts) - set(KINDS)
    if unknown:
        raise ValueError(f"unknown kind of unit {sorted(unknown)[0]!r}; kinds: {', '.join(KINDS)}")
    rng = np.random.default_rng(seed)
    rows = [_draw_unit(kind, (i + rng.random()) / n, rng) for kind, n in counts.items() for i in range(n)]
    table = pd.DataFrame(rows).iloc[rng.permutation(len(rows))]
    return table.set_index(pd.Index(first_unit_id + 12 * np.arange(len(rows)), name="unit_id"))


def _draw_unit(kind, rank, rng):
    """One row of the table; orientations of a kind are spread evenly by `rank` in [0, 1)."""
    pair, spot = kind in PAIRS, kind == "spot"
    sigma = rng.uniform(*((3.5, 5.0) if spot else (4.5, 6.0) if pair else (5.5, 9.0)))
    # a centre with a surround twice as wide responds best at sqrt(ln 4 / 6) / (pi sigma)
    frequency = np.sqrt(np.log(4) / 6) / np.pi / sigma if spot else rng.uniform(0.3, 0.42) / sigma
    orientation = 180 * rank
    row = dict(
        truth_kind=kind,
        x=rng.uniform(-30, 30) * (0.8 if pair else 1),
        y=rng.uniform(-22, 22) * (0.7 if pair else 1),
        orientation=orientation,
        spatial_frequency=frequency,
        phase=rng.choice([0.0, 0.5]) if spot else rng.random(),
        sigma=sigma,
        orientation_a=orientation,
        orientation_b=orientation,
        distance=0.0,
        direction=rng.uniform(0, 360),
        semisaturation=np.nan,
        baseline=np.exp(rng.uniform(np.log(0.3), np.log(1.5))),
        gain=np.exp(rng.uniform(np.log(0.45), np.log(1.6))),
        exponent=rng.uniform(1.0, 1.4),
        latency=rng.uniform(0.04, 0.07),
    )
    if pair:
        row |= dict(
            orientation=np.nan,
            gain=row["gain"] * (1.8 if kind == "corner" else 0.7),
            orientation_b=(orientation + rng.uniform(60, 90)) % 180,
            distance=sigma * rng.uniform(1.6, 2.2),
        )
    if kind.endswith("normalised"):
        row |= dict(semisaturation=0.15)
    if spot:
        row |= dict(orientation=np.nan)
    if kind in ("untuned", "silent"):
        row |= dict.fromkeys(("orientation", *TUNED), np.nan)
        row |= dict(gain=0.0, baseline=rng.uniform(0.5, 3.0) if kind == "untuned" else 0.0)
    return row
