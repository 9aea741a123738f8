"""The neurons that verdicts are measured on: benchmarks/calibration_neurons.py."""

import importlib.util

import numpy as np
import pytest
import torch

from lib.data.session import resize
from lib.data.simulated_session import dead_leaves
from lib.files import ROOT

spec = importlib.util.spec_from_file_location("neurons", ROOT / "benchmarks" / "calibration_neurons.py")
kinds = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kinds)
KINDS = kinds.CHOSEN_ON + kinds.HELD_OUT


@pytest.fixture(scope="module")
def scenes():
    return resize(dead_leaves(40, rng=np.random.default_rng(0)).astype(np.float32) / 255, 30)


def test_no_kind_serves_both_to_choose_and_to_report():
    assert not set(kinds.CHOSEN_ON) & set(kinds.HELD_OUT)


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_like_recorded_ones(scenes, kind):
    """Fault: a kind that no image moves, that is silent, or that fires without limit."""
    neuron, other = kinds.make_neurons({kind: 2}, scenes, seed=3)
    images = torch.from_numpy(scenes)[:, None].requires_grad_(True)
    expected = neuron(images)
    assert expected.shape == (40, 1) and (expected > 0).all()
    assert 0.5 <= float(expected.detach().mean()) <= 6
    slope = torch.autograd.grad(expected.sum(), images)[0]
    if kind == "noise":
        assert not slope.any() and expected.detach().std() == 0
    else:
        assert slope.abs().amax((1, 2, 3)).max() > 0
        assert kinds.CC_MAX[0] <= kinds.true_cc_max(neuron, images) <= kinds.CC_MAX[1] + 0.005
        assert not torch.allclose(expected, other(images))


def test_a_seed_gives_the_same_neurons_and_counts(scenes):
    def counts():
        neurons = kinds.make_neurons({"convnet": 1, "distant_fields": 1}, scenes, seed=5)
        return kinds.record(neurons, scenes, seed=6, repeats=4)

    assert (counts() == counts()).all() and counts().shape == (4, 40, 2)


def test_gain_drifts_where_it_should(scenes):
    neurons = kinds.make_neurons({"drifting_gain": 4, "complex": 4}, scenes, seed=1)
    spikes = kinds.record(neurons, scenes, seed=2).sum(1)
    first, last = spikes[:15].sum(0), spikes[-15:].sum(0)
    fallen = np.log(first / last) - np.median(np.log(first / last)[4:])  # beyond what all share
    errors = fallen / np.sqrt(1 / first + 1 / last)  # in standard errors of Poisson counts
    assert fallen[:4].min() > np.log(1.3) and errors[:4].min() > 4 > np.abs(errors[4:]).max()
