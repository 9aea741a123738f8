"""Pages of the book about the functions of each room, from their docstrings, without importing anything."""

import ast
from functools import cache
from pathlib import Path

from sphinx.ext.napoleon import Config, NumpyDocstring

from lib.files import ROOT

STYLE = Config(
    napoleon_use_param=False,
    napoleon_use_rtype=False,
    napoleon_custom_sections=[("Attributes", "params_style")],
)


def rooms():
    """Return {page: folder} of the ground floor, the rooms above it, and what stands above them."""
    lib = ROOT / "lib"
    folders = sorted(path.parent for path in lib.rglob("__init__.py"))
    named = {folder.relative_to(ROOT).as_posix().replace("/", "."): folder for folder in folders}
    return named | {"workflow": ROOT / "workflow", "book._ext": ROOT / "book" / "_ext"}


def write_api(folder):
    """Write a page for each of `rooms`, as reStructuredText.

    Parameters
    ----------
    folder : Path
        Where to; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, room in rooms().items():
        about = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        parts = [f"{name}\n{'=' * len(name)}\n\n{about}\n", *(module_text(path) for path in modules_of(room))]
        (folder / f"{name}.rst").write_text("\n".join(parts), encoding="utf-8")


def modules_of(room):
    """Return the files of a room, without that of its own docstring."""
    return [path for path in sorted(Path(room).glob("*.py")) if path.name != "__init__.py"]


@cache
def module_text(path):
    """Return the section of one module: its docstring, then its public functions and classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    parts = [f"{title}\n{'-' * len(title)}\n", f".. py:module:: {title}\n", docstring(tree, "module")]
    return "\n".join([*parts, *(described(node) for node in public(tree))])


def public(node):
    """Return the public functions, classes or methods in a node, but those without a docstring."""
    return [
        child
        for child in node.body
        if isinstance(child, (ast.FunctionDef, ast.ClassDef))
        and not child.name.startswith("_")
        and ast.get_docstring(child)
    ]


def described(node, *, of_class=False):
    """Return the description of a function, method or class in the directives of Sphinx."""
    if isinstance(node, ast.ClassDef):
        kind, signature, members = "class", node.name, public(node)
    else:
        properties = {"property", "cached_property"} & {ast.unparse(d) for d in node.decorator_list}
        kind = "property" if properties else "method" if of_class else "function"
        signature, members = node.name if properties else f"{node.name}({arguments(node, of_class)})", []
    inner = [docstring(node, kind), *(described(member, of_class=True) for member in members)]
    return f".. py:{kind}:: {signature}\n\n{indented(chr(10).join(inner))}\n"


def arguments(node, of_class):
    """Return the arguments of a function as written, without ``self`` and without types."""
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    if of_class and node.args.args:
        node.args.args.pop(0)
    return ast.unparse(node.args)


def docstring(node, kind):
    """Return a docstring in reStructuredText; its numpydoc sections have become fields."""
    text = ast.get_docstring(node) or ""
    return f"{NumpyDocstring(text, STYLE, what=kind)}\n"


def indented(text):
    """Return text with three more spaces before each line that is not empty."""
    return "\n".join(f"   {line}" if line.strip() else "" for line in text.splitlines())
