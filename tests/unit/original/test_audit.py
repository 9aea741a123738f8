"""Tests of lib.original.audit; each says which fault it would catch."""

import numpy as np
import pandas as pd
import pytest

from lib import files
from lib.data import conditions
from lib.data.session import Session
from lib.original import audit
from lib.original import metrics as original_metrics
from lib.stimuli import patterns


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
    table, means = audit.dropped_zeros(counts)
    np.testing.assert_allclose(means, [[3, 2], [2, 1]])
    assert table.loc["rows missing", "original"] == "42.9 %"  # 3 of 7


def test_text_order_misplaces_images():
    """Fault: ids sorted as numbers, where the effect would vanish."""
    mean_counts = np.random.default_rng(0).normal(size=(12, 5))
    table = audit.file_order(np.arange(12), mean_counts)
    # 0 1 10 11 2 3 ... 9: the first two stay, the other ten move
    assert table.loc["images with another image's responses", "original"] == 10
    few = audit.file_order(np.arange(9), mean_counts[:9])
    assert few.loc["images with another image's responses", "original"] == 0


def test_stretch_of_the_allen_images():
    """Fault: height and width exchanged: the stretch becomes a squeeze."""
    table = audit.stretched((918, 1174))
    assert table.loc["horizontal stretch", "original"] == "25.1 %"
    assert table.loc["a line at 45 degrees is shown at (degrees)", "original"] < 45


def test_gaps_between_blocks():
    """Fault: bins of the blocks counted as gaps, or pauses between images as gaps."""
    start = np.r_[np.arange(40) * 0.25, 30 + np.arange(40) * 0.25]  # 10 s, 20 s pause, 10 s
    rows = pd.DataFrame({"stimulus_name": "natural_scenes", "start_time": start, "stop_time": start + 0.25})
    table = audit.raster_gaps(rows)
    assert table.loc["bins outside the blocks", "original"] == "50.0 %"
    assert table.loc["blocks of natural scenes", "here"] == 2


@pytest.mark.parametrize(
    "section",
    [
        lambda data: audit.window(data),
        lambda data: audit.raster_gaps(data.presentations),
        lambda data: audit.drift(data.presentations),
        lambda data: audit.best_conditions(data.presentation_counts, data.presentations),
    ],
)
def test_what_a_source_lacks_is_one_line(section):
    """Fault: a source of counts and images alone stops the chapter."""
    said = section(session())
    assert isinstance(said, str) and "holds no" in said and "\n" not in said


def test_smoothness_penalty_fails_without_padding_only():
    """Fault: another error than the original's, or a penalty of the wrong pixels."""
    assert audit.smoothness_penalty(4) == audit.smoothness_penalty(5) == "fails"
    assert audit.smoothness_penalty(5, padding=1) == pytest.approx((16 + 4) / 25 / 2)


def test_linear_fit_leaves_each_image_out():
    """Fault: the image itself in its own prediction, which then follows noise."""
    rng = np.random.default_rng(0)
    images, noise = rng.uniform(size=(60, 12, 16)).astype(np.float32), rng.normal(size=(60, 40))
    left_out = audit.linear_fit(images, noise)
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(left_out.T, noise.T)]
    assert np.mean(r) < 0.05
    by_hand = audit.linear_fit(images[1:], noise[1:])
    assert by_hand.shape == (59, 40)


def test_luck_grows_as_images_get_fewer():
    """Fault: images not permuted, so that a true correlation is taken for luck."""
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(118, 30))
    table, best = audit.luck(responses, responses, permutations=60)
    few, many = table.iloc[1]
    assert 0.35 < few < 0.65 and many < 0.35 and len(best) == 60


def test_round_unit_gets_an_orientation_from_the_original_alone():
    """Fault: the two images exchanged, or the penalty weight not passed on."""
    table, images = audit.round_unit((40, 40), steps=60)
    theirs, ours = table.loc["one-fold symmetry of a round optimum"]
    assert theirs > 5 * ours and ours < 0.05
    assert table.loc["largest change of a pixel, penalty weight 0 to 20", "original"] < 0.05
    assert set(images) == {"original", "here"}
    assert table.loc["value plotted as the response over the response", "original"] < 1


def test_blur_of_the_recursion_is_gone_half_way():
    """Fault: the linear schedule computed instead of the recursion; with two steps by hand."""
    assert audit.sigma_at_half(2, first=8.0, last=0.0) == pytest.approx(0.5)
    assert audit.sigma_at_half(4, first=8.0, last=0.0) == pytest.approx(0.75 * 0.5)
    assert audit.sigma_at_half(1000) < 0.001


def test_condition_means_beat_single_presentations():
    """Fault: the off-by-one applied to both, or truth and draw from different conditions."""
    rng = np.random.default_rng(0)
    grid = np.arange(-40.0, 41, 10)
    table = np.array([(x, y, o) for x in grid for y in grid for o in (0.0, 45.0, 90.0)])
    rows = pd.DataFrame(rng.permutation(np.repeat(table, 15, axis=0)), columns=conditions.GABOR)
    rows["stimulus_name"] = "gabors"
    near = np.exp(-((rows.x_position - 10) ** 2 + rows.y_position**2) / 50)
    rate = 0.5 + 6 * near * (1 + (rows.orientation == 45))
    counts = rng.poisson(rate.to_numpy()[:, None].repeat(3, axis=1))
    result = audit.best_conditions(counts, rows, draws=5)
    single, here = (float(v.split()[0]) for v in result.loc["the right one of all conditions is taken"])
    after = float(result.loc["the same, with the off-by-one", "original"].split()[0])
    assert here > 90 and here >= single > after and after < 15


def test_the_originals_gabor_from_its_formula():
    """Fault: a formula corrected in the column of the original."""
    table = audit.published_gabor(scene_height=94.8)
    values = table.original[:5].to_numpy(float)
    np.testing.assert_allclose(values, table.printed[:5].to_numpy(float), atol=6e-6)
    np.testing.assert_allclose(values, [0.03669, 0.40972, 0.1323, 0.99926, 0.99757], atol=6e-6)
    assert float(table.original.iloc[5].split()[0]) > 98
    assert table.here["one-fold symmetry"] == pytest.approx(0.82, abs=0.005)
    assert table.original.iloc[6] > 2 * table.here.iloc[6]


def test_a_disk_off_its_stimulus_loses_contrast(tmp_path):
    """Fault: azimuth and elevation exchanged in the centre, or degrees taken for pixels."""
    degrees = 1.58
    image = 0.5 + 0.3 * patterns.gabor(
        (60, 77),
        degrees_per_pixel=degrees,
        x=-25,
        y=12,
        orientation=0,
        spatial_frequency=0.05,
        phase=0,
        sigma=7,
    )
    mask = patterns.circular_mask(image.shape, degrees_per_pixel=degrees, x=-25, y=12, radius=14)
    (tmp_path / "units" / "5").mkdir(parents=True)
    files.write_json(tmp_path / "units" / "5" / "gabor.json", {"scalars": {"names": ["gabor", "mei"]}})
    np.savez(tmp_path / "units" / "5" / "gabor.npz", stimuli=np.stack([image[::-1], image]), mask=mask)
    table = audit.fixed_disk(tmp_path, [5], degrees_per_pixel=degrees, aside=12)
    radius = table.loc["radius of the disk (deg), median over MEIs"]
    assert radius.original == pytest.approx(12 * degrees) and radius.here == pytest.approx(14, abs=0.5)
    y, x = np.indices(image.shape)
    inside = np.hypot((x - 38) * degrees + 25, (29.5 - y) * degrees - 12) <= 12 * degrees
    assert table.original["contrast inside, median"] == pytest.approx(image[inside].std(), rel=0.02)
    lost = float(table.original.iloc[3].split()[0])
    assert 10 < lost < 60
    assert "No neuron" in audit.fixed_disk(tmp_path, [], degrees_per_pixel=degrees)


def test_bars_are_swapped():
    """Fault: both drawn by one convention."""
    table = audit.swapped_orientation()
    assert table.to_numpy().tolist() == [["horizontal", "vertical"], ["vertical", "horizontal"]]


def test_symmetry_of_noise_and_gabor():
    """Fault: the columns of the two formulas or of the two folds exchanged."""
    table = audit.symmetry(draws=5)
    assert table.loc["white noise", "1-fold, original"] > 0.85 > table.loc["Gabor", "2-fold, here"]
    assert table.loc["white noise", "1-fold, here"] < 0.06
    assert table.loc["two crossed Gabors", "1-fold, here"] < 0.05
    assert table.loc["two crossed Gabors", "2-fold, here"] > 0.5


def test_angles_of_a_spectrum_that_is_not_square():
    """Fault: the correction applied to the original's column, or degrees of the bars for the carrier's."""
    table = audit.spectrum_angles()
    assert table.here.to_numpy(float) == pytest.approx([45, 22.5], abs=1.5)
    expected = np.rad2deg(np.arctan(np.tan(np.deg2rad([45, 22.5])) * 60 / 96))
    assert table.original.to_numpy(float) == pytest.approx(expected, abs=3)


def test_tables_show_five_digits_and_no_more():
    """Fault: 45.00000 where 45 is meant, a number in words formatted, nothing as nan."""
    html = audit.show(
        audit.table([("a", 45.0, np.float32(0.0366912)), ("b", "3 %", None), ("c", 7, 2)])
    ).to_html()
    cells = [part.split("<")[0].strip() for part in html.split('class="data')[1:]]
    shown = [cell.split(">")[1] for cell in cells]
    assert shown == ["45", "0.036691", "3 %", "–", "7", "2"]


def test_luminance_of_the_stretch():
    """Fault: the image measured before the stretch, or the disk's area in pixels."""
    table = audit.luminance()
    low, high = table.original.iloc[1:]
    assert low == pytest.approx(high, abs=1e-6) and abs(table.here.iloc[1] - 0.3) < 0.01
    assert table.original.iloc[0] == pytest.approx(0.5 * 441 / (np.pi * 144))


def test_published_values_of_models_take_the_unit_they_name():
    """Fault: values of another unit, or of a formula exchanged with ours."""
    table = audit.published_of_models(
        pd.Series({951097947: 0.33}), {"gabor": original_metrics.published_gabor()}
    )
    assert table.here["prediction of 951097947"] == 0.33
    assert np.isnan(table.here["prediction of 951097919"])
    mine = [f"{n} of the gabor of 951097947" for n in ("luminance", "contrast", "symmetry_1", "symmetry_2")]
    np.testing.assert_allclose(table.here[mine], table.published[mine], atol=6e-5)
    assert np.isnan(table.here["luminance of the mei of 951097947"])
