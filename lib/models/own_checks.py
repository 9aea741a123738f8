"""Checks of somebody's own ensemble, before any work is done on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.errors import InputError
from lib.models import own
from lib.models.ensemble import check_model, predicted_responses
from lib.stimuli.contrast import Target

FEWEST = 10  # images with a held-out prediction: on fewer a correlation says nothing
# aspect ratio of the images, where it is known before they are read
SHAPES = {"simulated": (115, 147), "allen": (918, 1174)}


def check_declared(params: dict, units: Sequence[int] | None = None) -> None:
    """Raise `InputError` for what can be known of `cnn.model` before the images are read.

    `params` is of `lib.params.load_params`; `units`, if known, are the ids of the units of the recording.
    """
    model = params["cnn"]["model"]
    if not own.is_own(model):
        return
    given = own.load(model)
    if params["source"] in SHAPES:
        h, w = SHAPES[params["source"]]
        height = params["data"]["image_height"]
        check_outputs(given, (height, round(w * height / h)), _name(model))
    named = params["units"] if isinstance(params["units"], list) else []
    check_units(given, named, units, _name(model))


def check_units(given: own.Own, selected: Sequence[int], session: Sequence[int] | None, name: str) -> None:
    """Raise `InputError` if the ensemble lacks a selected unit, or has none of the session's."""
    for unit in selected:
        if unit not in given.unit_ids:
            raise InputError(
                f"cnn.model: {name} has no output for unit {unit}, which is selected; name in `units` "
                "those that it has"
            )
    if session is not None and not set(given.unit_ids.tolist()) & set(map(int, session)):
        raise InputError(
            f"cnn.model: none of the {len(given.unit_ids)} unit_ids of {name} is a unit of the recording, "
            f"such as {next(iter(session))}"
        )


def check_outputs(
    given: own.Own, shape: tuple[int, int], name: str, images: np.ndarray | None = None
) -> None:
    """Raise `InputError` if a model cannot be optimised over images of a shape (h, w).

    `name` is that of its file; it is tried on `images` (n, h, w) of the session, or on noise.
    """
    if images is None:
        images = np.random.default_rng(0).uniform(size=(8, *shape)).astype(np.float32)
    for k, model in enumerate(given.models):
        try:
            count = check_model(model, shape, Target(0.5, 0.1))
        except ValueError as error:
            raise InputError(f"cnn.model: model {k + 1} of {name}: {error}") from None
        if count != len(given.unit_ids):
            raise InputError(
                f"cnn.model: model {k + 1} of {name} gives {count} responses for {len(given.unit_ids)} "
                "unit_ids"
            )
        answers = predicted_responses(model, images[:16])
        if not np.isfinite(answers).all() or answers.min() < 0:
            raise InputError(
                f"cnn.model: model {k + 1} of {name} predicts {answers.min():.3g} for an image in [0, 1]; "
                "expected counts, finite and never negative: undo its normalisation, or end it with ELU + 1"
            )
        if np.allclose(answers, answers[:1]):
            raise InputError(
                f"cnn.model: model {k + 1} of {name} answers the same to every image; does it expect other "
                "than [0, 1]?"
            )


def check_ensemble(given: own.Own, session, selected: Sequence[int], name: str) -> np.ndarray:
    """Return held-out predictions (images, units) of a session; `InputError` for what does not fit."""
    check_outputs(given, session.images.shape[1:], name, session.images)
    check_units(given, selected, session.unit_ids, name)
    predictions = own.held_out(given, session.images, session.image_ids, session.unit_ids)
    held = int(np.isfinite(predictions).any(axis=1).sum())
    if held < FEWEST:
        raise InputError(
            f"cnn.model: {name} leaves {held} of {len(session.images)} images with a held-out prediction, "
            f"{FEWEST} at least are needed; its image ids are those of the session"
        )
    return predictions


def _name(model):
    return Path(own.files_of(model)[0]).name
