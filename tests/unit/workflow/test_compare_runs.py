"""Two runs side by side: what changed, by how much, and what was declared differently."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from lib.errors import InputError
from workflow import compare_runs

UNITS = list(range(10, 20))


def table(**columns):
    return pd.DataFrame(columns, index=pd.Index(UNITS, name="unit_id"))


@pytest.fixture
def runs(tmp_path):
    """Two finished runs of ten units, the second without the first unit and with another first."""
    old = table(
        selected=True, verdict=["well supported"] * 10, mei_response=np.arange(10.0), oracle_correlation=0.5
    )
    new = old.copy()
    new["mei_response"] += 2
    new.loc[12, "verdict"] = "uncertain"
    new.index = pd.Index([30, *UNITS[1:]], name="unit_id")
    folders = []
    for name, units, steps in (("old", old, 60), ("new", new, 80)):
        folder = tmp_path / name
        (folder / "units" / "11").mkdir(parents=True)
        units.to_csv(folder / "units.csv")
        made = {
            "stage": "mei",
            "parameters": {"steps": steps, "seed": 1},
            "revision": "abc",
            "packages": {"numpy": "1"},
        }
        (folder / "units" / "11" / "mei.json").write_text(json.dumps({"provenance": made}))
        folders.append(folder)
    return folders


def test_a_shift_of_all_units_is_found_with_its_size_and_its_units():
    """Fails if the sign is turned, units are matched by order, or medians are subtracted instead."""
    a = table(x=[0.0, 0, 0, 0, 0, 9, 9, 9, 9, 9])
    b = a.assign(x=a.x + [1, 1, 1, 1, 1, 1, 1, 1, -5, 1]).sample(frac=1, random_state=0)
    row = compare_runs.changes(a, b).loc["x"]
    assert (row.units, row.changed, row.lost, row.new) == (10, 10, 0, 0)
    assert row.difference == 1 and row.low == 1 and row.high == 1
    assert list(row.most)[0] == 18 and row.most[18] == -5


def test_values_in_one_run_only_are_counted_and_not_compared():
    a, b = table(x=1.0), table(x=1.0)
    a.loc[10, "x"] = np.nan
    b.loc[[11, 12], "x"] = np.nan
    row = compare_runs.changes(a, b).loc["x"]
    assert (row.units, row.lost, row.new, row.changed) == (7, 2, 1, 0) and row.most == {}


def test_orientations_differ_around_the_circle():
    """Fails if 178 and 2 degrees are called 176 apart."""
    row = compare_runs.changes(table(mei_orientation=178.0), table(mei_orientation=2.0)).iloc[0]
    assert row.difference == 4
    row = compare_runs.changes(table(mei_orientation=2.0), table(mei_orientation=178.0)).iloc[0]
    assert row.difference == -4


def test_the_last_digit_of_a_file_is_no_change():
    a = table(x=np.linspace(1, 2, 10))
    assert compare_runs.changes(a, a * (1 + 1e-15)).loc["x", "changed"] == 0


def test_words_that_differ_are_given_with_their_units():
    a = table(verdict=["well supported"] * 10)
    b = a.copy()
    b.loc[[13, 17], "verdict"] = "uncertain"
    b.loc[19, "verdict"] = None
    assert compare_runs.moves(a, b, "verdict") == {
        ("well supported", "uncertain"): [13, 17],
        ("well supported", "none"): [19],
    }


def test_the_page_says_what_is_different(runs):
    page = compare_runs.page(runs)
    assert "9 units are in both runs, 1 only in old, 1 only in new." in page
    assert "1 of 2 measures changed" in page
    assert "excludes 0 for mei_response (+2.00)" in page
    assert "Verdicts that differ: 1." in page
    assert "<td>mei.steps</td><td>60</td><td>80</td>" in page and "mei.seed" not in page
    assert "other neuron" not in page and "another neuron" not in page
    assert page.count("<img ") == 1 and "http" not in page


def test_runs_of_different_recordings_are_said_to_be(runs):
    """Fails if units of two simulations with the same numbers are compared without a word."""
    for folder, seed in zip(runs, (1, 2)):
        made = {"stage": "data", "parameters": {"session": seed}, "revision": "abc", "packages": {}}
        (folder / "data.json").write_text(json.dumps({"provenance": made}))
    assert "may be another neuron" in compare_runs.page(runs)


def test_a_run_against_itself_has_no_difference(runs):
    page = compare_runs.page([runs[0], runs[0]])
    assert "None of the 2 measures changed." in page and page.count("<p>None.</p>") == 3


def test_runs_without_a_common_unit_have_no_figure(runs):
    units = pd.read_csv(runs[1] / "units.csv")
    units.assign(unit_id=units.unit_id + 1000).to_csv(runs[1] / "units.csv", index=False)
    page = compare_runs.page(runs)
    assert "0 units are in both runs" in page and "<img" not in page


def test_a_run_that_is_not_finished_is_one_line(runs):
    (runs[1] / "units.csv").unlink()
    with pytest.raises(InputError, match="new/units.csv is not there: the run is not finished"):
        compare_runs.page(runs)


def test_names_of_runs_and_values_are_escaped(runs):
    """Fails if a template is taken for plain text: a run may be called what its folder may be."""
    units = pd.read_csv(runs[1] / "units.csv")
    units.loc[3, "verdict"] = "<b>'so & so'</b>"
    units.to_csv(runs[1] / "units.csv", index=False)
    runs = [folder.rename(folder.with_name(name)) for folder, name in zip(runs, ("a<b & c", 'd"e'))]
    page = compare_runs.page(runs)
    assert "<title>a&lt;b &amp; c and d&#34;e</title>" in page
    assert "1 only in a&lt;b &amp; c, 1 only in d&#34;e." in page
    assert "<h2>Units only in a&lt;b &amp; c</h2>\n<p>10</p>" in page
    assert "values in d&#34;e against those in a&lt;b &amp; c" in page
    assert "<td>&lt;b&gt;&#39;so &amp; so&#39;&lt;/b&gt;</td>" in page
    assert not re.search("a<b|<b>|&amp;(amp|lt|#)|e&#34;<", page)


def test_units_that_are_in_one_run_only_are_named(runs):
    page = compare_runs.page(runs)
    assert "<h2>Units only in old</h2>\n<p>10</p>" in page and "Units only in new</h2>\n<p>30</p>" in page
    assert "Units only in" not in compare_runs.page([runs[0], runs[0]])


def test_the_file_is_beside_the_second_run_and_a_whole_page(runs, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare_runs", *map(str, runs)])
    compare_runs.main()
    text = (runs[1].parent / "old_and_new.html").read_text()
    assert text.startswith("<!DOCTYPE html>\n<html lang") and text.endswith("</html>\n")
    assert "old_and_new.html" in capsys.readouterr().out
