"""Models, MEIs and Gabors on another device: no tensor is made elsewhere, and the figures are the same."""

import numpy as np
import pytest
import torch

from lib import machine, stages
from lib.errors import InputError
from lib.gabors import search as gabor_search
from lib.mei import diverse, localise, recovery, search
from lib.mei.ascent import AscentSettings
from lib.mei.mask import mei_mask
from lib.models import crossvalidation, network, shared_network
from lib.models.ensemble import MeanModel, SideBySide
from lib.original.mei import published_mei
from lib.stimuli.contrast import Target
from tests.support import elsewhere

SHAPE, DEGREES = (16, 20), 6.0
TOLERANCE = dict(rtol=1e-3, atol=1e-4)  # of float32 sums in another order, after some steps of an ascent


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    images = rng.random((24, *SHAPE)).astype(np.float32)
    return images, rng.poisson(2 + 4 * images[:, 4:8, 5:12].mean((1, 2))[:, None], (3, 24, 5)).astype(float)


def stimuli(models, images):
    """A most exciting input of two fold models with what is made from it, and the best Gabor."""
    making, target = MeanModel(models).eval(), Target(0.5, 0.1)
    found = search.most_exciting_input(
        making, SHAPE, target, starts=("noise", "grey", "natural"), images=images, units=[1],
        settings=AscentSettings(5),
    )  # fmt: skip
    near = localise.localise(making, found)
    others, _, _ = diverse.diverse_exciting_inputs(making, near, number=2, starts=2, steps=3)
    alone = search.most_exciting_input(
        SideBySide(models).eval(), SHAPE, target, settings=AscentSettings(3), units=[0]
    )
    gabor = gabor_search.best_gabor(
        making, SHAPE, target, degrees_per_pixel=DEGREES, grid="quick", refine_from=2, steps=3
    )
    masked = mei_mask(making, near.best_images[0], target, unit=1).masked_image
    published = published_mei(making, near.best_images[0], steps=2)
    return [near.best_images, others, alone.images, gabor.images, masked, published.image]


def everything(recording, folder):
    """Fit, save, load and use models as the stages of a run do; returns arrays of main memory."""
    images, counts = recording
    fit = crossvalidation.cross_validate(images, counts, folds=2, degrees_per_pixel=DEGREES)
    crossvalidation.save_ensemble(folder, fit)
    return [fit.predictions, *stimuli(crossvalidation.load_ensemble(folder).models, images)]


def test_models_meis_and_gabors_are_the_same_on_another_device(recording, tmp_path):
    """Fails if a tensor is made on the CPU while the others are on the device, or is not copied back."""
    here = everything(recording, tmp_path / "here")
    with elsewhere.device():
        there = everything(recording, tmp_path / "there")
    for a, b in zip(here, there, strict=True):
        assert type(b) is np.ndarray
        np.testing.assert_allclose(b, a, **TOLERANCE)


def test_the_power_of_a_recording_is_the_same_on_another_device():
    settings = dict(contrast=0.2, finest_detail=0.15, units=7, image_height=16, steps=3)
    here = recovery.simulate_recovery([(12, 3, 1.0)], **settings)
    with elsewhere.device():
        there = recovery.simulate_recovery([(12, 3, 1.0)], **settings)
    np.testing.assert_allclose(there.response_ratio, here.response_ratio, rtol=1e-2)


@pytest.mark.parametrize("kind", ["ridge", "gabor_ridge"])
def test_baselines_are_the_same_on_another_device(recording, kind):
    images, counts = recording
    fits = [crossvalidation.cross_validate(images, counts, model=kind, folds=2, degrees_per_pixel=DEGREES)]
    with elsewhere.device():
        fits.append(
            crossvalidation.cross_validate(images, counts, model=kind, folds=2, degrees_per_pixel=DEGREES)
        )
    np.testing.assert_allclose(fits[1].predictions, fits[0].predictions, **TOLERANCE)


def test_a_network_reads_its_images_on_another_device():
    """Fails if the pyramid of its readout or its penalty, or the place that is read, is made on the CPU."""
    with elsewhere.device():
        shared = shared_network.SharedNetwork(SHAPE, 3)
        out = shared(torch.rand(4, 1, *SHAPE), torch.rand(4, 3, 2)).sum()
        assert isinstance(torch.autograd.grad(out, shared.place)[0], elsewhere.Elsewhere)
        model = network.Network(SHAPE, 3)
        out = model(torch.rand(4, 1, *SHAPE)).sum() + model.penalty()
        assert isinstance(torch.autograd.grad(out, model.place)[0], elsewhere.Elsewhere)


def test_a_gpu_that_is_not_there_or_too_small_is_said(monkeypatch):
    """Fails if cuda is asked for in vain and the work begins, or if auto stops there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.use_device("auto") == machine.use_device("cpu") == machine.device_name() == "cpu"
    with pytest.raises(InputError, match="finds no graphics processor"):
        machine.use_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1_000_000_000, 2_000_000_000))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Small")
    assert machine.use_device("auto", needs=3000) == "cpu"
    with pytest.raises(InputError, match="needs about 3000 MB and Small has 2000; take device: cpu"):
        machine.use_device("cuda", needs=3000)


def test_the_provenance_states_the_device(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "device_name", lambda: "cuda (Large)")
    made = stages.Stage("mei", tmp_path, 1, {}, 0.0).provenance()
    assert made["device"] == "cuda (Large)"
    assert "on cuda (Large)" in stages.provenance_table(made)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch finds")
def test_models_meis_and_gabors_are_the_same_on_a_gpu(recording, tmp_path):
    here = everything(recording, tmp_path / "here")
    try:
        assert machine.use_device("cuda") == "cuda"
        there = everything(recording, tmp_path / "there")
    finally:
        machine.use_device("cpu")
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(b, a, **TOLERANCE)
