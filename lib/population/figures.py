"""Figures of all units together: every function takes axes and tables, and computes nothing."""

import matplotlib.pyplot as plt
import numpy as np

from lib.figures import curves, histogram, image, nothing, pairs, scatter
from lib.stimuli.patterns import orientation_difference

NAMES = {"mei": "MEI", "gabor": "best Gabor", "image": "best image"}


def tuning(axes, table):
    """Draw how far MEI and best Gabor differ in orientation, both frequencies, and the sizes of MEIs."""
    known = table.dropna(subset=["mei_orientation", "gabor_measured_orientation"])
    turn = orientation_difference(known.mei_orientation, known.gabor_measured_orientation)
    histogram(axes[0], turn, bins=np.arange(0, 95, 5), xlabel="orientations differ by (deg)")
    scatter(
        axes[1],
        table.gabor_measured_spatial_frequency,
        table.mei_spatial_frequency,
        diagonal=True,
        xlabel="best Gabor (cycles/deg)",
        ylabel="MEI (cycles/deg)",
    )
    axes[1].set_title("spatial frequency")
    histogram(axes[2], table.mei_radius.dropna(), bins=12, xlabel="radius of the MEI's mask (deg)")
    return axes


def model_scores(axes, lines, table):
    """Draw sorted correlations {model: values}, and the chosen model against each unit's ceiling."""
    curves(axes[0], np.arange(0), lines, xlabel="unit (sorted)", ylabel="correlation to average")
    scatter(
        axes[1],
        table.cc_max,
        table.correlation_to_average,
        xlabel="CCmax",
        diagonal=True,
        ylabel="correlation to average",
        groups=np.where(table.selected, "selected", "not selected"),
    )
    return axes


def true_responses(axes, known, *, limit):
    """Draw the MEI against the optimum, and true against predicted gains: `population_tests.known_truth`.

    Gains above the limit are drawn there, and listed with the neuron's kind, id and gains (predicted, true).
    """
    kinds = known.truth_kind.str.replace("_", " ")
    gains, how = known[["predicted_gain", "true_gain"]], dict(diagonal=True, groups=kinds)
    labels = dict(xlabel="true response to the optimum", ylabel="true response to the masked MEI")
    scatter(axes[0], known.optimum_true_response, known.mei_true_response, **how, **labels)
    shown = gains.clip(upper=limit)
    labels = dict(xlabel="predicted masked MEI / best Gabor", ylabel="true masked MEI / best Gabor")
    scatter(axes[1], shown.predicted_gain, shown.true_gain, **how, **labels, log=True)
    far = gains[(gains > limit).any(axis=1)].sort_values("predicted_gain", ascending=False)
    if len(far):
        lines = [
            f"{kinds[unit]} {unit}: {g.predicted_gain:.3g}, {g.true_gain:.3g}" for unit, g in far.iterrows()
        ]
        text = "\n".join(["at the edge (predicted, true):", *lines])
        axes[1].text(0.02, 0.98, text, transform=axes[1].transAxes, fontsize=7, va="top")
    if legend := axes[1].get_legend():
        legend.remove()  # the same as in the other panel
    return axes


def places(axes, table):
    """Draw centres of MEIs against those of recorded fields, a point a unit: azimuth, elevation."""
    for ax, (name, label) in zip(axes, {"x": "azimuth", "y": "elevation"}.items()):
        labels = dict(xlabel=f"recorded {label} (deg)", ylabel="centre of the MEI (deg)")
        scatter(ax, table[f"map_{name}"], table[f"mei_{name}"], diagonal=True, **labels)
    return axes


def shapes(axes, measured, names):
    """Draw metrics of best Gabor and MEI, a line per unit; `names`: {metric: words}, one per axis."""
    for ax, (name, label) in zip(axes, names.items()):
        label += " (cycles/deg)" if name == "spatial_frequency" else ""
        gabor, mei = measured[f"gabor_measured_{name}"], measured[f"mei_{name}"]
        pairs(ax, gabor, mei, names=["best Gabor", "MEI"], ylabel=label)
    return axes


def gallery(pictures, titles, *, columns=3):
    """Return a figure with a group of small images for every unit: {unit: {name: image}}."""
    rows = max(1, -(-len(pictures) // columns))
    fig = plt.figure(figsize=(7.5, 1.0 * rows + 0.15))
    groups = fig.add_gridspec(rows, columns, wspace=0.06, hspace=0.3)
    if not pictures:
        nothing(fig.add_subplot()).set_axis_off()
    for n, (place, (unit, images)) in enumerate(zip(groups, pictures.items())):
        inner = place.subgridspec(1, len(images), wspace=0.02)
        for k, (name, pixels) in enumerate(images.items()):
            ax = image(fig.add_subplot(inner[k]), pixels)
            heads = [titles[unit]] * (k == 1) + [NAMES.get(name, name)] * (n < columns)
            ax.set_title("\n".join(heads), fontsize=7)
    return fig
