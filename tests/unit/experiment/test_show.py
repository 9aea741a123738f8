"""The script for the rig shows what presentations.csv says, when it says; PsychoPy is a stand-in."""

import csv
import shutil
import sys
import types

import pytest

from lib.experiment import show

FRAME = 1 / 60


@pytest.fixture
def rig(written, tmp_path, monkeypatch):
    """The folder with the first 60 presentations, and all that was flipped: (time, file)."""
    folder = tmp_path / "stimuli"
    shutil.copytree(written.folder, folder)
    lines = (folder / "presentations.csv").read_text().splitlines()
    (folder / "presentations.csv").write_text("\n".join(lines[:61]) + "\n")
    flipped, state = [], {"now": 0.0, "drawn": None, "size": (480, 300)}

    class Window:
        def __init__(self, **_):
            self.size = state["size"]

        def flip(self):
            state["now"] += FRAME
            flipped.append((state["now"], state["drawn"]))
            return state["now"]

        def close(self):
            pass

    class ImageStim:
        size = (480, 300)

        def __init__(self, _, path, **__):
            self.path = path

        def draw(self):
            state["drawn"] = self.path.rsplit("/", 1)[-1]

    clock = types.SimpleNamespace(getTime=lambda: state["now"])
    fake = types.ModuleType("psychopy")
    fake.core = types.SimpleNamespace(Clock=lambda: clock)
    fake.event = types.SimpleNamespace(getKeys=lambda _: [])
    fake.visual = types.SimpleNamespace(Window=Window, ImageStim=ImageStim)
    monkeypatch.setitem(sys.modules, "psychopy", fake)
    return folder, flipped, state


def test_each_picture_is_shown_in_its_order_and_for_its_time(rig):
    """Fault: a presentation that is left out, or grey that is left out between two."""
    folder, flipped, _ = rig
    show.main(folder)
    with open(folder / "presentations.csv", newline="") as file:
        order = list(csv.DictReader(file))
    with open(folder / "shown.csv", newline="") as file:
        shown = list(csv.DictReader(file))
    assert [row["file"] for row in shown] == [row["file"] for row in order]
    assert [row["presentation"] for row in shown] == [row["presentation"] for row in order]
    for planned, was in zip(order, shown):
        start = float(planned["onset_s"])
        assert 0 <= float(was["onset_s"]) - start < 2.1 * FRAME
        inside = {file for time, file in flipped if start + 0.05 < time < start + 0.24}
        assert inside == {planned["file"]}
        assert {file for time, file in flipped if start + 0.29 < time < start + 0.34} <= {"blank.png"}


def test_a_screen_of_another_size_is_refused(rig):
    folder, _, state = rig
    state["size"] = (1024, 768)
    with pytest.raises(SystemExit, match=r"the screen has \(1024, 768\) pixels, the pictures \(480, 300\)"):
        show.main(folder)
