"""Tests of lib.original.audit_data; each says which fault it would catch."""

import numpy as np
import pandas as pd
import pytest

from lib.data.session import Session
from lib.original import audit_data
from lib.original.words import LACKING


def session(**changes):
    counts = np.random.default_rng(0).poisson(2.0, (4, 6, 3)).astype(np.float32)
    return Session(
        **{
            "name": "mine",
            "source": "arrays",
            "images": np.zeros((6, 12, 15), np.float32),
            "units": pd.DataFrame({"structure": ["VISp"] * 3}, index=[1, 2, 3]),
            "image_ids": np.arange(6),
            "degrees_per_pixel": 2.0,
            "counts": counts,
            "window": (0.05, 0.3),
        }
        | changes
    )


def test_zeros_by_hand():
    """Fault: repeats that were not shown counted as silent, or zeros averaged in on both sides."""
    counts = np.array([[[0.0, 2], [4, 0]], [[2, 2], [np.nan, 0]]])
    table, means = audit_data.dropped_zeros(counts)
    np.testing.assert_allclose(means, [[3, 2], [2, 1]])
    assert table.loc["rows missing", "original"] == "42.9 %"  # 3 of 7


def test_text_order_misplaces_images():
    """Fault: ids sorted as numbers, where the effect would vanish."""
    mean_counts = np.random.default_rng(0).normal(size=(12, 5))
    table = audit_data.file_order(np.arange(12), mean_counts)
    # 0 1 10 11 2 3 ... 9: the first two stay, the other ten move
    assert table.loc["images with another image's responses", "original"] == 10
    few = audit_data.file_order(np.arange(9), mean_counts[:9])
    assert few.loc["images with another image's responses", "original"] == 0


def test_stretch_of_the_allen_images():
    """Fault: height and width exchanged: the stretch becomes a squeeze."""
    table = audit_data.stretched((918, 1174))
    assert table.loc["horizontal stretch", "original"] == "25.1 %"
    assert table.loc["a line at 45 degrees is shown at (degrees)", "original"] < 45


def test_gaps_between_blocks():
    """Fault: bins of the blocks counted as gaps, or pauses between images as gaps."""
    start = np.r_[np.arange(40) * 0.25, 30 + np.arange(40) * 0.25]  # 10 s, 20 s pause, 10 s
    rows = pd.DataFrame({"stimulus_name": "natural_scenes", "start_time": start, "stop_time": start + 0.25})
    table = audit_data.raster_gaps(rows)
    assert table.loc["bins outside the blocks", "original"] == "50.0 %"
    assert table.loc["blocks of natural scenes", "here"] == 2


@pytest.mark.parametrize(
    "section, lacking",
    [
        (lambda data: audit_data.window(data), "spike times"),
        (lambda data: audit_data.raster_gaps(data.presentations), "presentations"),
    ],
)
def test_what_a_source_lacks_is_named(section, lacking):
    """Fault: a source of counts and images alone stops the chapter."""
    assert section(session()) == lacking and lacking in LACKING


def test_smoothness_penalty_fails_without_padding_only():
    """Fault: another error than the original's, or a penalty of the wrong pixels."""
    assert audit_data.smoothness_penalty(4) == audit_data.smoothness_penalty(5) == "fails"
    assert audit_data.smoothness_penalty(5, padding=1) == pytest.approx((16 + 4) / 25 / 2)


def test_linear_fit_leaves_each_image_out():
    """Fault: the image itself in its own prediction, which then follows noise."""
    rng = np.random.default_rng(0)
    images, noise = rng.uniform(size=(60, 12, 16)).astype(np.float32), rng.normal(size=(60, 40))
    left_out = audit_data.linear_fit(images, noise)
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(left_out.T, noise.T)]
    assert np.mean(r) < 0.05
    by_hand = audit_data.linear_fit(images[1:], noise[1:])
    assert by_hand.shape == (59, 40)


def test_luck_grows_as_images_get_fewer():
    """Fault: images not permuted, so that a true correlation is taken for luck."""
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(118, 30))
    table, best = audit_data.luck(responses, responses, permutations=60)
    few, many = table.iloc[1]
    assert 0.35 < few < 0.65 and many < 0.35 and len(best) == 60
