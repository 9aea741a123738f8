"""What jobs are asked for, and when this machine is too small."""

import dataclasses

import pytest

from lib.params import load_params
from lib.stages import STAGES
from workflow import requests

P = load_params()
SIZE = requests.size_of(P | {"name": "not-made"}, 48)


def test_each_rule_of_the_pipeline_asks_for_something():
    """Fails if a rule is added to the Snakefile and the cluster gives it the default."""
    assert set(requests.requests(P, SIZE)) == {*STAGES, "book"}


def test_the_size_is_known_before_the_recording_is_there():
    """Fails if movies of the declaration, or the images of a simulated session, are not counted."""
    assert dataclasses.astuple(SIZE) == (48, 118, 900, 4608)


@pytest.mark.parametrize("grown", ["units", "images", "frames", "pixels"])
def test_models_ask_for_more_memory_and_time_of_more_units_images_frames_and_pixels(grown):
    """Fails if a request follows the number of units alone, as it did."""
    before = requests.needs(P, SIZE)["models"]
    larger = dataclasses.replace(SIZE, **{grown: 4 * getattr(SIZE, grown)})
    after = requests.needs(P, larger)["models"]
    assert after[1] > before[1] * 1.1
    assert after[0] > before[0] or grown == "frames"


def test_a_run_too_large_for_this_machine_is_said(monkeypatch):
    """Fails if nothing is said, or if the default run is called too large for 8 GB."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 8_000_000_000 // 4096}
    monkeypatch.setattr(requests.os, "sysconf", sizes.get)
    monkeypatch.setattr(requests.os, "cpu_count", lambda: 2)
    assert requests.too_small(P, SIZE) is None
    large = dataclasses.replace(SIZE, units=1000, images=4000)
    assert "this machine has 8.0" in requests.too_small(P, large)
