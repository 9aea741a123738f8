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
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from tests.faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "lib",
    "notebooks",
    "tests",
    "book",
    "benchmarks",
    "profiles",
    "params.yml",
    "Snakefile",
    "pyproject.toml",
    "README.md",
    "_config.yml",
    "Makefile",
)
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
LIMIT = 120  # s of computing; a fault that makes a test endless is caught
STALE = "its text is no longer in the file"
# The test files of a module, tests/unit/test_<name>.py, quick ones first; that of its own name if it is
# not here
TESTS = {
    "counts": ["properties_counts", "counts"],
    "reliability": ["properties_estimators", "reliability"],
    "selection": ["selection", "properties_estimators"],
    "statistics": ["statistics", "population", "properties_estimators"],
    "stimuli": ["properties_images", "stimuli"],
    "metrics": ["properties_images", "metrics"],
    "gabors": ["gabors", "gabor_search"],
    "conditions": ["properties_counts", "gabors", "more_stimuli"],
    "gabor_search": ["properties_images", "gabor_search"],
    "crossvalidation": ["crossvalidation", "models"],
    "network": ["network", "models"],
    "fitting": ["models"],
    "ensemble": ["ensemble", "mei"],
    "mei": ["properties_images", "mei", "mei_sentences"],
    "params": ["params", "properties_input"],
    "session": ["session", "sources"],
    "sources/arrays": ["session", "arrays", "properties_input"],
    "sources/nwb": ["templates", "sources"],
    "sources/templates": ["templates", "sources"],
    "sources/allen": ["sources"],
    "sources/simulated": ["nwb", "simulation"],
    "sources/__init__": ["sources"],
    "nwb": ["nwb", "sources"],
    "results": ["results", "execute"],
    "report": ["results", "pipeline"],
    "warm": ["execute"],
    "dependencies": ["pipeline"],
    "errors": ["results", "sources"],
}


# ---- small changes drawn at random --------------------------------------------------------------

UNSEEN = ("figures",)  # pictures are held by the notebooks' stored outputs, not by unit tests
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
        str(path.relative_to(ROOT / "lib").with_suffix("")) for path in (ROOT / "lib").rglob("*.py")
    )
    faults = [fault for name in names if name not in UNSEEN for fault in _changes(name)]
    return random.Random(seed).sample(faults, min(number, len(faults)))


def _changes(module):
    """All changes of a module as faults whose text is the whole file."""
    text = (ROOT / "lib" / f"{module}.py").read_text(encoding="utf-8")
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
    files = [f"tests/unit/test_{name}.py" for name in TESTS.get(module, [module])]
    return [file for file in files if (folder / file).exists()]


def copy_project():
    """Return a new folder with all that the tests need."""
    folder = Path(tempfile.mkdtemp(prefix="faults_"))
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    return folder


def import_packages():
    """Import what the tests import, less the project itself: forked processes need not do it again."""
    sys.dont_write_bytecode = True  # a fault of the same second and length would go unseen
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in PACKAGES:
            importlib.import_module(name)


def start_tests(folder, files, limit=LIMIT):
    """Run test files in a copy, in a process of their own, whose id is returned; it writes a log."""
    sys.stdout.flush()
    if child := os.fork():
        return child
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    os.chdir(folder)
    sys.path[0] = str(folder)
    for name in [name for name in sys.modules if name.split(".")[0] in ("lib", "tests")]:
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
    if os.WIFSIGNALED(status):
        return f"endless: more than {LIMIT} s"
    said = (folder / "faults.log").read_text()
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if not failed:
        raise RuntimeError(f"pytest ended with {status} and no failed test: {said[-2000:]}")
    return failed[0].split(" - ")[0].replace("tests/unit/test_", "")


def put(fault, folder):
    """Put a fault into a copy; return its text before, or None if the text of the fault is not there."""
    path = folder / "lib" / f"{fault.module}.py"
    text = path.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        return None
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return text


def try_faults(faults, processes):
    """Yield (fault, outcome): the test that caught it, None for none, STALE if it cannot be put."""
    free, running, waiting = [copy_project() for _ in range(processes)], {}, list(faults)
    while waiting or running:
        if waiting and free:
            fault, folder = waiting.pop(0), free.pop()
            if (text := put(fault, folder)) is None:
                free.append(folder)
                yield fault, STALE
            else:
                running[start_tests(folder, tests_of(fault.module, folder))] = fault, folder, text
        else:
            child, status = os.wait()
            fault, folder, text = running.pop(child)
            (folder / "lib" / f"{fault.module}.py").write_text(text, encoding="utf-8")
            free.append(folder)
            yield fault, first_failure(folder, status)
    for folder in free:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="such as counts or sources/arrays; default: all")
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
    _, status = os.waitpid(start_tests(folder, files, limit=len(files) * LIMIT), 0)
    if broken := first_failure(folder, status):
        sys.exit(f"without any fault {broken} fails")
    shutil.rmtree(folder)
    outcomes = []
    for fault, outcome in try_faults(faults, given.processes):
        outcomes.append(outcome)
        print(f"{fault.module:14} {fault.what:80} {outcome or 'SURVIVED'}", flush=True)
    stale, survived = outcomes.count(STALE), outcomes.count(None)
    tried = len(outcomes) - stale
    print(
        f"{tried - survived} of {tried} faults caught ({100 * (1 - survived / max(tried, 1)):.1f} %)"
        + (f"; {stale} no longer fit their file" if stale else "")
    )
    sys.exit(bool(survived or stale))


if __name__ == "__main__":
    main()
