"""What the pages say of the original report, and how they show its tables."""

import numpy as np
from IPython.display import Markdown

from lib.original.defects import DEFECTS, SERIOUS
from lib.original.printed_values import SESSION, STRUCTURE

LACKING = {  # what a section of the audit returns where there is nothing to show
    "spike times": "*This source holds no spike times, so the count window cannot be moved.*",
    "presentations": "*This source holds no stimulus presentations, so there is no raster to bin.*",
    "recorded Gabors": "*This source holds no recorded Gabors.*",
    "significant map": "*No unit has a significant map of recorded Gabors.*",
    "MEI and Gabor": "*No neuron has both an MEI and a Gabor to compare with.*",
    "MEI": "*No neuron has an MEI to measure.*",
}


def shown(section):
    """A section of the audit as a page shows it: a table in three digits, or what is lacking for it.

    Parameters
    ----------
    section : DataFrame or str
        Of `lib.original.audit_data` and `lib.original.audit_stimuli`; a string is a key of `LACKING`.
    """
    if isinstance(section, str):
        return Markdown(LACKING[section])
    return section.style.format(_digits, na_rep="–")


def _digits(value):
    return f"{value:.3g}" if isinstance(value, (float, np.floating)) else value


def wrote(name):
    """What the original wrote, and how much hangs on it, for the section of a defect of `DEFECTS`."""
    defect = DEFECTS[name]
    quote = (
        "```python\n" + defect.quote + "\n```"
        if defect.code
        else "\n".join("> " + line for line in defect.quote.splitlines())
    )
    return Markdown(f"The original wrote:\n\n{quote}\n\n*How serious: {SERIOUS[defect.weight]}.*")


def ranking(found):
    """The defects by consequence, each with its effect in the data of a run, as Markdown.

    Parameters
    ----------
    found : dict of str to (DataFrame or str)
        The table of each of `DEFECTS`, with columns "original" and "here" (or names that end in them); a
        string is a key of `LACKING`.
    """
    lines = ["| | defect | how serious | effect in this run |", "|---|---|---|---|"]
    for rank, (name, defect) in enumerate(DEFECTS.items(), 1):
        lines.append(
            f"| {rank} | [{defect.title}](#audit-{name}) | {SERIOUS[defect.weight]} | "
            f"{_effect(found[name], defect.row)} |"
        )
    return Markdown("\n".join(lines))


def _effect(section, row):
    if isinstance(section, str):
        return "not measured: " + LACKING[section].strip("*")
    values = section.loc[row]
    theirs, ours = (
        next((v for k, v in values.items() if k.endswith(side)), None) for side in ("original", "here")
    )
    said = [
        f"{side} {_digits(v)}"
        for side, v in (("original", theirs), ("here", ours))
        if v is not None and v == v
    ]
    return f"{row}: {', '.join(said)}"


def shown_changes(changes):
    """`lib.original.selection.compare` for a page: numbers of units in place of their ids."""
    numbers = {side: changes[side].str.len().astype("Int64") for side in ("gained", "lost")}
    return changes.assign(**numbers).rename(
        columns={
            "choice": "published choice",
            "rank_correlation": "rank correlation",
            "undefined": "units undefined",
            "gained": "selected only without it",
            "lost": "selected only with it",
        }
    )


def agreement(table):
    """Say how many printed values a run reproduces, and name the first that it does not.

    Parameters
    ----------
    table : DataFrame
        Of `lib.original.printed_values.compare`.
    """
    others = table[table.verdict != "agrees"]
    if others.empty:
        return f"All {len(table)} published values agree with this run."
    named = [f"{row.quantity} ({row.verdict})" for row in others.head(3).itertuples()]
    more = [f"and {len(others) - 3} more"] if len(others) > 3 else []
    return (
        f"This run agrees with {len(table) - len(others)} of {len(table)} published values; the exceptions "
        f"are {', '.join(named + more)}."
    )


def published_values(session, table):
    """Say whether this run is of the original's session and, if so, how many printed values it reproduces.

    Parameters
    ----------
    session : Session
    table : DataFrame or None
        Of `lib.original.printed_values.compare`; None for any other session.
    """
    if table is not None:
        return f"**This is the session of the original report.** {agreement(table)}"
    areas = ", ".join(sorted(set(session.units.structure)))
    return (
        f"*This run analyses session {session.name} (area {areas}). The values printed in the original "
        f"report are of session {SESSION} (area {STRUCTURE}), so they are not compared here.*"
    )
