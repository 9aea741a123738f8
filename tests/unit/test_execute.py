"""Executing notebooks: names are checked first, failures are kept and said."""

import json

import nbformat
import pytest

from lib.errors import InputError
from lib.execute import execute

pytestmark = pytest.mark.filterwarnings("default")  # of papermill and its kernels


def test_unknown_names_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match="did you mean 05_mei"):
        execute("05_mie", tmp_path / "out.ipynb", {})
    with pytest.raises(InputError, match="did you mean steps"):
        execute("05_mei", tmp_path / "out.ipynb", {"stepz": 3})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_unit_leaves_its_page_and_its_reason(tmp_path):
    """Fails if the error stops the pipeline, is lost, or reaches the reader as a traceback."""
    message = execute("07_metrics", tmp_path / "07_metrics.ipynb",
                      {"run_folder": str(tmp_path), "unit_id": 5}, result=tmp_path / "metrics.json")
    assert "session.h5 is not there: run notebooks/01_data.ipynb first" in message
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"failed": message}
    page = nbformat.read(tmp_path / "07_metrics.ipynb", as_version=4)
    (error,) = [o for c in page.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert len(error.traceback) == 1 and error.traceback[0].count("\n") == 0

