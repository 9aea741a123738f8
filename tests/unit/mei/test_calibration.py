"""The probability that an MEI is right, and the words that stand for what was measured."""

import json

import numpy as np
import pandas as pd
import pytest

from lib.mei import calibration as calibrations
from lib.mei.calibration import VERDICTS, Calibration, Figure

WORDS = dict(zip(VERDICTS, (0.8, 0.3, 0.0)))
BEST, MIDDLE, WORST = VERDICTS


@pytest.fixture
def neurons():
    """Two hundred neurons whose MEIs are right exactly as often as their probability says."""
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=200)
    share = np.where(rng.uniform(size=200) < probability, 0.9, 0.6)
    return pd.DataFrame(
        {"kind": "complex", "seed": 3, "cc_max": 0.9, "probability": probability, "share": share}
    )


@pytest.fixture
def calibration(neurons):
    figures = {
        "cc_norm": Figure(0.0, 1.0, centre=0.5, scale=0.2, weight=2.0),
        "jackknife": Figure(0.01, 2.0, log=True, centre=-1.0, weight=-1.0),
    }
    return Calibration(0.5, figures, np.diag([0.04, 0.09, 0.01]), WORDS, neurons, {"chosen on": 90})


def judged(calibration, **figures):
    return calibration.judge(pd.DataFrame([figures])).iloc[0]


def test_probability_is_the_logistic_of_the_weighted_figures(calibration):
    """Fault: a sign lost, a logarithm of the wrong figure, the interval of the odds on the probability."""
    row = judged(calibration, cc_norm=0.7, jackknife=0.2)
    odds = 0.5 + 2 * (0.7 - 0.5) / 0.2 - (np.log(0.2) + 1)
    off = 1.96 * np.sqrt(0.04 + 0.09 * 1 + 0.01 * (np.log(0.2) + 1) ** 2)
    expected = [1 / (1 + np.exp(-o)) for o in (odds, odds - off, odds + off)]
    assert list(row.iloc[1:4]) == pytest.approx(expected)
    assert row.cc_norm == pytest.approx(2) and row.jackknife == pytest.approx(-(np.log(0.2) + 1))
    assert row.verdict == BEST


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_figure_not_measured_counts_as_its_worst(calibration, missing):
    """Fault: a unit whose figure is missing is believed more than one whose figure is bad."""
    worst = judged(calibration, cc_norm=0.0, jackknife=2.0).verdict_probability
    found = judged(calibration, cc_norm=missing, jackknife=missing).verdict_probability
    assert found == pytest.approx(worst)


def test_no_figure_counts_beyond_its_bounds(calibration):
    """Fault: a prediction of many times the recorded range makes an MEI certain."""
    inside = judged(calibration, cc_norm=1.0, jackknife=0.01).verdict_probability
    assert judged(calibration, cc_norm=7.0, jackknife=1e-9).verdict_probability == pytest.approx(inside)


def test_typical_figures_add_nothing(calibration):
    """Fault: the threshold on a page that of the logarithm."""
    typical = {name: figure.typical for name, figure in calibration.figures.items()}
    row = judged(calibration, **typical)
    assert row.cc_norm == pytest.approx(0) and row.jackknife == pytest.approx(0)


def test_words_cover_all_probabilities(calibration):
    """Fault: a probability at a limit without word, or with the one below."""
    words = [calibration.word(p) for p in (1.0, 0.8, 0.79, 0.3, 0.0)]
    assert words == [BEST, BEST, MIDDLE, MIDDLE, WORST]
    table = calibrations.by_word(calibration)
    assert table.n.sum() == 200 and list(table.index) == list(VERDICTS)
    assert table.part.is_monotonic_decreasing and table.least.tolist() == [0.8, 0.3, 0.0]
    assert (table.right == table.roughly_right).all()  # 0.6 and 0.9: on the same side of both goals


def test_kinds_add_up(calibration):
    """Fault: neurons lost, or right MEIs with another word counted among those with the best."""
    held = calibration.held_out.assign(kind=["complex", "noise"] * 100)
    table = calibrations.by_kind(Calibration(0.5, {}, np.eye(1), WORDS, held, {}))
    assert list(table.index) == ["complex", "noise"] and table.n.sum() == 200
    assert table.best.sum() == (held.probability >= 0.8).sum()
    assert (table.best_right <= table[["best", "right"]].min(axis=1)).all()


def test_reliability_of_a_calibrated_rule(neurons):
    """Fault: bins that lose neurons, or a measured share that does not follow the predicted one."""
    table = calibrations.reliability(neurons)
    assert table.n.sum() == len(neurons)
    assert ((table.low <= table.predicted) & (table.predicted <= table.high)).all()
    off = calibrations.reliability(neurons.assign(probability=neurons.probability**4))
    assert ((off.low > off.predicted) | (off.predicted > off.high)).any()


def test_a_neuron_that_no_image_moves_is_never_right():
    """Fault: a share that is not defined taken for a right one, or left out of the count."""
    counted = calibrations.share_right(pd.DataFrame({"share": [np.nan, np.nan, 0.9]}))
    assert (counted["n"], counted["right"]) == (3, 1)


@pytest.mark.parametrize(("n", "right"), [(5, 0), (5, 5), (0, 0)])
def test_intervals_at_the_ends(n, right):
    """Fault: no interval where all or none are right."""
    counted = calibrations.share_right(pd.DataFrame({"share": [0.9] * right + [0.1] * (n - right)}))
    assert counted["low"] == (0 if right == 0 else pytest.approx(0.025 ** (1 / n)))
    assert counted["high"] == (1 if right == n else pytest.approx(1 - 0.025 ** (1 / n)))


def test_save_and_load(calibration, tmp_path):
    """Fault: what is read is not what was written; a file made for another goal is read."""
    held = calibration.held_out.assign(share=lambda t: t.share.where(t.index > 2))
    stored = Calibration(
        0.5, calibration.figures, calibration.covariance, WORDS, held, {"chosen on": {"neurons": 90}}
    )
    few = Calibration(0.1, {}, np.eye(1), WORDS, held.iloc[:3], {})
    calibrations.save({calibrations.ALL: stored, calibrations.FEW: few}, tmp_path / "c.json")
    again = calibrations.load(calibrations.ALL, tmp_path / "c.json")
    assert calibrations.load(calibrations.FEW, tmp_path / "c.json").intercept == 0.1
    assert (again.figures, again.words, again.about) == (stored.figures, WORDS, stored.about)
    assert again.covariance == pytest.approx(stored.covariance)
    pd.testing.assert_frame_equal(again.held_out, held.round({"probability": 4, "share": 5}))
    content = json.loads((tmp_path / "c.json").read_text())
    (tmp_path / "other.json").write_text(json.dumps(content | {"goal": 0.7}))
    with pytest.raises(ValueError, match="made for a goal"):
        calibrations.load(calibrations.ALL, tmp_path / "other.json")


@pytest.mark.parametrize("name", [calibrations.ALL, calibrations.FEW])
def test_noise_is_not_believed(name):
    """Fault: a calibration is shipped by which neurons that no image moves get the best word."""
    held = calibrations.load(name).held_out
    words = held[held.kind == "noise"].probability.map(calibrations.load(name).word)
    assert len(words) and BEST not in set(words)


def test_an_mei_without_half_models_is_judged_without_their_figures():
    """Fault: figures that somebody's own model cannot have count as their worst."""
    of_all = dict.fromkeys(calibrations.load(calibrations.ALL).figures, 0.5)
    assert calibrations.measured(of_all) == calibrations.ALL
    needed = set(of_all) - set(calibrations.load(calibrations.FEW).figures)
    for name in needed:
        assert calibrations.measured(of_all | {name: np.nan}) == calibrations.FEW
    units = pd.DataFrame({"verdict_calibration": [calibrations.FEW, np.nan]})
    assert calibrations.of_units(units) is calibrations.load(calibrations.FEW)
