"""The book of a run: gather its pages, build them, put the site in place.

python -m book._ext.site build/<name>
"""

import argparse
import functools
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

from book._ext import api_pages, explorers, theme
from book._ext.figure_links import largest_offered, offer_data
from book._ext.front_page import about, conclusions_page, front_page, units_index, warnings_box
from book._ext.labels import declared_labels, drop_dead_references, made_labels
from book._ext.neurons import glances
from book._ext.notebook_files import one_figure_each, read_notebook, visible, without_code, write_notebook
from book._ext.parameters_page import parameters_page
from book._ext.pictures import drawn, dressed
from book._ext.unit_pages import MANY, add_explorers, code_page, unit_heading, unit_page
from lib import figures
from lib.columns import dictionary
from lib.errors import InputError
from lib.files import ROOT, required, write_json
from lib.machine import cores
from lib.models import by_images
from lib.population.table import read_units
from lib.stages import STAGES
from workflow import cost
from workflow.render import render

SOURCE = ROOT / "book"
SIMULATED = "<b>Simulated neurons, generated images:</b> no animal was recorded for these pages"
CHAPTERS = tuple(row.notebook for row in STAGES.values() if row.notebook and not row.per_unit)


def build_book(run_folder, *, jobs=None):
    """Build the site of a run; the site that was there is replaced only if the build succeeds.

    Parameters
    ----------
    run_folder : str or Path
        `build/<name>`, with everything that the pipeline left there.
    jobs : int, optional
        Number of processes; that of the cores if not given.

    Returns
    -------
    Path
        `build/<name>/site/index.html`.

    Raises
    ------
    InputError
        One line: what is missing and the command that makes it, or that Sphinx complained.
    """
    run_folder = Path(run_folder).resolve()
    pages, build = gather_pages(run_folder), run_folder / "_build"
    shutil.rmtree(build, ignore_errors=True)
    folders = ["-d", build / "doctrees", pages, build / "html"]
    command = [sys.executable, "-m", "sphinx", "-j", jobs or cores(), "-n", "-W", "--keep-going", *folders]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=ROOT)
    output = re.sub("\x1b\\[[0-9;]*m", "", done.stdout + done.stderr)  # colours
    (run_folder / "book.log").write_text(output, encoding="utf-8")
    if done.returncode:
        complaints = [line for line in output.splitlines() if re.search(r"WARNING|ERROR|[Ee]rror\b", line)]
        raise InputError(
            "\n".join(
                [
                    f"the book was not built, {len(complaints)} complaints, all in {run_folder / 'book.log'}",
                    *complaints[:20],
                ]
            )
        )
    site = put_in_place(build / "html", run_folder / "site")
    shutil.rmtree(build)
    return site / "index.html"


def put_in_place(new, site):
    """Make the folder `new` the site; an earlier site is removed only after that."""
    shutil.rmtree(new / "_sources", ignore_errors=True)
    theme.slim(new)
    old = site.with_name(".site.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)
    return site


def gather_pages(run_folder):
    """Write every source page of the book to `pages/` of the run's folder, which it returns."""
    table, units = read_units(run_folder)
    pages = run_folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(SOURCE, pages, ignore=shutil.ignore_patterns("mathjax", "_ext", ".*", "result.png"))
    shutil.copytree(SOURCE / "mathjax", pages / "_extra" / "mathjax")
    for name in ("units.csv", "columns.csv"):
        shutil.copy(required(run_folder / name), pages / name)
    said, loop = required(run_folder / "conclusions.md"), run_folder / "loop_conclusions.md"
    text = said.read_text(encoding="utf-8") + (loop.read_text(encoding="utf-8") if loop.exists() else "")
    (pages / "_run_conclusions.md").write_text(text, encoding="utf-8")
    (pages / "_run_cost.md").write_text(
        cost.chapter(run_folder, units=len(table), selected=len(units)), encoding="utf-8"
    )
    write_chapters(run_folder, pages)
    api_pages.write_api(pages / "api")
    simulated = (run_folder / "truth.h5").exists()
    shown = glances(run_folder, table, units, pages)
    described = about(run_folder, table, shown, simulated=simulated)
    for name, text in {
        "_run_front": warnings_box(run_folder)
        + front_page(run_folder, table, shown, pages, simulated=simulated),
        "_run_claims": conclusions_page(run_folder, table, shown, simulated=simulated),
        "_run_dictionary": render("dictionary.md.jinja", rows=dictionary().to_dict("records")),
        "parameters": parameters_page(),
        "_run_models": models_by_images(),
        "_run_cite": render("cite.md.jinja", **described),
        "units": units_index(table, units, shown),
    }.items():
        (pages / f"{name}.md").write_text(text, encoding="utf-8")
    largest = largest_offered(run_folder, units)
    images = functools.cache(
        lambda: explorers.natural_images(run_folder, pages / "_extra" / "explore" / "images.jpg")
    )
    for glance in shown:
        unit, folder = glance["unit"], run_folder / "units" / str(glance["unit"])
        cells, metadata = unit_page(run_folder, unit, unit_heading(glance, table.loc[unit], folder))
        cells = offer_data(cells, folder, pages, largest=largest)
        cells = dressed(add_explorers(cells, folder, pages, images))
        if len(units) > MANY:
            cells = [without_code(cell) for cell in cells]
        write_notebook(pages / "units" / f"{unit}.ipynb", cells, metadata)
    if len(units) > MANY:
        (pages / "units" / "code.md").write_text(code_page(run_folder, units[0]), encoding="utf-8")
    write_toc(pages / "_toc.yml", [*units, *(["code"] if len(units) > MANY else [])])
    write_config(pages / "_config.yml", units, described, simulated=simulated)
    return pages


def models_by_images():
    """Return figure and table of how well each kind of model predicts, by the number of images."""
    table = by_images.measured()
    figures.use_style()
    ax = figures.panels(1, width=4.2, height=2.8)
    for kind, own in table.groupby("model", sort=False):
        ax.plot(own.images, own.r, "o-", label=kind)
    ax.set(xscale="log", xlabel="images", ylabel="correlation with the true response")
    ax.legend()
    wide = table.pivot(index="images", columns="model")
    return render("models.md.jinja", figure=drawn(ax), table=wide, kinds=list(table.model.unique()))


def write_chapters(run_folder, pages):
    """Write the notebooks about the population as chapters."""
    chapters = [read_notebook(required(run_folder / f"notebooks/{name}.ipynb")) for name in CHAPTERS]
    declared = set().union(*(declared_labels(chapter["cells"]) for chapter in chapters))
    shown = [one_figure_each(visible(chapter["cells"])) for chapter in chapters]
    dead = declared - set().union(*map(made_labels, shown))
    for name, cells, chapter in zip(CHAPTERS, shown, chapters, strict=True):
        cells = [drop_dead_references(cell, dead) for cell in cells]
        cells = dressed(offer_data(cells, run_folder, pages))
        write_notebook(pages / f"{name}.ipynb", cells, chapter["metadata"])


def write_toc(path, units):
    """Fill the pages below `units` and `api` into the table of contents."""
    toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    below = {"units": units, "api": api_pages.rooms()}
    for chapter in (chapter for part in toc["parts"] for chapter in part["chapters"]):
        if names := below.get(chapter["file"]):
            chapter["sections"] = [{"file": f"{chapter['file']}/{name}"} for name in names]
    path.write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")


def write_config(path, units, described, *, simulated):
    """Write the book's settings; with many units the side bar does not list them.

    `described` is of `book._ext.front_page.about`. Every page of a simulated run says that it is one.

    Sphinx works out the list of all pages anew for each page, which would take longer than all else.
    """
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    settings = config["sphinx"]["config"]
    settings["html_context"]["described"] = described
    if simulated:
        settings["html_theme_options"]["announcement"] = SIMULATED
    if described["repository"]:
        settings["html_theme_options"] |= {
            "repository_url": described["repository"],
            "use_repository_button": True,
        }
    if len(units) > MANY:
        settings["html_sidebars"] = {"**": ["navbar-logo.html", "search-button-field.html", "chapters.html"]}
        settings["html_context"]["side_bar"] = side_bar(path.parent)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def side_bar(pages):
    """Return the chapters for `_templates/chapters.html`: a caption, files and titles of each part."""
    toc = yaml.safe_load((pages / "_toc.yml").read_text(encoding="utf-8"))
    number = itertools.count(1)
    parts = [
        {
            "caption": part["caption"],
            "chapters": [
                {"file": file, "title": f"{next(number)}. {title_of(pages, file)}"}
                for file in (chapter["file"] for chapter in part["chapters"])
            ],
        }
        for part in toc["parts"]
    ]
    root = {"file": toc["root"], "title": title_of(pages, toc["root"])}
    return [{"caption": None, "chapters": [root]}, *parts]


def title_of(pages, name):
    """Return the title of a page: its first heading."""
    if (path := pages / f"{name}.md").exists():
        text = path.read_text(encoding="utf-8")
    else:
        text = "\n".join(cell["source"] for cell in read_notebook(pages / f"{name}.ipynb")["cells"])
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, help="build/<name>")
    parser.add_argument("--jobs", type=int, help="number of processes; default: cores")
    arguments = parser.parse_args()
    started = time.time()
    print("book ...", flush=True)
    try:
        build_book(arguments.run_folder, jobs=arguments.jobs)
    except InputError as error:
        sys.exit(f"book: {error}")
    seconds = round(time.time() - started, 1)
    write_json(arguments.run_folder / "book.json", {"provenance": {"stage": "book", "seconds": seconds}})
    print(f"book: done ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
