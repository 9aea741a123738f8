"""What can be wrong with a built site. Each function returns its complaints, or nothing."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "embed": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "track": "src",
    "object": "data",
    "image": "href",
}
LOADING_LINKS = {
    "stylesheet",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "icon",
    "shortcut",
    "manifest",
    "apple-touch-icon",
}
ELSEWHERE = re.compile(r"\s*(https?:|wss?:|//)", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)['"]?\s*((?:https?:)?//[^'")\s;]+)""", re.IGNORECASE)
IN_SCRIPT = re.compile(
    r"""(?:\bsrc\s*=|\bfetch\(|\bimport\(?|importScripts\()\s*['"`]((?:https?:)?//[^'"`]+)"""
)
LEAK = re.compile(r"\b(?:nan|NaN)\b|\bNone\b(?! of)|\{[^{}\s'\"]{0,60}\}|\?\?")
FILE_NAME = re.compile(r"^\S+\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)
NOT_PROSE = ["pre", "code", "script", "style", "textarea"]
UNLINKED = {"search.html", "genindex.html"}  # Sphinx's own, reached through the search field


def read_site(site):
    """Return {path of a page relative to the site: its parsed HTML}."""
    site = Path(site)
    return {
        page.relative_to(site).as_posix(): parse(page.read_text(encoding="utf-8"))
        for page in sorted(site.rglob("*.html"))
        if "_static" not in page.parts
    }


def parse(html):
    """Return HTML, parsed."""
    return BeautifulSoup(html, "html.parser")


def external_in_page(page):
    """Return what a page loads from another host; links that a reader may follow load nothing."""
    found = []
    for tag in page.find_all(list(LOADED)):
        urls = [tag.get(LOADED[tag.name], ""), tag.get("poster", "")]
        urls += [part.split()[0] for part in tag.get("srcset", "").split(",") if part.strip()]
        found += [f"{tag.name} {url}" for url in urls if ELSEWHERE.match(url)]
    for tag in page.find_all("link", href=True):
        if ELSEWHERE.match(tag["href"]) and LOADING_LINKS & set(tag.get("rel", [])):
            found.append(f"link {tag['href']}")
    for tag in page.find_all("style"):
        found += [f"style {url}" for url in IN_STYLE.findall(tag.get_text())]
    for tag in page.find_all(style=True):
        found += [f"style {url}" for url in IN_STYLE.findall(tag["style"])]
    for tag in page.find_all("script", src=False):
        found += [f"script {url}" for url in IN_SCRIPT.findall(tag.get_text())]
    return found


def external_in_style(text):
    """Return what a style sheet loads from another host."""
    return IN_STYLE.findall(text)


def broken_links(pages, site):
    """Return the links and sources of all pages that lead to no file or no place in a page."""
    site, found = Path(site).resolve(), []
    anchors = {
        name: {tag["id"] for tag in page.find_all(id=True)}
        | {tag["name"] for tag in page.find_all("a", attrs={"name": True})}
        for name, page in pages.items()
    }
    for name, page in pages.items():
        for url in targets(page):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            file = (site / name).parent / unquote(parts.path) if parts.path else site / name
            file = file.resolve()
            target = file.relative_to(site).as_posix() if file.is_relative_to(site) else None
            anchor = unquote(parts.fragment)
            if target is None or not file.is_file():
                found.append(f"{name}: {url}: no such file in the site")
            elif anchor and target in anchors and anchor not in anchors[target]:
                found.append(f"{name}: {url}: no such place in {target}")
    return found


def targets(page):
    """Return every URL that a page links to or loads."""
    urls = [tag["href"] for tag in page.find_all(["a", "link"], href=True)]
    return urls + [tag["src"] for tag in page.find_all(["img", "script", "source"], src=True)]


def wordless_images(page):
    """Return the images of the article without words, or with a file name for words."""
    found = []
    for image in (page.find("article") or page).find_all("img"):
        alt, source = image.get("alt", "").strip(), image.get("src", "")
        if not alt or alt == source or alt.endswith(Path(source).name) or FILE_NAME.match(alt):
            found.append(f"{source}: alt={alt!r}")
    return found


def bare_figures(page):
    """Return the figures without a label, a number or a caption."""
    found = []
    for figure in page.find_all("figure"):
        caption = figure.find(class_="caption-text")
        complete = (
            figure.get("id")
            and figure.find(class_="caption-number")
            and caption
            and caption.get_text(strip=True)
        )
        if not complete:
            found.append(f"figure {figure.get('id', '?')}: label, number or caption is missing")
    return found


def figures_without_data(page):
    """Return the figures below which their data are neither offered nor said to be in the run."""
    return [
        f"figure {figure.get('id', '?')}: no data"
        for figure in page.find_all("figure")
        if not figure.find("a", class_="figure-data") and "Data:" not in figure.get_text()
    ]


def repeated_labels(pages):
    """Return the labels of figures that more than one figure of the book has."""
    seen, found = {}, []
    for name, page in pages.items():
        for figure in page.find_all("figure", id=True):
            if figure["id"] in seen:
                found.append(f"{figure['id']}: in {seen[figure['id']]} and in {name}")
            seen[figure["id"]] = name
    return found


def unreachable_pages(pages, start="index.html"):
    """Return the pages to which no chain of links leads from the first."""
    reached, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        for tag in pages[name].find_all("a", href=True):
            parts = urlsplit(tag["href"])
            if parts.scheme or parts.netloc or not parts.path:
                continue
            target = _normal(Path(name).parent / unquote(parts.path))
            if target in pages and target not in reached:
                reached.add(target)
                waiting.append(target)
    return sorted(set(pages) - reached - UNLINKED)


def leaks(page):
    """Return what in a page's prose looks like a value that is missing or was not filled in."""
    page = parse(str(page.find("article") or page))
    for tag in page.find_all(NOT_PROSE) + page.find_all(class_="math"):
        tag.decompose()
    text = " ".join(page.get_text(" ").split())
    return [text[max(0, m.start() - 40) : m.end() + 40] for m in LEAK.finditer(text)]


def _normal(path):
    parts = []
    for part in path.as_posix().split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
