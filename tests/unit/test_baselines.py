"""Committed numbers of the small run: what leaves its tolerance is told, a refresh keeps the reasons."""

import json

import numpy as np
import pandas as pd
import yaml

from tests import baselines

QUANTITIES = {
    "best": {
        "file": "units.csv",
        "column": "r",
        "statistic": "max",
        "where": {"kind": "a"},
        "value": 0.5,
        "tolerance": 0.01,
        "reason": "rounding",
    },
    "spikes": {
        "file": "data.json",
        "key": "scalars.counts.-1",
        "value": 7,
        "tolerance": 0,
        "reason": "whole",
    },
}


def run(folder, r=0.505, spikes=7):
    pd.DataFrame({"r": [0.1, r, 0.9], "kind": ["a", "a", "b"]}).to_csv(folder / "units.csv")
    (folder / "data.json").write_text(json.dumps({"scalars": {"counts": [1, spikes]}}))
    return folder


def test_a_number_out_of_its_tolerance_is_told(tmp_path):
    """Fault: rows of another kind, another statistic, or one tolerance for all numbers."""
    assert baselines.compare(run(tmp_path), QUANTITIES).kept.tolist() == [True, True]
    moved = baselines.compare(run(tmp_path, r=0.48, spikes=8), QUANTITIES)
    assert moved.kept.tolist() == [False, False] and moved.here.tolist() == [0.48, 8]
    assert np.isclose(moved.difference["best"], -0.02)
    none = {"undefined": QUANTITIES["best"] | {"where": {"kind": "none"}}}
    assert not baselines.compare(tmp_path, none).kept.any()


def test_a_refresh_changes_values_alone(tmp_path):
    """Fault: tolerances and reasons lost, or values that no longer hold when they are read back."""
    file = tmp_path / "baselines.yml"
    file.write_text("# why\n\n" + yaml.safe_dump(QUANTITIES))
    table = baselines.compare(run(tmp_path, r=1 / 3, spikes=9), QUANTITIES)
    baselines.store(QUANTITIES, table.here, path=file)
    again = yaml.safe_load(file.read_text())
    assert file.read_text().startswith("# why\n") and again["spikes"]["value"] == 9
    assert baselines.compare(tmp_path, again).kept.all()
    assert {name: q | {"value": 0} for name, q in again.items()} == {
        name: q | {"value": 0} for name, q in QUANTITIES.items()
    }


def test_every_committed_number_has_a_tolerance_and_a_reason():
    """Fault: a tolerance as wide as the number itself, which nothing can leave."""
    for name, quantity in yaml.safe_load(baselines.FILE.read_text()).items():
        assert len(quantity["reason"]) > 20, name
        assert 0 <= quantity["tolerance"] <= 0.1 * max(abs(quantity["value"]), 2.5), name
