"""The stimuli of each unit for the next experiment, with what its models predict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.session import Session
from lib.errors import InputError
from lib.experiment.screen import place
from lib.mei.verdict import VERDICTS
from lib.models import ensemble
from lib.models.ensemble import predicted_responses
from lib.population.table import stimuli_of
from lib.stages import load_result
from lib.statistics import jackknife_comparison
from lib.stimuli.contrast import Target, set_mean_contrast

KINDS = {  # of a unit's own stimuli
    "mei": "masked MEI",
    "mei_whole": "whole MEI",
    "gabor": "best Gabor",
    "fitted_gabor": "Gabor fitted to the MEI",
    "image": "best natural image, masked",
    "image_whole": "best natural image, whole",
    "linear_rf": "linear receptive field",
    "least": "least exciting image",
    "diverse_1": "first other exciting image",
    "diverse_2": "second other exciting image",
    "diverse_3": "third other exciting image",
    "other_1": "MEI of another unit, in this one's place",
    "other_2": "MEI of a second unit, in this one's place",
    "other_3": "MEI of a third unit, in this one's place",
}
OTHERS = ("other_1", "other_2", "other_3")
REFERENCES = 12  # natural scenes that were recorded before: they tell drift, and which unit is which


def choose_units(
    table: pd.DataFrame, units: int | str | list[int] | dict, failed: Sequence[int] = ()
) -> list[int]:
    """Return the ids of the units whose stimuli are shown, best first.

    Parameters
    ----------
    table : DataFrame
        units.csv, index unit_id.
    units : int, str, list of int or dict
        N or {best: N} (best verdict first, then highest oracle correlation), selected, a verdict, or ids.
    failed : sequence of int
        Units without stimuli.

    Raises
    ------
    InputError
        No unit, or one that has no MEI.
    """
    able = table[table.selected & table.verdict.notna() & ~table.index.isin(list(failed))]
    able = able.assign(rank=able.verdict.map({word: k for k, word in enumerate(VERDICTS)}))
    able = able.sort_values(["rank", "oracle_correlation"], ascending=[True, False])
    if isinstance(units, list):
        for unit in units:
            if unit not in able.index:
                raise InputError(
                    f"stimuli.units: unit {unit} has no MEI in this run; name it in `units` as well"
                )
        return list(units)
    if isinstance(units, (int, dict)):
        chosen = able.index[: units if isinstance(units, int) else units["best"]]
    else:
        chosen = able.index if units == "selected" else able.index[able.verdict == units]
    if len(chosen) == 0:
        raise InputError(f"stimuli.units is {units}, which leaves none of {len(able)} units with an MEI")
    return [int(unit) for unit in chosen]


def unit_stimuli(run_folder: Path, unit: int, session: Session) -> dict:
    """Return what one unit's stages left.

    `images`: {kind: (h, w) array}, without the controls; `mask`, `target`, `judges` (list of modules),
    `folds` (number of models), `verdict`.
    """
    folder = Path(run_folder) / "units" / str(unit)
    found, arrays = load_result(folder, "mei")
    fitted, _ = load_result(folder, "cnn")
    compared = stimuli_of(folder)
    members = ensemble.load_members(run_folder, fitted["model"], column=session.unit_index(unit))
    makers, judges = ensemble.split_members(members)
    target = Target(found["mean"], found["contrast"])
    natural = set_mean_contrast(session.images, target, flat=True)
    whole = natural[predicted_responses(makers, natural)[:, 0].argmax()]
    images = compared | {"mei_whole": arrays["mei"], "image_whole": whole, "least": arrays["inhibiting"]}
    images |= {f"diverse_{k + 1}": image for k, image in enumerate(arrays["others"][1:])}
    return {
        "images": {kind: images[kind] for kind in KINDS if kind in images},
        "mask": arrays["mask"],
        "target": target,
        "judges": judges,
        "folds": len(members),
        "verdict": found["verdict"],
    }


def controls(unit: int, everything: dict[int, dict]) -> dict[str, tuple[np.ndarray, int]]:
    """Other units' MEIs in a unit's place: moved there, under its mask, at its mean and contrast.

    Those of the units whose masks are most alike in size. `everything` holds the results of `unit_stimuli`;
    returns {kind: (image, id of the other unit)}.
    """
    own = everything[unit]
    area = {u: float((e["mask"] > 0.5).sum()) for u, e in everything.items()}
    others = sorted((u for u in everything if u != unit), key=lambda u: abs(np.log(area[u] / area[unit])))
    middle = _middle(own["mask"])
    moved = {}
    for other in others:
        image, mask = everything[other]["images"]["mei_whole"], everything[other]["mask"]
        shift = np.round(middle - _middle(mask)).astype(int)
        pattern = _shifted(mask * (image - image.mean()), shift)
        if np.ptp(pattern * own["mask"]) > 1e-6:
            moved[other] = set_mean_contrast(pattern, own["target"].within(own["mask"]))
        if len(moved) == len(OTHERS):
            break
    return {kind: (image, other) for kind, (other, image) in zip(OTHERS, moved.items())}


def _middle(mask):
    return np.array([(i * mask).sum() / mask.sum() for i in np.indices(mask.shape)])


def _shifted(image, shift):
    """The image moved by (rows, columns), 0 where nothing comes in."""
    moved = np.zeros_like(image)
    to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, image.shape))
    of = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(shift, image.shape))
    moved[to] = image[of]
    return moved


def tabulate(everything: dict[int, dict], session: Session) -> tuple[pd.DataFrame, np.ndarray]:
    """Every stimulus of the next experiment, from the results of `unit_stimuli` of each unit.

    Returns
    -------
    table : DataFrame
        A row per stimulus: file, unit_id (of its unit, 0 for none), kind, source (id of the other unit
        or of the scene), mean, contrast, x, y, radius (degrees, `lib.experiment.screen.place`),
        predicted with predicted_low and predicted_high (jackknife over the models that did not make
        it; NaN for scenes), predicted_grey (the same for a grey screen), verdict.
    images : (n, h, w) float32 array
        In [0, 1], at the resolution of the analysis.
    """
    units, degrees, rows, images = list(everything), session.degrees_per_pixel, [], []
    for unit, own in everything.items():
        shown = {kind: (image, 0) for kind, image in own["images"].items()} | controls(unit, everything)
        pixels = np.stack([image for image, _ in shown.values()])
        grey = np.full((1, *pixels.shape[1:]), own["target"].mean, np.float32)
        *answers, at_grey = np.stack(
            [predicted_responses(judge, np.concatenate([pixels, grey]))[:, 0] for judge in own["judges"]], 1
        )
        for k, (kind, (_, source)) in enumerate(shown.items()):
            said = jackknife_comparison(answers[k], np.zeros(len(at_grey)), folds=own["folds"])
            rows.append(
                _row(f"{unit}_{kind}", unit, kind, source, pixels[k], degrees)
                | {
                    "predicted": said["mean_difference"],
                    "predicted_low": said["low"],
                    "predicted_high": said["high"],
                    "predicted_grey": at_grey.mean(),
                    "verdict": own["verdict"],
                }
            )
        images.append(pixels)
    scenes = reference_scenes(session, units)
    for scene in scenes:
        image_id = int(session.image_ids[scene])
        rows.append(_row(f"scene_{image_id}", 0, "reference", image_id, session.images[scene], degrees))
    blank = np.full((1, *session.images.shape[1:]), session.mean_luminance, np.float32)
    rows.append(_row("blank", 0, "blank", 0, blank[0], degrees))
    table = pd.DataFrame(rows)
    return table, np.concatenate([*images, session.images[scenes], blank]).astype(np.float32)


def _row(name, unit, kind, source, image, degrees):
    x, y, radius = place(image, degrees_per_pixel=degrees, grey=float(image.mean()))
    return {
        "file": f"{name}.png",
        "unit_id": unit,
        "kind": kind,
        "source": source,
        "mean": float(image.mean()),
        "contrast": float(image.std()),
        "x": x,
        "y": y,
        "radius": radius,
    }


def reference_scenes(session: Session, units: list[int]) -> np.ndarray:
    """Return the rows of the scenes that are shown again: for each unit in turn the scene it likes best."""
    means = np.nanmean(session.counts, axis=0)[:, [session.unit_index(unit) for unit in units]]
    ranked = np.argsort(-(means - means.mean(0)), axis=0).ravel()  # best of every unit, then the second
    return np.sort(np.array(list(dict.fromkeys(ranked.tolist()))[:REFERENCES]))


def failed_units(run_folder: Path) -> list[int]:
    """Return the units whose stages failed, as 08_population says."""
    content = json.loads((Path(run_folder) / "population.json").read_text())
    return [int(unit) for unit in content["scalars"]["failed"]]
