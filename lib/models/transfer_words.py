"""What the page on stimuli left out says."""

import numpy as np
import pandas as pd

from lib import words
from lib.models.left_out import LEAST_CEILING

NAMES = {
    "natural_scenes": "natural scenes",
    "natural_movies": "natural movies",
    "static_gratings": "static gratings",
    "gabors": "Gabors",
}


def describe(classes):
    """Say which classes a session holds, and of how many responses; one alone is one of the answers."""
    held = [
        f"{NAMES[name]} ({sum(len(frames) for frames, _ in sets)} responses of "
        f"{' and '.join(str(n) for n in sorted({len(counts) for _, counts in sets}))} repeats)"
        for name, sets in classes.items()
    ]
    if len(held) == 1:
        return (
            "This recording holds natural scenes alone: no other stimulus can be learned from or predicted."
        )
    return f"Each is left out in turn, and the model learns from the rest: {', '.join(held)}."


def shown(summary):
    """Rows of `lib.models.left_out.summary` as a page shows them."""
    table = pd.DataFrame(
        {
            "units": summary.units,
            "r": summary.r,
            "ceiling": summary.ceiling,
            "r / ceiling": summary.r_over_ceiling,
            "95 % interval": _intervals(summary.low, summary.high),
            "other unit": summary.other_unit,
            "own less other": summary.median_difference,
            "95 % interval ": _intervals(summary.difference_low, summary.difference_high),
            "p (Holm)": summary.p_holm.map("{:.2g}".format).replace("nan", words.MISSING),
        }
    )
    return table.rename(index=NAMES).rename_axis(columns="left out").style.format(precision=2, na_rep="–")


def sentences(summary, *, alpha=0.05):
    """Say of every class what the others tell of it, and whether it is the unit's own."""
    said = []
    for name, row in summary.iterrows():
        size = f"{row.r_over_ceiling:.2f} of the ceiling"
        if np.isfinite(row.low):
            size += f" (95 % interval {row.low:.2f} to {row.high:.2f})"
        told = (
            f"{NAMES[name].capitalize() if name != 'gabors' else 'Gabors'}, never shown to the model, are "
            f"predicted with r = {row.r:.2f}, {size}; medians over {row.units:.0f} units."
        )
        if not np.isfinite(row.p_holm):
            control = "Too few units for a test against the other units' models."
        elif row.p_holm >= alpha:
            control = (
                f"That is no proof of tuning of a unit's own: another unit's model reaches "
                f"{row.other_unit:.2f}, and no difference was found (p = {row.p_holm:.2g})."
            )
        else:
            verb = "more" if row.effect_size > 0 else "less"
            control = (
                f"Another unit's model reaches {row.other_unit:.2f}; a unit's own does {verb} "
                f"(median difference {row.median_difference:+.2f}, {row.difference_low:+.2f} to "
                f"{row.difference_high:+.2f}, p = {row.p_holm:.2g})."
            )
        said.append(f"{told} {control}")
    if not said:
        said.append(f"No unit has a ceiling of {LEAST_CEILING:g} or more: nothing can be said.")
    return said


def shown_agreement(agreement):
    """Rows of `lib.models.left_out.agreement_with_truth` as a page shows them."""
    labels = {
        "units": "units",
        "true_r": "r with the truth",
        "median_difference": "r / ceiling less it",
        "median_error": "size of the difference",
        "rank_correlation": "rank correlation",
    }
    table = agreement.rename(columns=labels, index=NAMES).rename_axis(columns="left out")
    return table.style.format(precision=2, na_rep="–")


def agreement_sentences(agreement):
    """Say how far r over ceiling can be trusted, from units whose true responses are known."""
    return [
        f"{NAMES[name].capitalize() if name != 'gabors' else 'Gabors'}: r over ceiling differs from the "
        f"correlation with the true responses by {row.median_difference:+.2f} (median over {row.units:.0f} "
        f"units; size {row.median_error:.2f})"
        + (
            f" and ranks the units as it does with {row.rank_correlation:.2f} (Spearman)."
            if np.isfinite(row.rank_correlation)
            else "."
        )
        for name, row in agreement.iterrows()
    ]


def _intervals(low, high):
    return [f"{a:.2f} to {b:.2f}" if np.isfinite([a, b]).all() else words.MISSING for a, b in zip(low, high)]
