"""Sessions of the Allen Institute's Visual Coding (Neuropixels) survey, by their id.

    python -m lib.data.sources.allen [--cache FOLDER] [--bucket ADDRESS] [--warehouse ADDRESS]

`make sessions` lists them. The survey stands in a public bucket, in the layout of AllenSDK's cache, and
behind the queries of a warehouse, which AllenSDK knows. Each file is taken from the cache, the bucket or the
warehouse, the first that has it. `lib.data.download` fetches, because AllenSDK waits for ever on a silent
server, saves error pages as data and deletes files that it cannot read. An existing cache of AllenSDK is
used as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from lib.data import download, nwb_files, shown_images, unit_metrics, words
from lib.data.recording import Recording
from lib.data.session import select_units
from lib.data.sources.nwb import check_frames, recording
from lib.errors import DamagedFile, InputError
from lib.files import name_of, write_atomically
from lib.params import SESSIONS, session_defaults

MANIFESTS = ("manifest.json", "ecephys_project_manifest.json")
MOVIES = {1: "natural_movie_one", 3: "natural_movie_three"}
# What was shown, by type of session (Siegle et al., Nature 592:86, 2021)
STIMULI = {
    "brain_observatory_1.1": "natural scenes, gabors, static and drifting gratings, flashes, movies 1, 3",
    "functional_connectivity": "no natural scenes; gabors, drifting gratings, dots, flashes, movie 1",
}
WITH_SCENES = "brain_observatory_1.1"


def load(session: dict, *, folder: Path, structure: str | list[str]) -> Recording:
    """Read a session and its templates from the cache, fetching what is not there.

    Parameters
    ----------
    session : dict
        `id`; `cache`: folder; `bucket`: address of a copy of the cache, or ""; `warehouse`: address of the
        server; `stream`: read the session file in place from the bucket, fetching what is needed of it;
        `movies`: numbers of the natural movies whose templates are read as well (1, 3; 166 and 665 MB);
        `stall`: seconds of silence after which a server counts as gone.
    folder : Path
        Not used: what is fetched goes to the cache.
    structure : str or list of str

    Raises
    ------
    InputError
        One line for an unknown session, one without natural scenes, or a failed download.
    """
    cache = Cache(session)
    file = cache.session_file(session["id"])
    frames = nwb_files.check_file(file)
    folder = cache.scenes(frames)
    images = shown_images.read_templates(folder)
    images["movies"] = {MOVIES[n]: shown_images.read_movie(cache.movie(n)) for n in session["movies"]}
    read = recording(file, images, structure=structure, source="allen")
    try:
        metrics = cache.unit_metrics(session["id"])
    except InputError as error:
        read.notes.append(words.no_metrics_note(error))
    else:
        read.units = read.units.join(metrics[metrics.columns.difference(read.units.columns)])
    return read


def check(session: dict, *, structure: str | list[str]) -> pd.DataFrame:
    """Fetch what is missing; return the units; raise `InputError` for whatever would stop `load`."""
    cache = Cache(session)
    file = cache.session_file(session["id"])
    frames = nwb_files.check_file(file)
    check_frames(frames, shown_images.scene_frames(cache.scenes(frames)), file)
    for number in session["movies"]:
        cache.movie(number)
    with contextlib.suppress(InputError):  # `load` says so
        cache.unit_metrics(session["id"])
    return select_units(nwb_files.read_units(file), structure, "selected", name_of(file))


def inputs(session: dict) -> list[Path | str]:
    """Return the files, the folder of the cache and the address that a session is read from."""
    cache = Cache(session)
    file = cache.session_file(session["id"])
    scenes = cache.scenes(nwb_files.check_file(file))
    return [file, scenes, *(cache.movie(number) for number in session["movies"])]


class Cache:
    """AllenSDK's cache folder, with the project's own way of filling it.

    `session` has `cache`, `bucket`, `warehouse`, `stream` and `stall` as in `load`; `patience` is that of
    `lib.data.download`: `attempts`, `back_off`.
    """

    def __init__(self, session, **patience):
        self.folder = Path(session["cache"])
        self.patience = {"stall": session["stall"], **patience}
        self._bucket, self._warehouse = session["bucket"], session["warehouse"]
        self._stream = session["stream"]
        if self._stream and not self._bucket:
            raise InputError("session.stream: true needs the bucket that it is to read from, which is empty")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.sdk = self._open()
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be used as a cache ({error.strerror}); name a folder of your own"
            ) from None

    def session_file(self, number: int) -> Path | download.KeptAddress:
        """Return the path of a session's NWB file; if it is to be read in place, its address."""
        path = self._path("SESSION_NWB_KEY", int(number), int(number))
        if not path.exists():
            self._check_listed(number)
            if self._stream:
                return download.KeptAddress(self._in_bucket(path), path.with_suffix(".blocks"))
        return self._fetch(path, lambda: self.sdk.fetch_api.get_session_data(number), nwb_files.check_whole)

    def scenes(self, frames: Sequence[int]) -> Path:
        """Return the folder of natural-scene templates, with one for each of the frames."""
        for frame in frames:
            path = self._path("NATURAL_SCENE_KEY", int(frame))
            fetch = functools.partial(self.sdk.fetch_api.get_natural_scene_template, frame)
            self._fetch(path, fetch, shown_images.check_image)
        return path.parent

    def movie(self, number: int) -> Path:
        """Return the path of the template of a natural movie."""
        return self._fetch(
            self._path("NATURAL_MOVIE_KEY", number),
            lambda: self.sdk.fetch_api.get_natural_movie_template(number=number),
            shown_images.check_movie,
        )

    def unit_metrics(self, number: int) -> pd.DataFrame:
        """Return the Allen Institute's own figures of a session's units, as `read_metrics` does."""
        every = self._path("TYPEWISE_ANALYSIS_METRICS_KEY", WITH_SCENES)
        own = self._path("SESSION_ANALYSIS_METRICS_KEY", number, number)
        path = own if own.exists() and not every.exists() else every
        if not path.exists() and not self._from_bucket(path, _check_table):
            raise InputError(f"{path.name} is neither in the cache nor in a bucket")
        return unit_metrics.read_metrics(path)

    def sessions(self) -> pd.DataFrame:
        """Return the sessions with their type, number of units, structures and stimuli, by id.

        Units are those that pass the quality filter.
        """
        for key, get in (
            ("SESSIONS_KEY", "get_sessions"),
            ("PROBES_KEY", "get_probes"),
            ("CHANNELS_KEY", "get_channels"),
            ("UNITS_KEY", "get_units"),
        ):
            self._table(self._path(key), getattr(self.sdk.fetch_api, get))
        with nwb_files.known_warnings():
            units = self.sdk.get_units()
        table = self._listed()
        areas = units.groupby("ecephys_session_id").ecephys_structure_acronym
        held = {number: own.value_counts().sort_index() for number, own in areas}
        held = [dict(held.get(number, {})) for number in table.index]
        return table[["session_type"]].assign(
            units=[sum(counts.values()) for counts in held],
            structures=[", ".join(f"{area} {n}" for area, n in counts.items()) for counts in held],
            stimuli=table.session_type.map(STIMULI).fillna("unknown"),
        )

    def _open(self):
        """AllenSDK's cache, whose queries go through `lib.data.download`."""
        with nwb_files.known_warnings():
            from allensdk.brain_observatory.ecephys import ecephys_project_cache as sdk
            from allensdk.brain_observatory.ecephys.ecephys_project_api import rma_engine
            from allensdk.config.manifest import ManifestVersionError
        patience = self.patience

        class Engine(rma_engine.RmaEngine):
            def get_rma(self, query):
                address = f"{self._build_url(self.rma_prefix)}/{self.format_query_string}?{query}"
                got, total = 0, 1
                while got < total:
                    page = download.get_json(self.add_page_params(address, got), **patience)
                    if not page.get("success") or (not page["num_rows"] and page["total_rows"] > got):
                        raise InputError(f"{self.host}: the warehouse refused a query: {page.get('msg')}")
                    got, total = got + page["num_rows"], page["total_rows"]
                    yield page["msg"]

            def stream(self, route):
                """Return the address of a file in place of its bytes."""
                return self._build_url(route.lstrip("/"))

        server = urlsplit(self._warehouse)
        api = sdk.EcephysProjectWarehouseApi(Engine(scheme=server.scheme, host=server.netloc))
        name = next((name for name in MANIFESTS if (self.folder / name).exists()), MANIFESTS[0])
        try:
            return sdk.EcephysProjectCache(
                fetch_api=api, manifest=str(self.folder / name), stream_writer=_never
            )
        except (ValueError, KeyError, TypeError, ManifestVersionError) as error:
            raise InputError(
                f"{self.folder / name}: not a manifest that AllenSDK's cache can use now "
                f"({type(error).__name__}); move it away, a new one is made"
            ) from None

    def _path(self, key, *numbers):
        return Path(self.sdk.get_cache_path(None, getattr(self.sdk, key), *numbers))

    def _in_bucket(self, path):
        return f"{self._bucket.rstrip('/')}/{path.relative_to(self.folder).as_posix()}"

    def _fetch(self, path, address, check):
        """Return the path of a good file: the cache's, or what the bucket has, or the warehouse."""
        with contextlib.suppress(DamagedFile, FileNotFoundError):
            path.stat()
            check(path)
            return path
        if self._from_bucket(path, check):
            return path
        try:
            return download.fetch(address(), path, check=check, **self.patience)
        except ValueError as error:  # AllenSDK's word for a file that is not listed
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path.name} is not in the warehouse {self._warehouse}") from None

    def _from_bucket(self, path, check):
        """Tell whether the bucket gave a file; one that does not answer is not asked again."""
        if not self._bucket:
            return False
        try:
            download.fetch(self._in_bucket(path), path, check=check, **self.patience)
        except download.NotThere as error:
            download.say(f"{error}: the warehouse is asked")
            return False
        except download.NoAnswer as error:
            download.say(f"{error}: the warehouse is asked for this and the rest")
            self._bucket = ""
            return False
        return True

    def _listed(self):
        path = self._path("SESSIONS_KEY")
        self._table(path, self.sdk.fetch_api.get_sessions)
        return pd.read_csv(path, index_col="id")

    def _table(self, path, get):
        """Make one of the project's tables, as AllenSDK writes it but under a temporary name first."""
        if not path.exists() and not self._from_bucket(path, _check_table):
            table = get()
            write_atomically(path, table.to_csv)

    def _check_listed(self, number):
        """Raise `InputError` for a session that is unknown or has no natural scenes, before a download."""
        table = self._listed()
        if number not in table.index:
            close = table.index[np.argsort(np.abs(table.index - number), kind="stable")[:3]]
            raise InputError(
                f"session {number} is not one of the {len(table)} of the survey; nearest "
                f"ids: {', '.join(map(str, close))}; `make sessions` lists all"
            )
        kind = table.session_type[number]
        if kind != WITH_SCENES:
            raise InputError(
                f"session {number} is of type {kind} ({STIMULI.get(kind, 'unknown')}): the "
                "report is about natural scenes; `make sessions` lists those that have them"
            )


def _check_table(path):
    """Raise `DamagedFile` unless a file is a table of the project, whose first column is an id."""
    with open(path, encoding="utf-8", errors="replace") as file:
        if not file.readline().split(",")[0].strip().endswith("id"):
            raise DamagedFile(f"{path.name} is no table of the survey")


def _never(*_):
    raise AssertionError("AllenSDK is not to fetch")


def main() -> None:
    parser = argparse.ArgumentParser(description="List the sessions of the survey.")
    defaults = session_defaults(SESSIONS["allen"]["anyOf"][0])
    for name in ("cache", "bucket", "warehouse"):
        parser.add_argument(f"--{name}", default=defaults[name])
    given = vars(parser.parse_args())
    try:
        table = Cache(defaults | given).sessions()
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(table.to_string(max_colwidth=None))


if __name__ == "__main__":
    main()
