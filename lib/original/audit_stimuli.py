"""What the original's choices in stimuli and their metrics do to numbers, on the data of a run.

Sections as in `lib.original.audit_data`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.data import conditions
from lib.mei import search
from lib.mei.ascent import AscentSettings
from lib.models import ensemble
from lib.original import mei as original_mei
from lib.original import metrics as original_metrics
from lib.original.audit_data import ORIGINAL_SHAPE, table
from lib.population.table import stimuli_of
from lib.responses import receptive_fields
from lib.stages import load_result
from lib.stimuli import contrast as stimuli
from lib.stimuli import metrics, patterns
from lib.stimuli.contrast import Target

DISK = 12  # radius of its mask, pixels
PRINTED_GABOR = [0.03669, 0.40972, 0.1323, 0.99926, 0.99757]  # in the order of `published_gabor`


# ---- most exciting inputs -----------------------------------------------------------------------


def round_unit(shape, *, steps, seed=0):
    """The original's algorithm and ours, of so many steps, on a unit whose optimum is round.

    Returns the table, and the images (h, w) of both as original and here.
    """
    unit = original_mei.IsotropicUnit(shape).eval()
    start = np.random.default_rng(seed).uniform(size=shape).astype(np.float32)
    free, theirs, strict = (
        original_mei.published_mei(unit, start, steps=steps, penalty=weight) for weight in (0.0, 2.0, 20.0)
    )
    target, settings = Target(mean=0.5, contrast=0.05), AscentSettings(steps=steps)
    ours = search.most_exciting_input(unit, shape, target, starts=("noise",), seed=seed, settings=settings)
    images = {"original": theirs.image, "here": ours.best_images[0]}
    change = max(np.abs(run.image - theirs.image).max() for run in (free, strict))
    final = free.response / max(free.penalised_trace.max(), free.response)
    plotted = float(theirs.penalised_trace[-1] / theirs.response)
    return table(
        [
            ("one-fold symmetry of a round optimum", *(_symmetry(image, 1) for image in images.values())),
            ("largest change of a pixel, penalty weight 0 to 20", float(change), None),
            ("response to the final image / best response during the ascent", final, 1.0),
            ("value plotted as the response / response", plotted, 1.0),
            ("blur halfway / initial blur", sigma_at_half(steps), 0.5),
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
        return "recorded Gabors"
    shown = conditions.gabor_table(presentations)
    cycles = float((shown.temporal_frequency * shown.duration).mean())
    return table([("cycles that a Gabor drifts through in one presentation", 0.0, cycles)])


def best_conditions(counts, presentations, *, draws=20, seed=0):
    """How often the best condition is found, if the recorded means were the truth.

    Counts are drawn anew from Poisson distributions with the recorded condition means, for units
    with a significant map, from those of all presentations (P, U). The original takes the three highest
    single presentations, and by an off-by-one the presentation after each.
    """
    if presentations is None or not (presentations.stimulus_name == "gabors").any():
        return "recorded Gabors"
    shown = (presentations.stimulus_name == "gabors").to_numpy()
    rows, counts = presentations[shown].reset_index(drop=True), counts[shown]
    means = conditions.condition_means(counts, rows)
    tuned = np.flatnonzero(receptive_fields.position_test(counts, rows, permutations=200, seed=seed) < 0.05)
    if len(tuned) == 0:
        return "significant map"
    where = means.index.get_indexer(pd.MultiIndex.from_frame(rows[conditions.GABOR]))
    truth = means.to_numpy()[:, tuned]
    best, rng, right = truth.argmax(axis=0), np.random.default_rng(seed), []
    for _ in range(draws):
        drawn = rng.poisson(truth[where])
        highest = np.argsort(-drawn, axis=0, kind="stable")[:3]
        after = np.minimum(highest + 1, len(rows) - 1)
        averaged = conditions.condition_means(drawn, rows).to_numpy().argmax(axis=0)
        right.append([np.mean(chosen == best) for chosen in (where[highest], where[after], averaged)])
    single, off, here = np.mean(right, axis=0)
    return table(
        [
            ("units with a significant map", len(tuned), len(tuned)),
            ("right condition chosen", f"{100 * single:.0f} %", f"{100 * here:.0f} %"),
            ("the same, with the off-by-one error", f"{100 * off:.0f} %", None),
        ]
    )


def published_gabor(*, scene_height):
    """The numbers of the original's Gabor from its formula, and what they are made of; degrees.

    Column "printed" holds those that the original printed.
    """
    image = original_metrics.published_gabor()
    theirs = original_metrics.published_metrics(image)
    pixel = scene_height / image.shape[0]
    peak = metrics.spectral_peak(image, degrees_per_pixel=pixel)["spatial_frequency"]
    mask = patterns.circular_mask(image.shape, degrees_per_pixel=1.0, x=0.5, y=-0.5, radius=DISK)
    share = f"{100 * theirs['dc_share']:.1f} %"
    rows = table(
        [
            ("standard deviation", float(image.std()), None),
            ("luminance", theirs["luminance"], metrics.luminance(image, mask=mask)),
            ("masked contrast", theirs["contrast"], metrics.contrast(image, mask=mask)),
            ("one-fold symmetry", theirs["symmetry_1"], _symmetry(image, 1)),
            ("two-fold symmetry", theirs["symmetry_2"], _symmetry(image, 2)),
            ("share of the mean (DC) in the sum of the index", share, "0.0 %"),
            ("spatial frequency (cycles/deg), here the recorded one", peak, 0.08),
        ]
    )
    rows.insert(0, "printed", PRINTED_GABOR + [None] * (len(rows) - len(PRINTED_GABOR)))
    return rows


def swapped_orientation():
    """Direction of the bars that the original and AllenSDK draw for one orientation, as tables."""
    like = dict(degrees_per_pixel=1.0, x=0, y=0, sigma=5, phase=0, spatial_frequency=1 / np.pi)
    rows = []
    for orientation in (0, 90):
        theirs = original_metrics.published_gabor((orientation,))
        ours = patterns.gabor(ORIGINAL_SHAPE, orientation=orientation, **like)
        rows.append((f"bars drawn for orientation {orientation}", _bars(theirs), _bars(ours)))
    return table(rows)


def _bars(image):
    rows, columns = (np.abs(np.diff(np.asarray(image, float), axis=axis)).sum() for axis in (0, 1))
    return "horizontal" if rows > columns else "vertical"


def shown_to_the_model(run_folder, session, units, *, kind):
    """Predicted responses to the original's Gabor, which it never showed to its model.

    By the models that made no stimulus, at the mean and contrast of the first unit's stimuli.

    Units (index unit_id, with gabor_response and mei_response) without a response are left out. Returns the
    table, and predicted counts to the best Gabor and the original's Gabor, a row per unit.
    """
    units = units.dropna(subset=["gabor_response", "mei_response"])
    if units.empty:
        return "MEI and Gabor", None
    contrast = load_result(Path(run_folder) / "units" / str(units.index[0]), "mei")[0]["contrast"]
    _, judges = ensemble.split_members(ensemble.load_models(run_folder, kind))
    image = original_metrics.published_gabor(shape=session.images.shape[1:])
    image = stimuli.set_mean_contrast(image, Target(mean=session.mean_luminance, contrast=contrast))
    columns = [session.unit_index(unit) for unit in units.index]
    theirs = ensemble.predicted_responses(judges, image[None], units=columns)[0]
    best = units.gabor_response.to_numpy(float)
    more = int((theirs > best).sum()), int((best > theirs).sum())
    return table(
        [
            ("median predicted count to the Gabor", np.median(theirs), np.median(best)),
            ("median predicted count to the masked MEI", None, units.mei_response.median()),
            ("neurons that respond more to this Gabor than to the other", *more),
        ]
    ), pd.DataFrame({"best Gabor": best, "the original's Gabor": theirs}, units.index)


# ---- metrics ------------------------------------------------------------------------------------


def symmetry(*, draws=20, seed=0):
    """One- and two-fold symmetry, the original's and ours, of stimuli whose symmetry is known: a row each."""
    rng = np.random.default_rng(seed)
    patch = dict(degrees_per_pixel=1.0, x=0, y=0, spatial_frequency=0.08, phase=0.1, sigma=6.0)
    single, crossed = (patterns.gabor(ORIGINAL_SHAPE, orientation=o, **patch) for o in (0, 90))
    known = {
        "Gabor": [single],
        "two crossed Gabors": [single + crossed],
        "white noise": rng.normal(size=(draws, *ORIGINAL_SHAPE)),
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
    columns = ["1-fold, original", "1-fold, here", "2-fold, original", "2-fold, here"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def spectrum_angles():
    """Effect of angles between pixel indices of a spectrum that is not square.

    The direction is that of the axial average's first harmonic, between 0 and 90 degrees.
    """

    def direction(power, angles):
        return np.rad2deg(np.abs(np.angle(np.sum(power * np.exp(2j * angles)))) / 2)

    patch = dict(degrees_per_pixel=1.0, x=0, y=0, spatial_frequency=0.15, phase=0, sigma=6)
    rows = []
    for orientation in (45, 22.5):
        image = patterns.gabor(ORIGINAL_SHAPE, orientation=orientation, **patch)
        power, _ = original_metrics.published_orientation_power(image - image.mean())
        theirs = direction(power, (np.arange(len(power)) - 15.5) * metrics.BIN)
        ours = direction(*metrics.orientation_power(image, degrees_per_pixel=1.0))
        rows.append((f"direction of the spectrum of a Gabor of {orientation:g} degrees", theirs, ours))
    return table(rows)


def _symmetry(image, n):
    return metrics.symmetry_index(image, n, degrees_per_pixel=1.0)


def fixed_disk(run_folder, units, *, degrees_per_pixel, aside=6):
    """Effect of a mask of one radius for all stimuli, and of a centre that is set by eye.

    Of units with a result of 06_gabor. An eye may miss the centre by `aside` pixels to each of four sides.
    """
    rows = []
    for unit in units:
        folder = Path(run_folder) / "units" / str(unit)
        image, mask = stimuli_of(folder)["mei"], load_result(folder, "gabor")[1]["mask"]
        try:
            x, y, radius = metrics.analysis_disk(image, mask=mask, degrees_per_pixel=degrees_per_pixel)
        except ValueError:  # flat under its mask, as the unit's own page says
            continue
        own = metrics.analysis_mask(image, mask=mask, degrees_per_pixel=degrees_per_pixel)
        pixels = DISK * len(image) / ORIGINAL_SHAPE[0]
        middle = np.array(image.shape) / 2 + np.array([-y, x]) / degrees_per_pixel - 0.5
        there, *beside = (
            original_metrics.published_contrast(image, radius=pixels, centre=middle + shift)
            for shift in aside * np.array([(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)])
        )
        lost = 1 - np.min(beside) / there
        rows.append([pixels * degrees_per_pixel, radius, there, metrics.contrast(image, mask=own), lost])
    if not rows:
        return "MEI"
    theirs, radius, fixed, fitted, lost = np.median(rows, axis=0)
    low, high = np.min(rows, axis=0)[1], np.max(rows, axis=0)[1]
    off = f"contrast lost if the centre is {aside} pixels off, median"
    return table(
        [
            ("radius of the disk (deg), median over MEIs", theirs, radius),
            ("smallest to largest radius (deg)", f"{theirs:.1f}", f"{low:.1f} to {high:.1f}"),
            ("contrast inside, median", fixed, fitted),
            (off, f"{100 * lost:.0f} %", "0 %, the centre is computed"),
        ]
    )


def luminance():
    """What the original's luminance says of grey, and of two Gabors of different contrast.

    A disk of pixels is summed and divided by pi r^2; before that each image is stretched to [0, 1].
    """
    mask = patterns.circular_mask(ORIGINAL_SHAPE, degrees_per_pixel=1.0, x=0.5, y=-0.5, radius=DISK)
    like = dict(degrees_per_pixel=1.0, x=0, y=0, orientation=90, spatial_frequency=0.08, phase=0.1, sigma=6)
    patch, images = patterns.gabor(ORIGINAL_SHAPE, **like), {"uniform 0.5": np.full(ORIGINAL_SHAPE, 0.5)}
    images |= {f"a Gabor of contrast {c:g} on a grey of 0.3": 0.3 + c / 2 * patch for c in (0.1, 0.4)}
    rows = []
    for name, image in images.items():
        spread = np.ptp(image)
        shown = (image - image.min()) / spread if spread else image
        theirs = original_metrics.published_luminance(shown, radius=DISK)
        rows.append((name, theirs, metrics.luminance(image, mask=mask)))
    return table(rows)


# ---- published values ---------------------------------------------------------------------------


def stimuli_of_unit(run_folder):
    """MEI and best Gabor of the unit whose values the original printed; empty if it was not selected."""
    folder = Path(run_folder) / "units" / "951097947"
    if not folder.exists():
        return {}
    return {"mei": load_result(folder, "mei")[1]["mei"], "gabor": stimuli_of(folder)["gabor"]}


def published_of_models(correlations, images):
    """The published values of models, MEI and Gabor beside a run's (the rest: `lib.original.printed_values`).

    From the correlations to average of its models, index unit_id, and what `stimuli_of_unit` returned, by
    the original's formulas; NaN for what the run does not have.
    """
    printed = {951097947: 0.59, 951097919: 0.46, 951092949: 0.34, 951098928: 0.32}
    rows = [(f"prediction of {u}", value, correlations.get(u, np.nan)) for u, value in printed.items()]
    printed = {"mei": (0.4496, 0.1511, 0.9696, 0.9846), "gabor": (0.4097, 0.1323, 0.9993, 0.9976)}
    for name, values in printed.items():
        mine = original_metrics.published_metrics(images[name]) if name in images else {}
        rows += [
            (f"{what} of the {name} of 951097947", value, mine.get(what, np.nan))
            for what, value in zip(("luminance", "contrast", "symmetry_1", "symmetry_2"), values)
        ]
    return pd.DataFrame(rows, columns=["", "published", "here"]).set_index("")
