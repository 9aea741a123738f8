"""Two runs side by side: which units, what changed and by how much, and what was declared differently.

python -m workflow.compare_runs build/A build/B          (make compare A=build/A B=build/B)
"""

import argparse
import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lib import columns, figures
from lib.errors import InputError
from lib.files import write_atomically
from lib.population.table import read_units
from lib.statistics import bootstrap_interval
from lib.words import show
from workflow.render import render

PERIOD = columns.PERIODS  # after which a value is the same
DRAWN = columns.shown("runs")
RECORDING = ("data.source", "data.session", "data.simulation")
MOST = 3  # units named as those that changed most


def changes(a, b, *, seed=0):
    """Return how each numeric column of two tables of units changed, over units that have both values.

    Parameters
    ----------
    a, b : DataFrame
        units.csv of two runs, index unit_id.
    seed : int
        Of the resamples of units.

    Returns
    -------
    DataFrame
        Index: column. units: how many have a value in both runs; lost, new: how many only in a, only in
        b; changed: how many differ; median_a, median_b; difference: median over units of b - a, with low
        and high, its 95 % bootstrap interval; most: {unit: b - a} of those that changed most, largest
        first. The difference of two orientations is at most 90 degrees.
    """
    units = a.index.intersection(b.index)
    rows = {}
    for name in a.columns.intersection(b.columns):
        if not all(pd.api.types.is_numeric_dtype(t[name]) and t[name].dtype != bool for t in (a, b)):
            continue
        left, right = (table.loc[units, name].astype(float) for table in (a, b))
        held = left.notna() & right.notna()
        moved = (right - left)[held].where(~np.isclose(left, right, rtol=1e-9)[held], 0.0)
        if name in PERIOD:
            moved = (moved + PERIOD[name] / 2) % PERIOD[name] - PERIOD[name] / 2
        low, high = bootstrap_interval(moved.to_numpy(), seed=seed)
        order = moved.abs().sort_values(ascending=False, kind="stable").index
        rows[name] = {
            "units": int(held.sum()),
            "lost": int((left.notna() & right.isna()).sum()),
            "new": int((left.isna() & right.notna()).sum()),
            "changed": int((moved != 0).sum()),
            "median_a": left[held].median(),
            "median_b": right[held].median(),
            "difference": moved.median(),
            "low": low,
            "high": high,
            "most": {unit: moved[unit] for unit in order[:MOST] if moved[unit] != 0},
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def moves(a, b, name):
    """Return the units whose word in a column differs: {(word in a, word in b): [units]}.

    A value that is not there is the word "none".
    """
    units = a.index.intersection(b.index)
    found = {}
    for unit in units:
        pair = tuple("none" if pd.isna(t.at[unit, name]) else show(t.at[unit, name]) for t in (a, b))
        if pair[0] != pair[1]:
            found.setdefault(pair, []).append(int(unit))
    return found


def declared(run_folder):
    """Return what a run was made with: {"stage.parameter": text}, git revisions and versions included.

    Where units differ, all their values are named.
    """
    values = {}
    for path in [
        *Path(run_folder).glob("*.json"),
        *Path(run_folder).glob("models/models.json"),
        *Path(run_folder).glob("units/*/*.json"),
    ]:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or "parameters" not in content.get("provenance", {}):
            continue
        made = content["provenance"]
        for key, value in made["parameters"].items():
            values.setdefault(f"{made['stage']}.{key}", set()).add(json.dumps(value, sort_keys=True))
        values.setdefault("git revision", set()).add(made["revision"])
        for key, value in made["packages"].items():
            values.setdefault(key, set()).add(value)
    return {name: ", ".join(sorted(texts)) for name, texts in values.items()}


def different(a, b):
    """Return the entries of two dicts that differ: {name: (value in a, value in b)}; none if missing."""
    pairs = {name: (a.get(name, "none"), b.get(name, "none")) for name in sorted(a.keys() | b.keys())}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def draw(a, b, names):
    """Return a figure, the units' values in one run against those in the other; None without any."""
    units = a.index.intersection(b.index)
    drawn = [
        name
        for name in DRAWN
        if name in a and name in b and (a.loc[units, name].notna() & b.loc[units, name].notna()).any()
    ]
    if not drawn:
        return None
    figures.plt.style.use(figures.STYLE)
    axes = np.atleast_1d(figures.panels(len(drawn), height=2.4))
    for ax, name in zip(axes, drawn):
        figures.scatter(
            ax,
            a.loc[units, name].to_numpy(),
            b.loc[units, name].to_numpy(),
            diagonal=True,
            xlabel=names[0],
            ylabel=names[1] if ax is axes[0] else "",
        )
        ax.set_title(DRAWN[name], fontsize=9)
    return axes[0].figure


def sentences(a, b, table, names, parameters):
    """Return what the page says first, as a list of sentences."""
    both = a.index.intersection(b.index)
    said = [
        f"{len(both)} units are in both runs, {len(a.index.difference(b.index))} only in "
        f"{names[0]}, {len(b.index.difference(a.index))} only in {names[1]}."
    ]
    if set(RECORDING) & parameters.keys():
        said.append("The runs are of different recordings: a unit of the same number may be another neuron.")
    moved = table.index[(table.changed + table.lost + table.new) > 0] if len(table) else []
    if len(both):
        said.append(
            f"{len(moved)} of {len(table)} measures changed for at least one unit."
            if len(moved)
            else f"None of the {len(table)} measures changed."
        )
        clear = [
            f"{name} ({signed(table.difference[name])})"
            for name in moved
            if table.low[name] > 0 or table.high[name] < 0
        ]
        if clear:
            said.append(
                f"The 95 % interval of the median difference excludes 0 for {', '.join(clear)}; "
                "these are single intervals, not corrected for their number."
            )
    if len(both) and "verdict" in a and "verdict" in b:
        other = sum(map(len, moves(a, b, "verdict").values()))
        said.append(f"Verdicts that differ: {other}.")
    return said


def signed(value):
    """Return a difference with its sign."""
    text = show(float(value))
    return text if text[0] in "-–" or value == 0 else f"+{text}"


def page(folders):
    """Return the page about two runs as one HTML text that needs nothing else.

    Parameters
    ----------
    folders : (Path, Path)
        `build/<name>` of both runs, finished.

    Raises
    ------
    InputError
        A run that is not finished: one line that says so.
    """
    (a, _), (b, _) = (read_units(folder) for folder in folders)
    names = [folder.name for folder in folders]
    parameters = different(*map(declared, folders))
    table = changes(a, b)
    figure = draw(a, b, names)
    return render(
        "compare_runs.html.jinja",
        a=names[0],
        b=names[1],
        sentences=sentences(a, b, table, names, parameters),
        picture=_picture(figure) if figure is not None else None,
        declared=[(name, *values) for name, values in parameters.items()],
        words=[
            (name, *pair, len(units), ", ".join(map(str, units)))
            for name in _words(a, b)
            for pair, units in moves(a, b, name).items()
        ],
        measures=[
            (
                name,
                row.units,
                row.lost,
                row.new,
                row.changed,
                row.median_a,
                row.median_b,
                signed(row.difference),
                f"{signed(row.low)} to {signed(row.high)}",
                ", ".join(f"{unit} ({signed(moved)})" for unit, moved in row.most.items()),
            )
            for name, row in table.iterrows()
            if row.changed + row.lost + row.new
        ],
        alone=[(names[0], [*a.index.difference(b.index)]), (names[1], [*b.index.difference(a.index)])],
        show=show,
    )


def _words(a, b):
    """Return the columns of both tables that hold words, or yes and no."""
    return [
        name
        for name in a.columns.intersection(b.columns)
        if not all(
            (pd.api.types.is_numeric_dtype(t[name]) and t[name].dtype != bool) or t[name].isna().all()
            for t in (a, b)
        )
    ]


def _picture(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=200)
    figures.plt.close(figure)
    return base64.b64encode(file.getvalue()).decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs=2, type=Path, metavar="build/NAME")
    folders = [folder.resolve() for folder in parser.parse_args().runs]
    out = folders[1].parent / f"{folders[0].name}_and_{folders[1].name}.html"
    try:
        text = page(folders)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    write_atomically(out, lambda path: path.write_text(f"{text}\n", encoding="utf-8"))
    print(f"the comparison: {out}")


if __name__ == "__main__":
    main()
