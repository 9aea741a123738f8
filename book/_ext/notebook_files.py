"""Executed notebooks as pages: read, shortened, written."""

import copy
import json
import re
from pathlib import Path

HIDDEN_TAGS = {"parameters", "injected-parameters", "papermill-error-cell-tag"}
KEPT_METADATA = ("kernelspec", "language_info")


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
    path.write_text(
        json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}),
        encoding="utf-8",
    )


def visible(cells):
    """Return the cells that a reader sees: no parameters, nothing that papermill put in."""
    return [cell for cell in cells if not HIDDEN_TAGS & set(cell["metadata"].get("tags", []))]


def without_code(cell):
    """Return a cell whose code is not shown."""
    if cell["cell_type"] != "code":
        return cell
    tags = {*cell["metadata"].get("tags", []), "remove-input"} - {"hide-input"}
    return {**cell, "metadata": cell["metadata"] | {"tags": sorted(tags)}}


def markdown_cell(text):
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


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
