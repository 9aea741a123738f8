"""Response models against one another, out of fold, on simulated kinds of units and recorded ones.

    python benchmarks/bench_models.py [--quick] [--real FOLDER] [--published UNITS] [--seeds N]

Simulated: 48 units whose receptive fields are known, 118 images x 50 repeats; correlation with the mean
response, CCnorm, and the correlation of the MEI (made on every other fold model) with the true
optimum, medians by kind; then the same model with movies, gratings and Gabors in training. `--real`
adds recorded counts:
FOLDER with <name>.npz holding `counts` (repeats, images, units), and one .npz holding `images`; every
unit counts. `--published` fits the published network from scratch to so many units a set (minutes
each). `--seeds` repeats the assignment of images to folds. The null permutes the images.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib import statistics
from lib.data import session
from lib.data.simulated_neurons import TrueUnits
from lib.data.sources import simulated
from lib.mei import search
from lib.mei.ascent import AscentSettings
from lib.models import crossvalidation, ensemble, training_sets
from lib.stimuli.contrast import Target

HEIGHT, SCENE_HEIGHT_DEG = 60, 94.8
SIMULATION = dict(
    units=48,
    scene_repeats=50,
    gabor_repeats=15,
    grating_repeats=50,
    movie_one_frames=300,
    movie_one_repeats=10,
    movie_three_frames=600,
    movie_three_repeats=5,
)
NO_GABOR = ("corner", "two_subunit", "spot")


def scored(images, counts, degrees, *, model, folds, seed, more=()):
    """Cross-validation, its scores and its seconds."""
    started = time.perf_counter()
    result = crossvalidation.cross_validate(
        images, counts, model=model, folds=folds, seed=seed, degrees_per_pixel=degrees, more=more
    )
    taken = time.perf_counter() - started
    scores = crossvalidation.prediction_scores(result.predictions, counts, resamples=20, seed=seed)
    return result, scores, taken


def row(name, scores, taken):
    r = np.nan_to_num(scores.correlation_to_average)  # a unit without variance counts as 0
    return {
        "set": name,
        "units": len(r),
        "median": np.median(r),
        "90th percentile": np.quantile(r, 0.9),
        "CCnorm": scores.cc_norm.median(),
        "seconds": taken,
    }


def truth_correlation(result, truth, images, degrees):
    """Correlation of every unit's MEI with its true optimum (best phase for complex units)."""
    makers = ensemble.MeanModel(result.models[::2]).eval()
    target = Target(float(images.mean()), 0.2 * float(images.std(axis=(1, 2)).mean()))
    found = search.most_exciting_input(
        makers, images.shape[1:], target, starts=("grey", "noise"), settings=AscentSettings(steps=100)
    ).best_images
    return [
        truth.truth_correlation(image, unit, degrees_per_pixel=degrees)
        for image, unit in zip(found, truth.table.index)
    ]


def simulated_tables(folder, quick, folds):
    """One row per model or stimulus set: medians over the units of each kind."""
    sizes = SIMULATION | (dict(units=14, scene_repeats=12) if quick else {})
    recording = simulated.load(1, folder=folder, structure="VISam", **sizes)
    data = session.from_recording(recording, latency=0.05, duration=0.25, image_height=HEIGHT)
    truth = TrueUnits.load(folder / "truth.h5").subset(data.unit_ids).eval()
    kinds = truth.table.truth_kind
    tuned = ~kinds.isin(["untuned", "silent"]).to_numpy()
    counts, truth = data.counts[:, :, tuned], truth.subset(data.unit_ids[tuned])
    group = kinds[tuned].str.replace("_normalised", "").to_numpy()
    sets = training_sets.training_sets(data, ["natural_movies", "static_gratings", "gabors"])
    sets = {name: (frames, responses[:, tuned]) for name, (frames, responses) in sets.items()}
    movies = [sets[name] for name in sets if "movie" in name]
    trials = [
        ("v1, 118 images", "v1", ()),
        ("v1, and movies", "v1", movies),
        ("v1, all stimuli", "v1", list(sets.values())),
        ("gabor_ridge", "gabor_ridge", ()),
        ("ridge", "ridge", ()),
    ]
    rows = []
    for label, model, more in trials:
        result, scores, taken = scored(
            data.images, counts, data.degrees_per_pixel, model=model, folds=folds, seed=1, more=more
        )
        scores["MEI and truth"] = truth_correlation(result, truth, data.images, data.degrees_per_pixel)
        for name, units in [
            *scores.groupby(group),
            ("not a Gabor", scores[np.isin(group, NO_GABOR)]),
            ("all", scores),
        ]:
            rows.append(
                {"model": label, **row(name, units, taken), "MEI and truth": units["MEI and truth"].median()}
            )
    return pd.DataFrame(rows)


def recorded_sets(folder):
    """(name, images, counts, degrees a pixel) of every file of counts in a folder."""
    files = sorted(Path(folder).glob("*.npz"))
    contents = {path.stem: np.load(path) for path in files}
    images = next(c["images"] for c in contents.values() if "images" in c.files)
    images = session.resize(images, HEIGHT)
    return [
        (name, images[c["image_ids"]], c["counts"].astype(np.float32), SCENE_HEIGHT_DEG / HEIGHT)
        for name, c in contents.items()
        if "counts" in c.files
    ]


def recorded_table(sets, folds, seeds, published):
    """Every model on all units of every recorded set."""
    rows = []
    for name, images, counts, degrees in sets:
        for seed in range(1, seeds + 1):
            for model in ("v1", "gabor_ridge", "ridge"):
                _, scores, taken = scored(images, counts, degrees, model=model, folds=folds, seed=seed)
                rows.append({"model": model, "seed": seed, **row(name, scores, taken)})
        if published:
            _, scores, taken = scored(
                images, counts[:, :, :published], degrees, model="published", folds=5, seed=1
            )
            rows.append({"model": "published (5 folds)", "seed": 1, **row(name, scores, taken)})
    return pd.DataFrame(rows)


def null_table(sets, folds):
    """The default model where images and responses were permuted against each other."""
    rows = []
    for name, images, counts, degrees in sets:
        order = np.random.default_rng(3).permutation(len(images))
        result, scores, taken = scored(images, counts[:, order], degrees, model="v1", folds=folds, seed=1)
        p = crossvalidation.permutation_null(
            result.predictions, counts[:, order], permutations=10_000, seed=1
        )
        rows.append(row(name, scores, taken) | {"smallest p, Holm": np.nanmin(statistics.holm(p))})
    return pd.DataFrame(rows)


def show(title, table):
    print(f"\n{title}\n{table.round(3).to_string(index=False)}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--published", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/bench_models"))
    arguments = parser.parse_args()
    folds = 4 if arguments.quick else 10
    print(f"torch threads: {torch.get_num_threads()}")
    show(
        "Simulated units, out of fold (medians by kind)",
        simulated_tables(arguments.folder, arguments.quick, folds),
    )
    if arguments.real:
        sets = recorded_sets(arguments.real)
        show(
            "Recorded units, out of fold, none left out",
            recorded_table(sets, folds, arguments.seeds, arguments.published),
        )
        show("The same with images permuted", null_table(sets, folds))


if __name__ == "__main__":
    main()
