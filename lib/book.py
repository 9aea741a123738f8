"""The book of a run: gather its pages, build them, put the site in place.

    python -m lib.book build/<name>
"""

import argparse
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lib.errors import InputError
from lib.params import ROOT

SOURCE = ROOT / "book"
CHAPTERS = ("01_data", "02_rasterplot", "03_oracle", "08_population")
UNIT_STAGES = ("04_cnn", "05_mei", "06_gabor", "07_metrics")
HIDDEN_TAGS = {"parameters", "injected-parameters", "papermill-error-cell-tag"}
KEPT_METADATA = ("kernelspec", "language_info")
LABELS = {  # column of units.csv: its heading in the tables of units
    "structure": "area", "truth_kind": "true kind", "oracle_correlation": "oracle correlation",
    "correlation_to_average": "prediction", "cc_norm": "CCnorm", "mei_response": "MEI",
    "gabor_response": "best Gabor", "image_response": "best image",
    "linear_rf_response": "linear RF", "mei_truth_correlation": "MEI and truth"}
MISSING = "–"


def build_book(run_folder):
    """Build the site of a run; the site that was there is replaced only if the build succeeds.

    Parameters
    ----------
    run_folder : str or Path
        `build/<name>`, with everything that the pipeline left there.

    Returns
    -------
    Path
        `build/<name>/site/index.html`.

    Raises
    ------
    InputError
        One line: what is missing and the command that makes it, or that Jupyter Book complained.
    """
    run_folder = Path(run_folder).resolve()
    pages = gather_pages(run_folder)
    shutil.rmtree(run_folder / "_build", ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build",
               str(pages), "-n", "-W", "--keep-going", "--config", str(ROOT / "_config.yml"),
               "--path-output", str(run_folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=run_folder,
                          env=os.environ | {"PYTHONWARNINGS": "ignore"})
    output = done.stdout + done.stderr
    (run_folder / "book.log").write_text(output)
    if done.returncode:
        complaints = [line for line in output.splitlines() if re.search(r"WARNING|ERROR", line)]
        raise InputError("\n".join([f"the book was not built, {len(complaints)} complaints, all in "
                                    f"{run_folder / 'book.log'}", *complaints[:20]]))
    site = put_in_place(run_folder / "_build" / "html", run_folder / "site")
    shutil.rmtree(run_folder / "_build")
    return site / "index.html"


def put_in_place(new, site):
    """Make the folder `new` the site; an earlier site is removed only after that."""
    shutil.rmtree(new / "_sources", ignore_errors=True)
    old = site.with_name(".site.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)
    return site


def gather_pages(run_folder):
    """Write every source page of the book to `pages/` of the run's folder, which it returns."""
    table, units = read_units(run_folder)
    pages = run_folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(SOURCE, pages, ignore=shutil.ignore_patterns("mathjax", ".*"))
    shutil.copytree(SOURCE / "mathjax", pages / "_extra" / "mathjax")
    shutil.copy(run_folder / "units.csv", pages / "units.csv")
    shutil.copy(required(run_folder, "conclusions.md"), pages / "_run_conclusions.md")
    (pages / "_run_box.md").write_text(run_box(run_folder, pages))
    labels = book_labels(pages)
    for name in CHAPTERS:
        notebook = read_notebook(required(run_folder, f"notebooks/{name}.ipynb"))
        labels |= labels_of(notebook["cells"])
        notebook["cells"] = visible(notebook["cells"])
        write_notebook(pages / f"{name}.ipynb", notebook["cells"], notebook["metadata"])
    for unit in units:
        cells, metadata = unit_page(run_folder, unit, unit_heading(unit, table), labels)
        write_notebook(pages / "units" / f"{unit}.ipynb", cells, metadata)
        if (thumbnail := run_folder / "units" / str(unit) / "mei.png").exists():
            shutil.copy(thumbnail, pages / "units" / f"{unit}.png")
    (pages / "units.md").write_text(units_index(table, units, pages))
    write_toc(pages / "_toc.yml", units)
    return pages


def required(run_folder, name):
    """Return the path of a file that the pipeline must have left.

    Raises
    ------
    InputError
        If it is not there: one line that names the command.
    """
    path = Path(run_folder) / name
    if not path.is_file():
        raise InputError(f"{path} is missing: the run is not finished, `make report` goes on with it")
    return path


def read_units(run_folder):
    """Return units.csv as a DataFrame (index unit_id) and the ids that get a page.

    The pages are those of selected.json where there is one, else the rows with `selected`.
    """
    table = pd.read_csv(required(run_folder, "units.csv"), index_col="unit_id")
    listed = Path(run_folder) / "selected.json"
    units = json.loads(listed.read_text()) if listed.exists() else table.index[table["selected"]]
    units = [int(unit) for unit in units]
    if unknown := sorted(set(units) - set(table.index)):
        raise InputError(f"units.csv has no row for unit {unknown[0]}, which is selected; "
                         "`make report` goes on with the run")
    return table, units


def read_notebook(path):
    """Return a notebook as plain JSON, with every source and text as one string."""
    notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                output["data"]["text/markdown"] = "".join(output["data"]["text/markdown"])
    return notebook


def write_notebook(path, cells, metadata):
    """Write cells as a notebook, with ids that follow their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{**cell, "id": f"cell-{n}"} for n, cell in enumerate(cells)]
    metadata = {key: metadata[key] for key in KEPT_METADATA if key in metadata}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4,
                                "nbformat_minor": 5}), encoding="utf-8")


def visible(cells):
    """Return the cells that a reader sees: no parameters, nothing that papermill put in."""
    return [cell for cell in cells if not HIDDEN_TAGS & set(cell["metadata"].get("tags", []))]


def unit_page(run_folder, unit, heading, book_labels):
    """Return (cells, metadata) of one unit's page: its stages one after the other.

    Parameters
    ----------
    run_folder : Path
    unit : int
    heading : str
        Markdown of the top of the page.
    book_labels : set of str
        Labels of the other pages. On the page of a unit that failed, a reference to a figure that
        was not made becomes words, because the book must still build.
    """
    cells, metadata, complete = [markdown_cell(heading)], {}, True
    for stage in UNIT_STAGES:
        path = run_folder / "units" / str(unit) / f"{stage}.ipynb"
        if not path.is_file():
            cells.append(markdown_cell(notice(stage, "it was not run")))
            complete = False
            continue
        notebook = read_notebook(path)
        metadata = metadata or notebook["metadata"]
        shown = [shift_headings(cell) for cell in visible(notebook["cells"])]
        shown, failed = until_error(shown)
        if failed:
            title = shown.pop(0) if shown[0]["cell_type"] == "markdown" else None
            cells += ([title] if title else []) + [markdown_cell(notice(stage, failed))]
            complete = False
        cells += shown
    labels = labels_of(cells)
    cells = [rename_labels(cell, labels, unit) for cell in cells]
    if not complete:
        renamed = {f"{label}-{unit}" for label in labels} | book_labels
        cells = [drop_dead_references(cell, renamed) for cell in cells]
    return cells, metadata


def markdown_cell(text):
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def notice(stage, reason):
    """Return the box that says why a stage is not shown, or only in part."""
    return f":::{{error}}\nStage `{stage}` of this unit has no result: {reason}.\n:::"


def until_error(cells):
    """Return the cells up to the first that failed, and its error as one line of Markdown or None.

    Of the cell that failed only the error is kept: a figure that it had begun is not a result.
    """
    for n, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                text = f"{output['ename']}: {output['evalue']}".splitlines()[0]
                tags = {"tags": cell["metadata"].get("tags", [])}
                stopped = {**cell, "outputs": [output], "metadata": tags}
                return [*cells[:n], stopped], f"it stopped with `{text.replace('`', chr(39))}`"
    return cells, None


def shift_headings(cell):
    """Return a cell whose Markdown headings are one level deeper (code fences are left alone)."""
    if cell["cell_type"] != "markdown":
        return cell
    fenced, lines = False, []
    for line in cell["source"].splitlines():
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
        lines.append(f"#{line}" if not fenced and re.match(r"#{1,5} ", line) else line)
    return {**cell, "source": "\n".join(lines)}


def labels_of(cells):
    """Return the labels that cells define: of figures that were made, targets and equations."""
    labels = set()
    for cell in cells:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure and cell.get("outputs"):
            labels.add(figure["name"])
        if cell["cell_type"] == "markdown":
            labels |= text_labels(cell["source"])
    return labels


def text_labels(text):
    """Return the labels that Markdown defines: `(label)=`, `$$ (label)` and `:name: label`."""
    found = re.findall(r"^\(([\w:-]+)\)=|^\s*(?:\$\$.*)?\$\$ \(([\w:-]+)\)|^:(?:name|label): (\S+)",
                       text, re.MULTILINE)
    return {label for groups in found for label in groups if label}


def book_labels(pages):
    """Return the labels that the hand-written pages define."""
    return set().union(*(text_labels(page.read_text()) for page in pages.glob("*.md")))


def rename_labels(cell, labels, unit):
    """Return a cell in which every label, and every reference to one, ends in the unit's id."""
    if not labels:
        return cell
    names = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    return change_text(cell, lambda text: re.sub(
        rf"(?<![\w-])({names})(?![\w-])", rf"\1-{unit}", text))


def drop_dead_references(cell, labels):
    """Return a cell in which references to labels that are nowhere have become words."""
    def words(match):
        alive = (match["role"] or match["link"]) in labels
        return match[0] if alive else match["text"] or "(not made)"
    return change_text(cell, lambda text: re.sub(
        r"\{(?:numref|ref|eq)\}`(?:[^`<]*<)?(?P<role>[^`<>]+)>?`|\[(?P<text>[^\]]*)\]\(#(?P<link>[^)]+)\)",
        words, text))


def change_text(cell, change):
    """Return a cell with `change` applied to its Markdown: source, displayed text, figure's words."""
    cell = copy.copy(cell)
    if cell["cell_type"] == "markdown":
        return cell | {"source": change(cell["source"])}
    if figure := cell["metadata"].get("mystnb", {}).get("figure"):
        cell["metadata"] = copy.deepcopy(cell["metadata"])
        cell["metadata"]["mystnb"]["figure"] = {k: change(str(v)) for k, v in figure.items()}
    if any("text/markdown" in output.get("data", {}) for output in cell.get("outputs", [])):
        cell["outputs"] = copy.deepcopy(cell["outputs"])
        for output in cell["outputs"]:
            if "text/markdown" in output.get("data", {}):
                output["data"]["text/markdown"] = change(output["data"]["text/markdown"])
    return cell


def unit_heading(unit, table):
    """Return the top of a unit's page: title, where it stands in units.csv, the way back."""
    row = table.loc[unit]
    shown = [name for name in LABELS if name in row.index and not pd.isna(row[name])]
    lines = ["| " + " | ".join(LABELS[name] for name in shown) + " |",
             "|" + "---|" * len(shown),
             "| " + " | ".join(show(row[name]) for name in shown) + " |"]
    words = "\n".join(lines) if shown else ""
    return (f"# Unit {unit}\n\n:::{{div}} unit-values\n{words}\n:::\n\n"
            "[All neurons](../units.md) · responses in spikes per window, as predicted by models "
            "that were not used to make the stimulus.")


def show(value):
    """Return a value of a table as a reader sees it; what is not there is a dash."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{value:.2f}" if value == 0 or 0.005 <= abs(value) < 1e4 else f"{value:.2g}"
    return str(value)


def units_index(table, units, pages):
    """Return the page of all units that have one: thumbnails and a table that can be sorted."""
    names = [name for name in LABELS if name in table and table.loc[units, name].notna().any()]
    gallery = [f"[![Most exciting input of unit {unit}](units/{unit}.png)\n{unit}](units/{unit}.ipynb)\n"
               for unit in units if (pages / "units" / f"{unit}.png").exists()]
    lines = ["| unit | " + " | ".join(LABELS[name] for name in names) + " |",
             "|---" * (len(names) + 1) + "|"]
    for unit in units:
        values = [show(table.at[unit, name]) for name in names]
        lines.append(f"| [{unit}](units/{unit}.ipynb) | " + " | ".join(values) + " |")
    parts = [f"# Neurons\n\n{len(units)} of {len(table)} units have a page of their own. "
             "{download}`units.csv <units.csv>` has a row for every unit."]
    if gallery:
        parts.append("::::{div} gallery\n" + "\n".join(gallery) + "\n::::")
    parts.append("A click on a heading sorts the table. *Prediction* is the correlation of predicted "
                 "and average response to images the model had not seen; *MEI*, *best Gabor*, *best "
                 "image* and *linear RF* are responses to these stimuli at equal mean and contrast.")
    parts.append("::::{div} sortable\n" + "\n".join(lines) + "\n::::")
    return "\n\n".join(parts) + "\n"


def run_box(run_folder, pages):
    """Return what the first page says about this run: summary.json, and overview.png if there."""
    summary = json.loads(required(run_folder, "summary.json").read_text())
    lines = [":::::{admonition} This run", ":class: tip run-box"]
    lines += [f"- {sentence}" for sentence in summary.get("sentences", [])]
    scalars = {name: value for name, value in summary.get("scalars", {}).items() if value is not None}
    if scalars:
        lines += ["", "| " + " | ".join(name.replace("_", " ") for name in scalars) + " |",
                  "|" + "---|" * len(scalars), "| " + " | ".join(map(show, scalars.values())) + " |"]
    lines.append(":::::\n")
    overview = run_folder / "figures" / "overview.png"
    if overview.exists():
        shutil.copy(overview, pages / "_run_overview.png")
        words = summary.get("overview", {})
        lines += ["```{figure} _run_overview.png", ":name: fig-overview",
                  f":alt: {words.get('alt', 'Overview of the run, drawn by notebook 08_population')}",
                  "", words.get("caption", "Overview of this run."), "```"]
    return "\n".join(lines) + "\n"


def write_toc(path, units):
    """Fill the pages of the units into the table of contents, below the page `units`."""
    toc = yaml.safe_load(path.read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    index = next(chapter for chapter in chapters if chapter["file"] == "units")
    if units:
        index["sections"] = [{"file": f"units/{unit}"} for unit in units]
    path.write_text(yaml.safe_dump(toc, sort_keys=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, help="build/<name>")
    try:
        print(f"the book: {build_book(parser.parse_args().run_folder)}")
    except InputError as error:
        sys.exit(f"book: {error}")


if __name__ == "__main__":
    main()
