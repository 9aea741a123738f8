"""The page of one unit: what was found on one screen, then its stages one after the other."""

import json
import re

import numpy as np
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
from lib.errors import InputError
from lib.mei import words as mei_words
from lib.stages import NOTEBOOK, UNIT_STAGES, load_result
from lib.words import show
from workflow.render import render

NOTEBOOKS = tuple(NOTEBOOK[stage] for stage in UNIT_STAGES)
MANY = 40  # units; with more, their pages are not in the side bar and do not show their code
LABELS = columns.shown("index", units=False)
ABOVE = ("verdict", "mei_response", "gabor_response", "image_response")  # of LABELS, drawn in the dashboard


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
        shown = [cell for cell in shown if not is_provenance(cell)]
        cells += one_figure_each(without_empty_sections(shown))
    if text := provenance(run_folder / "units" / str(unit)):
        cells.append(markdown_cell(text))
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


def unit_heading(glance, row, folder):
    """Return the top of a unit's page: what was found, on one screen.

    Parameters
    ----------
    glance : dict
        Of `book._ext.neurons.glances`.
    row : Series
        Of units.csv.
    folder : Path
        The unit's results.
    """
    values = [
        f"{label} {show(row[name]).replace('_', ' ')}"
        for name, label in LABELS.items()
        if name in row.index and not pd.isna(row[name]) and name not in ABOVE
    ]
    return render(
        "unit.md.jinja",
        g=glance,
        checks=checks(folder),
        probability=probability(row),
        field=field(glance, row, folder),
        ranged=any(r["low"] is not None for r in glance["responses"]),
        warnings=warnings(folder),
        values=values,
    )


def warnings(folder):
    """Return the warnings of a unit's stages: drift, a mask that loses much, counts beyond the recorded."""
    said = []
    for stage in UNIT_STAGES:
        if (folder / f"{stage}.json").exists():
            content = json.loads((folder / f"{stage}.json").read_text()).get("scalars", {})
            said += [text for name in content if name.endswith("_warnings") for text in content[name]]
    return said


def probability(row):
    """Return what a run says of the probability that the MEI is right, or nothing."""
    if pd.isna(row.get("verdict_probability", np.nan)):
        return ""
    text = f"Probability that the MEI is right: {100 * row.verdict_probability:.0f} %"
    low, high = row.get("verdict_probability_low", np.nan), row.get("verdict_probability_high", np.nan)
    return text + ("." if pd.isna(low) else f" ({100 * low:.0f} to {100 * high:.0f} %).")


def checks(folder):
    """Return the checks behind a verdict: name, figure, threshold, and whether it was passed."""
    try:
        saved, _ = load_result(folder, "mei")
    except InputError:
        return []
    return [
        {
            "name": mei_words.FIGURES[check["figure"]],
            "value": "not measured" if np.isnan(value := np.float64(check["value"])) else f"{value:.2f}",
            "needed": f"{check['threshold']:.2f}",
            "sign": "✓" if check["passed"] else "✗",
            "word": "passed" if check["passed"] else "failed",
            "tone": "passed" if check["passed"] else "missed",
        }
        for check in saved.get("verdict_checks", [])
    ]


def field(glance, row, folder):
    """Return the recorded field and the MEI's place in parts of the picture, or None without pictures."""
    zoom = glance["zoom"]
    if not zoom:
        return None
    saved, _ = load_result(folder, "gabor")
    degrees, side, (h, w) = zoom["degrees"], zoom["side"], zoom["screen"]

    def place(x, y):
        return (
            round(100 * (w / 2 + x / degrees - zoom["left"]) / side, 1),
            round(100 * (h / 2 - y / degrees - zoom["top"]) / side, 1),
        )

    def size(value):
        return round(100 * value / degrees / side, 1)

    mapped = saved.get("map_p") is not None and saved["map_p"] < 0.05 and saved.get("map_x") is not None
    return {
        "mei": None
        if pd.isna(row.get("mei_x", np.nan))
        else (*place(row.mei_x, row.mei_y), size(row.mei_radius)),
        "map": (
            *place(saved["map_x"], saved["map_y"]),
            size(saved["map_sigma_x"]),
            size(saved["map_sigma_y"]),
        )
        if mapped
        else None,
    }


def without_empty_sections(cells):
    """Return cells without the sections that say only that there is nothing: one line in italics."""
    kept, section = [], []

    def close():
        said = [
            "".join(o.get("data", {}).get("text/markdown", "?")).strip()
            for cell in section
            for o in cell.get("outputs", [])
        ]
        if not said or not all(re.fullmatch(r"\*[^*]+\*", text) for text in said):
            kept.extend(section)
        section.clear()

    for cell in cells:
        if cell["cell_type"] == "markdown" and re.match(r"#{2,} ", cell["source"]):
            close()
        section.append(cell)
    close()
    return kept


def is_provenance(cell):
    """Tell whether a cell shows the provenance of its stage."""
    return any(
        "".join(o.get("data", {}).get("text/markdown", "")).startswith("| provenance |")
        for o in cell.get("outputs", [])
    )


def provenance(folder):
    """Return the provenance of all stages of a unit, once."""
    stages = {}
    for stage in UNIT_STAGES:
        if (file := folder / f"{stage}.json").exists():
            content = json.loads(file.read_text(encoding="utf-8"))
            if "provenance" in content:
                stages[NOTEBOOK[stage]] = content["provenance"]
    return render("provenance.md.jinja", stages=stages, unit=folder.name) if stages else ""
