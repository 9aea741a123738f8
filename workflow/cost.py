"""What a run has cost, beside what a cluster is asked for, and what all sessions would cost.

python -m workflow.cost build/<name>
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from lib.errors import InputError
from lib.files import required
from lib.stages import STAGES, UNIT_STAGES

START = 10  # s until a notebook runs on a node, where no process waits for it (bench_pipeline.py)
OF_ALL_UNITS = ("models", "gabor_grid")  # one job for all units of a session
SESSIONS, WITH_SCENES = 58, 32  # of the survey; of type brain_observatory_1.1 (Siegle et al. 2021)
UNITS = 300  # for the estimate: of a session in the visual areas; `make sessions` counts them


def recorded(run_folder):
    """Return what the stages of a run recorded of themselves; not the book, which shows what is said here.

    Returns
    -------
    DataFrame
        Index: rule of the Snakefile. jobs; seconds: median of the jobs; longest: s; memory: MiB of the
        largest, NaN where it was not recorded.
    """
    run_folder, rows = Path(run_folder), []
    for path in [
        *run_folder.glob("*.json"),
        run_folder / "models" / "models.json",
        *run_folder.glob("units/*/*.json"),
    ]:
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        made = content.get("provenance", {}) if isinstance(content, dict) else {}
        if "seconds" in made and made["stage"] in STAGES:
            rows.append((made["stage"], made["seconds"], made.get("peak_memory_mib")))
    table = pd.DataFrame(rows, columns=["rule", "seconds", "memory"]).astype({"memory": float})
    jobs = table.groupby("rule")
    return pd.DataFrame(
        {
            "jobs": jobs.size(),
            "seconds": jobs.seconds.median(),
            "longest": jobs.seconds.max(),
            "memory": jobs.memory.max(),
        }
    )


def asked(run_folder):
    """Return what a cluster is asked for at the first attempt: index rule; mem_mb, runtime (minutes)."""
    return pd.DataFrame(json.loads(required(Path(run_folder) / "requests.json", "01_data").read_text())).T


def estimate(table, *, units, selected, sessions=WITH_SCENES, units_each=UNITS):
    """Return the hours of jobs that many sessions take, from what one run recorded.

    Parameters
    ----------
    table : DataFrame
        Of `recorded`.
    units, selected : int
        Units of that run, and how many of them were selected.
    sessions, units_each : int
        Number of sessions, and of units in each; the same share of them is selected.

    Returns
    -------
    dict
        once: of what is done once a session; all: of the models and the Gabor grid, in proportion to the
        units; selected: of the stages of selected units, in proportion to them; total.
    """
    job = table.seconds + START
    parts = {
        "once": job[[r for r in table.index if r not in (*OF_ALL_UNITS, *UNIT_STAGES)]].sum(),
        "all": job[[r for r in OF_ALL_UNITS if r in table.index]].sum() * units_each / units,
        "selected": job[[r for r in UNIT_STAGES if r in table.index]].sum() * selected * units_each / units,
    }
    hours = {name: float(sessions * seconds / 3600) for name, seconds in parts.items()}
    return hours | {"total": sum(hours.values())}


def chapter(run_folder, *, units, selected):
    """Return the Markdown that the chapter about clusters takes from a run.

    Parameters
    ----------
    run_folder : Path
    units, selected : int
        Units of the run, and how many of them were selected.
    """
    table = recorded(run_folder)
    lines = [
        "| rule | jobs | s, median | s, longest | MiB, at most | asked: min | asked: MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule, request in asked(run_folder).iterrows():
        if rule in table.index:
            row = table.loc[rule]
            memory = "–" if pd.isna(row.memory) else f"{row.memory:.0f}"
            lines.append(
                f"| {rule} | {row.jobs:.0f} | {row.seconds:.1f} | {row.longest:.1f} "
                f"| {memory} | {request.runtime} | {request.mem_mb} |"
            )
    share = selected / units
    hours = estimate(table, units=units, selected=selected)
    return (
        "\n".join(
            [
                *lines,
                "",
                f"Of the {SESSIONS} sessions of the survey, {WITH_SCENES} hold natural scenes and can be",
                f"analysed. With {UNITS} units each, of which as in this run {share:.0%} are selected, they",
                f"take about **{hours['total']:.0f} hours of jobs**: {hours['once']:.0f} for what is done",
                f"once per session, {hours['all']:.0f} for the models and the Gabor grid of all units, and",
                f"{hours['selected']:.0f} for the selected ones. The times are those of the table, with",
                f"{START} s added for the start of each job; what is done for all units at once is taken to",
                "grow with their number. The machine of this run may be faster or slower than yours, and a",
                "recorded session is longer than a simulated one.",
            ]
        )
        + "\n"
    )


def main():
    from lib.population.table import read_units  # the book shows what is computed here

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, help="build/<name>")
    run_folder = parser.parse_args().run_folder
    try:
        table, pages = read_units(run_folder)
        print(chapter(run_folder, units=len(table), selected=len(pages)))
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
