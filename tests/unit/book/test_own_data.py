"""What the chapter "Use your own data" tells people to write works as it stands there."""

import re
import shutil

import numpy as np
import pytest
import yaml

from lib.data.session import from_recording, load_session, save_session
from lib.data.sources import choose
from lib.files import ROOT
from lib.params import load_params, notebook_parameters
from tests.support.warehouse import SESSIONS, Warehouse, make_served

CHAPTER = (ROOT / "book" / "own_data.md").read_text()
DECLARATIONS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", CHAPTER, re.S)]
SNIPPETS = re.findall(r"```python\n(.*?)```", CHAPTER, re.S)
SESSION = next(iter(SESSIONS))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return make_served(tmp_path_factory.mktemp("served"))


@pytest.fixture
def desk(served, tmp_path, monkeypatch):
    """A person's folder with everything that the chapter names."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 256, (3, 20, 30), np.uint8)
    given = dict(
        scenes=scenes,
        responses=rng.gamma(2, 1, (4, 3, 5)),
        unit_ids=np.arange(5) + 70,
        image_ids=np.array([2, 0, 1]),
        areas=np.array(["VISp", "VISl", "VISp", "VISp", "VISl"]),
    )
    for snippet in SNIPPETS:
        exec(snippet, dict(given))
    shutil.copy(served / f"session_{SESSION}" / f"session_{SESSION}.nwb", tmp_path / "session.nwb")
    shutil.copytree(served, tmp_path / "ecephys_cache", ignore=shutil.ignore_patterns("served"))
    for part in ("images", "responses"):
        (tmp_path / "static_scan" / "data" / part).mkdir(parents=True)
    (tmp_path / "static_scan" / "meta" / "trials").mkdir(parents=True)
    for trial in range(6):
        np.save(tmp_path / f"static_scan/data/images/{trial}.npy", scenes[trial % 3][None])
        np.save(tmp_path / f"static_scan/data/responses/{trial}.npy", rng.gamma(2, 1, 4))
    np.save(tmp_path / "static_scan/meta/trials/tiers.npy", np.array(["train", "test"] * 3))
    return tmp_path


def served_session(session, desk, address):
    """The chapter's session, with an id that the loopback server has."""
    if isinstance(session, list):
        return [served_session(session[0], desk, address)]
    session = session if isinstance(session, dict) else {"cache": "new"}
    here = {"id": SESSION, "warehouse": address, "bucket": f"{address}/bucket"}  # no such folder there
    return session | here | {"cache": session["cache"].replace("~", str(desk))}


def test_the_chapter_shows_every_source():
    assert {d["source"] for d in DECLARATIONS} == {"allen", "nwb", "arrays"} and len(DECLARATIONS) == 7
    assert len(SNIPPETS) == 2


@pytest.mark.parametrize("number", range(7))
def test_a_declaration_of_the_chapter_makes_a_session(served, desk, number):
    """Fails if a key, a file name or a shape in the chapter is not what the code takes."""
    declared = dict(DECLARATIONS[number])
    with Warehouse(served if declared["source"] == "allen" else desk) as server:
        if declared["source"] == "allen":  # a session that the loopback server has
            declared["session"] = served_session(declared["session"], desk, server.address)
            declared["structure"] = np.intersect1d(declared["structure"], ["VISam", "VISp"]).tolist()
        if "https" in str(declared["session"]):
            declared["session"]["file"] = f"{server.address}/session.nwb"
        (desk / "mine.yml").write_text(yaml.safe_dump(declared))
        params = load_params(desk / "mine.yml")
        choose.prepare(params)
        given = notebook_parameters(params, "data")
        recording = choose.load_recording(
            given["source"],
            given["session"],
            folder=desk / "run",
            structure=given["structure"],
            simulation=given["simulation"],
        )
    session = from_recording(recording, latency=0.05, duration=0.25, image_height=16)
    save_session(session, desk / "run" / "session.h5")
    read = load_session(desk / "run")
    assert len(read.images) == 3 and len(read.units) > 0
    assert set(read.units.structure) <= set(np.atleast_1d(declared["structure"]))
