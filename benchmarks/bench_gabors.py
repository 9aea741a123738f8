"""Speed, memory and accuracy of the Gabor analyses.

    python benchmarks/bench_gabors.py [--threads 2] [--grid full]

Limits beside our figures: 180 s for the full grid and refinement of 40 units on two cores; for
simulated simple units median errors of 3 degrees, .1 octave and 1 degree; 2 degrees for the centre
of a recorded map.
"""

import argparse
import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch

from lib.data import conditions
from lib.data.simulated_neurons import TrueUnits, make_units
from lib.gabors import fit as gabor_fit
from lib.gabors import grid as gabor_grids
from lib.gabors import parameters
from lib.gabors import search as gabor_search
from lib.models import cores, ensemble, v1
from lib.responses import receptive_fields
from lib.stimuli import contrast
from lib.stimuli import patterns as stimuli
from lib.stimuli.contrast import Target

SHAPE, DPP = (60, 77), 94.8 / 60
LEVEL = Target(mean=0.45, contrast=0.05)
ROWS = []


def measure(name, function, limit=""):
    """Run, and add a row: wall and CPU seconds, peak memory of the process so far."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    ROWS.append(
        [
            name,
            f"{time.perf_counter() - wall:.1f}",
            f"{time.process_time() - cpu:.1f}",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}",
            limit,
        ]
    )
    print(f"{name}: {ROWS[-1][1]} s, {ROWS[-1][2]} s CPU", flush=True)
    return result


def render_grid(grid):
    """Draw the grid and bring it to mean and contrast, without a model."""
    table = gabor_grids.gabor_grid(SHAPE, degrees_per_pixel=DPP, grid=grid)
    with torch.no_grad():
        for rows in torch.tensor(table.to_numpy(), dtype=torch.float32).split(32):
            patterns = parameters.render_gabors(rows, SHAPE, degrees_per_pixel=DPP)
            contrast.at_mean_contrast(patterns, LEVEL)
    return len(table)


def fitted(units, members=5):
    """A stand-in for the fitted ensemble, for its cost: the v1 core, read through features of optima."""
    core = cores.V1Core(SHAPE, degrees_per_pixel=DPP)
    optima = np.stack([TrueUnits(units).optimal_image(u, SHAPE, LEVEL) for u in units.index])
    grey = torch.full((1, 1, *SHAPE), LEVEL.mean)
    with torch.no_grad():
        weights = core(torch.tensor(optima)[:, None]) - core(grey)
        weights = weights / weights.square().sum(1, keepdim=True)
        bias = 1 - core(grey) @ weights.T
    return ensemble.MeanModel(
        [v1.ResponseModel(core, weights, bias[0], squared=True) for _ in range(members)]
    )


def own_masks(model, units, grid, threads):
    """The pipeline's way: one search of the grid for all units, then each under its own mask.

    As there, units are refined side by side, one thread each.
    """
    how = dict(degrees_per_pixel=DPP)
    starts = measure(
        f"  {grid} grid, {len(units)} units at once, 5 models",
        lambda: gabor_grids.search_grid(model, SHAPE, LEVEL, **how, grid=grid, workers=threads),
    )

    def refine(k):
        unit = units.iloc[k]
        mask = stimuli.circular_mask(
            SHAPE, degrees_per_pixel=DPP, x=unit.x, y=unit.y, radius=2.5 * unit.sigma, edge=unit.sigma
        )
        own = ensemble.MeanModel([member.subset([k]) for member in model.members])
        start = gabor_grids.GridSearch(starts.parameters[[k]], starts.responses[[k]], starts.n_grid)
        gabor_search.best_gabor(own, SHAPE, LEVEL.within(mask), **how, starts=start)

    with ThreadPoolExecutor(threads) as pool:
        measure(
            f"  refinement of {len(units)} units under their masks",
            lambda: list(pool.map(refine, range(len(units)))),
        )


def recording(units=40, seed=0):
    """Presentations of Allen's Gabors and Poisson counts of units with Gaussian fields."""
    rng = np.random.default_rng(seed)
    grid = np.arange(-40.0, 41, 10)
    table = np.array([(x, y, o) for x in grid for y in grid for o in (0.0, 45.0, 90.0)])
    table = rng.permutation(np.repeat(table, 15, axis=0))
    x, y = rng.uniform(-28, 28, (2, units))
    theta = rng.uniform(0, 180, units)
    field = np.exp(-((table[:, :1] - x) ** 2 + (table[:, 1:2] - y) ** 2) / (2 * 9.0**2))
    tuning = 1 + 0.8 * np.cos(2 * np.deg2rad(table[:, 2:] - theta))
    counts = rng.poisson(0.6 + 1.7 * field * tuning)
    start = 0.25 * np.arange(len(table))
    rows = pd.DataFrame(table, columns=conditions.GABOR).assign(
        start_time=start, stop_time=start + 0.25, stimulus_name="gabors"
    )
    return rows, counts, x, y, theta


def angle(a, b):
    return np.abs((np.asarray(a) - np.asarray(b) + 90) % 180 - 90)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--grid", choices=gabor_grids.GRIDS, default="full")
    parser.add_argument("--real", help="recorded data, which other benchmarks use; not needed here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    accuracy = []
    n = measure("drawing the grid, no model", lambda: render_grid(arguments.grid))
    units = make_units({"simple": 30, "complex": 10}, seed=0)
    found = measure(
        f"best of {n} Gabors, 40 true units",
        lambda: gabor_search.best_gabor(
            TrueUnits(units), SHAPE, LEVEL, degrees_per_pixel=DPP, grid=arguments.grid
        ),
    )
    model = fitted(units)
    measure(
        f"best of {n} Gabors, v1 models of 40 units, own masks",
        lambda: own_masks(model, units, arguments.grid, arguments.threads),
        "180 s",
    )
    simple = (units.truth_kind == "simple").to_numpy()
    true = units[simple]
    ours = found.parameters[simple]
    accuracy += [
        ["simple units: orientation (deg)", angle(ours.orientation, true.orientation), 3],
        [
            "simple units: frequency (octaves)",
            np.abs(np.log2(ours.spatial_frequency.to_numpy() / true.spatial_frequency.to_numpy())),
            0.1,
        ],
        [
            "simple units: position (deg)",
            np.hypot(ours.x.to_numpy() - true.x.to_numpy(), ours.y.to_numpy() - true.y.to_numpy()),
            1,
        ],
    ]

    images = contrast.set_mean_contrast(found.images, LEVEL)
    fits = measure(
        "Gabor fitted to 40 images",
        lambda: [gabor_fit.gabor_fitted_to(image, degrees_per_pixel=DPP) for image in images],
    )
    accuracy.append(
        [
            "fitted Gabor: orientation (deg)",
            angle([f.parameters["orientation"] for f in fits], found.parameters.orientation),
            3,
        ]
    )

    rows, counts, x, y, theta = recording()
    p = measure(
        "position test, 40 units, 1000 permutations", lambda: receptive_fields.position_test(counts, rows)
    )
    fields = measure(
        "receptive fields, 40 units, 200 resamples", lambda: receptive_fields.receptive_fields(counts, rows)
    )
    preference = measure(
        "orientation preference, 40 units, 200 resamples",
        lambda: receptive_fields.orientation_preference(counts, rows),
    )
    accuracy += [
        ["recorded map, p < .05: centre (deg)", np.hypot(fields.x - x, fields.y - y)[p < 0.05], 2],
        ["recorded map: orientation (deg)", angle(preference.orientation, theta), ""],
    ]

    print(
        pd.DataFrame(ROWS, columns=["", "wall (s)", "CPU (s)", "peak (GB)", "limit"]).to_string(index=False)
    )
    print()
    print(
        pd.DataFrame(
            [
                [name, f"{np.median(e):.3f}", f"{np.quantile(e, 0.9):.3f}", len(e), limit]
                for name, e, limit in accuracy
            ],
            columns=["error", "median", "90 %", "n", "limit"],
        ).to_string(index=False)
    )


if __name__ == "__main__":
    main()
