"""Sentences of the page on all neurons; those that follow tests are in test_table."""

import pandas as pd

from lib.population import words as population_words


def test_doubted_meis_are_counted_and_their_absence_is_told():
    """Fault: believed and doubted exchanged, or a run without any MEI said to have supported ones."""
    assert "does not support the MEI of 2 of 3 selected" in population_words.doubted({5: 0}, {6: 0, 7: 0})
    assert population_words.doubted({5: 0}, {}).startswith("*No MEI has the verdict")
    assert "Every MEI" in population_words.doubted({}, {6: 0})
    assert "No selected neuron has an MEI" in population_words.doubted({}, {})


def test_a_recorded_session_has_no_known_truth():
    """Fault: a truth claimed for a recording."""
    known = pd.DataFrame({"of_optimum": [0.9, 0.8]})
    assert "known for 2 of the selected neurons" in population_words.known_truth(known, pd.Series(["spot"]))
    assert "recorded session" in population_words.known_truth(known[:0], None)
