"""What the pages say of recorded responses."""

import numpy as np
import pandas as pd
from IPython.display import Markdown

from lib.data.conditions import DIAMETER


def shown_tuning(tuning):
    """A row of `grating_tuning` as a page shows it: names with units, the interval in words."""
    known = tuning.orientation_high - tuning.orientation_low < 90
    preferred = (
        f"{tuning.orientation:.0f} ({tuning.orientation_low:.0f} to {tuning.orientation_high:.0f})"
        if known
        else "undetermined: the interval spans 90 degrees or more"
    )
    rows = {
        "preferred orientation (deg, 0: vertical bars; 95 % interval)": preferred,
        "orientation selectivity (0 to 1)": f"{tuning.selectivity:.2f}",
        "preferred spatial frequency (cycles/deg)": f"{tuning.spatial_frequency:g}",
        "preferred phase (cycles)": f"{tuning.phase:.2f}",
        "modulation by the phase (0 to 2)": f"{tuning.phase_modulation:.2f}",
        "mean count at the best grating": f"{tuning.response:.2f}",
    }
    return pd.DataFrame({"": rows.keys(), "static gratings": rows.values()}).style.hide(axis="index")


def describe_responses(recorded):
    """Say how many spikes the Gabors evoke, and which condition evokes most."""
    best = recorded.best
    return (
        f"Single presentations evoked {recorded.counts.min()} to {recorded.counts.max()} spikes. The best "
        f"condition, at azimuth {best.x_position:g}, elevation {best.y_position:g} and orientation "
        f"{best.orientation:g} degrees (0: vertical bars), evoked {best.response:.2f} spikes on average."
    )


def describe_field(recorded, *, mei, alpha=0.05):
    """Say what the map and the orientations show; that they show nothing is one of the answers.

    Parameters
    ----------
    recorded : Recorded
    mei : (x, y)
        Centre of the MEI, degrees.
    alpha : float
        Of the test of the map.
    """
    f, o = recorded.field, recorded.preference
    if not recorded.p < alpha:
        return (
            f"The response does not depend measurably on position (permutation p = {recorded.p:.3f}), so "
            "neither the fitted centre nor a preferred orientation would be meaningful."
        )
    text = (
        f"The response depends on position (permutation p = {recorded.p:.4f}). The centre is at azimuth "
        f"{f.x:.1f} ({f.x_low:.1f} to {f.x_high:.1f}) and elevation {f.y:.1f} ({f.y_low:.1f} to "
        f"{f.y_high:.1f}) degrees. Receptive field and patch together have a sigma of {f.sigma_x:.1f} "
        f"({f.sigma_x_low:.1f} to {f.sigma_x_high:.1f}) by {f.sigma_y:.1f} "
        f"({f.sigma_y_low:.1f} to {f.sigma_y_high:.1f}) degrees. The MEI lies "
        f"{np.hypot(f.x - mei[0], f.y - mei[1]):.1f} degrees from the centre."
    )
    if not o.orientation_high - o.orientation_low < 90:
        return text + " The responses to the orientations shown do not determine a preference."
    return text + (
        f" The preferred orientation is {o.orientation:.0f} degrees (95 % interval "
        f"{o.orientation_low:.0f} to {o.orientation_high:.0f})."
    )


def describe_recorded(recorded, *, mei):
    """`describe_responses` and `describe_field` of one unit, in one paragraph."""
    return f"{describe_responses(recorded)} {describe_field(recorded, mei=mei)}"


def describe_prediction(score, n):
    """Say how well the responses to `n` Gabors are predicted: of `prediction_score`."""
    if not np.isfinite(score["r"]):
        return "The correlation is undefined: predicted or recorded responses to the Gabors are constant."
    above = " The model appears to exceed this ceiling, which is itself estimated from noisy means."
    return (
        f"Predicted and recorded responses to the {n} Gabors correlate {score['r']:.3f} (conditions "
        f"permuted: p = {score['p']:.4f}). From the scatter of the repeats, a perfect model is estimated "
        f"to reach {score['ceiling']:.3f}." + (above if score["r"] > score["ceiling"] else "")
    )


# ---- what was shown, as images; distances -------------------------------------------------------


def stimulus_set(shown):
    """What was shown, for a reader: a row per parameter, its values in words.

    Parameters
    ----------
    shown : DataFrame
        Of `gabor_table`.
    """
    names = {
        "x_position": "azimuth (deg)",
        "y_position": "elevation (deg)",
        "orientation": "orientation (deg, 0: vertical bars)",
        "spatial_frequency": "spatial frequency (cycles/deg)",
        "temporal_frequency": "drift (cycles/s)",
        "contrast": "contrast",
        "repeats": "repeats",
    }
    rows = [("Gabors", f"{len(shown):,}"), ("diameter of the aperture (deg)", f"{DIAMETER:g}")]
    for name, label in names.items():
        if name in shown:
            values = np.unique(shown[name].dropna())
            rows.append(
                (
                    label,
                    ", ".join(f"{v:g}" for v in values)
                    if len(values) <= 4
                    else f"{len(values)} from {values[0]:g} to {values[-1]:g}",
                )
            )
    rows.append(("duration (s)", f"{shown.duration.mean():.3f}"))
    return pd.DataFrame(rows, columns=["", "shown"])


def shown_gabors(shown):
    """`stimulus_set` as a page shows it; None: a source without recorded Gabors."""
    if shown is None:
        return Markdown("*This source holds no recorded Gabors.*")
    return stimulus_set(shown).style.hide(axis="index")


def shown_gratings(tuning):
    """`shown_tuning` of a row of `grating_tuning`; None: a source without static gratings."""
    return Markdown("*This source holds no static gratings.*") if tuning is None else shown_tuning(tuning)


def median_text(values):
    """Median of the defined values with three decimals, for a sentence; "undefined" without any."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return f"{np.median(values):.3f}" if len(values) else "undefined"
