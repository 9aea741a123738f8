"""The first page of a run's book, the conclusions, and the page of all its neurons."""

import yaml

from book._ext import neurons, words
from book._ext.unit_pages import LABELS, MANY
from lib.data.session import read_warnings
from lib.files import ROOT
from lib.stages import load_result
from lib.words import show
from workflow.render import render

ON_FIRST_PAGE = 40  # neurons, those predicted best
TITLES = (
    ("For this neuron, no Gabor is enough", "For this neuron, a Gabor is enough"),
    ("Of these two, the larger gain", "Of these two, the smaller gain"),
)


def front_page(run_folder, table, shown, pages, *, simulated):
    """Return what the first page says about this run: abstract, two neurons, the answer for each neuron.

    Parameters
    ----------
    run_folder : Path
    table : DataFrame
        units.csv.
    shown : list of dict
        Of `book._ext.neurons.glances`.
    pages : Path
    simulated : bool
    """
    summary, _ = load_result(run_folder, "population")
    heroes = neurons.two_examples(shown)
    more, _ = words.more_than_gabor(shown)
    titles = TITLES[not (heroes and heroes[0] in more and heroes[-1] not in more)]
    for g, title in zip(heroes, titles):
        g["title"], g["frames"] = title, neurons.film(run_folder, g, pages)
    neurons.preview(heroes, pages)
    best = sorted(shown, key=lambda g: -(g["cc_norm"] or -1))[:ON_FIRST_PAGE]
    return render(
        "front.md.jinja",
        abstract=words.abstract(shown, units=len(table), simulated=simulated),
        heroes=[g for g in heroes if g["frames"]],
        axis=neurons.axis_of(best),
        intervals=any(g["low"] is not None for g in best),
        total=len(shown),
        simulated=simulated,
        failed=[int(unit) for unit in summary.get("failed", {})],
        sure=summary.get("sure", []),
    )


def conclusions_page(run_folder, table, shown, *, simulated):
    """Return the claims of the conclusions, each with a small figure and the neurons it rests on."""
    summary, _ = load_result(run_folder, "population")
    claims = words.claims(table, shown, simulated=simulated, sure=summary.get("sure", []))
    for claim in claims:
        _, low, high, mark = claim["axis"]
        claim["points"] = [
            (unit, round(100 * (min(max(value, low), high) - low) / (high - low), 2))
            for unit, value in claim["values"].items()
        ]
        claim["mark"] = round(100 * (mark - low) / (high - low), 2)
        claim["ends"] = (f"{low:.3g}", f"{high:.3g}", f"{mark:.3g}")
    return render("claims.md.jinja", claims=claims, pictured={g["unit"]: g for g in shown})


def units_index(table, units, shown):
    """Return the page of all units that have one: cards, a scatter, and a table, filtered together."""
    names = [name for name in LABELS if name in table and table.loc[units, name].notna().any()]
    return render(
        "units.md.jinja",
        total=len(table),
        code_apart=len(units) > MANY,
        shown=sorted(shown, key=lambda g: [*neurons.SIGNS, g["verdict"]].index(g["verdict"])),
        facets=facets(shown),
        heads=["unit", *(LABELS[name] for name in names)],
        rows=[
            [f"[{unit}](units/{unit}.ipynb)", *(readable(table.at[unit, name]) for name in names)]
            for unit in units
        ],
    )


def facets(shown):
    """Return {facet: values with two or more}: what the cards can be narrowed down to."""
    found = {
        "area": sorted({g["area"] for g in shown if g["area"]}),
        "verdict": [word for word in neurons.SIGNS if any(g["verdict"] == word for g in shown)],
        "kind": sorted({g["kind"] for g in shown if g["kind"]}),
        "size": [size for size in neurons.SIZES if any(g["size"] == size for g in shown)],
    }
    return {name: values for name, values in found.items() if len(values) > 1}


def readable(value):
    """Return a value of a table as a reader sees it, names without underscores."""
    text = show(value)
    return text.replace("_", " ") if isinstance(value, str) else text


def about(run_folder, table, shown, *, simulated):
    """Return the description of the site for previews of links, and how to cite it.

    Returns
    -------
    dict
        description; repository and site, the addresses in CITATION.cff (repository-code, url), "" if it
        names none; citation (BibTeX); version.
    """
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    repository = cited.get("repository-code", "")
    authors = " and ".join(
        "{" + a["name"] + "}" if "name" in a else f"{a['family-names']}, {a['given-names']}"
        for a in cited["authors"]
    )
    lines = {
        "author": authors,
        "title": f"{{{cited['title']}}}",
        "version": str(cited["version"]),
        "year": str(cited.get("date-released", ""))[:4],
        "doi": cited.get("doi", ""),
        "url": repository,
    }
    return {
        "repository": repository,
        "site": cited.get("url", "").rstrip("/"),
        "version": cited["version"],
        "citation": "@software{mei_report,\n"
        + "".join(f"  {key} = {{{value}}},\n" for key, value in lines.items() if value)
        + "}",
        "description": words.abstract(shown, units=len(table), simulated=simulated)
        .replace("*", "")
        .replace('"', ""),
    }


def warnings_box(run_folder):
    """Return what is suspicious in the recording, for the first page; "" if nothing is."""
    lines = [f"- {warning}" for warning in read_warnings(run_folder)]
    if not lines:
        return ""
    return "\n".join(
        [":::{admonition} Suspicious in the recording", ":class: warning", "", *lines, ":::", "", ""]
    )
