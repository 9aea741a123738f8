"""What the pages say of recorded responses."""

import numpy as np
import pandas as pd
from IPython.display import Markdown

from lib.data.conditions import DIAMETER
from lib.responses.selection import extreme_pairs
from lib.words import counted, listed


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

    `mei` is the centre (x, y) of the MEI, degrees; `alpha` the level of the test of the map.
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
        f"Predicted and recorded responses to the {n} Gabors correlate at {score['r']:.3f} (conditions "
        f"permuted: p = {score['p']:.4f}). From the scatter of the repeats, a perfect model is estimated "
        f"to reach {score['ceiling']:.3f}." + (above if score["r"] > score["ceiling"] else "")
    )


# ---- what was shown, as images; distances -------------------------------------------------------


def stimulus_set(shown):
    """What was shown, of a `gabor_table`, for a reader: a row per parameter, its values in words."""
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
            text = ", ".join(f"{v:g}" for v in values)
            if len(values) > 4:
                text = f"{len(values)} from {values[0]:g} to {values[-1]:g}"
            rows.append((label, text))
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


# ---- the population's activity, as 02_rasterplot reports it --------------------------------------


def describe_raster(blocks, *, active, units):
    """Say how many of the `units` neurons fire (`active`) in the blocks, and how much time the blocks fill.

    `blocks` are those of `lib.data.counting.stimulus_blocks`; None without spike times.
    """
    if blocks is None:
        return (
            "This source provides no spike times, so this page shows neither a raster nor responses "
            "aligned to image onset."
        )
    whole = blocks.stop_time.max() - blocks.start_time.min()
    filled = 100 * (blocks.stop_time - blocks.start_time).sum() / whole
    return (
        f"Of {counted(units, 'neuron')}, {active} fire within {counted(len(blocks), 'block')} of natural "
        f"images. The blocks fill {filled:.0f} % of the time from the first to the last; of bins laid over "
        f"all of that time, as in the original report, {100 - filled:.0f} % would lie where no image was "
        "shown."
    )


def describe_partners(partners, *, high, low):
    """Say how many neurons pass the two thresholds, and which pairs are the most extreme.

    `partners` are those of `correlation_partners`, made with the same thresholds.
    """
    pairs = extreme_pairs(partners)
    if not pairs:
        return "No two neurons vary over images, so no correlation is defined."
    (largest, a, b), (smallest, c, d) = pairs
    return (
        f"The highest correlation with any other neuron exceeds {high:g} in {int(partners.above_high.sum())} "
        f"of {counted(len(partners), 'neuron')}; the lowest falls below {low:g} in "
        f"{int(partners.below_low.sum())}. The largest correlation of any pair is {largest:.3f} (units {a} "
        f"and {b}), the smallest {smallest:.3f} (units {c} and {d})."
    )


def describe_outliers(shape, raw, *, shape_rank, raw_rank):
    """Say how many outliers isolation forests find, and how far they are just neurons of high variance.

    `shape` and `raw` are forests on standardised and on raw tuning curves; the ranks are correlations of
    their score with the variance over images.
    """
    ranks = [f"{rank:.2f}" if np.isfinite(rank) else "undefined" for rank in (shape_rank, raw_rank)]
    return (
        f"The forest finds {counted(int(shape.anomaly.sum()), 'outlier')} among the standardised tuning "
        f"curves and {int(raw.anomaly.sum())} among the raw ones. The rank correlation of its score with the "
        f"variance over images is {ranks[0]} for standardised and {ranks[1]} for raw curves; the more "
        "negative it is, the more an outlier is merely a neuron of high variance."
    )


# ---- reliability and selection, as 03_oracle reports them ----------------------------------------


def describe_reliability(table):
    """Say how reliable the units of `unit_measures` are in the median, and how many cannot be measured."""
    defined = table.oracle.dropna()
    lost = len(table) - len(defined)
    if defined.empty:
        return "The oracle correlation is undefined for every unit, for lack of spikes, repeats or images."
    low, high = defined.quantile([0.1, 0.9])
    text = (
        f"The median oracle correlation is {median_text(defined)} over {counted(len(defined), 'unit')} (10th "
        f"to 90th percentile {low:.3f} to {high:.3f}), and the median CCmax is {median_text(table.cc_max)}."
    )
    if lost == 0:
        return text
    return (
        f"{text} The oracle correlation of {counted(lost, 'unit')} is undefined for lack of spikes, repeats "
        "or images; tables keep such units, but the percentiles never select them."
    )


def describe_selection(table, *, units):
    """Say how many units are selected, why, and how reliable they are next to the others.

    `table` has the columns `oracle` and `selected`; `units` is what `choose_units` takes.
    """
    chosen = table.selected.to_numpy(bool)
    why = {
        str: "that lie above both percentiles",
        list: "that the parameters list",
        dict: "whose oracle correlation is highest, as many as the parameters ask for",
    }[type(units)]
    text = (
        f"The selection comprises the {chosen.sum()} of {counted(len(table), 'unit')} {why}. Their median "
        f"oracle correlation is {median_text(table.oracle[chosen])}"
    )
    return text + (f"; that of the others is {median_text(table.oracle[~chosen])}." if any(~chosen) else ".")


def describe_drift(table, *, most=20):
    """Name the units whose responses drift over the session; that none does is one of the answers.

    `table` has the columns of `lib.responses.drift.drift`; of many units, the `most` with the largest changes
    are named.
    """
    tested = int(table.drift_p.notna().sum())
    if tested == 0:
        return "Drift could not be measured, for lack of spikes, repeats or images."
    median = f"The median change from first to last repeat is {100 * table.drift.median():+.0f} %."
    found = table[table.drifts.astype(bool)].sort_values("drift", key=abs, ascending=False)
    if found.empty:
        return f"No drift was found in {counted(tested, 'unit')} (Holm's correction over units). {median}"
    named = listed(f"{unit} ({100 * row.drift:+.0f} %)" for unit, row in found.head(most).iterrows())
    rest = f", among them {named}" if len(found) > most else f": {named}"
    return (
        f"**The responses of {len(found)} of {counted(tested, 'unit')} drift over the session**{rest} "
        f"(change from first to last repeat, relative to the mean). {median} The models average over all "
        "repeats of an image; for these units, that is an average over states that may not be alike."
    )


def drift_warning(row):
    """Say how far the responses of one unit drift: a row of `drift`; empty where none was found."""
    if not row.drifts:
        return ""
    return (
        f"The responses of this neuron drift over the session: from the first to the last repeat they change "
        f"by {100 * row.drift:+.0f} % of their mean (last over first half {row.drift_ratio:.2f}, p = "
        f"{row.drift_p:.2g} after Holm's correction over units). Predicted counts are those of an average "
        "state, not of the beginning or the end."
    )


MEASURES = {
    "variance": "the variance over images",
    "entropy": "the entropy",
    "anomaly_score": "the anomaly score",
    "sparseness": "lifetime sparseness",
}


def describe_measures(ranks, table):
    """Say how the oracle correlation goes with the other measures, and how many outliers are selected.

    `ranks` are its rank correlations with each of `MEASURES`; `table` has the columns `anomaly` and
    `selected`.
    """
    defined = [
        f"{ranks[name]:.2f} with {words}" for name, words in MEASURES.items() if np.isfinite(ranks[name])
    ]
    text = (
        f"Over units, the rank correlation of the oracle correlation is {listed(defined)}."
        if defined
        else "No rank correlation with the oracle correlation is defined."
    )
    outliers = table.anomaly == "outlier"
    return (
        f"{text} The isolation forest finds {counted(int(outliers.sum()), 'outlier')}; the selection "
        f"includes {int((outliers & table.selected).sum())} of them."
    )


def describe_calibration(known, *, images, repeats, explained):
    """Say how far the published oracle is from the truth of simulated units, by their firing rate.

    `known` is of `lib.responses.calibration.zeros_bias`, the simulation's size that of `size_like`.
    """
    low, high = known.iloc[0], known.iloc[-1]
    return (
        f"The simulation shows {images} images {repeats} times; they explain {100 * explained:.0f} % of the "
        f"single-trial variance, and the true oracle correlation is {low.true:.3f}. At {low.rate:g} "
        f"spikes/s, {100 * low.silent:.0f} % of the trials have no spike, and the published estimate, which "
        f"drops them, is off by {low.bias:+.3f}; at {high.rate:g} spikes/s ({100 * high.silent:.0f} %) it is "
        f"off by {high.bias:+.3f}. If these trials are kept, the largest error is "
        f"{(known.kept - known.true).abs().max():.3f}; that of the exact jackknife is "
        f"{(known.jackknife - known.true).abs().max():.3f}."
    )
