"""What a source returns: the raw material of a session."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

INVALID = "invalid_presentation"  # AllenSDK's name for the stimulus of such
# Numbers that say what a presentation showed
PARAMETERS = (
    "frame",
    "x_position",
    "y_position",
    "orientation",
    "spatial_frequency",
    "phase",
    "temporal_frequency",
    "contrast",
)


def no_invalid_times() -> pd.DataFrame:
    """Return the table of invalid times of a recording that has none: start_time, stop_time, units."""
    return pd.DataFrame({"start_time": [], "stop_time": [], "units": []})


@dataclasses.dataclass(kw_only=True)
class Material:
    """What a `Recording` and the `lib.data.session.Session` made of it both hold.

    Attributes
    ----------
    name, source : str
    units : DataFrame
        Index unit_id; column `structure`, and quality metrics where the source has them.
    images : ndarray, (images, height, width)
        Luminance in [0, 1]; of a recording also uint8 from black to white, and of any size.
    image_ids : ndarray of int, (images,)
    degrees_per_pixel : float
        Of `images`.
    presentations : DataFrame or None
        One row per presentation of any stimulus; needs `spike_times`.
    spike_times : list of ndarray or None
        Seconds, sorted, in the order of `units`.
    movies : dict of str to ndarray (frames, height, width)
    structures : dict of str to int
        Number of units of every structure in the recording.
    notes : list of str
        One line for each thing that the source lacks.
    warnings : list of str
        One line for each thing that is suspicious.
    """

    name: str
    source: str
    units: pd.DataFrame
    images: np.ndarray
    image_ids: np.ndarray
    degrees_per_pixel: float
    presentations: pd.DataFrame | None = None
    spike_times: list | None = None
    movies: dict = dataclasses.field(default_factory=dict)
    structures: dict = dataclasses.field(default_factory=dict)
    notes: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class Recording(Material):
    """What a source returns: the raw material, before counting and resizing.

    Attributes
    ----------
    counts : ndarray (repeats, images, units) or None
        For sources that hold counts instead of spike times.
    count_window : tuple of float or None
        (start, stop) in seconds after onset, where `counts` are given.
    invalid_times : DataFrame
        start_time, stop_time (s) and `units`, the list of units for which they are invalid.
    parts : list of Recording
        The recordings of which this is the sum, where a run names several sessions.
    """

    counts: np.ndarray | None = None
    count_window: tuple | None = None
    invalid_times: pd.DataFrame = dataclasses.field(default_factory=no_invalid_times)
    parts: list = dataclasses.field(default_factory=list)
