"""The columns of units.csv: what each means, in which unit, and which stage makes it.

One table of them, `lib/columns.csv`. From it come units.csv and its order, the tables that pages show, the
comparison of two runs, and the data dictionary, which is written beside units.csv as columns.csv. Its own
columns are

- name: as in units.csv;
- stage: that makes it, a name of `lib.stages.STAGES`;
- label: what tables and figures call it;
- meaning, and unit of measurement (empty for a number without one, or a word);
- better: higher or lower, where one is better than the other;
- tables: those that show it: index (of all neurons), units (of the chapter on the population), kinds (of
  simulated neurons), runs (the figure that compares two runs);
- period: of a circular quantity.
"""

from pathlib import Path

import pandas as pd

COLUMNS = pd.read_csv(Path(__file__).with_suffix(".csv"), keep_default_na=False).set_index("name", drop=False)
NAMES = COLUMNS.index.tolist()
PERIODS = pd.to_numeric(COLUMNS.period).dropna().to_dict()


def shown(table: str, *, units: bool = True) -> dict[str, str]:
    """Return {name: label} of the columns that a table shows, with their units of measurement or without.

    Examples
    --------
    >>> shown("runs", units=False)["mei_response"]
    'masked MEI'
    >>> shown("kinds")["mei_position_error_deg"]
    'MEI: position off by (deg)'
    """
    rows = COLUMNS[[table in tables.split() for tables in COLUMNS.tables]]
    measured = [
        f"{label} ({unit})" if units and unit else label for label, unit in zip(rows.label, rows.unit)
    ]
    return dict(zip(rows.name, measured))


def made_by(*stages: str) -> list[str]:
    """Return the names of the columns that stages make."""
    return COLUMNS.index[COLUMNS.stage.isin(stages)].tolist()


def dictionary() -> pd.DataFrame:
    """Return the data dictionary: a row a column of units.csv, in their order."""
    return COLUMNS[["name", "label", "unit", "stage", "meaning", "better"]].reset_index(drop=True)
