"""Judge stimuli by the true receptive field, on a simulated session. Nothing here is analysed."""

from pathlib import Path

import numpy as np

from lib import ensemble, mei
from lib.truth import TrueUnits


def load_truth(run_folder, unit_id):
    """Return the `TrueUnits` of one unit, or None where the session is a recording."""
    path = Path(run_folder) / "truth.h5"
    return TrueUnits.load(path).subset([unit_id]) if path.exists() else None


def true_responses(truth, images):
    """Return the expected counts (n,) of one true unit to images (n, h, w)."""
    return ensemble.responses(truth, images)


def optimum(truth, shape, *, mean, contrast, seed=0):
    """Return the image of a mean and RMS contrast that truly excites a unit most, and its response.

    The known optimum pattern and ascents on the true unit compete; the largest response wins.

    Parameters
    ----------
    truth : TrueUnits
        Of one unit.
    shape : (int, int)
        Height and width in pixels.
    mean, contrast : float
        Of the image.

    Returns
    -------
    image : (h, w) array, or None if the unit does not depend on the image
    response : float
    """
    grey = np.full((1, *shape), mean, np.float32)
    if not np.isfinite(truth.table.spatial_frequency.iloc[0]):
        return None, float(true_responses(truth, grey)[0])
    known = truth.optimal_image(truth.table.index[0], shape, mean=mean, contrast=contrast)
    found = mei.most_exciting_input(truth.eval(), shape, mean=mean, contrast=contrast, steps=100,
                                    starts=(known, "noise"), seed=seed)
    candidates = np.stack([known, found.best_images[0]])
    responses = true_responses(truth, candidates)
    return candidates[responses.argmax()], float(responses.max())


def reference_responses(truth, shape, *, mean, contrast):
    """Return what true units answer to grey and to their best images of a mean and contrast.

    As `optimum`, for all units at once and from the known optimum alone.

    Parameters
    ----------
    truth : TrueUnits
        Of units that depend on the image.
    shape : (int, int)
    mean, contrast : float

    Returns
    -------
    grey, optimum : (units,) arrays
    """
    target = {"mean": mean, "contrast": contrast}
    known = np.stack([truth.optimal_image(u, shape, **target) for u in truth.table.index])
    climbed = mei.most_exciting_input(truth.eval(), shape, starts=(known,), steps=50, **target)
    grey = np.full((1, *shape), mean, np.float32)
    return mei.predicted_responses(truth, grey)[0], climbed.best_responses


def orientation_difference(first, second):
    """Return the angle between two orientations in degrees, 0 to 90."""
    return abs((first - second + 90) % 180 - 90)


def tuning_errors(truth, *, x, y, orientation, spatial_frequency):
    """Return how far a stimulus lies from the true optimum.

    Parameters
    ----------
    truth : TrueUnits
        Of one unit.
    x, y, orientation : float
        Of the stimulus, degrees.
    spatial_frequency : float
        Cycles per degree.

    Returns
    -------
    dict
        `position_error_deg`, `orientation_error_deg`, `frequency_error_octaves`; NaN where the
        true unit prefers none.
    """
    true = truth.table.iloc[0]
    return {
        "position_error_deg": float(np.hypot(x - true.x, y - true.y)),
        "orientation_error_deg": float(orientation_difference(orientation, true.orientation)),
        "frequency_error_octaves": float(abs(np.log2(spatial_frequency / true.spatial_frequency))),
    }
