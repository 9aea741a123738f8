"""What is redone follows the code: a change of any module that a stage imports is seen."""

import shutil

import pytest

from lib.files import ROOT
from workflow import code_hash


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the code, and a hash of it that remembers nothing."""
    for name in ("lib", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_hash, "ROOT", tmp_path)

    def hashed(name):
        code_hash.imported.cache_clear()
        return code_hash.code_hash(name)

    yield tmp_path, hashed
    code_hash.imported.cache_clear()


def change(path):
    path.write_text(path.read_text() + "\nCHANGED = True\n")


@pytest.mark.parametrize(
    "module", ["mei/search", "mei/ascent", "models/ensemble", "stimuli/contrast", "stages"]
)
def test_a_change_of_a_module_in_a_room_is_seen(copied, module):
    """Fault: `from lib.mei import search` followed to the room's __init__.py and no further."""
    folder, hashed = copied
    before = hashed("notebooks/05_mei.ipynb")
    change(folder / "lib" / f"{module}.py")
    assert hashed("notebooks/05_mei.ipynb") != before


def test_a_change_of_the_data_beside_a_module_is_seen(copied):
    """Fault: a new calibration of the verdict, or a column, leaves the results of the old one in place."""
    folder, hashed = copied
    for name, stage in (("mei/calibration.json", "05_mei"), ("columns.csv", "08_population")):
        before = hashed(f"notebooks/{stage}.ipynb")
        (folder / "lib" / name).write_text("other")
        assert hashed(f"notebooks/{stage}.ipynb") != before


def test_a_change_of_another_room_is_not(copied):
    """Fault: every module counted for every stage, so that any change redoes everything."""
    folder, hashed = copied
    before = hashed("lib/models/fit_run.py")
    for module in ("gabors/search", "mei/search", "figures", "params", "population/words"):
        change(folder / "lib" / f"{module}.py")
    assert hashed("lib/models/fit_run.py") == before


@pytest.mark.parametrize(
    "statement",
    [
        "from lib.room import inner",
        "from lib.room import inner as other",
        "from lib.room.inner import value",
        "import lib.room.inner",
        "import lib.room.inner as other",
        "from lib.outer import value",
        "def f():\n    from lib.room import inner",
        "from lib import room",
    ],
)
def test_every_way_to_import_is_followed(copied, statement):
    folder, _ = copied
    (folder / "lib" / "room").mkdir()
    (folder / "lib" / "room" / "__init__.py").write_text("from . import inner\n")
    (folder / "lib" / "room" / "inner.py").write_text("value = 1\n")
    (folder / "lib" / "outer.py").write_text("from lib.room.inner import value\n")
    (folder / "lib" / "user.py").write_text(statement + "\n")
    used = code_hash.used_files("lib/user.py")
    assert str(folder / "lib" / "room" / "inner.py") in used


def test_stored_outputs_do_not_count_but_text_does(copied):
    folder, hashed = copied
    notebook = folder / "notebooks" / "05_mei.ipynb"
    before = hashed("notebooks/05_mei.ipynb")
    notebook.write_text(notebook.read_text().replace('"execution_count": null', '"execution_count": 1'))
    assert hashed("notebooks/05_mei.ipynb") == before
    notebook.write_text(notebook.read_text().replace("# Most exciting input", "# The most exciting input", 1))
    assert hashed("notebooks/05_mei.ipynb") != before
