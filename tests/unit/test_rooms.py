"""The house: rooms import downwards, in no circle, and only words.py makes sentences."""

import ast
import re

import pytest

import lib
from lib.files import ROOT

FLOORS = [
    "ground",
    "stimuli",
    "data",
    "responses",
    "models",
    "mei",
    "gabors",
    "population",
    "experiment",
    "original",
]
FILES = sorted((ROOT / "lib").rglob("*.py"))
LONGEST = 500
LONGER = {}  # file: why it is longer


def room_of(path):
    parts = path.relative_to(ROOT / "lib").parts
    return parts[0] if len(parts) > 1 else "ground"


def imports(path):
    """Yield the full names of the modules of this project that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: write imports in full"
            for alias in node.names:
                inner = ROOT.joinpath(*node.module.split("."), f"{alias.name}.py")
                yield f"{node.module}.{alias.name}" if inner.is_file() else node.module


def module_file(name):
    return ROOT.joinpath(*name.split(".")).with_suffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down_only(path):
    """Fault: a room that needs one above it, or what runs notebooks and builds the site."""
    for name in imports(path):
        top = name.split(".")[0]
        assert top not in ("workflow", "book", "tests", "benchmarks"), f"{path} imports {name}"
        if top == "lib" and module_file(name).is_file():
            there = room_of(module_file(name))
            assert FLOORS.index(there) <= FLOORS.index(room_of(path)), f"{path} imports {name}, a step up"


def test_no_circle():
    """Fault: two modules that can only be understood, or imported, together."""
    graph = {
        path: {module_file(name) for name in imports(path) if module_file(name).is_file()} for path in FILES
    }
    done = set()

    def visit(path, way):
        assert path not in way, " -> ".join(p.relative_to(ROOT).as_posix() for p in [*way, path])
        if path not in done:
            for other in graph.get(path, ()):
                visit(other, [*way, path])
            done.add(path)

    for path in FILES:
        visit(path, [])


def test_the_map_names_every_room_and_the_rooms_nothing_else():
    """Fault: a room that the map leaves out, or a package that imports for others."""
    named = re.findall(r"^    \(?(\w+)\)?  +\S", lib.__doc__, re.MULTILINE)
    assert named == FLOORS
    folders = {path.name for path in (ROOT / "lib").iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(FLOORS) - {"ground"}
    for path in (ROOT / "lib").rglob("__init__.py"):
        (only,) = ast.parse(path.read_text()).body
        assert isinstance(only, ast.Expr), f"{path} is more than a docstring"


def test_files_are_few_and_short():
    assert len(list((ROOT / "lib").glob("*.py"))) <= 12
    long = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name for name, lines in long.items() if lines > LONGEST} == set(LONGER)


SENTENCE = re.compile(r"(\w+[ ,:]+){4}\w+\.$")


def sentences(path):
    """Yield the sentences that a module makes: without docstrings and what it raises, prints or warns."""
    tree, apart = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        call = ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node):
            apart |= set(ast.walk(node.body[0]))
        elif isinstance(node, ast.Raise) or call.endswith(("Error", "File", "warn", "print", "Parser")):
            apart |= set(ast.walk(node))
        elif isinstance(node, ast.JoinedStr):
            apart |= set(ast.walk(node)) - {node}
    for node in set(ast.walk(tree)) - apart:
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        words = [part.value if isinstance(part, ast.Constant) else "X" for part in parts]
        if all(isinstance(word, str) for word in words) and re.search(
            r"(\w+[ ,:]+){4}\w+\.$", "".join(words)
        ):
            yield "".join(words)


def test_only_words_make_sentences():
    """Fault: a sentence for a page in a module of numbers, where no editor looks for it."""
    makers = [path for path in FILES if path.name == "words.py"]
    assert all(any(sentences(path)) for path in makers if path.parent.name not in ("lib", "stimuli"))
    apart = ("nwb_write.py", "allen.py")  # AllenSDK's names of tables, the help of `make sessions`
    said = {path: list(sentences(path)) for path in FILES if path not in makers and path.name not in apart}
    assert not {path: found for path, found in said.items() if found}


def test_no_module_reaches_into_another():
    """Fault: a name with an underscore imported from another module."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib"):
                assert not [a.name for a in node.names if a.name.startswith("_")], path
