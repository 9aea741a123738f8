"""The page of the response model says what the scores show, whichever way they came out."""

import numpy as np
import pandas as pd
import pytest

from lib.models import words as model_words

ROW = pd.Series(
    {
        "correlation_to_average": 0.878,
        "correlation_low": 0.784,
        "correlation_high": 0.927,
        "single_trial_correlation": 0.625,
        "cc_max": 0.955,
        "cc_norm": 0.919,
        "feve": 0.81,
        "permutation_p": 0.001,
    }
)


def scores(**models):
    return pd.DataFrame(models, index=["correlation_to_average", "correlation_high"]).T


@pytest.mark.parametrize("p, chance", [(0.049, False), (0.05, True), (np.nan, True)])
def test_a_prediction_beats_chance_only_below_alpha(p, chance):
    """Fault: chance called better, or a share written as it is."""
    text = model_words.describe_prediction("v1", ROW.replace(0.001, p))
    assert ("not distinguishable from chance" in text) == chance
    assert ("better than chance" in text) != chance
    assert "*v1*" in text and "**0.878** (95 % interval over images 0.784 to 0.927; it holds" in text
    assert "single trials at 0.625" in text and "explains 81 %" in text


def test_only_models_whose_interval_ends_below_are_worse():
    """Fault: the order of the table taken for the ranking; an overlapping interval called lower."""
    text = model_words.describe_ranking(scores(ridge=[0.4, 0.5], v1=[0.8, 0.9], shared=[0.7, 0.85]))
    assert "The *v1* model has the highest" in text and "(0.800)" in text
    assert "above the intervals of *ridge* (0.400)." in text
    text = model_words.describe_ranking(scores(ridge=[0.4, 0.8], v1=[0.8, 0.9]))
    assert "does not tell them apart" in text


def test_a_single_or_undefined_model_is_compared_with_nothing():
    """Fault: a comparison without a second model, or with one that has no correlation."""
    text = model_words.describe_ranking(scores(v1=[0.8, 0.9], ridge=[np.nan, np.nan]))
    assert text.endswith("(0.800).") and "ridge" not in text
    assert "is defined" in model_words.describe_ranking(scores(v1=[np.nan, np.nan]))


def test_only_v1_learns_from_more_than_scenes():
    """Fault: movies claimed for a model that never saw them, or a name of the code on the page."""
    more = ["natural_movie_one", "static_gratings"]
    text = model_words.describe_training("v1", more)
    assert "*v1* model learned from natural movie one and static gratings" in text
    for model, stimuli in (("v1", []), ("ridge", more)):
        assert (
            model_words.describe_training(model, stimuli) == "All models learned from natural scenes alone."
        )


def test_epochs_are_those_of_the_longest_fold():
    """Fault: a training that did not happen, or the first epoch for the last."""
    assert "No model" in model_words.describe_learning(None)
    assert "up to 12 epochs" in model_words.describe_learning({"epoch": np.array([4.0, 8.0, 12.0])})


def test_sensitivity_is_in_square_degrees():
    """Fault: pixels for square degrees, or azimuth and elevation exchanged."""
    field = np.zeros((4, 4))
    field[:2, :2] = 0.6
    text = model_words.describe_sensitivity(field, (-18.3, 9.0), degrees_per_pixel=2.0)
    assert "azimuth -18.3 and elevation 9.0" in text and "over 16 square degrees" in text
