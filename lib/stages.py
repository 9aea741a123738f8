"""The stages of a report, one table of them, and what an execution of one leaves for the next.

Scalars go to JSON, arrays to .npz, each with its provenance. `workflow/Snakefile` makes a rule of every
row of `STAGES`.
"""

from __future__ import annotations

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
from lib.files import ROOT, file_hash, hide_secrets, required, write_atomically, write_json
from lib.machine import device_name, local_copy, use_device

PACKAGES = ("numpy", "scipy", "pandas", "torch", "scikit-learn", "rastermap", "allensdk")
FIGURE_DATA = "figure_data"  # folder beside the results: the data of a notebook's figures
RESULTS = "units/{unit}/*.json"  # a need: the results of every stage of every selected unit


@dataclasses.dataclass(frozen=True)
class StageRow:
    """A row of `STAGES`.

    Attributes
    ----------
    notebook : str or None
        Such as 05_mei; None for a job that is no notebook (`workflow.jobs`).
    per_unit : bool
        Executed once for each selected unit.
    needs, makes : tuple of str
        Files of the run's folder that it reads, and those that it writes beside its notebook.
        `session.sha256` stands for the session, of which it is the hash.
    takes : tuple of str
        What it takes from params.yml: sections, or single parameters such as mei.contrast.
    code : str
        Of a job: the module of lib that does it.
    """

    notebook: str | None
    per_unit: bool = False
    needs: tuple = ()
    makes: tuple = ()
    takes: tuple = ()
    code: str = ""


SESSION, UNIT = "session.sha256", "units/{unit}/"
STAGES = {
    "data": StageRow(
        "01_data",
        makes=("session.h5", SESSION),
        takes=("data", "source", "session", "structure", "simulation"),
    ),
    "rasterplot": StageRow(
        "02_rasterplot", needs=("session.h5",), makes=("rasterplot.json",), takes=("rasterplot", "seed")
    ),
    "oracle": StageRow(
        "03_oracle",
        needs=("session.h5",),
        makes=("oracle.csv", "selected.json"),
        takes=("oracle", "units", "seed"),
    ),
    "models": StageRow(
        None,
        needs=("session.h5", "oracle.csv"),
        makes=("models/scores.csv", "models/models.json"),
        takes=("cnn", "seed", "device"),
        code="lib/models/fit_run.py",
    ),
    "gabor_grid": StageRow(
        None,
        needs=("session.h5", "models/scores.csv"),
        makes=("gabor_grid.json", "gabor_grid.npz"),
        takes=("gabor.grid", "cnn.model", "mei.contrast", "device"),
        code="lib/gabors/grid.py",
    ),
    "cnn": StageRow("04_cnn", True, (SESSION, "models/scores.csv"), (f"{UNIT}cnn.json",)),
    "mei": StageRow(
        "05_mei", True, (SESSION, f"{UNIT}cnn.json"), (f"{UNIT}mei.json",), ("mei", "seed", "device")
    ),
    "gabor": StageRow(
        "06_gabor",
        True,
        (SESSION, "gabor_grid.json", f"{UNIT}mei.json"),
        (f"{UNIT}gabor.json",),
        ("gabor", "seed", "device"),
    ),
    "metrics": StageRow(
        "07_metrics", True, (SESSION, f"{UNIT}gabor.json"), (f"{UNIT}metrics.json",), ("metrics",)
    ),
    "power": StageRow(
        None,
        makes=("power.json",),
        takes=("power", "mei.contrast", "mei.finest_detail", "seed", "device"),
        code="lib/mei/recovery.py",
    ),
    "physiology": StageRow(
        "13_physiology",
        needs=("session.h5", "oracle.csv", "models/scores.csv", "gabor_grid.npz"),
        makes=("physiology.json", "physiology.csv"),
        takes=("seed",),
    ),
    "population": StageRow(
        "08_population",
        needs=(
            *("session.h5", "rasterplot.json", "oracle.csv", "power.json", "models/scores.csv"),
            *("physiology.csv", RESULTS),
        ),
        makes=("units.csv", "columns.csv", "population.json"),
        takes=("population", "seed"),
    ),
    "stimuli": StageRow(
        None,
        needs=("session.h5", "units.csv", "population.json"),
        makes=("stimuli/stimuli.csv", "stimuli/presentations.csv"),
        takes=("stimuli", "screen", "seed"),
        code="lib/experiment/folder.py",
    ),
    "loop": StageRow(
        "10_loop",
        needs=("session.h5", "units.csv", "stimuli/stimuli.csv"),
        makes=("loop.json", "loop.csv", "loop_kinds.csv", "loop_conclusions.md"),
        takes=("loop", "source", "seed"),
    ),
    "transfer": StageRow(
        "11_transfer",
        needs=("session.h5", "oracle.csv"),
        makes=("transfer.json", "transfer.csv"),
        takes=("seed", "device"),
    ),
    "verdict": StageRow("12_verdict", needs=("units.csv",), makes=("verdict.json",)),
    "audit": StageRow(
        "09_audit",
        needs=("session.h5", "oracle.csv", "models/scores.csv", "units.csv", "population.json"),
        makes=("audit.json",),
        takes=("audit", "seed"),
    ),
}
NOTEBOOK = {name: row.notebook for name, row in STAGES.items() if row.notebook}
UNIT_STAGES = tuple(name for name, row in STAGES.items() if row.per_unit)


@dataclasses.dataclass
class Stage:
    """One execution of one stage: where it reads and writes, and its provenance."""

    name: str
    run_folder: Path
    unit_id: int | None
    parameters: dict
    started: float
    inputs: dict = dataclasses.field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this stage writes: the run's folder, or the unit's folder in it."""
        return self.run_folder if self.unit_id is None else self.run_folder / "units" / str(self.unit_id)

    def use(self, path: Path | str) -> Path:
        """Return the path of an input, absolute or below the run's folder, after noting its hash."""
        path = self.run_folder / path
        self.inputs[os.path.relpath(path, self.run_folder)] = file_hash(local_copy(path))
        return path

    def load(self, stage: str) -> tuple[dict, dict]:
        """Return (scalars, arrays) of an earlier stage of the same unit."""
        scalars, arrays = load_result(self.folder, stage)
        self.use(self.folder / f"{stage}.json")
        return scalars, arrays

    def save(self, scalars: dict, arrays: dict | None = None, *, path: str | None = None) -> dict:
        """Write this stage's result, at `path` or as <name>.json; returns the provenance written with it."""
        path = self.folder / f"{path or self.name}.json"
        if arrays:
            write_atomically(path.with_suffix(".npz"), lambda partial: np.savez_compressed(partial, **arrays))
        provenance = self.provenance()
        write_json(path, {"scalars": scalars, "provenance": provenance})
        return provenance

    def provenance(self) -> dict:
        """Return parameters, versions, git revision, input hashes, seconds and peak memory."""
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "stage": self.name,
            "unit_id": self.unit_id,
            "parameters": self.parameters,
            "python": sys.version.split()[0],
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            "revision": git_revision(),
            "inputs": self.inputs,
            "seconds": round(time.time() - self.started, 1),
            "device": device_name(),
            "peak_memory_mib": round(usage / (1 << 20 if sys.platform == "darwin" else 1 << 10)),
        }


def begin(stage: str, variables: dict) -> Stage:
    """Start a stage, a name of `STAGES`, in a notebook: call it in the cell after the parameters.

    From then on the data of every figure that is shown are saved too: see `lib.figure_data`. `variables` are
    `globals()` of the notebook; the plain values in it are the parameters. A parameter `device` says where
    torch works (`lib.machine.use_device`).
    """
    from lib import figure_data  # and with it matplotlib, which only notebooks need

    plain = {
        name: value
        for name, value in variables.items()
        if not name.startswith("_")
        and name not in ("In", "Out", "exit", "quit")
        and isinstance(value, (int, float, str, bool, list, dict))
    }
    folder = Path(plain["run_folder"])
    folder = folder if folder.is_absolute() else ROOT / folder
    shown = {k: hide_secrets(v, {}) for k, v in plain.items() if k not in ("run_folder", "unit_id")}
    if "device" in plain:
        use_device(plain["device"])
    begun = Stage(stage, folder, plain.get("unit_id"), shown, time.time())
    figure_data.describe_figures(begun.folder / FIGURE_DATA / NOTEBOOK[stage])
    return begun


def load_result(folder: Path | str, stage: str) -> tuple[dict, dict]:
    """Return (scalars, arrays) of a stage; `InputError` if it has not run, or failed."""
    path = required(Path(folder) / f"{stage}.json", NOTEBOOK[stage])
    content = json.loads(path.read_text())
    if "failed" in content:
        raise InputError(f"{NOTEBOOK[stage]} failed before ({content['failed']}); fix that first")
    arrays = {}
    if (npz := path.with_suffix(".npz")).exists():
        with np.load(npz, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    return content["scalars"], arrays


def git_revision() -> str:
    """Return the short git revision, '+' added if files differ from it.

    'unknown' without git, outside it, or inside the repository of something else.
    """

    def git(*args):
        own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True, env=own)

    try:
        inside, head = git("rev-parse", "--show-prefix"), git("rev-parse", "--short=12", "HEAD")
    except OSError:
        return "unknown"
    if inside.returncode or head.returncode or inside.stdout.strip():
        return "unknown"
    return head.stdout.strip() + ("+" if git("status", "--porcelain").stdout.strip() else "")


def provenance_table(provenance: dict) -> str:
    """Return a provenance as Markdown, for the end of a page."""
    device = provenance.get("device", "cpu")  # the rule, of which nothing is said
    device = "" if device == "cpu" else f", on {device}"
    versions = {"python": provenance["python"]} | provenance["packages"]
    rows = [
        ("parameters", ", ".join(f"{k} = {v}" for k, v in provenance["parameters"].items() if v != {})),
        ("inputs (sha256)", ", ".join(f"{k} {v}" for k, v in provenance["inputs"].items())),
        ("versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ("git revision", provenance["revision"]),
        ("took", f"{provenance['seconds']} s, {provenance['peak_memory_mib']} MiB at most{device}"),
    ]
    notebook, unit_id = NOTEBOOK[provenance["stage"]], provenance["unit_id"]
    unit = "" if unit_id is None else f" UNIT={unit_id}"
    lines = [
        "| provenance | |",
        "|---|---|",
        *(f"| {k} | {v or 'none'} |" for k, v in rows),
        f"| rerun | `make notebook NB={notebook}{unit}` |",
    ]
    return "\n".join(lines)
