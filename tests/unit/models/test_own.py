"""Somebody's own models: checked before any work, joined by unit and image ids, and used as they are."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from lib.errors import InputError
from lib.files import ROOT, write_json
from lib.models import ensemble, own, own_checks

SHAPE = (12, 16)
SOURCE = """
import torch
from torch import nn

class One(nn.Module):
    def __init__(self, k):
        super().__init__()
        ramp = torch.linspace(0, 1, 192).reshape(12, 16)
        self.weight = nn.Parameter(torch.arange(3.0)[:, None, None] + k + ramp)
    def forward(self, images):
        return torch.einsum("nchw,uhw->nu", images, self.weight).relu()

def load():
    return {"models": [One(0), One(1)], "unit_ids": [30, 10, 20], "unseen": [range(0, 12), range(6, 18)]}
"""


@pytest.fixture
def written(tmp_path):
    def write(change=lambda text: text):
        path = tmp_path / "models.py"
        path.write_text(change(SOURCE))
        return {"file": str(path), "function": "load"}

    return write


def test_outputs_and_images_are_joined_by_their_ids(written, tmp_path):
    """Fault: outputs taken in the order of the session's units, an image predicted by a model that saw it."""
    given = own.load(written())
    images = np.random.default_rng(0).uniform(size=(20, *SHAPE)).astype(np.float32)
    ids, units = np.arange(20), np.array([10, 20, 30, 40])
    found = own.held_out(given, images, ids, units)
    with torch.no_grad():
        first, second = (m(torch.from_numpy(images)[:, None]).numpy() for m in given.models)
    assert np.allclose(found[:6, 0], first[:6, 1]) and np.allclose(
        found[12:18, 2], second[12:18, 0], rtol=1e-5
    )
    assert np.allclose(found[6:12, 1], (first[6:12, 2] + second[6:12, 2]) / 2)
    assert np.isnan(found[18:]).all() and np.isnan(found[:, 3]).all()
    write_json(tmp_path / "models/own/own.json", {"model": written(), "unit_ids": units.tolist()})
    members = ensemble.load_members(tmp_path, own.KIND, column=1)
    assert np.allclose(ensemble.predicted_responses(members[0], images)[:, 0], first[:, 2])
    every = ensemble.load_models(tmp_path, own.KIND)
    assert np.allclose(ensemble.predicted_responses(every[1], images)[:, [2, 0, 1]], second)
    assert (ensemble.predicted_responses(every[1], images)[:, 3] == 0).all()


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("[One(0), One(1)]", "[One(0)]", "gives 1 models; expected an ensemble of at least 2"),
        ("[One(0), One(1)]", "[1, 2]", "expected an ensemble of at least 2 torch modules"),
        ("[30, 10, 20]", "[30, 30, 20]", "unit_ids must be different whole numbers"),
        ("[30, 10, 20]", "[30, 10]", "model 1 of models.py gives 3 responses for 2 unit_ids"),
        (', "unseen": [range(0, 12), range(6, 18)]', "", "must say what was held out"),
        ("[range(0, 12), range(6, 18)]", "[range(3)]", "unseen has 1 lists for 2 models"),
        ('"unseen"', '"unsene"', "gives 'unsene'; expected models"),
        ("return {", "return 3 or {", "gives int; expected a dict"),
        ("def load", "def lod", "failed: AttributeError"),
        ("import torch\n", "import no_such\n", "failed: ModuleNotFoundError: No module named 'no_such'"),
        (").relu()", ") - 1e3", "expected counts, finite and never negative"),
        (").relu()", ").relu().detach()", "no gradient with respect to the image"),
        (").relu()", ")[0]", r"expected the shape \(2, units\)"),
        ("images, self", "images[..., 1:], self", "fails on images of shape"),
        (").relu()", ").relu() * 0 + 1", "answers the same to every image"),
    ],
)
def test_what_does_not_fit_is_one_line(written, old, new, message):
    assert old in SOURCE
    with pytest.raises(InputError, match=message) as error:
        given = own.load(written(lambda text: text.replace(old, new, 1)))
        own_checks.check_outputs(given, SHAPE, "models.py")
    assert str(error.value).startswith("cnn.model: ") and "\n" not in str(error.value)


def test_units_that_are_selected_must_be_there(written):
    given = own.load(written())
    own_checks.check_units(given, [10], [10, 40], "models.py")
    with pytest.raises(InputError, match="has no output for unit 40, which is selected"):
        own_checks.check_units(given, [10, 40], None, "models.py")
    with pytest.raises(InputError, match="none of the 3 unit_ids of models.py is a unit of the recording"):
        own_checks.check_units(given, [], [7, 8], "models.py")


def test_predictions_that_were_given_are_taken_as_they_are(written):
    """Fault: predictions joined by position where the images have ids of their own."""
    unseen = '"unseen": [range(0, 12), range(6, 18)]'
    text = SOURCE.replace(unseen, '"predictions": torch.arange(6.0).reshape(2, 3), "image_ids": [7, 5]')
    given = own.load(written(lambda _: text))
    found = own.held_out(given, np.zeros((3, *SHAPE)), np.array([5, 6, 7]), np.array([10, 30]))
    assert np.array_equal(found, [[4, 3], [np.nan, np.nan], [1, 0]], equal_nan=True)


def blocks():
    """The code blocks of the chapter, in order."""
    text = (ROOT / "book" / "own_model.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_chapter_s_code_runs_as_it_stands_there(tmp_path, monkeypatch, capsys):
    """Fault: an example that no longer fits the code: the wrapper, the archives, and Python alone."""
    wrapper, archives, alone = blocks()
    (tmp_path / "models.py").write_text(wrapper)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "models", raising=False)
    given = own.load({"file": str(tmp_path / "models.py"), "function": "load"})
    own_checks.check_outputs(given, (60, 77), "models.py")
    exec(archives, {})
    again = own.load({"file": [str(tmp_path / f"model_{k}.pt2") for k in range(2)]})
    own_checks.check_outputs(again, (60, 77), "model_0.pt2")
    images = np.random.default_rng(0).uniform(size=(3, 60, 77))
    for one, other in zip(given.models, again.models):
        shown = [ensemble.predicted_responses(m, images) for m in (one, other)]
        assert np.allclose(*shown, atol=1e-5)
    assert np.array_equal(given.unseen[1], again.unseen[1]) and np.array_equal(given.unit_ids, again.unit_ids)
    exec(alone, {})
    assert len(re.findall(r"\d+\.\d+", capsys.readouterr().out)) >= 3
    with pytest.raises(InputError, match="no archive of torch.export with about.json"):
        (tmp_path / "broken.pt2").write_text(json.dumps({}))
        own.load({"file": [str(tmp_path / "broken.pt2")] * 2})


def test_a_module_of_an_archive_is_in_evaluation_mode():
    assert not any(part.training for part in own.Exported(nn.Identity()).eval().modules())
