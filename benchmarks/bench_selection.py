"""Counting, reliability and sorting at the size of a real session; estimators against known truth.

    python benchmarks/bench_selection.py [--quick] [--real FOLDER]

Prints one table a question. `--quick` takes about a minute and leaves out the slow peers; the whole
takes about twenty, most of it the original's sorting. `--real` adds recorded counts: FOLDER with
<name>.npz files holding `counts` (repeats, images, units) and `unit_ids`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data import counting
from lib.responses import calibration, raster, reliability, selection

UNITS, REPEATS, IMAGES, SECONDS = 135, 50, 119, 9600


def seconds(function, *arguments, times=5, **options):
    """Shortest of several runs, by the clock and in computing time, and the result."""
    taken = []
    for _ in range(times):
        start, busy = time.perf_counter(), time.process_time()
        result = function(*arguments, **options)
        taken.append((time.perf_counter() - start, time.process_time() - busy))
    return np.min(taken, axis=0), result


def session_spikes(rng):
    """Spike times of a whole session at 0.1 to 20 spikes/s, and the onsets of all its stimuli."""
    rates = np.exp(rng.uniform(np.log(0.1), np.log(20), UNITS))
    spikes = [np.sort(rng.uniform(0, SECONDS, rng.poisson(rate * SECONDS))) for rate in rates]
    return spikes, 30 + 0.25 * np.arange(30_000)


def plain_published_draw(trials):
    """One draw of the original's oracle for every unit, by loops over units and images."""
    rng = np.random.default_rng(0)
    oracle = []
    for unit in np.moveaxis(trials, 2, 0):
        single, others = [], []
        for shown in unit.T:
            pick = rng.integers(len(shown))
            single.append(shown[pick])
            others.append(np.delete(shown, pick).mean())
        oracle.append(np.corrcoef(single, others)[0, 1])
    return oracle


def speed_table(quick):
    """Seconds of every step beside its limit."""
    rng = np.random.default_rng(0)
    spikes, onsets = session_spikes(rng)
    scenes = onsets[: REPEATS * IMAGES]
    frames = rng.permutation(np.repeat(np.arange(-1, IMAGES - 1), REPEATS))
    table = pd.DataFrame(
        {"start_time": scenes, "stop_time": scenes + 0.25, "frame": frames, "stimulus_name": "natural_scenes"}
    )
    trials, _ = calibration.population(rng, mean=rng.uniform(0.1, 5, UNITS), explained=0.2, images=IMAGES)
    total = sum(map(len, spikes)) / 1e6
    rows = []

    def row(what, limit, function, *arguments, times=5, **options):
        taken, result = seconds(function, *arguments, times=times, **options)
        rows.append((what, *taken, limit))
        return result

    per_scene = row(
        f"counts, 5,950 scenes, {total:.1f} M spikes",
        None,
        counting.count_spikes,
        spikes,
        scenes + 0.05,
        scenes + 0.3,
    )
    per_stimulus = row(
        "counts, 30,000 presentations", 1.0, counting.count_spikes, spikes, onsets + 0.05, onsets + 0.3
    )
    assert np.array_equal(per_scene, per_stimulus[: len(scenes)])
    row("scene_counts", None, counting.scene_counts, per_scene, table)
    row("bins of 0.1 s in the scenes", None, counting.bin_spikes, spikes, scenes[:1], scenes[-1:] + 0.25)
    row("latency histogram", None, counting.latency_histogram, spikes, scenes, frames, times=1)
    row("oracle, exact jackknife", 0.02, reliability.oracle_correlation, trials)
    row("oracle, published, 50 draws", 1.0, reliability.oracle_correlation_published, trials)
    row("bootstrap of four ceilings, 1,000 resamples", 10.0, reliability.bootstrap_ceilings, trials, times=1)
    row("isolation forest, 100 trees", None, selection.isolation_forest, trials.mean(axis=0), times=1)
    if not quick:
        taken, _ = seconds(plain_published_draw, trials, times=1)
        rows.append(("peer: published oracle by loops, 50 draws (1 timed)", *(50 * taken), None))
        rows.extend(allensdk_rows(spikes, scenes, per_scene))
    return pd.DataFrame(rows, columns=["step", "seconds", "computing", "at most"])


def allensdk_rows(spikes, scenes, ours):
    """AllenSDK's own counting of the same windows; its last edge is closed, ours open."""
    from allensdk.brain_observatory.ecephys.ecephys_session import build_spike_histogram

    edges = scenes[:, None] + np.array([0.05, 0.3])
    taken, theirs = seconds(build_spike_histogram, edges, dict(enumerate(spikes)), range(UNITS), times=1)
    assert np.array_equal(theirs[:, 0], ours)
    return [("peer: AllenSDK, 5,950 scenes (equal, value by value)", *taken, None)]


def binned_activity(rng, n_units, n_bins=14_875):
    """Units along a line of twelve slow sources: near ones fire alike."""
    sources = rng.normal(size=(12, n_bins + 20))
    sources = np.array([np.convolve(s, np.hanning(21), "valid") for s in sources])
    sources /= sources.std(axis=1, keepdims=True)
    place = rng.uniform(0, 12, n_units)
    drive = np.exp(-((place[:, None] - np.arange(12)) ** 2) / 2) @ sources
    mean = 0.1 * rng.gamma(1.0, 3.0, (n_units, 1))
    return rng.poisson(mean * np.exp(0.5 * drive)), place


def sorting_table(quick):
    """Seconds and scores of the orders, sorted on the first half of the bins.

    The criterion: on the second half, the mean correlation of `neighbours` and the score that
    Rastermap maximises over all pairs (`map`); and the rank correlation with the true `place`.
    """
    rng = np.random.default_rng(0)
    raster.sort_units(binned_activity(rng, 20, 500)[0])  # compiles
    rows = []
    for n_units in (1, 10, 60, 135) if quick else (1, 10, 30, 60, 135, 1000):
        activity, place = binned_activity(rng, n_units)
        first, second = np.array_split(activity, 2, axis=1)
        orders = {
            "ours": seconds(raster.sort_units, first, times=1),
            "true order": ((np.nan, np.nan), (np.argsort(place), n_units)),
            "random order": ((np.nan, np.nan), (rng.permutation(n_units), n_units)),
        }
        if n_units in (60, 135) and not quick:
            orders["as published"] = seconds(raster.sort_units, first, times=1, published=True)
        for name, (taken, (order, _)) in orders.items():
            agreement = (
                abs(np.corrcoef(place[order].argsort().argsort(), np.arange(n_units))[0, 1])
                if n_units > 1
                else np.nan
            )
            rows.append(
                (
                    n_units,
                    name,
                    *taken,
                    raster.ordering_score(second, order),
                    raster.map_score(second, order),
                    agreement,
                )
            )
    return pd.DataFrame(
        rows, columns=["units", "order", "seconds", "computing", "neighbours", "map", "place"]
    )


def coverage_table(quick):
    """Bias of every estimator and coverage of its 95 % interval, by fraction explained."""
    return calibration.interval_coverage(
        20 if quick else 200, mean=[0.2, 0.5, 1.0, 3.0], explained=[0.02, 0.05, 0.1, 0.2, 0.4]
    )


def zeros_table(quick):
    """What dropping zero counts does to the oracle, by firing rate."""
    return calibration.zeros_bias(2 if quick else 20)


def recorded_table(folder):
    """On recorded units: median ceilings, and what dropping zeros does to ranks and selection."""
    rows = []
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as file:
            if "counts" not in file:
                continue
            trials, unit_ids = file["counts"].astype(np.float32), file["unit_ids"]
        ceilings = reliability.bootstrap_ceilings(trials, unit_ids=unit_ids)
        published = reliability.oracle_correlation_published(trials, drop_zeros=True)["oracle"]
        variance = selection.response_variance(trials.mean(axis=0))
        exact = ceilings["oracle"].to_numpy()
        changed = selection.compare_rankings(
            exact,
            published,
            unit_ids,
            selected=selection.select_units(exact, variance),
            selected_published=selection.select_units(published.to_numpy(), variance),
        )
        rows.append(
            {
                "recording": path.stem,
                "units": len(unit_ids),
                **ceilings[list(calibration.MEASURES)].median().to_dict(),
                "zeros dropped: oracle": published.median(),
                "rank correlation": changed["rank_correlation"],
                "gained": len(changed["gained"]),
                "lost": len(changed["lost"]),
            }
        )
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute, without the slow peers")
    parser.add_argument("--real", metavar="FOLDER", help="recorded counts, <name>.npz")
    options = parser.parse_args()
    tables = {
        "Speed (s)": speed_table,
        "Rastermap": sorting_table,
        "Estimators on populations of known truth": coverage_table,
        "Dropping zero counts": zeros_table,
    }
    for title, make in tables.items():
        print(f"\n{title}")
        print(make(options.quick).round(4).to_string(index=False, na_rep="-"), flush=True)
    if options.real:
        print("\nRecorded units (medians)")
        print(recorded_table(options.real).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
