"""CONTRIBUTING.md and README.md are true of the project, and a forgotten place of a recipe is found."""

import ast
import importlib.metadata
import importlib.util
import json
import re
import tomllib

import pytest
import yaml

from lib.files import ROOT
from lib.params import DEFAULTS, SCHEMA, SESSIONS, load_params, notebook_parameters, parameter_rules
from lib.stages import NOTEBOOK, STAGES, UNIT_STAGES
from tests.faults import FAULTS

PAGES = ("CONTRIBUTING.md", "README.md")
TEXT = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MADE = ("build/", ".venv/")  # folders of what is made or installed
SUFFIX = r"\.(?:py|yml|yaml|md|csv|toml|lock|in|cff|bib|ipynb)"


def code_spans(text):
    """Everything in backticks or in an indented block, a word at a time."""
    spans = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    return [word.strip("\"'(),;:") for span in spans for word in span.split("#")[0].split()]


def paths(text):
    """Paths of the project among the words, placeholders and what a run makes left out."""
    return {
        word.rstrip("/")
        for word in code_spans(text)
        if re.fullmatch(
            rf"[\w.-]+(/[\w.-]+)*(/|{SUFFIX})|(lib|tests|workflow|book|notebooks)(/[\w.-]+)+", word
        )
        and not word.startswith(MADE)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page):
    """Fault: a file that has moved, or a folder that is called otherwise."""
    made_by_a_run = {name.rsplit("/", 1)[-1] for row in STAGES.values() for name in row.makes} | {"site"}
    named = {
        path for path in paths(TEXT[page]) if path not in made_by_a_run | {"my.yml", "figures.py", "words.py"}
    }
    missing = sorted(p for p in named if not (ROOT / p).exists() and not (ROOT / f"{p}.py").exists())
    assert len(named) > 3 and missing == []


@pytest.mark.parametrize("page", PAGES)
def test_every_target_and_variable_of_make_that_a_page_names_exists(page):
    """Fault: a target that was renamed, or a variable that make does not read."""
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    commands = re.findall(r"(?:`|^ {4})make ([a-z]+)([^`#\n]*)", TEXT[page], re.MULTILINE)
    assert len(commands) > 3
    for target, rest in commands:
        assert target in targets, f"make {target}"
        for variable in re.findall(r"([A-Z_]+)=", rest):
            assert re.search(rf"\b{variable}\b", MAKEFILE), f"make {target} {variable}="


def test_every_name_is_in_the_file_that_is_said_to_hold_it():
    """Fault: a table or a function that was renamed, or went to another file."""
    said = re.findall(r"`(\w+)`\s+of\s+`([\w./]+)`", TEXT["CONTRIBUTING.md"])
    assert len(said) > 8
    for name, path in said:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8")), f"{name} of {path}"


def test_every_parameter_has_bounds_or_words():
    """Fault: a new number without a range, so that a slip in it is found after hours, or never."""

    def leaves(section, at=""):
        for key, value in section.items():
            if isinstance(value, dict) and value:
                yield from leaves(value, f"{at}{key}.")
            else:
                yield f"{at}{key}"

    named = set(leaves(yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))))
    rules = dict(parameter_rules())
    assert named == set(rules)
    for name, rule in rules.items():
        rule = rule.get("items", rule)
        assert {"enum", "pattern", "anyOf", "minimum"} & set(rule) or name in ("session", "per_unit"), name
        assert ("minimum" in rule) == ("maximum" in rule)


@pytest.mark.parametrize("stage", NOTEBOOK)
def test_a_notebook_declares_what_its_stage_takes_with_the_values_of_the_small_run(stage):
    """Fault: a parameter that reaches no notebook, or whose stored outputs are of another value."""
    cells = json.loads((ROOT / "notebooks" / f"{NOTEBOOK[stage]}.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = (c for c in cells if "parameters" in c["metadata"].get("tags", []))
    declared = {}
    for node in ast.parse("".join(cell["source"])).body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        declared[target.id] = ast.literal_eval(node.value)
    small = load_params(ROOT / "tests" / "small.yml")
    unit = declared.get("unit_id")
    assert (unit is not None) == (stage in UNIT_STAGES)
    given = notebook_parameters(small, stage, unit) | {"run_folder": declared["run_folder"]}
    assert declared == given


def test_every_source_has_its_module_and_says_what_a_session_is():
    """Fault: a source that is listed and cannot be loaded, or whose declaration is not checked."""
    assert set(SESSIONS) == set(SCHEMA["properties"]["source"]["enum"])
    for name in SESSIONS:
        path = importlib.util.find_spec(f"lib.data.sources.{name}").origin
        with open(path, encoding="utf-8") as file:
            defined = {node.name for node in ast.parse(file.read()).body if isinstance(node, ast.FunctionDef)}
        assert {"load", "check"} <= defined


def test_every_notebook_is_a_stage_in_the_readme_and_a_chapter_in_the_book():
    """Fault: a notebook that no run executes, that nobody is told of, or that no page leads to."""
    files = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    listed = dict(re.findall(r"^\| `(\d\d_\w+)` \|.*\| (\w+) \|$", TEXT["README.md"], re.MULTILINE))
    assert files == set(NOTEBOOK.values()) == set(listed)
    per_unit = {NOTEBOOK[stage] for stage in UNIT_STAGES}
    assert {name for name, of in listed.items() if of == "neuron"} == per_unit
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    chapters = {chapter["file"] for part in contents["parts"] for chapter in part["chapters"]}
    assert files - per_unit <= chapters


def test_the_version_is_the_same_everywhere():
    """Fault: a release whose citation or changelog names another version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    releases = re.findall(
        r"^## (\d[\d.]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert version == cited == releases[0]


def test_ruff_is_pinned_as_it_is_installed():
    """Fault: rules that hold here and not for whoever installs the lock."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert f"\nruff=={importlib.metadata.version('ruff')}\n" in lock
    names = [line.split("==")[0] for line in lock.splitlines()]
    assert len(names) == len(set(names))


def test_every_deliberate_fault_still_fits_its_file():
    """Fault: code that moved leaves a fault that is never put, and nobody is told."""
    stale = [fault for fault in FAULTS if (ROOT / f"{fault.module}.py").read_text().count(fault.old) != 1]
    assert not stale
