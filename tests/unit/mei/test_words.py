"""The page says what was computed, whichever way it came out."""

import numpy as np
import pandas as pd

from lib.mei import calibration, verdict
from lib.mei import mask as mei
from lib.mei import words as mei_words
from lib.stimuli.contrast import Target


def test_others_are_said_to_differ_only_where_they_do():
    """Fault: the finding fixed in the text; grey and the most inhibiting image exchanged."""
    heard = [5.0, 4.5, 4.4, 0.2, 0.7]
    unlike = mei_words.others([5.0, 4.4, 4.3], [1, -0.9, 0.1], heard)
    same = mei_words.others([5.0, 4.4, 4.3], [1, 0.85, 0.8], heard)
    assert "unlike each other" in unlike and "at least 86 %" in unlike
    assert "no image unlike" in same
    assert (
        "5.00 spikes in response to the MEI, 4.50 and 4.40 to the other" in same
        and "0.20 to the most inhibiting" in same
    )
    assert same.endswith("0.70 to grey.")


def test_a_verdict_is_said_with_what_it_was_worth():
    """Fault: the ends of the interval exchanged, shares of one for per cent, the worth of another word."""
    row = pd.Series({"response": 4.0, "grey_response": 1.0, "transfer": 0.756, "natural_fraction_below": 0.5})
    believed = {
        "verdict": "uncertain",
        "verdict_probability": 0.52,
        "verdict_calibration": calibration.ALL,
        "verdict_probability_low": 0.35,
        "verdict_probability_high": 0.68,
    }
    text = mei_words.judged(believed, row)
    assert "Verdict: uncertain.** Of 100 MEIs of simulated neurons with such figures, 52 (95 %" in text
    assert "interval 35 to 68) evoke at least" in text
    assert "this rise is 76 % of" in text and "50 % of the natural" in text
    n = (calibration.load().held_out.probability.map(calibration.load().word) == "uncertain").sum()
    assert f"Of {n} MEIs with this verdict" in text


def test_errors_stand_under_their_own_words_and_undefined_ones_are_left_out():
    """Fault: an error under the name of another; a recorded or untuned neuron given an error."""
    errors = {"position_error_deg": 1.234, "orientation_error_deg": 2.0, "frequency_error_octaves": 0.3}
    text = mei_words.describe_errors(errors)
    assert "1.23 degrees in position, 2.00 degrees in orientation and 0.30 octaves in" in text
    spot = mei_words.describe_errors(errors | {"orientation_error_deg": np.nan})
    assert "orientation" not in spot and "0.30 octaves" in spot
    assert "untuned" in mei_words.describe_errors(dict.fromkeys(errors, np.nan))
    assert "recorded neuron" in mei_words.describe_errors({})


def test_agreement_stands_under_words():
    """Fault: a name of the code on the page, or starts and models exchanged."""
    agreed = {
        "over starts": {"image_correlation": 0.9, "energy_correlation": 0.8, "response_ratio": 0.7},
        "over fold models": {},
    }
    shown = mei_words.shown_agreement(agreed).data
    assert shown.loc["over starts"].tolist() == [0.9, 0.8, 0.7] and shown.loc["over fold models"].isna().all()
    assert not [name for name in shown if "_" in name]


def test_mask_is_in_square_degrees():
    """Fault: pixels for square degrees; the masked response over the ascent's."""
    mask = np.zeros((10, 10), np.float32)
    mask[:2] = 1
    found = mei.MEIMask(mask, 0.1, 1, mask, 5.0, 4.8, 1.0)
    text = mei_words.masked(found, kept=0.99, degrees_per_pixel=2.0)
    assert "99 % of the predicted" in text and "80 square degrees (20 % of" in text
    assert "evokes 95 %" in text
    whole = mei_words.masked(
        mei.MEIMask(np.ones_like(mask), 0.0, 1, mask, 5.0, 5.0, 1.0), kept=0.99, degrees_per_pixel=2.0
    )
    assert "No smaller region" in whole


def test_every_figure_of_the_verdict_has_words():
    """Fault: a figure under its name in the code, or with the value of another."""
    figures = dict.fromkeys(calibration.load().figures, 0.5)
    heard = {"map_distance": 3.0, "grating_turn": 20.0}
    shown = mei_words.shown_checks(verdict.judge(figures, heard)).data
    assert {*figures, *heard} <= set(mei_words.FIGURES)
    assert shown.figure.notna().all() and list(shown.value) == [*figures.values(), *heard.values()]


def test_makers_and_judges_are_told_apart():
    """Fault: makers and judges exchanged; one model said to be judged by another."""
    how = dict(kind="v1", target=Target(0.5, 0.05), fraction=0.2, natural_contrast=0.25, finest_detail=0.15)
    text = mei_words.made([1, 2, 3], [4, 5], **how)
    assert "optimised on 3 models of kind *v1* (the makers) and evaluated on 2 others (the judges)" in text
    assert "contrast of 0.0500, which is 0.2 of C* = 0.2500" in text
    one = [1]
    assert "evaluated on one model of kind *v1*" in mei_words.made(one, one, **how)


def test_published_image_is_not_taken_for_ours():
    """Fault: the two responses exchanged, or a contrast taken for a response."""
    text = mei_words.published(4.0, 3.0, contrast=0.2)
    assert "predict 4.00 spikes in response to the MEI and 3.00 to the image" in text
    assert text.endswith("ended at 0.200.")


def test_power_reports_neurons_and_grey():
    """Fault: grey's share lost, or the neurons counted as designs."""
    table = pd.DataFrame(
        {"rate": 1.0, "median": [0.3], "minutes": 1.0, "grey_ratio": 0.25, "images": 30, "repeats": 5}
    )
    kinds = pd.DataFrame({"kind": ["spot"], "x": [30], "value": [0.3]})
    text = mei_words.power(table, kinds, 14, goal=0.9)
    assert "simulated 14 neurons. No design" in text
    assert text.endswith("A grey screen would evoke 0.25 of the response to the optimum.")


def test_what_a_calibration_was_measured_on_and_is_worth_is_said():
    """Fault: the neurons chosen on taken for those held out, a small bin counted, a share of no MEI."""
    measured = calibration.load()
    text = mei_words.measured_on(measured)
    held = len(measured.held_out)
    assert text.index("chosen on") < text.index("Held out were") < text.index(f"{held} neurons")
    bins = pd.DataFrame(
        {"predicted": [0.3, 0.7], "part": [0.35, 0.1], "low": [0.2, 0.0], "high": [0.5, 0.3], "n": [30, 5]}
    )
    said = mei_words.reliability_sentence(bins)
    assert "at most 0.05, and in 1" in said
    assert "No bin" in mei_words.reliability_sentence(bins, least=50)
    best, *others = mei_words.word_sentences(calibration.by_word(measured))
    assert best.startswith("*Well supported*") and len(others) == 2


def test_a_run_of_recorded_neurons_claims_no_share():
    """Fault: MEIs of recorded neurons counted as wrong ones."""
    units = pd.DataFrame({"verdict": ["uncertain"] * 3, "mei_share": np.nan, "optimum_true_response": np.nan})
    assert "recorded neurons" in mei_words.run_sentence(calibration.of_run(units))
    known = units.assign(verdict="well supported", mei_share=[0.9, 0.9, 0.5], optimum_true_response=1.0)
    said = mei_words.run_sentence(calibration.of_run(known))
    assert "2 of the 3 MEIs" in said and "0 of the 0 others" in said
