"""v1, ridge and the shared network against the number of images and of units, on simulated neurons.

    python benchmarks/bench_many.py growth [--images N ...] [--units N ...] [--folds N] [--repeats N]
    python benchmarks/bench_many.py prediction [--images N ...] [--units N] [--repeats N] [--models v1 ridge]
                                               [--device cuda] [--store]
    python benchmarks/bench_many.py subset [--images N] [--learned N ...] [--repeats N]

growth: processor seconds and peak memory of a cross-validation to finished scores, each size in a process of
its own, and the exponents in the images and in the units. `--once` adds so many images shown once.
prediction: median correlation with the true expected response to 500 other images.
subset: the same for v1, whose windows and group weights come from the marginal likelihood of so many images.
"""

import argparse
import multiprocessing
import resource
import time

import numpy as np
import pandas as pd
import torch

from lib import machine
from lib.data import session, simulated_neurons, simulated_session
from lib.models import by_images, cores, crossvalidation, many_images, shared_network, v1

DEGREES, HEIGHT, TEST = 94.8 / 60, 60, 500
GAIN = 0.2  # SD of the log of the gain that units share in a trial


def simulate(images, units, *, seed=1):
    """Images (n, h, w) in [0, 1] and expected counts (n, units) of units that respond to them."""
    rng = np.random.default_rng(seed)
    shown = simulated_session.dead_leaves(images, rng=rng).astype(np.float32) / 255
    with torch.no_grad(), torch.device("cpu"):
        truth = simulated_neurons.TrueUnits(simulated_neurons.make_units(units, seed=seed, first_unit_id=1))
        rates = torch.cat(
            [truth(torch.as_tensor(part[:, None])) for part in np.array_split(shown, 1 + images // 100)]
        )
    return session.resize(shown, HEIGHT).astype(np.float32), rates.numpy()


def counts_of(rates, repeats, rng):
    """Counts (repeats, images, units), NaN beyond the (images,) repeats of each image."""
    counts = np.full((repeats.max(), *rates.shape), np.nan, np.float32)
    for k in range(repeats.max()):
        rows = np.flatnonzero(repeats > k)
        counts[k, rows] = rng.poisson(rates[rows] * rng.lognormal(0, GAIN, (len(rows), 1)))
    return counts


def measure(images, units, folds, repeats, once, queue):
    """Put the seconds of processor, the peak MiB and the median CCnorm of one cross-validation."""
    shown, rates = simulate(images + once, units)
    times = np.r_[np.full(images, repeats), np.ones(once, int)]
    counts = counts_of(rates, times, np.random.default_rng(2))
    started = time.process_time()
    result = crossvalidation.cross_validate(shown, counts, folds=folds, seed=1, degrees_per_pixel=DEGREES)
    scores = crossvalidation.prediction_scores(result.predictions, counts, seed=1)
    crossvalidation.permutation_null(result.predictions, counts, permutations=1000, seed=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put((time.process_time() - started, peak, scores.cc_norm.median()))


def growth(arguments):
    """A row a size, and the exponents between sizes."""
    rows = []
    for units in arguments.units:
        for images in arguments.images:
            queue = multiprocessing.get_context("spawn").SimpleQueue()
            job = multiprocessing.get_context("spawn").Process(
                target=measure,
                args=(images, units, arguments.folds, arguments.repeats, arguments.once, queue),
            )
            job.start()
            job.join()
            seconds, peak, score = queue.get()
            rows.append(
                {
                    "units": units,
                    "images": images + arguments.once,
                    "processor s": seconds,
                    "MiB": peak,
                    "CCnorm": score,
                }
            )
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    for own, other in (("images", "units"), ("units", "images")):
        slope = table.groupby(other)["processor s"].transform(lambda s: np.log(s).diff())
        step = table.groupby(other)[own].transform(lambda s: np.log(s).diff())
        table[f"exponent in {own}"] = slope / step
    return table


def predictors(model, core, pixels, responses):
    """A module fitted to all images."""
    if model == "shared":
        return shared_network.fit_shared(pixels, responses, seed=1)[0]
    features = many_images.features_of(core, pixels)
    if model == "v1":
        return next(many_images.fits(features, responses, core, [], [[]]))
    return v1.fit_ridge(features, responses, core)


def prediction(arguments):
    """A row per model and number of images."""
    shown, rates = simulate(max(arguments.images) + TEST, arguments.units[0])
    machine.use_device(arguments.device)
    pixels, tuned = torch.as_tensor(shown)[:, None], rates.std(0) > 0.01
    rng, rows = np.random.default_rng(2), []
    responses = np.nanmean(counts_of(rates, np.full(len(rates), arguments.repeats), rng), 0)
    for images in arguments.images:
        for model in arguments.models:
            core = cores.CORES.get(model, cores.PixelCore)(shown.shape[1:], degrees_per_pixel=DEGREES)
            train = slice(TEST, TEST + images)
            started = time.perf_counter()
            fitted = predictors(model, core, pixels[train], responses[train])
            taken = time.perf_counter() - started
            with torch.no_grad():
                answers = torch.cat([fitted(part) for part in pixels[:TEST].split(50)]).numpy(force=True)
            r = [np.corrcoef(answers[:, u], rates[:TEST, u])[0, 1] for u in np.flatnonzero(tuned)]
            rows.append(
                {
                    "images": images,
                    "model": model,
                    "r": np.median(r),
                    "low": np.quantile(r, 0.1),
                    "seconds": taken,
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def subset(arguments):
    """A row a number of images that v1 learns windows and group weights from."""
    rows, arguments.models = [], ["v1"]
    for many_images.LEARNED_FROM in arguments.learned:
        rows.append(prediction(arguments).assign(learned=many_images.LEARNED_FROM))
    return pd.concat(rows)


def store(table):
    """Put rows in place of those of the same size and kind in the table that the report reads."""
    both = pd.concat([pd.read_csv(by_images.STORED), table.rename(columns={"low": "r_low"})])
    both = both.drop_duplicates(["images", "model"], keep="last").sort_values("images", kind="stable")
    both.round({"r": 3, "r_low": 3, "seconds": 1}).to_csv(by_images.STORED, index=False)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["growth", "prediction", "subset"])
    parser.add_argument("--images", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--units", type=int, nargs="+", default=[24])
    parser.add_argument("--models", nargs="+", default=["v1", "ridge", "shared"])
    parser.add_argument("--learned", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--once", type=int, default=0)
    parser.add_argument(
        "--store", action="store_true", help="write prediction's rows to lib/models/by_images.csv"
    )
    parser.add_argument("--device", default="cpu", help="of prediction and subset")
    arguments = parser.parse_args()
    if arguments.store and arguments.what != "prediction":
        parser.error("--store is of prediction")
    table = {"growth": growth, "prediction": prediction, "subset": subset}[arguments.what](arguments)
    print(table.round(3).to_string(index=False))
    if arguments.store:
        store(table)


if __name__ == "__main__":
    main()
