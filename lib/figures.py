"""Drawing: every function takes an axis and arrays, returns the axis and computes nothing."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from IPython.display import HTML
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from matplotlib_inline.backend_inline import configure_inline_support, set_matplotlib_formats

INLINE = "module://matplotlib_inline.backend_inline"  # pictures below the cell that draws them
STYLE = Path(__file__).with_name("report.mplstyle")
BLUE, RED, GREEN, PINK, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY, BLACK = "#777777", "#000000"
STIMULI = {  # one colour per stimulus, on every page (and in book/_static/book.css)
    "MEI": BLUE,
    "masked MEI": BLUE,
    "best Gabor": PINK,
    "fitted Gabor": "#882255",
    "best image": SKY,
    "best image, full": SKY,
    "linear RF": ORANGE,
    "true optimum": BLACK,
}


def use_style():
    """Use the report's style, once a notebook, whatever matplotlib's and IPython's own settings are."""
    matplotlib.rcdefaults()
    plt.style.use(STYLE)
    if shell := get_ipython():
        matplotlib.use(INLINE)
        configure_inline_support(shell, INLINE)
        set_matplotlib_formats("svg", bbox_inches="tight", metadata={"Date": None})
        shell.ast_node_interactivity = "last_expr"


def panels(columns, rows=1, *, width=7.5, height=2.6):
    """Return a figure with `rows` x `columns` axes, flattened; one axis alone is returned as it is."""
    _, axes = plt.subplots(rows, columns, figsize=(width, height * rows))
    return axes.ravel() if isinstance(axes, np.ndarray) else axes


def stimulus_timeline(ax, blocks):
    """Draw blocks of stimuli against time; `blocks`: DataFrame stimulus_name, start_time, stop_time."""
    names = list(dict.fromkeys(blocks.stimulus_name))
    for name, group in blocks.groupby("stimulus_name", sort=False):
        spans = list(zip(group.start_time, group.stop_time - group.start_time))
        ax.broken_barh(spans, (names.index(name) - 0.4, 0.8), color=f"C{names.index(name) % 6}")
    ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.set_xlabel("time in the session (s)")
    ax.invert_yaxis()
    return ax


def image(ax, pixels, *, title="", extent=None):
    """Show an image in [0, 1] without axes, or with degrees on them if `extent` is given."""
    ax.imshow(pixels, vmin=0, vmax=1, extent=extent, cmap="gray")
    ax.set_title(title)
    if extent is None:
        ax.set_axis_off()
    return ax


def _extent(pixels, degrees_per_pixel):
    """(left, right, bottom, top) of an image on the screen, degrees."""
    x, y = np.array(pixels.shape[::-1]) * degrees_per_pixel / 2
    return -x, x, -y, y


def stimulus(ax, pixels, *, degrees_per_pixel, title="", mask=None, center=None):
    """Show a stimulus on the screen, in degrees, with the outline of its mask."""
    extent = _extent(pixels, degrees_per_pixel)
    image(ax, pixels, title=title, extent=extent)
    if mask is not None and mask.max() > 0.5:
        ax.contour(mask, [0.5], colors=[RED], linewidths=1, extent=extent, origin="upper")
    if center is not None:
        ax.plot(*center, "+", color=ORANGE, markersize=9, markeredgewidth=1.5)
    ax.set(xlabel="azimuth (deg)", ylabel="elevation (deg)")
    return ax


def images(axes, pixels, titles):
    """Show images without axes, one per axis, each under its title."""
    for ax, shown, title in zip(np.atleast_1d(axes), pixels, titles):
        image(ax, shown, title=str(title))
    return axes


def stimuli(axes, shown, *, degrees_per_pixel, masks=None):
    """Show stimuli {title: pixels} on the screen, one per axis; `masks`: {title: mask} to outline."""
    for ax, (title, pixels) in zip(axes, shown.items()):
        stimulus(ax, pixels, degrees_per_pixel=degrees_per_pixel, title=title, mask=(masks or {}).get(title))
    return axes


def outline(ax, mask, *, degrees_per_pixel, center=None):
    """Draw the outline of a mask on a stimulus, and lines through a point (x, y)."""
    extent = _extent(mask, degrees_per_pixel)
    ax.contour(mask, [0.5], colors=[SKY], linewidths=1, linestyles="--", extent=extent, origin="upper")
    if center is not None:
        ax.axvline(center[0], color=SKY, lw=0.6, ls=":")
        ax.axhline(center[1], color=SKY, lw=0.6, ls=":")
    return ax


def matrix(ax, values, *, xlabel, ylabel, label, value_range=(None, None)):
    """Show a matrix with a colour bar."""
    low, high = value_range
    shown = ax.imshow(values, aspect="auto", cmap="viridis", vmin=low, vmax=high)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.figure.colorbar(shown, ax=ax, label=label)
    return ax


def clustered(correlation, tree):
    """Show a correlation matrix (DataFrame) ordered by a tree, which is drawn beside it; returns its axis.

    `tree` (n - 1, 4) is the linkage of the rows, as of `scipy.cluster.hierarchy.linkage`.
    """
    with plt.rc_context({"figure.constrained_layout.use": False}):  # the grid has a layout of its own
        grid = sns.clustermap(
            correlation,
            row_linkage=tree,
            col_linkage=tree,
            figsize=(5.4, 5.0),
            cmap="RdBu_r",
            vmin=-1,
            vmax=1,
            xticklabels=False,
            yticklabels=False,
            dendrogram_ratio=0.15,
            rasterized=True,  # as many cells as pairs of units
            cbar_pos=(0.02, 0.87, 0.03, 0.11),
            cbar_kws={"label": "correlation"},
        )
    grid.ax_cbar.set_label("<colorbar>")
    return grid.ax_heatmap


def raster(ax, activity, *, start, stop, title=""):
    """Show z-scored activity (units, bins) of one block against the session's time."""
    extent = (start, stop, max(1, len(activity)), 0)
    ax.imshow(activity, aspect="auto", cmap="gray_r", vmin=0, vmax=1.5, interpolation="none", extent=extent)
    ax.set(title=title, xlabel="time (s)")
    return ax


def spikes(ax, lags, trials, *, split=None):
    """Draw spikes against time after onset, a row per trial; `split`: a line below this row."""
    ax.plot(lags, trials, "|", color=BLACK, ms=2, mew=0.5, rasterized=True)
    ax.axvline(0, color=GREY, ls=":")
    if split is not None:
        ax.axhline(split - 0.5, color=RED, lw=1)
    ax.set_xlabel("time after onset (s)")
    ax.invert_yaxis()
    return ax


def latency(ax, times, values, *, window, ylabel):
    """Draw something against time after image onset, with the count window shaded."""
    ax.axvspan(*window, color=SKY, alpha=0.3, lw=0)
    ax.step(times, values, where="post", color=BLACK)
    ax.axvline(0, color=GREY, ls=":")
    ax.set(xlabel="time after image onset (s)", ylabel=ylabel)
    return ax


def nothing(ax):
    """Say in the middle of an axis that there is nothing to draw."""
    ax.text(0.5, 0.5, "no neuron has a value", transform=ax.transAxes, ha="center", color=GREY)
    return ax


def histogram(ax, values, *, xlabel, bins=20, marks=None):
    """Draw a histogram; `marks` maps labels to vertical lines."""
    if len(values) == 0:
        nothing(ax)
    else:
        sns.histplot(np.asarray(values, float), bins=bins, ax=ax, color=BLUE, alpha=0.8, linewidth=0)
    for k, (name, at) in enumerate((marks or {}).items()):
        ax.axvline(at, color=(RED, ORANGE, GREEN)[k % 3], ls="--", label=name)
    ax.set(xlabel=xlabel, ylabel="units")
    if marks:
        ax.legend()
    return ax


def scatter(ax, x, y, *, xlabel, ylabel, groups=None, diagonal=False, log=False):
    """Draw points, one colour and marker per group (`groups`: labels of the points)."""
    x, y = np.asarray(x), np.asarray(y)
    groups = np.array([""] * len(x)) if groups is None else np.asarray(groups)
    if len(groups) == 0:
        nothing(ax)
    for k, group in enumerate(dict.fromkeys(groups)):
        mine, marker = groups == group, "os^Dv<>P*X"[k % 10]
        ax.plot(x[mine], y[mine], marker, color=f"C{k % 7}", ms=5, alpha=0.8, mew=0, label=str(group))
    if diagonal and np.isfinite(np.array([x, y], float)).any():
        low, high = np.nanmin([x, y]), np.nanmax([x, y])
        ax.plot([low, high], [low, high], color=GREY, ls=":", lw=1, zorder=0)
    if log:
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            low, high = axis.get_view_interval()
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 4 * low else MaxNLocator(5))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(set(groups)) > 1:
        ax.legend()
    return ax


def thresholds(ax, *, x=None, y=None):
    """Draw dashed lines at thresholds."""
    if x is not None:
        ax.axvline(x, color=GREY, ls="--", lw=1)
    if y is not None:
        ax.axhline(y, color=GREY, ls="--", lw=1)
    return ax


def intervals(ax, names, values, low, high, *, xlabel, reference=None):
    """Draw values with their intervals, one row each; `reference`: (label, low, high) as a band."""
    rows = np.arange(len(values))
    if reference:
        ax.axvspan(reference[1], reference[2], color=SKY, alpha=0.3, lw=0, label=reference[0])
        ax.legend()
    ax.hlines(rows, low, high, color=BLUE, lw=2, alpha=0.6)
    ax.plot(values, rows, "o", color=BLUE, ms=5)
    ax.set_yticks(rows, names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(xlabel)
    return ax


def reliability(ax, predicted, measured, low, high):
    """Draw measured against predicted probabilities, with the intervals of the measured ones."""
    ax.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1, zorder=0)
    ax.errorbar(predicted, measured, [measured - low, high - measured], fmt="o-", ms=5, lw=1)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="predicted probability", ylabel="measured share")
    return ax


def curves(ax, x, lines, *, xlabel, ylabel, log=False):
    """Draw named lines; `lines` maps label to values."""
    for k, (name, y) in enumerate(lines.items()):
        at = x if len(x) == len(y) else np.arange(len(y))
        ax.plot(at, y, label=name, color=STIMULI.get(name, f"C{k % 7}"), ls=("-", "--", "-.", ":")[k % 4])
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        ax.set_yscale("log")
    if len(lines) > 1:
        ax.legend()
    return ax


def traces(axes, responses, contrasts):
    """Draw predicted responses and RMS contrasts against the step of an ascent: {label: values}."""
    curves(axes[0], np.arange(0), responses, xlabel="step", ylabel="predicted response")
    curves(axes[1], np.arange(0), contrasts, xlabel="step", ylabel="RMS contrast")
    return axes


def recovery(ax, lines, *, xlabel, ylabel):
    """Draw values with their intervals against a logarithmic axis.

    `lines` maps a label to a table with columns x, value, low, high.
    """
    for k, (name, line) in enumerate(lines.items()):
        ax.plot(line.x, line.value, "os^Dv"[k % 5], color=f"C{k % 7}", ls="-", ms=5, label=name)
        ax.fill_between(line.x, line.low, line.high, color=f"C{k % 7}", alpha=0.15, lw=0)
    ax.set_xscale("log")
    ax.set_xticks(line.x, [f"{x:.3g}" for x in line.x])
    ax.minorticks_off()
    ax.set_ylim(0, 1.02)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(**({"loc": "upper left", "bbox_to_anchor": (1, 1)} if len(lines) > 3 else {}))  # beside many
    return ax


def stimulus_set(ax, pixels, x, y, *, degrees_per_pixel, diameter):
    """Show example stimuli on the screen and the circles of all positions (x, y) that were used."""
    stimulus(ax, pixels, degrees_per_pixel=degrees_per_pixel)
    for centre in zip(x, y):
        circle = plt.Circle(centre, diameter / 2, fill=False, color=SKY, lw=0.5, alpha=0.6, rasterized=True)
        ax.add_patch(circle)
    ax.plot(x, y, ".", color=BLUE, ms=3)
    edge = np.max(np.abs(ax.get_xlim())), np.max(np.abs(ax.get_ylim()))
    reach = np.max(np.abs([x, y])) + diameter / 2 + 2
    ax.set_xlim(-max(edge[0], reach), max(edge[0], reach))
    ax.set_ylim(-max(edge[1], reach), max(edge[1], reach))
    return ax


def response_map(ax, values, x, y, *, ellipse, marks):
    """Show mean responses over positions.

    `ellipse`: (x, y, sigma_x, sigma_y, angle_deg), or None; `marks`: {label: (x, y)} of single points.
    """
    step = abs(x[1] - x[0]) / 2 if len(x) > 1 else 5
    extent = (min(x) - step, max(x) + step, min(y) - step, max(y) + step)
    shown = ax.imshow(values, origin="lower", extent=extent, cmap="viridis")
    ax.figure.colorbar(shown, ax=ax, label="spikes", shrink=0.8)
    if ellipse is not None:
        at_x, at_y, sigma_x, sigma_y, degrees = ellipse
        turn, angle = np.linspace(0, 2 * np.pi, 100), np.deg2rad(degrees)
        a, b, cos, sin = sigma_x * np.cos(turn), sigma_y * np.sin(turn), np.cos(angle), np.sin(angle)
        ax.plot(at_x + a * cos - b * sin, at_y + a * sin + b * cos, color=ORANGE)
    for k, (name, at) in enumerate(marks.items()):
        ax.plot(*at, "+x"[k % 2], color=(RED, PINK)[k % 2], ms=9, mew=2, label=name)
    if marks:
        ax.legend(loc="lower right", frameon=True, facecolor="white")
    ax.set(xlim=extent[:2], ylim=extent[2:], xlabel="azimuth (deg)", ylabel="elevation (deg)")
    return ax


def receptive_field(axes, values, x, y, *, field, by_angle, marks):
    """Draw a response map, outlining the `field` (a row of `fit_gaussians`) if given, and tuning.

    `by_angle`: of `lib.responses.receptive_fields.tuning_curve`.
    """
    ellipse = None if field is None else (field.x, field.y, field.sigma_x, field.sigma_y, 0)
    response_map(axes[0], values, x, y, marks=marks, ellipse=ellipse)
    tuning_curves(axes[1:], {"orientation (deg)": by_angle})
    return axes


def tuning_curves(axes, tuning):
    """Draw one tuning curve per axis, mean and standard error.

    `tuning`: {label: DataFrame with index the stimulus's parameter, columns mean and standard_error}.
    """
    for ax, (label, curve) in zip(axes, tuning.items()):
        ax.errorbar(curve.index, curve["mean"], curve["standard_error"], color="C0", capsize=2)
        ax.set(xlabel=label, ylabel="mean count")
        ax.set_ylim(bottom=0)
    return axes


def bars(ax, names, values, *, ylabel, low=None, high=None):
    """Draw bars from zero, with optional intervals; a stimulus has its colour of `STIMULI`."""
    colours = [STIMULI.get(name, GREY) for name in names]
    if not set(names) & set(STIMULI):
        colours = [f"C{k % 7}" for k in range(len(names))]
    ax.bar(range(len(values)), values, color=colours, alpha=0.85)
    ax.axhline(0, color=GREY, lw=0.8)
    if low is not None:
        ax.vlines(range(len(values)), low, high, color=BLACK, lw=1.5)
    ax.set_xticks(range(len(values)), names, rotation=20, ha="right")
    ax.set_ylabel(ylabel)
    return ax


def pairs(ax, left, right, *, names, ylabel):
    """Draw paired values of units, a line each, with their medians and quartiles."""
    if len(left) == 0:
        nothing(ax)
    else:
        values = pd.DataFrame({0: np.asarray(left, float), 1: np.asarray(right, float)})
        ax.plot([0, 1], values.T, color=GREY, alpha=0.5, lw=1)
        palette = [STIMULI.get(n, c) for n, c in zip(names, (RED, BLUE))]
        sns.stripplot(values, ax=ax, palette=palette, jitter=False, size=4)
        bar = dict(linestyle="none", marker="_", markersize=24, err_kws={"linewidth": 2}, zorder=5)
        sns.pointplot(values, ax=ax, estimator="median", errorbar=("pi", 50), color=BLACK, **bar)
    ax.set_xticks([0, 1], names)
    ax.set(xlim=(-0.5, 1.5), ylabel=ylabel)
    return ax


def spectrum(ax, values, frequency, *, title=""):
    """Show a centred (log) power spectrum; `frequency`: cycles per degree of its columns."""
    edge = (frequency.min(), frequency.max())
    ax.imshow(values, extent=(*edge, *edge), cmap="viridis")
    ax.set(title=title, xlabel="horizontal (cycles/deg)", ylabel="vertical (cycles/deg)")
    return ax


def sortable(table):
    """Return a styled table as HTML that a click on a heading sorts, on the pages of the book."""
    return HTML(f'<div class="sortable">{table.hide(axis="index").to_html()}</div>')
