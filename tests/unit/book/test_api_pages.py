"""The pages about functions: all of lib is on them, as its docstrings say."""

import re

import pytest

from book._ext import api_pages
from lib.files import ROOT


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "api"
    api_pages.write_api(folder)
    return {path.stem: path.read_text() for path in folder.iterdir()}


def test_each_module_is_on_one_page(written):
    named = sorted(name for text in written.values() for name in re.findall(r"py:module:: (\S+)", text))
    files = [
        path
        for folder in ("lib", "workflow", "book/_ext")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert named == sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)


def test_each_public_function_and_class_is_on_the_page_of_its_module(written):
    for page, room in api_pages.rooms().items():
        for path in api_pages.modules_of(room):
            module = f"{page}.{path.stem}"
            section = written[page].split(f".. py:module:: {module}\n")[1].split(".. py:module::")[0]
            for kind, name in re.findall(r"^(def|class) ([a-zA-Z]\w*)", path.read_text(), re.MULTILINE):
                kind = {"def": "function", "class": "class"}[kind]
                described = re.search(rf"^\.\. py:{kind}:: {name}\b.*\n\n   \S", section, re.MULTILINE)
                assert described or name == "main", f"{module}.{name} has no docstring"


@pytest.fixture
def described(tmp_path, monkeypatch):
    def describe(source):
        (tmp_path / "lib").mkdir()
        (tmp_path / "lib/x.py").write_text(source)
        monkeypatch.setattr(api_pages, "ROOT", tmp_path)
        return api_pages.module_text.__wrapped__(tmp_path / "lib/x.py")

    return describe


def test_a_function_is_shown_as_it_is_called(described):
    text = described('def f(a: int, b=(1, 2), *, c: str = "x", **more) -> int:\n    """Do."""\n')
    assert ".. py:function:: f(a, b=(1, 2), *, c='x', **more)\n\n   Do." in text


def test_sections_of_a_docstring_become_fields(described):
    text = described(
        'def f(a):\n    """Do.\n\n    Parameters\n    ----------\n'
        "    a : (n, h) array\n        Counts.\n\n"
        '    Raises\n    ------\n    InputError\n        If none.\n    """\n'
    )
    assert "   :Parameters: **a** (*(n, h) array*) -- Counts." in text
    assert "   :raises InputError: If none." in text and "-----" not in text.split("lib.x\n")[2]


SOURCE = '''
class C:
    """A C."""
    def said(self, n):
        """Say."""
    def silent(self):
        pass
    def _own(self):
        """No."""
    @property
    def size(self):
        """How large."""
def _hidden():
    """No."""
'''


def test_what_is_private_is_left_out(described):
    text = described(SOURCE)
    assert ".. py:class:: C\n\n   A C.\n" in text
    assert "   .. py:method:: said(n)\n\n      Say." in text
    assert "   .. py:property:: size\n" in text
    assert not re.search("silent|_own|_hidden", text)
