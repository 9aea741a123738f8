"""One zip of a run: whole, the same when made twice, described, and without a path of this machine."""

import hashlib
import json
import os
import zipfile

import pytest

from lib.errors import InputError
from lib.params import load_params
from workflow.archive import make_archive


@pytest.fixture
def run(tmp_path):
    """What an archive takes of a run, and some that it must not take."""
    for name in (
        "units.csv",
        "columns.csv",
        "conclusions.md",
        "site/index.html",
        "site/_static/a.css",
        "site/.buildinfo",
        "stimuli/stimuli.csv",
        "units/1/mei.json",
        "units/1/mei.npz",
        "units/1/05_mei.ipynb",
        "units/1/figure_data/a.npz",
        "session.h5",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    os.utime(tmp_path / "units.csv", (1.7e9, 1.7e9))
    return tmp_path


def test_an_archive_is_the_same_to_the_byte_and_holds_what_it_says(run):
    """Fault: times or an order of files that differ, a file that the description names and the zip lacks."""
    path = make_archive(run, load_params())
    first = hashlib.sha256(path.read_bytes()).hexdigest()
    for file in (run / "site").rglob("*"):
        os.utime(file, (1, 1))
    assert hashlib.sha256(make_archive(run, load_params()).read_bytes()).hexdigest() == first
    with zipfile.ZipFile(path) as file:
        names = {name.removeprefix("simulated/") for name in file.namelist()}
        crate = json.loads(file.read("simulated/ro-crate-metadata.json"))
    assert {
        "site/_static/a.css",
        "units/1/mei.npz",
        "stimuli/stimuli.csv",
        "CITATION.cff",
        "params.yml",
    } <= names
    assert not names & {"session.h5", "site/.buildinfo", "units/1/05_mei.ipynb", "units/1/figure_data/a.npz"}
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    root = entities["./"]
    assert root["datePublished"] == "2023-11-14" and root["license"] == {"@id": "LICENSE"}
    for part in (part["@id"] for part in root["hasPart"]):
        assert part in entities
        assert any(name.startswith(part) for name in names) if part.endswith("/") else part in names


def test_no_path_of_this_machine_travels(run):
    """Fault: a declaration whose absolute paths tell whose machine it was made on."""
    params = load_params() | {"session": {"folder": "/home/somebody/data", "tiers": []}}
    with zipfile.ZipFile(make_archive(run, params)) as file:
        declared = file.read("simulated/params.yml").decode()
    assert "/home" not in declared and "folder: data" in declared


def test_a_run_that_is_not_finished_is_one_line(run):
    (run / "site/index.html").unlink()
    with pytest.raises(InputError, match="the run is not finished; `make report` continues it"):
        make_archive(run, load_params())
