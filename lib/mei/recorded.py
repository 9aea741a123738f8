"""Does an MEI lie where, and is it oriented as, responses to recorded Gabors and gratings say?

How much that says was measured on recorded units, with other units' MEIs as the control: `recorded.json`,
beside this module, is what `benchmarks/bench_listening.py --store` found. It is little, for or against; an
MEI that the recording contradicts is not called well supported all the same.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.conditions import condition_means
from lib.mei.calibration import VERDICTS
from lib.responses import receptive_fields
from lib.responses.gaussian_fit import fit_gaussians
from lib.stimuli.patterns import orientation_difference

STORED = Path(__file__).with_suffix(".json")
FIELD_P = 0.01  # of the permutation test: units with a receptive field
# Degrees below which an MEI agrees with the recording, and from which it contradicts it.
EDGES = {"map_distance": (8.0, 16.0), "grating_turn": (25.0, 50.0)}


def fields(counts: np.ndarray, presentations: pd.DataFrame) -> pd.DataFrame:
    """Receptive fields among the recorded Gabors: `fit_gaussians` of the maps, averaged over orientations.

    The counts (P,) or (P, U) are those of all P presentations.
    """
    return fit_gaussians(*receptive_fields.response_map(condition_means(counts, presentations)))


def disagreement(
    counts: np.ndarray, presentations: pd.DataFrame | None, *, x: float, y: float, orientation: float
) -> dict:
    """How far a unit's MEI (x, y, orientation: degrees) is from what it responds to among recorded stimuli.

    The counts (P,) are those of all P presentations.

    Returns
    -------
    dict of float
        map_distance, degrees from the centre of the receptive field among the recorded Gabors, where
        their place matters (`position_test`); grating_turn, degrees from the orientation preferred
        among static gratings, where the interval of that is below 90 degrees; NaN where the session
        cannot tell.
    """
    found = {"map_distance": np.nan, "grating_turn": np.nan}
    names = set() if presentations is None else set(presentations.stimulus_name)
    if "gabors" in names and receptive_fields.position_test(counts, presentations)[0] < FIELD_P:
        field = fields(counts, presentations).iloc[0]
        found["map_distance"] = float(np.hypot(x - field.x, y - field.y))
    if "static_gratings" in names:
        tuning = receptive_fields.grating_tuning(counts, presentations).iloc[0]
        if tuning.orientation_high - tuning.orientation_low < 90:
            found["grating_turn"] = float(orientation_difference(orientation, tuning.orientation))
    return found


def log_ratio(name: str, value: float) -> float:
    """What a value of `disagreement` adds to the log odds that an MEI is right.

    How much more often units' own MEIs than other units' had such a value, between `EDGES`.
    """
    ratios = json.loads(STORED.read_text(encoding="utf-8"))[name]["log_ratio"]
    return ratios[int(np.searchsorted(EDGES[name], value, "right"))]


def by_verdict(units: pd.DataFrame) -> pd.DataFrame:
    """How far the MEIs of units.csv are from what was recorded, by verdict, with other units as the control.

    Returns
    -------
    DataFrame, index verdict, best first
        mapped (units with a recorded field), map_distance (median, degrees), map_distance_other (median
        over the fields of the other units), tuned (units with a preferred grating), grating_turn (median,
        degrees; 45 by chance).
    """
    units = units[units.verdict.notna()]
    mapped = units[units.mei_map_distance.notna() & units.mei_x.notna()]
    off = np.hypot(*(mapped[[f"mei_{c}"]].to_numpy() - mapped[f"map_{c}"].to_numpy() for c in ("x", "y")))
    np.fill_diagonal(off, np.nan)
    rows = {}
    for word in VERDICTS:
        own = units[units.verdict == word]
        near, tuned = own.mei_map_distance.dropna(), own.mei_grating_turn.dropna()
        others = pd.Series(off[(mapped.verdict == word).to_numpy()].ravel()).dropna()
        rows[word] = {
            "mapped": len(near),
            "map_distance": near.median(),
            "map_distance_other": others.median(),
            "tuned": len(tuned),
            "grating_turn": tuned.median(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("verdict")
