"""Judge stimuli by the true receptive field, on a simulated session. Nothing here is analysed."""

from pathlib import Path

import numpy as np

from lib import ensemble, mei, metrics
from lib.truth import TrueUnits


SHOWN = {"optimum": "true optimum", "mei": "MEI", "ascent": "end of ascent", "masked_mei": "masked MEI",
         "image": "best image", "published": "published", "grey": "grey",
         "inhibiting": "most inhibiting"}


def load_truth(run_folder, unit_id):
    """Return the `TrueUnits` of one unit, or None where the session is a recording."""
    path = Path(run_folder) / "truth.h5"
    return TrueUnits.load(path).subset([unit_id]) if path.exists() else None


def true_responses(truth, images):
    """Return the expected counts (n,) of one true unit to images (n, h, w)."""
    return ensemble.responses(truth, images)


def best_image(truth, shape, *, mean, contrast, seed=0):
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

    As `best_image`, for all units at once and from the known optimum alone.

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


def judge_mei(truth, stimuli, *, mean, contrast, mask, degrees_per_pixel, seed=0):
    """Close the loop: what one true unit answers to stimuli, and how far its MEI is off.

    Parameters
    ----------
    truth : TrueUnits
        Of one unit.
    stimuli : dict of str to (h, w) array
        The MEI, called mei, and others.
    mean, contrast : float
        Of the MEI, at which the optimum is looked for.
    mask : (h, w) array in [0, 1]
        Of the MEI, where its position, orientation and frequency are measured.
    degrees_per_pixel : float

    Returns
    -------
    optimum : (h, w) array, or None if the unit does not depend on the image
    scalars : dict
        truth_kind; <name>_true_response of every stimulus, of grey and of the optimum;
        mei_truth_correlation; the errors of `tuning_errors`.
    """
    shape = np.shape(stimuli["mei"])
    optimum, reached = best_image(truth, shape, mean=mean, contrast=contrast, seed=seed)
    shown = stimuli | {"grey": np.full(shape, mean, np.float32)}
    answers = true_responses(truth, np.stack(list(shown.values())))
    own = metrics.stimulus_metrics(stimuli["mei"], mask=mask, degrees_per_pixel=degrees_per_pixel)
    scalars = {"truth_kind": truth.table.truth_kind.iloc[0], "optimum_true_response": reached}
    scalars |= {f"{name}_true_response": float(r) for name, r in zip(shown, answers)}
    scalars["mei_truth_correlation"] = truth.truth_correlation(
        stimuli["mei"], truth.table.index[0], degrees_per_pixel=degrees_per_pixel)
    return optimum, scalars | tuning_errors(
        truth, **{k: own[k] for k in ("x", "y", "orientation", "spatial_frequency")})


def shown_responses(scalars):
    """Return names and true responses of the stimuli of `judge_mei` as a page shows them, best first."""
    return [*SHOWN.values()], [scalars[f"{name}_true_response"] for name in SHOWN]


def sentence(scalars):
    """Say in plain words what `judge_mei` found, and that a recorded neuron ({}) has no known truth.

    Errors the unit does not define are left out.
    """
    if not scalars:
        return "*This is a recorded neuron: only an experiment can tell.*"
    mine, reached = scalars["mei_true_response"], scalars["optimum_true_response"]
    text = (f"This simulated neuron is of kind *{scalars['truth_kind']}*. It really answers {mine:.2f} "
            f"spikes to the whole MEI, {scalars['image_true_response']:.2f} to the best natural image in the "
            f"mask and {scalars['grey_true_response']:.2f} to grey")
    if not np.isfinite(scalars["mei_truth_correlation"]):
        return text + ": no image matters to it."
    errors = [f"{scalars[f'{name}_error_{unit}']:.2f} {word} in {said}" for name, unit, word, said in (
        ("position", "deg", "degrees", "position"), ("orientation", "deg", "degrees", "orientation"),
        ("frequency", "octaves", "octaves", "spatial frequency"))
        if np.isfinite(scalars[f"{name}_error_{unit}"])]
    return (f"{text}. The MEI draws {100 * mine / reached:.0f} % of the {reached:.2f} spikes to the true "
            f"optimum of that mean and contrast; the two correlate "
            f"{scalars['mei_truth_correlation']:.3f}, and the MEI is off by {', '.join(errors)}.")


def judge_gabor(truth, stimuli, gabor, *, field=None):
    """What one true unit answers to compared stimuli, and how far its best Gabor and its map are off.

    Parameters
    ----------
    truth : TrueUnits
        Of one unit.
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
    scalars |= {f"gabor_{name}": value for name, value in tuning_errors(
        truth, **gabor[["x", "y", "orientation", "spatial_frequency"]]).items()}
    if field is not None:
        true = truth.table.iloc[0]
        scalars["map_error_deg"] = float(np.hypot(field.x - true.x, field.y - true.y))
    return scalars


def gabor_sentence(scalars, *, predicted, optimum):
    """Say what `judge_gabor` found beside the optimum and the predicted responses.

    Parameters
    ----------
    scalars : dict
        Of `judge_gabor`.
    predicted : dict
        Predicted responses to mei (masked) and gabor, spikes.
    optimum : float
        True response to the optimum, spikes.
    """
    mine, gabor, image = (scalars[f"{name}_true_response"] for name in ("mei", "gabor", "image"))

    def answer(response):
        return f"{response:.2f} ({100 * response / optimum:.0f} %)"

    return (f"In truth this simulated neuron answers {answer(mine)} spikes to the MEI under its mask, "
            f"{answer(gabor)} to the best Gabor and {answer(image)} to the natural image, in brackets "
            f"as parts of the {optimum:.2f} to its optimum: the gain of the masked MEI over the Gabor "
            f"is predicted as {predicted['mei'] / predicted['gabor']:.2f} and is "
            f"{mine / max(gabor, 1e-6):.2f}.")
