"""Agreement of models of the two halves of the images, on modules whose best image is known."""

import numpy as np
import pytest
import torch

from lib.mei import halves
from lib.mei.ascent import AscentSettings
from lib.models import crossvalidation, ensemble
from lib.stimuli.contrast import Target
from lib.stimuli.patterns import gabor

SHAPE, DEGREES, TARGET = (24, 32), 3.0, Target(mean=0.45, contrast=0.06)
HOW = dict(settings=AscentSettings(60), seed=0, degrees_per_pixel=DEGREES)


class Linear(torch.nn.Module):
    """Responses of units with one filter each."""

    def __init__(self, *filters):
        super().__init__()
        self.filters = torch.nn.Parameter(torch.tensor(np.array(filters), dtype=torch.float32))
        self.eval()

    def forward(self, images):
        return torch.nn.functional.softplus(torch.einsum("nchw,uhw->nu", images - 0.45, self.filters))


def patch(x, phase=0.0):
    where = dict(degrees_per_pixel=DEGREES, x=x, y=0.0, orientation=20.0, sigma=7.0)
    return gabor(SHAPE, **where, spatial_frequency=0.05, phase=phase)


def image(pattern):
    return (0.45 + 0.06 * pattern / pattern.std()).astype(np.float32)


def test_halves_that_found_the_same_agree_and_others_do_not():
    """Fault: units of one half compared with other units of the other; an MEI compared with itself."""
    left, right = patch(-15), patch(15)
    models = [Linear(left, left), Linear(left, right)]  # of two units: they agree on the first alone
    found = halves.agreement(models, np.stack([image(left), image(left)]), TARGET, **HOW)
    agreed, torn = found.iloc[0], found.iloc[1]
    assert agreed.min() > 0.9
    assert torn.half_energy_correlation < 0.2 and abs(torn.half_transfer) < 0.1
    assert torn.half_mei_correlation == pytest.approx(0.5, abs=0.15)  # with one of both
    assert torn.heard_by_halves == pytest.approx(0.5, abs=0.15)


def test_phase_counts_in_what_is_heard_and_not_in_the_likeness():
    """Fault: images correlated in place of their energies, or energies in place of responses."""
    found = halves.agreement([Linear(patch(0)), Linear(patch(0, 0.5))], image(patch(0))[None], TARGET, **HOW)
    assert found.half_energy_correlation[0] > 0.9 and found.half_transfer[0] < 0.1


def test_without_halves_nothing_is_measured(tmp_path):
    """Fault: an ensemble of somebody's own gets figures, or fails for the lack of half models."""
    assert ensemble.load_halves(tmp_path, "own", column=0) == []
    found = halves.agreement([], np.zeros((2, *SHAPE)), TARGET, **HOW)
    assert found.shape == (2, len(halves.FIGURES)) and found.isna().all().all()


def test_the_halves_of_a_run_have_no_image_in_common(tmp_path):
    """Fault: a half model that saw the other half, or the models of another unit are read."""
    rng = np.random.default_rng(0)
    images = rng.random((24, *SHAPE)).astype(np.float32)
    counts = rng.poisson(2.0, (3, 24, 2)).astype(float)
    folder = tmp_path / "models" / "v1" / ensemble.HALVES
    how = dict(folds=2, seed=1, degrees_per_pixel=DEGREES)
    made = crossvalidation.cross_validate(images, counts, folder=folder, **how)
    crossvalidation.save_ensemble(folder, made, members=False)
    changed = counts.copy()
    changed[:, made.fold == 0] += 3  # which the first model does not see
    again = crossvalidation.cross_validate(images, changed, **how).models
    assert torch.equal(made.models[0].bias, again[0].bias)
    assert not torch.equal(made.models[1].bias, again[1].bias)
    one = ensemble.load_halves(tmp_path, "v1", column=1)
    assert [float(m.bias[0]) for m in one] == [float(m.bias[1]) for m in made.models]
