"""Sessions and the `arrays` source."""

import numpy as np
import pandas as pd
import pytest

from lib.data import session as sessions
from lib.data.recording import Recording
from lib.data.sources import arrays
from lib.errors import InputError

RNG = np.random.default_rng(0)


def recording(**changes):
    """Two units, three frames shown twice, in the order 2, 0, 1, 2, 1, 0, and one blank."""
    frames = np.array([2, 0, 1, -1, 2, 1, 0])
    onsets = 10 + 0.25 * np.arange(len(frames))
    presentations = pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 0.25,
            "stimulus_name": "natural_scenes",
            "frame": frames.astype(float),
        },
        index=pd.Index(range(len(frames)), name="presentation"),
    )
    spikes = np.repeat(onsets + 0.1, frames + 1)  # unit 0 fires frame + 1 spikes, unit 1 none
    given = dict(
        name="s",
        source="test",
        image_ids=np.arange(3),
        degrees_per_pixel=1.0,
        units=pd.DataFrame(
            {"structure": ["V1", "V1"], "snr": [1.0, np.nan]}, index=pd.Index([11, 12], name="unit_id")
        ),
        images=RNG.random((3, 40, 50)).astype(np.float32),
        presentations=presentations,
        spike_times=[spikes, np.empty(0)],
    )
    return Recording(**given | changes)


def counted(**changes):
    return sessions.from_recording(recording(**changes), latency=0.05, duration=0.2, image_height=20)


def test_counts_are_joined_on_the_frame_id():
    """Fails if counts follow the order of presentation instead of the frame."""
    session = counted()
    assert session.counts.shape == (2, 3, 2)
    np.testing.assert_array_equal(session.counts[:, :, 0], [[1, 2, 3], [1, 2, 3]])
    np.testing.assert_array_equal(session.blank_counts[:, 0], [0])


def test_silent_units_have_zeros_not_gaps():
    assert (counted().counts[:, :, 1] == 0).all()


def test_missing_images_are_refused():
    with pytest.raises(InputError, match="3 frames were shown but 2 images"):
        counted(images=RNG.random((2, 40, 50)), image_ids=np.arange(2))


def test_images_of_other_frames_are_refused():
    """Fails if as many images as frames are enough, whichever they are."""
    with pytest.raises(InputError, match="ids differ"):
        counted(image_ids=np.array([0, 1, 5]))


def test_a_window_that_reaches_into_the_next_presentation_is_said():
    """Fails if overlaps are not told to the reader, or where there are none."""
    assert counted().notes == []
    late = sessions.from_recording(recording(), latency=0.05, duration=0.25, image_height=20)
    assert late.notes == [
        "The count window (0.05 to 0.3 s after onset) of 6 presentations reaches into the next one."
    ]


def test_sessions_of_other_images_are_not_merged():
    with pytest.raises(InputError, match="differ in their images"):
        sessions.merge([counted(), counted(images=RNG.random((3, 40, 50)))])


def test_merged_sessions_keep_unequal_repeats():
    """Fails if the repeats that a session did not have become zeros."""
    images = RNG.random((3, 40, 50)).astype(np.float32)
    second = counted(units=pd.DataFrame({"structure": ["V1", "V1"]}, index=[21, 22]), name="t", images=images)
    second.counts = second.counts[:1]
    merged = sessions.merge([counted(images=images), second])
    assert merged.counts.shape == (2, 3, 4) and np.isnan(merged.counts[1, :, 2:]).all()
    assert np.isfinite(merged.counts[:, :, :2]).all() and merged.name == "s, t"


def test_movies_get_the_shape_of_the_images():
    """Fails if a movie of nearly the images' aspect is a pixel wider than they are."""
    session = counted(movies={"m": np.full((2, 76, 100), 255, np.uint8)})
    assert session.movies["m"].shape[1:] == session.images.shape[1:] == (20, 25)
    assert session.movies["m"].max() == 1.0


def test_resize_takes_bytes_for_the_displayable_range():
    """Fails if uint8 images stay between 0 and 255."""
    white = np.full((1, 40, 60), 255, np.uint8)
    assert sessions.resize(white, 20).max() == sessions.resize(white, 40).max() == 1.0


def test_resize_averages_areas():
    """Fails for subsampling: a checkerboard must become grey, and the aspect must stay."""
    board = np.indices((40, 60)).sum(0)[None] % 2
    small = sessions.resize(board.astype(np.float32), 20)
    assert small.shape == (1, 20, 30)
    np.testing.assert_allclose(small, 0.5, atol=1e-6)


def test_degrees_per_pixel_follow_the_size():
    assert counted().degrees_per_pixel == 2.0


def test_saved_session_is_read_back_whole(tmp_path):
    session = counted(
        movies={"m": RNG.random((4, 40, 50)).astype(np.float32)}, notes=["a note"], structures={"V1": 2}
    )
    sessions.save_session(session, tmp_path / "session.h5")
    back = sessions.load_session(tmp_path)
    pd.testing.assert_frame_equal(back.units, session.units)
    pd.testing.assert_frame_equal(back.presentations, session.presentations)
    for name in ("images", "image_ids", "counts", "presentation_counts", "blank_counts"):
        np.testing.assert_array_equal(getattr(back, name), getattr(session, name))
    np.testing.assert_array_equal(back.movies["m"], session.movies["m"])
    assert (back.window, back.notes, back.structures) == (session.window, ["a note"], {"V1": 2})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["session.h5", "session.sha256"]


def test_every_unit_gets_its_own_spikes_back(tmp_path):
    """Fails if spikes are cut at other places than where the next unit's begin."""
    spikes = [10 + RNG.random(number).cumsum() for number in (5, 0, 3, 7)]
    units = pd.DataFrame({"structure": "V1"}, index=pd.Index([11, 12, 13, 14], name="unit_id"))
    sessions.save_session(counted(units=units, spike_times=spikes), tmp_path / "session.h5")
    back = sessions.load_session(tmp_path).spike_times
    assert len(back) == 4
    for read, written in zip(back, spikes):
        np.testing.assert_array_equal(read, written)


def test_the_target_contrast_is_that_within_images():
    """Fails if differences of luminance between images count as contrast."""
    images = np.array([0.2, 0.5, 0.8])[:, None, None] + np.tile([-0.1, 0.1], (40, 25))
    session = counted(images=images.astype(np.float32))
    assert session.target_contrast == pytest.approx(session.images[0].std(), abs=1e-4)


def test_missing_session_names_the_notebook(tmp_path):
    with pytest.raises(InputError, match="01_data"):
        sessions.load_session(tmp_path)


def test_unknown_unit_names_the_nearest():
    with pytest.raises(InputError, match="unit 13 .* nearest ids: 12, 11"):
        counted().unit_index(13)


def files(tmp_path, *, images=None, **changes):
    given = {
        "counts": RNG.poisson(2, (5, 3, 2)).astype(np.int16),
        "unit_ids": np.array([7, 9]),
        "image_ids": np.array([2, 0, 1]),
    } | changes
    np.savez(tmp_path / "c.npz", **{k: v for k, v in given.items() if v is not None})
    np.savez(
        tmp_path / "i.npz",
        images=np.arange(3 * 40 * 50, dtype=np.uint8).reshape(3, 40, 50) if images is None else images,
    )
    return {"counts": str(tmp_path / "c.npz"), "images": str(tmp_path / "i.npz")}


def test_arrays_join_images_by_id(tmp_path):
    """Fails if image_ids are ignored."""
    session = files(tmp_path)
    loaded = arrays.load(session, folder=tmp_path, structure="V1")
    raw = np.load(session["images"])["images"] / np.float32(255)
    np.testing.assert_allclose(loaded.images, raw[[2, 0, 1]], rtol=1e-6)
    assert loaded.units.index.tolist() == [7, 9]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"counts": np.zeros((5, 3))}, "must be (repeats, images, units)"),
        ({"counts": -np.ones((5, 3, 2))}, "negative"),
        ({"counts": np.full((5, 3, 2), "a")}, "must be numbers"),
        ({"counts": np.full((5, 3, 2), np.inf)}, "infinite"),
        ({"counts": np.full((5, 3, 2), np.nan)}, "no repeat at all"),
        ({"counts": np.where(np.arange(2) == 1, np.nan, np.zeros((5, 3, 2)))}, "NaN for some units"),
        ({"counts": None}, "needs the array 'counts'"),
        ({"structures": np.array(["V1"])}, "structures must be 2 acronyms"),
        ({"unit_ids": np.array([7, 7])}, "stands twice"),
        ({"unit_ids": np.array([7])}, "must be 2 whole numbers"),
        ({"image_ids": np.array([0, 1, 1])}, "3 different whole numbers"),
        ({"image_ids": np.array([0, 1, 8])}, "holds 3"),
        ({"images": np.full((3, 40, 50), 300.0)}, "uint8 or floats in [0, 1]"),
        ({"images": np.zeros((40, 50))}, "must be (images, height, width)"),
        ({"images": np.full((3, 40, 50), "a")}, "must be uint8 or floats"),
        ({"counts": np.zeros((3, 5, 2)), "image_ids": None}, "first two axes exchanged?"),
        ({"image_ids": None, "images": np.eye(40)[None].repeat(4, 0)}, "give image_ids, or as many images"),
    ],
)
def test_arrays_refuse_what_does_not_fit(tmp_path, changes, message):
    with pytest.raises(InputError) as error:
        arrays.load(files(tmp_path, **changes), folder=tmp_path, structure="V1")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_image_is_no_higher_than_half_the_world(tmp_path):
    """Fails if the degrees of a pixel of the analysis pass for those of the images as they were shown."""
    session = files(tmp_path)
    stack = np.random.default_rng(0).integers(0, 256, (3, 900, 4), np.uint8)
    np.savez(session["images"], images=stack, degrees_per_pixel=1.5)
    with pytest.raises(InputError, match="1350 degrees high, expected at most 180"):
        arrays.load(session, folder=tmp_path, structure="V1")


def test_what_is_assumed_of_arrays_is_said(tmp_path):
    """Fails if a size is assumed, images are enlarged, or a window lies before onset, without a word."""
    session = files(tmp_path, window_s=np.array([-0.3, -0.05]))
    recording = arrays.load(session, folder=tmp_path, structure="V1")
    assert any("94.8 degrees high" in note for note in recording.notes)
    assert any("ends before the image appears" in warning for warning in recording.warnings)
    enlarged = sessions.from_recording(recording, latency=0, duration=1, image_height=60).notes
    assert any("40 rows of pixels and are enlarged to the 60" in note for note in enlarged)
    assert not any(
        "enlarged" in note
        for note in sessions.from_recording(recording, latency=0, duration=1, image_height=40).notes
    )


def test_arrays_refuse_a_file_that_is_no_npz(tmp_path):
    session = files(tmp_path)
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="c.npz: not a readable .npz file"):
        arrays.load(session, folder=tmp_path, structure="V1")
