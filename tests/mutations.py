"""Deliberate faults: each is put into a copy of the project, and the tests that should see it are run.

    python -m tests.mutations [MODULE ...]                  those of tests/faults.py, or of some modules
    python -m tests.mutations --random 60 --seed 1 [...]    small changes drawn at random over lib

Prints a line a fault and the share that was caught; the exit code is 1 if one survived, or if its text
is no longer in the file. No part of `make test`: it takes half an hour.
"""

import argparse
import ast
import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from tests.faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "numpy",
    "pandas",
    "scipy.stats",
    "scipy.optimize",
    "scipy.signal",
    "torch",
    "h5py",
    "yaml",
    "PIL.Image",
    "sklearn.ensemble",
    "safetensors.torch",
    "matplotlib.pyplot",
    "IPython",
    "hypothesis.extra.numpy",
    "tqdm.auto",
    "rastermap",
    "pynwb",
    "allensdk.brain_observatory.ecephys.ecephys_session",
    "allensdk.brain_observatory.ecephys.ecephys_project_cache",
)
SPARE = 60  # s of computing beyond twice what the tests take without a fault; what takes more is endless
STALE = "its text is no longer in the file"
# Test files that see a module's faults, before or in place of that of its own name, which mirrors it
PROPERTIES = "responses/test_properties_estimators"
TESTS = {
    **{
        f"lib/experiment/{name}": ["experiment/test_folder", "experiment/test_loop"]
        for name in ("screen", "stimuli", "schedule", "responses", "confirm", "next_day")
    },
    "lib/data/counting": ["data/test_properties_counting", "data/test_counting"],
    "lib/data/conditions": [
        "data/test_properties_counting",
        "responses/test_receptive_fields",
        "models/test_training_sets",
    ],
    "lib/data/session": ["data/test_session", "data/sources/test_sources"],
    "lib/data/nwb_files": ["data/test_nwb_files", "data/sources/test_sources"],
    "lib/data/nwb_write": ["data/test_nwb_files", "data/test_simulated_session"],
    "lib/data/shown_images": ["data/test_shown_images", "data/sources/test_sources"],
    "lib/data/sources/arrays": [
        "data/test_session",
        "data/sources/test_arrays",
        "data/test_properties_input",
    ],
    "lib/data/sources/nwb": ["data/test_shown_images", "data/sources/test_sources"],
    "lib/data/sources/allen": ["data/sources/test_sources"],
    "lib/data/sources/choose": ["data/sources/test_sources"],
    "lib/data/sources/simulated": ["data/test_nwb_files", "data/test_simulated_session"],
    "lib/responses/reliability": [PROPERTIES, "responses/test_reliability"],
    "lib/responses/selection": ["responses/test_selection", PROPERTIES],
    "lib/responses/receptive_fields": ["responses/test_receptive_fields", "gabors/test_search"],
    "lib/responses/words": [
        "responses/test_words",
        "responses/test_receptive_fields",
        "responses/test_selection_pages",
    ],
    "lib/statistics": ["test_statistics", "population/test_table", PROPERTIES],
    "lib/words": ["test_words", "population/test_table", "book/test_site"],
    "lib/columns": ["population/test_table"],
    "lib/stimuli/contrast": [
        "stimuli/test_properties_images",
        "stimuli/test_patterns",
        "mei/test_search",
        "gabors/test_search",
    ],
    "lib/stimuli/metrics": ["stimuli/test_properties_images", "stimuli/test_metrics"],
    "lib/stimuli/patterns": ["stimuli/test_properties_images", "stimuli/test_patterns"],
    "lib/models/crossvalidation": ["models/test_crossvalidation", "models/test_v1"],
    "lib/models/network": ["models/test_network", "models/test_v1"],
    "lib/models/shared_network": ["models/test_network"],
    "lib/models/by_images": ["models/test_by_images"],
    "lib/models/fit_run": ["models/test_v1"],
    "lib/models/cores": ["models/test_v1"],
    "lib/models/ensemble": [
        "models/test_ensemble",
        "models/test_v1",
        "mei/test_search",
        "gabors/test_search",
    ],
    "lib/mei/search": ["stimuli/test_properties_images", "mei/test_search"],
    **{
        f"lib/mei/{name}": ["mei/test_search", "mei/test_words"]
        for name in ("ascent", "diverse", "localise", "mask")
    },
    "lib/mei/verdict": ["mei/test_search", "mei/test_words", "mei/test_recorded"],
    "lib/mei/words": ["mei/test_words", "mei/test_truth", "mei/test_recovery"],
    **{
        f"lib/gabors/{name}": ["stimuli/test_properties_images", "gabors/test_search"]
        for name in ("parameters", "grid", "search", "fit", "compare")
    },
    **{f"lib/population/{name}": ["population/test_table"] for name in ("table", "tests")},
    "lib/population/words": ["population/test_words", "population/test_table"],
    "lib/original/mei": ["mei/test_search", "original/test_audit_stimuli"],
    "lib/original/metrics": ["stimuli/test_metrics", "original/test_audit_stimuli"],
    "lib/params": ["test_params", "data/test_properties_input"],
    "lib/stages": ["test_stages", "workflow/test_execute"],
    "lib/files": ["test_stages", "data/test_session"],
    "lib/errors": ["test_stages", "data/sources/test_sources"],
    "workflow/report": ["test_stages", "workflow/test_pipeline"],
    "workflow/warm": ["workflow/test_execute"],
    "workflow/code_hash": ["workflow/test_code_hash", "workflow/test_pipeline"],
    "workflow/jobs": ["workflow/test_pipeline"],
    **{
        f"book/_ext/{name}": ["book/test_site"]
        for name in ("notebook_files", "labels", "figure_links", "unit_pages", "front_page")
    },
    **{f"book/_ext/{name}": ["book/test_neurons"] for name in ("neurons", "words", "pictures")},
}


# ---- small changes drawn at random --------------------------------------------------------------

UNSEEN = (
    "lib/figures",
    "lib/population/figures",
)  # pictures are held by the notebooks' stored outputs, not by unit tests
OPERATORS = {
    ast.Lt: ("<", ">="),
    ast.GtE: (">=", "<"),
    ast.Gt: (">", "<="),
    ast.LtE: ("<=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}


def random_faults(number, seed, modules):
    """Comparisons, signs, products, connectives and constants turned, each in one place of lib."""
    names = modules or sorted(
        path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "lib").rglob("*.py")
    )
    faults = [fault for name in names if name not in UNSEEN for fault in _changes(name)]
    return random.Random(seed).sample(faults, min(number, len(faults)))


def _changes(module):
    """All changes of a module as faults whose text is the whole file."""
    text = (ROOT / f"{module}.py").read_text(encoding="utf-8")
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    raw, found = text.encode(), []

    def at(line, column):
        return starts[line - 1] + column

    def change(start, stop, new, line):
        old = raw[start:stop].decode()
        mutated = (raw[:start] + new.encode() + raw[stop:]).decode()
        found.append(
            Fault(
                module,
                text,
                mutated,
                f"line {line}: {old.strip()} -> {new.strip()}  | " + text.splitlines()[line - 1].strip()[:60],
            )
        )

    def visit(node):
        if isinstance(node, ast.JoinedStr) or getattr(node, "name", "") == "main":
            return
        pairs = (
            [(node.left, node.ops[0], node.comparators[0])]
            if isinstance(node, ast.Compare)
            else [(node.left, node.op, node.right)]
            if isinstance(node, ast.BinOp)
            else [(node.values[0], node.op, node.values[1])]
            if isinstance(node, ast.BoolOp)
            else []
        )
        for left, operator, right in pairs:
            old, new = OPERATORS.get(type(operator), ("", ""))
            start, stop = at(left.end_lineno, left.end_col_offset), at(right.lineno, right.col_offset)
            place = raw[start:stop].find(old.encode())
            if old and place >= 0:
                change(start + place, start + place + len(old), new, left.end_lineno)
        if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
            value = node.value
            new = (
                not value
                if isinstance(value, bool)
                else value + 1
                if isinstance(value, int)
                else (2 * value or 1.0)
            )
            change(
                at(node.lineno, node.col_offset),
                at(node.end_lineno, node.end_col_offset),
                str(new),
                node.lineno,
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(text))
    return found


# ---- running ------------------------------------------------------------------------------------


def tests_of(module, folder):
    """The test files that should see a fault of a module, those that are in a copy."""
    top, *rooms, name = module.split("/")
    mirror = "/".join([{"workflow": "workflow/", "book": ""}.get(top, "") + "/".join(rooms), f"test_{name}"])
    mirror = mirror.replace("_ext", "book").strip("/").replace("//", "/")
    files = [f"tests/unit/{name}.py" for name in TESTS.get(module, [mirror])]
    return [file for file in files if (folder / file).exists()]


def copy_project():
    """Return a new folder with all of the project but what was built."""
    folder = Path(tempfile.mkdtemp(prefix="faults_"))
    left = shutil.ignore_patterns(".git", ".venv", "build", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=left, dirs_exist_ok=True)
    return folder


def import_packages():
    """Import what the tests import, less the project itself: forked processes need not do it again."""
    sys.dont_write_bytecode = True  # a fault of the same second and length would go unseen
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    os.environ["NUMBA_THREADING_LAYER"] = "workqueue"  # its OpenMP ends processes that were forked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in PACKAGES:
            importlib.import_module(name)


def start_tests(folder, files, limit=resource.RLIM_INFINITY):
    """Run test files in a copy, in a process of their own, whose id is returned; it writes a log.

    `limit` is in seconds of computing; a process that takes more is killed.
    """
    sys.stdout.flush()
    if child := os.fork():
        return child
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    os.chdir(folder)
    sys.path[0] = str(folder)
    for name in [name for name in sys.modules if name.split(".")[0] in ("lib", "tests", "workflow", "book")]:
        del sys.modules[name]
    output = os.open("faults.log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = pytest.main(
        [
            *files,
            "-x",
            "-q",
            "--tb=no",
            "-rfE",
            "-p",
            "no:xdist",
            "-p",
            "no:nbval",
            "--assert=plain",
            "--hypothesis-profile=unshrunk",
        ]
    )
    sys.stdout.flush()
    os._exit(int(code))


def first_failure(folder, status):
    """Return the first test that failed, or None if all passed."""
    if status == 0:
        return None
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return "endless"
    said = (folder / "faults.log").read_text()
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if not failed:
        raise RuntimeError(f"pytest ended with {status} and no failed test: {said[-2000:]}")
    return failed[0].split(" - ")[0].replace("tests/unit/test_", "")


def put(fault, folder):
    """Put a fault into a copy; return its text before, or None if the text of the fault is not there."""
    path = folder / f"{fault.module}.py"
    text = path.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        return None
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return text


def seconds_without_fault(files):
    """Return how long each test file computes where no fault is put; stop at a file that fails."""
    folder, seconds = copy_project(), {}
    for file in files:
        _, status, used = os.wait4(start_tests(folder, [file]), 0)
        if broken := first_failure(folder, status):
            sys.exit(f"without any fault {file} fails: {broken}")
        seconds[file] = used.ru_utime + used.ru_stime
    shutil.rmtree(folder)
    return seconds


def try_faults(faults, processes, seconds):
    """Yield (fault, outcome): the test that caught it, None for none, STALE if it cannot be put."""
    free, running, waiting = [copy_project() for _ in range(processes)], {}, list(faults)
    while waiting or running:
        if waiting and free:
            fault, folder = waiting.pop(0), free.pop()
            if (text := put(fault, folder)) is None:
                free.append(folder)
                yield fault, STALE
            else:
                files = tests_of(fault.module, folder)
                limit = round(SPARE + 2 * sum(seconds[file] for file in files))
                running[start_tests(folder, files, limit)] = fault, folder, text
        else:
            child, status = os.wait()
            fault, folder, text = running.pop(child)
            (folder / f"{fault.module}.py").write_text(text, encoding="utf-8")
            free.append(folder)
            yield fault, first_failure(folder, status)
    for folder in free:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="such as lib/mei/search; default: all")
    parser.add_argument("--random", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    faults = (
        random_faults(given.random, given.seed, given.modules)
        if given.random
        else [f for f in FAULTS if not given.modules or f.module in given.modules]
    )
    import_packages()
    folder = copy_project()
    files = sorted({file for fault in faults for file in tests_of(fault.module, folder)})
    shutil.rmtree(folder)
    seconds = seconds_without_fault(files)
    outcomes = []
    for fault, outcome in try_faults(faults, given.processes, seconds):
        outcomes.append(outcome)
        print(f"{fault.module:28} {fault.what:80} {outcome or 'SURVIVED'}", flush=True)
    stale, survived = outcomes.count(STALE), outcomes.count(None)
    tried = len(outcomes) - stale
    print(
        f"{tried - survived} of {tried} faults caught ({100 * (1 - survived / max(tried, 1)):.1f} %)"
        + (f"; {stale} no longer fit their file" if stale else "")
    )
    sys.exit(bool(survived or stale))


if __name__ == "__main__":
    main()
