"""Fit the response models of a run: all units at once, every image predicted out of fold.

    python -m lib.fitting PARAMETERS.json
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib import crossvalidation, node
from lib.dependencies import used_files
from lib.errors import InputError
from lib.more_stimuli import training_sets
from lib.results import Stage, write_atomically, write_json
from lib.session import file_hash, load_session, required

CODE = ("crossvalidation", "models", "more_stimuli", "network", "conditions", "stimuli")


def fit_models(run_folder, *, model, baselines, stimuli, folds, published_units, permutations,
               seed, progress=True):
    """Cross-validate the chosen model and the baselines; what is saved is loaded, not fitted again.

    Parameters
    ----------
    run_folder : Path
        `build/<name>` with session.h5 and oracle.csv; models/<kind>/ is written there.
    model : str
        The kind MEIs are made on; fitted to all units.
    baselines : list of str
        Other kinds, fitted to all units on the same folds, and to natural scenes alone.
    stimuli : list of str
        What `model` learns from, if it is v1 (`lib.more_stimuli.training_sets`).
    folds, seed : int
        Of the cross-validation over images.
    published_units : int
        The published network is fitted to this many units, those of the highest oracle correlation.
    permutations : int
        Of the images, for the null distribution of the correlation.

    Returns
    -------
    scores : DataFrame
        A row a unit and model: `lib.crossvalidation.prediction_scores`, and `permutation_p`.
    predictions : dict of dict
        {kind: {unit_id: (images,) predicted counts}}.
    """
    run_folder = Path(run_folder)
    session = load_session(run_folder)
    data = file_hash(run_folder / "session.h5")
    kinds = _units_by_kind(run_folder, session, model, baselines, published_units)
    code = {Path(file).stem: file_hash(file) for file in used_files("lib/fitting.py")
            if Path(file).stem in CODE}
    keys = {kind: {"kind": kind, "folds": folds, "seed": seed, "session": data, "code": code,
                   "unit_ids": [int(unit) for unit in unit_ids]} for kind, unit_ids in kinds}
    keys[model]["stimuli"] = sorted({"natural_scenes", *stimuli})
    whole = {"models": keys, "permutations": permutations}
    if (saved := _saved_scores(run_folder / "models", whole)) is not None:
        return saved
    tables, predictions = [], {}
    for kind, unit_ids in kinds:
        counts = session.counts[:, :, [session.unit_index(unit) for unit in unit_ids]]
        key = keys[kind]
        result = _saved(run_folder / "models" / kind, key)
        if result is None:
            more = training_sets(session, key.get("stimuli", [])).values()
            result = crossvalidation.cross_validate(
                session.images, counts, model=kind, folds=folds, seed=seed, more=more,
                degrees_per_pixel=session.degrees_per_pixel, progress=progress)
            crossvalidation.save_ensemble(run_folder / "models" / kind, result)
            write_json(run_folder / "models" / kind / "key.json", key)
        scores = crossvalidation.prediction_scores(result.predictions, counts, seed=seed)
        scores["permutation_p"] = crossvalidation.permutation_null(
            result.predictions, counts, permutations=permutations, seed=seed)
        scores.insert(0, "model", kind)
        scores.insert(0, "unit_id", unit_ids)
        tables.append(scores)
        predictions[kind] = dict(zip(unit_ids, result.predictions.T))
    scores = pd.concat(tables, ignore_index=True)
    write_atomically(run_folder / "models" / "scores.csv",
                     lambda path: scores.to_csv(path, index=False))
    write_json(run_folder / "models" / "scores.json", whole)
    return scores, predictions


def learning_curves(run_folder, unit_id):
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
    return {name: np.nanmean([np.pad(np.asarray(h[name], float), (0, longest - len(h[name])),
                                     constant_values=np.nan) for h in histories], axis=0)
            for name in histories[0]}


def _units_by_kind(run_folder, session, model, baselines, published_units):
    kinds = [(kind, session.unit_ids) for kind in dict.fromkeys([model, *baselines])]
    if published_units and "published" not in dict(kinds):
        oracle = pd.read_csv(required(run_folder / "oracle.csv", "03_oracle"), index_col="unit_id").oracle
        kinds.append(("published", oracle.nlargest(published_units).index.to_numpy()))
    return kinds


def _saved_scores(folder, whole):
    """Return (scores, predictions) if they are on disk and of these very models, else None."""
    path = folder / "scores.json"
    if not (path.exists() and (folder / "scores.csv").exists()
            and json.loads(path.read_text()) == whole):
        return None
    predictions = {}
    for kind, key in whole["models"].items():
        with np.load(folder / kind / "predictions.npz") as file:
            predictions[kind] = dict(zip(key["unit_ids"], file["predictions"].T))
    return pd.read_csv(folder / "scores.csv"), predictions


def _saved(folder, key):
    path = folder / "key.json"
    if path.exists() and json.loads(path.read_text()) == key:
        return crossvalidation.load_ensemble(folder)
    path.unlink(missing_ok=True)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", help="JSON text: arguments of fit_models")
    parameters = json.loads(parser.parse_args().parameters)
    run_folder = Path(parameters.pop("run_folder"))
    stage = Stage("models", run_folder, None, parameters, time.time())
    stage.use(run_folder / "session.h5")
    torch.set_num_threads(node.cores())  # the only job while it runs
    try:
        fit_models(run_folder, **parameters)
    except InputError as error:
        sys.exit(f"models: {error}")
    provenance = stage.provenance()
    write_json(run_folder / "models" / "models.json", {"scalars": {}, "provenance": provenance})
    (run_folder / "models" / "scores.csv").touch()
    print(f"models: done ({provenance['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
