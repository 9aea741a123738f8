"""What must not, and what must, change the estimators and tests: order, scale, a constant, a swap."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lib import statistics
from lib.responses import reliability, selection

SEEDS = st.integers(0, 2**31)
ESTIMATORS = {
    "oracle": reliability.oracle_correlation,
    "explained": reliability.explainable_variance,
    "cc_max": reliability.cc_max,
}
COUNTS = hnp.arrays(
    np.int64, st.tuples(st.integers(2, 5), st.integers(2, 6), st.integers(1, 3)), elements=st.integers(0, 6)
)
VALUES = hnp.arrays(float, st.integers(1, 12), elements=st.integers(-20, 20).map(float))
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array)


@pytest.mark.parametrize("name", ESTIMATORS)
@given(counts=COUNTS, seed=SEEDS)
def test_order_scale_and_a_constant_do_not_matter(name, counts, seed):
    """Fault: an estimator that hangs on the order of images, units or repeats, or on the rate."""
    estimate, rng = ESTIMATORS[name], np.random.default_rng(seed)
    plain = estimate(counts)
    repeats, images, units = (rng.permutation(n) for n in counts.shape)
    np.testing.assert_allclose(estimate(counts[repeats][:, images]), plain, atol=1e-9)
    np.testing.assert_array_equal(estimate(counts[..., units]), plain[units])
    np.testing.assert_allclose(estimate(4 * counts + 3), plain, atol=1e-9)
    if name != "cc_max":  # which takes out the drift over repeats
        np.testing.assert_allclose(estimate(rng.permuted(counts, axis=0)), plain, atol=1e-9)


@given(counts=COUNTS, seed=SEEDS)
def test_an_image_not_shown_again_is_not_a_response_of_zero(counts, seed):
    """Fault: NaN taken for 0, or an image shown once in the estimate."""
    rng = np.random.default_rng(seed)
    gap = np.full((len(counts), 1, counts.shape[2]), np.nan)
    gap[0] = rng.integers(0, 9, counts.shape[2])
    for estimate in ESTIMATORS.values():
        padded = np.concatenate([counts, np.full((2, *counts.shape[1:]), np.nan)])
        np.testing.assert_allclose(estimate(padded), estimate(counts), atol=1e-9)
        higher = np.concatenate([counts, gap + counts.max()], axis=1)  # the lowest stays the lowest
        np.testing.assert_allclose(estimate(higher), estimate(counts.astype(float)), atol=1e-9)


@given(counts=COUNTS)
def test_estimates_lie_in_their_range_and_repeats_alike_reach_its_end(counts):
    """Fault: a correlation above 1, a ceiling below 0, noise where there is none."""
    for name, estimate in ESTIMATORS.items():
        values = estimate(counts)
        values = values[np.isfinite(values)]
        assert (values <= 1 + 1e-9).all() and (values >= (0 if name == "cc_max" else -2)).all()
        same = np.repeat(counts[:1], 4, axis=0)
        defined = np.ptp(same[0], axis=0) > 0
        np.testing.assert_allclose(estimate(same)[defined], 1, atol=1e-9)
        assert not (estimate(same)[~defined] > 0).any()


@given(counts=COUNTS)
def test_published_oracle_is_the_same_again_and_scaled_by_the_images_seen(counts):
    """Fault: draws without their seed; images seen once that count."""
    once = reliability.oracle_correlation_published(counts, draws=5, seed=3)
    assert once.equals(reliability.oracle_correlation_published(counts, draws=5, seed=3))
    assert once.images_used.eq(1).all()
    dropped = reliability.oracle_correlation_published(counts, draws=5, seed=3, drop_zeros=True)
    np.testing.assert_allclose(dropped.images_used, ((counts > 0).sum(0) > 1).mean(0))
    assert (dropped.oracle.abs() <= dropped.images_used + 1e-9)[dropped.oracle.notna()].all()


@given(curve=hnp.arrays(np.int64, st.integers(2, 12), elements=st.integers(0, 9)), seed=SEEDS)
def test_sparseness_is_of_the_shape_of_a_tuning(curve, seed):
    """Fault: a sparseness that grows with the rate, or hangs on the order of images."""
    assume(curve.any())
    Y, rng = curve[:, None].astype(float), np.random.default_rng(seed)
    value = selection.lifetime_sparseness(Y)
    assert -1e-9 <= value[0] <= 1 + 1e-9
    np.testing.assert_allclose(selection.lifetime_sparseness(3 * rng.permutation(Y)), value, atol=1e-9)
    assert selection.lifetime_sparseness(Y + 2)[0] <= value[0] + 1e-9
    single = np.zeros_like(Y)
    single[curve.argmax()] = 5
    assert selection.lifetime_sparseness(single)[0] == pytest.approx(1)


@given(counts=COUNTS, seed=SEEDS)
def test_entropy_is_of_the_distribution_alone(counts, seed):
    """Fault: an entropy that hangs on values or order of the counts, as one of the means does."""
    rng = np.random.default_rng(seed)
    value = selection.response_entropy(counts)
    shuffled = rng.permutation(counts.reshape(-1, counts.shape[2])).reshape(counts.shape)
    np.testing.assert_allclose(selection.response_entropy(3 * shuffled + 1), value, atol=1e-9)
    assert (value >= -1e-12).all()
    number = np.array([len(np.unique(unit)) for unit in np.moveaxis(counts, 2, 0)])
    n = counts.shape[0] * counts.shape[1]
    assert (value <= np.log2(number) + (number - 1) / (2 * n * np.log(2)) + 1e-9).all()
    assert (value[number == 1] == 0).all()


@given(Y=hnp.arrays(np.int64, st.tuples(st.integers(2, 8), st.integers(1, 4)), elements=st.integers(0, 9)))
def test_signal_correlation_is_one_with_itself_and_turns_with_the_sign(Y):
    """Fault: rows and columns mixed up, a scale left in."""
    found = selection.signal_correlation(Y)
    varied = np.ptp(Y, axis=0) > 0
    np.testing.assert_array_equal(np.isfinite(np.diag(found)), varied)
    np.testing.assert_allclose(np.diag(found)[varied], 1)
    np.testing.assert_array_equal(found, found.T)
    turned = selection.signal_correlation(np.c_[-2 * Y[:, :1] + 50, Y[:, 1:]])
    np.testing.assert_allclose(turned[0, 1:], -found[0, 1:], atol=1e-9)
    np.testing.assert_allclose(turned[1:, 1:], found[1:, 1:], atol=1e-9)


@given(oracle=VALUES, seed=SEEDS)
def test_selection_does_not_hang_on_order_or_units(oracle, seed):
    """Fault: percentiles over undefined units; a rule that hangs on the scale."""
    rng = np.random.default_rng(seed)
    variance = rng.permutation(oracle)
    chosen, order = selection.select_units(oracle, variance), rng.permutation(len(oracle))
    np.testing.assert_array_equal(selection.select_units(oracle[order], variance[order]), chosen[order])
    np.testing.assert_array_equal(selection.select_units(8 * oracle, variance + 64), chosen)
    more = selection.select_units(np.r_[oracle, np.nan], np.r_[variance, np.nan])
    assert more.tolist() == [*chosen.tolist(), False]


@given(p=P_VALUES, seed=SEEDS)
def test_holm_keeps_the_order_and_is_no_kinder_than_no_correction(p, seed):
    """Fault: corrected values that cross, above 1, below the p given or above Bonferroni's."""
    found = statistics.holm(p)
    assert (np.diff(found[np.argsort(p)]) >= 0).all()
    assert (found >= p).all() and (found <= np.minimum(len(p) * p, 1) + 1e-12).all()
    assert found[p.argmin()] == min(len(p) * p.min(), 1)
    order = np.random.default_rng(seed).permutation(len(p))
    np.testing.assert_array_equal(statistics.holm(p[order]), found[order])
    np.testing.assert_array_equal(statistics.holm(np.r_[p, np.nan])[:-1], found)


@given(values=VALUES, seed=SEEDS)
def test_intervals_follow_their_values(values, seed):
    """Fault: bounds outside the values, exchanged, or not moving with them."""
    assume(len(values) > 1)
    low, high = statistics.bootstrap_interval(values, seed=seed, resamples=50)
    assert values.min() <= low <= high <= values.max()
    np.testing.assert_allclose(
        statistics.bootstrap_interval(2 * values + 5, seed=seed, resamples=50), [2 * low + 5, 2 * high + 5]
    )


@given(null=VALUES, observed=st.integers(-25, 25))
def test_p_of_permutations_is_a_share_that_falls(null, observed):
    """Fault: p of 0, the wrong tail."""
    p, higher = (statistics.permutation_p(o, null) for o in (observed, observed + 1))
    assert 1 / (1 + len(null)) <= higher <= p <= 1
    assert (p == 1) == (observed <= null.min())
