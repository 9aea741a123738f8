"""Results travel by file: nothing half-written, failures are said, NaN is valid JSON."""

import json

import numpy as np
import pytest

from lib import files, stages
from lib.errors import InputError
from workflow import report


def stage(tmp_path, name="mei", unit=5):
    return stages.begin(
        name, {"run_folder": str(tmp_path), "unit_id": unit, "steps": 3, "seed": 1, "np": np, "_hidden": 2}
    )


def test_only_plain_values_are_parameters(tmp_path):
    assert stage(tmp_path).parameters == {"steps": 3, "seed": 1}


def test_saved_scalars_and_arrays_come_back(tmp_path):
    stage(tmp_path).save({"a": np.float32(0.5), "b": float("nan")}, {"x": np.arange(3)})
    scalars, arrays = stages.load_result(tmp_path / "units" / "5", "mei")
    assert scalars == {"a": 0.5, "b": None}
    np.testing.assert_array_equal(arrays["x"], np.arange(3))


def test_a_unit_may_have_the_id_0(tmp_path):
    stage(tmp_path, unit=0).save({"a": 1})
    stage(tmp_path, "data", unit=None).save({"a": 2})
    assert stages.load_result(tmp_path / "units" / "0", "mei")[0] == {"a": 1}
    assert stages.load_result(tmp_path, "data")[0] == {"a": 2}


def test_provenance_holds_parameters_and_hashes(tmp_path):
    (tmp_path / "in.txt").write_text("x")
    s = stage(tmp_path)
    s.use(tmp_path / "in.txt")
    provenance = s.save({})
    assert provenance["parameters"] == {"steps": 3, "seed": 1}
    assert provenance["inputs"] == {"in.txt": "2d711642b726b044"}
    assert "UNIT=5" in stages.provenance_table(provenance)


def test_a_failed_stage_is_said_to_the_next(tmp_path):
    folder = tmp_path / "units" / "5"
    files.write_json(folder / "cnn.json", {"failed": "ValueError: no"})
    with pytest.raises(InputError, match="04_cnn failed before"):
        stages.load_result(folder, "cnn")
    assert report.failures(tmp_path) == [("5", "cnn", "ValueError: no")]
    report.forget_failures(tmp_path)
    assert not (folder / "cnn.json").exists()


def test_a_write_that_breaks_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert len(list(tmp_path.iterdir())) == 1
