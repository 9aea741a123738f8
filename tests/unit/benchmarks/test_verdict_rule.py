"""How the rule of the verdict is chosen (benchmarks/verdict_rule.py), on figures whose worth is known."""

import numpy as np
import pandas as pd
import pytest
import verdict_rule

from lib.mei import calibration
from lib.mei.calibration import VERDICTS

BOUNDS = {"good": (0.0, 1.0, False), "too": (0.0, 1.0, False), "nothing": (0.0, 1.0, False)}
BEST, MIDDLE, WORST = VERDICTS


@pytest.fixture(scope="module")
def rows():
    """Neurons of ten kinds: two figures that tell and one that does not."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.uniform(size=(300, 3)), columns=list(BOUNDS))
    p = 1 / (1 + np.exp(-(8 * table.good + 8 * table.too - 8)))
    right = rng.uniform(size=300) < p
    return table.assign(
        kind=np.arange(300) % 10,
        seed=1,
        scenes="given",
        true_cc_max=0.9,
        right=right,
        share=np.where(right, 0.9, 0.5),
        true=p,
    )


def test_logistic_recovers_weights(rows):
    """Fault: the gradient or the penalty of the wrong sign."""
    x = rows[list(BOUNDS)].to_numpy()
    noise = np.random.default_rng(0).logistic(size=len(rows)) - 8
    share = 0.85 + (x @ [8, 8, 0] + noise) / 100  # odds of .85 as `right`; .9 is 5 below, .8 is 5 above
    intercept, weights = verdict_rule.logistic(x, share, penalty=1e-3)
    assert weights == pytest.approx([8, 8, 0], abs=2.5) and intercept == pytest.approx(-8, abs=2.5)


def test_figures_that_tell_are_chosen_and_others_are_not(rows):
    """Fault: the set with the most figures taken for the best."""
    names, table = verdict_rule.choose(rows, BOUNDS)
    assert set(names) == {"good", "too"} and len(table) == 7


def test_a_rule_without_worth_on_kinds_left_out_is_sure_of_nothing(rows):
    """Fault: probabilities that hold only on the kinds they were fitted to."""
    by_kind = rows.assign(right=rows.kind % 2 == 0)
    by_kind["good"] = by_kind.kind / 10 + by_kind.nothing / 100  # tells kinds apart, not what is right
    _, inside = verdict_rule.recalibrated(by_kind, ("good",), bounds=BOUNDS)
    assert np.abs(inside - 0.5).max() < 0.3


def test_words_keep_what_they_promise(rows):
    """Fault: the best word given below the precision that it stands for, the worst to many right MEIs."""
    words = verdict_rule.choose_words(rows.true.to_numpy(), rows.share)
    assert list(words) == list(VERDICTS) and words[WORST] == 0
    assert (rows.share[rows.true >= words[BEST]] >= 0.85).mean() >= 0.9
    assert (rows.share[rows.true < words[MIDDLE]] >= 0.85).mean() <= 0.1


def test_a_best_word_that_cannot_be_earned_is_not_given(rows):
    """Fault: a word for nine in ten where no probability keeps it; the weaker promise before the stronger."""
    wrong = np.where(rows.right, 0.9, 0.2)
    assert verdict_rule.choose_words(rows.nothing.to_numpy(), wrong)[BEST] > 1
    roughly = np.where(rows.index % 4 == 0, 0.72, 0.9)  # three of four right, whatever the probability
    assert verdict_rule.choose_words(np.full(len(rows), 0.5), roughly)[BEST] < 0.1


def test_words_of_a_calibration_hold_on_other_neurons(rows):
    """Fault: neurons held out judged by figures standardised on themselves; an interval without width."""
    made, _ = verdict_rule.make_calibration(rows[::2], rows[1::2], ("good", "too"), bounds=BOUNDS)
    table = calibration.by_word(made)
    assert table.n.sum() == 150 and table.part.dropna().is_monotonic_decreasing
    assert table.part.iloc[0] > 0.8
    judged = made.judge(rows[1::2])
    assert judged.verdict_probability.to_numpy() == pytest.approx(made.held_out.probability.to_numpy())
    width = judged.verdict_probability_high - judged.verdict_probability_low
    assert (width > 0).all() and 0.01 < width.median() < 0.5


def test_area_under_curve_against_pairs():
    """Fault: ties counted as wins."""
    rng = np.random.default_rng(1)
    figure, right = rng.integers(0, 6, 60), rng.uniform(size=60) < 0.4
    pairs = np.sign(figure[right][:, None] - figure[~right]) / 2 + 0.5
    assert verdict_rule.area_under_curve(figure, right) == pytest.approx(pairs.mean())
    assert np.isnan(verdict_rule.area_under_curve(figure, np.zeros(60)))
