"""Tests of lib.responses.receptive_fields; each says which fault it would catch."""

import numpy as np
import pandas as pd
import pytest

from lib.data import conditions
from lib.responses import receptive_fields
from lib.responses import words as response_words

GRID = np.arange(-40.0, 41, 10)


def shown(repeats=15, seed=0, other=20):
    """Presentations as in Allen's sessions: 243 Gabors in random order after some other stimuli."""
    rng = np.random.default_rng(seed)
    table = np.array([(x, y, o) for x in GRID for y in GRID for o in (0.0, 45.0, 90.0)])
    table = rng.permutation(np.repeat(table, repeats, axis=0))
    start = 0.25 * np.arange(len(table) + other)
    frame = pd.DataFrame(np.full((len(start), 3), np.nan), columns=conditions.GABOR)
    frame.iloc[other:] = table
    return frame.assign(
        start_time=start,
        stop_time=start + 0.25,
        spatial_frequency=0.08,
        temporal_frequency=4.0,
        contrast=0.8,
        stimulus_name=["flashes"] * other + ["gabors"] * len(table),
    )


def simulated(x, y, orientation, *, sigma=9.0, base=0.6, peak=3.0, seed=1, **kwargs):
    """Presentations, and Poisson counts (P, U) of units with Gaussian fields and tuning."""
    rows = shown(seed=seed, **kwargs)
    px, py, po = (rows[c].to_numpy()[:, None] for c in conditions.GABOR)
    field = np.exp(-((px - x) ** 2 + (py - y) ** 2) / (2 * np.square(sigma)))
    rate = base + peak * field * (1 + 0.8 * np.cos(2 * np.deg2rad(po - orientation))) / 1.8
    return rows, np.random.default_rng(seed).poisson(np.nan_to_num(rate, nan=9.0))


def units(n, seed=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(-28, 28, n), rng.uniform(-28, 28, n), rng.uniform(0, 180, n)


# ---- conditions ---------------------------------------------------------------------------------


def test_table_counts_conditions_and_repeats():
    """Fault: presentations of other stimuli counted, conditions merged, duration wrong."""
    table = conditions.gabor_table(shown(repeats=4))
    assert len(table) == 243
    assert (table.repeats == 4).all()
    np.testing.assert_allclose(table.duration, 0.25)
    assert set(table.columns) == {*conditions.SHOWN, "repeats", "duration"}


def test_condition_means_of_counts_that_name_their_condition():
    """Fault: counts joined to the wrong presentation or condition."""
    rows = shown(repeats=3)
    code = rows.x_position + 100 * rows.y_position + 10000 * rows.orientation
    means = conditions.condition_means(code.fillna(-1).to_numpy(), rows)
    x, y, o = (means.index.get_level_values(c).to_numpy() for c in conditions.GABOR)
    assert means.shape == (243, 1)
    np.testing.assert_allclose(means[0], x + 100 * y + 10000 * o)


def test_unequal_repeats_are_padded_not_averaged_in():
    """Fault: missing repeats counted as zeros, or a crash when a session was cut short."""
    rows = shown(repeats=3).iloc[:-100]
    table, repeats = conditions.condition_repeats(np.ones(len(rows)), rows)
    assert repeats.shape == (len(table), 3, 1)
    assert np.isnan(repeats).sum() == 3 * len(table) - (len(rows) - 20)
    np.testing.assert_array_equal(conditions.condition_means(np.ones(len(rows)), rows), 1)


def test_missing_gabors_and_wrong_lengths_are_named():
    """Fault: an unreadable error for a session without Gabors."""
    rows = shown(repeats=1)
    with pytest.raises(ValueError, match="no gabors among the presentations"):
        conditions.gabor_table(rows[rows.stimulus_name == "flashes"])
    with pytest.raises(ValueError, match="counts of 5 presentations"):
        conditions.condition_means(np.ones(5), rows)


def test_condition_means_find_the_best_condition():
    """Fault: the best condition picked by single presentations, which is right in 10 % of units."""
    x, y = np.tile(GRID, 5)[:40], np.repeat(GRID[1:8], 9)[:40]
    orientation = np.tile([0.0, 45, 90], 14)[:40]
    rows, counts = simulated(x, y, orientation, base=1.0, peak=3.5, sigma=7.0)
    best = receptive_fields.best_conditions(conditions.condition_means(counts, rows))
    right = (best[conditions.GABOR].to_numpy() == np.stack([x, y, orientation], 1)).all(axis=1)
    assert right.mean() > 0.6


# ---- maps and fields ----------------------------------------------------------------------------


def test_map_axes():
    """Fault: map transposed, or elevation upside down."""
    rows = shown(repeats=1)
    counts = ((rows.x_position == 30) & (rows.y_position == -20)).to_numpy(float)
    maps, x, y = receptive_fields.response_map(conditions.condition_means(counts, rows))
    assert maps.shape == (1, 9, 9)
    row, col = np.argwhere(maps[0])[0]
    assert (x[col], y[row]) == (30, -20)
    np.testing.assert_array_equal(x, GRID)


def test_map_at_the_best_orientation():
    """Fault: another unit's orientation taken."""
    rows = shown(repeats=1)
    at = {o: (rows.orientation == o).to_numpy(float) for o in (0.0, 45.0, 90.0)}
    counts = np.stack([at[45.0] * 5 + at[0.0], at[90.0] * 3], axis=1)
    means = conditions.condition_means(counts, rows)
    best, _, _ = receptive_fields.response_map(means, orientation="best")
    mean, _, _ = receptive_fields.response_map(means)
    np.testing.assert_allclose(best, np.stack([np.full((9, 9), 5), np.full((9, 9), 3)]))
    np.testing.assert_allclose(mean, np.stack([np.full((9, 9), 2), np.full((9, 9), 1)]))


def test_position_test_finds_fields_and_keeps_its_level():
    """Fault: p values too small without a field (seeded: 60 flat units), or blind to one."""
    rows, counts = simulated(*units(6), peak=2.0)
    p = receptive_fields.position_test(counts, rows, permutations=200)
    assert (p < 0.01).all()
    flat = np.random.default_rng(0).poisson(1.0, size=(len(rows), 60))
    p = receptive_fields.position_test(flat, rows, permutations=200)
    assert 0 <= np.mean(p < 0.05) < 0.13
    assert abs(p.mean() - 0.5) < 0.12
    np.testing.assert_array_equal(p, receptive_fields.position_test(flat, rows, permutations=200))


def test_position_test_of_a_silent_unit_is_nan():
    """Fault: a unit without spikes declared significant (0 / 0)."""
    rows = shown(repeats=2)
    assert np.isnan(receptive_fields.position_test(np.zeros(len(rows)), rows, permutations=10)).all()


def test_receptive_field_centres_and_their_intervals():
    """Fault: centre off by more than 2 degrees, or intervals that miss the truth."""
    x, y, orientation = units(24)
    rows, counts = simulated(x, y, orientation)
    fit = receptive_fields.receptive_fields(counts, rows, resamples=60)
    assert np.median(np.hypot(fit.x - x, fit.y - y)) < 2
    assert np.median(np.abs(np.log2(fit.sigma_x / 9))) < 0.25
    inside = np.r_[(fit.x_low < x) & (x < fit.x_high), (fit.y_low < y) & (y < fit.y_high)]
    assert 0.8 <= inside.mean() <= 1
    assert np.median(fit.x_high - fit.x_low) < 8


def test_orientation_preference_with_three_orientations():
    """Fault: vector sum over 0, 45, 90 (unevenly spaced) pulls every preference towards 45."""
    x, y, orientation = units(24, seed=8)
    rows, counts = simulated(x, y, orientation, peak=5.0)
    fit = receptive_fields.orientation_preference(counts, rows, resamples=60)
    off = (fit.orientation - orientation + 90) % 180 - 90
    assert np.median(np.abs(off)) < 5
    low, high = fit.orientation_low - fit.orientation, fit.orientation_high - fit.orientation
    assert np.mean((low < -off) & (-off < high)) > 0.75
    assert fit.selectivity.median() == pytest.approx(0.7, abs=0.2)


def test_untuned_unit_has_a_wide_orientation_interval():
    """Fault: a confident preference for a unit that has none."""
    rows, _ = simulated(*units(1))
    px, py = rows.x_position, rows.y_position
    rate = 0.5 + 3 * np.exp(-(px**2 + py**2) / 200)
    counts = np.random.default_rng(0).poisson(rate.fillna(0))
    fit = receptive_fields.orientation_preference(counts, rows, resamples=100)
    assert fit.orientation_high[0] - fit.orientation_low[0] > 30
    assert fit.selectivity[0] < 0.2


# ---- static gratings ----------------------------------------------------------------------------


def gratings(tuning, repeats=8):
    """Presentations of Allen's static gratings with blanks, and counts of ``tuning(o, f, p)``."""
    table = np.array(
        [
            (o, f, p)
            for o in range(0, 180, 30)
            for f in (0.02, 0.04, 0.08, 0.16, 0.32)
            for p in (0, 0.25, 0.5, 0.75)
        ]
        + [(np.nan,) * 3] * 5,
        dtype=float,
    )
    table = np.random.default_rng(0).permutation(np.repeat(table, repeats, axis=0))
    rows = pd.DataFrame(table, columns=conditions.GRATING).assign(stimulus_name="static_gratings")
    rate = np.nan_to_num(tuning(*table.T), nan=50.0)  # blanks must not matter
    return rows, np.random.default_rng(1).poisson(rate)


def test_grating_tuning_finds_the_preference():
    """Fault: blanks among the conditions; axes of orientation, frequency and phase mixed up."""

    def tuning(o, f, p):
        tuned = np.exp(2 * (np.cos(2 * np.deg2rad(o - 70)) - 1))
        return 0.5 + 6 * tuned * np.exp(-(np.log2(f / 0.08) ** 2)) * (1 + 0.8 * np.cos(2 * np.pi * (p - 0.3)))

    fit = receptive_fields.grating_tuning(*reversed(gratings(tuning)), resamples=50).iloc[0]
    assert fit.orientation == pytest.approx(70, abs=5)
    assert fit.orientation_low < 70 < fit.orientation_high
    assert fit.spatial_frequency == 0.08
    assert fit.phase == pytest.approx(0.3, abs=0.06)
    assert fit.phase_modulation == pytest.approx(0.75, abs=0.25)
    shown = response_words.shown_tuning(fit).data.set_index("")["static gratings"]
    assert shown.iloc[0].startswith(f"{fit.orientation:.0f} (") and shown.iloc[2] == "0.08"
    wide = response_words.shown_tuning(
        fit + pd.Series({"orientation_low": -50, "orientation_high": 50}).reindex(fit.index, fill_value=0)
    )
    assert wide.data["static gratings"].iloc[0].startswith("undetermined")


def test_the_error_of_a_tuning_curve_is_that_of_the_repeats():
    """By hand. Fault: the spread between conditions, which is tuning, in the error; no weights in it."""
    table = pd.DataFrame({"orientation": [0, 0, 90, 90], "phase": [0, 1, 0, 1]})
    repeats = np.array([[1.0, 3.0], [20.0, 20.0], [5.0, np.nan], [7.0, 7.0]])
    curve = receptive_fields.tuning_curve(table, repeats, "orientation")
    assert curve["mean"].tolist() == [11, 6]
    assert curve.standard_error[0] == pytest.approx(0.5) and np.isnan(curve.standard_error[90])
    weighted = receptive_fields.tuning_curve(table, repeats, "orientation", weight=np.array([3, 1, 0, 1]))
    assert weighted["mean"].tolist() == [6.5, 7]
    assert weighted.standard_error.tolist() == pytest.approx([0.75, 0])


def test_grating_tuning_of_an_untuned_unit():
    """Fault: selectivity or phase modulation invented by an index that is not 0 without tuning."""
    rows, counts = gratings(lambda o, f, p: 4.0 + 0 * o, repeats=30)
    fit = receptive_fields.grating_tuning(counts, rows, resamples=50).iloc[0]
    assert fit.selectivity < 0.06
    assert fit.phase_modulation < 0.25
    assert fit.orientation_high - fit.orientation_low > 40


def test_incomplete_gratings_are_refused():
    """Fault: reshaped into the wrong conditions."""
    rows, counts = gratings(lambda o, f, p: 1.0 + 0 * o)
    keep = ~((rows.orientation == 30) & (rows.phase == 0)).to_numpy()
    with pytest.raises(ValueError, match="not every combination"):
        receptive_fields.grating_tuning(counts[keep], rows[keep])


# ---- frames, distances --------------------------------------------------------------------------


def test_frames_show_the_recorded_contrast_at_the_recorded_place():
    """Fault: contrast or position of the recorded Gabors not what the animal saw."""
    table = conditions.gabor_table(shown(repeats=1)).query("x_position == 20 and y_position == -30")
    frames = conditions.gabor_frames(table, (60, 77), degrees_per_pixel=1.58)
    assert frames.shape == (3, 8, 60, 77) and frames.dtype == np.float32
    assert frames.max() == pytest.approx(0.9, abs=0.01)
    assert frames.min() == pytest.approx(0.1, abs=0.01)
    rows, cols = np.nonzero(np.ptp(frames[0], axis=0))
    assert cols.mean() == pytest.approx(38 + 20 / 1.58, abs=0.5)
    assert rows.mean() == pytest.approx(29.5 + 30 / 1.58, abs=0.5)


def test_distance_test_against_shuffled_units():
    """Fault: shuffled distances computed within units, NaN rows counted."""
    first = np.random.default_rng(0).uniform(-30, 30, size=(30, 2))
    second = first + np.random.default_rng(1).normal(size=(30, 2))
    second[4] = np.nan
    near = receptive_fields.distance_test(first, second, permutations=200)
    assert near["n"] == 29 and np.isnan(near["distances"][4])
    assert near["median"] < 2 < 15 < near["shuffled"]
    assert near["p"] < 0.01
    far = receptive_fields.distance_test(first, np.roll(second, 1, axis=0), permutations=200)
    assert far["p"] > 0.05


def test_distances_of_shuffled_units_are_between_the_two_kinds_of_place():
    """Fault: one kind of place compared with itself, so that any offset passes for a receptive field."""
    rng = np.random.default_rng(3)
    first = rng.normal(0, 1, (20, 2))
    found = receptive_fields.distance_test(first, rng.normal(0, 1, (20, 2)) + [30, 0], permutations=100)
    assert found["shuffled"] == pytest.approx(30, abs=1) and found["p"] > 0.05


# ---- one unit, summed up ------------------------------------------------------------------------


def test_one_unit_summed_up_says_what_it_found_and_what_not():
    """Fault: a centre claimed for a unit without a field, or counts of other stimuli in the range."""
    rows, counts = simulated(np.array([10.0]), np.array([-10.0]), np.array([0.0]), repeats=6)
    found = receptive_fields.recorded_unit(counts[:, 0], rows, resamples=20)
    assert len(found.counts) == 243 * 6 and found.repeats.shape == (243, 6)
    text = response_words.describe_field(found, mei=(found.field.x + 3, found.field.y - 4))
    assert "lies 5.0 degrees from the centre" in text
    both = response_words.describe_recorded(found, mei=(found.field.x + 3, found.field.y - 4))
    assert both.startswith("Single presentations") and both.endswith(text)
    assert f"to {counts[rows.stimulus_name == 'gabors'].max()} spikes" in response_words.describe_responses(
        found
    )
    assert "The centre is at azimuth" in text and np.hypot(found.field.x - 10, found.field.y + 10) < 4
    flat = np.random.default_rng(0).poisson(1.0, len(rows))
    text = response_words.describe_field(receptive_fields.recorded_unit(flat, rows, resamples=20), mei=(0, 0))
    assert "does not depend measurably" in text and "preferred orientation is" not in text


def test_prediction_score_of_the_true_rates_reaches_the_ceiling():
    """Fault: repeats averaged over the wrong axis, a ceiling above what the truth reaches, p two-sided."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(2.0, 1.0, 243)
    repeats = rng.poisson(rates[:, None], (243, 6)).astype(float)
    right = receptive_fields.prediction_score(rates, repeats)
    assert right["r"] == pytest.approx(right["ceiling"], abs=0.03) and right["ceiling"] < 0.98
    assert right["p"] < 0.002 and receptive_fields.prediction_score(-rates, repeats)["p"] > 0.99
    flat = receptive_fields.prediction_score(np.ones(243), repeats)
    assert "correlation is undefined" in response_words.describe_prediction(flat, 243)
    above = response_words.describe_prediction({"r": 0.4, "ceiling": 0.3, "p": 0.01}, 243)
    assert "appears to exceed" in above
    assert "appears" not in response_words.describe_prediction({"r": 0.3, "ceiling": 0.4, "p": 0.01}, 243)


def test_screen_shows_every_orientation_where_gabors_were():
    """Fault: patches on top of each other, off the places that were used, or cut off."""
    table = conditions.gabor_table(shown(repeats=1))
    picture = receptive_fields.screen(table, (60, 77), degrees_per_pixel=94.8 / 60)
    changed = np.abs(picture - 0.5) > 0.01
    assert picture.max() <= 0.901 and 800 < changed.sum() * 1.58**2 < 3 * np.pi * 10.8**2
    words = dict(response_words.stimulus_set(table).to_numpy())
    assert words["azimuth (deg)"] == "9 from -40 to 40" and words["duration (s)"] == "0.250"
    assert words["orientation (deg, 0: vertical bars)"] == "0, 45, 90"
    assert response_words.shown_gabors(table).data["shown"].tolist() == list(words.values())


def test_a_source_without_gabors_or_gratings_says_so():
    """Fault: an empty table, or the sentence on the other stimulus."""
    assert "no recorded Gabors" in response_words.shown_gabors(None).data
    assert "no static gratings" in response_words.shown_gratings(None).data
