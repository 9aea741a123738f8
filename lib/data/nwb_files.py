"""Allen ecephys session files (NWB), read through AllenSDK; `lib.data.nwb_write` writes them.

AllenSDK gives units, areas and presentations their meaning. Spike times, nearly all of a file, are
read by h5py for the wanted units alone: AllenSDK would read every spike and amplitude of the file,
once for each probe. It and pynwb are imported only when a file is written or read.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lib import files
from lib.data import download, words
from lib.data.recording import INVALID, PARAMETERS, no_invalid_times
from lib.data.session import select_units
from lib.data.unit_metrics import TUNING
from lib.errors import DamagedFile, InputError

METRICS = (
    "firing_rate",
    "snr",
    "isi_violations",
    "presence_ratio",
    "amplitude_cutoff",
    "d_prime",
    "isolation_distance",
    "l_ratio",
    "nn_hit_rate",
    "nn_miss_rate",
    "silhouette_score",
    "max_drift",
    "cumulative_drift",
)
KNOWN_WARNINGS = (
    "Passing field metadata as keyword arguments is deprecated",  # marshmallow, at import
    "The 'default' argument to fields is deprecated",
    "The 'manufacturer' field is deprecated",  # pynwb, of the SDK's probes
    "Column '(spike_times|waveform_mean)' is predefined in Units",
    "EcephysSpecimen 'subject' is missing required value for attribute 'None'",
    "Downcasting object dtype arrays on .fillna",
)  # pandas, in the SDK's probes
NEEDED = (
    "units/spike_times",
    "units/spike_times_index",
    "intervals",
    "general/extracellular_ephys/electrodes",
)
NO_STRUCTURE = ("", "nan", "None", "none", "null", "unknown")  # places that are none
FRAME = ("frame", "Image")  # the column of the image; older files have the second
DEADLINE = 300  # s in which the tables of a file must have been read


@contextlib.contextmanager
def _nothing_collected():
    """Pause the collection of garbage while h5py reads what fsspec fetches in a thread of its own.

    That thread could collect an HDF5 file that was left open. To close it, it would wait for h5py's lock,
    which the thread that reads holds as long as it waits for what is fetched: neither would go on.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@contextlib.contextmanager
def open_file(address: Path | str) -> Iterator[tuple[h5py.File, Callable[[], int | None]]]:
    """Open an HDF5 file for reading, from a path or over http(s) by the byte ranges needed.

    Yields the file, and a function that returns the bytes read so far; None for a local file.

    Raises
    ------
    InputError
        Not there, not HDF5, or cut short.
    """
    name = files.name_of(address)
    with contextlib.ExitStack() as stack:
        opened, bytes_read = str(address), lambda: None
        if files.is_address(address):
            stack.enter_context(_nothing_collected())
            opened, bytes_read = stack.enter_context(download.remote_file(address))
        elif Path(address).is_dir():
            raise InputError(f"{address} is a folder: NWB is read from HDF5 files; export Zarr to one (.nwb)")
        elif not Path(address).is_file():
            raise InputError(f"{files.shown_address(address)}: no such file")
        try:
            file = stack.enter_context(h5py.File(opened))
        except OSError as error:
            for sign, what in (("truncated", "it is cut short"), ("signature", "it is no HDF5 file")):
                if sign in str(error):
                    raise DamagedFile(
                        f"{name} cannot be read as NWB: {what}; fetch or copy it again"
                    ) from None
            raise InputError(f"{name} cannot be opened: {error}") from None
        yield file, bytes_read


def check_file(address: Path | str) -> np.ndarray:
    """Return the frames of the natural scenes that an Allen ecephys session file shows, after a check.

    The frames are int, without the blank.

    Raises
    ------
    InputError
        Unreadable, not whole, or no units, areas or natural scenes: names what is missing.
    """
    return in_time(_check, address)


def _check(address):
    name = files.name_of(address)
    with open_file(address) as (file, _), _whole(name):
        missing = [group for group in NEEDED if group not in file]
        if missing:
            raise InputError(f"{name} is no Allen ecephys session file: it lacks {missing[0]}")
        frames = _scene_frames(file, name)
        file["units/spike_times"][-1:]  # the end of what is longest
        if not files.is_address(address):  # and all the tables that come to be read
            file["intervals"].visititems(_read)
    return np.unique(frames[frames >= 0]).astype(int)


def _scene_frames(file, name):
    """Frames of all presentations of natural scenes, in one table or in several, as numbers or texts."""
    shown, frames = [], []
    for key, table in file["intervals"].items():
        if not key.endswith("_presentations"):
            continue
        own = key.removesuffix("_presentations")
        names = table["stimulus_name"].asstr()[()] if "stimulus_name" in table else np.array([own])
        shown += sorted(set(names) - set(shown))
        if "natural_scenes" not in names:
            continue
        column = next((column for column in FRAME if column in table), None)
        if column is None:
            raise InputError(
                f"{name}: {key} has no column frame, which says the image; it has {', '.join(table)}"
            )
        values = (
            table[column].asstr()[()] if h5py.check_string_dtype(table[column].dtype) else table[column][()]
        )
        numbers = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(float)
        frames.append(numbers[np.broadcast_to(names == "natural_scenes", numbers.shape)])
    if not frames:
        raise InputError(
            f"{name}: no natural scenes were shown in this session, which the report "
            f"is about; it holds {', '.join(shown) or 'no stimulus'}"
        )
    return np.concatenate(frames)


def _read(_, part):
    """Read a dataset and go on to the next."""
    if isinstance(part, h5py.Dataset):
        part[()]


def in_time(action: Callable, address: Path | str) -> object:
    """Return `action(address)`, for a local file from a fork that is given up after `DEADLINE`.

    HDF5 can loop for ever in a damaged file, deaf to signals, or end the process: `DamagedFile` then. What
    the action returns is sent from the fork: keep it small.
    """
    if files.is_address(address) or sys.platform != "linux":
        return action(address)
    name, fork = files.name_of(address), multiprocessing.get_context("fork")
    answers, said = fork.Pipe(duplex=False)
    process = fork.Process(target=_answer, args=(said, action, address))
    process.start()
    said.close()
    try:
        if not answers.poll(DEADLINE):
            raise DamagedFile(
                f"{name} is damaged inside, or its disk is very slow: its tables could not be "
                f"read within {DEADLINE} s; fetch or copy it again"
            )
        answer = answers.recv()
    except EOFError:
        raise DamagedFile(f"{name} is damaged inside (HDF5 crashed); fetch or copy it again") from None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(said, action, address):
    try:
        said.send(action(address))
    except Exception as error:
        said.send(error)


@contextlib.contextmanager
def _whole(name):
    """Say `DamagedFile` for what HDF5 says of a file that is damaged inside."""
    try:
        yield
    except (OSError, KeyError, RuntimeError) as error:
        raise DamagedFile(f"{name} is damaged inside ({error}); fetch or copy it again") from None


def check_whole(address: Path | str) -> None:
    """Raise `DamagedFile` if a session file cannot be read up to its last spike."""
    name = files.name_of(address)
    with open_file(address) as (file, _), _whole(name):
        file["units/spike_times"][-1:]


def read_units(address: Path | str) -> pd.DataFrame:
    """Return the units of a file that pass AllenSDK's default quality filter, in increasing order.

    Index unit_id; columns `structure` and the quality metrics that the file has.
    """
    return in_time(_read_units, address)


def _read_units(address):
    with _open_session(address) as (session, *_):
        return _units_of(session)


def read_session(address: Path | str, *, structure: str | list[str]) -> dict:
    """Read the units of a structure or of several, by acronym, from an Allen ecephys NWB file.

    AllenSDK's default quality filter applies (amplitude cutoff, presence ratio, ISI violations; units outside
    the brain).

    Returns
    -------
    dict
        units : DataFrame, index unit_id in increasing order, `structure` and quality metrics;
        spike_times : list of arrays in the order of units, s;
        presentations : DataFrame, index stimulus_presentation_id: start_time, stop_time, stimulus_name,
        stimulus_block and numeric `PARAMETERS`, NaN where they do not apply (a drifting one has no phase);
        structures : dict, number of units of every structure;
        invalid_times : DataFrame, as in `lib.data.recording.Recording`;
        notes, warnings : lists of str.

    Raises
    ------
    InputError
        No unit of a structure: names those in the file.
    """
    name = files.name_of(address)
    with _open_session(address) as (session, nwbfile, file, bytes_read):
        every = _units_of(session)
        units = select_units(every, structure, "selected", name)
        invalid, warned = _invalid_times(file, session.units.probe_description[units.index])
        table = _numeric(session.get_stimulus_table(include_unused_parameters=True))
        times = _spike_times(file, units.index)
        total, placeless = len(nwbfile.units), _without_structure(file)
        fetched, size = bytes_read(), file.id.get_filesize()
    failing = max(total - len(every) - placeless, 0)
    notes = [words.quality_note(failing, total, name)] if failing else []
    notes += [words.without_structure_note(placeless, total, name)] if placeless else []
    masked = int((table.stimulus_name == INVALID).sum())
    warned += [words.masked_note(masked)] if masked else []
    if fetched is not None:
        notes.append(words.download_note(fetched, size))
    return dict(
        units=units.dropna(axis=1, how="all"),
        presentations=table,
        spike_times=times,
        structures=every.structure.value_counts().to_dict(),
        invalid_times=invalid,
        notes=notes,
        warnings=warned,
    )


def _invalid_times(file, probes):
    """Invalid times of a file with the units (index of `probes`, the names) that each concerns; warnings.

    AllenSDK's labels: all_probes, the name of a probe, stimulus (whose presentations it takes out itself)
    and optotagging; beside them stand the scope and its id.
    """
    if "intervals/invalid_times" not in file:
        return no_invalid_times(), []
    group, rows, unknown = file["intervals/invalid_times"], [], []
    start, stop = (group[f"{edge}_time"][()] for edge in ("start", "stop"))
    words_of = group["tags"].asstr()[()] if "tags" in group else np.array([])
    ends = group["tags_index"][()] if "tags_index" in group else np.zeros(len(start), int)
    for k, tags in enumerate(np.split(words_of, ends[:-1])):
        if not len(tags) or "all_probes" in tags:
            concerned = probes.index
        else:
            concerned = probes.index[probes.isin(tags)]
            if not len(concerned) and not {"stimulus", "optotagging", "EcephysProbe"} & set(tags):
                unknown += [tag for tag in tags if not tag.isdigit()]
        rows.append((start[k], stop[k], concerned.tolist()))
    warned = [words.unknown_tags_warning(sorted(set(unknown)))] if unknown else []
    return pd.DataFrame(rows, columns=["start_time", "stop_time", "units"]), warned


def _without_structure(file):
    """Return how many units of a file have their peak channel in no structure."""
    where = file["general/extracellular_ephys/electrodes"]
    if not {"id", "location"} <= set(where) or "peak_channel_id" not in file["units"]:
        return 0
    places = pd.Series(where["location"].asstr()[()], where["id"][()])
    places = places[~places.index.duplicated()].reindex(file["units/peak_channel_id"][()])
    return int((places.isna() | places.isin(NO_STRUCTURE)).sum())


class _WithoutSpikes:
    """An NWB file as AllenSDK sees it, less the columns of `units` that hold an array a unit."""

    def __init__(self, nwbfile):
        self._nwbfile, self.units = nwbfile, self
        ragged = {"spike_times": None, "spike_amplitudes": None, "waveform_mean": None}
        self._table = nwbfile.units.to_dataframe(exclude=set(ragged)).assign(**ragged)

    def __getattr__(self, name):
        return getattr(self._nwbfile, name)

    def to_dataframe(self):
        return self._table


def allensdk_counts(
    path: Path | str, *, unit_ids: Sequence[int], presentation_ids: Sequence[int], window: tuple[float, float]
) -> np.ndarray:
    """Count spikes, (presentations, units), by AllenSDK's own reading and counting, to check ours against.

    `window` is start and stop after onset, s. AllenSDK counts a spike exactly at the stop, we do not.
    """
    with known_warnings():
        from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession

        warnings.filterwarnings("ignore", message="You've specified some overlapping time intervals")
        session = EcephysSession.from_nwb_path(str(path))
        found = session.presentationwise_spike_counts(np.array(window), presentation_ids, unit_ids)
    return found.sel(stimulus_presentation_id=presentation_ids, unit_id=unit_ids).to_numpy()[:, 0]


@contextlib.contextmanager
def _open_session(address):
    """Yield AllenSDK's session, pynwb's file, h5py's file and the count of bytes fetched."""
    _check(address)
    with _understood(address), open_file(address) as (file, bytes_read), known_warnings():
        import pynwb
        from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession
        from allensdk.brain_observatory.ecephys.ecephys_session_api import EcephysNwbSessionApi

        with pynwb.NWBHDF5IO(file=file, mode="r", load_namespaces=True) as io:
            nwbfile = io.read()  # parsed once; from_nwb_path would parse at each use
            areas = nwbfile.electrodes.to_dataframe()[["location"]]
            areas = areas.set_axis(["ecephys_structure_acronym"], axis=1)
            api = EcephysNwbSessionApi.from_nwbfile(
                _WithoutSpikes(nwbfile), external_channel_columns=lambda: areas
            )
            yield EcephysSession(api), nwbfile, file, bytes_read


@contextlib.contextmanager
def _understood(address):
    """Say `InputError` for whatever AllenSDK makes of a file that is damaged or not its own."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{files.name_of(address)}: AllenSDK cannot read it ({what})") from error


def _units_of(session):
    """Units that pass the filter: structure, quality metrics and, where the file has it, tuning."""
    units = session.units.rename(columns={"ecephys_structure_acronym": "structure", "L_ratio": "l_ratio"})
    return units.reindex(columns=["structure", *METRICS, *TUNING]).sort_index()


def _spike_times(file, unit_ids):
    """Spike times of some units, in the order asked for, and of no others."""
    group = file["units"]
    stops = group["spike_times_index"][()]
    starts = np.concatenate([[0], stops[:-1]])
    rows = pd.Series(np.arange(len(stops)), index=group["id"][()])[unit_ids]
    return [np.asarray(group["spike_times"][starts[row] : stops[row]], float) for row in rows]


@contextlib.contextmanager
def known_warnings() -> Iterator[None]:
    """Silence the warnings that AllenSDK 2.16 always gives with these packages; others pass."""
    with warnings.catch_warnings():
        for message in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


def _numeric(table):
    """Stimulus table of AllenSDK with numbers for its objects and texts, NaN for 'null' and lists.

    AllenSDK turns a column of only 0, 1 and missing into booleans; these become numbers again.
    """
    for name in set(table.columns[table.columns.duplicated()]):  # one name now, two in an older file
        one = table[name].replace("null", np.nan).bfill(axis=1).iloc[:, 0]
        table = table.drop(columns=name).assign(**{name: one})
    texts = table.reindex(columns=["stimulus_block", *PARAMETERS]).astype(str)
    numbers = texts.replace({"True": "1", "False": "0"}).apply(pd.to_numeric, errors="coerce").astype(float)
    return table[["start_time", "stop_time", "stimulus_name"]].assign(**numbers)
