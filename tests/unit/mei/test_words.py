"""The page says what was computed, whichever way it came out."""

import numpy as np
import pandas as pd

from lib.mei import mask as mei
from lib.mei import words as mei_words


def test_others_are_said_to_differ_only_where_they_do():
    """Fault: the finding fixed in the text; grey and the most inhibiting image exchanged."""
    heard = [5.0, 4.5, 4.4, 0.2, 0.7]
    unlike = mei_words.others([5.0, 4.4, 4.3], [1, -0.9, 0.1], heard)
    same = mei_words.others([5.0, 4.4, 4.3], [1, 0.85, 0.8], heard)
    assert "unlike each other" in unlike and "86 % or more" in unlike
    assert "nothing unlike" in same
    assert "5.00, 4.50, 4.40 spikes" in same and "0.20 to the most inhibiting" in same
    assert same.endswith("0.70 to grey.")


def test_verdict_and_reasons_are_said():
    """Fault: a reason lost, or shares of one written as they are."""
    row = pd.Series({"response": 4.0, "grey_response": 1.0, "transfer": 0.756, "natural_fraction_below": 0.5})
    text = mei_words.judged("uncertain", ["too few images", "starts differ"], row)
    assert "Verdict: uncertain" in text and "76 % of the rise" in text and "50 % of the natural" in text
    assert text.count("\n- ") == 2


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
    found = mei.MEIMask(mask, 0.1, mask, 4.0, 3.8)
    text = mei_words.masked(found, kept=0.99, degrees_per_pixel=2.0)
    assert "99 % of the predicted" in text and "80 square degrees (20 % of" in text
    assert "keeps 95 %" in text
