"""The page on Gabors reports what was computed, whichever way it came out."""

import numpy as np
import pandas as pd

from lib.gabors import compare
from lib.gabors import fit as gabor_fit
from lib.gabors import search as gabor_search
from lib.gabors import words as gabor_words


def test_the_page_says_what_the_search_and_the_comparison_found():
    """Fault: MEI and Gabor exchanged, models counted where the Gabor wins, a finding fixed in the text."""
    table = pd.DataFrame({0: [4.0, 2, 1], 1: [2.0, 3, 1], 2: [3.0, 1, 1]}, index=["mei", "gabor", "image"])
    tests = compare.compare_predictions(table, folds=6)
    assert tests.index.tolist() == ["gabor", "image"] and tests.mean_difference.tolist() == [1, 2]
    assert tests.p_holm["gabor"] > 0.05 and tests.low["gabor"] < -1
    text = gabor_words.describe_comparison(table, tests)
    assert "evokes 3.00 predicted" in text and "Gabor 2.00 (ratio 1.50; the MEI is better in 2 of 3" in text
    assert "natural image 1.00. The predicted advantage of the masked MEI lies within the" in text
    sure = compare.compare_predictions(table.sub([0, 50, 0], axis=0), folds=6)
    assert "exceeds the uncertainty" in gabor_words.describe_comparison(table, sure)
    one = compare.compare_predictions(table[[0]], folds=1)
    assert gabor_words.describe_comparison(table[[0]], one).endswith("no test is possible.")
    shown = gabor_words.shown_tests(one).data
    assert shown.index.tolist() == ["best Gabor", "best image"] and set(shown["p (Holm)"]) == {"–"}
    best = pd.DataFrame([dict(x=3.0, y=-4.0, orientation=30.0, spatial_frequency=0.05, sigma=8.0)])
    search = gabor_search.GaborSearch(best, None, None, None, None, 1440)
    text = gabor_words.describe(search, gabor_fit.GaborFit({}, None, 0.875), refine_from=5)
    assert text.startswith(
        "The search evaluated 1,440 Gabors on a grid and refined the best 5. The winner has"
    )
    assert "azimuth 3.0 and elevation -4.0" in text and "fitted to it is 0.875" in text


def test_optimum_mei_gabor_and_image_stand_side_by_side():
    """Fault: the whole MEI's response taken for the masked one's."""
    of_mei = {"optimum_true_response": 9.0, "whole_mei_true_response": 8.0, "grey_true_response": 1.0}
    of_gabor = {"mei_true_response": 7.0, "gabor_true_response": 6.0, "image_true_response": 4.0}
    assert dict(zip(*gabor_words.shown_beside_gabors(of_mei, of_gabor))) == {
        "true optimum": 9,
        "whole MEI": 8,
        "masked MEI": 7,
        "best Gabor": 6,
        "best image": 4,
        "grey": 1,
    }


def test_counts_beyond_what_was_recorded_are_flagged():
    """Fault: an extrapolation passes unsaid, or an image that drew more than the MEI is not named."""
    response, recorded = pd.Series({"mei": 6.0}), np.array([1.0, 2.0, 4.0])
    assert "1.5 times the largest recorded mean" in gabor_words.count_warning(6.0, 4.0)
    assert gabor_words.count_warning(3.9, 4.0) == "" == gabor_words.count_warning(0.0, 0.0)
    assert "above the largest" in gabor_words.count_warning(0.1, 0.0)  # a silent unit that was asked for
    assert "no image that was shown evoked as much" in gabor_words.describe_counts(response, recorded)
    assert "evoked more, at its own contrast" in gabor_words.describe_counts(response, 2 * recorded)


def test_a_gain_without_an_interval_has_none():
    """Fault: nan on the page of a run with one model."""
    gain = dict(gain=1.3, low=1.2, high=1.4, p=0.004)
    assert "1.30 times the response to the best Gabor (95 % interval 1.20 to 1.40" in (
        gabor_words.describe_gain(gain)
    )
    alone = gabor_words.describe_gain(dict.fromkeys(gain, float("nan")) | {"gain": 1.3})
    assert "no interval is possible" in alone and "nan" not in alone
