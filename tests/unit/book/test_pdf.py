"""The book on paper: what is put together for it, what a browser makes of it, and what goes wrong."""

import os
import re
import subprocess
import sys

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from book._ext import pdf
from lib.errors import InputError
from lib.files import ROOT

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
PAGE = """<html><head><script>window.MathJax = {{}}</script>
<script defer src="{up}_static/../mathjax/tex-svg.js?v=1"></script></head>
<body><nav>side bar</nav><article><section id="top">
<h1>{title}<a class="headerlink" href="#top">#</a></h1>{body}</section></article></body></html>"""
PAGES = {
    "index": (
        "Beginning",
        """<p>See <a href="methods.html#eq-1">the formula</a>,
        <a href="units/7.html">unit seven</a>, <a href="units.csv">a table</a>,
        <a href="https://doi.org/10.1/x">a paper</a>.</p>""",
    ),
    "methods": ("Methods", """<section id="part"><h2>A part</h2><p id="eq-1">Formula</p></section>"""),
    "units": ("Neurons", "<p>One of them.</p>"),
    "units/7": (
        "Unit 7",
        """<section id="part"><h2>Its MEI</h2><figure id="fig-7">
        <img loading="lazy" src="../_images/a.png" alt="Noise">
        <figcaption>Fig. 1 Noise</figcaption></figure></section>
        <details class="hide"><pre>secret code</pre></details>
        <p>Like <a href="../methods.html">the methods</a>, <a href="#fig-7">the figure</a>,
        <span class="bibtex-citation"><a href="../references.html#id2">Walker, 2019</a></span>.</p>""",
    ),
    "references": (
        "References",
        """<div class="citation" id="id1"><p>Vinje, Sparse</p></div>
        <div class="citation" id="id2"><p>Walker, Inception</p></div>""",
    ),
}
TOC = """root: index
parts:
- {caption: Method, chapters: [{file: methods}]}
- {caption: Neurons, chapters: [{file: units, sections: [{file: units/7}]}]}
- {caption: End, chapters: [{file: references}]}
"""


@pytest.fixture
def run(tmp_path):
    for name, (title, body) in PAGES.items():
        path = tmp_path / "site" / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE.format(title=title, body=body, up="../" * name.count("/")))
    for folder in ("site/_images", "site/mathjax", "pages"):
        (tmp_path / folder).mkdir()
    (tmp_path / "site/_images/a.png").write_bytes(PIXEL)
    (tmp_path / "site/mathjax/tex-svg.js").write_text("")
    (tmp_path / "pages/_toc.yml").write_text(TOC)
    (tmp_path / "pages/_config.yml").write_text("title: The title\n")
    return tmp_path


def printed_html(text):
    return BeautifulSoup(text, "html.parser")


def test_no_two_places_of_the_book_share_a_name_and_every_link_has_its_place(run):
    page = printed_html(pdf.book_html(pdf.read_book(run)))
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids)) and {"methods--part", "units-7--part"} <= set(ids)
    inner = [link["href"][1:] for link in page.find_all("a") if link["href"].startswith("#")]
    assert set(inner) <= set(ids) and {"methods--eq-1", "units-7", "references--id2"} <= set(inner)
    outer = {link["href"] for link in page.find_all("a") if not link["href"].startswith("#")}
    assert outer == {"https://doi.org/10.1/x"}, "what is no page of the book is not linked to"
    assert "a table" in page.get_text()


def test_what_is_of_no_use_on_paper_is_left_out(run):
    text = pdf.book_html(pdf.read_book(run))
    assert not re.search("secret code|side bar|headerlink|loading=", text)
    assert 'src="../site/_images/a.png"' in text and 'src="../site/mathjax/tex-svg.js"' in text


def test_the_contents_name_chapters_and_their_sections_but_those_of_units(run):
    page_of = {"index": 3, "methods": 4, "methods--part": 5, "units": 6, "units-7": 7, "references": 9}
    contents = printed_html(pdf.book_html(pdf.read_book(run), page_of)).find("nav")
    assert [line.get_text("|") for line in contents.find_all("p")] == [
        "Beginning|3",
        "Methods|4",
        "A part|5",
        "Neurons|6",
        "Unit 7|7",
        "References|9",
    ]


def test_the_report_of_a_unit_has_the_references_that_it_cites_and_no_dead_link(run):
    text = pdf.unit_html(pdf.read_book(run, unit=7), "units/7")
    page = printed_html(text)
    assert "Inception" in text and "Sparse" not in text and "Like the methods," in page.get_text()
    assert [link["href"] for link in page.find_all("a")] == ["#units-7--fig-7", "#references--id2"]


def test_titles_are_escaped_once_and_what_was_html_stays_so(run):
    (run / "pages/_config.yml").write_text("title: Signal & <noise>\n")
    heading = run / "site/units/7.html"
    heading.write_text(heading.read_text().replace("<h1>Unit 7", "<h1>Unit <em>7</em> &lt; 8"))
    whole, unit = pdf.book_html(pdf.read_book(run)), pdf.unit_html(pdf.read_book(run, unit=7), "units/7")
    assert "<title>Signal &amp; &lt;noise&gt;</title>" in whole and "<p>Signal &amp; &lt;" in whole
    assert "<span>Unit <em>7</em> &lt; 8</span>" in whole, "in the contents as on its page"
    assert "<title>Unit 7 &lt; 8, Signal &amp; &lt;noise&gt;</title>" in unit
    for text in (whole, unit):
        assert "@page" in text and "<article" in text and "&lt;script" not in text
        assert 'content: "' in text or "content: '" in text, "the style is not escaped"


@pytest.mark.parametrize("columns, small, across", [(9, False, False), (10, True, False), (15, True, True)])
def test_a_table_of_many_columns_is_set_smaller_or_on_its_side(columns, small, across):
    cells = "<th>mei_response</th>" * columns
    page = printed_html(f"<section><table><tr>{cells}</tr><tr><td>1</td></tr></table></section>")
    pdf.make_room(page.table)
    assert ("wide" in page.table.get("class", [])) == small
    assert ("across" in page.section.get("class", [])) == across
    assert ("mei_\u200bresponse" in page.get_text()) == small


@pytest.mark.parametrize(
    "set_up, message",
    [
        ({"PATH": ""}, "no browser that prints was found.*make pdf CHROME=/path/to/chrome"),
        ({"CHROME": "/no/such/chrome"}, "CHROME=/no/such/chrome is not a program"),
    ],
)
def test_without_a_browser_there_is_one_line_and_nothing_is_made(tmp_path, set_up, message):
    environment = {name: value for name, value in os.environ.items() if name != "CHROME"} | set_up
    code = (
        "from book._ext import pdf; from workflow import report; pdf.BROWSERS = ('chromium',); report.main()"
    )
    (tmp_path / "my.yml").write_text("name: never_made\n")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "my.yml"), "--pdf"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and re.fullmatch(f"{message}.*\n", done.stderr), done.stderr
    assert not (ROOT / "build/never_made").exists()


def fake_browser(folder, script):
    path = folder / "browser"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_browser_that_fails_is_one_line_and_the_old_pdf_stays(run):
    (run / "book.pdf").write_text("old")
    browser = fake_browser(run, "echo first >&2; echo cannot open display >&2; exit 3")
    with pytest.raises(InputError, match=r"exit code 3\): cannot open display") as error:
        pdf.make_pdf(run, browser=browser)
    assert "\n" not in str(error.value) and (run / "book.pdf").read_text() == "old"
    assert not list(run.glob("print-*"))


def test_a_browser_that_prints_nothing_is_found_out(run):
    with pytest.raises(InputError, match="did not print"):
        pdf.make_pdf(run, browser=fake_browser(run, "exit 0"))


@pytest.mark.parametrize(
    "missing, options, message",
    [("site/index.html", {}, "make report"), (None, {"unit": 8}, "unit 8 has no page")],
)
def test_what_is_not_there_is_said_in_one_line(run, missing, options, message):
    if missing:
        (run / missing).unlink()
    with pytest.raises(InputError, match=message) as error:
        pdf.make_pdf(run, browser="unused", **options)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def browser():
    try:
        return pdf.find_browser()
    except InputError as error:
        pytest.skip(str(error))


def texts(path):
    return [page.extract_text() for page in PdfReader(path).pages]


def test_a_browser_prints_each_chapter_where_the_contents_say(run, browser):
    pages = texts(pdf.make_pdf(run, browser=browser))
    assert len(pages) == 7, "title, contents and five chapters"
    for title in ("Beginning", "Methods", "Neurons", "Unit 7", "References"):
        number = int(re.search(rf"{title}\s+(\d+)", pages[1])[1])
        assert pages[number - 1].split("\n")[0].strip() in (title, str(number))
        assert title in pages[number - 1]
    assert "Fig. 1 Noise" in pages[5] and "secret code" not in " ".join(pages)


def test_a_browser_prints_the_report_of_one_unit(run, browser):
    path = pdf.make_pdf(run, unit=7, browser=browser)
    assert path == run / "units/7/7.pdf"
    text = " ".join(texts(path))
    assert "Its MEI" in text and "Inception" in text and "Formula" not in text
    assert len(PdfReader(path).pages[0].images) == 1
