"""What a recording was read from, told by its contents: what decides whether a run reads it again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lib import files
from lib.data import download


def fingerprint(place: Path | str) -> str:
    """Return 16 hexadecimal digits that change with the contents of a file, a folder or an address.

    Of a folder, all files below it count, by name and contents, but those whose name begins with a dot. Of an
    address, what the server says of the version: ETag or Last-Modified, and the length.
    """
    if files.is_address(place):
        return hashlib.sha256(download.version(str(place)).encode()).hexdigest()[:16]
    place = Path(place)
    if place.is_file():
        return files.file_hash(place)
    digest = hashlib.sha256()
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        name = path.relative_to(place).as_posix()
        if not any(part.startswith(".") for part in name.split("/")):
            digest.update(f"{name}\0{files.file_hash(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
