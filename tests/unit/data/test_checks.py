"""What a recording claims is checked: refused where impossible, said where suspicious, mended where sure."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib.data import checks
from lib.data.recording import Recording
from lib.data.session import from_recording
from lib.errors import InputError
from lib.models.crossvalidation import assign_folds, cross_validate, prediction_scores
from lib.stimuli.same_images import similar_groups

IMAGES, REPEATS, UNITS = 24, 6, 5


def pictures(n=IMAGES, seed=0):
    """Images of blocks, no two alike."""
    return np.kron(np.random.default_rng(seed).random((n, 8, 10)), np.ones((4, 4))).astype(np.float32)


def of_counts(counts=None, images=None, **changes):
    counts = np.random.default_rng(1).poisson(4, (REPEATS, IMAGES, UNITS)) if counts is None else counts
    images = pictures(counts.shape[1]) if images is None else images
    ids = pd.Index(np.arange(counts.shape[2]), name="unit_id")
    given = dict(
        name="c",
        source="arrays",
        units=pd.DataFrame({"structure": "V1"}, index=ids),
        images=images,
        image_ids=np.arange(len(images)),
        degrees_per_pixel=1.0,
        counts=counts,
        count_window=(0.05, 0.3),
    )
    return Recording(**given | changes)


def of_spikes(*, times=None, shift=0.0, factor=1.0, frames=None, images=None, **changes):
    frames = np.tile(np.arange(IMAGES), REPEATS) if frames is None else frames
    onsets = 100 + 0.25 * np.arange(len(frames))
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 0.25,
            "stimulus_name": "natural_scenes",
            "frame": frames * 1.0,
        }
    )
    times = [np.sort(rng.uniform(95, onsets[-1] + 5, 1500)) for _ in range(UNITS)] if times is None else times
    images = pictures(frames.max() + 1) if images is None else images
    given = dict(
        name="s",
        source="nwb",
        units=pd.DataFrame({"structure": "V1"}, index=pd.Index(np.arange(len(times)), name="unit_id")),
        images=images,
        image_ids=np.arange(len(images)),
        degrees_per_pixel=1.0,
        presentations=table,
        spike_times=[factor * t + shift for t in times],
    )
    return Recording(**given | changes)


def counted(recording):
    return from_recording(recording, latency=0.05, duration=0.2, image_height=16)


def test_a_sound_recording_is_not_suspected():
    """Fault: a warning that is always there is not read."""
    assert checks.checked(of_counts()).warnings == checks.checked(of_spikes()).warnings == []


def twice(values, axis):
    return np.concatenate([values, values], axis=axis)


PLAIN = np.random.default_rng(1).poisson(4, (REPEATS, IMAGES, UNITS)).astype(float)
TRACES = PLAIN + np.random.default_rng(3).random(PLAIN.shape)


def partly_twice():
    """One repeat, of other images in each of two others."""
    counts = TRACES.copy()
    counts[0, :12], counts[1, 12:] = counts[2, :12], counts[2, 12:]
    return counts


@pytest.mark.parametrize(
    "recording, message",
    [
        (lambda: of_counts(PLAIN[:1]), "0 of 24 images were shown more than once"),
        (lambda: of_spikes(units=pd.DataFrame({"structure": "V1"}, index=[3, 4, 4, 5, 6])), "have the id 4"),
        (lambda: of_counts(twice(TRACES, 0)), "repeats 1 and 7 have the same responses"),
        (lambda: of_counts(np.concatenate([TRACES, np.roll(TRACES, 1, 0)[:2]])), "repeats 6 and 7"),
        (lambda: of_counts(partly_twice()), "24 of 144 presentations have the responses of another one"),
        (lambda: of_counts(twice(TRACES, 0) * (1 + 1e-9 * np.arange(12))[:, None, None]), "repeats . and"),
        (lambda: of_counts(twice(PLAIN, 2)), "units 0 and 5 have the same responses"),
        (lambda: of_counts(np.zeros((3, 4, 2))), "all responses are 0: were they withheld?"),
        (lambda: of_counts(images=np.tile(np.linspace(0, 1, IMAGES)[:, None, None], (16, 20))), "is uniform"),
        (lambda: of_spikes(factor=1000), "are spike times in seconds"),
        (lambda: of_spikes(shift=1e5), "are spike times in seconds"),
        (lambda: of_spikes(times=[np.empty(0)]), "no unit has a spike"),
        (lambda: of_spikes(times=[np.arange(95.0, 130)] * 2), "units 0 and 1 have the same spikes"),
    ],
)
def test_what_is_impossible_is_one_line(recording, message):
    """Fault: doubled trials or units, withheld or foreign data make a finished, wrong book."""
    with pytest.raises(InputError, match=message) as error:
        checks.checked(recording())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scale, length", [(1e3, "250"), (3e4, "7500"), (1 / 60, "0.00416667")])
def test_times_in_another_unit_are_refused(scale, length):
    """Fails if spikes and presentations, both in ms, samples or minutes, pass for seconds."""
    recording = of_spikes()
    for name in ("start_time", "stop_time"):
        recording.presentations[name] *= scale
    times = [scale * t for t in recording.spike_times]
    with pytest.raises(InputError, match=f"shown for {length} s .median.*in seconds"):
        checks.checked(dataclasses.replace(recording, spike_times=times))


def test_presentations_listed_twice_are_refused():
    """Fault: each trial counts double, and its unit is as reliable as can be."""
    recording = of_spikes()
    recording.presentations = pd.concat([recording.presentations] * 2, ignore_index=True)
    with pytest.raises(InputError, match="144 presentations are listed twice, the first at 100.000 s"):
        checks.checked(recording)


def test_few_equal_trials_of_small_counts_are_chance():
    """Fault: two silent trials of two units are taken for one that is listed twice."""
    counts = np.random.default_rng(4).poisson(0.3, (20, IMAGES, 2)).astype(float)
    assert checks.checked(of_counts(counts)).warnings == []


def test_withheld_trials_among_others_are_said():
    """Fault: zeros in place of withheld responses pull every mean down without a word."""
    counts = TRACES.copy()
    counts[:2, :10] = 0
    (warning,) = checks.checked(of_counts(counts)).warnings
    assert "In 20 of 144 presentations the response of every unit is 0" in warning


def test_silence_of_all_units_is_said():
    """Fault: a pause of the recording is counted as zeros."""
    times = [np.sort(np.r_[t[t < 110], t[t > 125]]) for t in of_spikes().spike_times]
    (warning,) = checks.checked(of_spikes(times=times)).warnings
    assert "No unit fires from 110 to 125 s, during" in warning


def test_exchanged_axes_are_said():
    """Fault: (images, repeats, units) of as many images as repeats is read the other way round."""
    rates = np.random.default_rng(5).gamma(2, 3, (12, UNITS))
    counts = np.random.default_rng(6).poisson(rates, (12, 12, UNITS)).astype(float)
    assert checks.checked(of_counts(counts)).warnings == []
    (warning,) = checks.checked(of_counts(counts.transpose(1, 0, 2))).warnings
    assert "with repeats and images exchanged" in warning


@pytest.mark.parametrize("spikes", [False, True])
def test_a_picture_under_two_ids_is_one_image_shown_more_often(spikes):
    """Fault: a model is tested on the picture that it has learnt under another id."""
    images = twice(pictures(12), 0)
    session = counted(of_spikes(images=images) if spikes else of_counts(images=images))
    assert session.counts.shape[:2] == (2 * REPEATS, 12) and session.image_ids.tolist() == list(range(12))
    assert "The 24 images show 12 different pictures" in session.warnings[0]
    plain = counted(of_spikes() if spikes else of_counts())
    np.testing.assert_array_equal(
        np.sort(session.counts[:, 3], axis=0),
        np.sort(np.concatenate([plain.counts[:, 3], plain.counts[:, 15]]), axis=0),
    )


ALIKE = {
    "noise": lambda images: np.clip(images + 0.01 * np.random.default_rng(7).normal(size=images.shape), 0, 1),
    "contrast": lambda images: 0.5 + 0.7 * (images - 0.5),
    "brightness": lambda images: 0.9 * images,
    "one pixel": lambda images: np.where(np.arange(images[0].size).reshape(images[0].shape) == 7, 0, images),
    "8 bits": lambda images: np.round(images * 63) / 63,
}


@pytest.mark.parametrize("change", ALIKE)
def test_nearly_the_same_pictures_are_in_one_fold_and_said(change):
    """Fault: the same, after compression, noise, or at another contrast."""
    images = np.concatenate([pictures(12), ALIKE[change](pictures(12))]).astype(np.float32)
    fold = assign_folds(images, 4, seed=0)
    np.testing.assert_array_equal(fold[:12], fold[12:])
    assert "12 are nearly the same as another" in checks.checked(of_counts(images=images)).warnings[0]


def test_folds_of_different_pictures_are_what_they_were():
    """Fault: every model of every run changes because one recording has twins."""
    expected = np.random.default_rng(3).permutation(IMAGES) % 5
    np.testing.assert_array_equal(assign_folds(pictures(), 5, seed=3), expected)


def test_uniform_images_are_one_group():
    images = pictures(4)
    images[1], images[3] = 0.2, 0.8
    assert similar_groups(images).tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("doubled", ["nothing", "pictures", "with noise"])
def test_nothing_predicts_responses_that_nothing_can_predict(doubled):
    """Fault: r of .9 on noise, for images that stand twice with the same responses.

    Below 0 it may be: the mean over the images learnt from is high where that over the others is low.
    """
    rng = np.random.default_rng(8)
    images, counts = pictures(60), rng.poisson(rng.gamma(2, 2, (1, 60, 8)), (4, 60, 8)).astype(float)
    if doubled != "nothing":
        other = images if doubled == "pictures" else ALIKE["noise"](images).astype(np.float32)
        images = np.concatenate([images, other])
        counts = np.concatenate([counts, rng.poisson(counts.mean(0), counts.shape)], axis=1)
    session = counted(of_counts(counts, images=images))
    found = cross_validate(session.images, session.counts, model="ridge", folds=5, degrees_per_pixel=2.0)
    r = prediction_scores(found.predictions, session.counts, resamples=2).correlation_to_average
    assert r.mean() < 0.1


def test_invalid_times_leave_presentations_out_for_the_units_concerned():
    """Fault: spikes that a probe could not send are counted as zeros."""
    units = [0, 1]
    recording = of_spikes(
        invalid_times=pd.DataFrame({"start_time": [104.0], "stop_time": [108.0], "units": [units]})
    )
    session, plain = counted(recording), counted(of_spikes())
    missing = np.isnan(session.presentation_counts)
    onsets = recording.presentations.start_time.to_numpy()
    np.testing.assert_array_equal(missing[:, 0], (onsets < 108) & (onsets + 0.25 > 104))
    assert not missing[:, 2:].any() and np.isnan(session.counts[:, :, :2]).sum() == 2 * missing[:, 0].sum()
    np.testing.assert_array_equal(session.counts[:, :, 2:], plain.counts[:, :, 2:])
    assert "16 presentations, 16 of them of natural scenes" in session.warnings[0]
    assert "2 of 5 units" in session.warnings[0]


def test_times_invalid_for_all_units_take_the_presentations_out():
    recording = of_spikes(
        invalid_times=pd.DataFrame(
            {"start_time": [104.0], "stop_time": [108.0], "units": [list(range(UNITS))]}
        )
    )
    session = counted(recording)
    assert session.presentation_counts.dtype == np.int32 and "for all units" in session.warnings[0]
    assert (session.presentations.stimulus_name == "invalid_presentation").sum() == 16
    assert np.isfinite(session.counts[:, :, 0]).sum() == IMAGES * REPEATS - 16
