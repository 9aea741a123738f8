"""Make the report of a run.

    python -m lib.report [PARAMS.yml] [--cores N] [--profile FOLDER] [--target NAME ...]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from lib.errors import InputError
from lib.params import DEFAULTS, ROOT, load_params, run_folder
from lib.results import NOTEBOOK


def make_report(params_file, *, cores, targets=(), profile=None):
    """Run the pipeline for one declaration; returns the exit code.

    Parameters
    ----------
    params_file : Path
        The declaration (see params.yml).
    cores : int
        Processes at once.
    targets : sequence of str
        Files inside build/<name>/ to make; none: the whole report.
    profile : Path, optional
        Snakemake profile, such as profiles/slurm.
    """
    params = load_params(params_file)
    folder = run_folder(params)
    folder.mkdir(parents=True, exist_ok=True)
    forget_failures(folder)
    started = time.time()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
                                "PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}
    command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(ROOT / "Snakefile"),
               "--directory", str(folder), "--cores", str(cores), "--config",
               f"params={Path(params_file).resolve()}", "--keep-going", "--rerun-incomplete",
               "--quiet", "all", "--nolock"]
    if profile:
        command += ["--profile", str(profile)]
    print(f"run {params['name']}: {folder}", flush=True)
    code = subprocess.run(command, env=environment, cwd=ROOT).returncode
    failed = failures(folder)
    print(stage_times(folder, since=started))
    for unit, stage, message in failed:
        print(f"unit {unit}: {NOTEBOOK[stage]} failed: {message}")
    if code == 0 and not targets:
        print(f"the book: {folder / 'site' / 'index.html'} ({time.time() - started:.0f} s)")
    return code or int(bool(failed))


def failures(folder):
    """Return (unit, stage, message) of every unit's first failed stage."""
    found = {}
    for path in sorted(Path(folder).glob("units/*/*.json")):
        content = json.loads(path.read_text())
        if "failed" in content:
            found.setdefault(path.parent.name, []).append((path.stem, content["failed"]))
    order = list(NOTEBOOK)
    return [(unit, *min(stages, key=lambda s: order.index(s[0]))) for unit, stages in found.items()]


def forget_failures(folder):
    """Remove the results of failed stages, so that they are tried again."""
    for path in Path(folder).glob("units/*/*.json"):
        if "failed" in json.loads(path.read_text()):
            path.unlink()


def stage_times(folder, *, since):
    """Return a table of the stages executed after a time: how many, seconds in all and each."""
    rows = {}
    for path in [*Path(folder).glob("*.json"), *Path(folder).glob("units/*/*.json"),
                 *Path(folder).glob("models/*.json")]:
        if path.stat().st_mtime < since:
            continue
        content = json.loads(path.read_text())
        if isinstance(content, dict) and "provenance" in content:
            stage = content["provenance"]["stage"]
            rows.setdefault(stage, []).append(content["provenance"]["seconds"])
    order = [*list(NOTEBOOK)[:3], "models", *list(NOTEBOOK)[3:]]
    lines = [f"  {stage:<11}{len(rows[stage]):>4} x {sum(rows[stage]) / len(rows[stage]):>6.1f} s"
             for stage in order if stage in rows]
    return "\n".join(["stages executed (notebook seconds, without start-up):",
                      *(lines or ["  none: nothing had changed"])])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("params", nargs="?", type=Path, default=DEFAULTS)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--target", nargs="*", default=())
    arguments = parser.parse_args()
    try:
        code = make_report(arguments.params, cores=arguments.cores, targets=arguments.target,
                           profile=arguments.profile)
    except InputError as error:
        print(error, file=sys.stderr)
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
