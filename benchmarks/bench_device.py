"""Seconds on a graphics processor and on the CPU beside it, and how far the figures differ.

    python benchmarks/bench_device.py [--only published v1 meis grid power many] [--device cuda]

published  5 folds of the network of 135 units; its first unit again on the CPU
v1         10 folds of v1, 118 images x 50 repeats x 94 units, on both
meis       8,000 MEIs: 80 fitted units, each as 100; four of them again on the CPU
grid       the Gabor grid for 94 units, the coarse one on both
power      designs of the power chapter, on both
many       bench_many.py's growth: --images x 10 repeats x --units

Images are dead leaves, units the simulated ones.
"""

import argparse
import time

import bench_many
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from lib import machine
from lib.gabors import grid
from lib.mei import localise, recovery, search
from lib.mei.ascent import AscentSettings
from lib.models import crossvalidation
from lib.models.ensemble import MeanModel, split_members
from lib.stimuli.contrast import Target


def timed(work, device):
    """Result of some work on a device, and its seconds."""
    machine.use_device(device)
    started = time.perf_counter()
    result = work()
    if device == "cuda":
        torch.cuda.synchronize()
    return result, time.perf_counter() - started


def on_both(work, device, small=None):
    """Results on the device and of `small`, or the same, on the CPU, with their seconds."""
    timed(lambda: torch.ones(2) @ torch.ones(2), device)  # the device is started
    there, fast = timed(work, device)
    here, slow = timed(small or work, "cpu")
    return there, here, {"seconds": fast, "CPU": slow}


def recording(units, repeats=50, images=118, seed=1):
    shown, rates = bench_many.simulate(images, units, seed=seed)
    rng = np.random.default_rng(2)
    return shown, bench_many.counts_of(rates, np.full(images, repeats), rng)


def fit(shown, counts, model="v1", folds=10):
    return crossvalidation.cross_validate(
        shown, counts, model=model, folds=folds, seed=1, degrees_per_pixel=bench_many.DEGREES
    )


def agreement(there, here):
    """Largest difference over the standard deviation, and the least correlation of a unit's."""
    varied = here.std(0) > 1e-6  # what is predicted of a silent unit is a constant
    there, here = there[:, varied], here[:, varied]
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(there.T, here.T)]
    return {"difference over SD": float((np.abs(there - here) / here.std(0)).max()), "least r": float(min(r))}


def published(given):
    """The network of the original report, of many units and of one."""
    shown, counts = recording(given.networks)
    there, here, row = on_both(
        lambda: fit(shown, counts, "published", 5),
        given.device,
        lambda: fit(shown, counts[:, :, :1], "published", 5),
    )
    scores = crossvalidation.prediction_scores(there.predictions, counts)
    row |= agreement(there.predictions[:, :1], here.predictions)
    return row | {
        "of": f"{given.networks} units x 5 folds, CPU 1 unit",
        "r": scores.correlation_to_average.median(),
    }


def v1(given):
    shown, counts = recording(94)
    there, here, row = on_both(lambda: fit(shown, counts), given.device)
    return row | agreement(there.predictions, here.predictions) | {"of": "118 x 50 x 94, 10 folds"}


def meis(given):
    """Ascents from four starts, cleaned, as the report makes them."""
    machine.use_device("cpu")
    shown, counts = recording(80)
    fitted = fit(shown, counts)
    target = Target(float(shown.mean()), 0.2 * float(shown.std(axis=(1, 2)).mean()))
    settings = AscentSettings(200, highest_frequency=0.15 * bench_many.DEGREES)

    def make(units):
        models = [one.to(torch.get_default_device()).subset(units) for one in fitted.models]
        making = MeanModel(split_members(models)[0]).eval()
        ends = search.most_exciting_input(
            making, shown.shape[1:], target, starts=("noise", "noise", "grey", "natural"), images=shown,
            settings=settings, seed=1, batch_size=given.batch,
        )  # fmt: skip
        return localise.localise(making, ends, batch_size=given.batch)

    all_units = np.arange(given.meis) % 80
    chunks = np.array_split(all_units, -(-given.meis // given.together))
    there, here, row = on_both(
        lambda: [(m.best_images, m.best_responses) for m in map(make, tqdm(chunks, "MEIs"))],
        given.device,
        lambda: make(np.arange(4)),
    )
    images, responses = there[0]
    r = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, here.best_images)]
    ratio = responses[:4] / here.best_responses
    return row | {
        "difference over SD": float(np.abs(ratio - 1).max()),
        "least r": min(r),
        "of": f"{sum(len(images) for images, _ in there)} MEIs, 4 starts each; CPU 4",
    }


def gabors(given):
    shown, counts = recording(94)
    fitted = fit(shown, counts)
    target = Target(float(shown.mean()), 0.2 * float(shown.std(axis=(1, 2)).mean()))
    makers, _ = split_members(fitted.models)

    def searched(which):
        making = MeanModel(makers).to(torch.get_default_device()).eval()
        return grid.search_grid(
            making, shown.shape[1:], target, degrees_per_pixel=bench_many.DEGREES, grid=which
        )

    _, full = timed(lambda: searched("full"), given.device)
    there, here, row = on_both(lambda: searched("coarse"), given.device)
    best = [s.responses[:, :1] for s in (there, here)]
    return row | {
        "difference over SD": float(np.abs(best[0] / best[1] - 1).max()),
        "least r": float(np.corrcoef(*(b[:, 0] for b in best))[0, 1]),
        "of": f"coarse grid, 94 units; full on the device {full:.1f} s",
    }


def power(given):
    settings = dict(contrast=0.2, finest_detail=0.15, units=14)
    there, here, row = on_both(
        lambda: recovery.simulate_recovery([(60, 15, 1.0), (118, 50, 1.0)], **settings), given.device
    )
    ratios = [t.response_ratio.to_numpy()[:, None] for t in (there, here)]
    return row | agreement(*ratios) | {"of": "2 designs x 14 units"}


def many(given):
    """A cross-validation to finished scores, on the device alone."""
    machine.use_device(given.device)
    rows = []
    for images in given.images:
        shown, counts = recording(given.units, 10, images)
        started, torch_peak = time.perf_counter(), 0
        if given.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        result = fit(shown, counts)
        scores = crossvalidation.prediction_scores(result.predictions, counts, seed=1)
        if given.device == "cuda":
            torch_peak = torch.cuda.max_memory_allocated() / 2**20
        seconds = time.perf_counter() - started
        rows.append({"seconds": seconds, "r": scores.cc_norm.median(),
                     "of": f"{images} x 10 x {given.units}, {torch_peak:.0f} MiB of the device"})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


PARTS = {"published": published, "v1": v1, "meis": meis, "grid": gabors, "power": power, "many": many}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--networks", type=int, default=135)
    parser.add_argument("--meis", type=int, default=8000)
    parser.add_argument("--together", type=int, default=400, help="MEIs made in one ascent")
    parser.add_argument("--batch", type=int, default=2048, help="images through the model at a time")
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--units", type=int, default=200)
    given = parser.parse_args()
    print(f"torch {torch.__version__}, {machine.cores()} cores")
    rows = []
    for name in given.only:
        row = PARTS[name](given)
        rows += [{"part": name} | one for one in (row if isinstance(row, list) else [row])]
        print(rows[-1], flush=True)
    print(pd.DataFrame(rows).round(5).to_string(index=False))


if __name__ == "__main__":
    main()
