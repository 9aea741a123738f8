"""The book of a run, or the report of one unit, as a PDF: the pages of the site, printed by a browser.

    python -m book._ext.pdf build/<name> [--unit ID]

Chromium, Google Chrome or Microsoft Edge print it, the one that is found or that CHROME names.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader

from lib.errors import InputError
from workflow.render import render

BROWSERS = (  # names on the PATH, and where macOS keeps them
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "brave-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
MOST_SECONDS = 1800
STYLE = Path(__file__).with_name("print.css")
# What is of no use on paper: folded code, marks of links, what is there to be clicked.
LEFT_OUT = (
    "details.hide, a.headerlink, script, style, button, input, select, canvas, "
    ".explore, .figure-data, .finder, .plane, .nothing"
)
WIDE, WIDEST = 9, 14  # a table with more columns is set smaller; with yet more, on its side


def make_pdf(run_folder, *, unit=None, browser=None):
    """Print the site of a run, or the page of one unit, to a PDF.

    Parameters
    ----------
    run_folder : str or Path
        `build/<name>`, with a finished site.
    unit : int, optional
        The unit whose report is made; the whole book if not given.
    browser : str, optional
        The program that prints; looked for if not given.

    Returns
    -------
    Path
        `build/<name>/book.pdf`, or `build/<name>/units/<unit>/<unit>.pdf`.

    Raises
    ------
    InputError
        One line: no browser, no site, no such unit, or a browser that failed.
    """
    browser = browser or find_browser()
    run_folder = Path(run_folder).resolve()
    book = read_book(run_folder, unit=unit)
    with tempfile.TemporaryDirectory(dir=run_folder, prefix="print-") as folder:
        if unit is None:
            pdf = run_folder / "book.pdf"
            page_of = print_page(browser, book_html(book), Path(folder))
            print_page(browser, book_html(book, page_of), Path(folder))
        else:
            pdf = run_folder / "units" / str(unit) / f"{unit}.pdf"
            pdf.parent.mkdir(parents=True, exist_ok=True)
            print_page(browser, unit_html(book, f"units/{unit}"), Path(folder))
        os.replace(Path(folder) / "printed.pdf", pdf)
    return pdf


def find_browser():
    """Return the path of a program that can print: what CHROME names, else the first that is found.

    Raises
    ------
    InputError
        If there is none: one line that says how to name one.
    """
    if named := os.environ.get("CHROME"):
        if found := shutil.which(os.path.expanduser(named)):
            return found
        raise InputError(
            f"CHROME={named} is not a program that can be run; give the path of "
            "Chromium, Google Chrome or Microsoft Edge"
        )
    if found := next(filter(None, map(shutil.which, BROWSERS)), None):
        return found
    raise InputError(
        "no browser that prints was found: install Chromium or Google Chrome, or name "
        "one, such as `make pdf CHROME=/path/to/chrome`"
    )


def read_book(run_folder, *, unit=None):
    """Return the book of a run: its title, the scripts of its formulas, and its pages in order.

    Parameters
    ----------
    run_folder : Path
    unit : int, optional
        Read just the page of this unit and the references.

    Returns
    -------
    dict
        `site`, its folder; `title`; `formulas`, HTML of the scripts; `parts`, a list of (caption or
        None, list of (level, page)); `pages`, the article of each page, made fit for printing.
    """
    site, sources = run_folder / "site", run_folder / "pages"
    if not (site / "index.html").is_file() or not (sources / "_toc.yml").is_file():
        raise InputError(f"{site} holds no book: `make report` makes it")
    config = yaml.safe_load((sources / "_config.yml").read_text(encoding="utf-8"))
    parts = read_parts(yaml.safe_load((sources / "_toc.yml").read_text(encoding="utf-8")))
    names = [name for _, entries in parts for _, name in entries]
    if unit is not None and f"units/{unit}" not in names:
        raise InputError(f"unit {unit} has no page in {site}: units.csv says which are selected")
    pages, formulas = {}, ""
    for name in names if unit is None else [f"units/{unit}", "references"]:
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        formulas = formulas or formula_scripts(page)
        pages[name] = printable(page.find("article"), name, names)
    return {"site": site, "title": config["title"], "formulas": formulas, "parts": parts, "pages": pages}


def read_parts(toc):
    """Return the table of contents as (caption or None, [(level, page), ...]) for each part."""
    parts = [(None, [(1, toc["root"])])]
    for part in toc["parts"]:
        entries = []
        for chapter in part["chapters"]:
            entries.append((1, chapter["file"]))
            entries += [(2, section["file"]) for section in chapter.get("sections", [])]
        parts.append((part["caption"], entries))
    return parts


def formula_scripts(page):
    """Return the HTML of a page's MathJax: its settings, and its file in the site; "" if it has none."""
    scripts = [
        script
        for script in page.find_all("script")
        if "mathjax" in script.get("src", "") or "window.MathJax" in script.get_text()
    ]
    for script in scripts:
        if script.has_attr("src"):
            script["src"] = "../site/mathjax/" + Path(urlsplit(script["src"]).path).name
    return "".join(map(str, scripts))


def printable(article, page, names):
    """Return the article of a page with what paper needs: links within the book, no buttons, no code.

    Parameters
    ----------
    article : bs4.Tag
        Changed in place.
    page : str
        Its name, such as units/951000276: ids get it as a prefix, so that no two are the same.
    names : list of str
        All pages of the book; what else a link may lead to in the site becomes plain text.
    """
    for tag in article.select(LEFT_OUT):
        tag.decompose()
    for tag in article.find_all(id=True):
        tag["id"] = place(page, tag["id"])
    for tag in article.select("details.chapter, details.chapter > summary, details.rests"):
        tag.unwrap()
    for link in article.find_all("a", href=True):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            continue
        name = resolve(page, parts.path).removesuffix(".html") if parts.path else page
        if name in names:
            link["href"] = f"#{place(name, unquote(parts.fragment))}"
        else:
            link.unwrap()
    for image in article.find_all("img"):
        image["src"] = f"../site/{resolve(page, urlsplit(image['src']).path)}"
        image.attrs.pop("loading", None)
    for table in article.find_all("table"):
        make_room(table)
    article["id"] = place(page)
    return article


def make_room(table):
    """Mark a table of many columns, and its section if a page must lie on its side for it."""
    columns = max((len(row.find_all(["td", "th"])) for row in table.find_all("tr")), default=0)
    if columns > WIDE:
        table["class"] = [*table.get("class", []), "wide"]
        for heading in table.find_all("th", string=True):  # lines may end after _
            heading.string = heading.string.replace("_", "_\N{ZERO WIDTH SPACE}")
    if columns > WIDEST and (section := table.find_parent("section")):
        section["class"] = [*section.get("class", []), "across"]


def place(page, label=""):
    """Return the id, in the printed book, of a page or of a place in it."""
    return page.replace("/", "-") + (f"--{label}" if label else "")


def resolve(page, path):
    """Return the path in the site of what a page calls `path`."""
    return os.path.normpath(os.path.join(os.path.dirname(page), unquote(path)))


def book_html(book, page_of=None):
    """Return the whole book as one HTML page: title, contents, chapters.

    Parameters
    ----------
    book : dict
        Of `read_book`.
    page_of : dict, optional
        {place: number of its page}, as `print_page` returns it, for the contents.
    """
    contents = [
        (caption, [line for level, name in entries for line in headings(book["pages"][name], level)])
        for caption, entries in book["parts"]
    ]
    return print_html("print_book.html.jinja", book, contents=contents, page_of=page_of or {})


def headings(article, level):
    """Return (level, title, place) of a page, and of its sections if it is a chapter of its own."""
    found = [(level, article.find("h1").decode_contents(), article["id"])]
    if level == 1:
        found += [
            (2, heading.decode_contents(), heading.find_parent("section")["id"])
            for heading in article.find_all("h2")
        ]
    return found


def unit_html(book, name):
    """Return the page of one unit as HTML, with the references that it cites; other links are text."""
    article = book["pages"][name]
    inside = {tag["id"] for tag in article.find_all(id=True)}
    cited = [link["href"][1:] for link in article.select(".bibtex-citation a")]
    entries = [entry for entry in book["pages"]["references"].select(".citation") if entry["id"] in cited]
    for link in article.find_all("a", href=True):
        if link["href"].startswith("#") and link["href"][1:] not in inside.union(cited):
            link.unwrap()
    return print_html("print_unit.html.jinja", book, article=article, cited=entries)


def print_html(template, book, **values):
    """Return a whole HTML page in the style of the print."""
    return render(template, book=book, style=STYLE.read_text(encoding="utf-8"), **values)


def print_page(browser, text, folder):
    """Print HTML to printed.pdf in a folder beside the site.

    Returns
    -------
    dict
        {place in the page: number of the printed page}, of all places that a link leads to.

    Raises
    ------
    InputError
        If the browser fails: one line with the last thing that it said.
    """
    page, pdf = folder / "page.html", folder / "printed.pdf"
    page.write_text(text, encoding="utf-8")
    pdf.unlink(missing_ok=True)
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=60000",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
        f"--print-to-pdf={pdf}",
        page.as_uri(),
    ]
    if os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # the sandbox cannot be had as root
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=MOST_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{browser} did not print: {error}") from None
    if done.returncode or not pdf.is_file():
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(
            f"{browser} did not print (exit code {done.returncode}): {said}; another "
            "browser can be named by CHROME"
        )
    reader = PdfReader(pdf)
    return {
        name.removeprefix("/"): reader.get_destination_page_number(target) + 1
        for name, target in reader.named_destinations.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, help="build/<name>")
    parser.add_argument("--unit", type=int)
    arguments = parser.parse_args()
    started = time.time()
    try:
        pdf = make_pdf(arguments.run_folder, unit=arguments.unit)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(f"the PDF: {pdf} ({time.time() - started:.0f} s)")


if __name__ == "__main__":
    main()
