"""The built site as a reader sees it, in Chromium: wide and narrow, light and dark.

Skipped without Chromium. AXE=FILE is axe.min.js of axe-core, which `make axe` brings where npm is there;
without it accessibility is not tested.
"""

import os
from pathlib import Path

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
