"""The book of a run: gather its pages, build them, put the site in place.

    python -m lib.book build/<name>
"""

import argparse
import copy
import functools
import html
import json
import os
import re
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lib import api_pages, cost, explore, plotted
from lib.errors import InputError
from lib.execute import with_palette
from lib.node import cores
from lib.params import ROOT
from lib.results import FIGURE_DATA, write_json

SOURCE = ROOT / "book"
CHAPTERS = ("01_data", "02_rasterplot", "03_oracle", "08_population", "09_audit")
UNIT_STAGES = ("04_cnn", "05_mei", "06_gabor", "07_metrics")
HIDDEN_TAGS = {"parameters", "injected-parameters", "papermill-error-cell-tag"}
KEPT_METADATA = ("kernelspec", "language_info")
LABELS = {  # column of units.csv: its heading in the tables of units
    "structure": "area", "truth_kind": "true kind", "verdict": "verdict",
    "oracle_correlation": "oracle correlation", "correlation_to_average": "correlation to average",
    "cc_norm": "CCnorm", "mei_response": "masked MEI",
    "gabor_response": "best Gabor", "image_response": "best image",
    "linear_rf_response": "linear RF", "mei_truth_correlation": "MEI and truth"}
MISSING = "–"
REFERENCE = re.compile(r"\{(?:numref|ref|eq)\}`(?:[^`<]*<)?(?P<role>[^`<>]+)>?`"
                       r"|\[(?P<text>[^\]]*)\]\(#(?P<link>[^)]+)\)")
MANY = 40  # units; with more, their pages are not in the side bar and do not show their code
MOST_DATA, LARGEST_DATA = 60e6, 10e3  # bytes of all data of units' figures; of a file, if there are more
OVERVIEW_CAPTION = ("Most exciting input, best Gabor and best natural image of selected neurons whose "
                    "MEI is reliable or uncertain (of any, if there is none), the most reliable "
                    "responses first; the rest stand in [](08_population.ipynb).")
COMPARISON = "fig-mei-gabor"  # of 08_population, also on the first page
OVERVIEW_ALT = ("Small images in rows of three for each selected neuron: most exciting input, best "
                "Gabor patch, best natural image")


def build_book(run_folder, *, jobs=None):
    """Build the site of a run; the site that was there is replaced only if the build succeeds.

    Parameters
    ----------
    run_folder : str or Path
        `build/<name>`, with everything that the pipeline left there.
    jobs : int, optional
        Number of processes; that of the cores if not given.

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
    command = [sys.executable, "-m", "lib.book_jobs", str(jobs or cores()), "build",
               str(pages), "-n", "-W", "--keep-going", "--path-output", str(run_folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    output = re.sub("\x1b\\[[0-9;]*m", "", done.stdout + done.stderr)  # colours
    (run_folder / "book.log").write_text(output, encoding="utf-8")
    if done.returncode:
        complaints = [line for line in output.splitlines() if re.search(r"WARNING|ERROR", line)]
        raise InputError("\n".join([f"the book was not built, {len(complaints)} complaints, all in "
                                    f"{run_folder / 'book.log'}", *complaints[:20]]))
    site = put_in_place(run_folder / "_build" / "html", run_folder / "site")
    shutil.rmtree(run_folder / "_build")
    return site / "index.html"


def put_in_place(new, site):
    """Make the folder `new` the site; an earlier site is removed only after that.

    The theme's script of icons (1.5 MB a page) is emptied: its style sheet draws them from a font.
    """
    shutil.rmtree(new / "_sources", ignore_errors=True)
    (new / "_static" / "scripts" / "fontawesome.js").write_text("")
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
    (pages / "_run_cost.md").write_text(cost.chapter(
        run_folder, units=len(table), selected=len(units)), encoding="utf-8")
    write_chapters(run_folder, pages)
    api_pages.write_api(pages / "api")
    (pages / "_run_box.md").write_text(run_box(run_folder, pages), encoding="utf-8")
    largest = largest_offered(run_folder, units)
    images = functools.cache(lambda: explore.natural_images(
        run_folder, pages / "_extra" / "explore" / "images.jpg"))
    for unit in units:
        cells, metadata = unit_page(run_folder, unit, unit_heading(unit, table))
        cells = offer_data(cells, run_folder / "units" / str(unit), pages, largest=largest)
        cells = add_explorers(cells, run_folder / "units" / str(unit), pages, images)
        if len(units) > MANY:
            cells = [without_code(cell) for cell in cells]
        write_notebook(pages / "units" / f"{unit}.ipynb", cells, metadata)
        if (thumbnail := run_folder / "units" / str(unit) / "mei.png").exists():
            shutil.copy(thumbnail, pages / "units" / f"{unit}.png")
    if len(units) > MANY:
        (pages / "units" / "code.md").write_text(code_page(run_folder, units[0]), encoding="utf-8")
    (pages / "units.md").write_text(units_index(table, units, pages), encoding="utf-8")
    write_toc(pages / "_toc.yml", [*units, *(["code"] if len(units) > MANY else [])])
    write_config(pages / "_config.yml", units)
    return pages


def write_chapters(run_folder, pages):
    """Write the notebooks about the population as chapters."""
    chapters = [read_notebook(required(run_folder, f"notebooks/{name}.ipynb")) for name in CHAPTERS]
    declared = set().union(*(declared_labels(chapter["cells"]) for chapter in chapters))
    shown = [one_figure_each(visible(chapter["cells"])) for chapter in chapters]
    dead = declared - set().union(*map(made_labels, shown))
    for name, cells, chapter in zip(CHAPTERS, shown, chapters, strict=True):
        cells = [drop_dead_references(cell, dead) for cell in cells]
        cells = offer_data(cells, run_folder, pages)
        write_notebook(pages / f"{name}.ipynb", cells, chapter["metadata"])


def required(run_folder, name):
    """Return the path of a file that the pipeline must have left.

    Raises
    ------
    InputError
        If it is not there: one line that names the command.
    """
    path = Path(run_folder) / name
    if not path.is_file():
        raise InputError(f"{path} is missing: the run is not finished; `make report` continues it")
    return path


def read_units(run_folder):
    """Return units.csv as a DataFrame (index unit_id) and the ids that get a page.

    The pages are those of selected.json where there is one, else the rows with `selected`.
    """
    table = pd.read_csv(required(run_folder, "units.csv"), index_col="unit_id")
    listed = Path(run_folder) / "selected.json"
    units = table.index[table["selected"]].tolist()
    if listed.exists():
        units = json.loads(listed.read_text(encoding="utf-8"))
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
    for stage in UNIT_STAGES:
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


def without_code(cell):
    """Return a cell whose code is not shown."""
    if cell["cell_type"] != "code":
        return cell
    tags = {*cell["metadata"].get("tags", []), "remove-input"} - {"hide-input"}
    return {**cell, "metadata": cell["metadata"] | {"tags": sorted(tags)}}


def code_page(run_folder, unit):
    """Return the page with the code of all units' pages, which is the same: taken from one unit's."""
    parts = ["# The code of these pages\n\nWhat stands on the page of every neuron was made by this code, "
             "stage by stage; the parameters are at the end of each stage."]
    for stage in UNIT_STAGES:
        path = run_folder / "units" / str(unit) / f"{stage}.ipynb"
        cells = visible(read_notebook(path)["cells"]) if path.is_file() else []
        code = "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
        parts.append(f"## {stage}\n\n````python\n{code}\n````")
    return "\n\n".join(parts) + "\n"


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


def one_figure_each(cells):
    """Return cells in which a figure's caption and label belong to one image, and to nothing else.

    A cell that should draw a figure may say instead why there is none, or display words beside it;
    MyST-NB would make a figure with that caption of each of them.
    """
    separate = []
    for cell in cells:
        if "figure" not in cell["metadata"].get("mystnb", {}):
            separate.append(cell)
            continue
        images = [output for output in cell.get("outputs", []) if is_image(output)]
        others = [output for output in cell.get("outputs", []) if not is_image(output)]
        tags = {"tags": cell["metadata"].get("tags", [])}
        if others or not images:
            separate.append({**cell, "metadata": tags, "outputs": others})
            cell = {**cell, "metadata": cell["metadata"] | {"tags": ["remove-input"]}}
        if images:
            separate.append({**cell, "outputs": images})
    return separate


def is_image(output):
    """Tell whether an output of a cell is a picture."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def offer_data(cells, folder, pages, *, largest=np.inf):
    """Return cells in which the caption of every figure ends in a link to the figure's data.

    Parameters
    ----------
    cells : list of dict
        Of one page, with labels that are unique in the book.
    folder : Path
        The results beside the notebooks of the page, with the data in `FIGURE_DATA`.
    pages : Path
        The data are copied to `_extra/data` of it.
    largest : float
        Bytes; of a larger file the caption says where in the run's folder it is.
    """
    files = {file.name.split(".")[0]: file for file in (folder / FIGURE_DATA).glob("*/*")}
    up = "../" if folder.parent.name == "units" else ""
    offered = []
    for cell in cells:
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        if figure and "name" in figure:
            text = "".join(cell["outputs"][0]["data"].get("text/plain", "")) if cell["outputs"] else ""
            if file := files.get(plotted.name_of(text)):
                cell = copy.deepcopy(cell)
                cell["metadata"]["mystnb"]["figure"]["caption"] += " " + data_link(
                    file, figure["name"], pages, up=up, largest=largest)
        offered.append(cell)
    return offered


def data_link(file, label, pages, *, up="", largest=np.inf):
    """Return the HTML that offers the data of a figure, which are copied to where it leads."""
    if file.stat().st_size > largest:
        place = "/".join(file.parts[file.parts.index("units"):])
        return f"Data: `{place}` of the run."
    target = pages / "_extra" / "data" / f"{label}{file.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)
    return data_anchor(target, up=up)


def data_anchor(file, *, up=""):
    """Return the link to a file below `data` of the site, `up` from the page."""
    kind, size = file.suffix[1:].upper(), max(1, round(file.stat().st_size / 1000))
    return f'<a class="figure-data" href="{up}data/{file.name}" download>Data ({kind}, {size} kB)</a>'


def add_explorers(cells, folder, pages, images):
    """Return a unit's cells with what a reader can take in hand put below the figures it belongs to.

    `images` is called once for shape and numbers of the natural images: `explore.natural_images`.
    """
    unit, place = folder.name, pages / "_extra" / "explore"
    below = {f"fig-prediction-{unit}": lambda: explore.responses(
                 folder, "../explore/images.jpg", *images()),
             f"fig-mei-path-{unit}": lambda: explore.ascent(
                 folder, place / f"{unit}.jpg", f"../explore/{unit}.jpg")}
    added = []
    for cell in cells:
        added.append(cell)
        label = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
        if label in below and (words := below[label]()):
            added.append(markdown_cell(words))
    return added


def largest_offered(run_folder, units):
    """Return the size up to which data of figures on units' pages go into the site: all, if it is few."""
    total = sum(file.stat().st_size for unit in units
                for file in (run_folder / "units" / str(unit) / FIGURE_DATA).glob("*/*"))
    return np.inf if total < MOST_DATA else LARGEST_DATA


def declared_labels(cells):
    """Return the labels that cells would define if all of them worked."""
    return made_labels([{**cell, "outputs": [{"data": {"image/png": ""}}]} for cell in cells])


def made_labels(cells):
    """Return the labels that cells do define: of figures that were drawn, targets and equations."""
    labels = set()
    for cell in cells:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure and any(map(is_image, cell.get("outputs", []))):
            labels.add(figure["name"])
        if cell["cell_type"] == "markdown":
            labels |= text_labels(cell["source"])
    return labels


def text_labels(text):
    """Return the labels that Markdown defines: `(label)=`, `$$ (label)` and `:name: label`."""
    found = re.findall(r"^\(([\w:-]+)\)=|^\s*(?:\$\$.*)?\$\$ \(([\w:-]+)\)|^:(?:name|label): (\S+)",
                       text, re.MULTILINE)
    return {label for groups in found for label in groups if label}


def rename_labels(cell, labels, unit):
    """Return a cell in which every label, and every reference to one, ends in the unit's id."""
    if not labels:
        return cell
    names = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    return change_text(cell, lambda text: re.sub(
        rf"(?<![\w-])({names})(?![\w-])", rf"\1-{unit}", text))


def drop_dead_references(cell, dead):
    """Return a cell in which references to labels that were not made have become words."""
    def words(match):
        if (match["role"] or match["link"]) not in dead:
            return match[0]
        return match["text"] or "(not made)"
    return change_text(cell, lambda text: REFERENCE.sub(words, text)) if dead else cell


def change_text(cell, change):
    """Return a cell with `change` applied to its Markdown: source, displayed text, captions."""
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
    gallery = [f"[![Most exciting input of unit {unit}](units/{unit}.png)\n{unit}]"
               f"(units/{unit}.ipynb)\n" for unit in units
               if (pages / "units" / f"{unit}.png").exists()]
    lines = ["| unit | " + " | ".join(LABELS[name] for name in names) + " |",
             "|---" * (len(names) + 1) + "|"]
    for unit in units:
        values = [show(table.at[unit, name]) for name in names]
        lines.append(f"| [{unit}](units/{unit}.ipynb) | " + " | ".join(values) + " |")
    parts = [f"# Neurons\n\n{len(units)} of {len(table)} units have a page of their own. "
             "{download}`units.csv <units.csv>` has a row for every unit."
             + (" Their pages share [their code](units/code.md)." if len(units) > MANY else "")]
    if gallery:
        parts.append("::::{div} gallery\n" + "\n".join(gallery) + "\n::::")
    parts.append("A click on a heading sorts the table. *Correlation to average* is that of "
                 "predicted and average response to images the model had not seen; *masked "
                 "MEI*, *best Gabor*, *best image* and *linear RF* are predicted responses at equal "
                 "mean, contrast and mask.")
    parts.append("::::{div} sortable\n" + "\n".join(lines) + "\n::::")
    return "\n\n".join(parts) + "\n"


def run_box(run_folder, pages):
    """Return what the first page says about this run: what was asked, what was found, how sure.

    The words are those of summary.json: `found` and `sure` are sentences, `failed` units are named,
    plain values and counts tabled. Two pictures are those of 08_population, if they were drawn there.
    """
    summary = json.loads(required(run_folder, "summary.json").read_text(encoding="utf-8"))
    found, sure = summary.pop("found", []), summary.pop("sure", [])
    if failed := [int(unit) for unit in summary.pop("failed", [])]:
        links = ", ".join(f"[{unit}](units/{unit}.ipynb)" for unit in failed)
        sure = [*sure, f"A stage failed, so that these neurons have no result: {links}."]
    asked = (f"{summary['selected']} of {summary['units']} recorded neurons were "
             "[selected](03_oracle.ipynb). Which image would each of them answer most, and is it more "
             "than a Gabor patch?")
    values = {name.replace("_", " "): counts_or_value(value) for name, value in summary.items()
              if value not in (None, {}, [])}
    lines = [":::::{admonition} This run", ":class: tip run-box"]
    for heading, sentences in (("Asked", [asked]), ("Found", found), ("How sure", sure)):
        lines += ["", f"**{heading}**", "", *(f"- {sentence}" for sentence in sentences)]
    lines += ["", "| " + " | ".join(values) + " |", "|" + "---|" * len(values),
              "| " + " | ".join(values.values()) + " |", ":::::", ""]
    overview = run_folder / "figures" / "overview.png"
    if overview.exists():
        lines += front_figure(pages, "fig-overview", overview.read_bytes(), alt=OVERVIEW_ALT,
                              caption=OVERVIEW_CAPTION, data_of="fig-gallery")
    population = read_notebook(run_folder / "notebooks" / "08_population.ipynb")
    for cell in population["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        pictures = [o["data"]["image/png"] for o in cell.get("outputs", []) if is_image(o)]
        if figure.get("name") == COMPARISON and pictures:
            lines += front_figure(
                pages, "fig-comparison", b64decode("".join(pictures[0])), caption=figure["caption"],
                alt=cell["metadata"]["mystnb"]["image"]["alt"], data_of=COMPARISON)
    return "\n".join(lines) + "\n"


def front_figure(pages, label, png, *, alt, caption, data_of):
    """Return the Markdown of a figure on the first page, and write its picture."""
    (pages / f"_{label}.png").write_bytes(with_palette(png))
    data = [data_anchor(file) for file in (pages / "_extra" / "data").glob(f"{data_of}.*")]
    return [f"```{{figure}} _{label}.png", f":name: {label}", f":alt: {alt}", "",
            " ".join([caption, *data]), "```", ""]


def counts_or_value(value):
    """Return a value, or counts by name, as a reader sees it."""
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return show(value)


def write_toc(path, units):
    """Fill the pages below `units` and `api` into the table of contents."""
    toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    below = {"units": units, "api": api_pages.PAGES}
    for chapter in (chapter for part in toc["parts"] for chapter in part["chapters"]):
        if names := below.get(chapter["file"]):
            chapter["sections"] = [{"file": f"{chapter['file']}/{name}"} for name in names]
    path.write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")


def write_config(path, units):
    """Write the book's settings; with many units the side bar does not list them.

    Sphinx works out the list of all pages anew for each page, which would take longer than all else.
    """
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    if len(units) > MANY:
        config["sphinx"]["config"]["html_sidebars"] = {
            "**": ["navbar-logo.html", "search-button-field.html", "chapters.html"]}
        template = path.parent / "_templates" / "chapters.html"
        template.write_text(chapters_sidebar(path.parent), encoding="utf-8")
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def chapters_sidebar(pages):
    """Return the template of a side bar with the chapters only, in the theme's own form."""
    toc = yaml.safe_load((pages / "_toc.yml").read_text(encoding="utf-8"))
    lines, number = [_side_links([f"<a href=\"{{{{ pathto('{toc['root']}') }}}}\">"
                                  f"{title_of(pages, toc['root'])}</a>"])], 0
    for part in toc["parts"]:
        links = []
        for chapter in part["chapters"]:
            number += 1
            links.append(f"<a href=\"{{{{ pathto('{chapter['file']}') }}}}\">{number}. "
                         f"{title_of(pages, chapter['file'])}</a>")
        lines += [f'<p class="caption" role="heading" aria-level="2"><span class="caption-text">'
                  f"{part['caption']}</span></p>", _side_links(links)]
    return ('<nav class="bd-links bd-docs-nav" aria-label="Main"><div class="bd-toc-item navbar-nav">'
            + "\n".join(lines) + "</div></nav>\n")


def _side_links(links):
    items = "".join(f'<li class="toctree-l1">{link}</li>' for link in links)
    return f'<ul class="nav bd-sidenav">{items}</ul>'


def title_of(pages, name):
    """Return the title of a page: its first heading."""
    if (path := pages / f"{name}.md").exists():
        text = path.read_text(encoding="utf-8")
    else:
        text = "\n".join(cell["source"] for cell in read_notebook(pages / f"{name}.ipynb")["cells"])
    return html.escape(re.search(r"^# (.+)$", text, re.MULTILINE)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, help="build/<name>")
    parser.add_argument("--jobs", type=int, help="number of processes; default: cores")
    arguments = parser.parse_args()
    started = time.time()
    print("book ...", flush=True)
    try:
        build_book(arguments.run_folder, jobs=arguments.jobs)
    except InputError as error:
        sys.exit(f"book: {error}")
    seconds = round(time.time() - started, 1)
    write_json(arguments.run_folder / "book.json", {"provenance": {"stage": "book", "seconds": seconds}})
    print(f"book: done ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
