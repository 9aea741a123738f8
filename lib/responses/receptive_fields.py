"""Responses to the Gabors and static gratings that were shown in a recording session.

Functions take the counts of all presentations, (P,) or (P, U), with the table of the P
presentations, and pick the rows of their stimulus themselves. Positions, sizes and orientations
are in degrees, by the conventions of `lib.stimuli.patterns`. Gabors in a response model: `lib.gabors.search`.
"""

import dataclasses

import numpy as np
import pandas as pd

from lib.data.conditions import GABOR, GRATING, condition_means, condition_repeats, gabor_frames
from lib.errors import InputError
from lib.responses.gaussian_fit import FIT, fit_gaussians
from lib.responses.reliability import cc_max
from lib.statistics import permutation_p

TAILS = [(1 - 0.95) / 2, (1 + 0.95) / 2]  # of the intervals

# ---- conditions ---------------------------------------------------------------------------------


def best_conditions(means):
    """Condition with the highest mean response of each unit, and that response: one row per unit.

    `means` (K, U) are those of `condition_means`.
    """
    best = means.index[means.to_numpy().argmax(axis=0)]
    return pd.DataFrame(list(best), columns=means.index.names, index=means.columns).assign(
        response=means.max(axis=0)
    )


# ---- maps ---------------------------------------------------------------------------------------


def response_map(means, *, orientation="mean"):
    """Response over the grid of positions, from the means (K, U) of `condition_means`.

    It is averaged over orientations ("mean"), or at the orientation of the unit's highest mean ("best").

    Returns
    -------
    maps : (U, ny, nx) array
    x, y : (nx,), (ny,) arrays, degrees, ascending
    """
    cube = means.to_numpy().reshape(*(len(level) for level in means.index.levels), -1)
    x, y, _ = (level.to_numpy() for level in means.index.levels)
    if orientation == "mean":
        maps = cube.mean(axis=2)
    else:
        best = cube.max(axis=(0, 1)).argmax(axis=0)
        maps = np.take_along_axis(cube, best[None, None, None], axis=2)[:, :, 0]
    return maps.transpose(2, 1, 0), x, y


def position_test(counts, presentations, *, permutations=1000, seed=0):
    """Does the response depend on where the Gabor was? Permutation test for every unit.

    Chi-square of the counts at the positions against equal rates, as AllenSDK's receptive-field mapping
    (`chisquare_categorical`), its null from permuted presentations. Returns the p values (U,); NaN for units
    without a spike.
    """
    table, repeats = condition_repeats(counts, presentations)
    position = np.unique(table[GABOR[:2]].to_numpy(), axis=0, return_inverse=True)[1]
    flat = repeats.reshape(-1, repeats.shape[2])
    shown = np.isfinite(flat).all(axis=1)
    flat, position = flat[shown], np.repeat(position, repeats.shape[1])[shown]
    order = np.argsort(position, kind="stable")
    flat, start = flat[order], np.r_[0, np.flatnonzero(np.diff(position[order])) + 1]
    expected = np.diff(np.r_[start, len(flat)])[:, None] * flat.mean(axis=0)

    def chi_square(values):
        residual = np.add.reduceat(values, start, axis=0) - expected
        return np.sum(residual**2 / np.where(expected > 0, expected, np.nan), axis=0)

    rng = np.random.default_rng(seed)
    null = [chi_square(flat[rng.permutation(len(flat))]) for _ in range(permutations)]
    return permutation_p(chi_square(flat), null)


# ---- receptive field ----------------------------------------------------------------------------


def _resampled_means(repeats, resamples, seed):
    """Condition means of bootstrap samples of the repeats, one unit at a time: (B, K) arrays."""
    rng = np.random.default_rng(seed)
    number = np.isfinite(repeats[:, :, 0]).sum(axis=1)
    drawn = (rng.random((resamples, *repeats.shape[:2])) * number[:, None]).astype(int)
    condition = np.arange(len(number))[:, None]
    valid = np.arange(repeats.shape[1]) < number[:, None]
    for unit in np.moveaxis(np.nan_to_num(repeats), 2, 0):
        yield np.where(valid, unit[condition, drawn], 0).sum(2) / number


def receptive_fields(counts, presentations, *, resamples=200, seed=0):
    """Centre and size of the receptive field of every unit, with bootstrap intervals.

    A 2-D Gaussian fitted to the map averaged over orientations (`fit_gaussians`); 95 % intervals are
    percentiles over resampled repeats. Meaningful where `position_test` finds a field.

    Returns
    -------
    DataFrame, one row per unit
        Columns of `fit_gaussians`, and x_low, x_high, and so on for y, sigma_x, sigma_y.
    """
    table, repeats = condition_repeats(counts, presentations)
    index = pd.MultiIndex.from_frame(table)
    maps, x, y = response_map(pd.DataFrame(np.nanmean(repeats, axis=1), index=index))
    fit = fit_gaussians(maps, x, y)
    intervals = []
    for means in _resampled_means(repeats, resamples, seed):
        resampled, _, _ = response_map(pd.DataFrame(means.T, index=index))
        fits = fit_gaussians(resampled, x, y)[FIT[:4]]
        intervals.append(np.quantile(fits.to_numpy(), TAILS, axis=0))
    for i, name in enumerate(FIT[:4]):
        fit[f"{name}_low"], fit[f"{name}_high"] = np.array(intervals)[:, :, i].T
    return fit


# ---- orientation --------------------------------------------------------------------------------


def _orientation_vector(response, orientation):
    """Preferred orientation and selectivity of ``a + b cos 2 (theta - preferred)``, last axis.

    The fit is exact for three orientations and the vector sum for evenly spaced ones.
    """
    angle = 2 * np.deg2rad(orientation)
    design = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    a, c, s = np.moveaxis(response @ np.linalg.pinv(design).T, -1, 0)
    ratio = np.hypot(c, s) / np.where(a > 0, a, np.nan)
    return np.rad2deg(np.arctan2(s, c)) / 2 % 180, ratio


def _circular_interval(samples, centre):
    """95 % interval around `centre` from samples of an orientation; not wrapped back to [0, 180)."""
    off = (samples - centre + 90) % 180 - 90
    return centre + np.quantile(off, TAILS, axis=0)


def orientation_preference(counts, presentations, *, resamples=200, seed=0):
    """Preferred orientation of every unit among the recorded Gabors, with a 95 % interval.

    Responses at each orientation are averaged over positions, weighted by the Gaussian fitted to the
    orientation-averaged map, and ``a + b cos 2 (theta - preferred)`` is fitted to them.

    Returns
    -------
    DataFrame, one row per unit
        orientation (degrees), orientation_low, orientation_high (around it, so they may lie outside [0, 180);
        90 or more apart means no preference), selectivity (b / a)
    """
    table, repeats = condition_repeats(counts, presentations)
    means = pd.DataFrame(np.nanmean(repeats, axis=1), index=pd.MultiIndex.from_frame(table))
    fit = fit_gaussians(*response_map(means))
    angles = means.index.levels[2].to_numpy()
    rows = []
    for unit, resampled in enumerate(_resampled_means(repeats, resamples, seed)):
        weight = _weights(table, "orientation", _field(table, fit.iloc[unit]))
        best, selectivity = _orientation_vector(means[unit].to_numpy() @ weight, angles)
        samples, _ = _orientation_vector(resampled @ weight, angles)
        rows.append([best, *_circular_interval(samples, best), selectivity])
    return pd.DataFrame(rows, columns=["orientation", "orientation_low", "orientation_high", "selectivity"])


def _field(table, fit):
    """Weight of every condition by its position: the fitted Gaussian there."""
    distance = (table.x_position - fit.x) / fit.sigma_x, (table.y_position - fit.y) / fit.sigma_y
    return np.exp(-(distance[0] ** 2 + distance[1] ** 2) / 2)


def _weights(table, column, weight=1.0):
    """(K, L) weights of the conditions in the mean at each of the L values of a column; they sum to 1."""
    at = np.equal.outer(table[column].to_numpy(), np.unique(table[column])) * np.reshape(weight, (-1, 1))
    return at / at.sum(axis=0)


def tuning_curve(table, repeats, column, *, weight=1.0):
    """Mean response of one unit at each value of one parameter, averaged over the other parameters.

    `table` (K rows) and `repeats` (K, R) are those of `lib.data.conditions.condition_repeats`, of one unit;
    `weight`, a number or (K,), is that of the conditions in the average.

    Returns
    -------
    DataFrame
        Index: values of the parameter. mean; standard_error: of the mean, from the spread of the repeats
        within conditions, NaN where one was shown only once.
    """
    shares, number = _weights(table, column, weight), np.isfinite(repeats).sum(axis=1)
    means = np.nanmean(repeats, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.nansum((repeats - means[:, None]) ** 2, axis=1) / (number - 1) / number
    known = np.where(shares > 0, shares**2 * variance[:, None], 0)
    return pd.DataFrame(
        {"mean": means @ shares, "standard_error": np.sqrt(known.sum(axis=0))},
        index=pd.Index(np.unique(table[column]), name=column),
    )


def grating_curves(counts, presentations):
    """Tuning of one unit to orientation, spatial frequency and phase of static gratings.

    By name and unit of each of `GRATING`: its `tuning_curve`, averaged over the other two parameters.
    """
    table, repeats = condition_repeats(counts, presentations, stimulus="static_gratings", columns=GRATING)
    return {
        f"{name.replace('_', ' ')} ({unit})": tuning_curve(table, repeats[..., 0], name)
        for name, unit in zip(GRATING, ("deg", "cycles/deg", "cycles"))
    }


def grating_tuning(counts, presentations, *, resamples=200, seed=0):
    """Tuning of every unit to static gratings: orientation, spatial frequency, phase.

    Preferred frequency: highest mean over orientations and phases. Orientation: the vector sum at that
    frequency, over phases. Phase: the first harmonic at the best orientation and frequency.

    Returns
    -------
    DataFrame, one row per unit
        orientation, orientation_low, orientation_high (degrees; 95 % interval from `resamples` of the
        repeats), selectivity (global orientation selectivity, ``|sum R exp 2i theta| / sum R``),
        spatial_frequency (cycles/degree), phase (cycles), phase_modulation (``|first harmonic| / mean``, 0 to
        2), response (mean count of the best condition)
    """
    table, repeats = condition_repeats(counts, presentations, stimulus="static_gratings", columns=GRATING)
    levels = [np.unique(table[c]) for c in GRATING]
    shape = tuple(map(len, levels))
    if len(table) != np.prod(shape):
        raise InputError(
            f"{len(table)} static gratings are not every combination of {shape[0]} "
            f"orientations, {shape[1]} frequencies and {shape[2]} phases"
        )
    orientation, frequency, phase = levels
    cube = np.nanmean(repeats, axis=1).reshape(*shape, -1)
    rows = []
    for unit, resampled in enumerate(_resampled_means(repeats, resamples, seed)):
        mean = cube[..., unit]
        f = mean.mean(axis=(0, 2)).argmax()
        best, amplitude = _orientation_vector(mean[:, f].mean(axis=1), orientation)
        samples, _ = _orientation_vector(resampled.reshape(-1, *shape)[:, :, f].mean(axis=2), orientation)
        at = mean.reshape(-1, shape[2])[mean.mean(axis=2).argmax()]
        harmonic = 2 * np.mean(at * np.exp(2j * np.pi * phase))
        low, high = _circular_interval(samples, best)
        rows.append(
            dict(
                orientation=best,
                orientation_low=low,
                orientation_high=high,
                selectivity=amplitude / 2,
                spatial_frequency=frequency[f],
                phase=np.angle(harmonic) / (2 * np.pi) % 1,
                phase_modulation=np.abs(harmonic) / at.mean() if at.mean() > 0 else np.nan,
                response=mean.max(),
            )
        )
    return pd.DataFrame(rows)


# ---- one unit, summed up ------------------------------------------------------------------------


@dataclasses.dataclass
class Recorded:
    """What one unit's responses to the recorded Gabors show.

    Attributes
    ----------
    counts : (P,) array
        Of the Gabor presentations.
    repeats : (K, R) array
        Counts by condition and repeat, NaN where a condition has fewer repeats.
    means : DataFrame, (K, 1)
        Of `condition_means`.
    best, field, preference : Series
        Of `best_conditions`, `receptive_fields`, `orientation_preference`.
    by_angle : DataFrame
        Of `tuning_curve`: orientation, weighted by the field as for `preference`.
    p : float
        Of `position_test`.
    """

    counts: np.ndarray
    repeats: np.ndarray
    means: pd.DataFrame
    best: pd.Series
    field: pd.Series
    preference: pd.Series
    by_angle: pd.DataFrame
    p: float


def recorded_unit(counts, presentations, *, resamples=200, seed=0):
    """Analyse the recorded Gabors of one unit: counts (P,) -> `Recorded`."""
    how = dict(resamples=resamples, seed=seed)
    means = condition_means(counts, presentations)
    table, repeats = condition_repeats(counts, presentations)
    field = receptive_fields(counts, presentations, **how).iloc[0]
    return Recorded(
        counts=np.asarray(counts)[(presentations.stimulus_name == "gabors").to_numpy()],
        repeats=repeats[..., 0],
        means=means,
        best=best_conditions(means).iloc[0],
        field=field,
        by_angle=tuning_curve(table, repeats[..., 0], "orientation", weight=_field(table, field)),
        preference=orientation_preference(counts, presentations, **how).iloc[0],
        p=float(position_test(counts, presentations, seed=seed)[0]),
    )


def prediction_score(predicted, repeats, *, permutations=1000, seed=0):
    """How well predictions (K,) of the condition means agree with recorded `repeats` (K, R).

    Returns
    -------
    dict of float
        r (correlation over conditions; NaN if either side does not vary), ceiling (CCmax, the correlation
        that a perfect model would reach), p (one-sided, conditions permuted)
    """
    actual = np.nanmean(repeats, axis=1)
    ceiling = float(cc_max(repeats.T[:, :, None])[0]) if repeats.shape[1] > 1 else np.nan
    if np.ptp(predicted) == 0 or np.ptp(actual) == 0:
        return {"r": np.nan, "ceiling": ceiling, "p": np.nan}
    a, b = ((v - v.mean()) / v.std() / len(v) ** 0.5 for v in (np.asarray(predicted, float), actual))
    rng = np.random.default_rng(seed)
    null = np.array([a[rng.permutation(len(a))] @ b for _ in range(permutations)])
    return {"r": float(a @ b), "ceiling": ceiling, "p": float(permutation_p(a @ b, null))}


def screen(shown, shape, *, degrees_per_pixel, grey=0.5):
    """One Gabor of every orientation, side by side on the screen (h, w), at places that were used."""
    orientations = np.unique(shown.orientation)
    places = np.unique(shown.x_position)
    chosen = places[np.linspace(0, len(places) - 1, len(orientations) + 2).round().astype(int)[1:-1]]
    y = np.unique(shown.y_position)
    middle = shown[shown.y_position == y[len(y) // 2]]
    rows = pd.concat(
        [
            middle[(middle.orientation == o) & (middle.x_position == x)].head(1)
            for o, x in zip(orientations, chosen)
        ]
    )
    frames = gabor_frames(rows, shape, degrees_per_pixel=degrees_per_pixel, phases=1, grey=grey)
    return grey + (frames[:, 0] - grey).sum(axis=0)


def distance_test(first, second, *, permutations=1000, seed=0):
    """Are two positions of the same units closer than positions of different units?

    `first` and `second` (U, 2), degrees, are such as centres of recorded receptive fields and of MEIs; rows
    with a NaN are left out.

    Returns
    -------
    dict
        distances ((U,) array, degrees), median, shuffled (median over permutations of the median distance), p
        (one-sided, permutation of units), n
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    distances = np.hypot(*(first - second).T)
    use = np.isfinite(distances)
    a, b = first[use], second[use]
    rng = np.random.default_rng(seed)
    null = np.array([np.median(np.hypot(*(a - rng.permutation(b)).T)) for _ in range(permutations)])
    median = np.median(distances[use])
    return {
        "distances": distances,
        "median": float(median),
        "shuffled": float(np.median(null)),
        "p": float(permutation_p(-median, -null)),
        "n": int(use.sum()),
    }
