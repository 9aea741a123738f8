"""The book at 500 neurons, its first page as a reader meets it, and whether a build can be repeated.

    python benchmarks/bench_book.py [--run build/small] [--units 500] [--only many|first|twice]

Takes a finished run. `many` copies its neurons under new ids (every picture another file, as in a real
run) and builds their book; limits: 180 s, 200 MB. `first` and the search need Chromium.
"""

import argparse
import filecmp
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for book and tests

from book._ext import site as book
from lib.files import ROOT
from lib.population import table as population_table
from tests.support.browser import DESKTOP, PHONE, PROGRAM, Browser
from workflow.pictures import SVG

FIRST_ID = 700_000_001


def copy_run(run, folder, number):
    """Copy a run to `folder`, its units again and again under new ids until there are `number`."""
    shutil.copytree(
        run,
        folder,
        ignore=shutil.ignore_patterns(
            "site", "pages", "units", "models", ".snakemake", "*.nwb", "simulated_images.npz"
        ),
    )
    table, units = population_table.read_units(run)
    shared, rows = shared_pictures(run), []
    for n in range(number):
        unit, new = units[n % len(units)], FIRST_ID + n
        copy_unit(run / "units" / str(unit), folder / "units" / str(new), unit, new, shared)
        rows.append(table.loc[[unit]].rename(index={unit: new}))
    pd.concat([table[~table.selected], *rows]).to_csv(folder / "units.csv", index_label="unit_id")
    (folder / "selected.json").write_text(json.dumps([FIRST_ID + n for n in range(number)]))
    return folder


def pictures(notebook):
    """Return the outputs of a notebook that are pictures."""
    return [
        output
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if SVG in output.get("data", {})
    ]


def shared_pictures(run):
    """Return the pictures (SVG) that stand on the pages of several units."""
    seen = Counter()
    for folder in (run / "units").iterdir():
        seen.update(
            {
                "".join(output["data"][SVG])
                for path in folder.glob("*.ipynb")
                for output in pictures(json.loads(path.read_text()))
            }
        )
    return {picture for picture, units in seen.items() if units > 1}


def copy_unit(old_folder, new_folder, old, new, shared):
    """Copy the folder of a unit under a new id; pictures of its own look alike but are other files."""
    shutil.copytree(old_folder, new_folder, ignore=shutil.ignore_patterns("*.ipynb"))
    for path in old_folder.glob("*.ipynb"):
        notebook = json.loads(path.read_text().replace(str(old), str(new)))
        for output in pictures(notebook):
            picture = "".join(output["data"][SVG])
            output["data"][SVG] = picture if picture in shared else another_picture(picture, new)
        (new_folder / path.name).write_text(json.dumps(notebook))


def another_picture(text, unit):
    """Return an SVG with a unit's id as a comment at its end."""
    return f"{text}<!-- {unit} -->"


def megabytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def many_units(run, number):
    """Build the book of many neurons."""
    with tempfile.TemporaryDirectory() as place:
        folder = copy_run(run, Path(place) / "many", number)
        start = time.perf_counter()
        first = book.build_book(folder)
        seconds = time.perf_counter() - start
        site = first.parent
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = {
            "seconds (limit 180)": f"{seconds:.0f}",
            "seconds of computing": f"{usage.ru_utime + usage.ru_stime:.0f}",
            "largest process, MiB": f"{usage.ru_maxrss / 1024:.0f}",
            "site, MB (limit 200)": f"{megabytes(site):.0f}",
            "files": len(list(site.rglob("*"))),
        }
        for part in sorted(site.iterdir(), key=lambda p: p.name):
            if part.is_dir() and (size := megabytes(part)) > 1:
                rows[f"  {part.name}, MB"] = f"{size:.0f}"
        if PROGRAM:
            rows |= search(site, FIRST_ID + number - 1)
    show(f"{number} neurons' pages", rows)


FOUND = """new Promise(done => { const look = () => {
  const links = [...document.querySelectorAll("#search-results li a")].map(link => link.href);
  links.length ? done(links) : setTimeout(look, 50); };
  look(); setTimeout(() => done([]), 60000); })"""
LEFT = """(unit => { const box = document.querySelector(".sortable input");
  box.value = unit; box.dispatchEvent(new Event("input"));
  return [...document.querySelectorAll(".sortable tbody tr")].filter(row => row.checkVisibility())
    .map(row => row.querySelector("a").href); })"""


def search(site, unit):
    """Look for a unit by the search page and by the table of units, as a reader would."""
    with Browser() as browser:
        browser.look()
        start = time.perf_counter()
        browser.open(f"{(site / 'search.html').as_uri()}?q={unit}")
        found = browser.ask(FOUND)
        taken = time.perf_counter() - start
        browser.open((site / "units.html").as_uri())
        left = browser.ask(f"{LEFT}('{unit}')")
    words = {True: "found", False: "NOT FOUND"}
    wanted = f"units/{unit}.html"
    return {
        f"search for {unit}": f"{words[any(wanted in link for link in found)]} in {taken:.1f} s, "
        f"{len(found)} pages",
        "table of units, filtered": f"{words[any(wanted in link for link in left)]}, {len(left)} rows",
    }


WATCH = """window.moved = window.blocked = 0;
  const watch = (type, note) => new PerformanceObserver(list => list.getEntries().forEach(note))
    .observe({type, buffered: true});
  watch("largest-contentful-paint", entry => { window.largest = entry.startTime; });
  watch("layout-shift", entry => { window.moved += entry.value; });
  watch("longtask", entry => { window.blocked += entry.duration - 50; });"""
TIMES = """new Promise(done => setTimeout(() => done({
  shown: performance.getEntriesByName("first-contentful-paint")[0].startTime, largest: window.largest,
  moved: window.moved, blocked: window.blocked,
  loaded: performance.timing.loadEventEnd - performance.timing.navigationStart}), 1000))"""


def first_page(site):
    """What the first page costs a reader: bytes, requests, time until something and all is shown."""
    for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
        with Browser() as browser:
            browser.look(size=size)
            browser.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            browser.open((site / "index.html").as_uri())
            times = browser.ask(TIMES)
            asked = [
                event["params"]["request"]["url"]
                for event in browser.events
                if event["method"] == "Network.requestWillBeSent"
            ]
        files = [Path(urlsplit(url).path) for url in asked if url.startswith("file:")]
        size_of = {file.name[:40]: file.stat().st_size / 1e3 for file in files}
        largest = sorted(size_of, key=size_of.get, reverse=True)[:5]
        show(
            f"the first page, {name}",
            {
                "requests": len(files),
                "to other hosts": len(asked) - len(files) - sum(url.startswith("data:") for url in asked),
                "kB": f"{sum(size_of.values()):.0f}",
                **{f"  {n}": f"{size_of[n]:.0f}" for n in largest},
                "first content shown, ms": f"{times['shown']:.0f}",
                "largest content shown, ms": f"{times['largest']:.0f}",
                "scripts block for, ms": f"{times['blocked']:.0f}",
                "layout shift (good: below .1)": f"{times['moved']:.3f}",
                "loaded, ms": f"{times['loaded']:.0f}",
            },
        )


def twice(run):
    """Build the same run twice; lists the files of the two sites that differ."""
    with tempfile.TemporaryDirectory() as place:
        sites = []
        for name in ("one", "two"):
            folder = Path(place) / name / run.name
            shutil.copytree(run, folder, ignore=shutil.ignore_patterns("site", "pages", ".snakemake"))
            sites.append(book.build_book(folder).parent)
        files = [
            sorted(file.relative_to(site) for file in site.rglob("*") if file.is_file()) for site in sites
        ]
        differ = [
            str(f)
            for f in files[0]
            if f in files[1] and not filecmp.cmp(sites[0] / f, sites[1] / f, shallow=False)
        ]
        show(
            "two builds of one run",
            {
                "files": len(files[0]),
                "only in one": len(set(files[0]) ^ set(files[1])),
                "different": ", ".join(differ) or "none",
            },
        )


def show(title, rows):
    print(f"\n{title}")
    for name, value in rows.items():
        print(f"  {name:<42}{value}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, default=ROOT / "build" / "small")
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--only", choices=["many", "first", "twice"])
    parser.add_argument("--real", help="not used: the book has no recorded data of its own")
    arguments = parser.parse_args()
    run = arguments.run.resolve()
    if not (run / "site" / "index.html").is_file():
        sys.exit(f"{run} is no finished run: `make report` or `make small` makes one")
    if arguments.only in (None, "first"):
        if PROGRAM:
            first_page(run / "site")
        else:
            print("no Chromium: the first page was not looked at")
    if arguments.only in (None, "twice"):
        twice(run)
    if arguments.only in (None, "many"):
        many_units(run, arguments.units)


if __name__ == "__main__":
    main()
