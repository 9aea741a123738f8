"""Do models of the two halves of the images make the same most exciting input?

Each half is one recording with half the images: what both find does not hang on which images were shown.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lib.mei import localise, search
from lib.mei.ascent import AscentSettings
from lib.models.ensemble import SideBySide, predicted_responses
from lib.stimuli.contrast import Target
from lib.stimuli.metrics import local_energy

FIGURES = ("half_energy_correlation", "half_mei_correlation", "half_transfer", "heard_by_halves")


def agreement(
    halves: list[torch.nn.Module],
    meis: np.ndarray,
    target: Target,
    *,
    settings: AscentSettings,
    seed: int,
    degrees_per_pixel: float,
) -> pd.DataFrame:
    """How far models of the two halves of the images agree on MEIs, with each other and with given ones.

    Parameters
    ----------
    halves : list of two modules
        Each of the same units, fitted to one half of the images; without any, nothing is measured.
    meis : (units, h, w) array
        Made on models of all images.
    settings, seed
        Of `lib.mei.search.most_exciting_input`, from grey.

    Returns
    -------
    DataFrame, one row a unit
        half_energy_correlation (of the local energies of both halves' MEIs), half_mei_correlation (mean over
        the halves of that with `meis`); half_transfer, the rise above grey that one half predicts for
        the other's MEI, over that for its own (mean of both ways), and heard_by_halves, the same
        for `meis`.
    """
    if not halves:
        return pd.DataFrame(np.nan, range(len(meis)), FIGURES)
    units, both = len(meis), SideBySide(halves).eval()
    found = search.most_exciting_input(
        both, meis.shape[1:], target, starts=("grey",), settings=settings, seed=seed
    )
    best = localise.localise(both, found).best_images.reshape(2, units, *meis.shape[1:])
    grey = np.full((1, *meis.shape[1:]), target.mean, np.float32)
    own = np.arange(units)

    def share(half, images):
        answers, most = (predicted_responses(halves[half], x)[own, own] for x in (images, best[half]))
        zero = predicted_responses(halves[half], grey)[0]
        return (answers - zero) / np.maximum(most - zero, 1e-6)

    def energy(image):
        return local_energy(image, degrees_per_pixel=degrees_per_pixel).ravel()

    def alike(one, other):
        return np.array([np.corrcoef(energy(a), energy(b))[0, 1] for a, b in zip(one, other)])

    return pd.DataFrame(
        {
            "half_energy_correlation": alike(*best),
            "half_mei_correlation": np.mean([alike(meis, one) for one in best], 0),
            "half_transfer": np.mean([share(k, best[1 - k]) for k in (0, 1)], 0),
            "heard_by_halves": np.mean([share(k, meis) for k in (0, 1)], 0),
        }
    )
