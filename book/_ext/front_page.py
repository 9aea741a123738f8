"""The first page of a run's book, and the page of all its neurons."""

from base64 import b64decode

from book._ext.figure_links import data_anchor
from book._ext.notebook_files import is_image, read_notebook
from book._ext.unit_pages import LABELS, MANY
from lib.data.session import read_warnings
from lib.mei.calibration import VERDICTS
from lib.stages import load_result
from lib.words import show
from workflow.pictures import with_palette
from workflow.render import render

OVERVIEW_CAPTION = (
    "Most exciting input, best Gabor and best natural image of selected neurons whose "
    f"MEI is {VERDICTS[0]} or {VERDICTS[1]} (of any, if there is none), the most reliable "
    "responses first; the rest stand in [](08_population.ipynb)."
)
COMPARISON = "fig-mei-gabor"  # of 08_population, also on the first page
OVERVIEW_ALT = (
    "Small images in rows of three for each selected neuron: most exciting input, best "
    "Gabor patch, best natural image"
)


def units_index(table, units, pages):
    """Return the page of all units that have one: thumbnails and a table that can be sorted."""
    names = [name for name in LABELS if name in table and table.loc[units, name].notna().any()]
    return render(
        "units.md.jinja",
        total=len(table),
        code_apart=len(units) > MANY,
        pictured=[unit for unit in units if (pages / "units" / f"{unit}.png").exists()],
        heads=["unit", *(LABELS[name] for name in names)],
        rows=[
            [f"[{unit}](units/{unit}.ipynb)", *(show(table.at[unit, name]) for name in names)]
            for unit in units
        ],
    )


def run_box(run_folder, pages):
    """Return what the first page says about this run: what was asked, what was found, how sure.

    The words are those of population.json: `found` and `sure` are sentences, `failed` units are named,
    plain values and counts tabled. Two pictures are those of 08_population, if they were drawn there.
    """
    summary, _ = load_result(run_folder, "population")
    found, sure, failed = (summary.pop(name, []) for name in ("found", "sure", "failed"))
    values = {
        name.replace("_", " "): counts_or_value(value)
        for name, value in summary.items()
        if value not in (None, {}, [])
    }
    figures = []
    overview = run_folder / "figures" / "overview.png"
    if overview.exists():
        figures.append(
            front_figure(
                pages,
                "fig-overview",
                overview.read_bytes(),
                alt=OVERVIEW_ALT,
                caption=OVERVIEW_CAPTION,
                data_of="fig-gallery",
            )
        )
    population = read_notebook(run_folder / "notebooks" / "08_population.ipynb")
    for cell in population["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        pictures = [o["data"]["image/png"] for o in cell.get("outputs", []) if is_image(o)]
        if figure.get("name") == COMPARISON and pictures:
            figures.append(
                front_figure(
                    pages,
                    "fig-comparison",
                    b64decode("".join(pictures[0])),
                    caption=figure["caption"],
                    alt=cell["metadata"]["mystnb"]["image"]["alt"],
                    data_of=COMPARISON,
                )
            )
    return render(
        "run_box.md.jinja",
        selected=summary["selected"],
        units=summary["units"],
        found=found,
        sure=sure,
        failed=[int(unit) for unit in failed],
        values=values,
        figures=figures,
    )


def warnings_box(run_folder):
    """Return what is suspicious in the recording, for the first page; "" if nothing is."""
    lines = [f"- {warning}" for warning in read_warnings(run_folder)]
    if not lines:
        return ""
    return "\n".join(
        [":::{admonition} Suspicious in the recording", ":class: warning", "", *lines, ":::", "", ""]
    )


def front_figure(pages, label, png, *, alt, caption, data_of):
    """Write the picture of a figure on the first page, and return what the page says of it."""
    (pages / f"_{label}.png").write_bytes(with_palette(png))
    data = [data_anchor(file) for file in (pages / "_extra" / "data").glob(f"{data_of}.*")]
    return {"label": label, "alt": alt, "caption": caption, "data": data}


def counts_or_value(value):
    """Return a value, or counts by name, as a reader sees it."""
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return show(value)
