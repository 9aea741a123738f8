"""Fit the response models of a run: all units at once, every image predicted out of fold."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.data.session import load_session
from lib.files import ROOT, file_hash, required, write_atomically, write_json
from lib.machine import cores
from lib.models import crossvalidation, lift, many_images, own, own_checks
from lib.models.ensemble import HALVES
from lib.models.training_sets import training_sets

CODE = (
    "models/crossvalidation",
    "models/lift",
    "models/many_images",
    "models/network",
    "models/training_sets",
    "models/v1",
    "models/cores",
    "data/conditions",
    "stimuli/patterns",
)  # of lib: what a fit that was saved hangs on


@dataclasses.dataclass(frozen=True)
class Fits:
    """The response models of a run.

    Attributes
    ----------
    model : str
        The kind MEIs are made on.
    stimuli : list of str
        What it learned from.
    scores : DataFrame
        A row per unit and kind: unit_id, model, `lib.models.crossvalidation.prediction_scores`, and
        permutation_p.
    predictions : dict of dict
        {kind: {unit_id: (images,) predicted counts}}, every image by the fold that left it out.
    """

    model: str
    stimuli: list
    scores: pd.DataFrame
    predictions: dict

    def of_unit(self, unit_id: int) -> pd.DataFrame:
        """Return the scores of one unit, a row per kind of model (index)."""
        return self.scores[self.scores.unit_id == unit_id].set_index("model")


def load_fits(run_folder: Path | str) -> Fits:
    """Read what `fit_models` left; `InputError` with the command if the models were not fitted."""
    folder = required(Path(run_folder) / "models" / "scores.json", "04_cnn").parent
    about = json.loads((folder / "scores.json").read_text())
    predictions = {}
    for kind, key in about["models"].items():
        with np.load(folder / kind / "predictions.npz") as file:
            predictions[kind] = dict(zip(key["unit_ids"], file["predictions"].T))
    return Fits(
        about["model"],
        about["models"][about["model"]].get("stimuli", []),
        pd.read_csv(folder / "scores.csv"),
        predictions,
    )


def fit_models(
    run_folder: Path | str,
    *,
    session_hash: str,
    model: str | dict,
    baselines: list[str],
    stimuli: list[str],
    folds: int,
    published_units: int,
    permutations: int,
    seed: int,
    progress: bool = True,
) -> Fits:
    """Cross-validate the chosen model and the baselines; what is saved is loaded, not fitted again.

    Parameters
    ----------
    run_folder : Path
        `build/<name>` with session.h5 and oracle.csv; models/<kind>/ is written there.
    session_hash : str
        Of session.h5: fits are of it.
    model : str or dict
        The kind MEIs are made on, fitted to all units; or somebody's own (`lib.models.own`).
    baselines : list of str
        Other kinds, fitted to all units on the same folds, and to natural scenes alone.
    stimuli : list of str
        What `model` learns from, if it is v1 (`lib.models.training_sets.training_sets`).
    folds, seed : int
        Of the cross-validation over images.
    published_units : int
        The published network is fitted to this many units, those of the highest oracle correlation.
    permutations : int
        Of the images, for the null distribution of the correlation.
    """
    run_folder = Path(run_folder)
    session = load_session(run_folder)
    given, model = model, own.kind_of(model)
    kinds = _units_by_kind(run_folder, session, model, baselines, published_units)
    code = {name: file_hash(ROOT / "lib" / f"{name}.py") for name in CODE}
    keys = {
        kind: {
            "kind": kind,
            "folds": folds,
            "seed": seed,
            "session": session_hash,
            "code": code,
            "unit_ids": [int(unit) for unit in unit_ids],
        }
        for kind, unit_ids in kinds
    }
    if model == own.KIND:
        keys[model] |= {"given": given, "files": [file_hash(file) for file in own.files_of(given)]}
    else:
        keys[model]["stimuli"] = sorted({"natural_scenes", *stimuli})
        if model == "v1":
            keys[model]["halves"] = HALVES
    whole = {"model": model, "models": keys, "permutations": permutations}
    about = run_folder / "models" / "scores.json"
    if about.exists() and about.with_suffix(".csv").exists() and json.loads(about.read_text()) == whole:
        return load_fits(run_folder)
    tables = []
    for kind, unit_ids in kinds:
        counts = session.counts[:, :, [session.unit_index(unit) for unit in unit_ids]]
        key, folder = keys[kind], run_folder / "models" / kind
        if kind == own.KIND:
            predictions = _own_predictions(run_folder, session, given, key)
            tables.append(_scores(predictions, counts, kind, unit_ids, permutations, seed))
            continue
        result = _saved(folder, key)
        if result is None:
            more = training_sets(session, key.get("stimuli", [])).values()
            result = crossvalidation.cross_validate(
                session.images,
                counts,
                model=kind,
                folds=folds,
                seed=seed,
                more=more,
                degrees_per_pixel=session.degrees_per_pixel,
                workers=cores(),
                progress=progress,
                folder=folder,
            )
            crossvalidation.save_ensemble(folder, result, members=False)
            if "halves" in key:
                _fit_halves(folder, session, counts, seed)
            write_json(folder / "key.json", key)
        tables.append(_scores(result.predictions, counts, kind, unit_ids, permutations, seed))
        if "halves" in key:
            tables[-1]["top_lift"] = np.load(folder / HALVES / "top_lift.npy")
    scores = pd.concat(tables, ignore_index=True)
    if "top_lift" not in scores:  # which is v1's alone
        scores["top_lift"] = np.nan
    write_atomically(run_folder / "models" / "scores.csv", lambda path: scores.to_csv(path, index=False))
    write_json(about, whole)
    return load_fits(run_folder)


def _fit_halves(folder, session, counts, seed):
    """Fit each half of the scenes alone, for `lib.mei.halves`, and write `lib.models.lift.top_lift`."""
    halves = crossvalidation.cross_validate(
        session.images,
        counts,
        folds=2,
        seed=seed + 100,
        degrees_per_pixel=session.degrees_per_pixel,
        folder=folder / HALVES,
    )
    crossvalidation.save_ensemble(folder / HALVES, halves, members=False)
    found = np.full(counts.shape[2], np.nan)
    if len(session.images) <= many_images.EXACT:
        core = halves.models[0].core
        features = many_images.features_of(core, torch.as_tensor(session.images)[:, None])
        found = lift.top_lift(features, np.nanmean(counts, axis=0), core)
    np.save(folder / HALVES / "top_lift.npy", found)


def _scores(predictions, counts, kind, unit_ids, permutations, seed):
    """A row per unit that is predicted; images without a held-out prediction do not count."""
    units = np.isfinite(predictions).any(axis=0)
    held = np.isfinite(predictions[:, units]).all(axis=1)
    predictions, counts = predictions[held][:, units], counts[:, held][:, :, units]
    scores = crossvalidation.prediction_scores(predictions, counts, seed=seed)
    scores["permutation_p"] = crossvalidation.permutation_null(
        predictions, counts, permutations=permutations, seed=seed
    )
    scores.insert(0, "model", kind)
    scores.insert(0, "unit_id", np.asarray(unit_ids)[units])
    return scores


def _own_predictions(run_folder, session, given, key):
    """Check somebody's own ensemble, note where it is, and return its held-out predictions."""
    oracle = pd.read_csv(required(run_folder / "oracle.csv", "03_oracle"), index_col="unit_id")
    ensemble, name = own.load(given), Path(own.files_of(given)[0]).name
    predictions = own_checks.check_ensemble(ensemble, session, oracle.index[oracle.selected].tolist(), name)
    folder = run_folder / "models" / own.KIND
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "own.json", {"model": given, "unit_ids": session.unit_ids.tolist()})
    write_atomically(
        folder / "predictions.npz",
        lambda path: np.savez(path, predictions=predictions, fold=np.full(len(predictions), -1)),
    )
    write_json(folder / "key.json", key)
    return predictions


def learning_curves(run_folder: Path | str, unit_id: int) -> dict[str, np.ndarray]:
    """Return the learning curves of the published network of a unit, mean over folds, or None.

    Returns
    -------
    dict of ndarray
        epoch, train_loss, validation_loss, train_correlation, validation_correlation; folds that
        stopped early are left out of the mean after their last epoch.
    """
    folder = Path(run_folder) / "models" / "published"
    if not (folder / "key.json").exists():
        return None
    units = json.loads((folder / "key.json").read_text())["unit_ids"]
    if unit_id not in units:
        return None
    about = json.loads((folder / "ensemble.json").read_text())
    histories = [history["units"][units.index(unit_id)] for history in about["histories"]]
    longest = max(len(h["epoch"]) for h in histories)
    return {
        name: np.nanmean(
            [
                np.pad(np.asarray(h[name], float), (0, longest - len(h[name])), constant_values=np.nan)
                for h in histories
            ],
            axis=0,
        )
        for name in histories[0]
    }


def _units_by_kind(run_folder, session, model, baselines, published_units):
    kinds = [(kind, session.unit_ids) for kind in dict.fromkeys([model, *baselines])]
    if published_units and "published" not in dict(kinds):
        oracle = pd.read_csv(required(run_folder / "oracle.csv", "03_oracle"), index_col="unit_id").oracle
        kinds.append(("published", oracle.nlargest(published_units).index.to_numpy()))
    return kinds


def _saved(folder, key):
    path = folder / "key.json"
    if path.exists() and json.loads(path.read_text()) == key:
        return crossvalidation.load_ensemble(folder)
    path.unlink(missing_ok=True)
    return None
