"""What a stage leaves for the next ones: scalars as JSON, arrays as .npz, and where they come from."""

import dataclasses
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from lib.errors import InputError
from lib.node import local_copy
from lib.params import ROOT
from lib.session import file_hash, required

PACKAGES = ("numpy", "scipy", "pandas", "torch", "scikit-learn", "rastermap", "allensdk")
NOTEBOOK = {"data": "01_data", "rasterplot": "02_rasterplot", "oracle": "03_oracle",
            "cnn": "04_cnn", "mei": "05_mei", "gabor": "06_gabor", "metrics": "07_metrics",
            "population": "08_population", "audit": "09_audit"}
FIGURE_DATA = "figure_data"  # folder beside the results: the data of a notebook's figures


@dataclasses.dataclass
class Stage:
    """One execution of one notebook: where it reads and writes, and its provenance."""

    name: str
    run_folder: Path
    unit_id: int | None
    parameters: dict
    started: float
    inputs: dict = dataclasses.field(default_factory=dict)

    @property
    def folder(self):
        """Where this stage writes: the run's folder, or the unit's folder in it."""
        return self.run_folder / "units" / str(self.unit_id) if self.unit_id else self.run_folder

    def use(self, path):
        """Return the path of an input after noting its hash for the provenance."""
        path = Path(path)
        self.inputs[os.path.relpath(path, self.run_folder)] = file_hash(local_copy(path))
        return path

    def load(self, stage):
        """Return (scalars, arrays) of an earlier stage of the same unit."""
        scalars, arrays = load_result(self.folder, stage)
        self.use(self.folder / f"{stage}.json")
        return scalars, arrays

    def save(self, scalars, arrays=None):
        """Write this stage's result; returns the provenance that was written with it."""
        if arrays:
            write_atomically(self.folder / f"{self.name}.npz",
                             lambda path: np.savez_compressed(path, **arrays))
        provenance = self.provenance()
        content = {"scalars": scalars, "provenance": provenance}
        write_json(self.folder / f"{self.name}.json", content)
        return provenance

    def provenance(self):
        """Return parameters, versions, git revision, input hashes, seconds and peak memory."""
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "stage": self.name, "unit_id": self.unit_id, "parameters": self.parameters,
            "python": sys.version.split()[0],
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            "revision": git_revision(), "inputs": self.inputs,
            "seconds": round(time.time() - self.started, 1),
            "peak_memory_mib": round(usage / (1 << 20 if sys.platform == "darwin" else 1 << 10)),
        }


def begin(stage, variables):
    """Start a stage in a notebook: call it in the cell after the parameters.

    From then on the data of every figure that is shown are saved too: see `lib.plotted`.

    Parameters
    ----------
    stage : str
        data, rasterplot, oracle, cnn, mei, gabor, metrics or population.
    variables : dict
        `globals()` of the notebook; the plain values in it are the parameters.

    Returns
    -------
    Stage
    """
    from lib import plotted  # and with it matplotlib, which only notebooks need

    plain = {name: value for name, value in variables.items()
             if not name.startswith("_") and name not in ("In", "Out", "exit", "quit")
             and isinstance(value, (int, float, str, bool, list, dict))}
    folder = Path(plain["run_folder"])
    folder = folder if folder.is_absolute() else ROOT / folder
    shown = {k: v for k, v in plain.items() if k not in ("run_folder", "unit_id")}
    begun = Stage(stage, folder, plain.get("unit_id"), shown, time.time())
    plotted.describe_figures(begun.folder / FIGURE_DATA / NOTEBOOK[stage])
    return begun


def load_result(folder, stage):
    """Return (scalars, arrays) of a stage.

    Raises
    ------
    InputError
        If the stage has not run, or failed: one line that says so.
    """
    path = required(Path(folder) / f"{stage}.json", NOTEBOOK[stage])
    content = json.loads(path.read_text())
    if "failed" in content:
        raise InputError(f"{NOTEBOOK[stage]} failed before ({content['failed']}); mend that first")
    arrays = {}
    if (npz := path.with_suffix(".npz")).exists():
        with np.load(npz, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    return content["scalars"], arrays


def write_json(path, content):
    """Write JSON under a temporary name, then rename; NaN becomes null."""
    text = json.dumps(_plain(content), indent=1, allow_nan=False)
    write_atomically(path, lambda partial: partial.write_text(text + "\n"))


def write_atomically(path, write):
    """Call `write` with a temporary path of the same ending, then rename it to `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    write(partial)
    os.replace(partial, path)


def git_revision():
    """Return the short git revision, '+' added if files differ from it; 'unknown' outside git."""
    def git(*args):
        return subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True)
    head = git("rev-parse", "--short=12", "HEAD")
    if head.returncode:
        return "unknown"
    return head.stdout.strip() + ("+" if git("status", "--porcelain").stdout.strip() else "")


def provenance_table(provenance):
    """Return a provenance as Markdown, for the end of a page."""
    rows = [("parameters", ", ".join(f"{k} = {v}" for k, v in provenance["parameters"].items() if v != {})),
            ("inputs (sha256)", ", ".join(f"{k} {v}" for k, v in provenance["inputs"].items())),
            ("versions", ", ".join([f"python {provenance['python']}"] + [
                f"{k} {v}" for k, v in provenance["packages"].items()])),
            ("git revision", provenance["revision"]),
            ("took", f"{provenance['seconds']} s, {provenance['peak_memory_mib']} MiB at most")]
    notebook = NOTEBOOK[provenance["stage"]]
    unit = f" UNIT={provenance['unit_id']}" if provenance["unit_id"] else ""
    lines = ["| provenance | |", "|---|---|", *(f"| {k} | {v or 'none'} |" for k, v in rows),
             f"| rerun | `make notebook NB={notebook}{unit}` |"]
    return "\n".join(lines)


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
