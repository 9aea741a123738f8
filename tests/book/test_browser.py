"""The built site as a reader sees it, in Chromium: wide and narrow, light and dark.

Skipped without Chromium. AXE=FILE is axe.min.js of axe-core, which `make axe` brings where npm is there;
without it accessibility is not tested.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from tests.book.test_site import site  # noqa: F401
from tests.support.browser import DESKTOP, MISSING_GLYPHS, PHONE, PROGRAM, TOO_WIDE, Browser

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium")
AXE = Path(os.environ.get("AXE", "build/axe/package/axe.min.js"))
KINDS = [
    "index.html",
    "units.html",
    "units/*.html",
    "01_data.html",
    "03_oracle.html",
    "08_population.html",
    "09_audit.html",
    "methods.html",
    "conclusions.html",
    "reuse.html",
    "own_data.html",
    "references.html",
    "glossary.html",
    "api/*.html",
    "search.html",
]
LOOKS = {
    f"{width}, {light}": {"size": size, "dark": light == "dark"}
    for width, size in (("desktop", DESKTOP), ("phone", PHONE))
    for light in ("light", "dark")
}
UNFOLD = "document.querySelectorAll('details.chapter, details.rests').forEach(part => { part.open = true; })"
FAULTS = """axe.run(document, {resultTypes: ["violations"]}).then(done => done.violations
  .filter(fault => ["serious", "critical"].includes(fault.impact))
  .map(fault => `${fault.id} (${fault.nodes.length}): ${fault.nodes[0].html.slice(0, 150)}`))"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


def every_look(browser, site, kind, question):  # noqa: F811
    """Open a page of a kind in every look; returns {look: answer} where there is one."""
    page, found = next(iter(sorted(site.resolve().glob(kind)))), {}
    for name, look in LOOKS.items():
        browser.look(**look)
        browser.open(page.as_uri())
        browser.ask(UNFOLD)
        if answer := question():
            found[name] = answer
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_too_wide_no_glyph_is_missing_and_no_script_fails(browser, site, kind):  # noqa: F811
    assert (
        every_look(
            browser,
            site,
            kind,
            lambda: browser.ask(TOO_WIDE) + browser.ask(MISSING_GLYPHS) + browser.errors(),
        )
        == {}
    )


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: `make axe` brings it")
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_no_serious_fault(browser, site, kind):  # noqa: F811
    script = AXE.read_text(encoding="utf-8")
    assert every_look(browser, site, kind, lambda: browser.ask(f"{script};{FAULTS}")) == {}


def test_the_image_of_each_response_is_reached_by_keyboard(browser, site):  # noqa: F811
    page = next(iter(sorted(site.resolve().glob("units/[0-9]*.html"))))
    browser.look()
    browser.open(page.as_uri())
    browser.ask(UNFOLD)
    words = "document.querySelector('.explore output').textContent"
    browser.ask("document.querySelector('.explore input').focus()")
    before = browser.ask(words)
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key="ArrowLeft", code="ArrowLeft", windowsVirtualKeyCode=37
        )
    after = browser.ask(words)
    assert before != after and all(text.startswith("Image ") for text in (before, after))
    assert browser.ask("document.querySelector('.explore input').getAttribute('aria-valuetext')") == after


def test_the_table_of_units_is_sorted_and_searched(browser, site):  # noqa: F811
    browser.look()
    browser.open((site.resolve() / "units.html").as_uri())
    rows = (
        "[...document.querySelectorAll('.sortable tbody tr')].filter(row => !row.hidden)"
        ".map(row => row.cells[0].textContent.trim())"
    )
    units = browser.ask(rows)
    browser.ask("document.querySelector('.sortable th button').click()")
    assert browser.ask(rows) == sorted(units)
    browser.ask(
        f"(box => {{ box.value = '{units[-1]}'; box.dispatchEvent(new Event('input')); }})"
        "(document.querySelector('.sortable input'))"
    )
    assert browser.ask(rows) == [units[-1]]


def test_cards_are_narrowed_down_by_words_and_facets(browser, site):  # noqa: F811
    """Fault: a name found only with its underscore; a facet that leaves others; nothing said of nothing."""
    table = pd.read_csv(site.parent / "units.csv")
    chosen = table[table.selected]
    browser.look()
    browser.open((site.resolve() / "units.html").as_uri())
    shown = "[...document.querySelectorAll('.card:not([hidden])')].map(card => card.dataset.unit)"
    assert sorted(browser.ask(shown)) == sorted(chosen.unit_id.astype(str))
    verdict = chosen.verdict.iloc[0]  # of two words
    expected = sorted(chosen.unit_id[chosen.verdict == verdict].astype(str))
    type_in = (
        "(box => {{ box.value = '{}'; box.dispatchEvent(new Event('input')); }})"
        "(document.querySelector('{}'))"
    )
    for words in (verdict, verdict.replace(" ", "_")):
        browser.ask(type_in.format(words, ".finder input"))
        assert sorted(browser.ask(shown)) == expected
    browser.ask(type_in.format("no such neuron", ".finder input"))
    assert browser.ask(shown) == [] and browser.ask("document.querySelector('.nothing').checkVisibility()")
    browser.ask("document.querySelector('.nothing button').click()")
    assert len(browser.ask(shown)) == len(chosen)
    if browser.ask("Boolean(document.querySelector('[data-facet=verdict]'))"):
        browser.ask(type_in.format(verdict, "[data-facet=verdict]"))
        assert sorted(browser.ask(shown)) == sorted(chosen.unit_id[chosen.verdict == verdict].astype(str))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["index.html", "units/[0-9]*.html"])
def test_the_first_picture_is_on_the_first_screen(browser, site, kind, size):  # noqa: F811
    """Fault: the reader has to scroll for the answer."""
    browser.look(size=size)
    browser.open(next(iter(sorted(site.resolve().glob(kind)))).as_uri())
    place = "document.querySelector('.still').getBoundingClientRect()"
    assert 0 < browser.ask(f"{place}.bottom") < size[1]


def test_a_neurons_page_is_two_screens_until_a_chapter_is_opened(browser, site):  # noqa: F811
    """Fault: chapters that do not fold, or cannot be opened by the link to a figure in them."""
    page = next(iter(sorted(site.resolve().glob("units/[0-9]*.html"))))
    browser.look()
    browser.open(page.as_uri())
    assert browser.ask("document.documentElement.scrollHeight") < 2 * DESKTOP[1]
    figure = f"fig-mei-{page.stem}"
    seen = f"document.getElementById('{figure}').checkVisibility()"
    assert not browser.ask(seen)
    browser.ask(f"location.hash = '{figure}'; new Promise(done => setTimeout(done, 300))")
    assert browser.ask(seen)


def test_on_a_phone_a_figure_of_several_panels_has_a_row_for_each(browser, site):  # noqa: F811
    """Fault: labels of four pixels; a panel lost, or shown twice on a wide screen."""
    page = (site.resolve() / "08_population.html").as_uri()
    for size, many in ((PHONE, True), (DESKTOP, False)):
        browser.look(size=size)
        browser.open(page)
        cut = "document.querySelectorAll('article .panels:not([hidden]) > div').length"
        whole = "[...document.querySelectorAll('img[class*=cut-]')].filter(i => i.checkVisibility()).length"
        assert (browser.ask(cut) > 1) == many and (browser.ask(whole) > 0)


def test_the_first_page_is_light(browser, site):  # noqa: F811
    """Fault: pictures of all neurons at full size, or all of the theme, on the first page (limit 1 MB)."""
    browser.look()
    browser.open((site.resolve() / "index.html").as_uri())
    asked = [
        e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"
    ]
    files = {Path(unquote(urlsplit(url).path)) for url in asked if url.startswith("file:")}
    assert len(files) > 20 and sum(file.stat().st_size for file in files) < 1e6
