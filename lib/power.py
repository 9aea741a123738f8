"""How much recording a most exciting input needs: recovery against images, repeats, firing rate.

    python -m lib.power PARAMETERS.json

Model neurons whose optimum is known are shown natural-like images; the default model is fitted to
part of the recording, makes each unit's MEI, and the true neuron answers it.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from lib import ground_truth, mei, models, session, simulation
from lib.errors import InputError
from lib.results import Stage, write_json
from lib.statistics import bootstrap_interval
from lib.truth import KINDS, SCENE_HEIGHT, TrueUnits, make_units

CONTRAST = 0.2     # RMS contrast of the MEIs over that of the images, and
FINEST_DETAIL = 0.15  # cycles per degree, as in params.yml
STIMULUS = 0.25   # s
IMAGE_HEIGHT = 30


def choose_designs(images, repeats, rates):
    """Designs (images, repeats, rate): every size at the units' own rate, the largest at every rate.

    Parameters
    ----------
    images, repeats : list of int
    rates : list of float
        Factors on the firing rate.
    """
    sizes = [(n, t, 1.0) for n in sorted(images) for t in sorted(repeats)]
    return sizes + [(max(images), t, float(rate)) for rate in sorted(rates) if rate != 1
                    for t in sorted(repeats)]


def simulate_recovery(designs, *, units=14, image_height=IMAGE_HEIGHT, steps=60, seed=0,
                      progress=False):
    """True response to MEIs that were made from recordings of several sizes.

    All designs show the same images to the same units, which are those of `lib.truth` that prefer
    something, in equal shares of the kinds to within one.

    Parameters
    ----------
    designs : list of (images, repeats, rate)
        `rate` multiplies baseline and gain of every unit.
    units : int
        At least 7, one of each kind.
    image_height : int
        Pixels; lower than in the report, for speed.
    steps : int
        Of the ascent, at most.
    seed : int

    Returns
    -------
    DataFrame, one row a unit and design
        unit_id, truth_kind, images, repeats, rate, spikes_per_second (of the unit, mean over the
        images), response_ratio (true response to the MEI over that to the optimum), grey_ratio (the
        same for a grey screen) and truth_correlation (of MEI and optimum).
    """
    rng = np.random.default_rng([seed, 5])
    kinds = [kind for kind in KINDS if kind not in ("untuned", "silent")]
    if units < len(kinds):
        raise ValueError(f"{units} units asked for; give at least {len(kinds)}, one of each kind")
    table = make_units({k: units // len(kinds) + (i < units % len(kinds))
                        for i, k in enumerate(kinds)}, seed=[seed, 6])
    truth = TrueUnits(table).eval()
    shown = simulation.dead_leaves(max(n for n, _, _ in designs), rng=rng).astype(np.float32) / 255
    images = session.resize(shown, image_height)
    shape, degrees = images.shape[1:], SCENE_HEIGHT / image_height
    target = {"mean": float(images.mean()),
              "contrast": CONTRAST * float(images.std(axis=(1, 2)).mean())}
    core = models.V1Core(shape, degrees_per_pixel=degrees).eval()
    with torch.no_grad():
        features = core(torch.from_numpy(images)[:, None])
    expected = mei.predicted_responses(truth, images)
    grey, optimum = ground_truth.reference_responses(truth, shape, **target)
    rows = []
    for design in tqdm(designs, desc="designs", disable=not progress):
        n, repeats, rate = design
        counts = _record(expected[:n] * rate, repeats, rng=np.random.default_rng([seed, 7]))
        model = models.fit_windowed(features[:n], counts.mean(0), core).eval()
        found = mei.localise(model, mei.most_exciting_input(
            model, shape, starts=("grey",), steps=steps, seed=seed,
            highest_frequency=FINEST_DETAIL * degrees, **target)).best_images
        true = mei.predicted_responses(truth, found).diagonal()
        rows.append(pd.DataFrame({
            "unit_id": table.index, "truth_kind": table.truth_kind.to_numpy(),
            "images": n, "repeats": repeats, "rate": rate,
            "spikes_per_second": rate * expected.mean(0) / STIMULUS,
            "response_ratio": true / optimum, "grey_ratio": grey / optimum,
            "truth_correlation": [
                truth.truth_correlation(image, unit, degrees_per_pixel=degrees)
                for image, unit in zip(found, table.index)]}))
    return pd.concat(rows, ignore_index=True)


def recovery_by_design(recovered, *, resamples=1000):
    """Median over units for every design, with its bootstrap interval over units.

    Parameters
    ----------
    recovered : DataFrame
        Of `simulate_recovery`.

    Returns
    -------
    DataFrame, one row a design
        images, repeats, rate, minutes (of stimulation), spikes_per_second and grey_ratio (medians
        over units), median, low and high of response_ratio, truth_correlation (median).
    """
    rows = []
    for (n, repeats, rate), units in recovered.groupby(["images", "repeats", "rate"]):
        low, high = bootstrap_interval(units.response_ratio.to_numpy(), resamples=resamples)
        rows.append({"images": n, "repeats": repeats, "rate": rate,
                     "minutes": n * repeats * STIMULUS / 60,
                     "spikes_per_second": units.spikes_per_second.median(),
                     "grey_ratio": units.grey_ratio.median(),
                     "median": units.response_ratio.median(), "low": low, "high": high,
                     "truth_correlation": units.truth_correlation.median()})
    return pd.DataFrame(rows)


def shortest_design(by_design, *, goal, rate=1.0):
    """Return the row of the design of least stimulation whose median reaches a goal, or None."""
    enough = by_design[(by_design["median"] >= goal) & (by_design.rate == rate)]
    return None if enough.empty else enough.loc[enough.minutes.idxmin()]


def _record(expected, repeats, *, rng):
    """Poisson counts (repeats, images, units) under the shared gain of the simulated sessions."""
    hour = simulation.shared_gain(STIMULUS * np.arange(3600 / STIMULUS), rng=rng)
    return rng.poisson(expected * rng.choice(hour, (repeats, len(expected), 1)))


def lines(by_design, along):
    """What the figure draws: recovery along one factor, a line for each number of repeats.

    Parameters
    ----------
    by_design : DataFrame
        Of `recovery_by_design`.
    along : str
        images (at the units' own rate) or spikes_per_second (at the largest number of images).

    Returns
    -------
    dict of str to DataFrame with columns x, value, low, high
    """
    kept = by_design[by_design.rate == 1] if along == "images" else by_design[
        by_design.images == by_design.images.max()]
    return {f"{repeats} repeats": rows.sort_values(along)[[along, "median", "low", "high"]]
            .set_axis(["x", "value", "low", "high"], axis=1)
            for repeats, rows in kept.groupby("repeats")}


def sentence(by_design, *, goal):
    """Say which design at the units' own rate is the shortest that reaches a goal, or that none does."""
    best = shortest_design(by_design, goal=goal)
    if best is None:
        top = by_design.loc[by_design["median"].idxmax()]
        return (f"No design at the units' own rate reaches {goal:g} of the optimum's response in the "
                f"median; the most that any reaches is {top['median']:.2f}.")
    return (f"At the units' own rate ({best.spikes_per_second:.1f} spikes per second) the shortest of "
            f"these recordings whose MEIs reach {goal:g} of the optimum's response in the median shows "
            f"{best.images:.0f} images {best.repeats:.0f} times, {best.minutes:.1f} minutes of "
            f"stimulation; it reaches {best['median']:.2f} (95 % interval {best.low:.2f} to "
            f"{best.high:.2f}).")


def load_designs(run_folder):
    """Read the table of a run and its number of units.

    Raises
    ------
    InputError
        One line with the command, if it is not there.
    """
    path = Path(run_folder) / "power.json"
    if not path.exists():
        raise InputError(f"{path} is not there: `make report` makes it, before 08_population")
    content = json.loads(path.read_text())["scalars"]
    return pd.DataFrame(content["designs"]), content["units"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", help="JSON text: run_folder, images, repeats, rates, units, seed")
    parameters = json.loads(parser.parse_args().parameters)
    run_folder = Path(parameters.pop("run_folder"))
    stage = Stage("power", run_folder, None, dict(parameters), time.time())
    designs = choose_designs(*(parameters.pop(k) for k in ("images", "repeats", "rates")))
    recovered = simulate_recovery(designs, progress=sys.stderr.isatty(), **parameters)
    table = recovery_by_design(recovered)
    scalars = {"units": recovered.unit_id.nunique(), "designs": table.to_dict("list")}
    provenance = stage.provenance()
    write_json(run_folder / "power.json", {"scalars": scalars, "provenance": provenance})
    print(f"power: done ({provenance['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
