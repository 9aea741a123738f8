"""Any Allen-style ecephys NWB file, on this machine or on an http(s) server, and its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lib.data import checks, nwb_files, unit_metrics
from lib.data.recording import Recording
from lib.data.session import select_units
from lib.data.shown_images import read_templates, scene_frames
from lib.errors import InputError
from lib.files import is_address, name_of


def load(session: dict, *, folder: Path, structure: str | list[str]) -> Recording:
    """Read a session file and its images.

    Parameters
    ----------
    session : dict
        `file`: path or http(s) address of the NWB file; `images`: see `lib.data.shown_images.read_templates`;
        `metrics`: path of a table of the units' physiology, or none (`lib.data.unit_metrics.read_metrics`).
    folder : Path
        Not used: nothing is made.
    structure : str or list of str

    Raises
    ------
    InputError
        One line for what is missing or does not fit.
    """
    metrics = unit_metrics.read_metrics(session["metrics"]) if session.get("metrics") else None
    return recording(
        session["file"], read_templates(session["images"]), structure=structure, source="nwb", metrics=metrics
    )


def check(session: dict, *, structure: str | list[str]) -> pd.DataFrame:
    """Return the units (DataFrame with `structure`); raise `InputError` for whatever would stop `load`."""
    if session.get("metrics"):
        unit_metrics.read_metrics(session["metrics"])
    shown = nwb_files.check_file(session["file"])
    check_frames(shown, scene_frames(session["images"]), session["file"])
    if is_address(session["file"]):  # its spikes are read once, by `load`
        return select_units(
            nwb_files.read_units(session["file"]), structure, "selected", name_of(session["file"])
        )

    def units(_):
        return checks.checked(load(session, folder=None, structure=structure)).units

    return nwb_files.in_time(units, session["file"])


def recording(
    file: Path | str,
    templates: dict,
    *,
    structure: str | list[str],
    source: str,
    metrics: pd.DataFrame | None = None,
) -> Recording:
    """Return the recording of a session file and the images that `read_templates` returned.

    `metrics`, of `lib.data.unit_metrics.read_metrics`, win over those of the file.
    """
    read = nwb_files.read_session(file, structure=structure)
    if metrics is not None:
        if not metrics.index.isin(read["units"].index).any():
            raise InputError(
                f"{name_of(file)}: the table of metrics names none of its units, such as "
                f"{read['units'].index[0]}, but {metrics.index[0]}; is it that of another session?"
            )
        read["units"] = read["units"].drop(columns=metrics.columns, errors="ignore").join(metrics)
    scenes = read["presentations"].query("stimulus_name == 'natural_scenes' and frame >= 0")
    shown = np.unique(scenes.frame.to_numpy(int))
    check_frames(shown, templates["image_ids"], file)
    kept = np.isin(templates["image_ids"], shown)
    return Recording(
        name=Path(name_of(file)).stem,
        source=source,
        images=templates["images"][kept],
        image_ids=templates["image_ids"][kept],
        degrees_per_pixel=templates["degrees_per_pixel"],
        movies=templates["movies"],
        **read,
    )


def check_frames(shown: np.ndarray, given: np.ndarray, file: Path | str) -> None:
    """Raise `InputError` if a frame was shown for which there is no image."""
    missing = np.setdiff1d(shown, given)
    if len(missing):
        raise InputError(
            f"{name_of(file)}: {len(shown)} frames were shown, {len(given)} images are given; {len(missing)} "
            f"missing, the first that of frame {missing[0]}; give one image for every frame"
        )
