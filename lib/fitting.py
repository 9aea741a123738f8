"""Fit the response models of a run: all units at once, every image predicted out of fold.

    python -m lib.fitting PARAMETERS.json
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lib import crossvalidation
from lib.errors import InputError
from lib.results import Stage, write_atomically, write_json
from lib.session import load_session, required


def fit_models(run_folder, *, model, baselines, folds, published_units, permutations, seed,
               progress=True):
    """Cross-validate the chosen model and the baselines; a saved ensemble is loaded, not refitted.

    Parameters
    ----------
    run_folder : Path
        `build/<name>` with session.h5 and selected.json; models/<kind>/ is written there.
    model : str
        The kind MEIs are made on; fitted to all units.
    baselines : list of str
        Other kinds, fitted to all units on the same folds.
    folds, seed : int
        Of the cross-validation over images.
    published_units : int
        The published network is fitted to this many of the selected units, the most reliable first.
    permutations : int
        Of the images, for the null distribution of the correlation.

    Returns
    -------
    DataFrame
        A row a unit and model: `lib.crossvalidation.prediction_scores`, and `permutation_p`.
    """
    run_folder = Path(run_folder)
    session = load_session(run_folder)
    selected = json.loads(required(run_folder / "selected.json", "03_oracle").read_text())
    kinds = {kind: session.unit_ids for kind in dict.fromkeys([model, *baselines])}
    if published_units and "published" not in kinds and selected:
        kinds["published"] = np.array(selected[:published_units])
    tables = []
    for kind, unit_ids in kinds.items():
        columns = [session.unit_index(unit) for unit in unit_ids]
        counts = session.counts[:, :, columns]
        result = crossvalidation.load_or_fit(
            run_folder / "models" / kind, session.images, counts, model=kind, folds=folds, seed=seed,
            degrees_per_pixel=session.degrees_per_pixel, progress=progress)
        scores = crossvalidation.prediction_scores(result.predictions, counts, seed=seed)
        scores["permutation_p"] = crossvalidation.permutation_null(
            result.predictions, counts, permutations=permutations, seed=seed)
        scores.insert(0, "model", kind)
        scores.insert(0, "unit_id", unit_ids)
        tables.append(scores)
    return pd.concat(tables, ignore_index=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", help="JSON text: arguments of fit_models")
    parameters = json.loads(parser.parse_args().parameters)
    import time
    run_folder = Path(parameters.pop("run_folder"))
    stage = Stage("models", run_folder, None, parameters, time.time())
    stage.use(run_folder / "session.h5")
    try:
        scores = fit_models(run_folder, **parameters)
    except InputError as error:
        sys.exit(f"models: {error}")
    write_json(run_folder / "models" / "models.json",
               {"scalars": {}, "provenance": stage.provenance()})
    write_atomically(run_folder / "models" / "scores.csv",
                     lambda path: scores.to_csv(path, index=False))
    print(f"models: done ({stage.provenance()['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
