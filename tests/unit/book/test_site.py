"""The pages of the book: gathered from small made-up notebooks, without building them."""

import ast
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from jinja2 import DictLoader, Environment, Template

from book._ext import figure_links, front_page, labels, notebook_files, site, unit_pages
from lib import words as book
from lib.errors import InputError
from lib.figure_data import name_of
from lib.files import ROOT, write_json
from lib.population import table as population_table

PICTURE = {"output_type": "display_data", "data": {"image/png": "iVBORw0K"}, "metadata": {}}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no spikes\nat all", "traceback": []}


def words(text):
    return {"output_type": "display_data", "data": {"text/markdown": text}, "metadata": {}}


def markdown(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def code(*outputs, tags=(), figure=None, source="x = 1"):
    metadata = {"tags": list(tags)}
    if figure:
        metadata["mystnb"] = {"figure": {"name": figure, "caption": f"After {{numref}}`{figure}`."}}
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": [source],
        "outputs": list(outputs),
        "execution_count": 1,
    }


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"kernelspec": {"name": "python3"}, "papermill": {"input_path": "/somewhere"}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def run(tmp_path):
    """A finished run of two paged units and one more."""
    for name in site.CHAPTERS:
        write(
            tmp_path / f"notebooks/{name}.ipynb",
            markdown(f"# {name}"),
            code(tags=["parameters"], source="secret = 1"),
            code(PICTURE, figure=f"fig-{name}"),
        )
    for unit in (11, 12):
        for stage in unit_pages.NOTEBOOKS:
            write(
                tmp_path / f"units/{unit}/{stage}.ipynb",
                markdown(f"# Stage {stage}\n## Detail"),
                code(tags=["injected-parameters"], source="secret = 1"),
                code(PICTURE, figure=f"fig-{stage}"),
                code(words(f"See {{numref}}`fig-{stage}` and [it](#fig-04_cnn).")),
            )
    pd.DataFrame(
        {
            "unit_id": [11, 12, 13],
            "structure": "VISp",
            "selected": [True, True, False],
            "mei_response": [2.5, None, None],
        }
    ).to_csv(tmp_path / "units.csv", index=False)
    (tmp_path / "conclusions.md").write_text("- computed\n")
    (tmp_path / "columns.csv").write_text("name,label\n")
    (tmp_path / "requests.json").write_text('{"mei": {"mem_mb": 1500, "runtime": 5}}')
    (tmp_path / "population.json").write_text(
        json.dumps(
            {
                "scalars": {
                    "units": 3,
                    "selected": 2,
                    "median_correlation": None,
                    "verdicts": {"well supported": 2},
                    "failed": [12],
                    "found": ["Two were selected."],
                    "sure": ["Quite."],
                }
            }
        )
    )
    return tmp_path


def page(pages, unit):
    return json.loads((pages / f"units/{unit}.ipynb").read_text())


def all_text(notebook):
    return json.dumps(notebook["cells"])


def test_labels_of_two_units_never_meet_and_references_follow(run):
    pages = site.gather_pages(run)
    first, second = (labels.made_labels(page(pages, unit)["cells"]) for unit in (11, 12))
    assert first == {f"fig-{stage}-11" for stage in unit_pages.NOTEBOOKS}
    assert not first & second
    text = all_text(page(pages, 11))
    assert "{numref}`fig-05_mei-11` and [it](#fig-04_cnn-11)" in text
    assert "After {numref}`fig-05_mei-11`" in text
    assert not re.search(r"fig-0\d_[a-z]+(?!-11)[`)\"]", text)


def test_a_label_that_begins_another_one_is_not_renamed_inside_it():
    cell = {**markdown(""), "source": "{numref}`fig-mei` {numref}`fig-mei-trace` my-fig-mei"}
    renamed = labels.rename_labels(cell, {"fig-mei", "fig-mei-trace"}, 7)["source"]
    assert renamed == "{numref}`fig-mei-7` {numref}`fig-mei-trace-7` my-fig-mei"


def test_headings_sink_one_level_but_not_inside_code():
    cell = {**markdown(""), "source": "# A\n```python\n# not one\n```\n## B"}
    assert notebook_files.shift_headings(cell)["source"] == "## A\n```python\n# not one\n```\n### B"


def test_parameters_and_paths_of_the_machine_are_not_shown(run):
    pages = site.gather_pages(run)
    for path in [*pages.glob("*.ipynb"), *pages.glob("units/*.ipynb")]:
        notebook = json.loads(path.read_text())
        assert "secret" not in all_text(notebook)
        assert set(notebook["metadata"]) == {"kernelspec"}


def test_a_failed_stage_shows_its_error_and_nothing_after_it(run):
    write(
        run / "units/12/05_mei.ipynb",
        markdown("# MEI"),
        code(PICTURE, figure="fig-start"),
        code(PICTURE, ERROR, figure="fig-mei"),
        code(PICTURE, figure="fig-later"),
        markdown("Never reached."),
    )
    (run / "units/12/07_metrics.ipynb").unlink()
    cells = page(site.gather_pages(run), 12)["cells"]
    text = all_text({"cells": cells})
    assert "`05_mei` of this unit has no result: it stopped with `ValueError: no spikes`" in text
    assert "Stage `07_metrics` of this unit has no result: it was not run" in text
    assert "Never reached" not in text
    made = labels.made_labels(cells)
    assert "fig-start-12" in made and not {"fig-mei-12", "fig-later-12"} & made
    assert sum(o["output_type"] == "error" for c in cells for o in c.get("outputs", [])) == 1


def test_references_to_a_figure_that_was_not_made_become_words(run):
    write(run / "units/12/05_mei.ipynb", markdown("# MEI"), code(ERROR, figure="fig-05_mei"))
    write(
        run / "units/12/06_gabor.ipynb",
        markdown(
            "# Gabor\nLike {numref}`fig-05_mei` and [this one](#fig-05_mei), {numref}`fig-04_cnn` "
            "and {numref}`fig-mistyped`."
        ),
    )
    text = all_text(page(site.gather_pages(run), 12))
    assert "Like (not made) and this one, {numref}`fig-04_cnn-12` and {numref}`fig-mis" in text


def test_chapters_may_refer_to_each_other(run):
    write(
        run / "notebooks/03_oracle.ipynb",
        markdown("# O\n{numref}`fig-01_data` {numref}`fig-gone`"),
        code(words("*No spike times.*"), figure="fig-gone"),
    )
    text = all_text(json.loads((site.gather_pages(run) / "03_oracle.ipynb").read_text()))
    assert "{numref}`fig-01_data` (not made)" in text


def test_words_in_the_place_of_a_figure_get_no_caption():
    cells = notebook_files.one_figure_each([code(words("*No spike times.*"), figure="fig-raster")])
    assert [("mystnb" in cell["metadata"]) for cell in cells] == [False]


def test_words_beside_a_figure_leave_the_caption_to_the_image():
    cells = notebook_files.one_figure_each([code(words("A note."), PICTURE, figure="fig-raster")])
    assert [("mystnb" in cell["metadata"], len(cell["outputs"])) for cell in cells] == [(False, 1), (True, 1)]
    assert "remove-input" in cells[1]["metadata"]["tags"], "the code would be shown twice"


def test_the_page_of_units_lists_each_as_a_card_and_as_a_row(run):
    """Fault: a unit without a stimulus left out, a unit that was not selected listed."""
    pages = site.gather_pages(run)
    text = (pages / "units.md").read_text()
    assert "2 of 3 units" in text
    assert text.count('class="card none"') == 2 and text.count("no MEI") == 2
    assert "| [11](units/11.ipynb) | VISp | 2.50 |" in text
    assert "| [12](units/12.ipynb) | VISp | – |" in text
    assert "13" not in text
    toc = yaml.safe_load((pages / "_toc.yml").read_text())
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    sections = {chapter["file"]: chapter["sections"] for chapter in chapters if "sections" in chapter}
    assert sections["units"] == [{"file": "units/11"}, {"file": "units/12"}]
    assert {"file": "api/lib.mei"} in sections.pop("api") and len(sections) == 1


def with_data(run, folder, text, content):
    """Let the only figure of a stage's notebook have data: a file beside the results."""
    folder = run / folder / "figure_data" / "04_cnn"
    folder.mkdir(parents=True)
    (folder / f"{name_of(text)}.csv").write_text(content)
    return {**PICTURE, "data": PICTURE["data"] | {"text/plain": [text]}}


def caption(pages, name):
    (cell,) = [
        cell
        for cell in all_cells(pages, name)
        if "figure" in cell["metadata"].get("mystnb", {})
        and "cnn" in cell["metadata"]["mystnb"]["figure"]["name"]
    ]
    return cell["metadata"]["mystnb"]["figure"]["caption"]


def test_titles_in_the_side_bar_are_escaped_as_sphinx_does_not(run, monkeypatch):
    write(run / "notebooks/01_data.ipynb", markdown('# Counts < 1 & "none"'), code())
    monkeypatch.setattr(site, "MANY", 1)
    pages = site.gather_pages(run)
    context = yaml.safe_load((pages / "_config.yml").read_text())["sphinx"]["config"]["html_context"]
    assert context["default_mode"] == "auto", "what is set for all books stays"
    text = Template((pages / "_templates" / "chapters.html").read_text()).render(context, pathto=str)
    assert ">2. Counts &lt; 1 &amp; &#34;none&#34;</a>" in text


def test_the_message_of_a_stage_that_failed_is_shown_as_it_was_written(run):
    """Fails if Markdown is escaped as HTML: the reader would see &#39; between the backticks."""
    error = {**ERROR, "evalue": "no 'x' in {\"a\": 1} & 2 < 3, {{ y }} {% z %}"}
    write(run / "units/12/05_mei.ipynb", markdown("# MEI"), code(error))
    texts = [cell["source"] for cell in page(site.gather_pages(run), 12)["cells"]]
    (box,) = [text for text in texts if text.startswith(":::{error}")]
    assert box == (
        ":::{error}\nStage `05_mei` of this unit has no result: it stopped with "
        "`ValueError: no 'x' in {\"a\": 1} & 2 < 3, {{ y }} {% z %}`.\n:::"
    )


def all_cells(pages, name):
    return json.loads((pages / name).read_text())["cells"]


def test_below_each_figure_its_data_can_be_downloaded(run):
    picture = with_data(run, "units/11", "figure, 1 axes", "x,y")
    write(run / "units/11/04_cnn.ipynb", markdown("# R"), code(picture, figure="fig-cnn"))
    pages = site.gather_pages(run)
    assert 'href="../data/fig-cnn-11.csv" download>Data (CSV, 1 kB)</a>' in caption(pages, "units/11.ipynb")
    assert (pages / "_extra/data/fig-cnn-11.csv").read_text() == "x,y"
    assert "data/" not in caption(pages, "units/12.ipynb"), "no data were saved for it"


def test_where_there_are_too_many_data_the_page_says_where_the_large_files_are(run, monkeypatch):
    picture = with_data(run, "units/11", "figure, 1 axes", "x" * 20)
    write(run / "units/11/04_cnn.ipynb", markdown("# R"), code(picture, figure="fig-cnn"))
    monkeypatch.setattr(figure_links, "MOST_DATA", 19)
    monkeypatch.setattr(figure_links, "LARGEST_DATA", 19)
    pages = site.gather_pages(run)
    assert re.search(
        r"Data: `units/11/figure_data/04_cnn/\w+.csv` of the run", caption(pages, "units/11.ipynb")
    )
    assert not (pages / "_extra/data").exists()


def test_pages_are_those_of_the_selection_where_there_is_one(run):
    (run / "selected.json").write_text("[12, 13]")
    assert population_table.read_units(run)[1] == [12, 13]
    (run / "selected.json").write_text("[12, 99]")
    with pytest.raises(InputError, match="no row for unit 99"):
        population_table.read_units(run)


def test_the_first_page_says_what_was_found_and_what_failed(run):
    """Fault: a failed neuron hidden, nothing said where no neuron has a result."""
    text = (site.gather_pages(run) / "_run_front.md").read_text()
    assert text.startswith("Of 3 recorded neurons, 2 respond reliably")
    assert "No neuron has both an MEI and a best Gabor." in text
    assert "so that these neurons have no result: [12](units/12.ipynb)" in text
    assert "- Quite." in text and "None" not in text and "figure" not in text


@pytest.mark.parametrize("simulated", [False, True])
def test_every_page_of_a_simulated_run_says_so_and_no_other(run, simulated):
    """Fault: generated data taken for a recording, or the reverse."""
    if simulated:
        (run / "truth.h5").write_bytes(b"")
    settings = yaml.safe_load((site.gather_pages(run) / "_config.yml").read_text())["sphinx"]["config"]
    assert ("announcement" in settings["html_theme_options"]) == simulated
    text = settings["html_context"]["described"]["description"]
    assert ("simulated neurons shown generated images" in text) == simulated and "*" not in text


CODE, SITE = "https://example.org/code", "https://example.org/book"


@pytest.mark.parametrize("published", [False, True])
def test_addresses_of_the_citation_lead_to_the_code_and_into_previews(run, tmp_path, monkeypatch, published):
    """Fault: a link to nowhere, or an address within the site as that of a preview, where none is known."""
    root = tmp_path / "root"
    root.mkdir()
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    addresses = f"repository-code: {CODE}\nurl: {SITE}/\n" if published else ""
    (root / "CITATION.cff").write_text(cited + addresses, encoding="utf-8")
    monkeypatch.setattr(front_page, "ROOT", root)
    pages = site.gather_pages(run)
    settings = yaml.safe_load((pages / "_config.yml").read_text())
    theme = settings["sphinx"]["config"]["html_theme_options"]  # these are all that the theme sees
    assert theme.get("repository_url") == (CODE if published else None)
    assert theme.get("use_repository_button", False) == published
    box = (pages / "_run_cite.md").read_text()
    assert (f"<{CODE}>" in box) == (f"url = {{{CODE}}}" in box) == published
    layout = (pages / "_templates" / "layout.html").read_text()
    templates = DictLoader({"page": layout, "!layout.html": "{% block extrahead %}{% endblock %}"})
    described = settings["sphinx"]["config"]["html_context"]["described"]
    page = Environment(loader=templates).get_template("page")
    head = page.render(described=described, pagename="units/12", root_doc="index", title="Unit 12")
    meta = dict(re.findall(r'<meta property="(.*?)" content="(.*?)">', head))
    assert meta.get("og:image") == (f"{SITE}/neurons/preview.png" if published else None)
    assert meta.get("og:url") == (f"{SITE}/units/12.html" if published else None)
    assert meta["og:title"] == "Unit 12"


@pytest.mark.parametrize(
    "value, shown",
    [
        (float("nan"), "–"),
        (None, "–"),
        (True, "yes"),
        (0.0, "0.00"),
        (0.1234, "0.12"),
        (0.00123, "0.0012"),
        (3, "3"),
        ("simple", "simple"),
    ],
)
def test_values_are_shown_as_a_reader_expects(value, shown):
    assert book.show(value) == shown


@pytest.mark.parametrize(
    "name", ["units.csv", "conclusions.md", "columns.csv", "population.json", "notebooks/02_rasterplot.ipynb"]
)
def test_a_missing_result_is_one_line_that_names_the_command(run, name):
    (run / name).unlink()
    with pytest.raises(InputError, match="make report") as error:
        site.gather_pages(run)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_with_many_units_their_pages_list_neither_each_other_nor_their_code(run, monkeypatch):
    pages = site.gather_pages(run)
    assert "html_sidebars" not in (pages / "_config.yml").read_text()
    monkeypatch.setattr(site, "MANY", 1)
    pages = site.gather_pages(run)
    config = yaml.safe_load((pages / "_config.yml").read_text())["sphinx"]["config"]
    assert config["html_sidebars"]["**"][-1] == "chapters.html"
    template = Template((pages / "_templates" / "chapters.html").read_text())
    text = template.render(config["html_context"], pathto=lambda page: f"to-{page}.html")
    assert '<a href="to-methods.html">1. ' in text and '<a href="to-01_data.html">2. 01_data</a>' in text
    assert '"to-units.html"' in text and "units/11" not in text and "None" not in text
    assert not [
        cell
        for cell in all_cells(pages, "units/11.ipynb")
        if cell["cell_type"] == "code" and "remove-input" not in cell["metadata"]["tags"]
    ]
    assert "x = 1" in (pages / "units/code.md").read_text(), "the code has a page of its own"


def fake_build(returncode, text):
    def build(command, **options):
        html = Path(command[-1])
        (html / "_static" / "scripts").mkdir(parents=True)
        (html / "index.html").write_text("new")
        return SimpleNamespace(returncode=returncode, stdout="", stderr=text)

    return build


def test_a_failed_build_leaves_the_old_site_alone(run, monkeypatch):
    (run / "site").mkdir()
    (run / "site/index.html").write_text("old")
    monkeypatch.setattr(subprocess, "run", fake_build(1, "pages/a.md:3: WARNING: unknown label\n"))
    with pytest.raises(InputError, match="1 complaints.*\n.*unknown label"):
        site.build_book(run)
    assert (run / "site/index.html").read_text() == "old"


def test_a_good_build_replaces_the_site_and_all_that_was_in_it(run, monkeypatch):
    (run / "site").mkdir()
    (run / "site/stale.html").write_text("old")
    monkeypatch.setattr(subprocess, "run", fake_build(0, ""))
    assert site.build_book(run).read_text() == "new"
    assert {path.name for path in (run / "site").iterdir()} == {"index.html", "_static"}
    assert not list(run.glob(".site*")) and not (run / "_build").exists()


def test_functions_named_in_the_chapters_exist():
    for chapter in (ROOT / "book").glob("*.md"):
        for name in re.findall(r"`~?(lib\.[\w.]+)`", chapter.read_text()):
            parts = name.split(".")
            modules = [ROOT.joinpath(*parts[:n]).with_suffix(".py") for n in range(2, len(parts) + 1)]
            room = ROOT.joinpath(*parts)
            known = room.is_dir() or modules[-1].is_file()
            for path in filter(Path.is_file, modules[:-1]):
                known |= parts[-1] in {
                    node.name
                    for node in ast.walk(ast.parse(path.read_text()))
                    if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                }
            assert known, f"{chapter.name} names {name}"


def test_a_units_warnings_stand_above_its_stages(tmp_path):
    """Fault: a stage's warnings are lost, or a failed stage stops the page."""
    for stage, scalars in {
        "cnn": {"recording_warnings": ["It drifts."]},
        "gabor": {"gabor_warnings": []},
    }.items():
        write_json(tmp_path / f"{stage}.json", {"scalars": scalars})
    write_json(tmp_path / "mei.json", {"failed": "broken"})
    assert unit_pages.warnings(tmp_path) == ["It drifts."]
