"""The glossary explains words that the book uses, each once."""

import json
import re

import pytest

from book._ext.unit_pages import LABELS
from lib.files import ROOT

TERMS = re.findall(r"^([A-Za-z][\w .-]*)\n  \S", (ROOT / "book/glossary.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def book_text():
    """All that a reader sees: chapters, words, captions and results of notebooks, headings of tables."""
    parts = [path.read_text() for path in (ROOT / "book").glob("*.md") if path.stem != "glossary"]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            parts += (
                cell["source"]
                if cell["cell_type"] == "markdown"
                else [str(cell["metadata"].get("mystnb", {})), *displayed(cell["outputs"])]
            )
    return re.sub(r"\s+", " ", " ".join([*parts, *LABELS.values()])).lower()


def displayed(outputs):
    return [
        "".join(output["data"][kind])
        for output in outputs
        for kind in ("text/markdown", "text/html")
        if kind in output.get("data", {})
    ]


def test_there_are_terms_and_none_is_explained_twice():
    assert len(TERMS) > 25 and len(TERMS) == len({term.lower() for term in TERMS})


@pytest.mark.parametrize("term", TERMS)
def test_the_book_uses_the_word(book_text, term):
    assert re.search(rf"\b{re.escape(term.lower())}(s|es)?\b", book_text)
