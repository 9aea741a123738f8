"""The loop closed: what the true unit answers, and how far the MEI is off."""

import numpy as np
import pytest

from lib.data.simulated_neurons import TrueUnits, make_units
from lib.mei import truth as ground_truth
from lib.mei import words as mei_words
from lib.models import ensemble
from lib.stimuli.contrast import Target
from lib.stimuli.patterns import orientation_difference

SHAPE = (30, 38)
DPP = 94.8 / 30
LEVEL = Target(mean=0.45, contrast=0.05)
MASK = np.ones(SHAPE, np.float32)


@pytest.fixture(scope="module")
def units():
    return TrueUnits(make_units({"simple": 2, "complex": 1, "corner": 1, "untuned": 1}, seed=2)).eval()


def unit_of(units, kind):
    return units.subset([units.table.index[units.table.truth_kind == kind][0]]).eval()


def judge(truth, image):
    other = {"whole_mei": image, "natural": np.full(SHAPE, 0.45, np.float32)}
    return ground_truth.judge_mei(truth, other, LEVEL, mask=MASK, degrees_per_pixel=DPP)


def test_the_optimum_itself_is_off_by_nothing(units):
    """Fault: position up for down, orientation from the wrong axis, frequency in pixels."""
    one = unit_of(units, "simple")
    optimum, _ = ground_truth.best_image(one, SHAPE, LEVEL)
    again, scalars = judge(one, optimum)
    assert np.array_equal(optimum, again)
    assert scalars["whole_mei_true_response"] == pytest.approx(scalars["optimum_true_response"])
    assert scalars["natural_true_response"] == scalars["grey_true_response"]
    assert scalars["mei_truth_correlation"] > 0.98
    assert scalars["whole_mei_position_error_deg"] < 2
    assert scalars["whole_mei_orientation_error_deg"] < 5
    assert scalars["whole_mei_frequency_error_octaves"] < 0.2


def test_the_mirrored_optimum_is_off_by_what_the_mirror_does(units):
    """Fault: errors measured on the true pattern instead of the image."""
    one = unit_of(units, "simple")
    true = one.table.iloc[0]
    optimum, _ = ground_truth.best_image(one, SHAPE, LEVEL)
    _, scalars = judge(one, optimum[::-1])
    assert scalars["whole_mei_true_response"] < 0.7 * scalars["optimum_true_response"]
    assert scalars["whole_mei_position_error_deg"] == pytest.approx(2 * abs(true.y), abs=3)
    turned = orientation_difference(-true.orientation, true.orientation)
    assert scalars["whole_mei_orientation_error_deg"] == pytest.approx(turned, abs=6)


def test_sentences_say_only_what_a_unit_defines(units):
    """Fault: 'nan degrees' on the page of a unit without an orientation."""
    noise = np.random.default_rng(0).normal(0.45, 0.05, SHAPE).astype(np.float32)
    text = {
        kind: mei_words.sentence(judge(unit_of(units, kind), noise)[1])
        for kind in ("simple", "corner", "untuned")
    }
    assert "octaves in spatial frequency" in text["simple"]
    assert "orientation" not in text["corner"] and "in position" in text["corner"]
    assert "do not depend on the image" in text["untuned"] and "nan" not in "".join(text.values())
    assert "recorded neuron" in mei_words.sentence({})


def test_reference_responses_are_those_of_each_unit_alone(units):
    """Fault: units and their known optima exchanged in the batch."""
    tuned = units.subset(units.table.index[units.table.truth_kind != "untuned"]).eval()
    grey, best = ground_truth.reference_responses(tuned, SHAPE, LEVEL)
    for u, unit in enumerate(tuned.table.index):
        one = tuned.subset([unit]).eval()
        _, alone = ground_truth.best_image(one, SHAPE, LEVEL)
        assert best[u] == pytest.approx(alone, rel=0.01)
        assert grey[u] == pytest.approx(float(one.baseline), rel=0.05)


def test_nothing_found_beats_the_known_optimum(units):
    """Fault: an ascent leaves the mean, contrast or range at which the optimum is one."""
    one = unit_of(units, "complex")
    known = one.optimal_image(one.table.index[0], SHAPE, LEVEL)
    _, reached = ground_truth.best_image(one, SHAPE, LEVEL)
    assert 1 <= reached / ensemble.predicted_responses(one, known[None])[0, 0] < 1.01


def test_gabors_and_maps_are_off_by_their_distance_from_the_truth(units):
    """Fault: answers given to the wrong stimulus, the map's error that of the Gabor, gain turned round."""
    one = unit_of(units, "simple")
    true = one.table.iloc[0]
    best, reached = ground_truth.best_image(one, SHAPE, LEVEL)
    grey = np.full(SHAPE, LEVEL.mean, np.float32)
    gabor = true[["x", "y", "orientation", "spatial_frequency"]] + [3, 4, 0, 0]
    stimuli = {"mei": best, "gabor": grey, "image": grey}
    found = ground_truth.judge_gabor(one, stimuli, gabor, field=true[["x", "y"]] + [6, 8])
    assert found["mei_true_response"] == pytest.approx(reached)
    assert found["gabor_true_response"] < reached
    assert found["gabor_position_error_deg"] == pytest.approx(5)
    assert found["gabor_orientation_error_deg"] == 0
    assert found["map_error_deg"] == pytest.approx(10)
    assert "map_error_deg" not in ground_truth.judge_gabor(one, stimuli, gabor)
    said = mei_words.gabor_sentence(
        {"mei_true_response": 3.0, "gabor_true_response": 2.0, "image_true_response": 1.0},
        optimum=4.0,
        predicted={"mei": 4.0, "gabor": 2.0},
    )
    assert "3.00 (75 %) to the masked MEI, 2.00 (50 %) to the best" in said
    assert "1.00 (25 %) to the best natural" in said and "its optimum (4.00 spikes)" in said
    assert "predicted to be 2.00; the true gain is 1.50" in said
    assert "recorded neuron" in mei_words.gabor_sentence({}, predicted=None, optimum=None)
    silent = dict.fromkeys(("mei_true_response", "gabor_true_response", "image_true_response"), 0.0)
    assert "silent" in mei_words.gabor_sentence(silent, predicted={"mei": 0, "gabor": 0}, optimum=0.0)


def test_true_responses_stand_under_their_names():
    """Fault: names and responses in different orders."""
    names = ["inhibiting", "grey", "published", "natural", "masked_mei", "ascent", "whole_mei", "optimum"]
    labels, values = mei_words.shown_responses({f"{n}_true_response": k for k, n in enumerate(names)})
    assert labels == [
        "true optimum",
        "MEI",
        "end of ascent",
        "masked MEI",
        "best image",
        "published",
        "grey",
        "most inhibiting",
    ]
    assert values == list(range(7, -1, -1))
