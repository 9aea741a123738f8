"""All units of a run in one table: what units.csv holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib import columns
from lib.errors import InputError
from lib.files import required
from lib.population.tests import SHAPES
from lib.stages import UNIT_STAGES, load_result


def units_table(
    run_folder: Path | str,
    *,
    oracle: pd.DataFrame,
    scores: pd.DataFrame,
    structure: str | pd.Series,
    model: str,
    truth_kinds: pd.Series | None = None,
) -> tuple[pd.DataFrame, dict[int, str]]:
    """One row for every unit of the structure: what `units.csv` holds.

    Parameters
    ----------
    run_folder : Path
        With units/<unit_id>/<stage>.json of the selected units, and physiology.csv.
    oracle : DataFrame
        Index unit_id, of 03_oracle.
    scores : DataFrame
        A row per unit and model, of `lib.models.fit_run.fit_models`.
    structure : str or Series
        The area of all units, or of each (index unit_id).
    model : str
        The kind of model that MEIs were made on.
    truth_kinds : Series, optional
        Index unit_id, for simulated sessions.

    Returns
    -------
    table : DataFrame
        The columns of `lib/columns.csv`; NaN for what a unit or a source does not have.
    failed : dict of int to str
        The first error of every selected unit that has one.
    """
    table = oracle.rename(columns={"oracle": "oracle_correlation", "split_half": "reliability"})
    table = table.assign(structure=structure)
    by_model = {kind: rows.set_index("unit_id") for kind, rows in scores.groupby("model")}
    for name in columns.made_by("models"):
        measure, _, kind = name.partition("correlation_to_average_")
        if kind in by_model:
            table[name] = by_model[kind].correlation_to_average
        elif measure:
            table[name] = by_model[model][name]
    results, failed = {}, {}
    for unit in table.index[table.selected]:
        results[unit], error = unit_results(Path(run_folder) / "units" / str(unit))
        if error:
            failed[int(unit)] = error
    units = pd.DataFrame.from_dict(results, orient="index")
    for name in columns.made_by(*UNIT_STAGES):
        if name in units:
            table[name] = units[name]
    if (Path(run_folder) / "physiology.csv").exists():
        physiology = pd.read_csv(Path(run_folder) / "physiology.csv", index_col="unit_id")
        table = table.join(physiology.reindex(columns=columns.made_by("physiology")))
    if truth_kinds is not None:
        table["truth_kind"] = truth_kinds
    table.index.name = "unit_id"
    return table.reset_index().reindex(columns=columns.NAMES), failed


def unit_results(folder: Path) -> tuple[dict, str | None]:
    """Merge the scalars of the stages of one unit, from its folder.

    Returns
    -------
    merged : dict
        NaN for what is null.
    error : str or None
        Of the first stage that failed or has not run.

    Raises
    ------
    ValueError
        Two stages call different things by the same name.
    """
    merged, error = {}, None
    for stage in UNIT_STAGES:
        path = folder / f"{stage}.json"
        content = json.loads(path.read_text()) if path.exists() else {"failed": f"{stage} has not run"}
        if "failed" in content:
            error = error or content["failed"]
            continue
        if twice := merged.keys() & content["scalars"].keys():
            raise ValueError(
                f"{path}: stage {stage} writes {', '.join(sorted(twice))}, as an earlier stage "
                "does; give the results of a stage names of their own"
            )
        merged |= {k: np.nan if v is None else v for k, v in content["scalars"].items()}
    return merged, error


def summary(table: pd.DataFrame, *, model: str, failed: dict[int, str]) -> dict:
    """Numbers of a run for its start page, from `units_table`: dict of units, verdicts, correlation."""
    chosen = table[table.selected]
    return {
        "units": len(table),
        "selected": len(chosen),
        "model": model,
        "verdicts": chosen.verdict.value_counts().to_dict(),
        "median_correlation_of_all_scored_units": table.correlation_to_average.dropna().median(),
        "median_correlation_of_the_selected": chosen.correlation_to_average.dropna().median(),
        "failed": failed,
    }


def stimuli_of(folder: Path) -> dict[str, np.ndarray]:
    """Return the stimuli that 06_gabor compared for one unit, from its folder: {name: (h, w) array}."""
    scalars, arrays = load_result(folder, "gabor")
    return dict(zip(scalars["names"], arrays["stimuli"], strict=True))


def pictures(
    run_folder: Path | str, table: pd.DataFrame, failed: dict[int, str]
) -> dict[int, dict[str, np.ndarray]]:
    """mei, gabor and image (h, w) of every unit that has them, most reliable unit first."""
    ranked, found = table.sort_values("oracle_correlation", ascending=False).index, {}
    for unit in ranked[~ranked.isin(list(failed))]:
        stimuli = stimuli_of(Path(run_folder) / "units" / str(unit))
        found[unit] = {name: stimuli[name] for name in ("mei", "gabor", "image")}
    return found


def judged(run_folder: Path | str, units: Sequence[int]) -> tuple[dict[int, tuple[list, np.ndarray]], int]:
    """What the judges predict for the stimuli that 06_gabor compared.

    Returns
    -------
    predicted : dict of int to (list of str, (stimuli, judges) array)
        Of every unit: names of the stimuli, predicted counts.
    folds : int
        Of the cross-validation.
    """
    results = {unit: load_result(Path(run_folder) / "units" / str(unit), "gabor") for unit in units}
    folds = max((scalars["folds"] for scalars, _ in results.values()), default=0)
    predicted = {
        unit: (scalars["names"], arrays["by_judge"][: len(scalars["names"])])  # the last is without the mask
        for unit, (scalars, arrays) in results.items()
    }
    return predicted, folds


def measures(run_folder: Path | str, units: Sequence[int]) -> pd.DataFrame:
    """What `lib.stimuli.metrics.stimulus_metrics` found of MEI and best Gabor: a row per unit."""
    found = {unit: load_result(Path(run_folder) / "units" / str(unit), "metrics")[0] for unit in units}
    names = None if found else [f"{who}_{name}" for who in ("mei", "gabor_measured") for name in SHAPES]
    return pd.DataFrame.from_dict(found, orient="index", columns=names)


def read_units(run_folder: Path | str) -> tuple[pd.DataFrame, list[int]]:
    """Return units.csv as a DataFrame (index unit_id) and the ids that get a page.

    The pages are those of selected.json where there is one, else the rows with `selected`.
    """
    table = pd.read_csv(required(Path(run_folder) / "units.csv"), index_col="unit_id")
    listed = Path(run_folder) / "selected.json"
    units = table.index[table["selected"]].tolist()
    if listed.exists():
        units = json.loads(listed.read_text(encoding="utf-8"))
    if unknown := sorted(set(units) - set(table.index)):
        raise InputError(
            f"units.csv has no row for unit {unknown[0]}, which is selected; `make report` continues the run"
        )
    return table, units
