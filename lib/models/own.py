"""Somebody's own ensemble of response models, from a Python file or from torch.export archives."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.errors import InputError

KIND = "own"  # what pages and files call it
ABOUT = "about.json"  # extra file of an archive: unit_ids and unseen
KEYS = ("models", "unit_ids", "unseen", "predictions", "image_ids")


@dataclass(frozen=True)
class Own:
    """An ensemble that somebody brings.

    Attributes
    ----------
    models : list of modules
        Images (n, 1, h, w) in [0, 1] -> responses (n, units), in evaluation mode.
    unit_ids : (units,) array of int
        Of the outputs, in their order.
    unseen : list of (k,) arrays of int, or None
        For each model the ids of the images that it never saw.
    predictions : (images, units) array, or None
        Held-out predictions, of the images of `image_ids`.
    image_ids : (images,) array of int, or None
    """

    models: list
    unit_ids: np.ndarray
    unseen: list | None = None
    predictions: np.ndarray | None = None
    image_ids: np.ndarray | None = None


def is_own(model: object) -> bool:
    """Tell whether a value of `cnn.model` names a model of one's own."""
    return isinstance(model, dict)


def kind_of(model: str | dict) -> str:
    """Return the kind of a value of `cnn.model`, as files and pages call it."""
    return KIND if is_own(model) else model


def files_of(model: str | dict) -> list[str]:
    """Return the files that a value of `cnn.model` names."""
    if not is_own(model):
        return []
    return model["file"] if isinstance(model["file"], list) else [model["file"]]


def load(model: dict) -> Own:
    """Load an ensemble.

    Parameters
    ----------
    model : dict
        `file`: a Python file, with `function`, which takes nothing and returns a dict with the keys
        models, unit_ids, and unseen, or predictions and image_ids (see `Own`); or a list of archives
        of torch.export (.pt2), one per model, whose extra file about.json holds unit_ids and unseen.

    Raises
    ------
    InputError
        One line: a file that fails, another content, fewer than two models.
    """
    files = files_of(model)
    name = Path(files[0]).name
    found = _from_archives(files) if files[0].endswith(".pt2") else _from_python(files[0], model)
    if unknown := sorted(set(found) - set(KEYS)):
        raise InputError(f"cnn.model: {name} gives {unknown[0]!r}; expected {', '.join(KEYS)}")
    models, ids = list(found.get("models", ())), np.asarray(found.get("unit_ids", ()))
    if len(models) < 2 or not all(isinstance(one, nn.Module) for one in models):
        raise InputError(
            f"cnn.model: {name} gives {len(models)} models; expected an ensemble of at least 2 torch "
            "modules, for some make the images and others judge them"
        )
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or len(ids) == 0 or len(set(ids.tolist())) < len(ids):
        raise InputError(f"cnn.model: {name}: unit_ids must be different whole numbers, one for each output")
    unseen, predictions = found.get("unseen"), found.get("predictions")
    if (unseen is None) == (predictions is None) or (predictions is not None and "image_ids" not in found):
        raise InputError(
            f"cnn.model: {name} must say what was held out: `unseen`, for each model the ids of the images "
            "that it never saw, or `predictions` (images, units) with `image_ids`, made without those images"
        )
    if unseen is not None and len(unseen) != len(models):
        raise InputError(f"cnn.model: {name}: unseen has {len(unseen)} lists for {len(models)} models")
    image_ids = None
    if predictions is not None:
        predictions, image_ids = np.asarray(predictions, float), np.asarray(found["image_ids"])
        if predictions.shape != (len(image_ids), len(ids)) or not np.isfinite(predictions).all():
            raise InputError(
                f"cnn.model: {name}: predictions must be finite numbers ({len(image_ids)} images, "
                f"{len(ids)} units), got shape {predictions.shape}"
            )
    unseen = None if unseen is None else [np.asarray(list(part), int) for part in unseen]
    return Own([one.eval() for one in models], ids, unseen, predictions, image_ids)


def _from_python(file, model):
    name, function = Path(file).name, model.get("function")
    if not function:
        raise InputError(f"cnn.model: {name} needs the name of a `function` that returns the ensemble")
    try:
        spec = importlib.util.spec_from_file_location(f"own_{Path(file).stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = getattr(module, function)()
    except Exception as error:  # whatever a person's own code may raise
        text = " ".join([f"{type(error).__name__}:", *str(error).splitlines()[:1]])
        raise InputError(f"cnn.model: {function}() of {name} failed: {text}") from None
    if not isinstance(found, dict):
        raise InputError(f"cnn.model: {function}() of {name} gives {type(found).__name__}; expected a dict")
    return found


def _from_archives(files):
    models, abouts = [], []
    for file in files:
        extra = {ABOUT: ""}
        try:
            models.append(Exported(torch.export.load(file, extra_files=extra).module()))
            abouts.append(json.loads(extra[ABOUT]))
        except Exception as error:  # torch.export has no error of its own
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"cnn.model: {Path(file).name}: no archive of torch.export with {ABOUT}: {text}"
            ) from None
        if set(abouts[-1]) != {"unit_ids", "unseen"} or abouts[-1]["unit_ids"] != abouts[0]["unit_ids"]:
            raise InputError(
                f"cnn.model: {Path(file).name}: {ABOUT} must hold unseen, and the same unit_ids in all"
            )
    return {"models": models, "unit_ids": abouts[0]["unit_ids"], "unseen": [a["unseen"] for a in abouts]}


class Exported(nn.Module):
    """An exported program as a module; its own refuses to be told that it is in evaluation mode."""

    def __init__(self, program):
        super().__init__()
        self._program = [program]  # in a list: no submodule

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, units)."""
        return self._program[0](images)


class Columns(nn.Module):
    """Some outputs of a model, in another order; 0 for a unit that it does not have (-1)."""

    def __init__(self, model, columns: Sequence[int]):
        super().__init__()
        self.model, self.columns = model, torch.as_tensor(np.array(columns, int))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, columns)."""
        out = self.model(images)
        return torch.where(self.columns >= 0, out[:, self.columns.clamp_min(0)], torch.zeros(()))


def load_members(folder: Path | str, units: Sequence[int] | None = None) -> list[nn.Module]:
    """Return the models of a run's own ensemble, their outputs in the order of the session's units.

    `folder` is models/own of a run, with own.json; `units` are positions of units of the session, all by
    default.
    """
    about = json.loads((Path(folder) / "own.json").read_text())
    own = load(about["model"])
    wanted = about["unit_ids"] if units is None else [about["unit_ids"][u] for u in units]
    where = {unit: k for k, unit in enumerate(own.unit_ids.tolist())}
    return [
        Columns(one, [where.get(unit, -1) for unit in wanted]).eval().to(torch.get_default_device())
        for one in own.models
    ]


def held_out(own: Own, images: np.ndarray, image_ids: np.ndarray, unit_ids: np.ndarray) -> np.ndarray:
    """Held-out predictions of the session's images, (images, units) of the session.

    Of each image the mean over the models that never saw it, or what was given; NaN for images that all
    models saw, and for units that the ensemble does not have.
    """
    columns = {unit: k for k, unit in enumerate(own.unit_ids.tolist())}
    mine = np.full((len(images), len(own.unit_ids)), np.nan)
    if own.predictions is not None:
        rows = {image: k for k, image in enumerate(own.image_ids.tolist())}
        for k, image in enumerate(image_ids.tolist()):
            if image in rows:
                mine[k] = own.predictions[rows[image]]
    else:
        total, number = np.zeros_like(mine), np.zeros((len(images), 1))
        for model, unseen in zip(own.models, own.unseen):
            new = np.isin(image_ids, unseen)
            if new.any():
                with torch.no_grad():
                    parts = torch.as_tensor(images[new], dtype=torch.float32)[:, None].split(64)
                    total[new] += torch.cat([model(part) for part in parts]).numpy(force=True)
                number[new] += 1
        np.divide(total, number, out=mine, where=number > 0)
    found = np.full((len(images), len(unit_ids)), np.nan)
    for k, unit in enumerate(unit_ids.tolist()):
        if unit in columns:
            found[:, k] = mine[:, columns[unit]]
    return found
