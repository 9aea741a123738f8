"""Notebooks 01 to 03 on odd sessions: a clear line, and nothing lost for the other units."""

import ast
import json
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.data import session as sessions
from lib.data.sources import choose
from lib.errors import InputError
from lib.files import ROOT

NOTEBOOKS = ROOT / "notebooks"
RNG = np.random.default_rng(0)
RATES = np.outer(RNG.gamma(1.0, 3.0, 6), np.ones(5)) * RNG.gamma(1.0, 1.0, (6, 5))


def record(*, images=6, repeats=4, silent=False, odd=False):
    """Five tuned units; `odd` adds a silent one and one with a single spike; one metric is missing.

    `silent` leaves one spike in all: a recording without any is refused."""
    frames = np.tile(np.r_[-1, np.arange(images)], repeats)
    onsets = 20 + 0.25 * np.arange(len(frames))
    rng = np.random.default_rng(1)
    drawn = rng.poisson(np.where(frames[:, None] < 0, 0.5, RATES[frames]) * (not silent))
    times = [np.sort(np.repeat(onsets, n) + rng.uniform(0.06, 0.24, n.sum())) for n in drawn.T]
    times[0] = onsets[3:4] + 0.1 if silent else times[0]
    times += [np.empty(0), onsets[3:4] + 0.1] if odd else []
    ids = pd.Index(range(11, 11 + len(times)), name="unit_id")
    units = pd.DataFrame({"structure": "V1", "snr": np.linspace(1, 2, len(ids))}, index=ids)
    units.iloc[1, 1] = np.nan
    presentations = pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 0.25,
            "stimulus_name": "natural_scenes",
            "stimulus_block": 0.0,
            "frame": frames.astype(float),
        }
    )
    return sessions.Recording(
        name="odd",
        source="test",
        units=units,
        images=rng.random((images, 16, 20)),
        image_ids=np.arange(images),
        degrees_per_pixel=1.0,
        presentations=presentations,
        spike_times=times,
        structures={"V1": len(units)},
    )


def write(folder, *, spikes=True, **changes):
    """Write the session.h5 of a recording."""
    session = sessions.from_recording(record(**changes), latency=0.05, duration=0.2, image_height=16)
    if not spikes:
        session.spike_times = session.presentations = session.blank_counts = None
    sessions.save_session(session, folder / "session.h5")
    return folder


def execute(name, folder, **parameters):
    """Execute the cells of a notebook; returns what it shows, as text."""
    matplotlib.use("Agg")
    shown, names = [], {"__name__": "__main__"}

    def display(value):
        for method in ("_repr_html_", "_repr_markdown_"):
            if text := getattr(value, method, lambda: None)():
                return shown.append(text)

    names["display"] = display
    for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), names)
        if last is not None:
            display(eval(compile(ast.Expression(last.value), name, "eval"), names))
        if "parameters" in cell["metadata"]["tags"]:
            names |= {"run_folder": str(folder)} | parameters
    plt.close("all")
    return "\n".join(shown)


def execute_data(folder, monkeypatch, **changes):
    monkeypatch.setattr(choose, "load_recording", lambda *args, **options: record(**changes))
    monkeypatch.setattr(choose, "contents", lambda *args: {})
    return execute("01_data", folder, source="test", structure="V1", image_height=16)


def test_data_of_odd_units_are_shown_and_written_whole(tmp_path, monkeypatch):
    """Fails if a silent unit or a missing metric stops the page, or the tables lose zeros or units."""
    text = execute_data(tmp_path, monkeypatch, odd=True)
    assert "7 units" in text and not re.search(r"\bnan\b", text, re.IGNORECASE)
    session = sessions.load_session(tmp_path)
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert trials.columns.tolist() == ["trial_id", "neuron_id", "spike_count", "image_id"]
    assert len(trials) == 7 * 7 * 4 and (trials.neuron_id == 16).sum() == 28
    assert trials.spike_count[trials.neuron_id == 16].eq(0).all()
    means = pd.read_csv(tmp_path / "mean_response.csv", index_col="image_id")
    long = trials[trials.image_id >= 0].pivot_table("spike_count", "image_id", "neuron_id")
    np.testing.assert_allclose(means, long)
    np.testing.assert_allclose(means, session.counts.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("change", [{"repeats": 1}, {"silent": True}])
def test_data_with_no_signal_have_a_page(tmp_path, monkeypatch, change):
    """Fails if a latency is invented, or its absence is a traceback or nan on the page."""
    text = execute_data(tmp_path, monkeypatch, **change)
    assert "At no time after image onset" in text and not re.search(r"\bnan\b", text, re.IGNORECASE)


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")


def test_silent_and_one_spike_units_change_nothing_for_the_others(tmp_path):
    """Fails if a unit without a value stops a page, is selected, or moves another unit's figures."""
    tables = []
    for name, odd in (("plain", False), ("odd", True)):
        (tmp_path / name).mkdir()
        folder = write(tmp_path / name, odd=odd)
        execute("02_rasterplot", folder)
        execute("03_oracle", folder, bootstrap=50)
        tables.append(
            (
                pd.read_csv(folder / "oracle.csv", index_col=0),
                pd.read_csv(folder / "correlations.csv", index_col=0),
            )
        )
    (plain, partners), (odd, odd_partners) = tables
    assert odd.index.tolist() == [11, 12, 13, 14, 15, 16, 17]
    measures = [
        c
        for c in plain
        if c.split("_")[0] in ("oracle", "cc", "split", "explainable")
        and c not in ("oracle_draws", "oracle_published")
    ]  # their draws depend on the units
    pd.testing.assert_frame_equal(odd.loc[plain.index, measures], plain[measures])
    assert odd.loc[[16, 17], measures].isna().all(axis=None)
    assert not odd.loc[[16, 17], "selected"].any() and odd.selected.any()
    shared = ["highest_correlation", "most_correlated"]
    moved = odd_partners.loc[plain.index, "most_correlated"] == 17
    pd.testing.assert_frame_equal(
        odd_partners.loc[plain.index, shared][~moved], partners[shared][~moved], check_dtype=False
    )


def test_the_selected_units_stand_in_their_own_table_best_first(tmp_path):
    """Fails if the table and the list that the later stages use are not the same units."""
    execute("03_oracle", write(tmp_path), bootstrap=50, oracle_percentile=20.0, variance_percentile=20.0)
    table = pd.read_csv(tmp_path / "selected_units.csv", index_col=0)
    assert table.index.tolist() == json.loads((tmp_path / "selected.json").read_text())
    assert table.oracle.is_monotonic_decreasing and 0 < len(table) < 5


@pytest.mark.parametrize(
    "change, why",
    [
        ({"repeats": 1}, "shown at least twice"),
        ({"images": 1}, "two images"),
        ({"silent": True}, "two trials with a spike"),
    ],
)
def test_a_session_that_selects_nothing_says_why_in_one_line(tmp_path, change, why):
    """Fails if one repeat, one image or silence is a traceback, or advises other percentiles."""
    folder = write(tmp_path, **change)
    execute("02_rasterplot", folder)
    with pytest.raises(InputError, match=why) as error:
        execute("03_oracle", folder, bootstrap=50)
    assert "\n" not in str(error.value)


def test_units_named_by_the_reader_need_no_oracle(tmp_path):
    """Fails if a session of one repeat cannot be used at all, or a wrong id passes."""
    folder = write(tmp_path, repeats=1)
    execute("03_oracle", folder, bootstrap=50, units=[13, 11])
    assert set(json.loads((folder / "selected.json").read_text())) == {11, 13}
    with pytest.raises(InputError, match="unit 99 is not among the 5 units"):
        execute("03_oracle", folder, bootstrap=50, units=[99])


def test_counts_without_spike_times_are_enough(tmp_path):
    """Fails if a source of counts alone loses more than the raster and what needs spike times."""
    folder = write(tmp_path, spikes=False)
    assert "no spike times, so this page shows neither a raster" in execute("02_rasterplot", folder)
    text = execute("03_oracle", folder, bootstrap=50)
    assert "trials without a spike dropped" in text and "counted from onset" not in text


def test_a_single_unit_has_its_pages(tmp_path):
    """Fails if clustering, partners or the selection need a second unit."""
    folder = write(tmp_path)
    session = sessions.load_session(folder)
    session.units, session.spike_times = session.units[:1], session.spike_times[:1]
    for name in ("counts", "blank_counts", "presentation_counts"):
        setattr(session, name, getattr(session, name)[..., :1])
    sessions.save_session(session, folder / "session.h5")
    assert "no correlation is defined" in execute("02_rasterplot", folder)
    execute("03_oracle", folder, bootstrap=50, units=[11])
