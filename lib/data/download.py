"""Files from http servers: fetched whole, so that a broken network leaves no broken file, or read in part.

A file is fetched to `<name>.partial` beside its place and renamed when it is whole and readable. A run
that is cut or killed leaves the partial file, and the next one goes on where it ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import requests
import urllib3
from tqdm import tqdm

from lib.errors import DamagedFile, InputError
from lib.files import name_of, shown_address, whole_address, write_atomically

STALL = 60.0  # s without a byte after which a server counts as silent
ATTEMPTS = 5
BACK_OFF = 1.0  # s before the second attempt, doubled before each further one
CHUNK = 1 << 20  # bytes read at most at once
BLOCK = 1 << 18  # bytes of a range request
BLOCKS_KEPT = 64
NO_PARTS = "{}: the server cannot send parts of a file; fetch the file and give its path"
PASSING = (408, 425, 429)  # answers below 500 that another attempt may change


class NotThere(InputError):
    """The server does not have, or does not give, what it was asked for."""


class NoAnswer(InputError):
    """The server did not answer as it should, in all attempts."""


class _Failed(Exception):
    """An attempt failed in a way that another may not."""


def say(text: str) -> None:
    """Tell the person who runs the report, on standard error."""
    print(text, file=sys.stderr, flush=True)


def fetch(
    address: str, path: Path | str, *, check: Callable, stall: float = STALL, **patience: float
) -> Path:
    """Return the path of a file, fetched if it is not there whole.

    A file that is there and passes `check` is used as it is, without asking the server. One that does not is
    renamed to `<name>.damaged`, never deleted. Of two runs at once the second waits.

    Parameters
    ----------
    address : str
    path : str or Path
    check : callable
        Given a path, raises `DamagedFile` if the file is not whole.
    stall : float
        s without a byte after which the attempt ends.
    **patience
        `attempts`, their number, and `back_off`, s before the second one, doubled before each further one.

    Raises
    ------
    InputError
        Not on the server, no space, no permission, or every attempt failed; what has arrived is kept.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    if _readable(path, check):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path), open(partial, "ab", buffering=0) as file:
            if _readable(path, check):  # another run has made it
                _forget_empty(file)
                return path
            damaged = path.with_name(f"{path.name}.damaged")
            if path.exists():
                say(f"{path.name} is damaged: fetched anew, the old one is kept as {damaged.name}")
            _attempts(address, file, check, stall=stall, **patience)
            os.fsync(file.fileno())
            if path.exists():
                os.replace(path, damaged)
            os.replace(partial, path)
            _tag(partial).unlink(missing_ok=True)
    except OSError as error:
        raise _no_place(error, path) from None
    return path


def get_json(address: str, *, stall: float = STALL, **patience: float) -> dict | list:
    """Return the JSON answer of a server, with the patience of `fetch`."""

    def ask():
        with _listening(stall), _get(address, timeout=stall) as response:
            _check_answer(response, address)
            try:
                return response.json()
            except ValueError:
                raise _Failed("the answer is not JSON") from None

    return _again_and_again(ask, shown_address(address).partition("?")[0], **patience)


def version(address: str, *, stall: float = STALL, **patience: float) -> str:
    """Return what a server says of the version of a file: its ETag or date, and its length.

    One byte is asked for, since a signed address may not be valid for HEAD.
    """

    def ask():
        headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
        with _listening(stall), _get(address, headers=headers, stream=True, timeout=stall) as response:
            _check_answer(response, address)
            about = response.headers
            length = about.get("Content-Range", about.get("Content-Length", "")).rpartition("/")[2]
            return f"{about.get('ETag') or about.get('Last-Modified', '')} {length}"

    return _again_and_again(ask, name_of(address), **patience)


def _get(address, **options):
    """Return the answer to a request of an address, sent as written: a signature may be over its text."""
    whole = whole_address(address)
    session = requests.Session()
    asked = session.prepare_request(requests.Request("GET", whole, headers=options.pop("headers", None)))
    scheme, _, rest = whole.partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    asked.url = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    given = {"stream": options.get("stream"), "verify": None, "cert": None, "proxies": {}}
    return session.send(
        asked, timeout=options["timeout"], **session.merge_environment_settings(asked.url, **given)
    )


class KeptAddress(str):
    """The address of a file that is read in place, whose blocks stay on this disk in the folder `kept`."""

    kept: Path

    def __new__(cls, address: str, kept: Path) -> KeptAddress:
        """Return the address with its folder."""
        self = super().__new__(cls, address)
        self.kept = kept
        return self


@contextlib.contextmanager
def remote_file(
    address: str, *, stall: float = STALL, **patience: float
) -> Iterator[tuple[IO, Callable[[], int]]]:
    """Open a file on an http server so that only the blocks that are asked for are fetched.

    Yields a file object of fsspec, and a function that returns the bytes read so far, fetched or kept. Blocks
    of a `KeptAddress` are kept on disk, those of another version on the server apart.

    Raises
    ------
    InputError
        Not there, or a server that cannot send parts of a file.
    """
    import aiohttp
    from fsspec.implementations.http import HTTPFile, HTTPFileSystem

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=stall, sock_read=stall)
    system = HTTPFileSystem(
        client_kwargs={"timeout": timeout, "trust_env": True},  # which names proxies
        encoded=True,  # the text of a signed address is what was signed
        skip_instance_cache=True,
    )

    def patiently(action):
        ask = lambda: _asked(action, address, stall=stall)
        return _again_and_again(ask, name_of(address), **patience)

    blocks = dict(block_size=BLOCK, cache_type="blockcache", cache_options={"maxblocks": BLOCKS_KEPT})
    file = patiently(lambda: system.open(whole_address(address), **blocks))
    if not isinstance(file, HTTPFile):
        file.close()
        raise InputError(NO_PARTS.format(shown_address(address)))
    read, plain, kept = [0], file.cache.fetcher, None
    if isinstance(address, KeptAddress):
        about = patiently(lambda: system.info(whole_address(address)))
        version = [about.get(name) for name in ("ETag", "Last-Modified", "size")]
        kept = address.kept / hashlib.sha256(f"{shown_address(address)} {version}".encode()).hexdigest()[:16]

    def block(start, stop):
        data = plain(start, stop)
        if len(data) != stop - start:
            raise ConnectionError(f"{len(data)} bytes came where {stop - start} are")
        return data

    def kept_or_fetched(start, stop):
        stop = min(stop, file.size)
        read[0] += stop - start
        path = kept and kept / f"{start}-{stop}"
        if path and path.is_file():
            return path.read_bytes()
        data = patiently(lambda: block(start, stop))
        if path:
            write_atomically(path, lambda partial: partial.write_bytes(data))
        return data

    file.cache.fetcher = kept_or_fetched
    try:
        yield file, lambda: read[0]
    finally:
        file.close()
        system.close_session(system.loop, file.session)


def _asked(action, address, *, stall):
    """Return what a request of fsspec returns, or raise in the words of this module."""
    import aiohttp

    try:
        return action()
    except ValueError:  # fsspec's word for a server without ranges
        raise InputError(NO_PARTS.format(shown_address(address))) from None
    except (FileNotFoundError, aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        cause = error.__cause__ if isinstance(error, FileNotFoundError) else error
        status = getattr(cause, "status", 404 if cause is None else 500)
        if status < 500 and status not in PASSING:
            raise InputError(
                f"{shown_address(address)}: the server answered {status}; check the address"
            ) from None
        if hasattr(cause, "status"):  # whose text holds the address
            raise _Failed(f"the server answered {status}") from None
        raise _Failed(str(cause) or f"nothing came for {stall:g} s") from None


def _again_and_again(action, name, *, attempts=ATTEMPTS, back_off=BACK_OFF):
    """Return what `action` returns, tried several times with growing pauses."""
    for attempt in range(attempts):
        try:
            return action()
        except (_Failed, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = _plain(error)
        if attempt + 1 < attempts:
            pause = back_off * 2**attempt
            say(f"{name}: {reason}; attempt {attempt + 2} of {attempts} in {pause:g} s")
            time.sleep(pause)
    raise NoAnswer(f"{name}: {reason}, {attempts} times; try again later")


def _attempts(address, file, check, *, stall, **patience):
    """Fill the partial file until it is whole and readable."""
    name = Path(file.name).name.removesuffix(".partial")

    def attempt():
        _check_size(file, _transfer(address, file, name, stall=stall))
        try:
            check(Path(file.name))
        except InputError:
            whole = _size(file)
            file.truncate(0)
            raise _Failed(f"{whole:,} bytes came that are not a readable file") from None

    try:
        _again_and_again(attempt, name, **patience)
    except InputError as error:
        size = _size(file)
        kept = f"; {size:,} bytes are kept, the next run goes on from there" if size else ""
        _forget_empty(file)
        where = shown_address(address)
        where = "" if where in str(error) else f" ({where})"
        raise type(error)(f"{error}{where}{kept}") from None


def _transfer(address, file, name, *, stall):
    """Append what the server has beyond the end of the partial file; return the whole size or None."""
    have, tag = _size(file), _tag(Path(file.name))
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.exists():
            headers["If-Range"] = tag.read_text()
    with _listening(stall), _get(address, headers=headers, stream=True, timeout=stall) as response:
        if response.status_code == 416:  # nothing beyond: whole, or not the same file
            return int(response.headers.get("Content-Range", "*/-1").rpartition("/")[2])
        _check_answer(response, address)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            # from the start: another version of the file, or a server that cannot resume
            file.truncate(0)
            have = 0
            tag.write_text(response.headers.get("ETag", response.headers.get("Last-Modified", "")))
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        check_space(Path(file.name).parent, name, (total or 0) - have)
        with tqdm(
            desc=name, total=total, initial=have, unit="B", unit_scale=True, mininterval=1, file=sys.stderr
        ) as bar:
            while data := response.raw.read1(CHUNK):
                file.write(data)
                bar.update(len(data))
    return total


@contextlib.contextmanager
def _listening(stall):
    """Say for how long a silent server was listened to."""
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise _Failed(f"the server was silent for {stall:g} s") from None


def _check_answer(response, address):
    """Raise unless the server sends the file."""
    if response.status_code >= 500 or response.status_code in PASSING:
        raise _Failed(f"the server answered {response.status_code}")
    if not response.ok:
        where = shown_address(address)
        raise NotThere(f"{where}: the server answered {response.status_code} {response.reason}")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _Failed("the server sent a web page instead of the file")


def _check_size(file, total):
    """Raise if the partial file is shorter or longer than the server's."""
    have = _size(file)
    if total is not None and have < total:
        raise _Failed(f"the connection ended at {have:,} of {total:,} bytes")
    if total is not None and have > total:
        file.truncate(0)
        raise _Failed(f"the partial file has {have:,} bytes, the server's {total:,}: begun anew")


def check_space(folder: Path | str, name: str, needed: int) -> None:
    """Raise `InputError` if the disk of a folder, made or not, has fewer bytes free than are needed."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"{name} needs {needed / 1e9:.2f} GB more and {folder} has {free / 1e9:.2f} GB "
            "free; make room, or name another folder"
        )


@contextlib.contextmanager
def _locked(path):
    """Keep other runs away from a file while it is fetched; the system frees the lock after a kill.

    The lock is a file of its own, since HDF5 locks the files that it opens.
    """
    name = path.with_name(f"{path.name}.lock")
    while True:
        with open(name, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"{path.name} is being fetched by another run: waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_at(lock, name):
                continue  # the other run has removed it
            try:
                yield
            finally:
                name.unlink(missing_ok=True)
            return


def _is_at(file, path):
    """Return whether an open file is still the one at a path, from which another run may take it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _size(file):
    return os.fstat(file.fileno()).st_size


def _readable(path, check):
    try:
        return path.exists() and (check(path), True)[1]
    except DamagedFile:
        return False


def _forget_empty(file):
    """Remove a partial file that holds nothing."""
    if _size(file) == 0:
        Path(file.name).unlink()
        _tag(Path(file.name)).unlink(missing_ok=True)


def _tag(partial):
    """The file that says which version on the server the partial file belongs to."""
    return partial.with_name(f"{partial.name}.version")


def _plain(error):
    """One line for an error of the network."""
    if isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError)):
        return "no connection, or it broke"
    return str(error).splitlines()[0]


def _no_place(error, path):
    """The `InputError` for a file that cannot be written."""
    if error.errno == errno.ENOSPC:
        return InputError(f"{path}: the disk is full; make room, what has arrived is kept")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError(f"{path}: no permission to write there; name a folder of your own")
    return error
