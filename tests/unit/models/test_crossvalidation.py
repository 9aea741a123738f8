"""What a fold is fitted to: the images of the other folds, all of them and no other."""

import numpy as np
import torch

from lib.models import crossvalidation


def test_no_image_is_in_the_training_of_its_own_fold(monkeypatch):
    """Fault: test images in training, as in a score that is not out of fold; images left out."""
    seen = []

    def remember(features, responses, core, *, kind):
        seen.append({tuple(row) for row in features.tolist()})
        assert len(features) == len(responses)
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16 * 20, responses.shape[1]))

    monkeypatch.setattr(crossvalidation.v1, "fit_ridge", remember)
    rng = np.random.default_rng(0)
    images = rng.random((23, 16, 20)).astype(np.float32)
    found = crossvalidation.cross_validate(
        images, rng.poisson(2.0, (3, 23, 2)).astype(float), folds=4, model="ridge", degrees_per_pixel=5.0
    )
    core = crossvalidation.cores.CORES["ridge"]((16, 20), degrees_per_pixel=5.0)
    own = [tuple(row) for row in core(torch.as_tensor(images)[:, None]).tolist()]
    for fold, trained in enumerate(seen):
        assert trained == {row for row, left_out in zip(own, found.fold) if left_out != fold}
    assert sorted(np.bincount(found.fold)) == [5, 6, 6, 6]
