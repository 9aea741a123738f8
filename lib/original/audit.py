"""What the defects of the original analysis do to numbers, on the data of a run.

A section is a table with a row a quantity (columns "original" and "here"), or one line that says why
a source cannot show it. The `published` formulas themselves live beside the corrected ones.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch.nn import functional as F

from lib.data import conditions, counting
from lib.mei import search
from lib.mei.ascent import AscentSettings
from lib.models import crossvalidation, ensemble, network
from lib.original import mei as original_mei
from lib.original import metrics as original_metrics
from lib.population.table import stimuli_of
from lib.responses import receptive_fields, reliability, selection
from lib.stages import load_result
from lib.stimuli import contrast as stimuli
from lib.stimuli import metrics, patterns
from lib.stimuli.contrast import Target

ORIGINAL_SHAPE = (60, 96)  # its images, pixels
DISK = 12  # radius of its mask, pixels
PRINTED_GABOR = [0.03669, 0.40972, 0.1323, 0.99926, 0.99757]  # in the order of `published_gabor`
VALIDATION, COMPARED = 24, 49  # its validation images and selected units
LAPLACE = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, None]


def table(rows):
    """Rows (quantity, original, here) as a table; None: not defined."""
    return pd.DataFrame(rows, columns=["", "original", "here"], dtype=object).set_index("")


def show(section):
    """A section as a page shows it: a table in five digits, or its one line."""
    if isinstance(section, str):
        return Markdown(section)
    return section.style.format(
        lambda v: f"{v:.5g}" if isinstance(v, (float, np.floating)) else v, na_rep="–"
    )


# ---- the data -----------------------------------------------------------------------------------


def dropped_zeros(counts):
    """Effect of leaving out every pair of trial and unit without a spike.

    Parameters
    ----------
    counts : (T, I, U) array, NaN where not shown

    Returns
    -------
    table : DataFrame
    means : (2, U) array
        Mean count of each unit without and with the zeros.
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
            ("rows of trial and unit", f"{spikes.sum():,}", f"{shown.sum():,}"),
            ("rows missing", f"{100 * left_out:.1f} %", "0.0 %"),
            ("median over units of the mean count", *np.median(means[:, defined], axis=1)),
        ]
    ), means


def window(data, latency=0.0):
    """Effect of counting from the onset of the image on, without the latency of the response."""
    if data.spike_times is None:
        return "*This source holds no spike times: its count window cannot be moved.*"
    start, stop = data.window
    rows = data.presentations
    starts, stops, _ = counting.windows(rows, latency=latency, duration=stop - start)
    scenes, _, _ = counting.scene_counts(
        counting.count_spikes(data.spike_times, starts=starts, stops=stops), rows
    )
    both = (scenes, data.counts)
    return table(
        [
            (
                "window after onset (s)",
                f"{latency:g} to {latency + stop - start:g}",
                f"{start:g} to {stop:g}",
            ),
            (
                "median explainable variance",
                *(np.nanmedian(reliability.explainable_variance(c)) for c in both),
            ),
            ("median oracle correlation", *(np.nanmedian(reliability.oracle_correlation(c)) for c in both)),
        ]
    )


def file_order(image_ids, mean_counts):
    """Effect of joining images and responses by the order of file names, not by frame.

    Parameters
    ----------
    image_ids : (I,) array of int
    mean_counts : (I, U) array
    """
    order = sorted(range(len(image_ids)), key=lambda k: f"natural_scene_{image_ids[k]}.tiff")
    wrong = int(np.sum(np.asarray(order) != np.arange(len(order))))
    a, b = mean_counts[order], mean_counts
    varied = b.std(axis=0) > 0
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(a.T[varied], b.T[varied])]
    return table(
        [
            ("images with another image's responses", wrong, 0),
            ("correlation of the responses joined with the right ones", np.median(r), 1.0),
        ]
    )


def stretched(shape):
    """Effect of resizing images to 60 x 96 pixels whatever their shape (h, w)."""
    factor = (ORIGINAL_SHAPE[1] / ORIGINAL_SHAPE[0]) / (shape[1] / shape[0])
    return table(
        [
            ("width over height", ORIGINAL_SHAPE[1] / ORIGINAL_SHAPE[0], shape[1] / shape[0]),
            ("horizontal stretch", f"{100 * (factor - 1):.1f} %", "0.0 %"),
            ("a line at 45 degrees is shown at (degrees)", np.rad2deg(np.arctan(1 / factor)), 45.0),
        ]
    )


# ---- the selection ------------------------------------------------------------------------------


def raster_gaps(presentations, bin_width=0.1):
    """Share of the bins of a raster from the first to the last scene that hold no scene."""
    if presentations is None:
        return "*This source holds no presentations: there is no raster to bin.*"
    blocks = counting.stimulus_blocks(presentations)
    whole = int((blocks.stop_time.max() - blocks.start_time.min()) / bin_width)
    inside = int(((blocks.stop_time - blocks.start_time) / bin_width).sum())
    return table(
        [
            ("blocks of natural scenes", len(blocks), len(blocks)),
            ("bins", f"{whole:,}", f"{inside:,}"),
            ("bins outside the blocks", f"{100 * (1 - inside / whole):.1f} %", "0.0 %"),
        ]
    )


def outliers(mean_counts, *, seed=42):
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

    Returns
    -------
    table : DataFrame
    values : (2, U) array
        The original's (nats) and the entropy of the counts (bits).
    """
    mean_counts = np.nanmean(counts, axis=0)
    values = np.stack([selection.response_entropy_published(mean_counts), selection.response_entropy(counts)])
    distinct = pd.Series([len(np.unique(unit)) for unit in mean_counts.T])
    rank = [pd.Series(v).corr(distinct, method="spearman") for v in values]
    return table(
        [
            ("unit", "nats, of means", "bits, of counts"),
            ("median over units", *np.nanmedian(values, axis=1)),
            (
                "largest value over the number of images' logarithm",
                np.nanmax(values[0]) / np.log(len(mean_counts)),
                None,
            ),
            ("rank correlation with the number of distinct means", *rank),
        ]
    ), values


def oracle(counts, *, draws=50, seed=0):
    """Effect of one random repeat an image instead of all of them.

    The spread is that of the value of one draw, which the original averages over 50.
    """
    single = np.stack(
        [
            reliability.oracle_correlation_published(counts, draws=1, seed=seed + k).oracle
            for k in range(draws)
        ]
    )
    whole = [
        reliability.oracle_correlation_published(
            counts, draws=draws, seed=seed, drop_zeros=True
        ).oracle.to_numpy(),
        reliability.oracle_correlation(counts),
    ]
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


def model(images, mean_counts):
    """Size of the original's network, its smoothness penalty, and its missing nonlinearity.

    A linear output stands for the network's, whose ELU + 1 is stated and never applied.

    Parameters
    ----------
    images : (I, h, w) array
    mean_counts : (I, U) array
    """
    size = sum(p.numel() for p in network.Network(images.shape[1:], 1, "published").parameters())
    linear = linear_fit(images, mean_counts)
    return table(
        [
            ("parameters a unit, the network with odd kernels", f"{size:,}", None),
            ("parameters an image", f"{size / len(images):.0f}", None),
            ("smoothness penalty of a 4 x 4 kernel", smoothness_penalty(4), smoothness_penalty(4, padding=1)),
            ("smoothness penalty of a 5 x 5 kernel", smoothness_penalty(5), smoothness_penalty(5, padding=1)),
            ("negative counts predicted by a linear output", f"{100 * np.mean(linear < 0):.2f} %", "0.00 %"),
            ("lowest predicted count", float(linear.min()), float(mean_counts.min())),
        ]
    )


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


def linear_fit(images, mean_counts, *, size=(6, 8), penalty=1.0):
    """Ridge regression of the counts on coarse pixels, each image left out: (I, U) predictions."""
    small = F.interpolate(torch.as_tensor(images)[:, None], size=size, mode="area").flatten(1).numpy()
    x = (small - small.mean(axis=0)).astype(float)
    hat = x @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T) + 1 / len(x)
    fit = hat @ mean_counts
    left_out = np.diag(hat)[:, None]
    return (fit - left_out * mean_counts) / (1 - left_out)


def luck(predictions, mean_counts, *, permutations=500, seed=0):
    """The best correlation that units reach on few validation images when there is nothing to find.

    Images are permuted, a set of `VALIDATION` is drawn, and the best of `COMPARED` units is taken,
    which are drawn with replacement from those of the run.

    Parameters
    ----------
    predictions, mean_counts : (I, U) arrays

    Returns
    -------
    table : DataFrame
    best : (permutations,) array
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
            ("images that judge a model", min(VALIDATION, len(a)), len(a)),
            (f"best of {COMPARED} units by chance, median", np.median(best), whole),
        ]
    ), best


# ---- most exciting inputs -----------------------------------------------------------------------


def round_unit(shape, *, steps, seed=0):
    """The original's algorithm and ours on a unit whose optimum is round.

    Parameters
    ----------
    shape : (h, w)
    steps : int
        Of either algorithm.

    Returns
    -------
    table : DataFrame
    images : dict of str to (h, w) array
        original, here
    """
    unit = original_mei.IsotropicUnit(shape).eval()
    start = np.random.default_rng(seed).uniform(size=shape).astype(np.float32)
    runs = {
        weight: original_mei.published_mei(unit, start, steps=steps, penalty=weight)
        for weight in (0.0, 2.0, 20.0)
    }
    theirs = runs[2.0]
    ours = search.most_exciting_input(
        unit,
        shape,
        Target(mean=0.5, contrast=0.05),
        starts=("noise",),
        seed=seed,
        settings=AscentSettings(steps=steps),
    )
    images = {"original": theirs.image, "here": ours.best_images[0]}
    change = max(np.abs(run.image - theirs.image).max() for run in runs.values())
    symmetry = [metrics.symmetry_index(image, 1, degrees_per_pixel=1.0) for image in images.values()]
    unpenalised = runs[0.0]
    best = max(unpenalised.penalised_trace.max(), unpenalised.response)
    return table(
        [
            ("one-fold symmetry of a round optimum", *symmetry),
            ("largest change of a pixel, penalty weight 0 to 20", float(change), None),
            ("response of the image kept over the best on the way", unpenalised.response / best, 1.0),
            (
                "value plotted as the response over the response",
                float(theirs.penalised_trace[-1] / theirs.response),
                1.0,
            ),
            ("blur at half the way over that at the start", sigma_at_half(steps), 0.5),
        ]
    ), images


def sigma_at_half(steps, first=7.0, last=0.001):
    """Blur that the original's recursion has left half way, as a share of the first."""
    sigma = first
    for step in range(1, steps // 2 + 1):
        sigma += (last - sigma) * step / steps
    return sigma / first


# ---- Gabors -------------------------------------------------------------------------------------


def drift(presentations):
    """What the logged "phase" of the recorded Gabors means: they drift while they are shown."""
    if presentations is None or not (presentations.stimulus_name == "gabors").any():
        return "*This source holds no recorded Gabors.*"
    shown = conditions.gabor_table(presentations)
    cycles = float((shown.temporal_frequency * shown.duration).mean())
    return table([("cycles that a Gabor drifts through in one presentation", 0.0, cycles)])


def best_conditions(counts, presentations, *, draws=20, seed=0):
    """How often the best condition is found, if the recorded means were the truth.

    Counts are drawn anew from Poisson distributions with the recorded condition means, for units
    with a significant map. The original takes the three highest single presentations, and by an
    off-by-one the presentation after each.

    Parameters
    ----------
    counts : (P, U) array
    presentations : DataFrame of P rows, or None
    """
    if presentations is None or not (presentations.stimulus_name == "gabors").any():
        return "*This source holds no recorded Gabors.*"
    shown = (presentations.stimulus_name == "gabors").to_numpy()
    rows, counts = presentations[shown].reset_index(drop=True), counts[shown]
    means = conditions.condition_means(counts, rows)
    tuned = np.flatnonzero(receptive_fields.position_test(counts, rows, permutations=200, seed=seed) < 0.05)
    if len(tuned) == 0:
        return "*No unit has a significant map of recorded Gabors.*"
    where = means.index.get_indexer(pd.MultiIndex.from_frame(rows[conditions.GABOR]))
    truth = means.to_numpy()[:, tuned]
    rng, right = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn = rng.poisson(truth[where])
        highest = np.argsort(-drawn, axis=0, kind="stable")[:3]
        after = np.minimum(highest + 1, len(rows) - 1)
        averaged = conditions.condition_means(drawn, rows).to_numpy().argmax(axis=0)
        best = truth.argmax(axis=0)
        right.append(
            [np.mean(where[highest] == best), np.mean(where[after] == best), np.mean(averaged == best)]
        )
    single, off, here = np.mean(right, axis=0)
    return table(
        [
            ("units with a significant map", len(tuned), len(tuned)),
            ("the right one of all conditions is taken", f"{100 * single:.0f} %", f"{100 * here:.0f} %"),
            ("the same, with the off-by-one", f"{100 * off:.0f} %", None),
        ]
    )


def published_gabor(*, scene_height, recorded_frequency=0.08):
    """The numbers of the original's Gabor from its formula, and what they are made of.

    Column "printed" holds those that the original printed.

    Parameters
    ----------
    scene_height : float, degrees
    recorded_frequency : float, cycles/degree
        Of the recorded Gabors.
    """
    image = original_metrics.published_gabor()
    pixel = scene_height / image.shape[0]
    peak = metrics.spectral_peak(image, degrees_per_pixel=pixel)["spatial_frequency"]
    mask = patterns.circular_mask(image.shape, degrees_per_pixel=1.0, x=0.5, y=-0.5, radius=12)
    index = [metrics.symmetry_index(image, n, degrees_per_pixel=1.0) for n in (1, 2)]
    rows = table(
        [
            ("standard deviation", float(image.std()), None),
            ("luminance", original_metrics.published_luminance(image), metrics.luminance(image, mask=mask)),
            (
                "masked contrast",
                original_metrics.published_contrast(image),
                metrics.contrast(image, mask=mask),
            ),
            ("one-fold symmetry", original_metrics.published_symmetry(image, 1), index[0]),
            ("two-fold symmetry", original_metrics.published_symmetry(image, 2), index[1]),
            (
                "share of the mean (DC) in the sum of the index",
                f"{100 * original_metrics.published_dc_share(image):.1f} %",
                "0.0 %",
            ),
            ("spatial frequency (cycles/deg), here the recorded one", peak, recorded_frequency),
        ]
    )
    rows.insert(0, "printed", PRINTED_GABOR + [None] * (len(rows) - len(PRINTED_GABOR)))
    return rows


def swapped_orientation():
    """Direction of the bars that the original and AllenSDK draw for one orientation, as tables."""
    drawn = []
    for orientation in (0, 90):
        theirs = original_metrics.published_gabor((orientation,))
        ours = patterns.gabor(
            ORIGINAL_SHAPE,
            degrees_per_pixel=1.0,
            x=0,
            y=0,
            sigma=5,
            phase=0,
            orientation=orientation,
            spatial_frequency=1 / np.pi,
        )
        drawn.append([_bars(image) for image in (theirs, ours)])
    return table([(f"bars drawn for orientation {o}", *d) for o, d in zip((0, 90), drawn)])


def _bars(image):
    rows, columns = (np.abs(np.diff(np.asarray(image, float), axis=axis)).sum() for axis in (0, 1))
    return "horizontal" if rows > columns else "vertical"


def shown_to_the_model(run_folder, session, units, *, kind):
    """Predicted responses to the original's Gabor, which it never showed to its model.

    By the models that made no stimulus, at the mean and contrast of the first unit's stimuli.

    Parameters
    ----------
    run_folder : Path
    session : Session
    units : DataFrame
        Index: unit ids; gabor_response, mei_response; those without a response are left out.
    kind : str
        Of the models.

    Returns
    -------
    table : DataFrame, or one line
    responses : DataFrame
        best Gabor, the original's Gabor: predicted counts, a row a unit.
    """
    units = units.dropna(subset=["gabor_response", "mei_response"])
    if units.empty:
        return "*No neuron has a most exciting input and a Gabor to compare with.*", None
    contrast = load_result(Path(run_folder) / "units" / str(units.index[0]), "mei")[0]["contrast"]
    members = crossvalidation.load_ensemble(Path(run_folder) / "models" / kind).models
    _, judges = ensemble.split_members(members)
    image = stimuli.set_mean_contrast(
        original_metrics.published_gabor(shape=session.images.shape[1:]),
        Target(mean=session.mean_luminance, contrast=contrast),
    )
    columns = [session.unit_index(unit) for unit in units.index]
    theirs = ensemble.predicted_responses(judges, image[None], units=columns)[0]
    best = units.gabor_response.to_numpy(float)
    return table(
        [
            ("median predicted count to the Gabor", np.median(theirs), np.median(best)),
            ("median predicted count to the masked MEI", None, units.mei_response.median()),
            (
                "neurons that answer more to it than to the other Gabor",
                int((theirs > best).sum()),
                int((best > theirs).sum()),
            ),
        ]
    ), pd.DataFrame({"best Gabor": best, "the original's Gabor": theirs}, units.index)


# ---- metrics ------------------------------------------------------------------------------------


def symmetry(shape=ORIGINAL_SHAPE, *, draws=20, seed=0):
    """One- and two-fold symmetry, the original's and ours, of stimuli whose symmetry is known.

    Returns
    -------
    DataFrame
        Index: the stimulus; columns: original 1, here 1, original 2, here 2.
    """
    rng = np.random.default_rng(seed)
    patch = dict(degrees_per_pixel=1.0, x=0, y=0, spatial_frequency=0.08, phase=0.1, sigma=6.0)
    single, crossed = (patterns.gabor(shape, orientation=o, **patch) for o in (0, 90))
    known = {
        "Gabor": [single],
        "two crossed Gabors": [single + crossed],
        "white noise": rng.normal(size=(draws, *shape)),
        "the original's Gabor": [original_metrics.published_gabor()],
    }
    rows = {}
    for name, images in known.items():
        images = [(i - np.min(i)) / np.ptp(i) for i in images]  # shown in [0, 1], as there
        rows[name] = [
            np.mean([f(i, n) for i in images])
            for n in (1, 2)
            for f in (original_metrics.published_symmetry, _symmetry)
        ]
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["1-fold, original", "1-fold, here", "2-fold, original", "2-fold, here"]
    )


def spectrum_angles(orientations=(45, 22.5)):
    """Effect of angles between pixel indices of a spectrum that is not square.

    The direction is that of the axial average's first harmonic, between 0 and 90 degrees.
    """
    rows = []
    for orientation in orientations:
        image = patterns.gabor(
            ORIGINAL_SHAPE,
            degrees_per_pixel=1.0,
            x=0,
            y=0,
            orientation=orientation,
            spatial_frequency=0.15,
            phase=0,
            sigma=6,
        )
        theirs, _ = original_metrics.published_orientation_power(image - image.mean())
        ours, angles = metrics.orientation_power(image, degrees_per_pixel=1.0)
        their_angles = (np.arange(len(theirs)) - 15.5) * metrics.BIN
        rows.append(
            (
                f"direction of the spectrum of a Gabor of {orientation:g} degrees",
                *(
                    np.rad2deg(np.abs(np.angle(np.sum(power * np.exp(2j * at)))) / 2)
                    for power, at in ((theirs, their_angles), (ours, angles))
                ),
            )
        )
    return table(rows)


def _symmetry(image, n):
    return metrics.symmetry_index(image, n, degrees_per_pixel=1.0)


def fixed_disk(run_folder, units, *, degrees_per_pixel, aside=6):
    """Effect of a mask of one radius for all stimuli, and of a centre that is set by eye.

    Parameters
    ----------
    run_folder : Path
    units : iterable of int
        With a result of 06_gabor.
    degrees_per_pixel : float
    aside : int
        Pixels by which an eye may miss the centre, to each of four sides.

    Returns
    -------
    DataFrame, or one line
    """
    rows = []
    for unit in units:
        folder = Path(run_folder) / "units" / str(unit)
        image, mask = stimuli_of(folder)["mei"], load_result(folder, "gabor")[1]["mask"]
        x, y, radius = metrics.analysis_disk(image, mask=mask, degrees_per_pixel=degrees_per_pixel)
        own = metrics.analysis_mask(image, mask=mask, degrees_per_pixel=degrees_per_pixel)
        pixels = DISK * len(image) / ORIGINAL_SHAPE[0]
        middle = np.array(image.shape) / 2 + np.array([-y, x]) / degrees_per_pixel - 0.5
        there, *beside = (
            original_metrics.published_contrast(image, radius=pixels, centre=middle + shift)
            for shift in aside * np.array([(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)])
        )
        rows.append(
            [
                pixels * degrees_per_pixel,
                radius,
                there,
                metrics.contrast(image, mask=own),
                1 - np.min(beside) / there,
            ]
        )
    if not rows:
        return "*No neuron has a most exciting input to measure.*"
    theirs, radius, fixed, fitted, lost = np.median(rows, axis=0)
    low, high = np.min(rows, axis=0)[1], np.max(rows, axis=0)[1]
    return table(
        [
            ("radius of the disk (deg), median over MEIs", theirs, radius),
            ("smallest to largest radius (deg)", f"{theirs:.1f}", f"{low:.1f} to {high:.1f}"),
            ("contrast inside, median", fixed, fitted),
            (
                f"contrast lost if the centre is {aside} pixels off, median",
                f"{100 * lost:.0f} %",
                "0 %, the centre is computed",
            ),
        ]
    )


def luminance(contrasts=(0.1, 0.4), radius=DISK):
    """What the original's luminance says of grey, and of two Gabors of different contrast.

    A disk of pixels is summed and divided by pi r^2; before that each image is stretched to [0, 1].
    """
    shape = ORIGINAL_SHAPE
    mask = patterns.circular_mask(shape, degrees_per_pixel=1.0, x=0.5, y=-0.5, radius=radius)
    rows = [
        (
            "an even 0.5",
            original_metrics.published_luminance(np.full(shape, 0.5), radius=radius),
            metrics.luminance(np.full(shape, 0.5), mask=mask),
        )
    ]
    for c in contrasts:
        image = 0.3 + c / 2 * patterns.gabor(
            shape, degrees_per_pixel=1.0, x=0, y=0, orientation=90, spatial_frequency=0.08, phase=0.1, sigma=6
        )
        stretched_image = (image - image.min()) / np.ptp(image)
        rows.append(
            (
                f"a Gabor of contrast {c:g} on a grey of 0.3",
                original_metrics.published_luminance(stretched_image, radius=radius),
                metrics.luminance(image, mask=mask),
            )
        )
    return table(rows)


# ---- published values ---------------------------------------------------------------------------


def published_of_models(correlations, images):
    """The published values of models, MEI and Gabor beside a run's (the rest: `lib.original.printed_values`).

    Parameters
    ----------
    correlations : Series
        Index unit_id: correlation to average of the model.
    images : dict of str to (h, w) array
        "mei" and "gabor" of 951097947, if it was selected.

    Returns
    -------
    DataFrame
        Columns published, here: the original's formulas; NaN for what the run does not have.
    """
    rows = [
        (f"prediction of {unit}", value, correlations.get(unit, np.nan))
        for unit, value in {951097947: 0.59, 951097919: 0.46, 951092949: 0.34, 951098928: 0.32}.items()
    ]
    for name, values in {
        "mei": (0.4496, 0.1511, 0.9696, 0.9846),
        "gabor": (0.4097, 0.1323, 0.9993, 0.9976),
    }.items():
        mine = original_metrics.published_metrics(images[name]) if name in images else {}
        rows += [
            (f"{what} of the {name} of 951097947", value, mine.get(what, np.nan))
            for what, value in zip(("luminance", "contrast", "symmetry_1", "symmetry_2"), values)
        ]
    return pd.DataFrame(rows, columns=["", "published", "here"]).set_index("")
