"""Numbers of the small run, each beside the committed one with a tolerance of its own and its reason.

python -m tests.baselines            print what has moved; exit code 1 if any left its tolerance
python -m tests.baselines --store    the same, and store the values of this run (`make refresh`)
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
import yaml

from lib.files import ROOT
from lib.params import load_params, run_folder

FILE = ROOT / "tests" / "baselines.yml"


def measure(run, quantity):
    """Return the value that a run has for a quantity.

    Parameters
    ----------
    run : Path
        `build/<name>`.
    quantity : dict
        file: a .csv of the run, with column, statistic (of a Series, such as median) and optionally
        where, {column: value} of the rows that count; or a .json, with key ("a.b" for b below a, "a.-1"
        for the last of a list).
    """
    path = Path(run) / quantity["file"]
    if path.suffix == ".json":
        value = json.loads(path.read_text(encoding="utf-8"))
        for key in quantity["key"].split("."):
            value = value[int(key) if isinstance(value, list) else key]
        return value
    rows = pd.read_csv(path)
    for column, wanted in quantity.get("where", {}).items():
        rows = rows[rows[column] == wanted]
    value = float(getattr(rows[quantity["column"]], quantity["statistic"])())
    return int(value) if value.is_integer() else value


def compare(run, baselines):
    """Set the values of a run beside the committed ones.

    Returns
    -------
    DataFrame
        Index: name of the quantity; committed, here, difference, tolerance, kept (bool), reason.
    """
    rows = {}
    for name, quantity in baselines.items():
        value, committed = measure(run, quantity), quantity["value"]
        kept = abs(value - committed) <= quantity["tolerance"]  # False for NaN
        rows[name] = {
            "committed": committed,
            "here": value,
            "difference": value - committed,
            "tolerance": quantity["tolerance"],
            "kept": kept,
            "reason": quantity["reason"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def store(baselines, values, path=FILE):
    """Write other values into a file of baselines; the lines of its head and all else stay."""
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    changed = {name: quantity | {"value": _short(values[name])} for name, quantity in baselines.items()}
    text = yaml.safe_dump(changed, sort_keys=False, width=105, allow_unicode=True)
    path.write_text("\n".join([*head, "", text]), encoding="utf-8")


def _short(value):
    """Whole numbers as such, others to six digits."""
    return int(value) if float(value).is_integer() else float(f"{value:.6g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", action="store_true")
    given = parser.parse_args()
    baselines = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    table = compare(run_folder(load_params(ROOT / "tests" / "small.yml")), baselines)
    moved = table[table.here.map(_short) != table.committed] if given.store else table[~table.kept]
    if len(moved):
        print(moved.drop(columns="reason").to_string(float_format="{:.5g}".format))
    print(f"{int(table.kept.sum())} of {len(table)} numbers of the small run are within their tolerance")
    if given.store:
        store(baselines, table["here"])
    sys.exit(0 if given.store or table.kept.all() else 1)


if __name__ == "__main__":
    main()
