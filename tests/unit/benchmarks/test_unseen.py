"""Measures of predictions for stimuli that a model never saw: known answers."""

import numpy as np
import pandas as pd
import pytest
import unseen

from lib.data import simulated_session
from lib.stimuli import patterns

SHAPE, DEGREES = (60, 77), 94.8 / 60


def test_gratings_are_averaged_over_the_area_of_a_pixel():
    """Each axis damps a frequency by sinc: fails if gratings are drawn at the pixels' centres."""
    table = simulated_session.grating_conditions()
    frames = unseen.grating_frames(table, SHAPE, degrees_per_pixel=DEGREES)
    assert frames.shape == (120, 1, *SHAPE) and frames.min() >= 0 and frames.max() <= 1
    for frequency in (0.02, 0.08, 0.32):
        at = np.flatnonzero(
            (table.orientation == 30) & (table.spatial_frequency == frequency) & (table.phase == 0.25)
        )[0]
        sharp = patterns.grating(
            SHAPE, degrees_per_pixel=DEGREES, orientation=30, phase=0.25, spatial_frequency=frequency
        )
        damped = np.prod(np.sinc(frequency * DEGREES * np.array([np.cos(np.pi / 6), 0.5])))
        np.testing.assert_allclose(frames[at, 0], 0.5 + 0.4 * damped * sharp, atol=0.01)


def test_preferred_gratings_are_marginal_as_in_allensdk():
    """The best single condition is elsewhere: fails if it decides instead of the means."""
    table = simulated_session.grating_conditions()
    index = pd.MultiIndex.from_frame(table[["orientation", "spatial_frequency", "phase"]])
    values = np.ones((120, 2))
    values[:, 0] += (table.orientation == 60) + (table.spatial_frequency == 0.16)
    values[0, 0] = 9.0  # 0 degrees, .02: not enough to raise the mean of 20 or 24 conditions
    found = unseen.preferred_gratings(pd.DataFrame(values, index=index))
    assert found.loc[0].tolist() == [60.0, 0.16]
    assert found.loc[1].isna().all()  # answers alike to everything


def test_errors_of_orientation_and_frequency():
    assert patterns.orientation_difference(
        np.array([0, 170, 30, 45]), np.array([180, 10, 120, 0])
    ).tolist() == [0, 20, 90, 45]
    assert unseen.octave_error([0.02, 0.32], [0.08, 0.16]).tolist() == pytest.approx([2, 1])
    assert np.isnan(patterns.orientation_difference(np.nan, 30))


def test_own_and_other_units():
    own, other = unseen.own_and_other([[1.0, 0.1, np.nan], [0.2, 2.0, 0.4], [0.6, 0.3, 3.0]])
    assert own.tolist() == [1, 2, 3]
    np.testing.assert_allclose(other, [0.4, 0.2, 0.4])


def test_correlations_are_of_rows():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 20))
    b[2] = 4.0  # flat
    found = unseen.correlations(a, b)
    assert found[1, 0] == pytest.approx(np.corrcoef(a[1], b[0])[0, 1])
    assert found.shape == (3, 3) and np.isnan(found[:, 2]).all() and np.isfinite(found[:, :2]).all()


def test_maps_average_over_orientations_at_a_place():
    table = simulated_session.gabor_conditions().sample(frac=1, random_state=0)
    values = (table.x_position + 100 * table.y_position + table.orientation).to_numpy()[:, None]
    maps = unseen.position_maps(values, table)
    grid = np.arange(-40, 41, 10)
    np.testing.assert_allclose(maps[0].reshape(9, 9), grid[:, None] + 100 * grid + 45)


def test_halves_share_no_repeat():
    """Fails if a repeat lands in both halves, or conditions are mixed."""
    repeats = np.arange(6.0)[None, :, None] + 100 * np.arange(2)[:, None, None]
    first, second = unseen.half_means(repeats, seed=3)
    np.testing.assert_allclose(first + second, 2 * repeats.mean(1))
    assert not np.allclose(first, second)
