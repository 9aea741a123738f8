"""One zip of a finished run: what a journal or a repository of data takes.

Made twice of the same run, it is the same to the byte.
"""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path

import yaml

from lib.files import ROOT, required, write_atomically
from lib.stages import git_revision

EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the zip, the earliest that it can tell
CONTEXT, PROFILE = "https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/crate/1.1"
FILES = {  # of a run's folder: what each is; those that a run lacks are left out
    "units.csv": "results, a row per unit; columns.csv says what each column is",
    "columns.csv": "data dictionary of units.csv",
    "oracle.csv": "reliability and selection of the units",
    "transfer.csv": "each class of stimuli predicted from the others",
    "loop.csv": "what the next experiment says of each unit's most exciting input",
    "loop_kinds.csv": "responses to each kind of stimulus in the next experiment",
    "conclusions.md": "the conclusions, as sentences",
    "loop_conclusions.md": "the conclusions of the next experiment",
    "models/scores.csv": "scores of the response models, a row per unit and model",
    "gabor_grid.npz": "the best Gabors of the grid, of all units",
}
FOLDERS = {
    "site": "the book; open site/index.html",
    "stimuli": "pictures, tables and a script for the next experiment",
    "units": "results of each unit: scalars as JSON, arrays as .npz",
}
OF_PROJECT = {
    "CITATION.cff": "how to cite the report, and what it rests on",
    "LICENSE": "licence of the report and its code; recorded data keep the terms of their source",
    "requirements.lock": "versions of all packages",
}
KEPT = (".json", ".npz", ".png")  # of units/
FORMATS = {
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".npz": "application/zip",
    ".json": "application/json",
    ".yml": "application/yaml",
}


def make_archive(run_folder: Path | str, params: dict) -> Path:
    """Write `build/<name>/<name>.zip` of a finished run.

    Parameters
    ----------
    run_folder : Path
    params : dict
        Of `lib.params.load_params`.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The run is not finished.
    """
    run_folder = Path(run_folder)
    for name in ("units.csv", "columns.csv", "site/index.html"):
        required(run_folder / name)
    held = {name: (run_folder / name).read_bytes() for name in FILES if (run_folder / name).is_file()}
    held |= {name: (ROOT / name).read_bytes() for name in OF_PROJECT}
    held["params.yml"] = yaml.safe_dump(_without_places(params), sort_keys=False).encode()
    paths = {
        path.relative_to(run_folder).as_posix(): path
        for folder in FOLDERS
        for path in (run_folder / folder).rglob("*")
        if path.is_file() and _wanted(path.relative_to(run_folder))
    }
    for path in sorted(run_folder.glob("models/*/predictions.npz")):
        paths[path.relative_to(run_folder).as_posix()] = path
    day = datetime.datetime.fromtimestamp((run_folder / "units.csv").stat().st_mtime, datetime.UTC)
    crate = metadata(params["name"], held, paths, day.date().isoformat())
    held["ro-crate-metadata.json"] = (json.dumps(crate, indent=1, ensure_ascii=False) + "\n").encode()

    def write(partial):
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
            for name in sorted({*held, *paths}):
                entry = zipfile.ZipInfo(f"{params['name']}/{name}", EPOCH)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                file.writestr(entry, held[name] if name in held else paths[name].read_bytes())

    zipped = run_folder / f"{params['name']}.zip"
    write_atomically(zipped, write)
    return zipped


def metadata(name: str, held: dict, paths: dict, day: str) -> dict:
    """Return the RO-Crate metadata of an archive.

    Parameters
    ----------
    name : str
        Of the run.
    held : dict of str to bytes
        Single files by name.
    paths : dict of str to Path
        Files of folders.
    day : str
        On which the results were made, such as 2026-01-31.

    References
    ----------
    RO-Crate Metadata Specification 1.1, https://w3id.org/ro/crate/1.1.
    """
    cited = yaml.safe_load(held["CITATION.cff"])
    about = FILES | OF_PROJECT | {"params.yml": "the declaration of the run, complete"}
    files = [
        {
            "@id": file,
            "@type": "File",
            "name": file,
            "description": about[file],
            "encodingFormat": FORMATS.get(Path(file).suffix, "text/plain"),
            "contentSize": str(len(content)),
        }
        for file, content in sorted(held.items())
    ]
    folders = [
        {"@id": f"{folder}/", "@type": "Dataset", "name": folder, "description": text}
        for folder, text in FOLDERS.items()
        if any(path.startswith(f"{folder}/") for path in paths)
    ]
    parts = [{"@id": entity["@id"]} for entity in files + folders]
    return {
        "@context": CONTEXT,
        "@graph": [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "about": {"@id": "./"},
                "conformsTo": {"@id": PROFILE},
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": f"{cited['title']}: {name}",
                "description": " ".join(cited["abstract"].split()),
                "datePublished": day,
                "license": {"@id": "LICENSE"},
                "author": {"@id": "#authors"},
                "publisher": {"@id": "#authors"},
                "keywords": ", ".join(cited["keywords"]),
                "hasPart": parts,
                "mentions": {"@id": "#made"},
            },
            {
                "@id": "#authors",
                "@type": "Organization",
                "name": cited["authors"][0].get("name", "the authors"),
            },
            {
                "@id": "#software",
                "@type": "SoftwareApplication",
                "name": cited["title"],
                "version": f"{cited['version']}, revision {git_revision()}",
            },
            {
                "@id": "#made",
                "@type": "CreateAction",
                "name": f"run {name}",
                "endTime": day,
                "instrument": {"@id": "#software"},
                "object": {"@id": "params.yml"},
                "result": parts,
            },
            *files,
            *folders,
        ],
    }


def _wanted(path):
    """Tell whether a file of a folder goes in: nothing hidden, of units/ only what they found."""
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.parts[0] != "units" or (len(path.parts) == 3 and path.suffix in KEPT)


def _without_places(value):
    """The declaration with paths of this machine cut to their names."""
    if isinstance(value, dict):
        return {key: _without_places(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_places(inner) for inner in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
