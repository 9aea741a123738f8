"""Figures on pages: dark where the reader's screen is, and cut into their panels on a narrow one."""

import copy
import io
import itertools
import re

from lib import figures
from workflow.pictures import SVG, lighter

# Colours in a dark page; the browser tells by the colour scheme of the page.
DARK = {
    "#000000": "#dddddd",
    "#777777": "#aaaaaa",
    "#0072b2": "#3a9bd9",
    "#882255": "#d0609a",
    "#ffffff": "none",
}
NARROW = 0.12  # of the figure: a narrower axis is a colour bar, which belongs to the panel at its left


def dressed(cells):
    """Return cells whose figures suit a dark page, and say where they can be cut into panels."""
    done = []
    for cell in cells:
        if any(SVG in output.get("data", {}) for output in cell.get("outputs", [])):
            cell = copy.deepcopy(cell)
            for output in cell["outputs"]:
                if SVG in output.get("data", {}):
                    text = "".join(output["data"][SVG])
                    output["data"][SVG] = text.replace("</style>", f"{dark(text)}</style>", 1)
                    if cuts := panel_cuts(text):
                        image = cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})
                        image["classes"] = "cut-" + "-".join(map(str, cuts))
        done.append(cell)
    return done


def drawn(ax):
    """Return the figure of an axis as SVG for a page that no notebook makes."""
    stream = io.StringIO()
    ax.figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None})
    figures.plt.close(ax.figure)
    svg = lighter(stream.getvalue()[stream.getvalue().index("<svg") :])
    return svg.replace("</style>", f"{dark(svg)}</style>", 1)


def dark(svg):
    """Return the rules of a dark page for an SVG of `workflow.pictures.lighter`: its classes in `DARK`."""
    rules = []
    for name, style in re.findall(r"^(\.s\d+) \{(.*)\}$", svg, re.MULTILINE):
        for what, colour in re.findall(r"(fill|stroke): (#[0-9a-f]{6})", style):
            if colour in DARK:
                rules.append(f"{name} {{{what}: {DARK[colour]}}}")
    return "@media (prefers-color-scheme: dark) {text {fill: #dddddd}\n" + "\n".join(rules) + "}\n"


def panel_cuts(svg):
    """Return where a figure can be cut, top to bottom, between its panels; empty for one panel.

    Parameters
    ----------
    svg : str
        Of matplotlib: the ground of each axis is the first path of its group.

    Returns
    -------
    list of int
        Thousandths of the width.
    """
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
    spans = []
    for axis in re.findall(r'<g id="axes_\d+">\s*<g id="patch_\d+">\s*<path d="([^"]+)"', svg):
        xs = [float(x) for x in re.findall(r"[ML] ([-\d.]+) ", axis)]
        spans.append((min(xs) / width, max(xs) / width))
    panels = []
    for low, high in sorted(spans):
        if panels and (low < panels[-1][1] or high - low < NARROW):
            panels[-1] = (panels[-1][0], max(high, panels[-1][1]))
        else:
            panels.append((low, high))
    return [round(1000 * (a[1] + 0.25 * (b[0] - a[1]))) for a, b in itertools.pairwise(panels)]
