"""Executing notebooks: names are checked first, failures are kept and said."""

import base64
import io
import json
import os
import re
import sys
import time
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from lib.errors import InputError
from lib.files import ROOT
from workflow import warm
from workflow.pictures import lighter, with_palette
from workflow.run_notebook import execute

pytestmark = pytest.mark.filterwarnings("default")  # of papermill and its kernels


def test_unknown_names_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match="did you mean 05_mei"):
        execute("05_mie", tmp_path / "out.ipynb", {})
    with pytest.raises(InputError, match="did you mean steps"):
        execute("05_mei", tmp_path / "out.ipynb", {"stepz": 3})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_unit_leaves_its_page_and_its_reason(tmp_path):
    """Fails if the error stops the pipeline, is lost, or reaches the reader as a traceback."""
    message = execute(
        "07_metrics",
        tmp_path / "07_metrics.ipynb",
        {"run_folder": str(tmp_path), "unit_id": 5},
        result=tmp_path / "metrics.json",
    )
    assert "session.h5 is not there: run notebooks/01_data.ipynb first" in message
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"failed": message}
    page = nbformat.read(tmp_path / "07_metrics.ipynb", as_version=4)
    (error,) = [o for c in page.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert len(error.traceback) == 1 and error.traceback[0].count("\n") == 0


def test_a_killed_kernel_leaves_what_it_had_shown(tmp_path, monkeypatch):
    """Fault: a notebook is saved only where it comes to its end, or its reader is left without a reason."""
    monkeypatch.setattr("workflow.run_notebook.ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    cells = ["print('shown')", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "notebooks" / "05_mei.ipynb")
    message = execute("05_mei", tmp_path / "page.ipynb", {}, result=tmp_path / "mei.json")
    assert message.startswith("its kernel was killed")
    assert "shown" in (tmp_path / "page.ipynb").read_text().split("signal.SIGKILL")[0].split("outputs")[1]


def test_a_picture_with_a_palette_is_smaller_and_looks_the_same():
    """Fails if a rare colour, the ground or a step of grey is lost, or if the picture stays as it was."""
    pixels = np.full((200, 300, 3), 255, np.uint8)
    pixels[20:120, 20:280] = np.random.default_rng(0).integers(0, 256, (100, 260, 1))
    pixels[150:153, 150:153] = (213, 94, 0)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("RGBA").save(stream, "png")
    small = with_palette(stream.getvalue())
    shown = np.asarray(Image.open(io.BytesIO(small)).convert("RGB")).astype(int)
    assert len(small) < 0.7 * len(stream.getvalue())
    assert np.abs(shown - pixels).max() <= 12
    assert (shown[:20] == 255).all()
    grey = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 8, 3))  # a stimulus: every grey
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "png")
    shown = Image.open(io.BytesIO(with_palette(stream.getvalue()))).convert("RGB")
    assert np.array_equal(shown, grey)


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_a_fork_of_the_warm_process_executes_as_a_new_process_does(tmp_path, monkeypatch):
    """Fails if the fork loses the parameters, hides the error, or does not answer."""
    page, result = tmp_path / "07_metrics.ipynb", tmp_path / "metrics.json"
    with warm.warm_process(os.environ | {"PYTHONPATH": str(ROOT)}) as environment:
        monkeypatch.setenv(warm.ADDRESS, environment[warm.ADDRESS])
        wait_for(environment[warm.ADDRESS])
        code, line = warm.ask(
            {
                "name": "07_metrics",
                "output": str(page),
                "result": str(result),
                "parameters": {"run_folder": str(tmp_path), "unit_id": 5},
            }
        )
    assert code == 0 and line.startswith("07_metrics of unit 5: FAILED: InputError")
    assert "session.h5 is not there" in json.loads(result.read_text())["failed"]
    assert "papermill" in nbformat.read(page, as_version=4).metadata
    assert warm.ask({}) is None  # it has ended: the work is done without it


def wait_for(socket):
    until = time.time() + 30
    while not os.path.exists(socket) and time.time() < until:
        time.sleep(0.05)


def test_a_lighter_svg_shows_the_same():
    """Fault: a reference cut off, an axis that can no longer be found, a transparent image on black."""
    fig, ax = plt.subplots()
    ax.imshow(np.arange(12.0).reshape(3, 4), interpolation="none")
    ax.scatter([0, 1, 2], [1, 2, 0], c=[0, 1, 2])
    stream = io.StringIO()
    fig.savefig(stream, format="svg")
    plt.close(fig)
    before, after = stream.getvalue(), lighter(stream.getvalue())
    assert len(after) < 0.7 * len(before) and ElementTree.fromstring(after) is not None
    names = set(re.findall(r' id="([^"]+)"', after))
    assert (
        set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', after))
        and {name for pair in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', after) for name in pair if name}
        <= names
    )
    assert "axes_1" in names and after.count("<text") == before.count("<text")
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    png = io.BytesIO()
    clear.save(png, "png")
    text = base64.b64encode(png.getvalue()).decode()
    assert text in lighter(f'<svg viewBox="0 0 1 1"><image href="data:image/png;base64,{text}"/></svg>')
