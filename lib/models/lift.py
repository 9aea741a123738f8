"""How well the v1 model predicts the images of the largest responses, on which an MEI rests."""

from __future__ import annotations

import numpy as np
import torch

from lib.models import v1


def top_lift(features: torch.Tensor, responses: np.ndarray, core: torch.nn.Module) -> np.ndarray:
    """How far the images that are predicted to evoke the largest responses do so: (units,), 1 at best.

    Every image is predicted by the Gaussian process of the others; windows, mean and weights of the groups
    are those of all images, so that it comes out too large, by about 0.1 against predictions of other folds.
    It is the root of the response, averaged over the twelfth of the images with the largest predictions,
    above the average over all, over the same for the images of the largest responses. Arguments are as in
    `lib.models.v1.fit_windowed`.
    """
    target = v1._root(responses)
    z = (target - target.mean(0)) / target.std(0).clamp(min=1e-6)
    centred = features - features.mean(0)
    parts = v1._by_place(centred, core)
    seen = v1._expected_windows(parts, core, torch.cat([z, v1._components(z)[0]], 1))
    seen = [weight[: z.shape[1]] for weight in seen]
    expected = centred @ v1._common_readout(parts, core, seen, z).T
    predicted = v1._by_evidence(parts, core, seen, z - expected)[3] + expected
    number = max(1, round(len(z) / 12))
    top = z.gather(0, predicted.topk(number, 0).indices).mean(0)
    return (top / z.topk(number, 0).values.mean(0).clamp(min=1e-6)).numpy(force=True)
