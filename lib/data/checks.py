"""Is a recording what it says it is? What is impossible is an error, what is only suspicious a warning."""

from __future__ import annotations

import dataclasses

import numpy as np

from lib.data import words
from lib.data.recording import Recording
from lib.errors import InputError
from lib.stimuli.same_images import first_of_same, similar_groups

BY_CHANCE = 1e-6  # an agreement that is less likely than this does not come about by chance
ENOUGH = 15  # spikes, or responses other than 0, from which two equal units are one unit twice
POSSIBLE = (0.01, 60)  # s that an image may be shown for
CLOCK = 20  # times the length of the presentations over which spikes may extend
FEW = 5  # presentations in a stretch without any spike, of which fewer may be blanks
SILENCE = 30.0  # spikes expected of all units together in a stretch without any, from which it is said


def checked(recording: Recording) -> Recording:
    """Return a recording in which each picture has one id, with warnings of what is suspicious in it.

    Raises
    ------
    InputError
        Units or presentations listed twice, no image with contrast, no response at all, fewer than two images
        shown more than once, times that are not in seconds, or spikes on a clock of their own.
    """
    if not (np.ptp(recording.images, axis=(1, 2)) > 0).any():
        raise InputError(f"{recording.name}: each of the images is uniform; a picture needs contrast")
    if recording.units.index.has_duplicates:
        unit = recording.units.index[recording.units.index.duplicated()][0]
        raise InputError(f"{recording.name}: two units have the id {unit}; give each an id of its own")
    if recording.counts is not None:
        said = _check_counts(recording)
    else:
        said = _check_spikes(recording) + _check_presentations(recording)
    first = first_of_same(recording.images)
    kept = np.unique(first)
    groups = similar_groups(recording.images[kept] / np.float32(255 if recording.images.dtype == "u1" else 1))
    if len(kept) < len(first):
        said.append(words.same_images_warning(len(first), len(kept)))
    if groups.max() + 1 < len(kept):
        said.append(words.similar_images_warning(len(kept), int(groups.max()) + 1))
    return dataclasses.replace(_merged(recording, first), warnings=[*recording.warnings, *said])


def _merged(recording, first):
    """The recording with one id for each picture: that of the first image that shows it."""
    kept = np.unique(first)
    if len(kept) == len(first):
        return recording
    changes = dict(images=recording.images[kept], image_ids=np.asarray(recording.image_ids)[kept])
    if recording.counts is not None:
        each = [recording.counts[:, first == k].reshape(-1, recording.counts.shape[2]) for k in kept]
        each = [rows[np.isfinite(rows).any(axis=1)] for rows in each]
        counts = np.full((max(map(len, each)), len(kept), recording.counts.shape[2]), np.nan, np.float32)
        for image, rows in enumerate(each):
            counts[: len(rows), image] = rows
        changes["counts"] = counts
    else:
        ids = dict(
            zip(np.asarray(recording.image_ids).tolist(), changes["image_ids"][np.searchsorted(kept, first)])
        )
        shown = recording.presentations
        scene = shown.stimulus_name == "natural_scenes"
        frames = shown.frame.where(~scene, shown.frame.map(ids).fillna(shown.frame))
        changes["presentations"] = shown.assign(frame=frames)
    return dataclasses.replace(recording, **changes)


def _check_counts(recording):
    """Warnings about counts (repeats, images, units)."""
    counts, name = recording.counts, recording.name
    repeated = int((np.isfinite(counts).any(axis=2).sum(axis=0) > 1).sum())
    if repeated < 2:
        raise InputError(
            f"{name}: {repeated} of {counts.shape[1]} images were shown more than once; the reliability of "
            "units needs at least two such images"
        )
    rows = counts.reshape(-1, counts.shape[2])
    rows = rows[np.isfinite(rows).any(axis=1)]
    if not np.nan_to_num(rows).any():
        raise InputError(f"{name}: all responses are 0: were they withheld? Name trials with responses")
    # a millionth more is no other trial
    values = np.round(rows / np.maximum(np.abs(rows).max(axis=0), 1e-30), 5)
    _refuse_twins(values.T, recording.units.index, name)
    silent = ~values.any(axis=1)
    said = []
    chance = np.log(np.maximum((values[~silent] == 0).mean(axis=0), 1 / (len(values) + 1))).sum()
    if _beyond_chance(int(silent.sum()), len(values) * np.exp(chance)):
        said.append(words.withheld_warning(int(silent.sum()), len(values)))
    again = np.round(counts / np.maximum(np.nanmax(np.abs(counts), axis=(0, 1)), 1e-30), 5)
    _refuse_twins(
        np.nan_to_num(again).reshape(len(counts), -1), range(1, len(counts) + 1), name, what="repeats"
    )
    twice = _rows_twice(values[~silent])
    if twice:
        raise InputError(
            f"{name}: {twice} of {len(values)} presentations have the responses of another one, in all "
            f"{values.shape[1]} units; give each presentation once"
        )
    return said + _axes_warnings(counts)


def _rows_twice(values):
    """How many rows are exact copies of another, if chance cannot make so many."""
    _, copies = np.unique(values, axis=0, return_counts=True)
    twice = int((copies - 1).sum())
    if not twice:
        return 0
    rng = np.random.default_rng(0)
    a, b = rng.integers(len(values), size=(2, 4096))
    equal = (values[a[a != b]] == values[b[a != b]]).mean(axis=0)  # of two rows, in each unit
    pairs = len(values) ** 2 / 2 * np.exp(np.log(np.maximum(equal, 1 / 4096)).sum())
    return twice if _beyond_chance(twice, pairs) else 0


def _beyond_chance(events, expected):
    """Whether chance makes so many events hardly ever: Chernoff's bound of a Poisson distribution.

    Units respond together, which makes such events more frequent: a hundred times as many are allowed.
    """
    return events > 0 and events * (1 + np.log(100 * expected / events)) < np.log(BY_CHANCE)


def _refuse_twins(values, ids, name, *, what="units"):
    """Raise if two rows are equal and hold enough that is not zero: a unit, or a repeat, listed twice."""
    seen = {}
    for unit, row in zip(ids, values):
        row = np.asarray(row)
        if np.count_nonzero(row) >= ENOUGH and len(np.unique(row)) > 1:
            other = seen.setdefault(row.tobytes(), unit)
            if other != unit:
                raise InputError(
                    f"{name}: {what} {other} and {unit} have the same responses; list each of the {what} once"
                )


def _axes_warnings(counts):
    """Warn if images and repeats, equal in number, would make more reliable responses the other way round."""
    repeats, images, _ = counts.shape
    if repeats != images or repeats < 4 or not np.isfinite(counts).all():
        return []

    def reliability(values):  # of the mean over repeats, by halves
        halves = np.stack([values[0::2].mean(0), values[1::2].mean(0)])
        halves = halves - halves.mean(1, keepdims=True)
        return (halves[0] * halves[1]).sum() / max(np.sqrt((halves**2).sum((1, 2)).prod()), 1e-30)

    here, there = reliability(counts), reliability(counts.transpose(1, 0, 2))
    return [words.axes_warning(here, there)] if there > here + 0.3 else []


def _check_presentations(recording):
    """Warnings about the table of presentations."""
    table = recording.presentations
    start, stop = (table[name].to_numpy(float) for name in ("start_time", "stop_time"))
    if not (np.isfinite(start).all() and (stop >= start).all()):
        raise InputError(f"{recording.name}: a presentation has no start, or stops before it; see start_time")
    length = np.median((stop - start)[(table.stimulus_name == "natural_scenes").to_numpy()])
    if not POSSIBLE[0] <= length <= POSSIBLE[1]:
        raise InputError(
            f"{recording.name}: natural scenes are shown for {length:g} s (median), expected "
            f"{POSSIBLE[0]:g} to {POSSIBLE[1]:g}; are start_time and stop_time in seconds?"
        )
    twice = table.duplicated(["stimulus_name", "start_time"])
    if twice.any():
        raise InputError(
            f"{recording.name}: {int(twice.sum())} presentations are listed twice, the first at "
            f"{start[twice.to_numpy()].min():.3f} s; list each once"
        )
    order = np.argsort(start, kind="stable")
    early = np.diff(start[order]) < 0.5 * (stop - start)[order][:-1]
    return [words.overlapping_warning(int(early.sum()))] if early.any() else []


def _check_spikes(recording):
    """Warnings about spikes: on the clock of the presentations, each unit once, no stretch without any."""
    name, table = recording.name, recording.presentations
    times = [np.asarray(t, float) for t in recording.spike_times]
    found = [t for t in times if len(t)]
    if not found:
        raise InputError(f"{name}: no unit has a spike")
    seen = {}
    for unit, spikes in zip(recording.units.index, times):
        if len(spikes) < ENOUGH:
            continue
        key = len(spikes), spikes[0], spikes[-1], spikes[len(spikes) // 2]
        other, same = seen.setdefault(key, (unit, spikes))
        if other != unit and np.array_equal(same, spikes):
            raise InputError(f"{name}: units {other} and {unit} have the same spikes; list each unit once")
    begin, end = table.start_time.min(), table.stop_time.max()
    low, high = (edge(t[i] for t in found) for edge, i in ((min, 0), (max, -1)))
    inside = sum(int(np.diff(np.searchsorted(t, [begin, end]))[0]) for t in found)
    if not inside or high - low > CLOCK * (end - begin):
        raise InputError(
            f"{name}: spikes lie from {low:g} to {high:g}, presentations from {begin:g} to {end:g} s; "
            "are spike times in seconds, on the clock of the presentations, and of this session?"
        )
    wrong = invalid_presentations(recording, latency=0, duration=0)
    shown = table[(table.stimulus_name != "spontaneous") & (True if wrong is None else ~wrong.all(axis=1))]
    shown = shown.sort_values("start_time")
    starts, stops = shown.start_time.to_numpy(float), shown.stop_time.to_numpy(float)
    heard = np.zeros(len(shown))
    for t in found:
        heard += np.searchsorted(t, stops) - np.searchsorted(t, starts)
    first, length = longest_run(heard == 0)
    rate = heard.sum() / max((stops - starts).sum(), 1e-9)
    if length >= FEW and rate * (stops - starts)[first : first + length].sum() > SILENCE:
        return [words.silence_warning(starts[first], stops[first + length - 1], length)]
    return []


def longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Return the start and the length of the longest run of true flags; length 0 if there is none.

    Examples
    --------
    >>> longest_run(np.array([True, False, True, True]))
    (2, 2)
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, int), [0]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    if not len(starts):
        return 0, 0
    return int(starts[lengths.argmax()]), int(lengths.max())


def invalid_presentations(recording: Recording, *, latency: float, duration: float) -> np.ndarray | None:
    """Return which presentations (rows) are invalid for which units (columns); None if none is.

    A presentation is invalid from its onset to its end, or to that of the count window, if an invalid
    time reaches into it.
    """
    table, units = recording.presentations, recording.units.index
    if not len(recording.invalid_times):
        return None
    start = table.start_time.to_numpy(float)
    stop = np.maximum(table.stop_time.to_numpy(float), start + latency + duration)
    invalid = np.zeros((len(table), len(units)), bool)
    for times in recording.invalid_times.itertuples():
        hit = (start < times.stop_time) & (stop > times.start_time)
        invalid |= hit[:, None] & np.isin(units, times.units)[None]
    return invalid if invalid.any() else None
