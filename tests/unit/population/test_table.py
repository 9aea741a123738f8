"""The table of all units and the sentences chosen by the tests."""

import numpy as np
import pandas as pd
import pytest

from lib import columns, figures, words
from lib.files import write_json
from lib.population import figures as population_figures
from lib.population import table as population_table
from lib.population import tests as population_tests
from lib.population import words as population_words
from lib.stages import STAGES, UNIT_STAGES


def test_every_unit_has_a_row_and_failures_are_named(tmp_path):
    oracle = pd.DataFrame(
        {"oracle": [0.5, 0.1, 0.4], "selected": [True, False, True]},
        index=pd.Index([1, 2, 3], name="unit_id"),
    )
    scores = pd.DataFrame(
        {
            "unit_id": [1, 2, 3, 1, 2, 3],
            "model": ["v1"] * 3 + ["ridge"] * 3,
            "correlation_to_average": [0.6, 0.2, 0.5, 0.3, 0.1, 0.2],
            **dict.fromkeys(
                [
                    "cc_norm",
                    "feve",
                    "top_lift",
                    "single_trial_correlation",
                    "permutation_p",
                    "correlation_low",
                    "correlation_high",
                ],
                0.0,
            ),
        }
    )
    for stage in UNIT_STAGES:
        write_json(
            tmp_path / "units" / "1" / f"{stage}.json",
            {"scalars": {"mei_response": 4.0} if stage == "gabor" else {}},
        )
    write_json(tmp_path / "units" / "3" / "cnn.json", {"scalars": {}})
    write_json(tmp_path / "units" / "3" / "mei.json", {"failed": "it broke"})
    table, failed = population_table.units_table(
        tmp_path, oracle=oracle, scores=scores, structure="V1", model="v1"
    )
    assert table.columns.tolist() == columns.NAMES
    assert table.unit_id.tolist() == [1, 2, 3]
    assert table.correlation_to_average.tolist() == [0.6, 0.2, 0.5]
    assert table.correlation_to_average_ridge.tolist() == [0.3, 0.1, 0.2]
    assert table.mei_response[0] == 4.0 and np.isnan(table.mei_response[2])
    assert failed == {3: "it broke"}


def test_two_stages_may_not_call_different_things_by_one_name(tmp_path):
    """Fault: the later stage's value stands in units.csv under the name of the earlier one's."""
    for stage in UNIT_STAGES:
        write_json(tmp_path / f"{stage}.json", {"scalars": {"x": 1.0} if stage in ("mei", "metrics") else {}})
    with pytest.raises(ValueError, match="stage metrics writes x, as an earlier stage does"):
        population_table.unit_results(tmp_path)


def test_each_column_is_explained():
    """Fault: a column twice, of no stage, or without a label or a meaning."""
    table = columns.dictionary()
    assert table.name.is_unique and set(table.stage) <= set(STAGES)
    assert (table[["label", "meaning"]].map(len) > 2).all(axis=None)
    periods = {"orientation": 180, "pref_ori_sg": 180, "pref_phase_sg": 1}
    circular = {n: period for n in columns.NAMES for end, period in periods.items() if n.endswith(end)}
    assert len(circular) > 3 and circular == columns.PERIODS


def units(n=12, seed=0, **columns):
    """A table of selected units in which every stimulus draws the same, but for what is given."""
    rng = np.random.default_rng(seed)
    names = [
        f"{s}{kind}" for s in ("mei", *population_tests.STIMULI) for kind in ("_response", "_true_response")
    ]
    table = pd.DataFrame({name: rng.uniform(2, 4, n) for name in names})
    return table.assign(**columns)


def judged(gains, *, judges=5, spread=0.0):
    """What judges predict for neurons of given gains of the MEI over every other stimulus."""
    names = ["mei", *population_tests.STIMULI]
    scatter = np.linspace(-spread, spread, judges)
    return {
        unit: (names, np.array([gain * np.exp(scatter) * 2] + [np.full(judges, 2.0)] * (len(names) - 1)))
        for unit, gain in enumerate(gains)
    }


def test_many_neurons_of_one_session_are_not_many_recordings():
    """Fault: a test over neurons as if independent, or judges taken for independent models."""
    gains = np.full(40, 1.05)
    sure = population_tests.gain_tests(judged(gains, spread=0.001), folds=10)
    assert sure.ratio["image"] == pytest.approx(1.05) and sure.p_holm["image"] < 0.05
    assert sure.n["image"] == 40 == sure.higher["image"]
    shared = population_tests.gain_tests(judged(gains, spread=0.03), folds=10)  # all neurons, with the images
    assert shared.p_holm["image"] > 0.05 and shared.low["image"] < 1
    said = population_words.gain_sentences(shared)
    assert "does not exceed what other images could have changed" in said["image"]
    assert "gain exceeds" in population_words.gain_sentences(sure)["image"]
    none = population_tests.gain_tests({}, folds=0)
    assert "no neuron has both" in population_words.gain_sentences(none)["gabor"]
    assert "median gain" in population_words.shown_gain_tests(none).data


def test_each_neuron_has_an_answer_corrected_for_their_number():
    """Fault: p not corrected, yes and no exchanged, or a p against no gain for one against the least gain."""
    table = pd.DataFrame(
        {
            "gain_over_gabor": [1.5, 1.0, 1.4, 1.04, np.nan],
            "gain_over_gabor_p": [0.001, 0.002, 0.045, 0.9, np.nan],
        }
    )
    answers = population_tests.more_than_gabor(table)
    assert answers.tolist() == ["yes", "no", "cannot be told", "cannot be told", None]
    (said,) = population_words.answer_sentences(answers)
    assert "more than a Gabor in 1 of 4 neurons and not more in 1; in 2 it cannot be told" in said
    assert "No selected neuron" in population_words.answer_sentences(answers[4:])[0]
    table = table.assign(more_than_gabor=answers, fit_r=[0.5, 0.9, 0.7, 0.7, 0.1])
    assert "fitted to it is 0.50 where the MEI is more than a Gabor, 0.90 where it is not" in (
        population_words.distinction_sentence(table)
    )
    assert "nothing to set them apart" in population_words.distinction_sentence(table[:1])


def test_gains_agree_or_do_not():
    """Fault: stimulus over MEI, agreement counted where both are below 1, factor below 1."""
    gain = np.linspace(0.8, 2, 12)
    table = units(
        mei_response=3 * gain,
        gabor_response=3.0,
        mei_true_response=2 * gain**2,
        gabor_true_response=2.0,
        image_response=3.0,
        image_true_response=2 * gain**4,
        truth_kind="spot",
    )
    row = population_tests.gain_agreement(table).loc["gabor"]
    assert row.n == 12 and row.same_direction == 12 and row.rank_correlation == pytest.approx(1)
    assert row.majority == (gain > 1).sum()
    assert (row.predicted, row.true) == pytest.approx((np.median(gain), np.median(gain**2)))
    assert row.factor == pytest.approx(np.median(np.maximum(gain, 1 / gain)))
    assert "rise together" in population_words.agreement_sentence(row, "the best Gabor")
    against = population_tests.gain_agreement(table).loc["image"]  # truth: 1 / gain ** 2
    assert against.same_direction == 0 and against.rank_correlation == pytest.approx(-1)
    assert "are inversely related" in population_words.agreement_sentence(against, "the image")
    none = population_tests.gain_agreement(units(gabor_true_response=np.nan, truth_kind="spot")).loc["gabor"]
    assert "no unit has both" in population_words.agreement_sentence(none, "the best Gabor")


def test_groups_that_differ_make_no_correlation_within_them():
    """Fault: gains of two kinds, unrelated within each, rise together because the kinds differ."""
    rng = np.random.default_rng(2)
    base = np.repeat([1.0, 3.0], 20)
    table = units(
        40,
        mei_response=base * rng.uniform(0.95, 1.05, 40),
        gabor_response=1.0,
        mei_true_response=base * rng.uniform(0.95, 1.05, 40),
        gabor_true_response=1.0,
        truth_kind=np.repeat(["simple", "corner"], 20),
    )
    assert abs(population_tests.gain_agreement(table).rank_correlation["gabor"]) < 0.4


def test_where_meis_lie_is_told_by_their_own_fields():
    """Fault: units without a significant map counted, or own fields not told from others'."""
    rng = np.random.default_rng(1)
    place = rng.uniform(-30, 30, (20, 2))
    table = units(
        20,
        map_p=np.r_[np.full(15, 0.001), np.full(5, 0.5)],
        map_x=place[:, 0],
        map_y=place[:, 1],
        mei_x=place[:, 0] + 2,
        mei_y=place[:, 1],
    )
    known, test = population_tests.field_distances(table)
    assert test["median"] == pytest.approx(2) and len(known) == 15
    assert population_words.receptive_field_sentence(test, 15).startswith("MEIs lie where")
    shuffled = table.assign(mei_x=rng.permutation(place[:, 0]), mei_y=rng.permutation(place[:, 1]))
    _, test = population_tests.field_distances(shuffled)
    assert "no closer" in population_words.receptive_field_sentence(test, 15)
    few, test = population_tests.field_distances(table.iloc[:4])
    assert test is None and "is 4, too few" in population_words.receptive_field_sentence(test, len(few))


def test_errors_of_maps_count_where_there_is_a_map():
    """Fault: the error of a map that is noise in the median of the kinds."""
    columns = dict.fromkeys(
        (
            "mei_truth_correlation",
            "optimum_true_response",
            "mei_position_error_deg",
            "mei_orientation_error_deg",
            "mei_frequency_error_octaves",
            "gabor_position_error_deg",
            "gabor_orientation_error_deg",
            "gabor_frequency_error_octaves",
        ),
        1.0,
    )
    table = units(
        3,
        truth_kind=["simple"] * 2 + ["spot"],
        map_p=[0.01, 0.9, 0.9],
        map_error_deg=[1.5, 80, 80],
        correlation_to_average=0.5,
        **columns,
    )
    kinds = population_tests.by_kind(population_tests.known_truth(table))
    assert kinds.map_error_deg["simple"] == 1.5 and np.isnan(kinds.map_error_deg["spot"])
    assert kinds.units.tolist() == [2, 1]


def test_tuning_is_compared_round_the_circle():
    """Fault: 178 and 2 degrees taken for 176 degrees apart."""
    table = units(
        4,
        mei_orientation=178.0,
        gabor_measured_orientation=2.0,
        mei_spatial_frequency=0.04,
        gabor_measured_spatial_frequency=0.08,
        mei_radius=12.0,
        verdict="well supported",
    )
    table.loc[table.index[0], ["gabor_measured_orientation", "verdict"]] = 90.0, "not supported"
    assert "4.0 degrees in orientation and 1.00 octaves in" in population_words.tuning_sentence(table)


def test_predictions_of_gabors_are_corrected_for_the_number_of_units():
    """Fault: 20 units at p = .04 called predicted."""
    table = units(20, gabor_prediction_p=0.04, gabor_prediction=0.2, gabor_prediction_ceiling=0.6)
    assert "in 0 of 20" in population_words.prediction_sentence(table)
    table["gabor_prediction_p"] = 0.001
    assert "in 20 of 20" in population_words.prediction_sentence(table)
    assert "No selected neuron" in population_words.prediction_sentence(
        table.assign(gabor_prediction_p=np.nan)
    )


def test_the_truth_is_told_of_the_units_that_have_one():
    """Fault: errors of complex cells among those of simple ones, or of maps that are noise."""
    table = units(
        4,
        mei_true_response=3.0,
        optimum_true_response=[4.0, 4, 4, 6],
        truth_kind=["simple", "simple", "spot", "complex"],
        verdict=["uncertain", "uncertain", "uncertain", "well supported"],
        gabor_position_error_deg=[1.0, 2, 50, 50],
        gabor_orientation_error_deg=4.0,
        gabor_frequency_error_octaves=0.2,
        map_p=[0.01, 0.5, 0.01, 0.5],
        map_error_deg=[1.0, 70, 2, 70],
    )
    table = table.assign(
        gabor_true_response=2.0,
        image_true_response=1.0,
        correlation_to_average=0.6,
        **dict.fromkeys(
            population_tests.OF_KIND.keys()
            - set(table)
            - {"units", "of_optimum", "gabor_of_optimum", "image_of_optimum", "correlation_to_average"},
            0.0,
        ),
    )
    known = population_tests.known_truth(table)
    said = population_words.truth_sentences(known, goal=0.7)
    best, kinds, simple, mapped = (said[name] for name in ("share", "kinds", "gabors", "maps"))
    assert "evokes 75 %" in best and "Gabor 50 % and the best natural image in the mask 25 %" in best
    assert "lowest share of an MEI is 50 %, in a *complex* neuron whose verdict is *well supported*" in best
    assert "less than 70 % of the response to the optimum (medians) in *complex* (50 %, n = 1" in kinds
    assert "1.5 degrees in position (medians, n = 2)" in simple
    assert "1.5 degrees (median, n = 2" in mapped
    spots = known.assign(truth_kind="spot", map_p=0.5)
    assert set(population_words.truth_sentences(spots, goal=0.7)) == {"share", "kinds"}
    assert population_words.truth_sentences(known[:0], goal=0.7) == {}


def kinds_of(**shares):
    """Simulated units of which the masked MEI draws these shares of the optimum."""
    names = [name for name in population_tests.OF_KIND if name != "units"]
    return pd.DataFrame(
        [
            dict.fromkeys(names, 0.3) | {"truth_kind": kind, "of_optimum": share, "map_p": 0.5}
            for kind, values in shares.items()
            for share in values
        ]
    )


def test_kinds_on_which_the_model_fails_are_named():
    """Fault: the goal turned round, a mean for the median, or a failure fixed in the text."""
    said = population_words.kind_sentence(kinds_of(corner=[0.2, 0.4, 0.9], simple=[0.9, 0.96, 1]), goal=0.85)
    assert "fails for some kinds" in said and "in *corner* (40 %, n = 3, responses to unseen" in said
    assert "predicted with r = 0.30); it reaches that share in *simple* (96 %, n = 3)." in said
    said = population_words.kind_sentence(kinds_of(two_subunit=[0.9]), goal=0.85)
    assert said.startswith("For every kind") and "*two subunit* (90 %, n = 1)" in said
    assert population_words.kind_sentence(kinds_of(corner=[0.4]), goal=0.85).endswith(
        "it reaches that share in no kind."
    )


def test_tables_stand_under_names_with_units():
    """Fault: a column left with its name in the code, or under another quantity's name."""
    shown = population_words.shown_kinds(population_tests.by_kind(kinds_of(two_subunit=[0.5, 0.7]))).data
    assert shown.columns.tolist() == ["two subunit"] and shown.loc["neurons", "two subunit"] == 2
    assert shown.loc["masked MEI / optimum", "two subunit"] == pytest.approx(0.6)
    gains = population_words.shown_gains(population_tests.gain_agreement(units(12, truth_kind="spot"))).data
    assert gains.index[0] == "the best Gabor" and not [c for c in gains if "_" in c]


def test_conclusions_leave_out_what_was_not_asked():
    """Fault: an empty heading on the page of a recorded session."""
    page = words.conclusions({"In truth": [], "Shape": ["One.", "Two."]})
    assert page == "## Shape\n\n- One.\n- Two.\n"


def areas(shift, n=12):
    """Units of two areas; those of VISp lie higher by `shift` in one measure."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "unit_id": np.arange(2 * n),
            "structure": ["VISl"] * n + ["VISp"] * n,
            "selected": [True, False] * n,
            "a": rng.normal(0, 1, 2 * n),
            "b": rng.normal(0, 1, 2 * n),
        }
    )
    table.loc[table.structure == "VISp", "a"] += shift
    return table


def test_areas_are_told_without_a_test():
    """Fault: a p value of units that share images; a median in the wrong area; too few units compared."""
    measures = {"the oracle": "a", "CCmax": "b"}
    table = areas(3)
    first, _, last = population_words.area_sentences(table, measures)
    low, high = (table.a[table.structure == area].median() for area in ("VISl", "VISp"))
    assert f"{low:.3f} in VISl (n = 12) and {high:.3f} in VISp (n = 12)" in first and "p =" not in first
    assert "not tested" in last
    assert population_words.area_sentences(table.query("structure == 'VISp'"), measures) == []
    few = table.assign(a=np.r_[np.full(20, np.nan), np.ones(4)])
    assert "not compared in the oracle" in population_words.area_sentences(few, measures)[0]


def test_table_of_areas():
    table = population_tests.by_area(areas(3), {"the oracle": "a"})
    assert table.units.tolist() == [12, 12] and table.selected.tolist() == [6, 6]
    assert table.a["VISp"] > table.a["VISl"] + 1


def test_models_are_compared_over_images_that_units_share():
    """Fault: the difference turned round, silent units counted, or images not resampled."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(4, (5, 80, 12)).astype(float)
    counts[:, :, 11] = 0
    ids, mean = list(range(100, 112)), counts.mean(0)
    noisy = {u: m + rng.normal(0, m.std() + 0.1, 80) for u, m in zip(ids, mean.T)}
    predictions = {"ridge": noisy, "v1": dict(zip(ids, mean.T)), "published": {100: mean[:, 0]}}
    gains = population_tests.model_gains(predictions, counts, ids, model="v1")
    assert gains.index.tolist() == ["ridge", "published"] and gains.n.tolist() == [11, 1]
    row = gains.loc["ridge"]
    assert row.higher == 11 and 0.1 < row.low < row.median_difference < row.high
    said = population_words.model_sentences(gains, model="v1")
    assert said[0].startswith("The v1 model predicts better than the ridge model")
    assert "was fitted to one unit" in said[1]
    assert "share no unit" in population_words.model_sentences(gains.assign(n=0), model="v1")[0]
    turned = population_tests.model_gains(predictions, counts, ids, model="ridge")
    assert "predicts worse" in population_words.model_sentences(turned, model="ridge")[0]
    same = population_tests.model_gains({"v1": noisy, "w": noisy}, counts, ids, model="v1")
    assert "as well as" in population_words.model_sentences(same, model="v1")[0]
    assert population_tests.model_gains({"v1": noisy}, counts, ids, model="v1").empty


def test_units_and_failures_are_counted():
    """Fault: failed units not named; p values not corrected for the number of units."""
    table = pd.DataFrame({"selected": [True, True, False], "permutation_p": [0.001, 0.02, np.nan]})
    assert population_words.describe(table, {}).startswith("The run analysed 3 units and selected 2 of them.")
    assert "Stages failed" not in population_words.describe(table, {})
    assert "Stages failed for 1 of these: 7 (it broke)." in population_words.describe(table, {7: "it broke"})
    assert population_words.chance_sentence(table).startswith("The model predicts 2 of 2 units")


def test_shapes_differ_by_the_answer():
    """Fault: another metric's columns, Gabor less MEI, or one median for all neurons."""
    names = {
        f"{who}_{name}": np.linspace(1, 2, 10) + (who == "mei") * np.repeat([-0.5, 0.25], 5)
        for who in ("mei", "gabor_measured")
        for name in population_tests.SHAPES
    }
    answers = pd.Series(np.repeat(["yes", "no"], 5))
    said = population_words.shape_sentences(pd.DataFrame(names), answers)
    assert len(said) == 2 and all("-0.5 (n = 5) where" in text or "-0.5 (n = 5)" in text for text in said)
    assert all("where it is not +0.25 (n = 5)" in text for text in said)


def test_what_is_drawn_of_models_and_truth():
    """Fault: sorted upwards, NaN kept, a gain turned round, units without a truth kept."""
    scores = pd.DataFrame(
        {"model": ["v1"] * 4 + ["few"] * 2, "correlation_to_average": [0.2, np.nan, 0.9, 0.5, 0.1, 0.2]}
    )
    lines = population_tests.sorted_scores(scores)
    assert list(lines) == ["v1"] and lines["v1"].tolist() == [0.9, 0.5, 0.2]
    table = units(
        3,
        mei_response=[4.0, 4, 6],
        gabor_response=2.0,
        gabor_true_response=2.0,
        mei_true_response=[3.0, np.nan, 1],
        truth_kind=["spot", "simple", "complex"],
        optimum_true_response=4.0,
    )
    known = population_tests.known_truth(table)
    assert known.truth_kind.tolist() == ["complex", "spot"]
    assert known.predicted_gain.tolist() == [3, 2] and known.true_gain.tolist() == [0.5, 1.5]
    assert known.of_optimum.tolist() == [0.25, 0.75] and known.gabor_of_optimum.tolist() == [0.5, 0.5]


def test_one_neuron_beyond_the_axes_does_not_squash_the_others():
    """Fault: the axes go as far as the largest gain, or the neuron at the edge has no name."""
    gain = [1.0, 1.1, 1.2, 20.0]
    known = population_tests.known_truth(
        units(
            4,
            mei_response=np.multiply(gain, 2),
            gabor_response=2.0,
            mei_true_response=[2.0, 2, 2, 8],
            gabor_true_response=2.0,
            optimum_true_response=9.0,
            truth_kind=["spot"] * 3 + ["corner"],
        ).set_axis([5, 6, 7, 8])
    )
    axes = population_figures.true_responses(
        figures.panels(2), known, limit=population_tests.gain_limit(known)
    )
    assert axes[1].get_xlim()[1] < 20
    assert [text.get_text() for text in axes[1].texts] == ["at the edge (predicted, true):\ncorner 8: 20, 4"]
    figures.plt.close("all")


def test_a_run_without_a_result_draws_that_it_has_none(tmp_path):
    """Fault: a run in which every unit failed stops at the summary of all of them."""
    measured = population_table.measures(tmp_path, [])
    assert all(
        "no unit has both" in text
        for text in population_words.shape_sentences(measured, pd.Series(dtype=object))
    )
    axes = population_figures.shapes(figures.panels(2), measured, population_tests.SHAPES)
    drawn = [
        *axes,
        figures.histogram(figures.panels(1), [], xlabel="gain"),
        *population_figures.gallery({}, {}).axes,
    ]
    assert all(ax.texts[0].get_text() == "no neuron has a value" for ax in drawn)
    figures.plt.close("all")


def test_every_image_that_competes_has_a_sentence_on_its_gains():
    """Fault: a sentence about another stimulus than its row, or one on the linear field."""
    said = population_words.agreement_sentences(
        population_tests.gain_agreement(units(image_response=np.nan, truth_kind="spot"))
    )
    assert len(said) == 3 and "Over the best Gabor, the masked MEI" in said[0]
    assert said[2].startswith("Predicted and true gains over the best natural image could not be compared")


def test_a_run_is_summed_up_by_its_selected_units():
    """Fault: units that were not selected counted among the verdicts; medians exchanged."""
    table = pd.DataFrame(
        {
            "selected": [True, True, True, False],
            "verdict": ["well supported", "uncertain", "well supported", "uncertain"],
            "correlation_to_average": [0.9, 0.8, 0.7, 0.1],
        }
    )
    found = population_table.summary(table, model="v1", failed={})
    assert found["units"] == 4 and found["selected"] == 3
    assert found["verdicts"] == {"well supported": 2, "uncertain": 1}
    assert found["median_correlation_of_all_scored_units"] == pytest.approx(0.75)
    assert found["median_correlation_of_the_selected"] == pytest.approx(0.8)
    assert population_words.verdicts(table[table.selected]).endswith(": 2 well supported, 1 uncertain.")
    assert "No selected neuron" in population_words.verdicts(table[:0])
    assert population_words.verdict_sentences(table[table.selected]) == [
        "The MEI is well supported in 2 of 3 selected neurons.",
        "The MEI is uncertain in 1 of 3 selected neurons.",
    ]


def test_metrics_and_shown_columns_are_those_of_their_units(tmp_path):
    """Fault: rows in another order than asked, the least reliable unit on top."""
    for unit in (7, 3):
        write_json(tmp_path / "units" / str(unit) / "metrics.json", {"scalars": {"mei_contrast": unit / 10}})
    assert population_table.measures(tmp_path, [7, 3]).mei_contrast.to_dict() == {7: 0.7, 3: 0.3}
    table = pd.DataFrame(0.0, index=range(3), columns=columns.NAMES).assign(
        unit_id=[1, 2, 3], oracle_correlation=[0.1, 0.9, 0.5]
    )
    assert population_words.shown_units(table).data.index.tolist() == [2, 3, 1]
