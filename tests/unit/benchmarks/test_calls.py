"""What a benchmark takes from the project is there: most benchmarks are too long for a test to run."""

import ast
import importlib
import inspect

import pytest

from lib.files import ROOT

BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


def imported(tree):
    """What a script imports from the project, by its name there; what is not there is an error."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ("lib", "workflow", "book"):
            module = importlib.import_module(node.module)
            for one in node.names:
                if not hasattr(module, one.name):
                    importlib.import_module(f"{node.module}.{one.name}")
                found[one.asname or one.name] = getattr(module, one.name)
    return found


def called(node, names):
    """The function of the project that a call names, None for any other."""
    if isinstance(node.func, ast.Name):
        return names.get(node.func.id)
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        return getattr(names.get(node.func.value.id), node.func.attr, None)
    return None


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_calls_what_is_there(name):
    """Fault: a function was renamed or lost a parameter, and a benchmark still calls it as it was."""
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and inspect.ismodule(names.get(getattr(node.value, "id", ""))):
            assert hasattr(names[node.value.id], node.attr), f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Call) and callable(function := called(node, names)):
            star = any(isinstance(one, ast.Starred) for one in node.args)
            given = {one.arg: None for one in node.keywords if one.arg}
            try:
                inspect.signature(function).bind_partial(*([] if star else node.args), **given)
            except TypeError as error:
                pytest.fail(f"line {node.lineno}: {ast.unparse(node.func)}: {error}")
