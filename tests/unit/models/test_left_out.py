"""A class of stimuli left out: never learned from, held against the right ceiling and the right control."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.data.session import Session
from lib.models import cores, ensemble, left_out, training_sets, v1, words

SHAPE, DEGREES, UNITS = (24, 30), 4.0, 6
PLACES = [(6, 6), (6, 15), (6, 24), (18, 6), (18, 15), (18, 24)]


class Spots(torch.nn.Module):
    """Units that count the luminance of a patch, each at a place of its own."""

    def forward(self, images):
        sums = [images[:, 0, y - 3 : y + 3, x - 3 : x + 3].mean((1, 2)) for y, x in PLACES]
        return 8 * torch.stack(sums, 1)


def images(n, rng, frames=1):
    coarse = rng.random((n, frames, SHAPE[0] // 3, SHAPE[1] // 3))
    return np.kron(coarse, np.ones((3, 3))).astype(np.float32)


def recorded(frames, rng, repeats=20):
    rate = ensemble.predicted_means(Spots(), frames)
    return frames, rng.poisson(rate, (repeats, *rate.shape)).astype(float)


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(1)
    return {
        "natural_scenes": [recorded(images(70, rng), rng)],
        "static_gratings": [recorded(images(60, rng), rng)],
        "natural_movies": [recorded(images(n, rng, frames=2), rng, repeats=r) for n, r in ((20, 4), (30, 3))],
    }


@pytest.fixture(scope="module")
def learned(classes):
    """Predictions, and the responses from which each of the three models learned."""
    seen, fit = [], v1.fits_windowed

    def spy(features, responses, core, more, choices):
        assert [len(f) for f, _ in more] == [len(r) for _, r in more] and len(features) == len(responses)
        for chosen, model in zip(choices, fit(features, responses, core, more, choices), strict=True):
            seen.append([responses, *(more[k][1] for k in chosen)])
            own = [more[k] for k in chosen]
            alone = next(fit(features, responses, core, own, [range(len(own))]))
            torch.testing.assert_close(model.weights, alone.weights, rtol=1e-3, atol=1e-5)
            yield model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(v1, "fits_windowed", spy)
        predictions = left_out.predict_left_out(classes, degrees_per_pixel=DEGREES)
    return predictions, [seen[-1], *seen[:-1]]  # without the first class, whose images the others learn from


def table_of(classes, predictions, **how):
    areas = np.full(UNITS, "VISp")
    return left_out.transfer_table(classes, predictions, unit_ids=np.arange(UNITS), areas=areas, **how)


def test_the_class_left_out_is_never_learned_from_and_all_others_are(classes, learned):
    """Fault: a model that has seen what it predicts, that learns from too little, or by what is left out."""
    means = {name: [np.nanmean(c, axis=0) for _, c in sets] for name, sets in classes.items()}
    for name, seen in zip(learned[0], learned[1], strict=True):
        expected = [mean for other in classes if other != name for mean in means[other]]
        assert len(seen) == len(expected)
        for one, mean in zip(seen, expected, strict=True):
            np.testing.assert_array_equal(one, mean)


def test_what_does_not_vary_in_a_class_is_not_learned_from_it():
    """Fault: rounding of a luminance that is always grey is blown up and drives the prediction of scenes."""
    rng = np.random.default_rng(5)
    scenes, patches = images(60, rng), images(80, rng)
    patches = np.concatenate([patches, 1 - patches], axis=1)  # as over the cycle of a drift
    sets = {}
    for name, frames in {"natural_scenes": scenes, "gabors": patches}.items():
        rate = np.stack([40 * frames[:, 0, y - 3 : y + 3, x - 3 : x + 3].var((1, 2)) for y, x in PLACES], 1)
        sets[name] = [(frames, rng.poisson(rate, (30, *rate.shape)).astype(float))]
    predicted = left_out.predict_left_out(sets, degrees_per_pixel=DEGREES)
    table = table_of(sets, predicted).query("left_out == 'natural_scenes'")
    assert table.r.median() > 0.5
    core = cores.V1Core(SHAPE, degrees_per_pixel=DEGREES)
    varying = left_out.varying_features(training_sets.mean_features(core, patches), core)
    parts = varying.split([int(np.prod(shape)) for _, shape in core.groups])
    for (family, _), part in zip(core.groups, parts, strict=True):
        assert (part == (0 if "luminance" in family else 1)).all()


def test_changed_responses_to_the_class_left_out_change_no_prediction_of_it(classes, learned):
    """Fault: anything at all is chosen by the class that is predicted."""
    changed = classes | {"static_gratings": [(f, c[:, ::-1] * 3) for f, c in classes["static_gratings"]]}
    again = left_out.predict_left_out(changed, degrees_per_pixel=DEGREES)
    np.testing.assert_array_equal(again["static_gratings"][0], learned[0]["static_gratings"][0])
    assert not np.array_equal(again["natural_scenes"][0], learned[0]["natural_scenes"][0])


def test_units_are_predicted_by_their_own_model_and_not_by_others(classes, learned):
    """Fault: units mixed up, a unit counted among the others, or r held against another class's ceiling."""
    table = table_of(classes, learned[0], truth=Spots())
    assert len(table) == 3 * UNITS and list(table.columns) == left_out.COLUMNS
    assert (table.r > 0.5).all() and (table.other_unit.abs() < 0.35).all()
    assert np.allclose(table.p, 1 / UNITS)
    assert np.allclose(table.r_over_ceiling, table.r / table.ceiling)
    ceilings = table.groupby("left_out").ceiling.median()
    assert ceilings["natural_movies"] < ceilings["natural_scenes"] - 0.05  # a fifth of the repeats
    agreement = left_out.agreement_with_truth(table)
    assert (agreement.units == UNITS).all() and (agreement.median_error < 0.12).all()
    assert (table.true_r > table.r).all()


def test_the_other_units_are_those_of_the_same_area():
    """Fault: units of another area, or the unit itself, in the control."""
    rng = np.random.default_rng(2)
    base = rng.random((40, 1)) * 8
    counts = rng.poisson(np.repeat(base, 4, axis=1), (10, 40, 4)).astype(float)
    predicted = np.concatenate([base, -base, base, -base], axis=1)
    scored = left_out.scores([predicted], [counts], unit_ids=range(4), areas=["a", "a", "b", "c"])
    assert scored.r[0] > 0.9 and scored.r[1] < -0.9
    np.testing.assert_allclose(scored.other_unit[0], -scored.r[0], atol=1e-9)
    assert scored.other_unit[1] > 0.9 and scored.p[0] == 0.5 and scored.p[1] == 1
    assert scored.other_unit[2:].isna().all() and scored.p[2:].isna().all()


def test_ceilings_are_those_of_the_class_and_noise_has_no_ratio():
    """Fault: a noisy unit whose r is divided by next to nothing; a silent unit that breaks the others."""
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(300, 1))
    noise = rng.normal(size=(8, 300, 3)) * [1.0, 4.0, 0.0]
    counts = noise + signal * [1.0, 0.0, 0.0]
    predicted = np.repeat(signal, 3, axis=1)
    scored = left_out.scores([predicted], [counts], unit_ids=range(3), areas=["a"] * 3)
    expected = (1 / (1 + 1 / 8)) ** 0.5  # signal power 1, noise power 1 over 8 repeats
    assert scored.ceiling[0] == pytest.approx(expected, abs=0.02)
    assert scored.r_over_ceiling[0] == pytest.approx(1, abs=0.03)
    assert scored.r_over_ceiling[1:].isna().all() and np.isnan(scored.r[2])
    table = scored.assign(left_out="gabors")
    assert left_out.summary(table).units["gabors"] == 1


def test_several_movies_are_each_taken_about_their_own_mean():
    """Fault: a drift between two movies counts as something to be predicted, or a constant one as noise."""
    rng = np.random.default_rng(4)
    shape = rng.normal(size=(2, 50, 2)) * [1.0, 0.0]
    counts = [shape[k] + 10 * k + rng.normal(size=(5 - k, 50, 2)) * 0.1 for k in (0, 1)]
    scored = left_out.scores([-shape[0], -shape[1] + 100], counts, unit_ids=[0, 1], areas=["a", "a"])
    assert scored.r[0] == pytest.approx(-1, abs=0.02) and scored.r[1] == 0
    assert scored.ceiling[0] == pytest.approx(1, abs=0.02)


def test_medians_and_agreement_with_the_truth_have_the_known_values():
    rows = pd.DataFrame(
        {
            "unit_id": np.tile(np.arange(8), 2),
            "left_out": np.repeat(["gabors", "natural_scenes"], 8),
            "r": np.r_[np.arange(8) / 10, np.full(8, 0.5)],
            "ceiling": 0.8,
            "r_over_ceiling": np.r_[np.arange(8) / 8, np.full(7, 0.625), np.nan],
            "other_unit": np.r_[np.arange(8) / 10 - 0.2, np.full(8, 0.5)],
            "true_r": np.r_[np.arange(8) / 8 + 0.1, np.full(8, 0.6)],
        }
    )
    found = left_out.summary(rows)
    assert found.units.to_dict() == {"gabors": 8, "natural_scenes": 7}
    assert found.r["gabors"] == pytest.approx(0.35) and found.median_difference["gabors"] == pytest.approx(
        0.2
    )
    assert found.higher.tolist() == [8, 0] and found.compared.tolist() == [8, 7]
    assert found.difference_low["gabors"] > 0 == found.difference_low["natural_scenes"]
    assert found.low["gabors"] < found.r_over_ceiling["gabors"] < found.high["gabors"]
    said = words.transfer_sentences(found)
    assert "its own is better in 8 of 8 units" in said[0] and "no evidence of tuning" not in said[0]
    assert "no evidence of tuning" in said[1] and "better in 0 of 7" in said[1]
    agreement = left_out.agreement_with_truth(rows)
    assert agreement.median_difference["gabors"] == pytest.approx(-0.1)
    assert agreement.rank_correlation["gabors"] == pytest.approx(1)
    assert "-0.10" in words.transfer_agreements(agreement)[0]


def test_scenes_alone_leave_nothing_to_say():
    """Fault: a session of arrays stops the report, or is said to hold what it does not."""
    session = Session(
        name="s",
        source="arrays",
        units=pd.DataFrame({"structure": "VISp"}, index=range(3)),
        images=np.zeros((5, *SHAPE), np.float32),
        image_ids=np.arange(5),
        degrees_per_pixel=DEGREES,
        counts=np.zeros((2, 5, 3), np.float32),
        window=(0.05, 0.3),
    )
    held = left_out.held_classes(session)
    assert list(held) == ["natural_scenes"]
    assert "natural scenes alone" in words.describe_classes(held)
    table = left_out.transfer_table(held, {}, unit_ids=range(3), areas=["a"] * 3)
    assert table.empty and list(table.columns) == left_out.COLUMNS
    assert left_out.summary(table).empty and left_out.agreement_with_truth(table).empty
    assert "nothing can be said" in words.transfer_sentences(left_out.summary(table))[0]
