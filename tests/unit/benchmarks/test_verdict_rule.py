"""How benchmarks/bench_verdict.py chooses the rule of the verdict, on figures whose worth is known."""

import calibrated
import numpy as np
import pandas as pd
import pytest

BOUNDS = {"good": (0.0, 1.0, False), "too": (0.0, 1.0, False), "nothing": (0.0, 1.0, False)}


@pytest.fixture(scope="module")
def bench():
    import bench_verdict

    return bench_verdict


@pytest.fixture(scope="module")
def rows():
    """Neurons of ten kinds: two figures that tell and one that does not."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.uniform(size=(300, 3)), columns=list(BOUNDS))
    p = 1 / (1 + np.exp(-(8 * table.good + 8 * table.too - 8)))
    right = rng.uniform(size=300) < p
    return table.assign(kind=np.arange(300) % 10, right=right, share=np.where(right, 0.9, 0.5), true=p)


def test_logistic_recovers_weights(bench, rows):
    intercept, weights = bench.logistic(rows[list(BOUNDS)].to_numpy(), rows.right.to_numpy(), penalty=1e-3)
    assert weights == pytest.approx([8, 8, 0], abs=2.5) and intercept == pytest.approx(-8, abs=2.5)


def test_figures_that_tell_are_chosen_and_others_are_not(bench, rows):
    names, table = bench.choose(rows, BOUNDS)
    assert set(names) == {"good", "too"} and len(table) == 7


def test_a_rule_without_worth_on_kinds_left_out_is_sure_of_nothing(bench, rows):
    """Fault: probabilities that hold only on the kinds they were fitted to."""
    by_kind = rows.assign(right=rows.kind % 2 == 0, good=(rows.kind % 2) + rows.nothing / 100)
    by_kind["good"] = by_kind.kind / 10 + by_kind.nothing / 100  # tells kinds apart, not what is right
    _, inside = bench.recalibrated(by_kind, ("good",), bounds=BOUNDS)
    assert np.abs(inside - 0.5).max() < 0.3


def test_words_keep_what_they_promise(bench, rows):
    words = dict(bench.choose_words(rows.true.to_numpy(), rows.share))
    assert list(words)[-1] == "not supported" and "well supported" in words
    assert (rows.share[rows.true >= words["well supported"]] >= 0.85).mean() >= 0.9
    assert (rows.share[rows.true < words["uncertain"]] >= 0.85).mean() <= 0.1


def test_a_word_that_cannot_keep_its_promise_is_not_used(bench, rows):
    words = dict(bench.choose_words(rows.nothing.to_numpy(), rows.share))
    assert "well supported" not in words
    roughly = rows.share.where(rows.right, 0.72)  # all of them at least roughly right
    assert "partly supported" in dict(bench.choose_words(rows.nothing.to_numpy(), roughly))


def test_words_of_a_chosen_model_hold_on_other_neurons(bench, rows):
    first, other = rows[::2], rows[1::2]
    model, _ = bench.chosen_model(first, other, BOUNDS, names=("good", "too"))
    table = calibrated.by_word(model)
    assert table.n.sum() == len(other) and table.part.is_monotonic_decreasing
    assert table.part.iloc[0] > 0.8
