"""What the original's choices in data, selection and models do to numbers, on the data of a run.

A section is a table with a row per quantity (columns "original" and "here"), or the name of what a
source lacks for it, a key of `lib.original.words.LACKING`. The `published` formulas themselves live
beside the corrected ones. Stimuli and their metrics: `lib.original.audit_stimuli`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from lib.data import counting
from lib.models import ensemble, network
from lib.responses import reliability, selection

ORIGINAL_SHAPE = (60, 96)  # its images, pixels
VALIDATION, COMPARED = 24, 49  # its validation images and selected units
LAPLACE = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, None]


def table(rows):
    """Rows (quantity, original, here) as a table; None: not defined."""
    return pd.DataFrame(rows, columns=["", "original", "here"], dtype=object).set_index("")


# ---- the data -----------------------------------------------------------------------------------


def dropped_zeros(counts):
    """Effect of leaving out every pair of trial and unit of (T, I, U) counts without a spike.

    Returns the table, and each unit's mean count without and with the zeros (2, U).
    """
    shown = np.isfinite(counts)
    spikes = counts > 0
    total = np.nansum(counts, axis=(0, 1))
    with np.errstate(invalid="ignore"):
        means = np.stack([total / spikes.sum((0, 1)), total / shown.sum((0, 1))])
    defined = np.isfinite(means).all(axis=0)
    left_out = 1 - spikes.sum() / shown.sum()
    return table(
        [
            ("rows (one per trial and unit)", f"{spikes.sum():,}", f"{shown.sum():,}"),
            ("rows missing", f"{100 * left_out:.1f} %", "0.0 %"),
            ("median over units of the mean count", *np.median(means[:, defined], axis=1)),
        ]
    ), means


def window(data):
    """Effect of counting from the onset of the image on, without the latency of the response."""
    if data.spike_times is None:
        return "spike times"
    start, stop = data.window
    rows = data.presentations
    starts, stops, _ = counting.windows(rows, latency=0.0, duration=stop - start)
    counts = counting.count_spikes(data.spike_times, starts=starts, stops=stops)
    both = (counting.scene_counts(counts, rows)[0], data.counts)
    variance = [np.nanmedian(reliability.explainable_variance(c)) for c in both]
    oracles = [np.nanmedian(reliability.oracle_correlation(c)) for c in both]
    return table(
        [
            ("window after onset (s)", f"0 to {stop - start:g}", f"{start:g} to {stop:g}"),
            ("median explainable variance", *variance),
            ("median oracle correlation", *oracles),
        ]
    )


def file_order(image_ids, mean_counts):
    """Effect of joining images (I,) and responses (I, U) by the order of file names, not by frame."""
    order = sorted(range(len(image_ids)), key=lambda k: f"natural_scene_{image_ids[k]}.tiff")
    wrong = int(np.sum(np.asarray(order) != np.arange(len(order))))
    a, b = mean_counts[order], mean_counts
    varied = b.std(axis=0) > 0
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(a.T[varied], b.T[varied])]
    return table(
        [
            ("images with another image's responses", wrong, 0),
            ("median correlation with the responses joined correctly", np.median(r), 1.0),
        ]
    )


def stretched(shape):
    """Effect of resizing images to 60 x 96 pixels whatever their shape (h, w)."""
    theirs, ours = ORIGINAL_SHAPE[1] / ORIGINAL_SHAPE[0], shape[1] / shape[0]
    factor = theirs / ours
    return table(
        [
            ("width over height", theirs, ours),
            ("horizontal stretch", f"{100 * (factor - 1):.1f} %", "0.0 %"),
            ("a line at 45 degrees is shown at (degrees)", np.rad2deg(np.arctan(1 / factor)), 45.0),
        ]
    )


# ---- the selection ------------------------------------------------------------------------------


def raster_gaps(presentations):
    """Share of the bins (0.1 s) of a raster from the first to the last scene that hold no scene."""
    if presentations is None:
        return "presentations"
    blocks = counting.stimulus_blocks(presentations)
    whole = int((blocks.stop_time.max() - blocks.start_time.min()) / 0.1)
    inside = int(((blocks.stop_time - blocks.start_time) / 0.1).sum())
    return table(
        [
            ("blocks of natural scenes", len(blocks), len(blocks)),
            ("bins", f"{whole:,}", f"{inside:,}"),
            ("bins outside the blocks", f"{100 * (1 - inside / whole):.1f} %", "0.0 %"),
        ]
    )


def outliers(mean_counts, *, seed):
    """Effect of the unscaled isolation forest, and of its columns in the variance."""
    forests = [selection.isolation_forest(mean_counts, seed=seed, published=p) for p in (True, False)]
    variance = selection.response_variance(mean_counts)
    slipped = selection.response_variance_published(mean_counts, forests[0].score, forests[0].anomaly)
    rank = [forest.score.corr(pd.Series(variance), method="spearman") for forest in forests]
    halves = [np.asarray(v) > np.nanmedian(v) for v in (slipped, variance)]
    return table(
        [
            ("units called outliers", *(int(f.anomaly.sum()) for f in forests)),
            ("rank correlation of the score (low: an outlier) with the variance", *rank),
            ("median variance", np.median(slipped), np.median(variance)),
            ("units on the other side of the median variance", int(np.sum(halves[0] != halves[1])), 0),
        ]
    )


def entropy(counts):
    """Effect of taking the number of distinct mean responses for an entropy.

    Returns the table, and (2, U) the original's values (nats) and the entropy of the counts (bits).
    """
    mean_counts = np.nanmean(counts, axis=0)
    values = np.stack([selection.response_entropy_published(mean_counts), selection.response_entropy(counts)])
    distinct = pd.Series([len(np.unique(unit)) for unit in mean_counts.T])
    rank = [pd.Series(v).corr(distinct, method="spearman") for v in values]
    largest = np.nanmax(values[0]) / np.log(len(mean_counts))
    return table(
        [
            ("unit", "nats, of means", "bits, of counts"),
            ("median over units", *np.nanmedian(values, axis=1)),
            ("largest value / logarithm of the number of images", largest, None),
            ("rank correlation with the number of distinct means", *rank),
        ]
    ), values


def oracle(counts, *, seed):
    """Effect of one random repeat per image instead of all of them.

    The spread is that of the value of one draw, which the original averages over 50.
    """
    published = reliability.oracle_correlation_published
    single = np.stack([published(counts, draws=1, seed=seed + k).oracle for k in range(50)])
    theirs = published(counts, draws=50, seed=seed, drop_zeros=True).oracle.to_numpy()
    whole = [theirs, reliability.oracle_correlation(counts)]
    with np.errstate(invalid="ignore"):
        spread = np.nanmedian(single.std(axis=0))
    return table(
        [
            ("median over units", *(np.nanmedian(w) for w in whole)),
            ("units without a value", *(int(np.isnan(w).sum()) for w in whole)),
            ("median spread of one random draw", spread, 0.0),
        ]
    )


# ---- the model ----------------------------------------------------------------------------------


def model(images, mean_counts, predictions, *, weights):
    """Size of the original's network, its smoothness penalty, and its missing nonlinearity.

    A linear model of coarse pixels stands for the network's output, whose ELU + 1 is stated only. The
    predictions (I, U) are those of the model of the run, which has so many weights per unit.
    """
    size = sum(p.numel() for p in network.Network(images.shape[1:]).parameters())
    linear = linear_fit(images, mean_counts)
    return table(
        [
            ("parameters per unit (original: network with odd kernels)", f"{size:,}", f"{weights:,}"),
            ("parameters per training image", f"{size / len(images):.0f}", f"{weights / len(images):.0f}"),
            ("smoothness penalty of a 4 x 4 kernel", smoothness_penalty(4), smoothness_penalty(4, padding=1)),
            ("smoothness penalty of a 5 x 5 kernel", smoothness_penalty(5), smoothness_penalty(5, padding=1)),
            (
                "negative counts predicted by a linear output",
                *(f"{100 * np.mean(counts < 0):.2f} %" for counts in (linear, predictions)),
            ),
            ("lowest predicted count", float(linear.min()), float(np.nanmin(predictions))),
        ]
    )


def weights_per_unit(run_folder, kind):
    """Return how many weights the run's models of a kind have for each unit: those that were learned."""
    model = ensemble.load_models(run_folder, kind)[0]
    with np.load(Path(run_folder) / "models" / kind / "predictions.npz") as file:
        units = file["predictions"].shape[1]
    learned, state = dict(model.named_parameters()), model.state_dict()
    weights = [values for name, values in state.items() if name in learned or not name.startswith("core.")]
    return round(sum(values.numel() for values in weights) / units)


def smoothness_penalty(size, *, padding=0):
    """The original's penalty of a kernel of one central pixel, or "fails".

    It filters the kernel with a Laplacian, without padding, and gives the result the kernel's shape.
    """
    kernel = torch.zeros(1, 1, size, size)
    kernel[0, 0, size // 2, size // 2] = 1
    try:
        return float(F.conv2d(kernel, LAPLACE, padding=padding).view(kernel.shape).square().mean() / 2)
    except RuntimeError:
        return "fails"


def linear_fit(images, mean_counts):
    """Ridge regression of the counts on 6 x 8 pixels, each image left out: (I, U) predictions."""
    small = F.interpolate(torch.as_tensor(images)[:, None], size=(6, 8), mode="area").flatten(1).numpy()
    x = (small - small.mean(axis=0)).astype(float)
    hat = x @ np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T) + 1 / len(x)
    fit = hat @ mean_counts
    left_out = np.diag(hat)[:, None]
    return (fit - left_out * mean_counts) / (1 - left_out)


def luck(predictions, mean_counts, *, permutations=500, seed=0):
    """The best correlation that units reach on few validation images when there is nothing to find.

    Images of (I, U) predictions and counts are permuted, a set of `VALIDATION` is drawn, and the best of
    `COMPARED` units is taken, which are drawn with replacement from those of the run. Returns the table and
    the best of each permutation.
    """
    varied = (predictions.std(axis=0) > 0) & (mean_counts.std(axis=0) > 0)
    a, b = predictions[:, varied], mean_counts[:, varied]
    rng = np.random.default_rng(seed)

    def best_of(images):
        units = rng.integers(a.shape[1], size=COMPARED)
        rows = np.stack([rng.permutation(len(a))[:images] for _ in units], axis=1)
        x = np.take_along_axis(a[:, units], rows, axis=0)
        y = b[rng.permutation(len(b))[:images]][:, units]
        x, y = ((v - v.mean(0)) / np.maximum(v.std(0), 1e-12) for v in (x, y))
        return (x * y).mean(0).max()

    best = np.array([best_of(min(VALIDATION, len(a))) for _ in range(permutations)])
    whole = np.median([best_of(len(a)) for _ in range(permutations)])
    return table(
        [
            ("validation images", min(VALIDATION, len(a)), len(a)),
            (f"best of {COMPARED} units by chance, median", np.median(best), whole),
        ]
    ), best
