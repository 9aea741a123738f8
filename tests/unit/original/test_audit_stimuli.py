"""Tests of lib.original.audit_stimuli; each says which fault it would catch."""

import numpy as np
import pandas as pd
import pytest

from lib import files
from lib.data import conditions
from lib.data.session import Session
from lib.original import audit_stimuli
from lib.original import metrics as original_metrics
from lib.original.words import LACKING
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


def test_round_unit_gets_an_orientation_from_the_original_alone():
    """Fault: the two images exchanged, or the penalty weight not passed on."""
    table, images = audit_stimuli.round_unit((40, 40), steps=60)
    theirs, ours = table.loc["one-fold symmetry of a round optimum"]
    assert theirs > 5 * ours and ours < 0.05
    assert table.loc["largest change of a pixel, penalty weight 0 to 20", "original"] < 0.05
    assert set(images) == {"original", "here"}
    assert table.loc["value plotted as the response / response", "original"] < 1


def test_blur_of_the_recursion_is_gone_half_way():
    """Fault: the linear schedule computed instead of the recursion; with two steps by hand."""
    assert audit_stimuli.sigma_at_half(2, first=8.0, last=0.0) == pytest.approx(0.5)
    assert audit_stimuli.sigma_at_half(4, first=8.0, last=0.0) == pytest.approx(0.75 * 0.5)
    assert audit_stimuli.sigma_at_half(1000) < 0.001


@pytest.mark.parametrize(
    "section, lacking",
    [
        (lambda data: audit_stimuli.drift(data.presentations), "recorded Gabors"),
        (
            lambda data: audit_stimuli.best_conditions(data.presentation_counts, data.presentations),
            "recorded Gabors",
        ),
    ],
)
def test_what_a_source_lacks_is_named(section, lacking):
    """Fault: a source of counts and images alone stops the chapter."""
    assert section(session()) == lacking and lacking in LACKING


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
    result = audit_stimuli.best_conditions(counts, rows, draws=5)
    single, here = (float(v.split()[0]) for v in result.loc["right condition chosen"])
    after = float(result.loc["the same, with the off-by-one error", "original"].split()[0])
    assert here > 90 and here >= single > after and after < 15


def test_the_originals_gabor_from_its_formula():
    """Fault: a formula corrected in the column of the original."""
    table = audit_stimuli.published_gabor(scene_height=94.8)
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
    table = audit_stimuli.fixed_disk(tmp_path, [5], degrees_per_pixel=degrees, aside=12)
    radius = table.loc["radius of the disk (deg), median over MEIs"]
    assert radius.original == pytest.approx(12 * degrees) and radius.here == pytest.approx(14, abs=0.5)
    y, x = np.indices(image.shape)
    inside = np.hypot((x - 38) * degrees + 25, (29.5 - y) * degrees - 12) <= 12 * degrees
    assert table.original["contrast inside, median"] == pytest.approx(image[inside].std(), rel=0.02)
    lost = float(table.original.iloc[3].split()[0])
    assert 10 < lost < 60
    assert audit_stimuli.fixed_disk(tmp_path, [], degrees_per_pixel=degrees) == "MEI"


def test_bars_are_swapped():
    """Fault: both drawn by one convention."""
    table = audit_stimuli.swapped_orientation()
    assert table.to_numpy().tolist() == [["horizontal", "vertical"], ["vertical", "horizontal"]]


def test_symmetry_of_noise_and_gabor():
    """Fault: the columns of the two formulas or of the two folds exchanged."""
    table = audit_stimuli.symmetry(draws=5)
    assert table.loc["white noise", "1-fold, original"] > 0.85 > table.loc["Gabor", "2-fold, here"]
    assert table.loc["white noise", "1-fold, here"] < 0.06
    assert table.loc["two crossed Gabors", "1-fold, here"] < 0.05
    assert table.loc["two crossed Gabors", "2-fold, here"] > 0.5


def test_angles_of_a_spectrum_that_is_not_square():
    """Fault: the correction applied to the original's column, or degrees of the bars for the carrier's."""
    table = audit_stimuli.spectrum_angles()
    assert table.here.to_numpy(float) == pytest.approx([45, 22.5], abs=1.5)
    expected = np.rad2deg(np.arctan(np.tan(np.deg2rad([45, 22.5])) * 60 / 96))
    assert table.original.to_numpy(float) == pytest.approx(expected, abs=3)


def test_luminance_of_the_stretch():
    """Fault: the image measured before the stretch, or the disk's area in pixels."""
    table = audit_stimuli.luminance()
    low, high = table.original.iloc[1:]
    assert low == pytest.approx(high, abs=1e-6) and abs(table.here.iloc[1] - 0.3) < 0.01
    assert table.original.iloc[0] == pytest.approx(0.5 * 441 / (np.pi * 144))


def test_published_values_of_models_take_the_unit_they_name():
    """Fault: values of another unit, or of a formula exchanged with ours."""
    table = audit_stimuli.published_of_models(
        pd.Series({951097947: 0.33}), {"gabor": original_metrics.published_gabor()}
    )
    assert table.here["prediction of 951097947"] == 0.33
    assert np.isnan(table.here["prediction of 951097919"])
    mine = [f"{n} of the gabor of 951097947" for n in ("luminance", "contrast", "symmetry_1", "symmetry_2")]
    np.testing.assert_allclose(table.here[mine], table.published[mine], atol=6e-5)
    assert np.isnan(table.here["luminance of the mei of 951097947"])


def test_stimuli_of_the_printed_unit_are_those_of_its_folder(tmp_path):
    """Fault: MEI and Gabor exchanged; a run that did not select the unit stops the chapter."""
    assert audit_stimuli.stimuli_of_unit(tmp_path) == {}
    folder = tmp_path / "units" / "951097947"
    folder.mkdir(parents=True)
    for stage, scalars in (("mei", {}), ("gabor", {"names": ["mei", "gabor"]})):
        files.write_json(folder / f"{stage}.json", {"scalars": scalars})
    np.savez(folder / "mei.npz", mei=np.full((2, 3), 1.0))
    np.savez(folder / "gabor.npz", stimuli=np.stack([np.full((2, 3), 2.0), np.full((2, 3), 3.0)]))
    found = audit_stimuli.stimuli_of_unit(tmp_path)
    assert {name: image.mean() for name, image in found.items()} == {"mei": 1.0, "gabor": 3.0}
