"""Judge stimuli by the true receptive field, on a simulated session. Nothing here is analysed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.simulated_neurons import TrueUnits
from lib.mei import search
from lib.mei.ascent import AscentSettings
from lib.models.ensemble import predicted_responses
from lib.stimuli import metrics
from lib.stimuli.contrast import Target
from lib.stimuli.patterns import orientation_difference


def load_truth(run_folder: Path | str, unit_id: int) -> TrueUnits | None:
    """Return the `TrueUnits` of one unit, or None where the session is a recording."""
    path = Path(run_folder) / "truth.h5"
    return TrueUnits.load(path).subset([unit_id]) if path.exists() else None


def true_responses(truth: TrueUnits, images: np.ndarray) -> np.ndarray:
    """Return the expected counts (n,) of one true unit to images (n, h, w)."""
    return predicted_responses(truth, images)[:, 0]


def best_image(
    truth: TrueUnits, shape: tuple[int, int], target: Target, *, seed: int = 0
) -> tuple[np.ndarray | None, float]:
    """Return the image (h, w) of a mean and contrast that truly excites one unit most, and its response.

    The known optimum pattern and ascents on the true unit compete; the largest response wins. The image is
    None if the unit does not depend on the image.
    """
    grey = np.full((1, *shape), target.mean, np.float32)
    if not np.isfinite(truth.table.spatial_frequency.iloc[0]):
        return None, float(true_responses(truth, grey)[0])
    known = truth.optimal_image(truth.table.index[0], shape, target)
    found = search.most_exciting_input(
        truth.eval(), shape, target, settings=AscentSettings(steps=100), starts=(known, "noise"), seed=seed
    )
    candidates = np.stack([known, found.best_images[0]])
    responses = true_responses(truth, candidates)
    return candidates[responses.argmax()], float(responses.max())


def reference_responses(
    truth: TrueUnits, shape: tuple[int, int], target: Target
) -> tuple[np.ndarray, np.ndarray]:
    """Return the responses (units,) of true units to grey and to their best images of a mean and contrast.

    As `best_image`, for all units at once, which depend on the image, and from the known optimum alone.
    """
    known = np.stack([truth.optimal_image(u, shape, target) for u in truth.table.index])
    climbed = search.most_exciting_input(
        truth.eval(), shape, target, starts=(known,), settings=AscentSettings(steps=50)
    )
    grey = np.full((1, *shape), target.mean, np.float32)
    return predicted_responses(truth, grey)[0], climbed.best_responses


def tuning_errors(
    truth: TrueUnits, *, x: float, y: float, orientation: float, spatial_frequency: float
) -> dict:
    """Return how far a stimulus (degrees, cycles per degree) lies from the true optimum of one unit.

    As `position_error_deg`, `orientation_error_deg` and `frequency_error_octaves`; NaN where the true unit
    prefers none.
    """
    true = truth.table.iloc[0]
    return {
        "position_error_deg": float(np.hypot(x - true.x, y - true.y)),
        "orientation_error_deg": float(orientation_difference(orientation, true.orientation)),
        "frequency_error_octaves": float(abs(np.log2(spatial_frequency / true.spatial_frequency))),
    }


def judge_mei(
    truth: TrueUnits,
    stimuli: dict[str, np.ndarray],
    target: Target,
    *,
    mask: np.ndarray,
    degrees_per_pixel: float,
    seed: int = 0,
) -> tuple[np.ndarray | None, dict]:
    """Close the loop: the responses of one true unit to stimuli, and how far its MEI is off.

    Parameters
    ----------
    stimuli : dict of str to (h, w) array
        The MEI, called whole_mei, and others.
    target : Target
        Mean and contrast of the MEI, at which the optimum is looked for.
    mask : (h, w) array in [0, 1]
        Of the MEI, where its position, orientation and frequency are measured.

    Returns
    -------
    optimum : (h, w) array, or None if the unit does not depend on the image
    scalars : dict
        truth_kind; <name>_true_response of every stimulus, of grey and of the optimum; mei_share, the
        rise of the true response from grey to the MEI over that to the optimum (NaN without any);
        mei_truth_correlation; the errors of `tuning_errors` after ``whole_mei_``.
    """
    shape = np.shape(stimuli["whole_mei"])
    optimum, reached = best_image(truth, shape, target, seed=seed)
    shown = stimuli | {"grey": np.full(shape, target.mean, np.float32)}
    answers = true_responses(truth, np.stack(list(shown.values())))
    own = metrics.stimulus_metrics(stimuli["whole_mei"], mask=mask, degrees_per_pixel=degrees_per_pixel)
    scalars = {"truth_kind": truth.table.truth_kind.iloc[0], "optimum_true_response": reached}
    scalars |= {f"{name}_true_response": float(r) for name, r in zip(shown, answers)}
    grey, mine = scalars["grey_true_response"], scalars["whole_mei_true_response"]
    scalars["mei_share"] = (mine - grey) / (reached - grey) if optimum is not None else np.nan
    scalars["mei_truth_correlation"] = truth.truth_correlation(
        stimuli["whole_mei"], truth.table.index[0], degrees_per_pixel=degrees_per_pixel
    )
    errors = tuning_errors(truth, **{k: own[k] for k in ("x", "y", "orientation", "spatial_frequency")})
    return optimum, scalars | {f"whole_mei_{name}": value for name, value in errors.items()}


def judge_gabor(
    truth: TrueUnits, stimuli: dict[str, np.ndarray], gabor: pd.Series, *, field: pd.Series | None = None
) -> dict:
    """The responses of one true unit to compared stimuli, and how far its best Gabor and its map are off.

    Parameters
    ----------
    stimuli : dict of str to (h, w) array
    gabor : Series
        The best Gabor's x, y, orientation (degrees) and spatial_frequency (cycles per degree).
    field : Series, optional
        x, y of the centre of the recorded map, degrees.

    Returns
    -------
    dict
        <name>_true_response of every stimulus; the errors of `tuning_errors` after ``gabor_``;
        map_error_deg if `field` is given.
    """
    answers = true_responses(truth, np.stack(list(stimuli.values())))
    scalars = {f"{name}_true_response": float(r) for name, r in zip(stimuli, answers)}
    errors = tuning_errors(truth, **gabor[["x", "y", "orientation", "spatial_frequency"]])
    scalars |= {f"gabor_{name}": value for name, value in errors.items()}
    if field is not None:
        true = truth.table.iloc[0]
        scalars["map_error_deg"] = float(np.hypot(field.x - true.x, field.y - true.y))
    return scalars
