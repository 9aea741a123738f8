"""The source that a run names: a module beside this one, with `load` and `check`."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections import Counter
from pathlib import Path

import pandas as pd

from lib import files
from lib.data.fingerprint import fingerprint
from lib.data.recording import Recording
from lib.data.session import select_units
from lib.errors import InputError
from lib.params import input_places


def load_recording(
    source: str,
    session: int | dict | list,
    *,
    folder: Path,
    structure: str | list[str],
    simulation: dict | None = None,
) -> Recording:
    """Return the `lib.data.recording.Recording` of a source: simulated, allen, nwb or arrays.

    Parameters
    ----------
    source : str
    session : int, dict or list
        What the source calls a session (see params.yml), or several of them.
    folder : Path
        `build/<name>`, for files that the source makes.
    structure : str or list of str
        The areas whose units are wanted.
    simulation : dict, optional
        The size of a simulated session; empty for the other sources.
    """
    module = importlib.import_module(f"lib.data.sources.{source}")
    if not isinstance(session, list):
        return module.load(session, folder=folder, structure=structure, **(simulation or {}))
    parts = [module.load(part, folder=folder, structure=structure) for part in session]
    held = Counter()
    for part in parts:
        held.update(part.structures)
    return dataclasses.replace(parts[0], parts=parts, structures=dict(held))


def contents(source: str, session: int | dict | list) -> dict[str, str]:
    """Return the fingerprint of each file, folder and address that a session is read from, by its place.

    A module that has `inputs(session)` names them itself; of the others they stand in the declaration.
    """
    if source == "simulated":
        return {}
    module = importlib.import_module(f"lib.data.sources.{source}")
    inputs = getattr(module, "inputs", functools.partial(input_places, source=source))
    return {
        files.shown_address(place): fingerprint(place)
        for part in (session if isinstance(session, list) else [session])
        for place in inputs(part)
    }


def prepare(params: dict) -> pd.DataFrame:
    """Check all that a run takes from its source, and fetch what is not there, before any work.

    Takes the parameters of `lib.params.load_params`; returns the units of the structure, index unit_id.

    Raises
    ------
    InputError
        One line: what was given, what was expected, what to do.
    """
    module = importlib.import_module(f"lib.data.sources.{params['source']}")
    session, structure = params["session"], params["structure"]
    size = params["simulation"] if params["source"] == "simulated" else {}
    parts = session if isinstance(session, list) else [session]
    table = pd.concat([module.check(part, structure=structure, **size) for part in parts])
    if table.index.has_duplicates:
        raise InputError(
            f"unit {table.index[table.index.duplicated()][0]} stands in two sessions of this run; give each "
            "unit an id of its own, or name one session"
        )
    select_units(table, structure, list(params.get("per_unit", ())), "this recording (per_unit)")
    return select_units(table, structure, params["units"], "this recording")
