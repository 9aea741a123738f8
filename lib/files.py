"""Files: where the project is, what must be there, writing that leaves nothing half-written."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.errors import InputError

ADDRESSES = "REPORT_ADDRESSES"  # environment variable: JSON, addresses with their secrets by what is shown
ROOT = Path(__file__).resolve().parent.parent


def write_json(path: Path | str, content: dict | list) -> None:
    """Write JSON under a temporary name, then rename; NaN becomes null."""
    text = json.dumps(_plain(content), indent=1, allow_nan=False)
    write_atomically(path, lambda partial: partial.write_text(text + "\n"))


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path of the same ending, then rename it to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    write(partial)
    os.replace(partial, path)


def _plain(value):
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def required(path: Path | str, notebook: str = "") -> Path:
    """Return the path, or say in one line what makes the missing file: a notebook, or the whole run."""
    path = Path(path)
    if not path.exists():
        made = "the run is not finished; `make report` continues it"
        if notebook:
            made = f"run notebooks/{notebook}.ipynb first, or `make report` for all stages"
        raise InputError(f"{path} is not there: {made}")
    return path


def file_hash(path: Path | str) -> str:
    """Return the sha256 of a file, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def is_address(text: object) -> bool:
    """Tell whether a text is an http(s) address, not a path."""
    return str(text).startswith(("http://", "https://"))


def name_of(place: Path | str) -> str:
    """Return the last part of a path or of an address, there without what follows a question mark."""
    return Path(shown_address(place).partition("?")[0]).name


def shown_address(place: Path | str) -> str:
    """Return an address without what may be secret in it; a path as it is.

    Examples
    --------
    >>> shown_address("https://me:word@host.org/a%2Fb.nwb?X-Signature=2f&id=3#end")
    'https://host.org/a%2Fb.nwb?...'
    """
    if not is_address(place):
        return str(place)
    scheme, _, rest = str(place).partition("://")
    path, mark, _ = rest.partition("#")[0].partition("?")
    host, slash, path = path.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?...' if mark else ''}"


def hide_secrets(value: object, hidden: dict[str, str]) -> object:
    """Return a session, or any nested value, with `shown_address` in place of each address.

    `hidden` gets the addresses as they were, by what is shown; two that would look the same differ in
    a number at the end.
    """
    if isinstance(value, dict):
        return {key: hide_secrets(part, hidden) for key, part in value.items()}
    if isinstance(value, list):
        return [hide_secrets(part, hidden) for part in value]
    if not isinstance(value, str) or (shown := shown_address(value)) == value:
        return value
    number = next(n for n in itertools.count(1) if hidden.get(_numbered(shown, n), value) == value)
    hidden[_numbered(shown, number)] = value
    return _numbered(shown, number)


def _numbered(shown, number):
    return shown if number == 1 else f"{shown}{number}"


def whole_address(shown: str) -> str:
    """Return an address with its secrets, which a run hands to its jobs in their environment alone."""
    return json.loads(os.environ.get(ADDRESSES, "{}")).get(shown, shown)
