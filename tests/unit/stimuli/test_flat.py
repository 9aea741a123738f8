"""One flat picture among many stops nobody."""

import numpy as np
import pytest

from lib.stimuli.contrast import Target, set_mean_contrast


def test_a_flat_image_becomes_uniform_where_it_may_be():
    """Fault: a grey image among the scenes fails every unit's page; or its neighbours change."""
    images = np.random.default_rng(0).random((3, 12, 16))
    target = Target(mean=0.5, contrast=0.1)
    expected = set_mean_contrast(images, target)
    images[1] = 0.3
    shown = set_mean_contrast(images, target, flat=True)
    np.testing.assert_allclose(shown[1], 0.5)
    np.testing.assert_array_equal(shown[[0, 2]], expected[[0, 2]])
    with pytest.raises(ValueError, match="flat"):
        set_mean_contrast(images, target)
