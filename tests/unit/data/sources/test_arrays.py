"""The `arrays` source with a folder in the layout of the Sensorium challenge."""

import numpy as np
import pytest

from lib.data.session import from_recording
from lib.data.sources import arrays, choose
from lib.errors import InputError
from lib.params import load_params, notebook_parameters
from lib.responses.reliability import oracle_correlation

SHOWN = [4, 2, 4, 7, 4, 2]  # the image of each trial: three, two and one repeats


def pixels(image):
    return np.random.default_rng(image).integers(0, 256, (1, 12, 20)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Six trials of three images, five units with traces; trial 3 is the only one for training."""
    for part in ("data/images", "data/responses", "meta/neurons", "meta/trials"):
        (tmp_path / part).mkdir(parents=True)
    for trial, image in enumerate(SHOWN):
        np.save(tmp_path / f"data/images/{trial}.npy", pixels(image))
        np.save(tmp_path / f"data/responses/{trial}.npy", np.arange(5) + trial / 10)
    np.save(tmp_path / "meta/neurons/unit_ids.npy", np.array([11, 12, 13, 14, 15]))
    np.save(tmp_path / "meta/trials/tiers.npy", np.array(["test"] * 3 + ["train"] + ["test"] * 2))
    return tmp_path


def load(folder, structure="V1", **session):
    return arrays.load({"folder": str(folder)} | session, folder=None, structure=structure)


def test_repeats_are_trials_with_the_same_pixels(folder):
    """Fails if repeats are joined by order, or traces are rounded to counts."""
    recording = load(folder)
    assert recording.image_ids.tolist() == [0, 1, 3] and recording.counts.shape == (3, 3, 5)
    nan = np.nan
    np.testing.assert_allclose(
        recording.counts[:, :, 2],
        np.transpose([[2.0, 2.2, 2.4], [2.1, 2.5, nan], [2.3, nan, nan]]),
        rtol=1e-6,
    )
    np.testing.assert_allclose(recording.images[1], pixels(2)[0] / 255, rtol=1e-6)
    assert recording.units.index.tolist() == [11, 12, 13, 14, 15]


def test_analysis_takes_unequal_repeats_of_traces(folder):
    """Fails if images shown once or traces break what comes after."""
    session = from_recording(load(folder), latency=0, duration=1, image_height=12)
    assert session.window == arrays.STATIC_WINDOW
    assert np.isfinite(oracle_correlation(session.counts)).all()


def test_a_tier_of_the_trials(folder):
    assert load(folder, tiers=["test"]).image_ids.tolist() == [0, 1]
    with pytest.raises(InputError, match="no tier 'tests'; one of: test, train"):
        load(folder, tiers=["tests"])
    for part in ("images", "responses"):
        (folder / f"data/{part}/3.npy").unlink()
    with pytest.raises(InputError, match="none of its 5 trials is of train"):
        load(folder, tiers=["train"])


def test_areas_of_the_units(folder):
    """Fails if the areas in the folder are ignored."""
    np.save(folder / "meta/neurons/area.npy", np.array(["V1", "LM", "V1", "AL", "LM"]))
    recording = load(folder, structure=["LM", "AL"])
    assert recording.units.index.tolist() == [12, 14, 15]
    assert recording.structures == {"V1": 2, "LM": 2, "AL": 1}
    np.testing.assert_allclose(recording.counts[0, 0], [1, 3, 4])
    with pytest.raises(InputError, match="'V2' has no units"):
        load(folder, structure="V2")


def save(name, values):
    return lambda folder: np.save(folder / name, values)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda f: (f / "data/responses/4.npy").unlink(), "6 images but 5 responses; trial 4"),
        (lambda f: (f / "data/images/4.npy").write_bytes(b"x"), "4.npy: not a readable .npy file"),
        (save("data/images/4.npy", np.zeros((3, 12, 20), np.uint8)), "image 4 has 3 channels"),
        (save("data/images/4.npy", np.zeros((1, 9, 20), np.float32)), "image 4 is 9 x 20 pixels"),
        (save("data/images/4.npy", np.full((1, 12, 20), -1.5, np.float32)), "expected grey values from 0"),
        (save("data/responses/4.npy", np.zeros((5, 1))), "in 1 dimension, got float64 of shape (5, 1)"),
        (save("data/responses/4.npy", np.zeros(4)), "trial 4 has responses of 4 units, trial 0 of 5"),
        (save("data/responses/4.npy", np.full(5, np.nan)), "trial 4 has responses that are not finite"),
        (save("data/responses/4.npy", np.full(5, np.inf)), "trial 4 has responses that are not finite"),
        (save("data/responses/4.npy", np.array(["a"] * 5)), "expected numbers"),
        (save("meta/neurons/unit_ids.npy", np.arange(4)), "names 4 units, the responses are of 5"),
        (save("meta/neurons/unit_ids.npy", np.array([1, 1, 2, 3, 4])), "a unit id stands twice"),
    ],
)
def test_what_does_not_fit_is_said_before_work(folder, damage, message):
    damage(folder)
    params = {"source": "arrays", "session": {"folder": str(folder)}, "structure": "V1", "units": "selected"}
    with pytest.raises(InputError) as error:
        choose.prepare(params)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_traces_that_dip_below_zero_are_shifted_and_the_page_says_so(folder):
    """Fault: a unit above zero is shifted too; all by the lowest of all; nothing is said."""
    for trial in range(6):
        path = folder / f"data/responses/{trial}.npy"
        np.save(path, np.load(path) + [0.5, -20.25, 0, 0, -10.5])
    before = np.stack([np.load(folder / f"data/responses/{trial}.npy") for trial in range(6)])
    recording = load(folder)
    lowest = np.nanmin(recording.counts, axis=(0, 1))
    np.testing.assert_allclose(lowest, np.where(before.min(0) < 0, 0, before.min(0)))
    assert any("of 2 of 5 units dip below zero (lowest -19" in note for note in recording.notes)


def test_images_that_use_next_to_nothing_of_the_range_are_no_images(folder):
    """Fault: grey values from 0 to 1 divided by 255, and a whole book of black images."""
    for trial, image in enumerate(SHOWN):
        np.save(folder / f"data/images/{trial}.npy", pixels(image) / 255)
    with pytest.raises(InputError, match="use 0.0039 of the range from black to white"):
        load(folder)


@pytest.mark.parametrize("degrees", [-1.5, 1e6])
def test_the_size_of_a_pixel_is_possible(folder, degrees):
    """Fault: an image of -54 x -97 degrees."""
    with pytest.raises(InputError, match="degrees_per_pixel must be one number from"):
        load(folder, degrees_per_pixel=degrees)


def test_too_much_at_once(folder, monkeypatch):
    monkeypatch.setattr(arrays, "LARGEST", 100)
    with pytest.raises(InputError, match="name `tiers`"):
        load(folder)


def test_declaration(folder):
    """Fails if a run cannot name the folder, or a unit it does not have gets past the start."""
    (folder / "my.yml").write_text(
        "name: x\nsource: arrays\nstructure: V1\nsession: {folder: .}\nunits: [19]\n"
    )
    params = load_params(folder / "my.yml")
    given = notebook_parameters(params, "data")
    assert given["session"]["folder"] == str(folder)
    assert (
        len(
            choose.load_recording(
                given["source"],
                given["session"],
                folder=folder,
                structure="V1",
                simulation=given["simulation"],
            ).units
        )
        == 5
    )
    with pytest.raises(InputError, match="unit 19 .* nearest ids: 15, 14, 13"):
        choose.prepare(params)


def test_numbers_of_trials_may_begin_with_zeros(folder):
    """Fault: 00007.npy is looked for as 7.npy, or a trial under two names is read once, whichever."""
    expected = load(folder).counts
    for part in ("images", "responses"):
        for file in (folder / "data" / part).iterdir():
            file.rename(file.with_name(f"0000{file.name}"))
    np.testing.assert_array_equal(load(folder).counts, expected)
    np.save(folder / "data/images/4.npy", pixels(4))
    with pytest.raises(InputError, match="00004.npy and 4.npy in data/images are one trial"):
        load(folder)


def test_columns_of_pandas_are_told_how_to_be_saved(folder):
    """Fault: "not a readable .npz file (ValueError)"."""
    np.savez(folder / "c.npz", counts=np.ones((2, 2, 2)), structures=np.array(["V1", "V1"], object))
    with pytest.raises(
        InputError, match="c.npz: an array holds Python objects; save columns of pandas as text"
    ):
        arrays.read_npz(folder / "c.npz", ("counts",))
