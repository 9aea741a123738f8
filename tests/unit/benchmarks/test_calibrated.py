"""The probability that an MEI is right, and the words that stand for what was measured."""

import json

import calibrated
import numpy as np
import pandas as pd
import pytest
from calibrated import Calibration, Figure

WORDS = [("well", 0.8), ("partly", 0.3), ("not", 0.0)]


@pytest.fixture
def neurons():
    """Two hundred neurons whose MEIs are right exactly as often as their probability says."""
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=200)
    share = np.where(rng.uniform(size=200) < probability, 0.9, 0.6)
    return pd.DataFrame({"kind": "complex", "probability": probability, "share": share})


@pytest.fixture
def calibration(neurons):
    figures = {
        "cc_norm": Figure(0.0, 1.0, centre=0.5, scale=0.2, weight=2.0),
        "jackknife": Figure(0.01, 2.0, log=True, centre=-1.0, weight=-1.0),
    }
    return Calibration(0.5, figures, WORDS, neurons, 90)


def test_probability_is_the_logistic_of_the_weighted_figures(calibration):
    by_hand = 0.5 + 2 * (0.7 - 0.5) / 0.2 - (np.log(0.2) + 1)
    expected = 1 / (1 + np.exp(-by_hand))
    assert calibration.probability({"cc_norm": 0.7, "jackknife": 0.2}) == pytest.approx(expected)
    table = pd.DataFrame({"cc_norm": [0.7, 0.1], "jackknife": [0.2, 0.2]})
    assert calibration.probability(table) == pytest.approx(
        [expected, calibration.probability({"cc_norm": 0.1, "jackknife": 0.2})]
    )


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_figure_not_measured_counts_as_its_worst(calibration, missing):
    """Fault: a unit whose figure is missing is believed more than one whose figure is bad."""
    worst = calibration.probability({"cc_norm": 0.0, "jackknife": 2.0})
    assert calibration.probability({"cc_norm": missing, "jackknife": missing}) == pytest.approx(worst)


def test_no_figure_counts_beyond_its_bounds(calibration):
    """Fault: a prediction of many times the recorded range makes an MEI certain."""
    inside = calibration.probability({"cc_norm": 1.0, "jackknife": 0.01})
    assert calibration.probability({"cc_norm": 7.0, "jackknife": 1e-9}) == pytest.approx(inside)


def test_judge_gives_the_word_and_what_it_was_worth(calibration, neurons):
    judged = calibration.judge({"cc_norm": 0.95, "jackknife": 0.02})
    best = neurons[neurons.probability >= 0.8]
    assert judged["word"] == "well" and judged["probability"] > 0.8
    assert (judged["n"], judged["right"]) == (len(best), (best.share >= 0.85).sum())
    assert judged["low"] < judged["part"] < judged["high"]
    said = calibrated.sentence(judged, calibration)
    assert f"Of {judged['n']} MEIs with this verdict {judged['right']} (" in said and "well" in said
    nobody = Calibration(0.5, calibration.figures, WORDS, neurons.iloc[:0], 90)
    unmeasured = nobody.judge({"cc_norm": 0.95, "jackknife": 0.02})
    assert unmeasured["n"] == 0 and "is not known" in calibrated.sentence(unmeasured, nobody)


def test_words_cover_all_probabilities(calibration):
    assert [calibration.word(p) for p in (1.0, 0.8, 0.79, 0.3, 0.0)] == [
        "well",
        "well",
        "partly",
        "partly",
        "not",
    ]
    table = calibrated.by_word(calibration)
    assert table.n.sum() == 200 and list(table.index) == ["well", "partly", "not"]
    assert table.part.is_monotonic_decreasing


def test_kinds_add_up(calibration):
    held = calibration.held_out.assign(kind=["complex", "noise"] * 100)
    table = calibrated.by_kind(Calibration(0.5, {}, WORDS, held, 90))
    assert list(table.index) == ["complex", "noise"] and table.n.sum() == 200
    assert table.best.sum() == (held.probability >= 0.8).sum()
    assert (table.best_right <= table[["best", "right"]].min(axis=1)).all()


def test_reliability_of_a_calibrated_rule(neurons):
    """Fault: bins that lose neurons, or a measured share that does not follow the predicted one."""
    table = calibrated.reliability(neurons)
    assert table.n.sum() == len(neurons)
    assert ((table.low <= table.predicted) & (table.predicted <= table.high)).all()
    wrong = neurons.assign(probability=neurons.probability**4)
    off = calibrated.reliability(wrong)
    assert ((off.low > off.predicted) | (off.predicted > off.high)).any()


def test_a_neuron_that_no_image_moves_is_never_right():
    noise = pd.DataFrame({"share": [np.nan, np.nan, 0.9]})
    counted = calibrated.share_right(noise)
    assert (counted["n"], counted["right"]) == (3, 1)


@pytest.mark.parametrize(("n", "right"), [(5, 0), (5, 5), (0, 0)])
def test_intervals_at_the_ends(n, right):
    counted = calibrated.share_right(pd.DataFrame({"share": [0.9] * right + [0.1] * (n - right)}))
    assert counted["low"] == (0 if right == 0 else pytest.approx(0.025 ** (1 / n)))
    assert counted["high"] == (1 if right == n else pytest.approx(1 - 0.025 ** (1 / n)))


def test_area_under_curve_against_pairs():
    rng = np.random.default_rng(1)
    figure, right = rng.integers(0, 6, 60), rng.uniform(size=60) < 0.4
    pairs = np.sign(figure[right][:, None] - figure[~right]) / 2 + 0.5
    assert calibrated.area_under_curve(figure, right) == pytest.approx(pairs.mean())
    assert np.isnan(calibrated.area_under_curve(figure, np.zeros(60)))


def test_save_and_load(calibration, tmp_path):
    held = calibration.held_out.assign(share=lambda t: t.share.where(t.index > 2))
    stored = Calibration(calibration.intercept, calibration.figures, WORDS, held, 90)
    stored.save(tmp_path / "c.json")
    again = calibrated.load(tmp_path / "c.json")
    assert again.figures == calibration.figures and again.words == WORDS and again.chosen_on == 90
    pd.testing.assert_frame_equal(again.held_out, held.round({"probability": 4, "share": 3}))
    content = json.loads((tmp_path / "c.json").read_text())
    (tmp_path / "c.json").write_text(json.dumps(content | {"goal": 0.7}))
    with pytest.raises(ValueError, match="made for a goal"):
        calibrated.load(tmp_path / "c.json")


def test_figures_beside_those_of_the_verdict():
    judged = pd.DataFrame({"response": [4.0, 1.0], "grey_response": [1.0, 1.0], "transfer": [0.5, 1.0]})
    recorded = np.array([[0.0, 1.0], [2.0, 1.0]])
    both = calibrated.beside(judged, recorded)
    assert list(both["response_over_largest"]) == [2, 1] and list(both["rise_over_spread"]) == [3, 0]
    assert list(both["transfer_off"]) == pytest.approx([np.log(2), 0])
    one = calibrated.beside(judged.iloc[0], recorded[:, 0])
    assert {name: values[0] for name, values in both.items()} == pytest.approx(one)
