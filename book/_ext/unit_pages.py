"""The page of one unit: its stages one after the other."""

import pandas as pd

from book._ext import explorers
from book._ext.labels import declared_labels, drop_dead_references, made_labels, rename_labels
from book._ext.notebook_files import (
    markdown_cell,
    one_figure_each,
    read_notebook,
    shift_headings,
    until_error,
    visible,
)
from lib import columns
from lib.stages import NOTEBOOK, UNIT_STAGES
from lib.words import show
from workflow.render import render

NOTEBOOKS = tuple(NOTEBOOK[stage] for stage in UNIT_STAGES)
MANY = 40  # units; with more, their pages are not in the side bar and do not show their code
LABELS = columns.shown("index", units=False)


def unit_page(run_folder, unit, heading):
    """Return (cells, metadata) of one unit's page: its stages one after the other.

    Parameters
    ----------
    run_folder : Path
    unit : int
    heading : str
        Markdown of the top of the page.
    """
    cells, metadata, declared = [markdown_cell(heading)], {}, set()
    for stage in NOTEBOOKS:
        path = run_folder / "units" / str(unit) / f"{stage}.ipynb"
        if not path.is_file():
            cells.append(markdown_cell(notice(stage, "it was not run")))
            continue
        notebook = read_notebook(path)
        metadata = metadata or notebook["metadata"]
        declared |= declared_labels(notebook["cells"])
        shown, failed = until_error([shift_headings(cell) for cell in visible(notebook["cells"])])
        if failed:
            shown.insert(1, markdown_cell(notice(stage, failed)))
        cells += one_figure_each(shown)
    made = made_labels(cells)
    cells = [drop_dead_references(cell, declared - made) for cell in cells]
    return [rename_labels(cell, made, unit) for cell in cells], metadata


def code_page(run_folder, unit):
    """Return the page with the code of all units' pages, which is the same: taken from one unit's."""
    stages = {}
    for stage in NOTEBOOKS:
        path = run_folder / "units" / str(unit) / f"{stage}.ipynb"
        cells = visible(read_notebook(path)["cells"]) if path.is_file() else []
        stages[stage] = "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    return render("units_code.md.jinja", stages=stages)


def notice(stage, reason):
    """Return the box that says why a stage is not shown, or only in part."""
    return render("no_result.md.jinja", stage=stage, reason=reason)


def add_explorers(cells, folder, pages, images):
    """Return a unit's cells with what a reader can take in hand put below the figures it belongs to.

    `images` is called once for shape and numbers of the natural images: `explorers.natural_images`.
    """
    unit, place = folder.name, pages / "_extra" / "explore"
    below = {
        f"fig-prediction-{unit}": lambda: explorers.responses(folder, "../explore/images.jpg", *images()),
        f"fig-mei-path-{unit}": lambda: explorers.ascent(
            folder, place / f"{unit}.jpg", f"../explore/{unit}.jpg"
        ),
    }
    added = []
    for cell in cells:
        added.append(cell)
        label = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
        if label in below and (words := below[label]()):
            added.append(markdown_cell(words))
    return added


def unit_heading(unit, table):
    """Return the top of a unit's page: title, where it stands in units.csv, the way back."""
    row = table.loc[unit]
    values = {
        label: show(row[name])
        for name, label in LABELS.items()
        if name in row.index and not pd.isna(row[name])
    }
    return render("unit.md.jinja", unit=unit, values=values)
