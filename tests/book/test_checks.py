"""Every check of the site complains about a page that has just the fault it is there for."""

import pytest

from tests.book import checks

GOOD = """<html><head><link rel="stylesheet" href="_static/a.css">
<script src="_static/a.js"></script></head>
<body><article><h1 id="top">A</h1><p>Of 12 units none failed; inputs: none. None of them. See
<a href="b.html#fig-b">Fig. 2</a> and <a href="https://doi.org/10.1/x">a paper</a>.</p>
<p class="math">{nan}</p><pre>None {x}</pre>
<figure id="fig-a"><img src="_images/a.png" alt="Noise on grey"><figcaption>
<span class="caption-number">Fig. 1 </span><span class="caption-text">Noise.</span>
Data: <code>a.npz</code> of the run.</figcaption></figure></article></body></html>"""
OTHER = """<html><body><article><a href="a.html#top">back</a><figure id="fig-b">
<img src="_images/a.png" alt="Noise again"><figcaption><span class="caption-number">Fig. 2 </span>
<span class="caption-text">Noise.</span> <a class="figure-data" href="_images/a.png">Data</a>
</figcaption></figure></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    for name in ("_static/a.css", "_static/a.js", "_images/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(OTHER)
    return tmp_path


def test_a_good_site_has_no_complaints(site):
    pages = checks.read_site(site)
    assert set(pages) == {"a.html", "b.html"}
    for page in pages.values():
        assert checks.external_in_page(page) == []
        assert checks.wordless_images(page) == []
        assert checks.bare_figures(page) == []
        assert checks.figures_without_data(page) == []
        assert checks.leaks(page) == []
    assert checks.broken_links(pages, site) == []
    assert checks.repeated_labels(pages) == []
    assert checks.unreachable_pages(pages, start="a.html") == []


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://unpkg.com/thebe/lib/index.js"></script>',
        '<script async src="//cdn.jsdelivr.net/npm/mathjax@3/es5/tex-mml-chtml.js"></script>',
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css2?family=Lato">',
        '<link rel="preconnect" href="https://fonts.gstatic.com">',
        '<img src="https://mybinder.org/badge_logo.svg" alt="badge">',
        '<img srcset="a.png 1x, https://elsewhere.org/a.png 2x" alt="a">',
        '<iframe src="http://elsewhere.org"></iframe>',
        '<style>@import "https://elsewhere.org/a.css";</style>',
        "<style>body { background: url(https://elsewhere.org/a.png) }</style>",
        "<p style=\"background: url('//elsewhere.org/a.png')\">x</p>",
        '<script>fetch("https://elsewhere.org/data.json")</script>',
        '<script type="module">import("https://elsewhere.org/a.mjs")</script>',
    ],
)
def test_loading_from_another_host_is_found(html):
    assert len(checks.external_in_page(checks.parse(html))) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://doi.org/10.1038/x">paper</a>',
        '<link rel="canonical" href="https://elsewhere.org/">',
        '<script src="../_static/a.js?v=1"></script>',
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_what_loads_nothing_is_no_complaint(html):
    assert checks.external_in_page(checks.parse(html)) == []


def test_a_style_sheet_that_loads_a_font_is_found():
    style = "@font-face { src: url(fonts/a.woff2), url('https://fonts.gstatic.com/a.woff2') }"
    assert checks.external_in_style(style) == ["https://fonts.gstatic.com/a.woff2"]


@pytest.mark.parametrize(
    "link",
    [
        '<a href="gone.html">x</a>',
        '<a href="b.html#fig-gone">x</a>',
        '<a href="#gone">x</a>',
        '<img src="_images/gone.png" alt="x y">',
        '<a href="../outside.html">x</a>',
    ],
)
def test_a_broken_link_is_found(site, link):
    (site.parent / "outside.html").write_text("")
    pages = checks.read_site(site) | {"a.html": checks.parse(link)}
    found = checks.broken_links(pages, site)
    assert len([line for line in found if line.startswith("a.html")]) == 1


@pytest.mark.parametrize(
    "image",
    [
        '<img src="_images/a.png">',
        '<img src="_images/a.png" alt=" ">',
        '<img src="_images/a.png" alt="_images/a.png">',
        '<img src="_images/a.png" alt="a.png">',
        '<img src="_images/a.png" alt="../b/c.svg">',
    ],
)
def test_an_image_without_words_is_found(image):
    assert len(checks.wordless_images(checks.parse(f"<article>{image}</article>"))) == 1


@pytest.mark.parametrize("drop", [' id="fig-a"', '<span class="caption-number">Fig. 1 </span>', "Noise."])
def test_a_figure_without_label_number_or_caption_is_found(drop):
    assert drop in GOOD
    assert len(checks.bare_figures(checks.parse(GOOD.replace(drop, "")))) == 1


def test_a_figure_without_its_data_is_found():
    page = checks.parse(GOOD.replace("Data: <code>a.npz</code> of the run.", ""))
    assert checks.figures_without_data(page) == ["figure fig-a: no data"]


def test_the_same_label_on_two_pages_is_found(site):
    pages = checks.read_site(site) | {"c.html": checks.parse(GOOD)}
    assert checks.repeated_labels(pages) == ["fig-a: in a.html and in c.html"]


def test_a_page_that_nothing_links_to_is_found(site):
    pages = checks.read_site(site) | {"units/7.html": checks.parse(GOOD)}
    assert checks.unreachable_pages(pages, start="a.html") == ["units/7.html"]


@pytest.mark.parametrize(
    "prose",
    [
        "The correlation is nan.",
        "The median was NaN spikes.",
        "It was None.",
        "Unit {unit_id} is best.",
        "See {numref} for it.",
        "The value {} is it.",
        "See Fig. ??",
    ],
)
def test_a_value_that_was_not_filled_in_is_found(prose):
    assert len(checks.leaks(checks.parse(f"<article><p>{prose}</p></article>"))) == 1
