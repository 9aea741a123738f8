"""The pages on activity and selection say what was computed, whichever way it came out."""

import numpy as np
import pandas as pd

from lib.responses import words as response_words
from lib.responses.selection import correlation_partners


def units(**columns):
    return pd.DataFrame(columns, index=pd.RangeIndex(11, 11 + len(next(iter(columns.values())))))


def test_pauses_between_blocks_are_not_filled():
    """Fault: the whole session for its blocks, active neurons and all exchanged, or a raster invented."""
    blocks = pd.DataFrame({"start_time": [10.0, 60.0], "stop_time": [20.0, 110.0]})
    text = response_words.describe_raster(blocks, active=13, units=14)
    assert "Of 14 neurons, 13 fire within 2 blocks" in text
    assert "fill 60 % of the time" in text and "40 % would lie where no image" in text
    text = response_words.describe_raster(None, active=0, units=14)
    assert "no spike times" in text and "14" not in text


def test_partners_are_counted_on_their_own_side_of_the_thresholds():
    """Fault: neurons above and below exchanged, or a correlation without two neurons that vary."""
    correlation = np.array([[1, 0.9, -0.2], [0.9, 1, -0.6], [-0.2, -0.6, 1]])
    partners = correlation_partners(correlation, [1, 2, 3], high=0.7, low=-0.7)
    text = response_words.describe_partners(partners, high=0.7, low=-0.7)
    assert "exceeds 0.7 in 2 of 3 neurons" in text and "falls below -0.7 in 0." in text
    assert "0.900 (units 1 and 2)" in text and "-0.600 (units 2 and 3)" in text
    none = correlation_partners(np.full((2, 2), np.nan), [1, 2])
    assert "no correlation is defined" in response_words.describe_partners(none, high=0.7, low=-0.7)


def test_outliers_of_both_forests_are_told_apart():
    """Fault: standardised and raw exchanged, or nan on the page."""
    shape, raw = (pd.DataFrame({"anomaly": [True] * n + [False]}) for n in (1, 3))
    text = response_words.describe_outliers(shape, raw, shape_rank=0.69, raw_rank=np.nan)
    assert "1 outlier among the standardised" in text and "3 among the raw" in text
    assert "0.69 for standardised and undefined for raw" in text


def test_units_without_a_measure_are_counted():
    """Fault: undefined units counted among the measured, or an interval of no values."""
    text = response_words.describe_reliability(units(oracle=[0.2, 0.4, np.nan], cc_max=[0.8, 0.8, np.nan]))
    assert "is 0.300 over 2 units" in text and "CCmax is 0.800" in text
    assert "of 1 unit is undefined" in text
    text = response_words.describe_reliability(units(oracle=[0.2, 0.4], cc_max=[0.8, 0.8]))
    assert "undefined" not in text
    text = response_words.describe_reliability(units(oracle=[np.nan], cc_max=[np.nan]))
    assert "undefined for every unit" in text and "nan" not in text


def test_selected_and_other_units_are_not_exchanged():
    """Fault: the medians exchanged; the percentiles given as the reason for a list; no one left over."""
    table = units(oracle=[0.5, 0.7, 0.1], selected=[True, True, False])
    text = response_words.describe_selection(table, units="selected")
    assert "the 2 of 3 units that lie above both percentiles" in text
    assert "is 0.600; that of the others is 0.100." in text
    assert "that the parameters list" in response_words.describe_selection(table, units=[1, 2])
    assert response_words.describe_selection(table[:2], units="selected").endswith("is 0.600.")


def test_undefined_ranks_are_left_out_and_outliers_counted_once():
    """Fault: nan on the page, a rank under another's name, or every outlier called selected."""
    ranks = pd.Series({"variance": 0.89, "entropy": np.nan, "anomaly_score": -0.7, "sparseness": 0.6})
    table = units(anomaly=["outlier", "outlier", "inlier"], selected=[True, False, True])
    text = response_words.describe_measures(ranks, table)
    assert "0.89 with the variance over images, -0.70 with the anomaly score and 0.60 with lifetime" in text
    assert "entropy" not in text and "finds 2 outliers; the selection includes 1 of them" in text
    assert "No rank correlation" in response_words.describe_measures(ranks * np.nan, table)


def test_errors_of_the_published_oracle_go_by_firing_rate():
    """Fault: low and high rates exchanged, or the smallest error for the largest."""
    known = pd.DataFrame(
        {
            "rate": [0.2, 20.0],
            "silent": [0.96, 0.01],
            "true": [0.3, 0.3],
            "jackknife": [0.26, 0.31],
            "kept": [0.31, 0.28],
            "dropped": [0.02, 0.29],
            "bias": [-0.28, -0.01],
        }
    )
    text = response_words.describe_calibration(known, images=118, repeats=12, explained=0.16)
    assert "118 images 12 times; they explain 16 %" in text
    assert "At 0.2 spikes/s, 96 % of the trials have no spike" in text and "off by -0.280" in text
    assert "at 20 spikes/s (1 %) it is off by -0.010" in text
    assert "largest error is 0.020; that of the exact jackknife is 0.040" in text
