"""The table of all units and the sentences chosen by the tests."""

import numpy as np
import pandas as pd

from lib import population
from lib.results import write_json


def compare(difference, n=20):
    b = np.random.default_rng(0).uniform(1, 2, n)
    noise = np.random.default_rng(1).normal(0, 0.1, n)
    table = pd.DataFrame({"a": b + difference + noise, "b": b})
    return population.compare(table, {"x": ("a", "b")}).loc["x"]


def test_the_sentence_follows_the_result():
    """Fails if the direction is fixed in the text, or 'no difference' cannot be said."""
    assert population.sentence(compare(+1), "MEI", "Gabor").startswith("MEI exceeds Gabor")
    assert population.sentence(compare(-1), "MEI", "Gabor").startswith("MEI falls below Gabor")
    assert population.sentence(compare(0), "the MEI", "Gabor").startswith("No difference between the MEI")
    assert "too few units" in population.sentence(compare(1, n=3), "MEI", "Gabor")


def test_no_pairs_is_said():
    table = pd.DataFrame({"a": [np.nan], "b": [1.0]})
    row = population.compare(table, {"x": ("a", "b")}).loc["x"]
    assert "no unit has both" in population.sentence(row, "A", "b")


def test_every_unit_has_a_row_and_failures_are_named(tmp_path):
    oracle = pd.DataFrame({"oracle": [0.5, 0.1, 0.4], "selected": [True, False, True]},
                          index=pd.Index([1, 2, 3], name="unit_id"))
    scores = pd.DataFrame({"unit_id": [1, 2, 3, 1, 2, 3], "model": ["v1"] * 3 + ["ridge"] * 3,
                           "correlation_to_average": [0.6, 0.2, 0.5, 0.3, 0.1, 0.2],
                           **dict.fromkeys(["cc_norm", "feve", "single_trial_correlation",
                                            "permutation_p", "correlation_low", "correlation_high"],
                                           0.0)})
    for stage in population.STAGES:
        write_json(tmp_path / "units" / "1" / f"{stage}.json", {"scalars": {"mei_response": 4.0}})
    write_json(tmp_path / "units" / "3" / "cnn.json", {"scalars": {}})
    write_json(tmp_path / "units" / "3" / "mei.json", {"failed": "it broke"})
    table, failed = population.units_table(tmp_path, oracle=oracle, scores=scores, structure="V1",
                                           model="v1")
    assert table.columns[:len(population.COLUMNS)].tolist() == population.COLUMNS
    assert table.unit_id.tolist() == [1, 2, 3]
    assert table.correlation_to_average.tolist() == [0.6, 0.2, 0.5]
    assert table.correlation_to_average_ridge.tolist() == [0.3, 0.1, 0.2]
    assert table.mei_response[0] == 4.0 and np.isnan(table.mei_response[2])
    assert failed == {3: "it broke"}
