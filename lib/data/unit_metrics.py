"""Figures of units that the survey's own analysis gives: receptive field, tuning, running."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lib.errors import InputError

# Figures of the survey's own analysis that the report compares with its own, as AllenSDK names them
TUNING = (
    "area_rf",
    "azimuth_rf",
    "elevation_rf",
    "p_value_rf",
    "g_osi_sg",
    "pref_ori_sg",
    "pref_sf_sg",
    "pref_phase_sg",
    "g_osi_dg",
    "pref_ori_dg",
    "pref_tf_dg",
    "f1_f0_dg",
    "mod_idx_dg",
    "c50_dg",
    "run_mod_ns",
)


def read_metrics(path: Path | str) -> pd.DataFrame:
    """Read a table (csv) of the survey's own figures of units: index unit_id; of `TUNING` what it has.

    Raises
    ------
    InputError
        No table, no unit ids, or none of the columns.
    """
    try:
        table = pd.read_csv(path, low_memory=False)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a csv of unit metrics: {error}") from None
    key = next((name for name in ("unit_id", "ecephys_unit_id") if name in table), None)
    held = [name for name in TUNING if name in table]
    if key is None or not held:
        raise InputError(
            f"{Path(path).name}: expected a column unit_id or ecephys_unit_id and some of "
            f"{', '.join(TUNING)}; it has {', '.join(map(str, table.columns[:5]))}"
        )
    if not pd.api.types.is_integer_dtype(table[key]):
        raise InputError(
            f"{Path(path).name}: {key} must be whole numbers, ids of units; got {table[key].iloc[0]!r}"
        )
    return table.drop_duplicates(key).set_index(key)[held].rename_axis("unit_id")
