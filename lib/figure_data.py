"""What a figure shows: as text, stored with each picture, and as data, in a file beside the notebook.

The text lets a test compare what was drawn; a picture's alternative `text/plain` is not shown in the
book. The file of a figure is found by its text: book/_ext/site.py offers it to the reader below the figure.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter, FuncFormatter

BLOCKS = 8  # means of so many blocks along an array, or of 4 x 4 blocks of an image, stand for it
LARGE = 100_000
COLUMNS = ["panel", "series", "x", "y", "x_end", "y_end", "value"]


def describe_figures(folder: Path | str) -> None:
    """Let IPython describe each figure that it displays by `digest` and save its data in `folder`.

    The folder is emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)

    def describe(figure, printer, cycle):
        text = digest(figure)
        save(figure, Path(folder) / name_of(text))
        printer.text(text)

    Figure._repr_pretty_ = describe


def name_of(text: str) -> str:
    """Return the name, without ending, of the file of the figure whose digest is `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(figure: Figure, path: Path) -> None:
    """Save what a figure shows: `path`.csv, or `path`.npz if it shows an image.

    The table has a row for each point: `panel` (title or labels of the axis), `series` (its name in the
    legend, or its kind) and its place; bars, intervals and lines between two points also have an end.
    The arrays of an .npz are the same, named "panel: series", each image with its extent (left, right,
    bottom, top) in the units of the axes, and names along an axis as an array of their own. Images of
    more than `LARGE` values are kept to three digits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    series, arrays = [], {}
    for n, ax in enumerate(figure.axes, 1):
        if ax.get_label() == "<colorbar>":
            continue  # its image is that of the colours
        panel = panel_name(ax, n)
        series += [(panel, name, ax, frame) for name, frame in drawn_series(ax)]
        for shown in pictures(ax):
            name = _another(f"{panel}: image", arrays)
            arrays[name] = np.ma.filled(np.ma.asarray(shown.get_array(), np.float32), np.nan)
            if arrays[name].size > LARGE:
                arrays[name] = arrays[name].astype(np.float16)
            arrays[f"{name}, extent"] = np.array(extent(shown), np.float32)
    if not arrays:
        rows = [
            {"panel": panel, "series": name} | row
            for panel, name, ax, frame in series
            for row in _with_names(frame, ax).to_dict("records")
        ]
        rows = pd.DataFrame(rows, columns=COLUMNS)
        rows = rows.drop(columns=[name for name in COLUMNS[4:] if rows[name].isna().all()])
        rows.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
        return
    for panel, name, ax, frame in series:
        arrays[_another(f"{panel}: {name}", arrays)] = frame.to_numpy(np.float32)
        arrays |= {
            f"{panel}: names of {axis}": np.array(list(names.values()))
            for axis, names in _tick_names(ax).items()
        }
    np.savez_compressed(path.with_suffix(".npz"), **arrays)


def pictures(ax: Axes) -> list[Artist]:
    """Return the images and the coloured meshes (heat maps) on an axis."""
    return [*ax.images, *(shown for shown in ax.collections if isinstance(shown, QuadMesh))]


def extent(shown: Artist) -> tuple[float, float, float, float]:
    """Return (left, right, bottom, top) of an image or a mesh, in the units of the axes."""
    if not isinstance(shown, QuadMesh):
        return shown.get_extent()
    corners = shown.get_coordinates()
    return corners[0, 0, 0], corners[-1, -1, 0], corners[-1, -1, 1], corners[0, 0, 1]


def panel_name(ax: Axes, n: int) -> str:
    """Return what the n-th axis of a figure shows: its title, or its labels."""
    words = ax.get_title() or " against ".join(filter(None, [ax.get_ylabel(), ax.get_xlabel()]))
    return re.sub(r"[$\\{}]", "", " ".join(words.split())) or f"panel {n}"


def drawn_series(ax: Axes) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (name, DataFrame) of every series on an axis, in its coordinates: see COLUMNS.

    A coordinate that is not one of the data's (the height of a line across the panel) is missing.
    """
    for line in ax.lines:
        yield _label(line, "line"), _points(line, line.get_xydata(), ax).drop_duplicates()
    for shown in _collections(ax):
        segments = [path.vertices for path in shown.get_paths()]
        if isinstance(shown, LineCollection) and all(len(segment) == 2 for segment in segments):
            yield _label(shown, "interval"), _spans(shown, np.array(segments).reshape(-1, 4), ax)
        elif isinstance(shown, PathCollection):
            frame = _points(shown, np.ma.filled(shown.get_offsets(), np.nan), ax)
            if shown.get_array() is not None:
                frame = frame.assign(value=shown.get_array())
            yield _label(shown, "points"), frame
        elif segments:
            kind = "outline" if isinstance(shown, ContourSet) else "area"
            yield _label(shown, kind), _points(shown, np.concatenate(segments), ax)
    labels = {
        id(patch): _label(bars, "bars")
        for bars in ax.containers
        for patch in bars
        if isinstance(bars, BarContainer)
    }
    outlines = {}
    for patch in ax.patches:
        kind = labels.get(id(patch)) or _label(patch, "area")
        if isinstance(patch, Rectangle):
            drawn = _spans(patch, patch.get_bbox().extents[None], ax)
        else:
            drawn = _points(patch, _corners(patch), ax)
        outlines.setdefault(kind, []).append(drawn)
    yield from ((kind, pd.concat(drawn)) for kind, drawn in outlines.items())


def _collections(ax):
    return [shown for shown in ax.collections if not isinstance(shown, QuadMesh)]


def _corners(patch):
    return patch.get_patch_transform().transform(patch.get_path().vertices)


def _label(artist, kind):
    label = str(artist.get_label())
    return kind if not label or label.startswith("_") else label


def _points(artist, points, ax):
    points = np.array(points, float)  # a copy
    points[:, ~_in_data(artist, ax)] = np.nan
    return pd.DataFrame(points, columns=["x", "y"])


def _spans(artist, corners, ax):
    corners = np.array(corners, float)
    corners[:, ~np.tile(_in_data(artist, ax), 2)] = np.nan
    return pd.DataFrame(corners, columns=["x", "y", "x_end", "y_end"])


def _in_data(artist, ax):
    """(2,) bool: x and y are coordinates of the data, not parts of the panel."""
    points = isinstance(artist, PathCollection)
    transform = artist.get_offset_transform() if points else artist.get_transform()
    return np.array(transform.contains_branch_seperately(ax.transData))


def _tick_names(ax):
    """Return {"x" or "y": {position: name}} for the axes that were given names."""
    named = {}
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        name_at = axis.get_major_formatter()
        if isinstance(name_at, (FixedFormatter, FuncFormatter)):
            names = {at: name_at(at, n) for n, at in enumerate(axis.get_majorticklocs())}
            if any(names.values()):
                named[name] = names
    return named


def _with_names(frame, ax):
    """Return a table in which a position that has a name is called by it."""
    for name, names in _tick_names(ax).items():
        frame = frame.assign(**{name: [names.get(at) or at for at in frame[name]]})
    return frame


def _another(name, taken):
    """Return a name that is not taken: itself, or numbered."""
    number = 2
    while name in taken:
        name, number = f"{name.removesuffix(f' ({number - 1})')} ({number})", number + 1
    return name


def digest(figure: Figure) -> str:
    """Return the titles, labels and summaries of all plotted arrays of a figure, a line each."""
    lines = [f"figure, {len(figure.axes)} axes"]
    for n, ax in enumerate(figure.axes):
        words = [ax.get_title(), ax.get_xlabel(), ax.get_ylabel()]
        lines.append(f"{n}: " + " | ".join(word.replace("\n", " ") for word in words))
        for kind, values in plotted_arrays(ax):
            lines.append(f"  {kind} {summary(values)}")
        lines += [f"  text {text.get_text()}" for text in ax.texts]
    return "\n".join(lines)


def plotted_arrays(ax: Axes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (kind, array) of everything that was drawn from data on an axis, in its coordinates."""
    for line in ax.lines:
        yield from _xy("line", line.get_xydata())
    for image in pictures(ax):
        yield "image", image.get_array()
    for shown in _collections(ax):
        corners = np.concatenate([path.vertices for path in shown.get_paths()] + [np.empty((0, 2))])
        if isinstance(shown, ContourSet):  # the number of its points hangs on the last digits
            yield from _xy("contour", [corners.min(axis=0), corners.max(axis=0)] if len(corners) else [])
            continue
        moved = len(shown.get_offsets()) > 1
        yield from _xy("points", shown.get_offsets() if moved else corners)
        if shown.get_array() is not None:
            yield "colours", shown.get_array()
    if ax.patches:
        yield from _xy("patches", np.concatenate([_corners(patch) for patch in ax.patches]))


def _xy(kind, points):
    return [(f"{kind} {name}", np.ma.asarray(points)[:, n]) for n, name in enumerate("xy") if len(points)]


def summary(values: np.ndarray) -> str:
    """Return the size, the scale (largest magnitude) and block means of an array in its units.

    Every value counts: a block mean moves with each of its values.
    """
    values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    size = " x ".join(map(str, values.shape))
    finite = np.isfinite(values)
    scale = np.abs(values[finite]).max() if finite.any() else 0.0
    if scale < 1e-12:
        return f"[{size}] zero"
    missing = f", {(~finite).sum()} missing" if not finite.all() else ""
    blocks = [block[np.isfinite(block)] for block in _blocks(values)]
    means = " ".join(f"{block.mean() / scale if block.size else 0.0:.3f}" for block in blocks)
    spread = values[finite].std() / scale
    return f"[{size}{missing}] scale {scale:.3e}, SD {spread:.3f}, means {means}"


def _blocks(values):
    if values.ndim >= 2 and min(values.shape[:2]) >= 4:
        return [part for rows in np.array_split(values, 4) for part in np.array_split(rows, 4, axis=1)]
    return np.array_split(values.ravel(), min(BLOCKS, values.size))
