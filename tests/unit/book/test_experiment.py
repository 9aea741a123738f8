"""The declarations in "Stimuli out, responses back" and "Your own model" are ones that a run takes."""

import re
import textwrap

import pytest
import yaml

from lib.experiment.stimuli import KINDS
from lib.files import ROOT
from lib.params import load_params

PAGES = {
    name: (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8") for name in ("experiment", "own_model")
}
BLOCKS = [
    textwrap.dedent(block)
    for text in PAGES.values()
    for block in re.findall(
        r"(?:^ {4}.*\n)+", text.split("```python")[0] + text.rsplit("```", 1)[-1], re.MULTILINE
    )
    if re.match(r" {4}(stimuli|loop|cnn):", block)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_declaration_of_the_chapter_is_taken(tmp_path, block):
    """Fault: a key that was renamed, or a form that is no longer read."""
    for name in ("responses.npz", "units.csv", "models.py"):
        (tmp_path / name).touch()
    (tmp_path / "shown_on_monday").mkdir()
    path = tmp_path / "my.yml"
    path.write_text(block)
    params = load_params(path)
    for section, content in yaml.safe_load(block).items():
        assert set(content) <= set(params[section])


def test_both_chapters_show_some():
    assert len(BLOCKS) >= 3


def test_every_kind_of_stimulus_is_told_of():
    """Fault: a stimulus in the folder that no page explains."""
    text = PAGES["experiment"]
    said = ["MEI, whole and masked", "best Gabor", "Gabor fitted to the MEI", "image, whole and masked"]
    said += [
        "linear receptive field",
        "least exciting image",
        "three images that",
        "MEIs of three other units",
    ]
    assert all(phrase in " ".join(text.split()) for phrase in said) and len(KINDS) == 14
