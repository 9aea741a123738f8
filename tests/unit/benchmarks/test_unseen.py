"""Measures of predictions for stimuli that a model never saw: known answers."""

import numpy as np
import pytest
import unseen

from lib.data import simulated_session
from lib.stimuli import patterns


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
