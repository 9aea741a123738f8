"""Stimuli beside the scenes: the right frames meet the right counts, and help a model."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.data.session import Session
from lib.errors import InputError
from lib.models import cores, training_sets, v1

RNG = np.random.default_rng(0)
SHAPE, DEGREES = (24, 30), 4.0


def session():
    """A movie of 20 frames twice, the second time cut off after 12; frame f draws f spikes."""
    frames = np.r_[0:20, 0:12]
    onsets = 5 + np.arange(len(frames)) / 30
    rows = pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 1 / 30,
            "stimulus_name": "natural_movie_one",
            "frame": frames.astype(float),
        }
    )
    spikes = np.repeat(onsets + 0.05 + 0.01, frames)
    return Session(
        name="s",
        source="test",
        units=pd.DataFrame(index=[1]),
        degrees_per_pixel=DEGREES,
        images=np.zeros((2, *SHAPE), np.float32),
        image_ids=np.arange(2),
        counts=np.zeros((1, 2, 1)),
        window=(0.05, 0.05 + 8 / 30),
        presentations=rows,
        presentation_counts=np.zeros((32, 1)),
        spike_times=[spikes],
        movies={"natural_movie_one": np.arange(20)[:, None, None] * np.ones(SHAPE) / 20},
    )


def test_movie_steps_carry_the_counts_of_their_own_frames():
    """Fails if the latency, a repeat, the order or the end of a cut movie goes wrong."""
    frames, responses = training_sets.training_sets(session(), ["natural_movies"])["natural_movie_one"]
    assert frames.shape == (2, 8, *SHAPE)
    np.testing.assert_allclose(frames[1, :, 0, 0] * 20, np.arange(8, 16))
    np.testing.assert_allclose(responses[:, 0], [sum(range(8)), sum(range(8, 16))])


def test_what_a_session_lacks_is_said():
    with pytest.raises(InputError, match="holds no gabors"):
        training_sets.training_sets(session(), ["natural_scenes", "gabors"])
    with pytest.raises(InputError, match="movies is none of"):
        training_sets.training_sets(session(), ["movies"])


def test_available_is_what_the_session_holds_but_gabors():
    """Fails if a lack is an error, if Gabors are taken unasked, or if a movie is left out."""
    held = session()
    assert training_sets.held(held, ["available"]) == ["natural_movie_one"]
    extra = held.presentations.iloc[:2].assign(stimulus_name=["gabors", "static_gratings"])
    held.presentations = pd.concat([held.presentations, extra])
    assert training_sets.held(held, ["available"]) == ["natural_movie_one", "static_gratings"]
    assert training_sets.held(held, ["natural_scenes", "gabors"]) == ["gabors"]
    held.movies["natural_movie_one"] = held.movies["natural_movie_one"][:7]  # no whole step
    assert training_sets.held(held, ["available"]) == ["static_gratings"]
    held.presentations = None
    assert training_sets.held(held, ["available"]) == []


def test_features_are_averaged_over_the_frames_of_a_response():
    core = cores.V1Core(SHAPE, degrees_per_pixel=DEGREES)
    frames = RNG.random((2, 3, *SHAPE)).astype(np.float32)
    with torch.no_grad():
        one_by_one = torch.cat([core(torch.as_tensor(f)[None, None]) for f in frames[1]])
    torch.testing.assert_close(training_sets.mean_features(core, frames)[1], one_by_one.mean(0))


@pytest.fixture(scope="module")
def problem():
    """A linear unit, few scenes and many other images."""
    core = cores.V1Core(SHAPE, degrees_per_pixel=DEGREES)
    images = RNG.random((400, 1, *SHAPE)).astype(np.float32)
    pattern = np.zeros(SHAPE)
    pattern[8:16, 10:14], pattern[8:16, 14:18] = 1, -1
    drive = (images[:, 0] * pattern).sum((1, 2))
    rate = np.maximum(2 + drive / drive.std(), 0.05)[:, None]
    with torch.no_grad():
        return core, core(torch.as_tensor(images)), rate


def correlation(model, features, rate):
    with torch.no_grad():
        return np.corrcoef(model.from_features(features)[:, 0], rate[:, 0])[0, 1]


def test_more_stimuli_help_when_they_carry_over_and_hurt_little_when_not(problem):
    core, features, rate = problem
    few, more, test = slice(0, 40), slice(40, 250), slice(250, 400)
    alone = v1.fit_windowed(features[few], rate[few], core)
    helped = v1.fit_windowed(features[few], rate[few], core, more=[(features[more], rate[more])])
    misled = v1.fit_windowed(
        features[few], rate[few], core, more=[(features[more], RNG.permutation(rate[more]))]
    )
    r = [correlation(model, features[test], rate[test]) for model in (alone, helped, misled)]
    assert r[1] > r[0] + 0.05
    assert r[2] > r[0] - 0.1


def test_solving_with_no_other_stimuli_changes_nothing(problem):
    """Fails if a unit's features, their pooled sums or their scales differ between both solutions."""
    core, features, rate = problem
    x, z = (
        features[:40] - features[:40].mean(0),
        torch.as_tensor(rate[:40] - rate[:40].mean(), dtype=torch.float32),
    )
    parts = v1._by_place(x, core)
    seen = v1._expected_windows(parts, core, z)
    strengths, noise, dual, _ = v1._by_evidence(parts, core, seen, z)
    weights = v1._primal(parts, core, seen, dual[..., None] * strengths[:, None])
    again = next(v1._solve_with(weights, x, z, noise, [], [[]], core, seen, strengths))
    torch.testing.assert_close(x @ again.T, x @ weights.T, atol=5e-3, rtol=0)


def test_repeats_are_kept_apart_and_missing_ones_are_no_zeros():
    """Fault: the repeat that a cut movie lacks lowers the mean, or the ceiling."""
    _, counts = training_sets.repeated_sets(session(), ["natural_movies"])["natural_movie_one"]
    assert counts.shape == (2, 2, 1)
    np.testing.assert_allclose(counts[:, 0, 0], sum(range(8)))
    np.testing.assert_allclose(counts[:, 1, 0], [sum(range(8, 16)), np.nan])
