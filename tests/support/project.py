"""A copy of the project in which every job only writes its files: for what the pipeline redoes, and when."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from lib.files import ROOT

needs_plain_path = pytest.mark.skipif(
    shlex.quote(sys.executable) != sys.executable, reason="Snakemake names Python to a cluster unquoted"
)
STUB = """
import json, os, sys, time
from pathlib import Path

from lib.stages import STAGES

ALSO = {row.notebook or name: [f for f in row.makes if not row.per_unit] for name, row in STAGES.items()}

def main(module):
    parameters = {}
    job, files = "book" if module == "book._ext.site" else Path(sys.argv[1]).stem, []
    if module == "workflow.execute":
        parameters = json.loads(sys.argv[2])
        files = [sys.argv[1], *sys.argv[4:]]
    label = f"{job} {parameters.get('unit_id', '')}".strip()
    if Path("hang").exists() and Path("hang").read_text() == label:
        Path("hung").touch()
        time.sleep(60)
    for file in files + ALSO.get(job, []):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(parameters["units"]) if file == "selected.json" else "{}"
        Path(file).write_text(text * (1 << 20) if file == "session.h5" else text)
    with open("jobs.log", "a") as log:
        log.write(label + "\\n")
    sys.exit()
"""
A, B, C, D = 951000000, 951000012, 951000024, 951000036  # units of the simulated session


class Project:
    """A copy of the project in which a job only writes its files and its name."""

    def __init__(self, root):
        self.root, self.run, self.cluster = root, root / "build" / "stub", root / "cluster"

    def copy_sources(self):
        for name in ("lib", "notebooks", "book", "workflow", "tests/support/slurm"):
            shutil.copytree(
                ROOT / name, self.root / name, ignore=shutil.ignore_patterns("mathjax", "__pycache__")
            )
        for name in ("params.yml", "_config.yml", "CITATION.cff"):
            shutil.copy2(ROOT / name, self.root / name)
        (self.root / "stub.py").write_text(STUB)
        for name in ("workflow.execute", "workflow.jobs", "book._ext.site"):
            file = self.root / f"{name.replace('.', '/')}.py"
            file.write_text(
                f"if __name__ == '__main__':\n    import stub\n    stub.main('{name}')\n" + file.read_text()
            )
        self.declare()

    def declare(self, units=(A, B, C), **changes):
        params = {"name": "stub", "units": list(units)} | changes
        (self.root / "my.yml").write_text(yaml.safe_dump(params))

    def start(self, *options):
        path = (
            f"{self.root / 'tests/support/slurm'}{os.pathsep}{os.environ['PATH']}"  # the stand-in for Slurm
        )
        return subprocess.Popen(
            [sys.executable, "-m", "workflow.report", "my.yml", "--cores", "2", *options],
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(self.root), "PATH": path, "STAND_IN": str(self.cluster)},
        )

    def report(self, *options):
        """Make the report; returns the jobs that were executed, in order, and what was printed."""
        log = self.run / "jobs.log"
        log.unlink(missing_ok=True)
        process = self.start(*options)
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
        return (log.read_text().splitlines() if log.exists() else []), printed
