"""lib.responses.selection against numpy, the original's printed procedure and cases with a known answer."""

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import leaves_list

from lib.errors import InputError
from lib.responses import selection
from lib.responses import words as response_words


def responses(images=40, units=6, seed=0):
    return np.random.default_rng(seed).gamma(1.0, 2.0, (images, units))


def test_signal_correlation_is_pearsons_and_constant_units_are_nan():
    """Fails if units and images are swapped, or if one silent unit costs the matrix."""
    Y = responses()
    Y[:, 2] = 0.3
    found = selection.signal_correlation(Y)
    others = [0, 1, 3, 4, 5]
    expected = np.corrcoef(Y[:, others].T)
    np.testing.assert_allclose(found[np.ix_(others, others)], expected, atol=1e-12)
    assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()


def test_an_image_that_was_not_shown_is_left_out():
    """Fails if a NaN row makes every unit undefined."""
    Y = responses()
    padded = np.vstack([Y, np.full(Y.shape[1], np.nan)])
    for measure in (
        selection.signal_correlation,
        selection.response_variance,
        selection.lifetime_sparseness,
        selection.response_entropy_published,
    ):
        np.testing.assert_allclose(measure(padded), measure(Y))


def test_partners_and_thresholds():
    """Fails if a unit is its own partner, ids and positions are mixed up, or a threshold is off."""
    correlation = np.array(
        [[1, 0.8, -0.6, np.nan], [0.8, 1, 0.2, np.nan], [-0.6, 0.2, 1, np.nan], [np.nan] * 4]
    )
    table = selection.correlation_partners(correlation, [40, 30, 20, 10])
    assert table["most_correlated"].tolist()[:3] == [30, 40, 30]
    assert table["least_correlated"].tolist()[:3] == [20, 20, 40]
    np.testing.assert_allclose(table["highest_correlation"], [0.8, 0.8, 0.2, np.nan])
    np.testing.assert_allclose(table["lowest_correlation"], [-0.6, 0.2, -0.6, np.nan])
    assert table["above_high"].tolist() == [True, True, False, False]
    assert table["below_low"].tolist() == [True, False, True, False]
    assert table.loc[10, ["most_correlated", "least_correlated"]].isna().all()


def test_a_single_unit_has_no_partner():
    """Fails if a structure with one unit ends the page."""
    table = selection.correlation_partners(selection.signal_correlation(responses(units=1)), [7])
    assert table["most_correlated"].isna().all() and not table["above_high"].any()


def test_clustering_puts_groups_together_and_takes_odd_units():
    """Fails if the tree does not join whole groups, or a silent or lone unit stops the page."""
    rng = np.random.default_rng(3)
    tuning = rng.normal(size=(200, 2))
    group = np.array([0, 1, 0, 1, 0, 1])
    Y = np.column_stack([tuning[:, group] + rng.normal(0, 0.3, (200, 6)), np.zeros(200)])
    tree, defined = selection.correlation_tree(selection.signal_correlation(Y))
    assert defined.tolist() == [True] * 6 + [False]
    assert (np.diff(group[leaves_list(tree)]) != 0).sum() == 1
    for nothing in (np.array([[np.nan]]), np.full((3, 3), np.nan), np.ones((1, 1))):
        tree, defined = selection.correlation_tree(nothing)
        assert tree.shape == (0, 4) and defined.sum() == np.isfinite(nothing[0, 0])


def test_extreme_pairs():
    """Fails if the pair is not the one of the largest and smallest correlation."""
    correlation = np.array(
        [[1, 0.8, -0.6, np.nan], [0.8, 1, 0.2, np.nan], [-0.6, 0.2, 1, np.nan], [np.nan] * 4]
    )
    table = selection.correlation_partners(correlation, [40, 30, 20, 10])
    assert selection.extreme_pairs(table) == [(0.8, 40, 30), (-0.6, 40, 20)]
    assert selection.extreme_pairs(table.loc[[10]]) == []


def test_median_text():
    """Fails if nan stands on a page."""
    assert response_words.median_text([0.1, np.nan, 0.3]) == "0.200"
    assert response_words.median_text([np.nan]) == "undefined"


def test_isolation_forest_finds_shapes_not_rates():
    """Fails if curves are not standardised: a loud copy of a common curve is then the outlier."""
    rng = np.random.default_rng(1)
    common = rng.gamma(2.0, 1.0, 30)
    Y = common[:, None] * rng.uniform(0.9, 1.1, (30, 40))
    Y[:, 5] *= 30  # loud, same shape
    Y[:, 9] = common.max() - common  # same variance, opposite shape
    Y[:, 17] = 0
    standardised = selection.isolation_forest(Y)
    published = selection.isolation_forest(Y, published=True, seed=42)
    assert standardised["score"].idxmin() == 9 and standardised["anomaly"][9]
    assert not standardised["anomaly"][5] and np.isnan(standardised["score"][17])
    assert published["score"].idxmin() == 5 and published["anomaly"][5]
    assert selection.isolation_forest(Y)["score"].equals(standardised["score"])


def test_published_variance_contains_the_anomaly_columns():
    """Fails if the corrected variance carries the original's slip, or the published does not."""
    Y = np.array([[1.0, 0.0], [3.0, 0.0]])
    np.testing.assert_allclose(selection.response_variance(Y), [2.0, 0.0])
    found = selection.response_variance_published(Y, [-0.2, 0.1], [True, False])
    np.testing.assert_allclose(found, [np.var([1, 3, -0.2, -1], ddof=1), np.var([0, 0, 0.1, 1], ddof=1)])


def test_sparseness_of_known_tunings():
    """Fails if sparseness is not 1 for one image, 0 for all alike, and rises with selectivity."""
    one, half, flat = np.zeros(20), np.repeat([0.0, 1.0], 10), np.full(20, 3.0)
    found = selection.lifetime_sparseness(np.column_stack([one + (np.arange(20) == 3), half, flat, one]))
    np.testing.assert_allclose(found, [1.0, (1 - 0.5) / (1 - 1 / 20), 0.0, np.nan], atol=1e-12)


@pytest.mark.parametrize("measure", [selection.response_variance, selection.lifetime_sparseness])
def test_a_single_image_has_no_tuning(measure):
    """Fails if dividing by I - 1 warns or gives a number."""
    assert np.isnan(measure(np.ones((1, 3)))).all()


def test_entropy_of_known_distributions():
    """Fails if the entropy is in nats, pools units, or counts unshown trials; and the correction
    must reduce the plug-in's bias."""
    counts = np.zeros((8, 4, 3))
    counts[:4, :, 0] = 1  # two values, equally often
    counts[:, :, 1] = np.arange(4)
    counts[6:, 0, 2] = np.nan
    plug_in = np.array([1.0, 2.0, 0.0])
    correction = np.array([1, 3, 0]) / (2 * 32 * np.log(2))
    np.testing.assert_allclose(selection.response_entropy(counts), plug_in + correction)
    rng = np.random.default_rng(2)
    draws = rng.integers(0, 16, (40, 1, 500)).astype(float)  # 4 bits
    assert abs(selection.response_entropy(draws).mean() - 4) < 0.1  # plug-in: 0.27 low
    assert np.isnan(selection.response_entropy(np.full((2, 2, 1), np.nan)))


@pytest.mark.parametrize("wrong", [0.5, -1.0])
def test_traces_have_no_entropy_of_counts(wrong):
    """Fails if traces are cut to whole numbers, or stop the report."""
    responses = np.ones((2, 2, 3))
    responses[0, 0, 1] = wrong
    assert np.isnan(selection.response_entropy(responses)).all()


def test_published_entropy_counts_distinct_means():
    """Fails if it is not scipy's entropy of value_counts, as the original had it."""
    Y = np.array([[1.0, 0.2], [2.0, 0.2], [3.0, 0.2], [4.0, 0.4]])
    expected = [np.log(4), -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))]
    np.testing.assert_allclose(selection.response_entropy_published(Y), expected)


def test_the_best_units_are_those_of_the_highest_oracle_correlation():
    """Fault: the first, the lowest, or units without a value; more asked for than there are."""
    measures = pd.DataFrame({"oracle": [0.1, np.nan, 0.5, 0.3], "variance": 1.0}, index=[4, 5, 6, 7])
    assert selection.choose_units(measures, {"best": 2}).tolist() == [False, False, True, True]
    assert selection.choose_units(measures, {"best": 9}).sum() == 3
    with pytest.raises(InputError, match="name those to study"):
        selection.choose_units(measures.assign(oracle=np.nan), {"best": 2})


def test_images_shown_once_change_no_measure():
    """Fault: single trials enter the variance, the oracle, or the resamples of the intervals."""
    counts = np.random.default_rng(1).poisson(responses(), (5, 40, 6)).astype(float)
    once = np.full((5, 30, 6), np.nan)
    once[0] = np.random.default_rng(2).poisson(50.0, (30, 6))
    pd.testing.assert_frame_equal(
        selection.unit_measures(np.concatenate([counts, once], 1), resamples=30, draws=2),
        selection.unit_measures(counts, resamples=30, draws=2),
    )


def test_selection_takes_units_above_both_percentiles():
    """Fails if a NaN unit is selected or moves a threshold, or if one criterion is enough."""
    oracle = np.array([0.1, 0.2, 0.3, 0.4, 0.5, np.nan])
    variance = np.array([9.0, 1.0, 8.0, 2.0, 7.0, 9.0])
    chosen = selection.select_units(oracle, variance, oracle_percentile=50)
    assert chosen.tolist() == [False, False, False, False, False, False]
    chosen = selection.select_units(oracle, variance, oracle_percentile=40, variance_percentile=30)
    assert chosen.tolist() == [False, False, True, False, True, False]
    assert selection.thresholds(oracle, variance) == pytest.approx((0.34, 7.5))


def test_selection_of_nothing_is_empty():
    """Fails if a population without a defined oracle warns or selects."""
    assert not selection.select_units(np.full(3, np.nan), np.ones(3)).any()
    assert not selection.select_units([0.5], [1.0]).any()


def test_ranking_comparison():
    """Fails if gained and lost are swapped or NaN enters the rank correlation."""
    found = selection.compare_rankings(
        [1, 2, 3, np.nan],
        [1, 9, 5, 2],
        [11, 12, 13, 14],
        selected=[True, False, True, False],
        selected_published=[True, True, False, False],
    )
    assert found == {"rank_correlation": pytest.approx(0.5), "n": 3, "gained": [13], "lost": [12]}
    nothing = selection.compare_rankings([np.nan], [1.0], [1], selected=[False], selected_published=[False])
    assert np.isnan(nothing["rank_correlation"]) and nothing["n"] == 0


def test_single_trials_are_not_mean_responses():
    """Fails if (T, I, U) counts pass for mean responses."""
    with pytest.raises(InputError, match="average the counts over repeats"):
        selection.response_variance(np.zeros((3, 4, 5)))
