"""A simulated session: natural-like images and movies, presentations in blocks, spikes."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import torch
from scipy import ndimage

from lib.data.conditions import GABOR, GRATING
from lib.data.recording import PARAMETERS
from lib.stimuli import patterns

COLUMNS = ["start_time", "stop_time", "stimulus_name", "stimulus_block", *PARAMETERS]  # of presentations
IMAGE_SHAPE = (115, 147)  # the Allen scenes at an eighth of their size, aspect kept
GREY = 0.5  # luminance of the screen behind gratings and Gabors
DURATION = 0.25  # s, of a scene, grating or Gabor
FRAME_RATE = 30.0  # Hz, of movies
CONTRAST = 0.8  # of gratings and Gabors: luminance 0.1 to 0.9
SLOW_GAIN, FAST_GAIN = 0.14, 0.14  # SD of the two parts of the log of the shared gain
SLOW_TIME = 30.0  # s, over which the slow part changes


def dead_leaves(
    n: int, shape: tuple[int, int] = IMAGE_SHAPE, *, rng: np.random.Generator, leaves: int = 300
) -> np.ndarray:
    """Natural-like images (n, h, w), uint8: overlapping leaves with shading and 1/f texture.

    Opaque ellipses of power-law sizes give the edges, occlusions and scale-free statistics of natural scenes
    (Lee, Mumford & Huang, IJCV 41:35, 2001). Luminance and contrast vary over images: mean about 0.45, SD
    about 0.22 (0 black, 1 white). `leaves` lie on an image of the default shape; larger images get more.
    """
    count = round(leaves * shape[0] * shape[1] / (IMAGE_SHAPE[0] * IMAGE_SHAPE[1]))
    images = np.empty((n, *shape), np.uint8)
    for image in images:
        scene = _leaf_scene(shape, rng, count)
        scene = (scene - scene.mean()) / scene.std()
        mean, sd = rng.normal(0.45, 0.04), np.clip(rng.normal(0.24, 0.04), 0.14, 0.34)
        image[:] = np.round(255 * np.clip(mean + sd * scene, 0, 1))
    return images


def _leaf_scene(shape, rng, leaves):
    """One dead-leaves scene of arbitrary luminance, leaves painted over one another."""
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    texture, scene = one_over_f(shape, rng), one_over_f(shape, rng)
    low, high = np.exp(rng.uniform(np.log(2), np.log(7))), 0.4 * IMAGE_SHAPE[0]
    size = (low**-2 + rng.random(leaves) * (high**-2 - low**-2)) ** -0.5  # p(r) ~ r^-3
    ratio = np.exp(rng.uniform(0, np.log(4), leaves))
    angle = rng.uniform(0, np.pi, leaves)
    centre = rng.uniform(-high / 2, np.array(shape) + high / 2, (leaves, 2))
    level, roughness = rng.normal(0, 1, leaves), rng.exponential(0.35, leaves)
    slope = rng.normal(0, 0.35, (leaves, 2)) / size[:, None]
    for i in rng.permutation(leaves):
        reach = size[i] * np.sqrt(ratio[i])
        r0, r1 = np.clip([centre[i, 0] - reach, centre[i, 0] + reach + 1], 0, shape[0]).astype(int)
        c0, c1 = np.clip([centre[i, 1] - reach, centre[i, 1] + reach + 1], 0, shape[1]).astype(int)
        dr, dc = rows[r0:r1, None] - centre[i, 0], columns[None, c0:c1] - centre[i, 1]
        u = dr * np.cos(angle[i]) + dc * np.sin(angle[i])
        v = dc * np.cos(angle[i]) - dr * np.sin(angle[i])
        inside = u**2 / ratio[i] + v**2 * ratio[i] <= size[i] ** 2
        leaf = level[i] + slope[i, 0] * dr + slope[i, 1] * dc + roughness[i] * texture[r0:r1, c0:c1]
        scene[r0:r1, c0:c1] = np.where(inside, leaf, scene[r0:r1, c0:c1])
    return ndimage.gaussian_filter(scene, 0.5)


def one_over_f(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise (h, w) whose amplitude falls as 1/f; mean 0, SD 1."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) / frequency, shape)
    return noise / noise.std()


def movie(
    n_frames: int, shape: tuple[int, int] = IMAGE_SHAPE, *, rng: np.random.Generator, shot: int = 60
) -> np.ndarray:
    """Natural-like movie (n_frames, h, w), uint8: shots that pan and zoom over larger dead-leaves scenes.

    There is a cut every `shot` frames.
    """
    starts = range(0, n_frames, shot)
    scenes = dead_leaves(len(starts), (2 * shape[0], 2 * shape[1]), rng=rng)
    grid = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij"))
    frames = []
    for scene, start in zip(scenes, starts):
        progress = np.arange(min(shot, n_frames - start)) / shot
        ends = rng.uniform(-0.3, 0.3, (2, 2, 1)) * np.array(shape)[:, None]
        zoom = np.linspace(*rng.uniform(0.7, 1.3, 2), shot)[: len(progress)]
        middle = np.array(scene.shape)[:, None] / 2 + ends[0] + (ends[1] - ends[0]) * progress
        points = middle[:, :, None, None] + zoom[:, None, None] * grid[:, None]
        frames.append(ndimage.map_coordinates(scene, points, float, order=1, mode="reflect"))
    return np.round(np.concatenate(frames)).astype(np.uint8)


def timeline(
    *,
    rng: np.random.Generator,
    images: int = 118,
    scene_repeats: int = 50,
    gabor_repeats: int = 15,
    grating_repeats: int = 50,
    movie_one_frames: int = 300,
    movie_one_repeats: int = 10,
    movie_three_frames: int = 600,
    movie_three_repeats: int = 5,
) -> pd.DataFrame:
    """Presentations of a session in the manner of Allen's Brain Observatory 1.1.

    Blocks of one stimulus each, in random order inside a block (movies in theirs), with grey ("spontaneous")
    between: gabors, movie three, and scenes and static gratings in three blocks each, movie one in their
    midst. The rows tile the session without gap or overlap. Natural scenes are shown with a blank (frame -1)
    as often as each of them; of 0 repeats, a stimulus is left out.

    Returns
    -------
    DataFrame
        start_time, stop_time (s), stimulus_name, stimulus_block (NaN: spontaneous), frame, x_position,
        y_position, orientation (degrees), spatial_frequency (cycles/degree), phase (cycles; NaN for the
        drifting gabors), temporal_frequency (Hz), contrast; NaN where a parameter does not apply.
    """

    def shuffled(conditions, repeats):
        return conditions.loc[rng.permutation(np.repeat(conditions.index, repeats))]

    def thirds(rows):
        return [rows.iloc[part] for part in np.array_split(np.arange(len(rows)), 3)]

    frames = pd.DataFrame({"stimulus_name": "natural_scenes", "frame": np.arange(-1.0, images)})
    scenes = thirds(shuffled(frames, scene_repeats))
    gratings = thirds(shuffled(grating_conditions(), grating_repeats))
    blocks = [
        shuffled(gabor_conditions(), gabor_repeats),
        _movie_block("natural_movie_three", movie_three_frames, movie_three_repeats),
        scenes[0],
        gratings[0],
        _movie_block("natural_movie_one", movie_one_frames, movie_one_repeats),
        scenes[1],
        gratings[1],
        scenes[2],
        gratings[2],
    ]
    return _in_time([block for block in blocks if len(block)])


def _in_time(blocks, *, gap=15.0, start=10.0):
    """Lay blocks out in time, `gap` s of spontaneous activity before, between and after them."""
    grey = pd.DataFrame({"stimulus_name": ["spontaneous"], "duration": gap})
    rows = [grey]
    for number, block in enumerate(blocks):
        rows += [block.assign(stimulus_block=float(number)), grey]
    table = pd.concat(rows, ignore_index=True)
    edges = start + np.concatenate([[0], table.pop("duration").fillna(DURATION).cumsum()])
    table.insert(0, "start_time", edges[:-1])
    table.insert(1, "stop_time", edges[1:])
    return table.reindex(columns=COLUMNS)


def _movie_block(name, frames, repeats):
    shown = np.tile(np.arange(float(frames)), repeats)
    return pd.DataFrame({"stimulus_name": name, "frame": shown, "duration": 1 / FRAME_RATE})


def gabor_conditions() -> pd.DataFrame:
    """Return the 243 Gabors of Allen's receptive-field mapping: 9 x 9 positions, 3 orientations."""
    grid = np.arange(-40.0, 41.0, 10.0)
    return _product(x_position=grid, y_position=grid, orientation=[0.0, 45.0, 90.0]).assign(
        stimulus_name="gabors", spatial_frequency=0.08, temporal_frequency=4.0, contrast=CONTRAST
    )


def grating_conditions() -> pd.DataFrame:
    """Return Allen's 120 static gratings: 6 orientations, 5 spatial frequencies, 4 phases."""
    return _product(
        orientation=np.arange(0.0, 180.0, 30.0),
        spatial_frequency=[0.02, 0.04, 0.08, 0.16, 0.32],
        phase=[0.0, 0.25, 0.5, 0.75],
    ).assign(stimulus_name="static_gratings", contrast=CONTRAST)


def _product(**levels):
    return pd.MultiIndex.from_product(levels.values(), names=levels.keys()).to_frame(index=False)


def expected_counts(
    units, presentations: pd.DataFrame, *, images: np.ndarray, movies: dict[str, np.ndarray]
) -> np.ndarray:
    """Expected counts (presentations, units) of `TrueUnits` before the shared gain.

    `images` (I, h, w) and `movies`, (F, h, w) by name of the stimulus, are in [0, 1], by frame. Counts of
    presentations of another length than 0.25 s are in proportion.
    """
    units = copy.deepcopy(units).double()  # in float32, Poisson draws differ between machines
    shape = images.shape[1:]
    counts = np.repeat(_respond(units, np.full((1, *shape), GREY)), len(presentations), 0)
    for name, rows in presentations.reset_index(drop=True).groupby("stimulus_name"):
        frames = {"natural_scenes": images, **movies}.get(name)
        if frames is not None:
            rows = rows[rows.frame >= 0]
            counts[rows.index] = _respond(units, frames)[rows.frame.to_numpy(int)]
        elif name in CONDITIONS:
            parameters, render = CONDITIONS[name]
            for condition, shown in rows.groupby(parameters, dropna=False):
                frames = render(shape, units.scene_height / shape[0], *condition)
                counts[shown.index] = _respond(units, frames).mean(0)
    duration = (presentations.stop_time - presentations.start_time).to_numpy()
    return counts * (duration / DURATION)[:, None]


def _grating_frames(shape, degrees, orientation, frequency, phase):
    pattern = patterns.grating(
        shape, degrees_per_pixel=degrees, orientation=orientation, phase=phase, spatial_frequency=frequency
    )
    return GREY * (1 + CONTRAST * pattern[None])


def _gabor_frames(shape, degrees, x, y, orientation):
    """One cycle of the drift: the expected count is the mean over its phases."""
    pattern = patterns.drifting_gabor(shape, degrees_per_pixel=degrees, x=x, y=y, orientation=orientation)
    return GREY * (1 + CONTRAST * pattern)


def _respond(units, frames):
    with torch.no_grad():
        batches = torch.as_tensor(np.asarray(frames, float))[:, None].split(200)
        return np.concatenate([units(batch).numpy(force=True) for batch in batches])


def shared_gain(times: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Gain (P,) common to all units at ascending times (P,), s: a slow part and one for every presentation.

    It is around 1, SD about 0.2 (less in a recording shorter than the slow part, 30 s).
    """
    stop = max(times[-1], times[0] + 20 * SLOW_TIME)  # a short recording is a part of a longer one
    seconds = np.arange(times[0], stop + 2)
    slow = ndimage.gaussian_filter1d(rng.normal(size=len(seconds)), SLOW_TIME, mode="wrap")
    slow *= SLOW_GAIN / slow.std()
    log_gain = np.interp(times, seconds, slow) + FAST_GAIN * rng.normal(size=len(times))
    gain = np.exp(log_gain)
    return gain / gain.mean()


def spikes(
    expected: np.ndarray,
    presentations: pd.DataFrame,
    *,
    latency: np.ndarray,
    gain: np.ndarray,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Poisson spikes of every unit, sorted, s.

    The response to a presentation comes `latency` (U,), s, after its onset and lasts as long as it. Expected
    counts are (P, U) at a gain of 1, `gain` is (P,).
    """
    start = presentations.start_time.to_numpy()
    duration = presentations.stop_time.to_numpy() - start
    times = []
    for mean, delay in zip(expected.T, latency):
        which = np.repeat(np.arange(len(start)), rng.poisson(mean * gain))
        times.append(np.sort(start[which] + delay + duration[which] * rng.random(len(which))))
    return times


CONDITIONS = {"static_gratings": (GRATING, _grating_frames), "gabors": (GABOR, _gabor_frames)}
