"""How much recording a most exciting input needs: recovery against images, repeats, firing rate.

Model neurons whose optimum is known are shown natural-like images; the default model is fitted to
part of the recording, makes each unit's MEI, and computes the true neuron's response to it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from lib.data import session, simulated_session
from lib.data.simulated_neurons import KINDS, SCENE_HEIGHT, TrueUnits, make_units
from lib.errors import InputError
from lib.mei import localise, search
from lib.mei import truth as ground_truth
from lib.mei.ascent import AscentSettings
from lib.models import cores, ensemble, v1
from lib.statistics import bootstrap_interval
from lib.stimuli.contrast import Target

STIMULUS = 0.25  # s
IMAGE_HEIGHT = 30


def choose_designs(images: list[int], repeats: list[int], rates: list[float]) -> list[tuple[int, int, float]]:
    """Designs (images, repeats, rate): every size at the units' own rate, the most images at every rate."""
    repeats = sorted(repeats)
    sizes = [(n, t, 1.0) for n in sorted(images) for t in repeats]
    return sizes + [(max(images), t, float(rate)) for rate in sorted(rates) if rate != 1 for t in repeats]


def simulate_recovery(
    designs: list[tuple[int, int, float]],
    *,
    contrast: float,
    finest_detail: float,
    units: int = 14,
    image_height: int = IMAGE_HEIGHT,
    steps: int = 60,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """True response to MEIs that were made from recordings of several sizes.

    All designs show the same images to the same units: simulated neurons (`lib.data.simulated_neurons`)
    that prefer something, in equal shares of the kinds to within one.

    Parameters
    ----------
    designs : list of (images, repeats, rate)
        `rate` multiplies baseline and gain of every unit.
    contrast : float
        RMS contrast of the MEIs over the mean standard deviation of the images.
    finest_detail : float
        Cycles per degree; no MEI holds detail above it.
    units : int
        At least 7, one of each kind.
    image_height : int
        Pixels; lower than in the report, for speed.

    Returns
    -------
    DataFrame, one row per unit and design
        unit_id, truth_kind, images, repeats, rate, spikes_per_second (of the unit, mean over the
        images), response_ratio (true response to the MEI over that to the optimum), grey_ratio (the
        same for a grey screen) and truth_correlation (of MEI and optimum).
    """
    rng = np.random.default_rng([seed, 5])
    kinds = [kind for kind in KINDS if kind not in ("untuned", "silent")]
    if units < len(kinds):
        raise ValueError(f"{units} units asked for; give at least {len(kinds)}, one of each kind")
    table = make_units(
        {k: units // len(kinds) + (i < units % len(kinds)) for i, k in enumerate(kinds)}, seed=[seed, 6]
    )
    truth = TrueUnits(table).eval()
    shown = simulated_session.dead_leaves(max(n for n, _, _ in designs), rng=rng).astype(np.float32) / 255
    images = session.resize(shown, image_height)
    shape, degrees = images.shape[1:], SCENE_HEIGHT / image_height
    target = Target(float(images.mean()), contrast * float(images.std(axis=(1, 2)).mean()))
    settings = AscentSettings(steps, highest_frequency=finest_detail * degrees)
    core = cores.V1Core(shape, degrees_per_pixel=degrees).eval()
    with torch.no_grad():
        features = core(torch.as_tensor(images)[:, None])
    expected = ensemble.predicted_responses(truth, images)
    grey, optimum = ground_truth.reference_responses(truth, shape, target)
    windows = {n: v1.window_kernels(features[:n], core) for n in {n for n, _, _ in designs}}
    rows = []
    for design in tqdm(designs, desc="designs", disable=not progress):
        n, repeats, rate = design
        counts = _record(expected[:n] * rate, repeats, rng=np.random.default_rng([seed, 7]))
        model = v1.fit_windowed(features[:n], counts.mean(0), core, windows=windows[n]).eval()
        found = search.most_exciting_input(
            model, shape, target, starts=("grey",), settings=settings, seed=seed
        )
        found = localise.localise(model, found).best_images
        true = ensemble.predicted_responses(truth, found).diagonal()
        rows.append(
            pd.DataFrame(
                {
                    "unit_id": table.index,
                    "truth_kind": table.truth_kind.to_numpy(),
                    "images": n,
                    "repeats": repeats,
                    "rate": rate,
                    "spikes_per_second": rate * expected.mean(0) / STIMULUS,
                    "response_ratio": true / optimum,
                    "grey_ratio": grey / optimum,
                    "truth_correlation": [
                        truth.truth_correlation(image, unit, degrees_per_pixel=degrees)
                        for image, unit in zip(found, table.index)
                    ],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def recovery_by_design(recovered: pd.DataFrame) -> pd.DataFrame:
    """Median over units for every design of `simulate_recovery`, with its bootstrap interval over units.

    Returns
    -------
    DataFrame, one row per design
        images, repeats, rate, minutes (of stimulation), spikes_per_second and grey_ratio (medians
        over units), median, low and high of response_ratio, truth_correlation (median).
    """
    rows = []
    for (n, repeats, rate), units in recovered.groupby(["images", "repeats", "rate"]):
        low, high = bootstrap_interval(units.response_ratio.to_numpy(), resamples=1000)
        rows.append(
            {
                "images": n,
                "repeats": repeats,
                "rate": rate,
                "minutes": n * repeats * STIMULUS / 60,
                "spikes_per_second": units.spikes_per_second.median(),
                "grey_ratio": units.grey_ratio.median(),
                "median": units.response_ratio.median(),
                "low": low,
                "high": high,
                "truth_correlation": units.truth_correlation.median(),
            }
        )
    return pd.DataFrame(rows)


def recovery_by_kind(recovered: pd.DataFrame) -> pd.DataFrame:
    """Recovery of every kind of unit against the number of images, at the units' own rate and most repeats.

    Returns
    -------
    DataFrame
        kind, x (number of images), value (mean of response_ratio over the units of the kind), low and high
        (their range).
    """
    rows = recovered[(recovered.rate == 1) & (recovered.repeats == recovered.repeats.max())]
    found = rows.groupby(["truth_kind", "images"]).response_ratio.agg(["mean", "min", "max"]).reset_index()
    return found.set_axis(["kind", "x", "value", "low", "high"], axis=1)


def shortest_design(by_design: pd.DataFrame, *, goal: float, rate: float = 1.0) -> pd.Series | None:
    """Return the row of the design of least stimulation whose median reaches a goal, or None."""
    enough = by_design[(by_design["median"] >= goal) & (by_design.rate == rate)]
    return None if enough.empty else enough.loc[enough.minutes.idxmin()]


def _record(expected, repeats, *, rng):
    """Poisson counts (repeats, images, units) under the shared gain of the simulated sessions."""
    hour = simulated_session.shared_gain(STIMULUS * np.arange(3600 / STIMULUS), rng=rng)
    return rng.poisson(expected * rng.choice(hour, (repeats, len(expected), 1)))


def lines(by_design: pd.DataFrame, along: str) -> dict[str, pd.DataFrame]:
    """What the figure draws: a table (x, value, low, high) for each number of repeats.

    Along images (at the units' own rate) or spikes_per_second (at the largest number of images).
    """
    kept = by_design.rate == 1 if along == "images" else by_design.images == by_design.images.max()
    table = by_design.loc[kept, ["repeats", along, "median", "low", "high"]].sort_values(along)
    table.columns = ["repeats", "x", "value", "low", "high"]
    return {f"{n} repeats": rows.drop(columns="repeats") for n, rows in table.groupby("repeats")}


def load_designs(run_folder: Path | str) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Read what `recovery_by_design` and `recovery_by_kind` found in a run, and the number of units."""
    path = Path(run_folder) / "power.json"
    if not path.exists():
        raise InputError(f"{path} is not there: `make report` makes it, before 08_population")
    content = json.loads(path.read_text())["scalars"]
    return pd.DataFrame(content["designs"]), pd.DataFrame(content["kinds"]), content["units"]
