"""Make the report of a run.

python -m workflow.report [PARAMS.yml] [--notebook 05_mei | --pdf | --archive | --stimuli | --plan]
                          [--unit ID] [--cores N] [--profile slurm [--batch UNITS]]
"""

import argparse
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from lib.data.download import check_space
from lib.data.fingerprint import fingerprint
from lib.data.session import read_warnings
from lib.data.sources import choose
from lib.errors import InputError
from lib.files import ADDRESSES, ROOT, hide_secrets, write_json
from lib.machine import use_device
from lib.params import DEFAULTS, load_params, loop_files, model_files, nearest, run_folder
from lib.stages import NOTEBOOK, STAGES, UNIT_STAGES
from workflow import cluster, requests
from workflow.archive import make_archive
from workflow.warm import warm_process

# Beginnings of the variables of a shell that change what Python, its packages and git do
LEAKS = (
    "SNAKEMAKE", "JUPYTER", "IPYTHON", "PAPERMILL", "PYTHON", "MPL", "MATPLOTLIB", "XDG_", "GIT_", "SPHINX",
    "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "NUMBA_", "KMP_", "BLIS_", "VECLIB_", "TORCH_", "PYTORCH_",
)  # fmt: skip
# glibc gives large arrays back at once and has each new one filled with zeros, a tenth of a run's time
KEEP_MEMORY = {"MALLOC_ARENA_MAX": "1"} | dict.fromkeys(
    ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 28)
)
STIMULI = STAGES["stimuli"].makes[0]
SPACE = 1e9  # bytes that a run may need; the default one takes half of it
STEPS = re.compile(r"(\d+) of (\d+) steps .* done")
ROUTINE = re.compile(  # what Snakemake says of itself
    r"(Using |Assuming |Building DAG|Provided cores|Rules claiming|Job stats|job +count|-+  |\w+ +\d+$|"
    r"Select jobs|Execute \d|\[\w{3} |Finished jobid|DAG of jobs|Updating checkpoint|Complete log|"
    r"Nothing to be done|Touching output|Elapsed time|SLURM run ID|Provided re|No SLURM account|"
    r"No account was|Unable to guess SLURM|Cleaning up SLURM|MinJobAge|Job \d+ has been submitted|\s*$)"
)


def make_report(
    params_file, *, cores=None, notebook=None, unit=None, profile=None, batch=None, plan=False, stimuli=False
):
    """Run the pipeline for one declaration; returns the exit code.

    Parameters
    ----------
    params_file : Path
        The declaration (see params.yml).
    cores : int, optional
        Processes at once; all cores if not given. With a profile: cores of a job at most.
    notebook : str, optional
        Execute this notebook again, such as 05_mei (with `unit` from 04 on), and what it needs.
    unit : int, optional
        Without `notebook`: every stage of this unit. Neither: the whole report.
    profile : Path, optional
        Folder of a Snakemake profile, or the name of one in workflow/profiles, such as slurm.
    batch : int, optional
        With a profile: units in one job.
    plan : bool
        Only say which stages would be executed, and how often.
    stimuli : bool
        Only what the next experiment shows, written again.
    """
    params = load_params(params_file)
    profile = profile and _profile(profile)
    targets = [STIMULI] if stimuli else _targets(notebook, unit)
    units = choose.prepare(params).index
    if isinstance(params["cnn"]["model"], dict):
        from lib.models import own_checks  # and with it torch, for which other runs need not wait here

        own_checks.check_declared(params, units)
    size = requests.size_of(params, len(units))
    contents = {
        "data": choose.contents(params["source"], params["session"]),
        "models": {path: fingerprint(path) for path in model_files(params)},
        "loop": {path: fingerprint(path) for path in loop_files(params)},
    }
    folder = run_folder(params)
    check_space(folder, f"run {params['name']}", SPACE)
    on_cluster = cluster.options(profile) if profile else []
    if params["device"] == "cuda" and not profile:
        needs = requests.needs(params, size)
        use_device(
            "cuda", needs=max(mb for rule, (_, mb) in needs.items() if "device" in requests.takes(rule))
        )
    lock = _lock(folder)
    started, secrets = time.time(), {}
    hide_secrets(params["session"], secrets)
    environment = clean_environment(folder, secrets)
    declared = {"params": str(Path(params_file).expanduser().resolve()), "contents": contents}
    write_json(folder / "declared.json", declared)
    write_json(folder / "requests.json", requests.requests(params, size))
    command = [
        sys.executable,
        "-m",
        "snakemake",
        *targets,
        *(["--forcerun", *targets] if notebook or stimuli else []),
        "--snakefile",
        str(ROOT / "workflow" / "Snakefile"),
        "--directory",
        str(folder),
    ]
    if cores or not profile:
        command += ["--cores", str(cores or os.cpu_count())]
    if profile:
        command += ["--profile", str(profile), *on_cluster]
    if batch:
        command += ["--group-components", f"unit={batch}"]
    selected = folder / "selected.json"
    pages = requests.pages(params, size, json.loads(selected.read_text()) if selected.exists() else None)
    warning = None if profile else requests.too_small(params, size)
    if plan:
        code = print_plan(command, environment)
        print(requests.describe(params, size, pages))
    if warning:
        print(f"warning: {warning}", file=sys.stderr, flush=True)
    if plan:
        return code
    forget_failures(folder)
    print(f"run {params['name']}: {folder}", flush=True)
    with (
        nullcontext(environment)
        if profile or sys.platform != "linux"
        else warm_process(environment) as environment
    ):
        code = run_and_tell(command, environment, lock)
    lock.close()
    failed = failures(folder)
    print(stage_times(folder, since=started))
    for warning in read_warnings(folder):
        print(f"warning: {warning}")
    for unit, stage, message in failed:
        print(f"unit {unit}: {NOTEBOOK[stage]} failed: {message}")
    book = folder / "site" / "index.html"
    if code == 0 and not targets and book.is_file():
        print(f"the book: {book} ({time.time() - started:.0f} s)")
    elif code and not targets:
        print(
            "no new book: a stage failed, as said above" + ("; the old one stays" if book.is_file() else "")
        )
    if code == 0 and stimuli:
        from lib.experiment.folder import read_stimuli

        shown = read_stimuli(folder / STIMULI.split("/")[0])
        print(f"the stimuli: {shown.folder} ({len(shown.table)} pictures; start with its README.md)")
    return code or int(bool(failed))


def clean_environment(folder, secrets=()):
    """Return the environment of a run's jobs: that of the shell without the settings that change results.

    Snakemake, IPython, Jupyter and matplotlib read the user's own settings and keep caches beside them;
    those of a run are below its folder. What a machine needs stays: proxies, certificates, the cluster's.

    Parameters
    ----------
    folder : Path
        Of the run.
    secrets : dict of str to str, optional
        Addresses with their secrets, by what is shown of them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEAKS)}
    own, home = folder / ".config", kept.get("HOME", "")
    if not os.access(home, os.W_OK | os.X_OK):
        kept["HOME"] = str(own)
    own.mkdir(parents=True, exist_ok=True)
    return kept | {
        **KEEP_MEMORY,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "IPYTHONDIR": str(own / "ipython"),
        "JUPYTER_NO_CONFIG": "1",
        "JUPYTER_CONFIG_DIR": str(own / "jupyter"),
        "JUPYTER_DATA_DIR": str(own / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(own / "jupyter"),
        "MPLCONFIGDIR": str(own / "matplotlib"),
        "XDG_CACHE_HOME": str(own / "cache"),
        "XDG_CONFIG_HOME": str(own),
        "XDG_DATA_HOME": str(own / "share"),
        ADDRESSES: json.dumps(dict(secrets)),
    }


def print_report(params_file, *, cores=None, unit=None, profile=None):
    """Make the whole report and the PDF of its book, or of one unit's page; returns the exit code.

    Parameters
    ----------
    params_file, cores, profile
        As for `make_report`.
    unit : int, optional
        The unit; the whole book if not given.
    """
    from book._ext import pdf  # reading HTML and PDF is no part of other runs

    browser = pdf.find_browser()
    code = make_report(params_file, cores=cores, profile=profile)
    folder = run_folder(load_params(params_file))
    if code and not failures(folder):
        return code
    print("PDF ...", flush=True)
    started = time.time()
    path = pdf.make_pdf(folder, unit=unit, browser=browser)
    print(f"the PDF: {path} ({time.time() - started:.0f} s)")
    return code


def archive_report(params_file, *, cores=None, profile=None):
    """Make the whole report and one zip of it; returns the exit code. Arguments as for `make_report`."""
    code = make_report(params_file, cores=cores, profile=profile)
    params = load_params(params_file)
    if code and not failures(run_folder(params)):
        return code
    path = make_archive(run_folder(params), params)
    print(f"the archive: {path} ({path.stat().st_size / 1e6:.0f} MB)")
    return code


def run_and_tell(command, environment, lock):
    """Run Snakemake and print what it says that a reader needs; returns its exit code.

    Snakemake holds the lock too: killed alone, this process leaves it behind with its last jobs.
    """
    with subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        text=True,
        errors="replace",
        stderr=subprocess.PIPE,
        pass_fds=[lock.fileno()],
    ) as process:
        for line in process.stderr:
            if steps := STEPS.match(line):
                done, total = map(int, steps.groups())
                print(f"  {done} of {total} steps done, {total - done} left", flush=True)
            elif not ROUTINE.match(line):
                print(line, end="", file=sys.stderr, flush=True)
    return process.returncode


def print_plan(command, environment):
    """Print how often each rule would be executed; returns Snakemake's exit code."""
    done = subprocess.run(
        [*command, "--dry-run"],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    rules = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    steps = int(rules.pop("total", 0))
    print(
        "\n".join([f"{steps} steps", *(f"  {rule:<11}{count:>6}" for rule, count in rules.items())])
        if not done.returncode
        else done.stdout
    )
    return done.returncode


def _lock(folder):
    """Return an open file that no other run of this folder can open so; the system frees it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115, held until the run ends
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to: {error.strerror}; make room or give yourself "
            "the right to write there"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(
            f"{folder} is being made by another `make report`; wait for it, or give this run another `name`"
        ) from None
    return lock


def _profile(given):
    """Return the folder of a Snakemake profile: a path, or the name of one of this project's."""
    for folder in (Path(given), ROOT / "workflow" / "profiles" / Path(given).name):
        if (folder / "config.yaml").is_file():
            return folder
    raise InputError(f"PROFILE={given}: no config.yaml there; give a folder that holds one, or `slurm`")


def _targets(notebook, unit):
    """Return the files to make, paths inside build/<name>/."""
    of_unit = [NOTEBOOK[stage] for stage in UNIT_STAGES]
    names = list(NOTEBOOK.values())
    if notebook and notebook not in names:
        raise InputError(f"NB={notebook}: no such notebook; {nearest(notebook, names)}")
    if notebook and (notebook in of_unit) != (unit is not None):
        raise InputError(f"NB={notebook} " + ("takes no UNIT" if unit is not None else "needs UNIT=unit_id"))
    if unit is not None:
        return [f"units/{unit}/{notebook or of_unit[-1]}.ipynb"]
    return [f"notebooks/{notebook}.ipynb"] if notebook else []


def failures(folder):
    """Return (unit, stage, message) of every unit's first failed stage."""
    found = {}
    for path in sorted(Path(folder).glob("units/*/*.json")):
        content = json.loads(path.read_text())
        if "failed" in content:
            found.setdefault(path.parent.name, []).append((path.stem, content["failed"]))
    order = list(STAGES)
    return [(unit, *min(stages, key=lambda s: order.index(s[0]))) for unit, stages in found.items()]


def forget_failures(folder):
    """Remove the results of failed stages, so that they are tried again."""
    for path in Path(folder).glob("units/*/*.json"):
        if "failed" in json.loads(path.read_text()):
            path.unlink()


def stage_times(folder, *, since):
    """Return a table of the stages executed after a time: how many, seconds in all and each."""
    rows = {}
    for path in [
        *Path(folder).glob("*.json"),
        *Path(folder).glob("units/*/*.json"),
        *Path(folder).glob("models/*.json"),
    ]:
        if path.stat().st_mtime < since:
            continue
        content = json.loads(path.read_text())
        if isinstance(content, dict) and "provenance" in content:
            stage = content["provenance"]["stage"]
            rows.setdefault(stage, []).append(content["provenance"]["seconds"])
    lines = [
        f"  {stage:<11}{len(rows[stage]):>4} x {sum(rows[stage]) / len(rows[stage]):>6.1f} s"
        for stage in (*STAGES, "book")
        if stage in rows
    ]
    return "\n".join(
        [
            "stages executed (how often, seconds each without start-up):",
            *(lines or ["  none: nothing had changed"]),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("params", nargs="?", type=Path, default=DEFAULTS)
    parser.add_argument("--cores", type=int)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--notebook")
    parser.add_argument("--unit", type=int)
    parser.add_argument("--pdf", action="store_true")
    parser.add_argument("--stimuli", action="store_true")
    parser.add_argument("--archive", action="store_true")
    arguments = parser.parse_args()
    if arguments.pdf and arguments.notebook:
        parser.error("--pdf prints finished pages: it takes --unit, not --notebook")
    options = {"cores": arguments.cores, "unit": arguments.unit, "profile": arguments.profile}
    try:
        if arguments.pdf:
            code = print_report(arguments.params, **options)
        elif arguments.archive:
            code = archive_report(arguments.params, cores=arguments.cores, profile=arguments.profile)
        else:
            code = make_report(
                arguments.params,
                notebook=arguments.notebook,
                batch=arguments.batch,
                plan=arguments.plan,
                stimuli=arguments.stimuli,
                **options,
            )
    except InputError as error:
        print(error, file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("stopped; the same command resumes from here", file=sys.stderr)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
