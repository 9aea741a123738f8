"""What a run has cost, and what many sessions would cost."""

import json

import pytest

from workflow import cost


@pytest.fixture
def run(tmp_path):
    """A run of four units, two of them selected."""

    def note(path, stage, seconds, memory=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        made = {"stage": stage, "seconds": seconds} | ({"peak_memory_mib": memory} if memory else {})
        path.write_text(json.dumps({"provenance": made}))

    note(tmp_path / "data.json", "data", 50, 700)
    note(tmp_path / "book.json", "book", 10)
    note(tmp_path / "models" / "models.json", "models", 190, 900)
    for unit, seconds in ((1, 10), (2, 30)):
        note(tmp_path / "units" / str(unit) / "mei.json", "mei", seconds, 400 + unit)
    (tmp_path / "units" / "2" / "gabor.json").write_text('{"failed": "killed"}')
    (tmp_path / "requests.json").write_text('{"mei": {"mem_mb": 1500, "runtime": 5}}')
    return tmp_path


def test_jobs_are_counted_and_the_largest_is_kept(run):
    """Fails if a failed stage or an earlier build of the book is counted, or a mean hides the largest."""
    table = cost.recorded(run)
    assert sorted(table.index) == ["data", "mei", "models"]
    assert table.loc["mei"].to_list() == [2, 20, 30, 402]


def test_the_cost_grows_with_what_it_depends_on(run, monkeypatch):
    """Fails if the share of the selected is left out, or all units' models cost what one unit's do."""
    monkeypatch.setattr(cost, "START", 10)
    hours = cost.estimate(cost.recorded(run), units=4, selected=2, sessions=36, units_each=400)
    assert hours["once"] == pytest.approx(36 * 60 / 3600)
    assert hours["all"] == pytest.approx(36 * 200 * 100 / 3600)
    assert hours["selected"] == pytest.approx(36 * 30 * 200 / 3600)
    assert hours["total"] == pytest.approx(0.6 + 200 + 60)


def test_the_chapter_sets_what_was_used_beside_what_is_asked_for(run):
    text = cost.chapter(run, units=4, selected=2)
    assert "| mei | 2 | 20.0 | 30.0 | 402 | 5 | 1500 |" in text
    assert "50% are" in text
