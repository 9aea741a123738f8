"""The simulated animal on the next day: it is shown the exported pictures and answers with spike counts."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.data.simulated_neurons import TrueUnits
from lib.data.simulated_session import DURATION, IMAGE_SHAPE, shared_gain
from lib.experiment.folder import StimulusSet, read_picture
from lib.files import write_atomically

LOST = 0.1  # chance that a unit is not found again
MOVED = (1.0, 2.0)  # degrees, by which a receptive field has moved
RATE = 0.25  # SD of the log of the change of a unit's rate
NEW = 4  # units that were not there before
FIRST_ID = 960000000


def next_units(truth: TrueUnits, *, rng: np.random.Generator) -> TrueUnits:
    """Return the same units on the next day: their rates changed, their fields moved; none is lost yet."""
    table, n = truth.table.copy(), len(truth.table)
    factor = np.exp(RATE * rng.normal(size=n))
    way, far = rng.uniform(0, 2 * np.pi, n), rng.uniform(*MOVED, n)
    table["baseline"] *= factor
    table["gain"] *= factor
    table["x"] += far * np.cos(way)
    table["y"] += far * np.sin(way)
    return TrueUnits(table, scene_height=truth.scene_height)


def seen_images(shown: StimulusSet) -> np.ndarray:
    """Return what the pictures show on the screen, (n, 115, 147) luminances where the images stand."""
    screen, some = shown.screen, next(iter(shown.images.values()))
    how = dict(degrees_per_pixel=shown.degrees_per_pixel, pixels=IMAGE_SHAPE)
    luminances = (screen.luminance(read_picture(shown, name)) for name in shown.table.index)
    return np.stack([screen.crop(luminance, some.shape, **how) for luminance in luminances])


def expected_responses(units: TrueUnits, seen: np.ndarray) -> np.ndarray:
    """Expected counts (n, units) in 0.25 s of what `seen_images` returned, in double precision."""
    units = copy.deepcopy(units).double()
    with torch.no_grad():
        return units(torch.from_numpy(np.asarray(seen, float))[:, None]).numpy()


def record(
    expected: pd.DataFrame,
    presentations: pd.DataFrame,
    latency: np.ndarray,
    *,
    window: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Poisson counts (presentations, units) in the count window, under the shared gain of a session.

    Parameters
    ----------
    expected : DataFrame
        Counts in 0.25 s; index file, a column per unit.
    latency : (units,) array, s
        After which a response sets in; it lasts as long as its stimulus.
    window : (float, float)
        Start and stop, s after onset.
    """
    length = presentations.duration_s.to_numpy()[:, None]
    heard = np.minimum(latency + length, window[1]) - np.maximum(latency, window[0])
    gain = shared_gain(presentations.onset_s.to_numpy(), rng=rng)
    mean = expected.loc[presentations.file].to_numpy() * gain[:, None] * np.maximum(heard, 0) / DURATION
    return rng.poisson(mean)


def draw_day(truth: TrueUnits, shown: StimulusSet, *, seed: int) -> tuple[TrueUnits, np.random.Generator]:
    """Return the units that are found on the next day, in a new order, and the generator for what follows."""
    rng = np.random.default_rng([seed, 18])
    new = [u for u in truth.table.index if u not in shown.units][:NEW]
    units = next_units(truth.subset([*shown.units, *new]), rng=rng)
    kept = units.table.index[rng.random(len(units.table)) >= LOST]
    return units.subset(rng.permutation(kept)), rng


def answer(
    run_folder: Path | str, shown: StimulusSet, *, window: tuple[float, float], seed: int
) -> tuple[Path, Path]:
    """Simulate the next day of a session with truth.h5; returns the files of responses and of the units.

    Written as an experimenter would, to next_day/ of the run's folder: the units have new ids, some
    are lost, some are new, and the table of units says which is which. The window of the counts is in s
    after onset.
    """
    units, rng = draw_day(TrueUnits.load(Path(run_folder) / "truth.h5"), shown, seed=seed)
    expected = pd.DataFrame(expected_responses(units, seen_images(shown)), index=shown.table.index)
    latency = units.table.latency.to_numpy()
    counts = record(expected, shown.presentations, latency, window=window, rng=rng)
    ids = FIRST_ID + np.arange(len(units.table))
    folder = Path(run_folder) / "next_day"
    content = {
        "set": np.array(shown.name),
        "presentation": shown.presentations.presentation.to_numpy(),
        "counts": counts,
        "unit_ids": ids,
    }
    write_atomically(folder / "responses.npz", lambda path: np.savez_compressed(path, **content))
    again = pd.Series(ids, index=units.table.index).reindex(shown.units).astype("Int64")
    table = again.rename("next_unit_id").rename_axis("unit_id").reset_index()
    write_atomically(folder / "units.csv", lambda path: table.to_csv(path, index=False))
    return folder / "responses.npz", folder / "units.csv"
