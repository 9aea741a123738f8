"""Which modules a notebook or a job uses, so that a change of one redoes what depends on it and no more."""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

from lib.files import ROOT, file_hash

# How a run is declared, not what is computed; what of it matters reaches a stage as its parameters.
LEFT_OUT = ("lib/__init__.py", "lib/errors.py", "lib/params.py")


def used_files(*names):
    """Return the files that notebooks or modules use: themselves and the modules of lib they import.

    Parameters
    ----------
    *names : str
        Paths below the project's folder, such as notebooks/05_mei.ipynb or lib/models/fit_run.py.

    Returns
    -------
    list of str
        Absolute paths.
    """
    files, waiting = [], [ROOT / name for name in names]
    while waiting:
        file = waiting.pop(0)
        if file not in files:
            files.append(file)
            waiting += imported(file) if file.suffix in (".py", ".ipynb") else []
    return [str(file) for file in files]


def code_hash(*names):
    """Return a hash of the code of `used_files`, of notebooks without the outputs stored in them.

    A parameter of a rule in place of its files as inputs: what was touched but is the same redoes
    nothing, and a run of thousands of units has some hundred thousand files less to look at.
    """
    digest = hashlib.sha256()
    for file in map(Path, used_files(*names)):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            text = json.dumps(
                [
                    [cell["cell_type"], cell["metadata"], "".join(cell["source"])]
                    for cell in json.loads(text)["cells"]
                ]
            )
        digest.update(f"{file.relative_to(ROOT)}\n{text}\n".encode())
    return digest.hexdigest()[:16]


def contents_hash(*paths):
    """Return a hash of the contents of files of the project and of their names; dates decide nothing."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(ROOT)} {file_hash(path)}\n".encode())
    return digest.hexdigest()[:16]


@cache
def imported(file):
    """Return the files of lib that a Python file or a notebook imports itself.

    A name that is imported from a room is followed to its module: `from lib.mei import search` to
    lib/mei/search.py, `import lib.mei.search` and `from lib.mei.search import localise` too. Modules
    that are imported by a name made in the run are not seen: who does that names them to `code_hash`.
    """
    found = set()
    for node in ast.walk(ast.parse(source_of(file))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, Path(file))
            found.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return sorted(path for name in found for path in files_of(name))


def absolute(node, file):
    """Return the full name of the module that an import statement of a file names."""
    if not node.level:
        return node.module or ""
    parents = file.relative_to(ROOT).parts[: -node.level]
    return ".".join([*parents, *filter(None, [node.module])])


def files_of(name):
    """Return the files of lib that importing a dotted name executes: its packages and its module."""
    parts, files = name.split("."), []
    if parts[0] != "lib":
        return files
    for n in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:n])
        own = (path.with_suffix(suffix) for suffix in (".py", ".csv", ".json"))  # a module, and its data
        files += [file for file in (path / "__init__.py", *own) if file.is_file()]
    return [file for file in files if file.relative_to(ROOT).as_posix() not in LEFT_OUT]


def source_of(file):
    """Return the Python text of a file, or of a notebook's code cells."""
    text = Path(file).read_text(encoding="utf-8")
    if Path(file).suffix == ".py":
        return text
    return "\n".join(
        "".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"
    )
