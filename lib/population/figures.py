"""Drawing what is said of all units: every function takes axes and tables, and computes nothing."""

import matplotlib.pyplot as plt
import numpy as np

from lib.figures import GREY, curves, image, nothing, pairs, scatter


def tuning(axes, table):
    """Draw MEI against best Gabor, a point a unit: orientation, spatial frequency, size."""
    for ax, (name, label) in zip(
        axes,
        {"orientation": "orientation (deg)", "spatial_frequency": "spatial frequency (cycles/deg)"}.items(),
    ):
        scatter(
            ax,
            table[f"gabor_measured_{name}"],
            table[f"mei_{name}"],
            diagonal=True,
            xlabel="best Gabor",
            ylabel="MEI",
        )
        ax.set_title(label)
    scatter(
        axes[2],
        table.gabor_sigma,
        table.mei_radius,
        ylabel="MEI: radius of the mask",
        xlabel="best Gabor: sigma",
    )
    axes[2].set_title("size (deg)")
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

    Gains above the limit are drawn there, with the neuron's kind, id and gains (predicted, true).
    """
    kinds = known.truth_kind.str.replace("_", " ")
    scatter(
        axes[0],
        known.optimum_true_response,
        known.mei_true_response,
        diagonal=True,
        groups=kinds,
        xlabel="true response to the optimum",
        ylabel="true response to the masked MEI",
    )
    gains = known[["predicted_gain", "true_gain"]]
    shown = gains.clip(upper=limit)
    scatter(
        axes[1],
        shown.predicted_gain,
        shown.true_gain,
        diagonal=True,
        groups=kinds,
        log=True,
        xlabel="predicted masked MEI / best Gabor",
        ylabel="true masked MEI / best Gabor",
    )
    far = shown[(gains > limit).any(axis=1)].sort_values("predicted_gain", ascending=False)
    for k, (unit, at) in enumerate(far.iterrows()):
        side = 1 if at.predicted_gain < limit**0.5 else -1  # the axis is logarithmic, from about 1
        text = f"{kinds[unit]} {unit}:\n{gains.predicted_gain[unit]:.3g}, {gains.true_gain[unit]:.3g}"
        axes[1].annotate(
            text,
            at,
            (side * 12, -6 - 22 * k),
            textcoords="offset points",
            fontsize=7,
            ha="left" if side == 1 else "right",
            va="top",
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.7},
        )
    if legend := axes[1].get_legend():
        legend.remove()  # the same as in the other panel
    return axes


def places(axes, table):
    """Draw centres of MEIs against those of recorded fields, a point a unit: azimuth, elevation."""
    for ax, (name, label) in zip(axes, {"x": "azimuth", "y": "elevation"}.items()):
        scatter(
            ax,
            table[f"map_{name}"],
            table[f"mei_{name}"],
            diagonal=True,
            ylabel="centre of the MEI (deg)",
            xlabel=f"recorded {label} (deg)",
        )
    return axes


def shapes(axes, measured, names):
    """Draw metrics of best Gabor and MEI, a line a unit; `names`: {metric: words}, one an axis."""
    for ax, (name, label) in zip(axes, names.items()):
        pairs(
            ax,
            measured[f"gabor_measured_{name}"],
            measured[f"mei_{name}"],
            names=["best Gabor", "MEI"],
            ylabel=label + (" (cycles/deg)" if name == "spatial_frequency" else ""),
        )
    return axes


def gallery(pictures, titles, *, columns=3):
    """Return a figure with a group of small images for every unit: {unit: {name: image}}."""
    rows = max(1, -(-len(pictures) // columns))
    fig = plt.figure(figsize=(7.5, 1.0 * rows))
    groups = fig.add_gridspec(rows, columns, wspace=0.06, hspace=0.3)
    if not pictures:
        nothing(fig.add_subplot()).set_axis_off()
    for place, (unit, images) in zip(groups, pictures.items()):
        inner = place.subgridspec(1, len(images), wspace=0.02)
        for k, pixels in enumerate(images.values()):
            ax = image(fig.add_subplot(inner[k]), pixels)
            if k == 1:
                ax.set_title(titles[unit], fontsize=7)
    return fig
