"""Response models of recorded neurons, fitted to natural scenes alone, on stimuli they never saw.

    python benchmarks/bench_real.py --real FOLDER [--only NAME] [--sets SET ...] [--kinds v1,gabor_ridge]

FOLDER holds, for each SET: SET.npz (`counts`, repeats x images x units; `image_ids`), scenes_118.npz
(`images`, over the same visual field as the project's), gabors_SET.npz (`counts`, presentations x units,
with the columns of the presentations) and allen_metrics_SET.csv (the Allen Institute's figures). What is
missing is skipped with a line. Everything that a model chooses is chosen on scenes: the figures are

scenes        correlation of out-of-fold predictions with the mean response: median, 90th percentile, mean
Gabors        the same over the Gabors, of units with a receptive field (p_value_rf < .01): mean, median
map           the same over positions: own model, mean of all other units' models
orientation   mean error of the orientation preferred among static gratings (g_osi_sg > .15), degrees
frequency     mean error of the spatial frequency preferred among static gratings, octaves

with 95 % bootstrap intervals over units. Other units' models are chance. The last column is the recording
itself: CCmax of the scenes; for Gabors the root of the split-half reliability, for maps one half of the
repeats against the other, of the same unit and of others; for orientations static against drifting gratings.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import unseen

from lib.data import conditions, session, simulated_session
from lib.data.sources.arrays import SCENE_HEIGHT_DEG
from lib.models import crossvalidation
from lib.models import tuning as model_tuning
from lib.models.ensemble import MeanModel, predicted_means
from lib.responses import reliability, tuning
from lib.statistics import bootstrap_interval
from lib.stimuli.patterns import orientation_difference

HEIGHT = 60
PARTS = ("scenes", "gabors", "gratings")
FIELD_P, SELECTIVE = 0.01, 0.15  # units with a receptive field, with a preferred orientation
SPLITS = 20


def median(values, axis):
    return np.median(values, axis=axis)


def figure(values, statistic=np.mean):
    """A statistic over units with its interval, as text; NaN values count for nothing."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    low, high = bootstrap_interval(values, statistic)
    return f"{statistic(values, axis=0):.3f} ({low:.3f}, {high:.3f})"


def ninetieth(values, axis):
    return np.quantile(values, 0.9, axis=axis)


def scene_figures(result, counts):
    r = crossvalidation.prediction_scores(result.predictions, counts, resamples=2).correlation_to_average
    r = np.nan_to_num(r)  # a unit without variance counts as 0
    return {
        "scenes, median": figure(r, median),
        "scenes, 90th": figure(r, ninetieth),
        "scenes, mean": figure(r),
    }


def recorded_gabors(path):
    """(table of conditions, repeats (K, R, units)) of a file of recorded Gabors."""
    with np.load(path) as file:
        rows = pd.DataFrame(
            {
                name: np.broadcast_to(file[name], len(file["counts"]))
                for name in ("start_time", "stop_time", *conditions.SHOWN)
            }
        )
        counts = file["counts"]
    rows["stimulus_name"] = "gabors"
    table, repeats = conditions.condition_repeats(counts, rows, columns=conditions.SHOWN)
    return table, repeats


def gabor_figures(model, table, repeats, shape, degrees, mapped):
    """Figures of one model; `mapped` (units,) says which have a receptive field."""
    frames = conditions.gabor_frames(table, shape, degrees_per_pixel=degrees)
    predicted = predicted_means(model, frames)[:, mapped]
    recorded = np.nanmean(repeats, axis=1)[:, mapped]
    r = unseen.correlations(predicted.T, recorded.T).diagonal()
    own, other = unseen.own_and_other(
        unseen.correlations(unseen.position_maps(predicted, table), unseen.position_maps(recorded, table))
    )
    r = np.nan_to_num(r)
    own = np.nan_to_num(own)
    return {
        "Gabors, mean": figure(r),
        "Gabors, median": figure(r, median),
        "map, own": figure(own),
        "map, other": figure(other),
        "map, own - other": figure(own - other),
    }


def gabor_ceiling(table, repeats, mapped):
    repeats = repeats[:, :, mapped]
    halves = [own_halves(table, repeats, seed) for seed in range(SPLITS)]
    r, own, other = np.mean(halves, axis=0)
    ceiling = np.sqrt(np.clip(2 * r / (1 + r), 0, None))
    return {
        "Gabors, mean": figure(ceiling),
        "Gabors, median": figure(ceiling, median),
        "map, own": figure(own),
        "map, other": figure(other),
        "map, own - other": figure(own - other),
    }


def own_halves(table, repeats, seed):
    first, second = unseen.half_means(repeats, seed=seed)
    r = unseen.correlations(first.T, second.T).diagonal()
    own, other = unseen.own_and_other(
        unseen.correlations(unseen.position_maps(first, table), unseen.position_maps(second, table))
    )
    return r, own, other


def grating_figures(model, metrics, shape, degrees):
    table = simulated_session.grating_conditions()
    frames = model_tuning.grating_frames(table, shape, degrees_per_pixel=degrees)
    means = pd.DataFrame(
        predicted_means(model, frames), index=pd.MultiIndex.from_frame(table[conditions.GRATING])
    )
    found = tuning.grating_measures(means)
    rows = {}
    for name, column, error, unit in (
        ("orientation", "pref_ori_sg", orientation_difference, "deg"),
        ("frequency", "pref_sf_sg", unseen.octave_error, "oct"),
    ):
        chosen = (metrics.g_osi_sg > SELECTIVE).to_numpy() & metrics[column].notna().to_numpy()
        own, other = unseen.own_and_other(
            error(found[column].to_numpy()[chosen][:, None], metrics[column].to_numpy()[chosen])
        )
        rows |= {f"{name}, error ({unit})": figure(own), f"{name}, other units": figure(other)}
    return rows


def grating_agreement(metrics):
    """How far the orientations preferred among static and drifting gratings are apart, recorded."""
    selective = metrics[metrics.g_osi_sg > SELECTIVE]
    errors = orientation_difference(
        selective.pref_ori_sg.to_numpy()[:, None], selective.pref_ori_dg.to_numpy()
    )
    own, other = unseen.own_and_other(errors)
    return {"orientation, error (deg)": figure(own), "orientation, other units": figure(other)}


def set_table(folder, name, images, kinds, parts, folds):
    """One column per kind of model and one of the recording itself; rows are the figures."""
    with np.load(folder / f"{name}.npz") as file:
        counts, unit_ids = file["counts"].astype(np.float32), file["unit_ids"]
        images = images[file["image_ids"]]
    degrees, shape = SCENE_HEIGHT_DEG / HEIGHT, images.shape[1:]
    gabors, metrics = folder / f"gabors_{name}.npz", folder / f"allen_metrics_{name}.csv"
    for path in (gabors, metrics):
        if not path.exists():
            print(f"{name}: {path.name} is missing; its figures are left out")
    columns = {"recording": {}}
    if metrics.exists():
        metrics = pd.read_csv(metrics, index_col="unit_id").reindex(unit_ids)
        mapped = (metrics.p_value_rf < FIELD_P).to_numpy()
        if "gratings" in parts:
            columns["recording"] |= grating_agreement(metrics)
    else:
        metrics, mapped = None, np.ones(len(unit_ids), bool)
    if "gabors" in parts and gabors.exists():
        table, repeats = recorded_gabors(gabors)
        columns["recording"] |= gabor_ceiling(table, repeats, mapped)
    if "scenes" in parts:
        ceiling = reliability.cc_max(counts)
        columns["recording"] |= {
            "scenes, median": figure(ceiling, median),
            "scenes, 90th": figure(ceiling, ninetieth),
        }
    for kind in kinds:
        started = time.perf_counter()
        result = crossvalidation.cross_validate(
            images, counts, model=kind, folds=folds, seed=1, degrees_per_pixel=degrees
        )
        columns[kind] = {"seconds": f"{time.perf_counter() - started:.0f}"}
        model = MeanModel(result.models).eval()
        if "scenes" in parts:
            columns[kind] |= scene_figures(result, counts)
        if "gabors" in parts and gabors.exists():
            columns[kind] |= gabor_figures(model, table, repeats, shape, degrees, mapped)
        if "gratings" in parts and metrics is not None:
            columns[kind] |= grating_figures(model, metrics, shape, degrees)
    order = list(dict.fromkeys(row for kind in [*kinds, "recording"] for row in columns[kind]))
    selective = 0 if metrics is None else int((metrics.g_osi_sg > SELECTIVE).sum())
    print(
        f"\n{name}: {len(unit_ids)} units, {mapped.sum()} with a receptive field, {selective} "
        "selective for the orientation"
    )
    print(pd.DataFrame(columns).reindex(order)[[*kinds, "recording"]].fillna("").to_string(), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--kinds", default="v1,gabor_ridge")
    parser.add_argument("--folds", type=int, default=10)
    arguments = parser.parse_args()
    with np.load(arguments.real / "scenes_118.npz") as file:
        images = session.resize(file["images"], HEIGHT)
    sets = arguments.sets or [
        path.stem
        for path in sorted(arguments.real.glob("*_*.npz"))
        if not path.stem.startswith(("scenes_", "gabors_"))
    ]
    for name in sets:
        if (arguments.real / f"{name}.npz").exists():
            set_table(
                arguments.real,
                name,
                images,
                arguments.kinds.split(","),
                [arguments.only] if arguments.only else PARTS,
                arguments.folds,
            )
        else:
            print(f"{name}: no {name}.npz there; skipped")


if __name__ == "__main__":
    main()
