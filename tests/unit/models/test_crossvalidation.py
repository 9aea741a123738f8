"""What a fold is fitted to: the images of the other folds, all of them and no other."""

import numpy as np
import pandas as pd
import torch

from lib.models import crossvalidation


def test_no_image_is_in_the_training_of_its_own_fold(monkeypatch):
    """Fault: test images in training, as in a score that is not out of fold; images left out."""
    seen = []

    def remember(features, responses, core):
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


def test_scores_rest_on_the_repeated_images():
    """Fault: images shown once, whose mean is one noisy trial, lower the correlation or enter the null."""
    rng = np.random.default_rng(0)
    counts, predictions = rng.poisson(3.0, (4, 20, 2)).astype(float), rng.random((30, 2))
    both = np.full((4, 30, 2), np.nan)
    both[:, :20], both[0, 20:] = counts, 99.0
    pd.testing.assert_frame_equal(
        crossvalidation.prediction_scores(predictions, both, resamples=20),
        crossvalidation.prediction_scores(predictions[:20], counts, resamples=20),
    )
    np.testing.assert_array_equal(
        crossvalidation.permutation_null(predictions, both, permutations=20),
        crossvalidation.permutation_null(predictions[:20], counts, permutations=20),
    )
