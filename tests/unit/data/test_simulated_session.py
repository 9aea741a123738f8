"""The simulated session: images, presentations and spikes are what they are said to be."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lib.data import simulated_neurons, simulated_session

SMALL = dict(
    images=6,
    scene_repeats=4,
    gabor_repeats=1,
    grating_repeats=2,
    movie_one_frames=9,
    movie_one_repeats=3,
    movie_three_frames=12,
    movie_three_repeats=2,
)


@pytest.fixture(scope="module")
def scenes():
    return simulated_session.dead_leaves(12, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def presentations():
    return simulated_session.timeline(rng=np.random.default_rng(1), **SMALL)


@pytest.fixture(scope="module")
def units():
    return simulated_neurons.TrueUnits(simulated_neurons.make_units(9, seed=3))


@pytest.fixture(scope="module")
def expected(units, presentations, scenes):
    rng = np.random.default_rng(2)
    movies = {
        "natural_movie_one": rng.random((9, 115, 147)),
        "natural_movie_three": rng.random((12, 115, 147)),
    }
    return simulated_session.expected_counts(units, presentations, images=scenes[:6] / 255.0, movies=movies)


def scene_presentations(frames, repeats):
    onsets = np.arange(frames * repeats) * 0.25
    return pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 0.25,
            "stimulus_name": "natural_scenes",
            "frame": np.tile(np.arange(float(frames)), repeats),
        }
    )


def count(spike_times, start, stop):
    return np.stack([np.searchsorted(t, stop) - np.searchsorted(t, start) for t in spike_times], 1)


def test_scenes_have_natural_statistics(scenes):
    """Fails if images are too dark, flat, all alike, saturated or have no 1/f spectrum."""
    images = scenes / 255.0
    assert scenes.dtype == np.uint8 and images.shape == (12, 115, 147)
    assert 0.4 < images.mean() < 0.5
    assert 0.2 < images.std((1, 2)).mean() < 0.25 and images.std((1, 2)).std() > 0.01
    assert ((scenes == 0) | (scenes == 255)).mean() < 0.15
    square = images[:, :, :115] - images[:, :, :115].mean((1, 2), keepdims=True)
    power = (np.abs(np.fft.fft2(square * np.outer(*[np.hanning(115)] * 2))) ** 2).mean(0)
    f = np.hypot(np.fft.fftfreq(115)[:, None], np.fft.fftfreq(115))
    bins = np.geomspace(0.02, 0.4, 10)
    radial = [power[(f >= low) & (f < high)].mean() for low, high in itertools.pairwise(bins)]
    slope = np.polyfit(np.log(bins[:-1]), np.log(radial), 1)[0]
    assert -3.2 < slope < -1.8


def test_scenes_and_movies_are_seeded():
    """Fails if the generator is not the only source of randomness."""
    for make in (
        lambda seed: simulated_session.dead_leaves(2, (40, 50), rng=np.random.default_rng(seed)),
        lambda seed: simulated_session.movie(5, (20, 26), rng=np.random.default_rng(seed)),
    ):
        assert np.array_equal(make(1), make(1))
        assert not np.array_equal(make(1), make(2))


def test_movie_is_smooth_but_for_its_cuts():
    """Fails if frames of a shot are unrelated or cuts are missing."""
    frames = simulated_session.movie(30, (40, 50), rng=np.random.default_rng(0), shot=10).astype(float)
    frames -= frames.mean((1, 2), keepdims=True)
    frames /= frames.std((1, 2), keepdims=True)
    similarity = (frames[1:] * frames[:-1]).mean((1, 2))
    cut = np.isin(np.arange(1, 30), [10, 20])
    assert similarity[~cut].min() > 0.8 and similarity[cut].max() < 0.5
    assert (np.abs(np.diff(frames, axis=0)).mean((1, 2))[~cut] > 0).all()


def test_presentations_tile_the_session(presentations):
    """Fails if presentations overlap, leave holes or last longer than they should."""
    p = presentations
    assert np.array_equal(p.stop_time[:-1], p.start_time[1:])
    duration = (p.stop_time - p.start_time).groupby(p.stimulus_name).mean()
    assert duration[["gabors", "natural_scenes", "static_gratings"]].to_numpy() == pytest.approx(0.25)
    assert duration[["natural_movie_one", "natural_movie_three"]].to_numpy() == pytest.approx(1 / 30)
    assert duration["spontaneous"] >= 10


def test_every_condition_is_shown_as_often_as_asked(presentations):
    """Fails if conditions are missing, repeated wrongly, or the blank is left out."""
    shown = dict(list(presentations.groupby("stimulus_name")))
    scenes = shown["natural_scenes"].frame.value_counts()
    assert set(scenes.index) == set(range(-1, 6)) and (scenes == 4).all()
    gabors = shown["gabors"].groupby(["x_position", "y_position", "orientation"]).size()
    assert len(gabors) == 243 and (gabors == 1).all()
    gratings = shown["static_gratings"].groupby(["orientation", "spatial_frequency", "phase"])
    assert len(gratings) == 120 and (gratings.size() == 2).all()
    assert shown["natural_movie_one"].frame.tolist() == list(range(9)) * 3
    assert shown["natural_movie_three"].frame.tolist() == list(range(12)) * 2


def test_blocks_hold_one_stimulus_and_are_separated(presentations):
    """Fails if scenes are not in three blocks, blocks mix stimuli, or nothing lies between."""
    p = presentations
    grey = (p.stimulus_name == "spontaneous").to_numpy()
    assert p.stimulus_block.isna().equals(pd.Series(grey)) and grey[0] and grey[-1]
    assert (p[~grey].groupby("stimulus_block").stimulus_name.nunique() == 1).all()
    blocks = p[~grey].groupby("stimulus_name").stimulus_block.nunique()
    assert blocks["natural_scenes"] == 3 and blocks["static_gratings"] == 3
    changes = np.flatnonzero(np.diff(p.stimulus_block[~grey]) != 0)
    rows = np.flatnonzero(~grey)
    assert (rows[changes + 1] - rows[changes] == 2).all()


def test_timeline_is_seeded_and_shuffled(presentations):
    """Fails if the order does not depend on the seed, or is not random."""
    again = simulated_session.timeline(rng=np.random.default_rng(1), **SMALL)
    other = simulated_session.timeline(rng=np.random.default_rng(9), **SMALL)
    pd.testing.assert_frame_equal(again, presentations)
    for name in ("natural_scenes", "gabors", "static_gratings"):
        columns = ["frame", "x_position", "phase"]
        mine, theirs = (t.loc[t.stimulus_name == name, columns] for t in (presentations, other))
        assert not mine.equals(theirs)


def test_expected_counts_at_blank_grey_and_silence(units, presentations, expected):
    """Fails if blanks or gaps drive units, or their length is not taken into account."""
    blank = (presentations.frame == -1).to_numpy()
    spontaneous = (presentations.stimulus_name == "spontaneous").to_numpy()
    baseline = units.table.baseline.to_numpy()
    np.testing.assert_allclose(expected[blank], np.tile(baseline, (blank.sum(), 1)), atol=2e-3)
    seconds = (presentations.stop_time - presentations.start_time)[spontaneous].to_numpy()
    np.testing.assert_allclose(expected[spontaneous], np.outer(seconds / 0.25, baseline), rtol=0.01)
    silent = (units.table.truth_kind == "silent").to_numpy()
    assert (expected[:, silent] == 0).all() and (expected[:, ~silent] > 0).all()


def test_gabors_drive_a_unit_where_its_receptive_field_is(units, presentations, expected):
    """Fails if positions of Gabors are mirrored or shifted, or drift phases are not averaged."""
    gabors = (presentations.stimulus_name == "gabors").to_numpy()
    for kind in ("simple", "complex", "spot"):
        column = np.flatnonzero(units.table.truth_kind == kind)[0]
        row = units.table.iloc[column]
        map_ = presentations[gabors].assign(count=expected[gabors, column] - row.baseline)
        map_ = map_.groupby(["x_position", "y_position"])["count"].max()
        x, y = (map_.index.get_level_values(i).to_numpy() for i in (0, 1))
        centre = [(v * map_).sum() / map_.sum() for v in (x, y)]
        assert np.hypot(centre[0] - row.x, centre[1] - row.y) < 6, kind


def test_best_grating_has_the_orientation_of_the_unit(units, presentations, expected):
    """Fails if grating orientations are swapped or turned the wrong way round."""
    rows = (presentations.stimulus_name == "static_gratings").to_numpy()
    for column, row in enumerate(units.table.itertuples()):
        if row.truth_kind in ("simple", "complex"):
            tuning = (
                pd.Series(expected[rows, column]).groupby(presentations.orientation[rows].to_numpy()).max()
            )
            error = abs((tuning.idxmax() - row.orientation + 90) % 180 - 90)
            assert error <= 16, row.truth_kind


def test_mean_counts_are_the_expected_counts(units, scenes):
    """5 sigma: fails if the latency, the window or the Poisson mean is wrong."""
    p = scene_presentations(12, 200)
    expected = simulated_session.expected_counts(units, p, images=scenes / 255.0, movies={})
    latency = units.table.latency.to_numpy()
    times = simulated_session.spikes(
        expected, p, latency=latency, gain=np.ones(len(p)), rng=np.random.default_rng(5)
    )
    for unit, mean in enumerate(expected.T):
        start = p.start_time.to_numpy() + latency[unit]
        counts = count(times[unit : unit + 1], start, start + 0.25)[:, 0].reshape(200, 12)
        error = counts.mean(0) - mean[:12]
        assert (np.abs(error) <= 5 * np.sqrt(mean[:12] / 200)).all()
        if mean[0] > 0:
            assert 0.7 < (counts.var(0) / mean[:12]).mean() < 1.3
    assert all((np.diff(t) >= 0).all() for t in times)
    silent = np.flatnonzero(units.table.truth_kind == "silent")[0]
    assert len(times[silent]) == 0


def test_spikes_come_after_the_latency():
    """Fails if the response starts at onset or runs on past its end."""
    p = scene_presentations(3, 1)
    times = simulated_session.spikes(
        np.array([[0.0], [5000.0], [0.0]]), p, latency=[0.06], gain=np.ones(3), rng=np.random.default_rng(0)
    )[0]
    assert times.min() == pytest.approx(0.31, abs=2e-3)
    assert times.max() == pytest.approx(0.56, abs=2e-3)


def test_shared_gain_correlates_units():
    """Fails if gain is drawn per unit, has another mean than 1 or no slow part."""
    rng = np.random.default_rng(7)
    onsets = np.arange(8000) * 0.25
    gain = simulated_session.shared_gain(onsets, rng=rng)
    assert gain.mean() == pytest.approx(1) and 0.15 < gain.std() < 0.25
    slow = gain.reshape(-1, 40).mean(1)
    assert np.corrcoef(slow[1:], slow[:-1])[0, 1] > 0.4
    p = pd.DataFrame({"start_time": onsets, "stop_time": onsets + 0.25})
    correlations = []
    for factor in (gain, np.ones(8000)):
        times = simulated_session.spikes(
            np.full((8000, 4), 4.0), p, latency=np.zeros(4), gain=factor, rng=rng
        )
        noise = np.corrcoef(count(times, onsets, onsets + 0.25).T)
        correlations.append(noise[np.triu_indices(4, 1)].mean())
    assert correlations[0] > 0.08 and abs(correlations[1]) < 0.03


@pytest.mark.parametrize("seconds", [0.5, 5, 59, 61])
def test_shared_gain_of_a_short_recording(seconds):
    """Fault: a slow part that cannot vary in the time there is, stretched until its exponential overflows,
    or until it varies from one presentation to the next."""
    onsets = np.arange(0, seconds, 0.25)
    with np.errstate(all="raise"):
        gains = [simulated_session.shared_gain(onsets, rng=np.random.default_rng(seed)) for seed in range(40)]
    spread = np.std(np.log(gains), axis=1)
    assert np.isfinite(gains).all() and np.mean(gains) == pytest.approx(1)
    assert np.median(spread) < 0.2, "slow 0.14 and fast 0.14 make 0.2 in an hour, less in a minute"


def test_most_tuned_units_are_reliable_at_50_repeats():
    """Fails if rates are so low, or so high, that the session is unlike a recording."""
    units = simulated_neurons.TrueUnits(simulated_neurons.make_units(24, seed=1))
    scenes = simulated_session.dead_leaves(60, rng=np.random.default_rng(1), leaves=100)
    p = scene_presentations(60, 50)
    expected = simulated_session.expected_counts(units, p, images=scenes / 255.0, movies={})
    rng = np.random.default_rng(2)
    times = simulated_session.spikes(
        expected,
        p,
        latency=units.table.latency,
        rng=rng,
        gain=simulated_session.shared_gain(p.start_time.to_numpy(), rng=rng),
    )
    onset = p.start_time.to_numpy() + 0.05
    counts = count(times, onset, onset + 0.25).reshape(50, 60, 24).astype(float)
    halves = [counts[i::2].mean(0) for i in (0, 1)]
    tuned = np.flatnonzero(~units.table.truth_kind.isin(["untuned", "silent"]))
    split = np.array([np.corrcoef(halves[0][:, u], halves[1][:, u])[0, 1] for u in tuned])
    assert np.mean(2 * split / (1 + split) > 0.8) > 0.7
    rest = (counts.sum(0) - counts) / 49
    oracle = [np.corrcoef(counts[..., u].ravel(), rest[..., u].ravel())[0, 1] for u in tuned]
    assert 0.3 < np.median(oracle) < 0.55
    assert counts.mean((0, 1)).max() < 6
