"""pytest plugin: nbval compares numbers within a tolerance instead of as text.

1e-3 relative, 1e-4 absolute: results are float32 optimisations whose sums are ordered by the number
of threads and the processor's vector width; the printed figures carry three to four digits. Whole
numbers (ids, counts) must be the same; of numbers such as 1.2e-07 nothing but the last digit may differ.
Pictures are compared through the text that lib/figure_data.py stores beside them.

The notebooks are executed on a copy of the small run, whose results therefore stay as they are.
"""

import math
import re
import shutil

import pytest
from nbval.plugin import IPyNbCell

NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
RELATIVE, ABSOLUTE = 1e-3, 1e-4
NAMES = re.compile(r"T_[0-9a-f]{5}|0x[0-9a-f]{6,}")  # random names of tables, places in memory
RUN, COPY = "build/small", "build/nbval"


def pytest_configure(config):
    """Copy the small run, once for all processes."""
    if hasattr(config, "workerinput"):
        return
    root = config.rootpath
    if not (root / RUN / "units.csv").exists():
        raise pytest.UsageError(f"{RUN} is not there: `make nbval` makes it first")
    shutil.rmtree(root / COPY, ignore_errors=True)
    shutil.copytree(root / RUN, root / COPY)


def pytest_collection_modifyitems(items):
    """Let the notebooks work on the copy, and compare no pictures."""
    for item in items:
        if "image/svg+xml" not in item.parent.skip_compare:
            item.parent.skip_compare += ("image/svg+xml",)
        if "parameters" in item.cell.metadata.get("tags", []):
            assert f'"{RUN}"' in item.cell.source, f"{item}: its default run is not {RUN}"
            item.cell.source = item.cell.source.replace(f'"{RUN}"', f'"{COPY}"')


def close(stored, computed):
    """True if two texts are the same but for numbers, and those agree within the tolerance."""
    if NUMBER.sub("#", stored) != NUMBER.sub("#", computed):
        return False
    pairs = zip(NUMBER.findall(stored), NUMBER.findall(computed))
    return all(
        a == b
        or (
            _unit(a)
            and _unit(b)
            and math.isclose(_value(a), _value(b), rel_tol=RELATIVE, abs_tol=_tolerance(a))
        )
        for a, b in pairs
    )


def _value(text):
    return float(text.replace(",", "").replace("−", "-"))


def _tolerance(text):
    return _unit(text) if "e" in text.lower() else max(ABSOLUTE, _unit(text))


def _unit(text):
    """One step of the last decimal printed, since rounding may fall either way; 0 for integers."""
    mantissa = re.split("[eE]", text)[0]
    if "." not in mantissa:
        return 0.0
    exponent = int(text[len(mantissa) + 1 :] or 0)
    return 1.01 * 10.0 ** (exponent - len(mantissa.split(".")[1]))


class Approximate(str):
    """A text that equals another one if their numbers are close."""

    def __eq__(self, other):
        return close(str(self), str(other))

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


_exact = IPyNbCell.sanitize
IPyNbCell.sanitize = lambda self, text: (
    Approximate(NAMES.sub("#", _exact(self, text))) if isinstance(text, str) else text
)
