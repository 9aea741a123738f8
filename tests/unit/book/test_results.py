"""The chapter "Load the results in Python" is true of the small run: needs build/small, like nbval."""

import re

import numpy as np
import pandas as pd
import pytest

from lib.files import ROOT

RUN = ROOT / "build" / "small"
CHAPTER = (ROOT / "book" / "results.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(not (RUN / "loop.csv").exists(), reason="`make small` makes build/small")


def documented():
    """{file: names of keys or columns} of the chapter's tables."""
    found, file = {}, None
    for line in CHAPTER.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) < 3 or cells[0] in ("file", "---"):
            continue
        file = cells[0].strip("`") or file
        found.setdefault(file, []).extend(re.findall(r"`(\w+)`", cells[1]))
    return found


def files_of(name):
    return sorted(RUN.glob(name.replace("<id>", "*").replace("<kind>", "*")))


def test_every_key_of_every_npz_is_documented_and_there():
    """Fault: an array that nobody is told of, or a key that was renamed."""
    arrays = {name: keys for name, keys in documented().items() if name.endswith(".npz")}
    known = {path for name in arrays for path in files_of(name)}
    left_out = ("site", "pages", "figure_data")  # the data of figures name their curves themselves
    made = {path for path in RUN.rglob("*.npz") if not set(path.relative_to(RUN).parts) & set(left_out)}
    assert {path.name for path in made - known} <= {"simulated_images.npz"}
    for name, keys in arrays.items():
        assert files_of(name), name
        for path in files_of(name):
            with np.load(path) as file:
                assert sorted(file.files) == sorted(keys), path


def test_every_column_of_the_loop_is_documented():
    for name, columns in documented().items():
        if name.endswith(".csv"):
            assert sorted(pd.read_csv(RUN / name).columns) == sorted(columns), name


def test_the_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", CHAPTER, re.DOTALL)
    exec(example.replace("build/simulated", str(RUN)), {})
    assert re.match(r"\d+ [a-z ]+ \(60, 77\) correlation", capsys.readouterr().out)
