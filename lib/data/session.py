"""A recording session as the analysis sees it: counts, images, spike times, units."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from lib.data import checks, counting, words
from lib.data.recording import INVALID, Material, Recording
from lib.errors import InputError
from lib.files import file_hash, required
from lib.machine import local_copy

# What a session's file holds as JSON, and as arrays
ABOUT = ("name", "source", "window", "degrees_per_pixel", "structures", "notes", "warnings")
ARRAYS = ("images", "image_ids", "counts", "blank_counts", "presentation_counts")


@dataclasses.dataclass(kw_only=True)
class Session(Material):
    """Everything that the stages after 01_data read. Images are at the size of the analysis.

    It has the attributes of `lib.data.recording.Material` and these.

    Attributes
    ----------
    counts : ndarray of float32, (repeats, images, units)
        NaN where an image was shown less often than others, or in invalid times.
    blank_counts : ndarray of float32, (repeats, units), or None
    presentation_counts : ndarray of int32, (presentations, units), or None
        float32, NaN in invalid times, where some units have such.
    window : tuple of float
        (start, stop) of the count window, seconds after onset.
    """

    counts: np.ndarray
    window: tuple
    blank_counts: np.ndarray | None = None
    presentation_counts: np.ndarray | None = None

    @property
    def unit_ids(self) -> np.ndarray:
        """Unit ids in the order of the last axis of `counts`."""
        return self.units.index.to_numpy()

    @property
    def traces(self) -> bool:
        """Whether responses are traces, such as of calcium, and not counts of spikes."""
        return bool((np.nan_to_num(self.counts) % 1).any())

    @property
    def response_unit(self) -> str:
        """Unit of the responses, for readers."""
        return "a.u." if self.traces else "spikes"

    @property
    def response_name(self) -> str:
        """What a response is called on an axis."""
        return "response (a.u.)" if self.traces else "count"

    @property
    def target_contrast(self) -> float:
        """C*: the mean over images of the standard deviation of their pixels."""
        return float(self.images.std(axis=(1, 2)).mean())

    @property
    def mean_luminance(self) -> float:
        """Mean pixel of the natural images."""
        return float(self.images.mean())

    def unit_index(self, unit_id: int) -> int:
        """Return the position of a unit; `InputError` with the nearest ids if it is not there."""
        where = np.flatnonzero(self.unit_ids == unit_id)
        if len(where) == 0:
            raise InputError(
                f"unit {unit_id} is not in session {self.name}; nearest ids: "
                f"{_nearest_ids(self.unit_ids, unit_id)}"
            )
        return int(where[0])


def select_units(
    table: pd.DataFrame, structure: str | list[str], units: str | list[int] | dict, name: str
) -> pd.DataFrame:
    """Return the rows of the structures, after a check that they hold the units that a run names.

    `table` has the index unit_id and a column `structure`; `name` is what holds it, for the message. Of
    `units` ("selected", a list or {"best": int}) only a list can be checked before there are responses.

    Raises
    ------
    InputError
        No unit of a structure: names those that are there. Unknown unit: names the nearest ids.
    """
    areas, held = np.atleast_1d(structure).tolist(), table.structure.value_counts()
    for area in areas:
        if area not in held:
            there = ", ".join(f"{other} ({n} units)" for other, n in held.items())
            raise InputError(f"structure {area!r} has no units in {name}; it holds {there or 'none'}")
    table = table[table.structure.isin(areas)]
    for unit in units if isinstance(units, list) else []:
        if unit not in table.index:
            raise InputError(
                f"unit {unit} is not among the {len(table)} units of {name} in "
                f"{', '.join(areas)}; nearest ids: {_nearest_ids(table.index, unit)}"
            )
    return table


def _nearest_ids(ids, unit):
    ids = np.asarray(ids)
    return ", ".join(map(str, ids[np.argsort(np.abs(ids - int(unit)), kind="stable")[:3]]))


def resize(images: np.ndarray, height: int) -> np.ndarray:
    """Resize images (n, h, w) to a height in pixels by averaging over areas; the aspect ratio is kept.

    Images are luminance in [0, 1], or uint8 from 0 to 255; the result is float32 in [0, 1].

    Examples
    --------
    >>> resize(np.eye(4)[None], height=2).tolist()
    [[[0.5, 0.0], [0.0, 0.5]]]
    """
    _, h, w = images.shape
    return resize_to(images, (height, round(w * height / h)))


def resize_to(images: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize images to (height, width) by averaging over areas; see `resize`, which keeps the aspect."""
    white = np.float32(255 if images.dtype == np.uint8 else 1)
    if images.shape[1:] == tuple(shape):
        return images.astype(np.float32) / white
    return np.stack(
        [
            np.asarray(Image.fromarray(np.asarray(image / white, np.float32)).resize(shape[::-1], Image.BOX))
            for image in images
        ]
    )


def from_recording(recording: Recording, *, latency: float, duration: float, image_height: int) -> Session:
    """Count spikes and resize images: what 01_data does to every source.

    The count window opens `latency` s after onset and lasts `duration` s; images get `image_height` pixels.

    Raises
    ------
    InputError
        If images and responses do not name the same frames, or as `lib.data.checks.checked`.
    """
    if recording.parts:
        how = dict(latency=latency, duration=duration, image_height=image_height)
        return merge([from_recording(part, **how) for part in recording.parts])
    r = checks.checked(recording)
    scale = image_height / r.images.shape[1]
    images = resize(r.images, image_height)
    enlarged = [words.enlarged_note(r.images.shape[1], image_height)] if scale > 1 else []
    shared = dict(
        name=r.name,
        source=r.source,
        units=r.units,
        images=images,
        image_ids=np.asarray(r.image_ids, int),
        degrees_per_pixel=r.degrees_per_pixel / scale,
        movies={k: resize_to(v, images.shape[1:]) for k, v in r.movies.items()},
        structures=dict(r.structures),
        notes=[*r.notes, *enlarged],
        warnings=list(r.warnings),
    )
    if r.spike_times is None:
        shared["notes"] += words.once_note(np.isfinite(r.counts).any(2).sum(0))
        return Session(counts=r.counts.astype(np.float32), window=tuple(r.count_window), **shared)
    presentations = r.presentations
    if (invalid := checks.invalid_presentations(r, latency=latency, duration=duration)) is not None:
        shared["warnings"].append(words.invalid_warning(invalid, presentations.stimulus_name))
        valid = ~invalid.all(axis=1)
        presentations = presentations.assign(stimulus_name=presentations.stimulus_name.where(valid, INVALID))
        invalid = invalid if (invalid.any(axis=1) & valid).any() else None
    starts, stops, overlaps = counting.windows(presentations, latency=latency, duration=duration)
    if overlaps.any():
        shared["notes"].append(words.overlap_note((latency, latency + duration), int(overlaps.sum())))
    per_presentation = counting.count_spikes(r.spike_times, starts=starts, stops=stops)
    if invalid is not None:
        per_presentation = np.where(invalid, np.nan, per_presentation).astype(np.float32)
    scenes, blanks, frames = counting.scene_counts(per_presentation, presentations)
    if not np.array_equal(frames, shared["image_ids"]):
        raise InputError(
            f"session {r.name}: {len(frames)} frames were shown but {len(r.image_ids)} "
            "images given, or their ids differ; give one image for every frame id"
        )
    if (never := ~np.isfinite(scenes).any(axis=0)).any():
        raise InputError(
            f"session {r.name}: image {frames[never.any(axis=1)][0]} was shown in invalid times alone, for "
            f"{int(never.any(axis=0).sum())} units; leave these units out"
        )
    return Session(
        counts=scenes,
        blank_counts=blanks,
        presentations=presentations,
        presentation_counts=per_presentation,
        spike_times=r.spike_times,
        window=(latency, latency + duration),
        **shared,
    )


def merge(sessions: list[Session]) -> Session:
    """Put the units of several sessions that saw the same images into one session of counts.

    Counts are NaN for the repeats that a unit's own session did not have; `units` say their session. Spike
    times and presentations, which belong to one session each, are left out.

    Raises
    ------
    InputError
        Other images, or a unit id in two of them.
    """
    first = sessions[0]
    for other in sessions[1:]:
        if not (
            np.array_equal(other.image_ids, first.image_ids)
            and np.array_equal(other.images, first.images)
            and other.window == first.window
        ):
            raise InputError(
                f"sessions {first.name} and {other.name} differ in their images or count "
                "windows; only sessions with the same images make one run"
            )
    units = pd.concat([s.units.assign(session=s.name) for s in sessions])
    if units.index.has_duplicates:
        raise InputError(
            f"unit {units.index[units.index.duplicated()][0]} stands in two sessions of this "
            "run; name each session once"
        )
    most = max(len(s.counts) for s in sessions)
    counts = [
        np.pad(s.counts, ((0, most - len(s.counts)), (0, 0), (0, 0)), constant_values=np.nan)
        for s in sessions
    ]
    structures = pd.concat([pd.Series(s.structures) for s in sessions]).groupby(level=0).sum()
    return dataclasses.replace(
        first,
        name=", ".join(s.name for s in sessions),
        units=units,
        counts=np.concatenate(counts, axis=2),
        blank_counts=None,
        presentations=None,
        presentation_counts=None,
        spike_times=None,
        structures=structures.to_dict(),
        notes=[words.SEVERAL, *(f"{s.name}: {note}" for s in sessions for note in s.notes)],
        warnings=[f"{s.name}: {warning}" for s in sessions for warning in s.warnings],
    )


def save_session(session: Session, path: Path | str) -> str:
    """Write a session as one HDF5 file, under a temporary name first; returns its sha256.

    The hash is also written beside it (.sha256): a file of many jobs that is looked at in no time.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w", track_order=True) as file:
        file.attrs["about"] = json.dumps({name: getattr(session, name) for name in ABOUT})
        for name in ARRAYS:
            if getattr(session, name) is not None:
                _write_array(file, name, getattr(session, name))
        for name, frames in session.movies.items():
            _write_array(file, f"movies/{name}", frames)
        write_table(file.create_group("units", track_order=True), session.units)
        if session.presentations is not None:
            write_table(file.create_group("presentations", track_order=True), session.presentations)
            lengths = np.array([len(t) for t in session.spike_times], int)
            file["spike_counts"] = lengths
            spikes = file.create_dataset("spike_times", (lengths.sum(),), float)
            for times, stop in zip(session.spike_times, np.cumsum(lengths)):
                spikes[stop - len(times) : stop] = times  # never a second copy of all spikes
    os.replace(partial, path)
    digest = file_hash(path)
    path.with_suffix(".sha256").write_text(f"{digest}\n")
    return digest


def load_session(run_folder: Path | str) -> Session:
    """Read the session of a run from its folder, `build/<name>`.

    Raises
    ------
    InputError
        One line naming the command that makes the file, if it is not there.
    """
    with h5py.File(local_copy(required(Path(run_folder) / "session.h5", "01_data"))) as file:
        about = json.loads(file.attrs["about"])
        arrays = {name: file[name][()] for name in ARRAYS if name in file}
        movies = {name: data[()] for name, data in file.get("movies", {}).items()}
        spike_times = presentations = None
        if "presentations" in file:
            presentations = read_table(file["presentations"])
            edges = np.cumsum(file["spike_counts"][()])[:-1]
            spike_times = np.split(file["spike_times"][()], edges)
        return Session(
            units=read_table(file["units"]),
            presentations=presentations,
            spike_times=spike_times,
            movies=movies,
            **arrays | about | {"window": tuple(about["window"])},
        )


def open_session(stage) -> Session:
    """Read the session of the run of a `lib.stages.Stage` and note its hash among the stage's inputs."""
    session = load_session(stage.run_folder)
    stage.use("session.h5")
    return session


def read_warnings(run_folder: Path | str) -> list[str]:
    """Return what is suspicious in the recording of a run, as 01_data left it; none before it has run."""
    path = Path(run_folder) / "data.json"
    return json.loads(path.read_text())["scalars"].get("warnings", []) if path.exists() else []


def write_table(group: h5py.Group, table: pd.DataFrame) -> None:
    """Write a DataFrame, a dataset a column; missing text becomes an empty string."""
    group["index"] = table.index.to_numpy()
    group.attrs["index_name"] = table.index.name or "index"
    for column in table:
        values = table[column]
        if values.dtype == object:
            group[column] = values.fillna("").astype(str).to_numpy(dtype=h5py.string_dtype())
        else:
            group[column] = values.to_numpy()


def read_table(group: h5py.Group) -> pd.DataFrame:
    """Read a DataFrame written by `write_table`."""
    columns = {
        name: data.asstr()[()] if h5py.check_string_dtype(data.dtype) else data[()]
        for name, data in group.items()
        if name != "index"
    }
    index = pd.Index(group["index"][()], name=group.attrs["index_name"])
    return pd.DataFrame(columns, index=index)


def _write_array(file, name, values):
    packed = {"compression": 1, "shuffle": True} if values.size > 1e5 else {}
    file.create_dataset(name, data=values, track_times=False, **packed)
