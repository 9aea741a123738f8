"""The book's own extension of Sphinx, in a book of eight small pages that Sphinx builds with it."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sphinx.search.en import SearchEnglish

from book._ext import report_site
from lib.files import ROOT

CONF = """extensions = ["sphinx.ext.mathjax", "sphinxcontrib.bibtex", "book._ext.report_site"]
bibtex_bibfiles = []
mathjax_path = "mathjax.js"
"""
PAGES = {f"page{k}": "no formulas" for k in range(6)} | {"formulas": "has :math:`x` and it"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Built with warnings as errors, in two processes: Sphinx warns if it must read in one."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "conf.py").write_text(CONF)
    contents = "".join(f"   {name}\n" for name in PAGES)
    (folder / "index.rst").write_text(f"First\n=====\n\n.. toctree::\n   :numbered:\n\n{contents}")
    for name, text in PAGES.items():
        (folder / f"{name}.rst").write_text(f"{name}\n{'=' * len(name)}\n\nIt {text} stimulates.\n")
    command = [sys.executable, "-m", "sphinx", "-j", "2", "-n", "-W", str(folder), str(folder / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_only_pages_that_have_formulas_load_mathjax(built):
    """Fails if the first page loads it too, because a page below it has one."""
    loading = {page.stem for page in built.glob("*.html") if "mathjax.js" in page.read_text()}
    assert loading == {"formulas"}


def test_words_are_found_by_their_stem(built):
    terms = re.search(r'"terms":\{.*?\}', (built / "searchindex.js").read_text().replace(" ", ""))[0]
    assert re.search(r'"?stimul"?:', terms) and "stimulates" not in terms


def test_stems_are_those_of_sphinx():
    ours, theirs = report_site.EnglishStems({}), SearchEnglish({})
    for word in ("Neurons", "stimulation", "MEIs", "neurons", "Neurons"):
        assert ours.stem(word) == theirs.stem(word)
    assert ours.stem.cache_info().hits == 1


def test_the_extension_is_listed_where_the_book_is_declared():
    assert f"- {report_site.__name__} " in (ROOT / "_config.yml").read_text()


def test_settings_are_those_that_jupyter_book_writes(tmp_path):
    """Fails if book/conf.py, which is made anew by Sphinx, and `jupyter-book config sphinx` differ."""
    pages = tmp_path / "pages"
    shutil.copytree(ROOT / "book", pages, ignore=shutil.ignore_patterns("mathjax", "_ext"))
    shutil.copy(ROOT / "_config.yml", pages)
    ours = runpy.run_path(pages / "conf.py")
    command = [Path(sys.executable).with_name("jupyter-book"), "config", "sphinx", pages]
    subprocess.run(command, check=True, capture_output=True)
    theirs = runpy.run_path(pages / "conf.py")
    assert theirs["html_js_files"] and theirs["external_toc_path"] == "_toc.yml"
    names = {name for name in {*ours, *theirs} if not name.startswith("_")} - {"Path", "get_final_config"}
    assert {name: ours.get(name) for name in names} == {name: theirs.get(name) for name in names}
