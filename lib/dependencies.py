"""Which modules of lib a notebook uses, so that a change of one redoes what depends on it and no more."""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

from lib.params import ROOT

# How a run is declared, not what is computed; what of it matters reaches a stage as its parameters.
LEFT_OUT = {"errors", "params"}


def used_files(name, *modules):
    """Return the files that a notebook (or a module of lib) uses: itself and modules of lib.

    Parameters
    ----------
    name : str
        A path below the project's folder, such as notebooks/05_mei.ipynb or lib/fitting.py.
    *modules : str
        Further modules that are imported by a name known only in the run, such as sources/simulated.

    Returns
    -------
    list of str
        Absolute paths.
    """
    files, waiting = [], [ROOT / name, *(ROOT / "lib" / f"{module}.py" for module in modules)]
    while waiting:
        file = waiting.pop(0)
        if file not in files:
            files.append(file)
            waiting += imported(file)
    return [str(file) for file in files]


def code_hash(name, *modules):
    """Return a hash of the code of `used_files`, of notebooks without the outputs stored in them.

    A parameter of a rule in place of its files as inputs: what was touched but is the same redoes
    nothing, and a run of thousands of units has some hundred thousand files less to look at.
    """
    digest = hashlib.sha256()
    for file in map(Path, used_files(name, *modules)):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            text = json.dumps([[cell["cell_type"], cell["metadata"], "".join(cell["source"])]
                               for cell in json.loads(text)["cells"]])
        digest.update(f"{file.relative_to(ROOT)}\n{text}\n".encode())
    return digest.hexdigest()[:16]


@cache
def imported(file):
    """Return the modules of lib that a Python file or a notebook imports itself."""
    found = []
    for node in ast.walk(ast.parse(source_of(file))):
        if isinstance(node, ast.ImportFrom) and node.module == "lib":
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib."):
            found.append(node.module[4:].replace(".", "/"))
    paths = [ROOT / "lib" / name for name in found if name not in LEFT_OUT]
    return [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in paths]


def source_of(file):
    """Return the Python text of a file, or of a notebook's code cells."""
    text = Path(file).read_text(encoding="utf-8")
    if Path(file).suffix == ".py":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]
                     if cell["cell_type"] == "code")
