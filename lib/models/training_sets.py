"""Responses to movies, gratings and Gabors, to be learned from beside the natural scenes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lib.data import conditions, counting
from lib.data.session import Session
from lib.errors import InputError
from lib.params import STIMULI
from lib.stimuli import patterns as stimuli

MOVIE_STEP = 8  # frames of a movie that are taken together: about as long as a scene
GREY, CONTRAST = 0.5, 0.8  # of the screen, and of gratings where the session does not say
AVAILABLE = ("natural_movies", "static_gratings")
PHASES = 8  # frames of the one cycle that a Gabor drifts through


def held(session: Session, names: list[str]) -> list[str]:
    """Names of the stimuli beside the scenes that a session holds of those asked for; each movie has its own.

    Parameters
    ----------
    names : list of str
        Of `lib.params.STIMULI`; "available": movies and gratings where the session holds them. Gabors
        are not among them: they stay a test of what the model was never shown.

    Raises
    ------
    InputError
        An unknown name, or a stimulus that is named and that the session does not hold.
    """
    valid = (*STIMULI, "available")
    unknown = [name for name in names if name not in valid]
    if unknown:
        raise InputError(f"stimuli: {unknown[0]} is none of {', '.join(valid)}")
    shown = set() if session.presentations is None else set(session.presentations.stimulus_name)
    movies = [movie for movie in sorted(session.movies) if movie in shown and len(_steps(session, movie)[0])]
    found = []
    for name in STIMULI[1:]:
        own = movies if name == "natural_movies" else [name] if name in shown else []
        if name in names and not own:
            raise InputError(f"stimuli: session {session.name} holds no {name}; take it from the list")
        if name in names or ("available" in names and name in AVAILABLE):
            found += own
    return found


def training_sets(session: Session, names: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Frames and mean responses of the stimuli asked for, but for the scenes: {name: (frames, responses)}.

    Names and errors as of `held`. Frames (k, f, h, w) in [0, 1], f of them shown one after the other for a
    response (k, units): mean counts, as of a window as long as that of the scenes.
    """
    return {
        name: (frames, np.nanmean(counts, axis=0))
        for name, (frames, counts) in repeated_sets(session, names).items()
    }


def repeated_sets(session, names) -> dict:
    """As `training_sets`, with the counts (repeats, k, units) of every repeat, as a ceiling needs them.

    NaN where a response was recorded less often.
    """
    make = {"static_gratings": _gratings, "gabors": _gabors}
    return {
        name: make[name](session) if name in make else _movie(session, name) for name in held(session, names)
    }


def mean_features(core: torch.nn.Module, frames: np.ndarray) -> torch.Tensor:
    """Features of a core, averaged over the frames of each response: (k, f, h, w) -> (k, features)."""
    with torch.no_grad():
        parts = (torch.as_tensor(part[:, None], dtype=torch.float32) for part in frames)
        return torch.stack([core(part).mean(0) for part in parts])


def _movie(session, name):
    """Steps of `MOVIE_STEP` frames, and their counts."""
    step, starts, ends = _steps(session, name)
    latency, stop = session.window
    counts = counting.count_spikes(session.spike_times, starts=starts + latency, stops=ends + latency)
    counts = counts * ((stop - latency) / (ends - starts))[:, None]
    seen = np.unique(step)
    repeats = np.full((np.bincount(step).max(), len(seen), counts.shape[1]), np.nan)
    for k, s in enumerate(seen):
        repeats[: (step == s).sum(), k] = counts[step == s]
    frames = session.movies[name][: (seen.max() + 1) * MOVIE_STEP]
    return frames.reshape(-1, MOVIE_STEP, *frames.shape[1:])[seen], repeats


def _steps(session, name):
    """Number, start and end (s) of each time that a whole step of a movie was shown unbroken."""
    rows = session.presentations[session.presentations.stimulus_name == name].sort_values("start_time")
    frame, steps = rows.frame.to_numpy(int), len(session.movies[name]) // MOVIE_STEP
    first = np.flatnonzero((frame % MOVIE_STEP == 0) & (frame < steps * MOVIE_STEP))
    first = first[first + MOVIE_STEP <= len(frame)]
    last = first + MOVIE_STEP - 1
    unbroken = frame[last] == frame[first] + MOVIE_STEP - 1  # not cut off by the end of a block
    first, last = first[unbroken], last[unbroken]
    return (frame[first] // MOVIE_STEP, rows.start_time.to_numpy()[first], rows.stop_time.to_numpy()[last])


def _gratings(session):
    table, repeats = conditions.condition_repeats(
        session.presentation_counts,
        session.presentations,
        stimulus="static_gratings",
        columns=conditions.GRATING,
    )
    orientation, frequency, phase = (table[k].to_numpy(float) for k in conditions.GRATING)
    patterns = stimuli.grating(
        session.images.shape[1:],
        degrees_per_pixel=session.degrees_per_pixel,
        orientation=orientation,
        spatial_frequency=frequency,
        phase=phase,
    )
    fine = frequency * session.degrees_per_pixel < 0.5  # finer ones cannot be drawn
    return (GREY * (1 + CONTRAST * patterns[fine]))[:, None], repeats[fine].swapaxes(0, 1)


def _gabors(session):
    table = conditions.gabor_table(session.presentations)
    shown, repeats = conditions.condition_repeats(session.presentation_counts, session.presentations)
    frames = conditions.gabor_frames(
        table, session.images.shape[1:], phases=PHASES, grey=GREY, degrees_per_pixel=session.degrees_per_pixel
    )
    keys = pd.MultiIndex.from_frame(table[conditions.GABOR])
    rows = pd.MultiIndex.from_frame(shown).get_indexer(keys)
    return frames, repeats[rows].swapaxes(0, 1)
