"""What is said of the original: no more than the tables hold, and what is lacking by its name."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from lib.data.session import Session
from lib.files import ROOT
from lib.original import audit_data, printed_values
from lib.original import words as original_words
from lib.original.words import DEFECTS


def test_tables_show_three_digits_and_no_more():
    """Fault: 45.00000 where 45 is meant, a number in words formatted, nothing as nan."""
    html = original_words.shown(
        audit_data.table([("a", 45.0, np.float32(0.0366912)), ("b", "3 %", None), ("c", 7, 2)])
    ).to_html()
    cells = [part.split("<")[0].strip() for part in html.split('class="data')[1:]]
    shown = [cell.split(">")[1] for cell in cells]
    assert shown == ["45", "0.0367", "3 %", "–", "7", "2"]


@pytest.mark.parametrize("name", original_words.LACKING)
def test_what_is_lacking_is_one_line_that_names_it(name):
    """Fault: another section's sentence, or one that breaks its italics."""
    said = original_words.shown(name).data
    assert name.split(" and ")[0] in said and "\n" not in said
    assert said.startswith("*") and said.endswith(".*")


def test_changes_are_shown_as_numbers_of_units():
    """Fault: gained and lost exchanged; no rule counted as no unit."""
    changes = pd.DataFrame(
        {
            "choice": ["a", "b"],
            "rank_correlation": [0.9, 0.8],
            "undefined": [0, 1],
            "gained": [[1, 2], None],
            "lost": [[3], None],
        }
    )
    shown = original_words.shown_changes(changes)
    assert shown["selected only without it"][0] == 2 and shown["selected only with it"][0] == 1
    assert shown["selected only with it"].isna()[1] and not [name for name in shown if "_" in name]


def test_agreement_counts_and_names_the_exceptions():
    """Fault: a missing value counted as agreement; exceptions lost or all of them listed."""
    same = {name: value for name, (value, _) in printed_values.VALUES.items()}
    table = printed_values.compare(same)
    assert original_words.agreement(table) == f"All {len(table)} published values agree with this run."
    largest = "signal correlation of 951098242 and 951093125, the largest"
    text = original_words.agreement(printed_values.compare(same | {"units": np.nan, largest: 0.9056}))
    assert f"{len(table) - 2} of {len(table)}" in text and f"{largest} (differs)" in text
    assert "units (missing)" in text
    none = original_words.agreement(table.assign(verdict="differs"))
    assert f"with 0 of {len(table)}" in none and f"and {len(table) - 3} more." in none


def test_another_session_is_named_and_not_compared():
    """Fault: the two sessions exchanged, or agreement claimed without a table."""
    session = Session(
        name="mine",
        source="arrays",
        counts=np.ones((2, 3, 2), np.float32),
        window=(0, 0.25),
        units=pd.DataFrame({"structure": ["VISp", "VISl"]}, index=pd.Index([1, 2], name="unit_id")),
        images=np.zeros((3, 4, 5), np.float32),
        image_ids=np.arange(3),
        degrees_per_pixel=1.0,
    )
    said = original_words.published_values(session, None)
    assert "session mine (area VISl, VISp)" in said and "of session 798911424 (area VISam)" in said
    table = printed_values.compare({})
    assert original_words.published_values(session, table).endswith(original_words.agreement(table))


def test_defects_are_ranked_and_each_has_an_effect_of_the_run():
    """Fault: a grave defect after a small one; an effect of another section; a lacking section that stops."""
    weights = [defect.weight for defect in DEFECTS.values()]
    assert weights == sorted(weights, reverse=True)
    found = {name: audit_data.table([(d.row, 1.0, 0.25)]) for name, d in DEFECTS.items()}
    text = original_words.ranking(found | {"gaps": "presentations"}).data
    lines = text.splitlines()[2:]
    assert len(lines) == len(DEFECTS) and lines[0].startswith("| 1 | [Its Gabor was never shown")
    assert lines[1].endswith("original 1, here 0.25 |") and "not measured: This source holds no" in lines[-1]


def test_every_defect_has_its_section_in_the_audit():
    """Fault: a link of the ranking that leads nowhere, a section under another title or out of order."""
    cells = json.loads((ROOT / "notebooks/09_audit.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    sections = re.findall(r"\(audit-(\w+)\)=\n## (.+)", text)
    assert sections == [(name, defect.title) for name, defect in DEFECTS.items()]


@pytest.mark.parametrize("name", DEFECTS)
def test_what_the_original_wrote_is_quoted(name):
    """Fault: prose shown as code, or the reverse."""
    said = original_words.wrote(name).data
    assert DEFECTS[name].quote.splitlines()[0] in said and "How serious: " in said
    assert ("```python" in said) == DEFECTS[name].code
