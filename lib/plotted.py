"""What a figure shows, as text: stored with each picture, so that a test can compare what was drawn.

A picture's alternative `text/plain` is not shown in the book.
"""

import numpy as np
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

BLOCKS = 8  # means of so many blocks along an array, or of 4 x 4 blocks of an image, stand for it


def print_digests():
    """Let IPython describe each figure that it displays by `digest`, from now on."""
    Figure._repr_pretty_ = lambda figure, printer, cycle: printer.text(digest(figure))


def digest(figure):
    """Return the titles, labels and summaries of all plotted arrays of a figure, a line each."""
    lines = [f"figure, {len(figure.axes)} axes"]
    for n, ax in enumerate(figure.axes):
        words = [ax.get_title(), ax.get_xlabel(), ax.get_ylabel()]
        lines.append(f"{n}: " + " | ".join(word.replace("\n", " ") for word in words))
        for kind, values in plotted_arrays(ax):
            lines.append(f"  {kind} {summary(values)}")
        lines += [f"  text {text.get_text()}" for text in ax.texts]
    return "\n".join(lines)


def plotted_arrays(ax):
    """Yield (kind, array) of everything that was drawn from data on an axis, in its coordinates."""
    for line in ax.lines:
        yield from _xy("line", line.get_xydata())
    for image in ax.images:
        yield "image", image.get_array()
    for shown in ax.collections:
        corners = np.concatenate([path.vertices for path in shown.get_paths()] + [np.empty((0, 2))])
        if isinstance(shown, ContourSet):  # the number of its points hangs on the last digits
            yield from _xy("contour", [corners.min(axis=0), corners.max(axis=0)] if len(corners) else [])
            continue
        moved = len(shown.get_offsets()) > 1
        yield from _xy("points", shown.get_offsets() if moved else corners)
        if shown.get_array() is not None:
            yield "colours", shown.get_array()
    if ax.patches:
        yield from _xy("patches", np.concatenate([patch.get_patch_transform().transform(
            patch.get_path().vertices) for patch in ax.patches]))


def _xy(kind, points):
    return [(f"{kind} {name}", np.ma.asarray(points)[:, n]) for n, name in enumerate("xy") if len(points)]


def summary(values):
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
    means = [block[np.isfinite(block)].mean() / scale if np.isfinite(block).any() else 0.0
             for block in _blocks(values)]
    spread = values[finite].std() / scale
    return (f"[{size}{missing}] scale {scale:.3e}, SD {spread:.3f}, means "
            + " ".join(f"{mean:.3f}" for mean in means))


def _blocks(values):
    if values.ndim >= 2 and min(values.shape[:2]) >= 4:
        return [part for rows in np.array_split(values, 4) for part in np.array_split(rows, 4, axis=1)]
    return np.array_split(values.ravel(), min(BLOCKS, values.size))
