"""Figures of the next experiment."""

import numpy as np

from lib import figures


def gains(ax, units, name, *, xlabel):
    """Draw the gain of each unit's MEI over a rival with its interval, 1 marked; logarithmic."""
    low, high = (units[f"{name}_gain_{end}"].clip(0.1, 100) for end in ("low", "high"))
    values = units[f"{name}_gain"].clip(0.1, 100)
    figures.intervals(ax, units.index.astype(str), values, low, high, xlabel=xlabel)
    ax.set_xscale("log")
    ticks = [t for t in (0.5, 1, 2, 5, 10, 50) if low.min() / 1.5 <= t <= high.max() * 1.5]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    return figures.thresholds(ax, x=1)


def whose(ax, recorded):
    """Show the response of each unit (row) to each unit's MEI (column), relative to its largest."""
    largest = np.maximum(recorded.to_numpy().max(axis=1, keepdims=True), 1e-9)
    order = [*recorded.index, *(unit for unit in recorded if unit not in recorded.index)]
    relative = (recorded / largest)[order].to_numpy()
    labels = dict(xlabel="MEI of unit", ylabel="unit", label="rise above grey / largest")
    return figures.matrix(ax, relative, **labels, value_range=(0, 1))


def held(axes, drifts, agreement):
    """Draw the mean counts over the blocks, and how alike paired units answer the same scenes."""
    for name, parts in drifts.items():
        for part, values in parts.items():
            label = f"{part}, {name}" if len(drifts) > 1 else part
            axes[0].plot(values.index, values, label=label)
    axes[0].set_ylim(bottom=0)
    axes[0].set_xlabel("block")
    axes[0].set_ylabel("mean count")
    axes[0].legend()
    bins = np.linspace(-1, 1, 21)
    figures.histogram(axes[1], agreement, xlabel="correlation over scenes, both days", bins=bins)
    return axes
