"""The first page of a run's book, and the page of all its neurons."""

from base64 import b64decode

from book._ext.figure_links import data_anchor
from book._ext.notebook_files import is_image, read_notebook
from book._ext.unit_pages import LABELS, MANY
from lib.stages import load_result
from lib.words import show
from workflow.pictures import with_palette

OVERVIEW_CAPTION = (
    "Most exciting input, best Gabor and best natural image of selected neurons whose "
    "MEI is reliable or uncertain (of any, if there is none), the most reliable "
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
    gallery = [
        f"[![Most exciting input of unit {unit}](units/{unit}.png)\n{unit}](units/{unit}.ipynb)\n"
        for unit in units
        if (pages / "units" / f"{unit}.png").exists()
    ]
    lines = ["| unit | " + " | ".join(LABELS[name] for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for unit in units:
        values = [show(table.at[unit, name]) for name in names]
        lines.append(f"| [{unit}](units/{unit}.ipynb) | " + " | ".join(values) + " |")
    parts = [
        f"# Neurons\n\n{len(units)} of {len(table)} units have a page of their own. "
        "{download}`units.csv <units.csv>` has a row for every unit."
        + (" Their pages share [their code](units/code.md)." if len(units) > MANY else "")
    ]
    if gallery:
        parts.append("::::{div} gallery\n" + "\n".join(gallery) + "\n::::")
    parts.append(
        "A click on a heading sorts the table. *Correlation to average* is that of "
        "predicted and average response to images the model had not seen; *masked "
        "MEI*, *best Gabor*, *best image* and *linear RF* are predicted responses at equal "
        "mean, contrast and mask."
    )
    parts.append("::::{div} sortable\n" + "\n".join(lines) + "\n::::")
    return "\n\n".join(parts) + "\n"


def run_box(run_folder, pages):
    """Return what the first page says about this run: what was asked, what was found, how sure.

    The words are those of population.json: `found` and `sure` are sentences, `failed` units are named,
    plain values and counts tabled. Two pictures are those of 08_population, if they were drawn there.
    """
    summary, _ = load_result(run_folder, "population")
    found, sure = summary.pop("found", []), summary.pop("sure", [])
    if failed := [int(unit) for unit in summary.pop("failed", [])]:
        links = ", ".join(f"[{unit}](units/{unit}.ipynb)" for unit in failed)
        sure = [*sure, f"A stage failed, so that these neurons have no result: {links}."]
    asked = (
        f"{summary['selected']} of {summary['units']} recorded neurons were "
        "[selected](03_oracle.ipynb). Which image would each of them answer most, and is it more "
        "than a Gabor patch?"
    )
    values = {
        name.replace("_", " "): counts_or_value(value)
        for name, value in summary.items()
        if value not in (None, {}, [])
    }
    lines = [":::::{admonition} This run", ":class: tip run-box"]
    for heading, sentences in (("Asked", [asked]), ("Found", found), ("How sure", sure)):
        lines += ["", f"**{heading}**", "", *(f"- {sentence}" for sentence in sentences)]
    lines += [
        "",
        "| " + " | ".join(values) + " |",
        "|" + "---|" * len(values),
        "| " + " | ".join(values.values()) + " |",
        ":::::",
        "",
    ]
    overview = run_folder / "figures" / "overview.png"
    if overview.exists():
        lines += front_figure(
            pages,
            "fig-overview",
            overview.read_bytes(),
            alt=OVERVIEW_ALT,
            caption=OVERVIEW_CAPTION,
            data_of="fig-gallery",
        )
    population = read_notebook(run_folder / "notebooks" / "08_population.ipynb")
    for cell in population["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        pictures = [o["data"]["image/png"] for o in cell.get("outputs", []) if is_image(o)]
        if figure.get("name") == COMPARISON and pictures:
            lines += front_figure(
                pages,
                "fig-comparison",
                b64decode("".join(pictures[0])),
                caption=figure["caption"],
                alt=cell["metadata"]["mystnb"]["image"]["alt"],
                data_of=COMPARISON,
            )
    return "\n".join(lines) + "\n"


def front_figure(pages, label, png, *, alt, caption, data_of):
    """Return the Markdown of a figure on the first page, and write its picture."""
    (pages / f"_{label}.png").write_bytes(with_palette(png))
    data = [data_anchor(file) for file in (pages / "_extra" / "data").glob(f"{data_of}.*")]
    return [
        f"```{{figure}} _{label}.png",
        f":name: {label}",
        f":alt: {alt}",
        "",
        " ".join([caption, *data]),
        "```",
        "",
    ]


def counts_or_value(value):
    """Return a value, or counts by name, as a reader sees it."""
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return show(value)
