"""Pages of the book about the functions of lib, from their docstrings, without importing anything."""

import ast
from functools import cache
from pathlib import Path

from sphinx.ext.napoleon import Config, NumpyDocstring

from lib.params import ROOT

PAGES = {  # page: (title, what is on it, modules; none: all that no other page has)
    "data": ("Data", "Where a recording comes from, and what every stage reads of it.",
             ("sources", "sources.simulated", "sources.allen", "sources.nwb", "sources.arrays",
              "sources.templates", "session", "nwb", "download", "counts", "conditions", "stimuli")),
    "selection": ("Which neurons",
                  "The order of the raster, how repeatable responses are, which units are followed up.",
                  ("raster", "selection", "reliability", "calibration", "published")),
    "models": ("Models of the responses",
               "From images to expected spike counts, and how well left-out images are predicted.",
               ("models", "network", "crossvalidation", "fitting", "ensemble", "more_stimuli")),
    "mei": ("Most exciting inputs", "The search, its mask, its verdict, how much recording it takes.",
            ("mei", "mei_sentences", "power")),
    "gabors": ("Gabor patches", "Those that were shown, the best one in a model, the comparison.",
               ("gabors", "gabor_search")),
    "metrics": ("Metrics of a stimulus", "Luminance, contrast, symmetry, spectrum, similarity.",
                ("metrics",)),
    "population": ("Across neurons", "Tests and intervals across units, the sentences that they allow, "
                   "and the audit of the original analysis.",
                   ("statistics", "population", "audit", "published_values")),
    "truth": ("Where the truth is known",
              "The simulated session, its receptive fields, and what results are worth against them.",
              ("simulation", "truth", "ground_truth")),
    "run": ("A run and its book",
            "The declaration, the pipeline, what stages leave for the next ones, figures, the book.",
            ()),
}
STYLE = Config(napoleon_use_param=False, napoleon_use_rtype=False,
               napoleon_custom_sections=[("Attributes", "params_style")])


def write_api(folder):
    """Write a page for each entry of PAGES, as reStructuredText.

    Parameters
    ----------
    folder : Path
        Where to; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, words, _) in PAGES.items():
        parts = [f"{title}\n{'=' * len(title)}\n\n{words}\n", *map(module_text, modules_of(name))]
        (folder / f"{name}.rst").write_text("\n".join(parts), encoding="utf-8")


def modules_of(name):
    """Return the modules of lib that are on a page, such as ``sources.nwb``."""
    if PAGES[name][2]:
        return list(PAGES[name][2])
    files = sorted((ROOT / "lib").rglob("*.py"))
    names = [".".join(file.relative_to(ROOT / "lib").with_suffix("").parts) for file in files]
    elsewhere = {"__init__"}.union(*(modules for _, _, modules in PAGES.values()))
    return [name for name in (name.removesuffix(".__init__") for name in names) if name not in elsewhere]


@cache
def module_text(module):
    """Return the section of one module: its docstring, then its public functions and classes.

    Parameters
    ----------
    module : str
        Its name below lib, such as ``sources.nwb``.
    """
    tree = ast.parse(source_file(module).read_text(encoding="utf-8"))
    title = f"lib.{module}"
    parts = [f"{title}\n{'-' * len(title)}\n", f".. py:module:: {title}\n", docstring(tree, "module")]
    return "\n".join([*parts, *(described(node) for node in public(tree))])


def source_file(module):
    """Return the file of a module of lib."""
    path = ROOT / "lib" / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def public(node):
    """Return the public functions, classes or methods in a node, but those without a docstring."""
    return [child for child in node.body if isinstance(child, (ast.FunctionDef, ast.ClassDef))
            and not child.name.startswith("_") and ast.get_docstring(child)]


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
