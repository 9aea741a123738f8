"""lib.responses.reliability against plain loops, published formulas and populations of known truth."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from lib.errors import InputError
from lib.responses import reliability

ESTIMATORS = [
    reliability.oracle_correlation,
    reliability.explainable_variance,
    reliability.cc_max,
    reliability.split_half_reliability,
]


def poisson_counts(seed=0, *, repeats=6, images=9, units=4):
    rng = np.random.default_rng(seed)
    rates = rng.gamma(1.0, 2.0, (images, units))
    return rng.poisson(rates, (repeats, images, units)).astype(float)


def ragged(counts, seed=1):
    """The same with repeats missing at the end of some images, one image shown once."""
    counts = counts.copy()
    shown = np.random.default_rng(seed).integers(2, len(counts) + 1, counts.shape[1])
    shown[3] = 1
    counts[np.arange(len(counts))[:, None] >= shown] = np.nan
    return counts


def plain_oracle(counts):
    """Over all trials, one by one, with a mean over the other trials taken anew each time."""
    values = []
    for unit in np.moveaxis(counts, 2, 0):
        trial, others = [], []
        for i in range(unit.shape[1]):
            seen = unit[np.isfinite(unit[:, i]), i]
            for t in range(len(seen)):
                if len(seen) > 1:
                    trial.append(seen[t])
                    others.append(np.delete(seen, t).mean())
        values.append(np.corrcoef(trial, others)[0, 1])
    return values


@pytest.mark.parametrize("change", [lambda c: c, ragged], ids=["equal", "unequal repeats"])
def test_oracle_is_the_plain_jackknife(change):
    """Fails if the closed form is wrong, or an image shown less often is weighed wrongly."""
    counts = change(poisson_counts())
    np.testing.assert_allclose(reliability.oracle_correlation(counts), plain_oracle(counts), rtol=1e-10)


def test_explainable_variance_is_the_published_formula():
    """Fails if noise or total variance is divided by n instead of n - 1 (Sensorium's code)."""
    counts = ragged(poisson_counts(2))
    for unit, value in enumerate(reliability.explainable_variance(counts)):
        groups = [c[np.isfinite(c)] for c in counts[:, :, unit].T]
        groups = [c for c in groups if len(c) > 1]
        total = np.concatenate(groups).var(ddof=1)
        assert value == pytest.approx((total - np.mean([c.var(ddof=1) for c in groups])) / total)


def test_cc_max_is_schoppes_formula_for_equal_repeats():
    """Fails if signal power is not (Var(sum) - sum of Var) / (T (T - 1)), each over images."""
    counts = poisson_counts(3, repeats=7, images=20)
    T = len(counts)
    power = (counts.sum(0).var(0, ddof=1) - counts.var(1, ddof=1).sum(0)) / (T * (T - 1))
    expected = np.sqrt(power / counts.mean(0).var(0, ddof=1))
    np.testing.assert_allclose(reliability.cc_max(counts), expected, rtol=1e-12)


def test_slow_drift_is_not_taken_for_noise_of_the_mean():
    """Fails if CCmax treats a drift common to all images as noise that blurs their means."""
    rng = np.random.default_rng(4)
    counts = rng.normal(size=(10, 60, 3)) + rng.normal(0, 1.0, (60, 3))
    drifting = counts + np.linspace(-20, 20, 10)[:, None, None]
    np.testing.assert_allclose(reliability.cc_max(drifting), reliability.cc_max(counts), rtol=1e-9)


def known_population(seed, *, repeats, images=1500, noise=2.0):
    """Gaussian responses of signal variance 1, noise variance 4: every ceiling is known."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(images, 4))
    return signal + rng.normal(0, noise, (repeats, images, 4))


@pytest.mark.parametrize("repeats", [2, 5, 20])
def test_estimates_reach_the_known_truth(repeats):
    """Fails for a wrong constant: T for T - 1, a missing Spearman-Brown, a missing square root."""
    counts = known_population(5, repeats=repeats)
    truth = {
        "oracle_correlation": 1 / np.sqrt(5 * (1 + 4 / (repeats - 1))),
        "explainable_variance": 1 / 5,
        "cc_max": np.sqrt(1 / (1 + 4 / repeats)),
        "split_half_reliability": 1 / (1 + 4 / repeats),
    }
    for estimator in ESTIMATORS:
        assert estimator(counts).mean() == pytest.approx(truth[estimator.__name__], abs=0.02)


@pytest.mark.parametrize("repeats", [3, 5])
def test_split_half_of_an_odd_number_of_repeats_is_stepped_up_to_all_of_them(repeats):
    """Fails if halves of (T - 1) / 2 repeats are only doubled: low by .05 at T = 3."""
    counts = known_population(6, repeats=repeats, images=4000)
    assert reliability.split_half_reliability(counts).mean() == pytest.approx(
        1 / (1 + 4 / repeats), abs=0.015
    )


def test_missing_repeats_leave_the_estimates_unbiased():
    """Fails if NaN counts as a response, or an image shown twice is trusted like one shown ten
    times."""
    counts = known_population(7, repeats=10)
    counts[2:, ::2] = np.nan  # every other image shown twice: noise of the mean 4/2 and 4/10
    assert reliability.explainable_variance(counts).mean() == pytest.approx(1 / 5, abs=0.03)
    expected = np.sqrt(1 / (1 + (4 / 2 + 4 / 10) / 2))
    assert reliability.cc_max(counts).mean() == pytest.approx(expected, abs=0.03)


def test_untuned_units_have_no_ceiling():
    """Fails if noise alone gives a reliability, or a negative signal power becomes NaN."""
    counts = known_population(8, repeats=6, images=600) * 0
    counts += np.random.default_rng(9).normal(size=counts.shape)
    assert np.all(np.abs(reliability.oracle_correlation(counts)) < 0.06)
    assert np.all(np.abs(reliability.explainable_variance(counts)) < 0.05)
    assert np.all(reliability.cc_max(counts) < 0.4) and np.all(reliability.cc_max(counts) >= 0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_units_without_reliability_are_nan_and_cost_the_others_nothing(estimator):
    """Fails if a silent, constant, one-spike or never shown unit warns, crashes or changes the
    rest (warnings are errors here)."""
    counts = poisson_counts(10)
    odd = np.zeros((*counts.shape[:2], 4))
    odd[2, 3, 1] = 1  # one spike
    odd[..., 2] = 0.1  # constant, not exact in binary
    odd[..., 3] = np.nan
    together = estimator(np.concatenate([odd, counts], axis=2))
    assert np.isnan(together[:4]).all()
    np.testing.assert_allclose(together[4:], estimator(counts))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("change", [lambda c: c[:1], lambda c: c[:, :1]], ids=["one repeat", "one image"])
def test_one_repeat_or_one_image_is_nan(estimator, change):
    """Fails if -1 (a single image's jackknife) or 0/0 comes out."""
    assert np.isnan(estimator(change(poisson_counts(11)))).all()


def test_counts_of_the_wrong_shape_are_refused():
    """Fails if the mean response is taken for single trials."""
    with pytest.raises(InputError, match=r"\(6, 9\); expected \(repeats, images, units\)"):
        reliability.oracle_correlation(poisson_counts()[:, :, 0])


def plain_published(counts, rng, drop_zeros):
    """One draw of the original's procedure, written as its table was read: unit by unit."""
    row = []
    for unit in np.moveaxis(counts, 2, 0):
        single, others, n_images = [], [], unit.shape[1]
        for trials in unit.T:
            trials = trials[np.isfinite(trials)]
            trials = trials[trials > 0] if drop_zeros else trials
            if len(trials) > 1:
                k = rng.integers(len(trials))
                single.append(trials[k])
                others.append(np.delete(trials, k).mean())
        row.append(np.corrcoef(single, others)[0, 1] * len(single) / n_images)
    return row


@pytest.mark.parametrize("drop_zeros", [False, True])
def test_published_oracle_equals_a_plain_loop_in_distribution(drop_zeros):
    """Fails if repeats are not drawn evenly, are shared between units or images, or if the fraction
    of images or the zeros are handled otherwise than in the original."""
    rates = np.random.default_rng(12).gamma(1.0, 1.0, (12, 3))
    counts = np.random.default_rng(13).poisson(rates, (5, 12, 3)).astype(float)
    counts[3:, :4] = np.nan
    rng = np.random.default_rng(14)
    plain = np.array([plain_published(counts, rng, drop_zeros) for _ in range(500)])
    ours = np.array(
        [
            reliability.oracle_correlation_published(counts, draws=1, seed=seed, drop_zeros=drop_zeros)[
                "oracle"
            ]
            for seed in range(500)
        ]
    )
    np.testing.assert_allclose(ours.mean(0), plain.mean(0), atol=0.05)
    np.testing.assert_allclose(ours.std(0), plain.std(0), rtol=0.15)
    np.testing.assert_allclose(np.corrcoef(ours.T), np.corrcoef(plain.T), atol=0.15)


def test_published_oracle_averages_draws_and_ranks():
    """Fails if ranks are not 0 for the best, or an undefined unit is not last."""
    counts = poisson_counts(15, repeats=20, images=40, units=3)
    rng = np.random.default_rng(16)
    counts[..., 1] = rng.poisson(1.0, counts.shape[:2])  # untuned
    counts[..., 2] = 0.0
    table = reliability.oracle_correlation_published(counts, draws=10)
    assert table["rank"].tolist() == [0.0, 1.0, 2.0]
    assert np.isnan(table["oracle"][2]) and table["images_used"].tolist() == [1.0, 1.0, 1.0]
    dropped = reliability.oracle_correlation_published(counts, draws=10, drop_zeros=True)
    assert dropped["images_used"][2] == 0 and dropped["images_used"][1] == 1


def test_dropping_zeros_biases_the_oracle_of_a_sparse_unit_down():
    """Fails if drop_zeros does nothing: what the original lost is the point of the comparison."""
    rates = np.random.default_rng(17).gamma(0.5, 0.3, (100, 10))
    counts = np.random.default_rng(18).poisson(rates, (50, 100, 10)).astype(float)
    kept = reliability.oracle_correlation_published(counts)["oracle"]
    dropped = reliability.oracle_correlation_published(counts, drop_zeros=True)["oracle"]
    assert dropped.mean() < 0.6 * kept.mean()


def test_bootstrap_equals_refitting_resampled_images():
    """Fails if weighting sums is not the same as resampling images and estimating again."""
    counts = ragged(poisson_counts(19, images=12))
    weights = np.random.default_rng(20).multinomial(12, np.full(12, 1 / 12), size=3)
    repeats = reliability._repeats(counts)
    for row in weights:
        resampled = counts[:, np.repeat(np.arange(12), row)]
        for sums, estimator, direct in (
            (reliability._oracle_sums, reliability._oracle, reliability.oracle_correlation),
            (reliability._variance_sums, reliability._explainable, reliability.explainable_variance),
        ):
            weighed = estimator(reliability._weigh(row[None], sums(repeats)))[0]
            np.testing.assert_allclose(weighed, direct(resampled), rtol=1e-9)


def test_intervals_cover_the_truth_of_known_populations():
    """Fails if an interval is too narrow or off centre: 95 % nominal, 40 populations x 5 units."""
    covered = {"oracle": [], "explainable_variance": [], "cc_max": [], "split_half": []}
    truth = {
        "oracle": 1 / np.sqrt(5 * (1 + 4 / 19)),
        "explainable_variance": 0.2,
        "cc_max": np.sqrt(1 / 1.2),
        "split_half": 1 / 1.2,
    }
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        counts = rng.normal(size=(80, 5)) + rng.normal(0, 2, (20, 80, 5))
        table = reliability.bootstrap_ceilings(counts, resamples=300, splits=8, seed=seed)
        for name in covered:
            covered[name].extend(
                (table[f"{name}_low"] <= truth[name]) & (truth[name] <= table[f"{name}_high"])
            )
    coverage = {name: np.mean(inside) for name, inside in covered.items()}
    assert all(0.88 < share < 0.995 for share in coverage.values()), coverage


def test_interval_is_scipys_bca():
    """Fails if bias or skewness is not corrected: the variance of skewed values needs both."""
    sample = np.random.default_rng(23).gamma(0.5, 1.0, 60)
    weights = reliability._image_weights(60, resamples=20_000, seed=24)
    values = weights @ sample**2 / weights.sum(1) - (weights @ sample / weights.sum(1)) ** 2
    low, high = reliability._bca_interval(values[:1], values[61:, None], values[1:61, None])
    peer = scipy.stats.bootstrap(
        (sample,), np.var, n_resamples=20_000, method="BCa", rng=np.random.default_rng(25)
    ).confidence_interval
    np.testing.assert_allclose([low[0], high[0]], [peer.low, peer.high], rtol=0.04)


def test_bootstrap_table_holds_the_estimates_and_survives_odd_units():
    """Fails if units are mixed up, if the seed is ignored, or if a silent unit costs the table."""
    counts = poisson_counts(21, repeats=8, images=30)
    counts[..., 2] = 0.0
    table = reliability.bootstrap_ceilings(counts, unit_ids=[9, 5, 7, 3], resamples=100, seed=4)
    assert table.index.tolist() == [9, 5, 7, 3]
    for name, estimator in (
        ("oracle", reliability.oracle_correlation),
        ("explainable_variance", reliability.explainable_variance),
        ("cc_max", reliability.cc_max),
    ):
        np.testing.assert_allclose(table[name], estimator(counts))
    others = table.drop(index=7)
    for name in ("oracle", "split_half", "explainable_variance", "cc_max"):
        assert (others[f"{name}_low"] < others[name]).all()
        assert (others[name] < others[f"{name}_high"]).all()
    assert table.loc[7].isna().all()
    again = reliability.bootstrap_ceilings(counts, unit_ids=[9, 5, 7, 3], resamples=100, seed=4)
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize(
    "change",
    [lambda c: c[:1], lambda c: c[:, :1], lambda c: c[:, :2]],
    ids=["one repeat", "one image", "two images"],
)
def test_bootstrap_of_too_little_is_a_table_of_nan_or_values_without_warning(change):
    """Fails if a short session ends the page."""
    table = reliability.bootstrap_ceilings(change(poisson_counts(22)), resamples=50)
    assert len(table) == 4 and table.shape[1] == 12
