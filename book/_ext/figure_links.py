"""Below each figure a link to its data."""

import copy
import shutil

import numpy as np

from lib import figure_data
from lib.stages import FIGURE_DATA
from workflow.render import render

MOST_DATA, LARGEST_DATA = 60e6, 10e3  # bytes of all data of units' figures; of a file, if there are more


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
            if file := files.get(figure_data.name_of(text)):
                cell = copy.deepcopy(cell)
                cell["metadata"]["mystnb"]["figure"]["caption"] += " " + data_link(
                    file, figure["name"], pages, up=up, largest=largest
                )
        offered.append(cell)
    return offered


def data_link(file, label, pages, *, up="", largest=np.inf):
    """Return the HTML that offers the data of a figure, which are copied to where it leads."""
    if file.stat().st_size > largest:
        place = "/".join(file.parts[file.parts.index("units") :])
        return f"Data: `{place}` of the run."
    target = pages / "_extra" / "data" / f"{label}{file.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)
    return data_anchor(target, up=up)


def data_anchor(file, *, up=""):
    """Return the link to a file below `data` of the site, `up` from the page."""
    return render(
        "figure_data.html.jinja",
        up=up,
        file=file.name,
        kind=file.suffix[1:].upper(),
        size=max(1, round(file.stat().st_size / 1000)),
    )


def largest_offered(run_folder, units):
    """Return the size up to which data of figures on units' pages go into the site: all, if it is few."""
    total = sum(
        file.stat().st_size
        for unit in units
        for file in (run_folder / "units" / str(unit) / FIGURE_DATA).glob("*/*")
    )
    return np.inf if total < MOST_DATA else LARGEST_DATA
