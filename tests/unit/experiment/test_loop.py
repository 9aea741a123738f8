"""Responses come back through one door, and only what they show is confirmed."""

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib.errors import InputError
from lib.experiment import confirm, next_day
from lib.experiment.responses import read_responses

WINDOW = (0.05, 0.3)


@pytest.fixture(scope="module")
def answered(truth, written, tmp_path_factory):
    """The files of the simulated next day."""
    run = tmp_path_factory.mktemp("answered")
    truth.save(run / "truth.h5")
    return next_day.answer(run, written, window=WINDOW, seed=2)


@pytest.fixture(scope="module")
def recording(answered, written, session):
    return read_responses(*answered, written, session)


def test_true_optima_are_confirmed_and_what_excites_nothing_is_not(recording, written, session, truth):
    """Fault: unit and response joined by position, a difference taken the wrong way round."""
    units, kinds = confirm.judge(recording, written, session)
    untuned = truth.table.truth_kind[units.index] == "untuned"
    assert (units.outcome[~untuned] == "confirmed").mean() >= 0.9
    assert not (units.outcome[untuned] == "confirmed").any()
    recorded, own = confirm.matrix(recording, written)
    tuned = untuned.index[~untuned]  # "MEIs" of untuned units are those of tuned ones: not among the columns
    assert (recorded.loc[tuned, tuned].idxmax(axis=1) == tuned).all() and own["n"] == len(untuned)
    _, alone = confirm.matrix(replace(recording, counts=recording.counts[tuned]), written)
    assert alone["p"] < 0.01
    mine = kinds[kinds.unit_id.isin(untuned.index[~untuned])]
    assert np.corrcoef(mine.recorded, mine.predicted)[0, 1] > 0.8


def test_the_next_day_is_another_day(truth):
    """Fault: fields that have not moved, or by other than 1 to 2 degrees."""
    after = next_day.next_units(truth, rng=np.random.default_rng(1)).table
    tuned = truth.table.x.notna()
    moved = np.hypot(after.x - truth.table.x, after.y - truth.table.y)[tuned]
    assert moved.between(1, 2).all()
    factor = after.baseline / truth.table.baseline
    assert (
        np.allclose(after.gain[tuned] / truth.table.gain[tuned], factor[tuned])
        and 0.05 < np.log(factor).std() < 0.6
    )


def test_the_animal_sees_what_the_screen_shows(written):
    """Fault: grey values taken for luminance, or a part of the screen beside the image."""
    for image, name in zip(next_day.seen_images(written), written.table.index):
        exact = written.images[name]
        assert image.shape == (115, 147) and abs(image.mean() - exact.mean()) < 0.005
        small = np.asarray(Image.fromarray(image).resize(exact.shape[::-1], Image.BOX))
        assert np.abs(small - exact).max() < 0.02 + 0.25 * np.ptp(exact)


def test_traces_below_zero_come_back_and_spikes_do_not(answered, written, session, recording, tmp_path):
    """Fault: dF/F, which dips below zero all the time, is refused; or negative counts of spikes pass."""
    path, table = answered
    with np.load(path) as file:
        content = dict(file)
    content["counts"] = content["counts"] - 1.5
    np.savez(tmp_path / "traces.npz", **content)
    with pytest.raises(InputError, match="traces.npz: counts hold negative values; this run's responses are"):
        read_responses(tmp_path / "traces.npz", table, written, session)
    of_traces = replace(session, counts=session.counts + 0.5)
    back = read_responses(tmp_path / "traces.npz", table, written, of_traces)
    assert (back.counts.min() == 0).all()
    judged = [confirm.judge(one, written, session)[0] for one in (recording, back)]
    np.testing.assert_allclose(judged[1].image_difference, judged[0].image_difference)


def test_three_forms_of_responses_are_one(answered, written, session, recording, tmp_path):
    """Fault: a form whose units or presentations are read in another order."""
    path, table = answered
    with np.load(path) as file:
        numbers, counts, ids = file["presentation"], file["counts"], file["unit_ids"]
    made = tmp_path / "folder"
    (made / "data/responses").mkdir(parents=True)
    (made / "meta/neurons").mkdir(parents=True)
    (made / "set.txt").write_text(f"{written.name}\n")
    np.save(made / "meta/neurons/unit_ids.npy", ids)
    for number, row in zip(numbers, counts):
        np.save(made / f"data/responses/{number}.npy", row)
    starts = 100 + written.presentations.onset_s.to_numpy()
    with h5py.File(tmp_path / "day.nwb", "w") as file:
        each = [np.repeat(starts, column) + 0.1 for column in counts.T]
        file["units/id"], file["units/spike_times"] = ids, np.concatenate(each)
        file["units/spike_times_index"] = np.cumsum([len(times) for times in each])
        file["intervals/shown/start_time"], file["intervals/shown/presentation"] = starts, numbers
        file["intervals/shown/set"] = np.array([written.name] * len(starts), h5py.string_dtype())
    for other in (made, tmp_path / "day.nwb"):
        read = read_responses(other, table, written, session)
        assert read.counts.equals(recording.counts) and read.lost == recording.lost


def changed(answered, tmp_path, **arrays):
    with np.load(answered[0]) as file:
        content = {name: file[name] for name in file.files} | arrays
    np.savez(tmp_path / "r.npz", **content)
    return tmp_path / "r.npz"


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"set": "of another"}, "holds responses to stimulus set of another, stimuli/ of this run is set"),
        ({"counts": np.zeros((3, 4))}, "counts must be numbers"),
        ({"presentation": np.array([1, 1])}, "counts must be numbers"),
    ],
)
def test_responses_that_do_not_fit_are_one_line(answered, written, session, tmp_path, arrays, message):
    with pytest.raises(InputError, match=message) as error:
        read_responses(changed(answered, tmp_path, **arrays), answered[1], written, session)
    assert "\n" not in str(error.value)


def test_presentations_that_are_missing_are_left_out_unless_a_stimulus_is_never_shown(
    answered, written, session, tmp_path
):
    with np.load(answered[0]) as file:
        numbers, counts = file["presentation"], file["counts"]
    half = changed(answered, tmp_path, presentation=numbers[500:], counts=counts[500:])
    assert len(read_responses(half, answered[1], written, session).counts) == len(numbers) - 500
    few = changed(answered, tmp_path, presentation=numbers[:20], counts=counts[:20])
    with pytest.raises(InputError, match="stimuli have no response, such as"):
        read_responses(few, answered[1], written, session)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.assign(next_unit_id=t.next_unit_id.dropna().iloc[0]), "a unit is paired twice"),
        (lambda t: t.assign(unit_id=t.unit_id + 1), "has no stimuli in this set"),
        (lambda t: t.assign(next_unit_id=t.next_unit_id + 500), "is not in responses.npz"),
        (lambda t: t.assign(next_unit_id=None), "no unit was found again"),
        (lambda t: t.drop(columns="unit_id"), "needs the column unit_id"),
        (lambda t: t.assign(next_unit_id="x"), "unit ids must be whole numbers"),
    ],
)
def test_a_table_of_units_that_does_not_fit_is_one_line(
    answered, written, session, tmp_path, change, message
):
    change(pd.read_csv(answered[1]).convert_dtypes()).to_csv(tmp_path / "units.csv", index=False)
    with pytest.raises(InputError, match=message) as error:
        read_responses(answered[0], tmp_path / "units.csv", written, session)
    assert "\n" not in str(error.value)


def test_units_that_are_paired_wrongly_are_found_out(answered, written, session, tmp_path):
    """Fault: any pairing is believed. The found units are dealt out anew, each to another."""
    table = pd.read_csv(answered[1]).dropna()
    table["next_unit_id"] = np.roll(table.next_unit_id, 3)
    table.to_csv(tmp_path / "units.csv", index=False)
    with pytest.raises(InputError, match="no more alike .* than units paired at random"):
        read_responses(answered[0], tmp_path / "units.csv", written, session)


# ---- intervals and outcomes ---------------------------------------------------------------------


def days(a, b, *, drift, blocks=20, n=600, seed=0):
    """Counts (n, blocks) of two stimuli in n experiments; gains of the block and of each presentation."""
    rng = np.random.default_rng(seed)
    slow = np.exp(drift * np.linspace(-1, 1, blocks))
    fast = np.exp(0.14 * rng.normal(size=(2, n, blocks)))
    return rng.poisson(a * slow * fast[0]), rng.poisson(b * slow * fast[1])


@pytest.mark.parametrize("a, b", [(6.0, 3.0), (2.0, 1.5), (5.0, 1.0)])
@pytest.mark.parametrize("drift", [0.0, 0.7])
def test_fieller_s_interval_holds_the_true_gain(a, b, drift):
    """Fault: an interval that takes the blocks' drift for noise of one stimulus, or is too narrow."""
    found = np.array([confirm.gain(x, y) for x, y in zip(*days(a, b, drift=drift))])
    assert 0.92 < ((found[:, 1] <= a / b) & (a / b <= found[:, 2])).mean() < 0.985
    assert (found[:, 1] <= found[:, 0]).all() and (found[:, 0] <= found[:, 2]).all()


@pytest.mark.parametrize("drift", [0.0, 0.7])
def test_nothing_is_confirmed_where_nothing_differs(drift):
    """Fault: repeats of a drifting unit taken as independent, or one comparison of two enough."""
    first, second = days(3.0, 3.0, drift=drift)
    _, third = days(3.0, 3.0, drift=drift, seed=1)
    outcomes = [
        confirm.outcome(
            {"image": confirm.difference(x, y), "others": confirm.difference(x, z)},
            confirm.difference(x, 0 * x),
            3.0,
        )
        for x, y, z in zip(first, second, third)
    ]
    assert np.mean([word == "confirmed" for word in outcomes]) < 0.05


def test_outcomes_are_by_all_intervals():
    """Fault: any instead of all, a wrong end of an interval."""
    above, below, across = (1.0, 0.5, 1.5), (-1.0, -1.5, -0.5), (0.2, -0.5, 1.0)
    rise = (4.0, 3.0, 5.0)
    assert confirm.outcome({"image": above, "others": above}, rise, 5.0) == "confirmed"
    assert confirm.outcome({"image": above, "others": across}, rise, 5.0) == "undecided"
    assert confirm.outcome({"image": above, "others": below}, rise, 5.0) == "refuted"
    assert confirm.outcome({"image": across, "others": across}, rise, 10.5) == "refuted"
    nan = (np.nan,) * 3
    assert confirm.outcome({"image": nan, "others": above}, rise, 5.0) == "undecided"


def test_pooling_finds_the_mean_and_the_spread_of_units():
    """Fault: units that differ taken for one, which makes the interval far too narrow."""
    rng, inside, taus = np.random.default_rng(0), [], []
    for _ in range(400):
        found = confirm.pooled(rng.normal(0.5, 0.3, 15) + rng.normal(0, 0.1, 15), np.full(15, 0.1))
        inside.append(found["low"] < 0.5 < found["high"])
        taus.append(found["tau"])
    assert 0.92 < np.mean(inside) < 0.98 and abs(np.median(taus) - 0.3) < 0.04


def test_units_of_one_session_share_its_error():
    """Fault: forty units of two sessions counted as forty animals."""
    rng = np.random.default_rng(0)
    shift = np.repeat([-0.5, 0.5], 20)
    values, errors = 0.5 + shift + rng.normal(0, 0.05, 40), np.full(40, 0.05)
    together, apart = confirm.pooled(values, errors), confirm.pooled(values, errors, shift)
    assert apart["high"] - apart["low"] > 5 * (together["high"] - together["low"]) and apart["sessions"] == 2
