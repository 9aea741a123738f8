"""Predicting one class of stimuli from the others: each is left out of training in turn.

The classes are natural scenes, natural movies, static gratings and Gabors, as far as a session holds them.
Nothing of the class that is left out is seen, neither in fitting nor in choosing, so that its prediction
needs no folds.
"""

import numpy as np
import pandas as pd
import torch

from lib import statistics
from lib.models import cores, many_images, training_sets
from lib.models.crossvalidation import prediction_scores
from lib.models.ensemble import predicted_means

# The first of the classes learned from gives the windows and the weights of the features, as scenes do for
# every model of a run. Gratings come next: many repeats, and every orientation and frequency alike.
FIRST = ("natural_scenes", "static_gratings", "natural_movies", "gabors")
FLAT = 1e-3  # standard deviation of features (of luminance, black 0, white 1) that is no variation
LEAST_CEILING = 0.3  # below it a response is mostly noise, and r over ceiling is too
MEASURES = ["r", "r_low", "r_high", "ceiling", "r_over_ceiling", "other_unit", "p", "true_r"]
COLUMNS = ["unit_id", "left_out", *MEASURES]


def held_classes(session) -> dict:
    """Return the frames and counts of every class of stimuli that a session holds, in the order of `FIRST`.

    {class: [(frames, counts), ...]}, a pair a stimulus set, as of `lib.models.training_sets.repeated_sets`;
    natural movies have one for each movie, the other classes one.
    """
    shown = set() if session.presentations is None else set(session.presentations.stimulus_name)
    sets = training_sets.repeated_sets(session, ["available", *shown & {"gabors"}])
    classes = {"natural_scenes": [(session.images[:, None], session.counts)]}
    for name, one in sets.items():
        classes.setdefault(name if name in FIRST else "natural_movies", []).append(one)
    return {name: classes[name] for name in FIRST if name in classes}


def predict_left_out(classes, *, degrees_per_pixel) -> dict:
    """Leave out every class in turn, learn from the others, and predict the one left out.

    `classes` are two or more, of `held_classes`. Returns {class: [(responses, units) array, ...]},
    predictions for each stimulus set of the class left out.
    """
    shape = next(iter(classes.values()))[0][0].shape[2:]
    core = cores.V1Core(shape, degrees_per_pixel=degrees_per_pixel).eval()
    features = {
        name: [training_sets.mean_features(core, f) for f, _ in sets] for name, sets in classes.items()
    }
    means = {name: [np.nanmean(counts, axis=0) for _, counts in sets] for name, sets in classes.items()}
    pairs = [(name, f, r) for name in classes for f, r in zip(features[name], means[name])]
    names, predictions = list(classes), {}
    for first, without in ((0, names[1:]), (len(classes[names[0]]), names[:1])):  # the images learned from
        _, images, responses = pairs[first]
        varying = varying_features(images, core)
        others = [pair for k, pair in enumerate(pairs) if k != first and [pair[0]] != without]
        more = [(name, f * varying, r) for name, f, r in others]
        choices = [[k for k, (name, *_) in enumerate(more) if name != left_out] for left_out in without]
        models = many_images.fits(images * varying, responses, core, [pair[1:] for pair in more], choices)
        for left_out, model in zip(without, models):
            with torch.no_grad():
                predictions[left_out] = [model.from_features(f).numpy(force=True) for f in features[left_out]]
    return {name: predictions[name] for name in names}


def varying_features(features, core) -> torch.Tensor:
    """Which features can be learned from a set of stimuli: (n, features) -> (features,) of 0 and 1.

    A group that does not vary over the set is left out: brought to the size of the others, its rounding would
    be learned from and would drive the prediction of all stimuli in which it does vary. The luminance of
    Gabors, each averaged over the cycle of its drift, is such a group.
    """
    sizes = [int(np.prod(shape)) for _, shape in core.groups]
    spread = [part.var(0).mean().sqrt() for part in features.split(sizes, dim=1)]
    return torch.cat([torch.full((size,), float(s > FLAT)) for s, size in zip(spread, sizes)])


def scores(predictions, counts, *, unit_ids, areas, seed=0, truth=None) -> pd.DataFrame:
    """How well units are predicted, by their own models and by those of other units.

    Parameters
    ----------
    predictions : list of (responses, units) array
        For each stimulus set of a class.
    counts : list of (repeats, responses, units) array
        Of the same sets; several sets are each taken about their own mean.
    unit_ids, areas : (units,) array
        The area of each unit: another unit is one of the same area.
    truth : list of (responses, units) array, optional
        True expected responses, of simulated units.

    Returns
    -------
    DataFrame
        A row per unit: r (correlation over the class's responses) with r_low and r_high (95 % bootstrap
        interval over them), ceiling (CCmax), r_over_ceiling (NaN under `LEAST_CEILING`), other_unit (mean r
        of the other units' models with this unit), p (share of models that do as well as its own, its own
        counted), true_r (correlation with the true responses, NaN where unknown).
    """
    predicted, recorded = _joined(predictions), _joined(counts)
    own = prediction_scores(predicted, recorded, seed=seed)
    every = correlations(predicted, np.nanmean(recorded, axis=0))
    r, ceiling, areas = every.diagonal(), own.cc_max.to_numpy(), np.asarray(areas)
    other, p = np.full((2, len(r)), np.nan)
    for unit in range(len(r)):
        others = every[(areas == areas[unit]) & (np.arange(len(r)) != unit), unit]
        if len(others) and np.isfinite(r[unit]):
            other[unit] = others.mean()
            p[unit] = statistics.permutation_p(r[unit], others)
    known = np.full(len(r), np.nan) if truth is None else correlations(predicted, _joined(truth)).diagonal()
    return pd.DataFrame(
        {
            "unit_id": np.asarray(unit_ids),
            "r": r,
            "r_low": own.correlation_low,
            "r_high": own.correlation_high,
            "ceiling": ceiling,
            "r_over_ceiling": np.divide(
                r, ceiling, out=np.full(len(r), np.nan), where=ceiling >= LEAST_CEILING
            ),
            "other_unit": other,
            "p": p,
            "true_r": known,
        }
    )


def transfer_table(classes, predictions, *, unit_ids, areas, seed=0, truth=None) -> pd.DataFrame:
    """Scores (`COLUMNS`) of every unit and class left out, a row each.

    `classes` and `predictions` are of `held_classes` and `predict_left_out`; a class without a prediction is
    not scored. `truth` may be a module from images (n, 1, h, w) to the expected counts of the same units,
    such as `lib.data.simulated_neurons.TrueUnits`.
    """
    rows = [pd.DataFrame(columns=COLUMNS)]
    for name, predicted in predictions.items():
        known = None if truth is None else [predicted_means(truth, frames) for frames, _ in classes[name]]
        counts = [counts for _, counts in classes[name]]
        scored = scores(predicted, counts, unit_ids=unit_ids, areas=areas, seed=seed, truth=known)
        rows.append(scored.assign(left_out=name)[COLUMNS])
    return pd.concat(rows[1:] or rows, ignore_index=True)


def summary(table, *, seed=0) -> pd.DataFrame:
    """Medians over the units whose ceiling is at least `LEAST_CEILING`, a row per class left out.

    Empty without such a unit. Index left_out: units, r, ceiling, r_over_ceiling with low and high (95 %
    bootstrap interval over units), other_unit, and r less other_unit: median_difference with the same
    interval (difference_low, difference_high), and higher, the units in which it is above 0, of those
    compared.
    """
    reliable, rows = table[table.r_over_ceiling.notna()], {}
    for name, own in reliable.groupby("left_out", sort=False):
        low, high = statistics.bootstrap_interval(own.r_over_ceiling, seed=seed)
        medians = own[["r", "ceiling", "r_over_ceiling", "other_unit"]].median()
        rows[name] = {"units": len(own), **medians, "low": low, "high": high}
        difference = (own.r - own.other_unit).dropna()
        low, high = statistics.bootstrap_interval(difference, seed=seed)
        rows[name] |= {
            "median_difference": difference.median(),
            "difference_low": low,
            "difference_high": high,
        }
        rows[name] |= {"compared": len(difference), "higher": int((difference > 0).sum())}
    return pd.DataFrame.from_dict(rows, orient="index")


def agreement_with_truth(table) -> pd.DataFrame:
    """How far r over ceiling, which a recording gives, is the correlation with the true responses.

    Index left_out: units, true_r (median), median_difference (measured less true), median_error (its size),
    rank_correlation (Spearman's, over units; NaN with fewer than three or where they are all alike).
    """
    rows = {}
    for name, own in table.dropna(subset=["r_over_ceiling", "true_r"]).groupby("left_out", sort=False):
        difference = own.r_over_ceiling - own.true_r
        ranked = own[["r_over_ceiling", "true_r"]].rank().to_numpy()
        varied = len(own) > 2 and (np.ptp(ranked, axis=0) > 0).all()
        rows[name] = {
            "units": len(own),
            "true_r": own.true_r.median(),
            "median_difference": difference.median(),
            "median_error": difference.abs().median(),
            "rank_correlation": np.corrcoef(ranked.T)[0, 1] if varied else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def correlations(predicted, recorded) -> np.ndarray:
    """Correlation of every model with every unit: (responses, models), (responses, units) -> (models, units).

    0 for a prediction that does not vary, NaN for a response that does not.
    """
    a, b = (
        np.asarray(values, float) - np.mean(values, axis=0, dtype=float) for values in (predicted, recorded)
    )
    flat_a, flat_b = (np.ptp(values, axis=0) == 0 for values in (predicted, recorded))
    a, b = (v / np.maximum(np.linalg.norm(v, axis=0), 1e-30) for v in (a, b))
    r = a.T @ b
    r[flat_a] = 0
    r[:, flat_b] = np.nan
    return r


def _joined(sets):
    """Arrays (..., responses, units) of several stimulus sets as one, each about its own mean."""
    if len(sets) == 1:
        return np.asarray(sets[0], float)
    parts = []
    for values in sets:
        values = np.asarray(values, float)
        over = tuple(range(values.ndim - 1))
        varies = np.nanmax(values, axis=over) > np.nanmin(values, axis=over)
        parts.append(np.where(varies, values - np.nanmean(values, axis=over), 0 * values))
    if parts[0].ndim == 3:
        most = max(len(part) for part in parts)
        missing = [((0, most - len(part)), (0, 0), (0, 0)) for part in parts]
        parts = [np.pad(part, width, constant_values=np.nan) for part, width in zip(parts, missing)]
    return np.concatenate(parts, axis=-2)
