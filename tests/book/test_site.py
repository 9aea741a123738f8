"""The built site: SITE=build/<name>/site, which must be there; else the small run's, if there."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from book._ext.site import build_book
from tests.book import checks

SITE = Path(os.environ.get("SITE", "build/small/site"))


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").is_file():
        if "SITE" in os.environ:
            pytest.fail(f"no site at {SITE}: `make test` builds it first")
        pytest.skip(f"no site at {SITE}: `python -m workflow.report tests/small.yml` builds it")
    return SITE


@pytest.fixture(scope="module")
def pages(site):
    return checks.read_site(site)


def in_every(pages, check):
    return {name: found for name, page in pages.items() if (found := check(page))}


def test_no_page_loads_anything_from_another_host(pages):
    assert in_every(pages, checks.external_in_page) == {}


def test_no_style_sheet_loads_anything_from_another_host(site):
    styles = {
        file.name: checks.external_in_style(file.read_text(encoding="utf-8")) for file in site.rglob("*.css")
    }
    assert styles and not any(styles.values()), styles


def test_no_link_is_broken(pages, site):
    assert checks.broken_links(pages, site) == []


def test_every_image_has_words(pages):
    assert in_every(pages, checks.wordless_images) == {}


def test_every_figure_has_a_label_a_number_and_a_caption(pages):
    assert in_every(pages, checks.bare_figures) == {}
    assert any(page.find("figure") for page in pages.values())


def test_the_data_of_every_figure_are_offered(pages):
    assert in_every(pages, checks.figures_without_data) == {}


def test_no_label_is_used_twice(pages):
    assert checks.repeated_labels(pages) == []


def test_every_page_can_be_reached_from_the_first(pages):
    assert checks.unreachable_pages(pages) == []


def test_every_selected_unit_has_a_page_two_clicks_away(pages, site):
    table = pd.read_csv(site.parent / "units.csv")
    expected = {f"units/{unit}.html" for unit in table.loc[table["selected"], "unit_id"]}
    linked = {tag["href"] for tag in pages["units.html"].find("article").find_all("a", href=True)}
    assert expected and expected <= linked & set(pages)
    assert pages["index.html"].find("article").find("a", href="units.html")


def test_every_page_of_a_simulated_run_says_so(pages):
    """Fault: a page from which a generated neuron could be taken for a recorded one."""
    assert [name for name, page in pages.items() if "Simulated neurons" not in page.get_text()] == []


def test_every_column_is_explained(pages, site):
    """Fault: a column of units.csv that the dictionary of the book leaves out."""
    text = pages["reuse.html"].get_text(" ")
    columns = pd.read_csv(site.parent / "units.csv", nrows=0).columns
    assert [name for name in columns if not re.search(rf"\b{name}\b", text)] == []


def test_the_five_questions_are_two_clicks_away(pages):
    """Fault: an answer that the first page, and what it leads to, do not lead to."""

    def leads(name):
        return {
            tag["href"].split("#")[0].removeprefix("../")
            for tag in pages[name].find("article").find_all("a", href=True)
        }

    first = leads("index.html")
    assert any(name.startswith("units/") for name in first), "is the MEI more than a Gabor for this neuron?"
    assert {"units.html", "results.html", "own_data.html", "09_audit.html"} <= first


def test_no_value_was_left_unfilled(pages):
    prose = {name: page for name, page in pages.items() if not name.startswith("api/")}
    assert in_every(prose, checks.leaks) == {}


def test_a_second_build_is_the_same(site, tmp_path):
    """Fault: a page that shows when, or how often, it was built, or in which order processes wrote it."""
    run = site.resolve().parent
    copy = tmp_path / run.name
    copy.mkdir()
    for part in run.iterdir():
        if part.name not in ("site", "pages", "book.log", "_build"):
            (copy / part.name).symlink_to(part)
    first, second = (
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (site, build_book(copy).parent)
    )
    assert [str(name) for name in first | second if first.get(name) != second.get(name)] == []
