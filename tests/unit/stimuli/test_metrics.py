"""Tests of lib.stimuli.metrics; each says which fault it would catch."""

import numpy as np
import pandas as pd
import pytest

from lib.original import metrics as original_metrics
from lib.stimuli import metrics
from lib.stimuli.patterns import circular_mask, gabor, pixel_grid

SHAPE = (60, 77)
DPP = 94.8 / 60
GEOMETRY = dict(degrees_per_pixel=DPP)


def patch(orientation=0, *, x=0, y=0, spatial_frequency=0.05, sigma=10, phase=0.1):
    return gabor(
        SHAPE,
        x=x,
        y=y,
        orientation=orientation,
        spatial_frequency=spatial_frequency,
        sigma=sigma,
        phase=phase,
        **GEOMETRY,
    )


def disk(radius, x=0, y=0, edge=0):
    return circular_mask(SHAPE, x=x, y=y, radius=radius, edge=edge, **GEOMETRY)


# ---- luminance, contrast, disk ------------------------------------------------------------------


def test_luminance_and_contrast_of_known_pixels():
    """Fault: grey outside the mask counted, or division by pi r^2 instead of pixels."""
    image = np.zeros((4, 4))
    image[1:3, 1:3] = [[0.2, 0.4], [0.6, 0.8]]
    mask = np.zeros((4, 4))
    mask[1:3, 1:3] = 1
    assert metrics.luminance(image, mask=mask) == pytest.approx(0.5)
    assert metrics.contrast(image, mask=mask) == pytest.approx(np.sqrt(0.05))


@pytest.mark.parametrize(
    "mask, message", [(np.ones((3, 4)), r"mask is \(3, 4\)"), (np.zeros((4, 4)), "no pixel of the mask")]
)
def test_unusable_masks_are_named(mask, message):
    """Fault: NaN from an empty mask, or an index error from another shape."""
    with pytest.raises(ValueError, match=message):
        metrics.luminance(np.zeros((4, 4)), mask=mask)


def test_disk_is_centred_on_the_stimulus_not_on_the_mask():
    """Fault: centre set by eye, as in the original; x and y swapped; radius in pixels."""
    image = 0.45 + 0.2 * patch(x=9, y=-6, spatial_frequency=0.08, sigma=5)
    x, y, radius = metrics.analysis_disk(image, mask=disk(30, x=4, y=0), **GEOMETRY)
    assert (x, y) == (pytest.approx(9, abs=0.5), pytest.approx(-6, abs=0.5))
    assert radius == pytest.approx(30, rel=0.02)


def test_analysis_mask_keeps_the_area():
    """Fault: the soft border makes the disk larger or smaller than the stimulus's own mask."""
    image = 0.45 + 0.2 * patch()
    rows, cols = pixel_grid(SHAPE, **GEOMETRY)
    ellipse = (cols / 24) ** 2 + (rows / 12) ** 2 <= 1
    result = metrics.analysis_mask(image, mask=ellipse, **GEOMETRY)
    assert (result >= 0.5).sum() == pytest.approx(ellipse.sum(), rel=0.03)


def test_flat_image_is_refused():
    """Fault: centre of mass of nothing is NaN and moves on into the table."""
    with pytest.raises(ValueError, match="flat"):
        metrics.analysis_disk(np.full(SHAPE, 0.5), mask=disk(20), **GEOMETRY)


# ---- symmetry -----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [0, 30, 45, 90])
def test_symmetry_of_a_gabor_at_any_orientation(orientation):
    """Fault: angles in pixel indices of a rectangular spectrum, so the index depends on angle."""
    image = 0.4 + 0.3 * patch(orientation)
    assert metrics.symmetry_index(image, 1, **GEOMETRY) == pytest.approx(0.89, abs=0.01)
    assert metrics.symmetry_index(image, 2, **GEOMETRY) == pytest.approx(0.64, abs=0.01)


def test_symmetry_of_a_plaid():
    """Fault: n ignored, or angles over 2 pi folded wrongly."""
    image = 0.4 + 0.2 * (patch(0) + patch(90))
    assert metrics.symmetry_index(image, 1, **GEOMETRY) < 0.02
    assert metrics.symmetry_index(image, 2, **GEOMETRY) == pytest.approx(0.62, abs=0.02)


def test_a_point_has_the_same_power_at_every_orientation():
    """Fault: bins of more frequencies count for more, a sum for the mean over the radius."""
    point = np.zeros((40, 40))
    point[20, 20] = 1
    power, _ = metrics.orientation_power(point, degrees_per_pixel=2.0, mask=np.ones((40, 40)))
    np.testing.assert_allclose(power / power.mean(), 1, atol=0.005)


def test_symmetry_of_noise_is_small_where_the_published_one_is_large():
    """Fault: DC left in the sum: noise then scores .9 (mean of 20 draws)."""
    rng = np.random.default_rng(0)
    ours, published = [], []
    for _ in range(20):
        noise = rng.normal(size=(60, 96))
        noise = (noise - noise.min()) / np.ptp(noise)
        ours.append(metrics.symmetry_index(noise, 1, degrees_per_pixel=1.0))
        published.append(original_metrics.published_symmetry(noise, 1))
    assert np.mean(ours) == pytest.approx(0.02, abs=0.006)
    assert np.mean(published) == pytest.approx(0.92, abs=0.02)


def test_symmetry_of_the_originals_patch():
    """Fault: the corrected index moved away from .82/.58 for the original's own Gabor."""
    image = original_metrics.published_gabor()
    mask = circular_mask(image.shape, degrees_per_pixel=1.0, x=0.5, y=-0.5, radius=12, edge=6)
    for window in (None, mask):
        values = [metrics.symmetry_index(image, n, degrees_per_pixel=1.0, mask=window) for n in (1, 2)]
        assert values == [pytest.approx(0.82, abs=0.005), pytest.approx(0.58, abs=0.005)]


def test_symmetry_does_not_depend_on_brightness():
    """Fault: the mean is not removed before windowing."""
    mask = disk(20, edge=10)
    values = [
        metrics.symmetry_index(level + 0.2 * patch(20), 1, mask=mask, **GEOMETRY)
        for level in (0.0, 0.5, 100.0)
    ]
    assert np.ptp(values) < 1e-6


def test_symmetry_leaves_out_less_than_one_cycle_across_the_window():
    """Fault: the annulus reaches down to the mean, so a shading across the window counts."""
    x, y = pixel_grid(SHAPE, **GEOMETRY)
    mask = disk(20, edge=10)
    gabor_alone = patch(0, spatial_frequency=0.12)
    shaded = gabor_alone + 0.02 * y
    values = [metrics.symmetry_index(image, 1, mask=mask, **GEOMETRY) for image in (gabor_alone, shaded)]
    assert values[1] == pytest.approx(values[0], abs=0.2)


# ---- spectrum -----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [0, 17, 45, 90, 130])
@pytest.mark.parametrize("frequency", [0.05, 0.08, 0.14])
def test_peak_frequency_and_orientation(orientation, frequency):
    """Fault: cycles per pixel or per image, rows taken as columns, mirrored orientation."""
    image = 0.5 + 0.1 * patch(orientation, spatial_frequency=frequency, x=-6, y=4)
    found = metrics.spectral_peak(image, mask=disk(24, x=-6, y=4, edge=8), **GEOMETRY)
    assert abs(np.log2(found["spatial_frequency"] / frequency)) < 0.06
    off = (found["orientation"] - orientation + 90) % 180 - 90
    assert abs(off) < 1


def test_bandwidths_against_the_formula_of_a_gabor():
    """Fault: width of power given for width of amplitude, octaves in natural logarithms."""
    frequency, sigma = 0.1, 8.0
    image = 0.5 + 0.1 * patch(30, spatial_frequency=frequency, sigma=sigma)
    found = metrics.spectral_peak(image, mask=np.ones(SHAPE), **GEOMETRY)
    half = np.sqrt(2 * np.log(2)) / (2 * np.pi * sigma)  # half amplitude of the Gaussian
    octaves = np.log2((frequency + half) / (frequency - half))
    degrees = 4 * np.rad2deg(np.arcsin(half / 2 / frequency))  # chord of the circle
    assert found["frequency_bandwidth"] == pytest.approx(octaves, rel=0.05)
    assert found["orientation_bandwidth"] == pytest.approx(degrees, rel=0.05)


def test_bandwidth_of_noise_without_slope_is_nan_or_finite_never_an_error():
    """Fault: an exception for spectra that never fall to a quarter of the peak."""
    spot = np.zeros(SHAPE)
    spot[30, 38] = 1
    found = metrics.spectral_peak(spot, mask=disk(20, edge=10), **GEOMETRY)
    assert np.isnan(found["frequency_bandwidth"])


def test_radial_profile_peaks_at_the_frequency():
    """Fault: frequency axis of the profile off by the padding."""
    frequency, power = metrics.radial_profile(0.5 + 0.1 * patch(40, spatial_frequency=0.1), **GEOMETRY)
    assert frequency[power.argmax()] == pytest.approx(0.1, abs=0.006)
    assert frequency[-1] <= 0.5 / DPP + 0.01 and len(frequency) == len(power)


def test_stimulus_metrics_collects_plain_floats():
    """Fault: an array or a missing field breaks the table of units."""
    image = 0.45 + 0.2 * patch(60, x=5, y=-5)
    result = metrics.stimulus_metrics(image, mask=disk(20, x=5, y=-5, edge=8), **GEOMETRY)
    assert set(result) == {
        "luminance",
        "contrast",
        "symmetry_1",
        "symmetry_2",
        "spatial_frequency",
        "orientation",
        "frequency_bandwidth",
        "orientation_bandwidth",
        "x",
        "y",
        "radius",
    }
    assert all(type(v) is float and np.isfinite(v) for v in result.values())
    assert result["x"] == pytest.approx(5, abs=0.5) and result["y"] == pytest.approx(-5, abs=0.5)


# ---- similarity ---------------------------------------------------------------------------------


def test_correlation_ignores_pixels_outside_both_masks():
    """Fault: common grey background inflates the similarity."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, *SHAPE))
    mask = disk(10)
    outside = mask == 0
    first[outside] = second[outside] = 50 * rng.normal(size=outside.sum())
    assert abs(metrics.masked_correlation(first, second, masks=[mask, mask])) < 0.25
    assert metrics.masked_correlation(first, second, masks=[np.ones(SHAPE), mask]) > 0.99


def test_energy_correlation_is_blind_to_phase_but_not_to_orientation():
    """Fault: one of the quadrature pair missing, or orientations averaged away."""
    masks = [disk(20, edge=5)] * 2
    first, shifted, turned = patch(30), patch(30, phase=0.35), patch(80)
    assert abs(metrics.masked_correlation(first, shifted, masks=masks)) < 0.1
    assert metrics.energy_correlation(first, shifted, masks=masks, **GEOMETRY) > 0.95
    assert metrics.energy_correlation(first, turned, masks=masks, **GEOMETRY) < 0.3


def test_local_energy_bands_are_in_cycles_per_degree():
    """Fault: bands in cycles per pixel; an orientation index off by one."""
    energy = metrics.local_energy(patch(45, spatial_frequency=0.08), **GEOMETRY)
    band, orientation = np.unravel_index(energy.max(axis=(2, 3)).argmax(), energy.shape[:2])
    assert (band, orientation) == (2, 2)  # 0.08 cycles/degree, 2 x 22.5 degrees
    coarse = metrics.local_energy(patch(), degrees_per_pixel=4.0)
    assert len(coarse) == 3  # 0.16 lies above the Nyquist frequency


def test_structural_similarity_reference_values():
    """Fault: constants or covariance of SSIM wrong (identity, sign, formula on flat images)."""
    rng = np.random.default_rng(0)
    image = rng.uniform(size=SHAPE)
    assert metrics.structural_similarity(image, image) == pytest.approx(1)
    assert metrics.structural_similarity(image, 1 - image) < -0.8
    flat = metrics.structural_similarity(np.full(SHAPE, 0.4), np.full(SHAPE, 0.5))
    assert flat == pytest.approx((2 * 0.4 * 0.5 + 1e-4) / (0.4**2 + 0.5**2 + 1e-4))
    half = np.where(np.arange(77) < 38, image, 1 - image)
    left = np.zeros(SHAPE)
    left[:, :25] = 1
    assert metrics.structural_similarity(image, half, masks=[left]) > 0.99


def test_similarity_collects_all_three():
    """Fault: a field renamed in one place only."""
    result = metrics.stimulus_similarity(patch(0), patch(0), masks=[disk(20)], **GEOMETRY)
    assert result == {
        "correlation": pytest.approx(1),
        "structural_similarity": pytest.approx(1),
        "energy_correlation": pytest.approx(1),
    }


# ---- as published -------------------------------------------------------------------------------


def test_published_values_of_the_originals_gabor():
    """Fault: the published formulas drift away from what the original printed."""
    image = original_metrics.published_gabor()
    assert image.dtype == np.float32 and image.shape == (60, 96)
    assert image.std() == pytest.approx(0.03668658, abs=1e-7)
    assert original_metrics.published_luminance(image) == pytest.approx(0.4097204913589961, abs=1e-6)
    assert original_metrics.published_contrast(image) == pytest.approx(0.13230467, abs=1e-7)
    assert original_metrics.published_symmetry(image, 1) == pytest.approx(0.9992552829, abs=1e-8)
    assert original_metrics.published_symmetry(image, 2) == pytest.approx(0.9975716529, abs=1e-8)


def test_published_symmetry_measures_the_mean():
    """Fault: the audit's claim (98 % of the sum is the mean) no longer holds."""
    image = original_metrics.published_gabor()
    assert original_metrics.published_dc_share(image) == pytest.approx(0.988, abs=0.001)
    assert original_metrics.published_dc_share(image - image.mean(dtype=float)) < 1e-9


def test_published_orientation_zero_is_horizontal_bars():
    """Fault: the audit's claim that the original swapped 0 and 90 no longer holds."""
    image = original_metrics.published_gabor((0,), wavelength=10)
    assert metrics.spectral_peak(image, degrees_per_pixel=1.0)["orientation"] == pytest.approx(90)


def test_published_disk_takes_row_then_column():
    """Fault: centre given as (x, y)."""
    image = np.zeros((60, 96))
    image[10, 80] = 1
    assert original_metrics.published_luminance(image, centre=(10, 80)) == pytest.approx(1 / np.pi / 144)
    assert original_metrics.published_contrast(image) == 0


def test_every_measure_is_shown_under_a_name_of_the_field():
    """Fault: a measure that is new, or one of the original's, left with its name in the code."""
    image = gabor(
        (30, 38), degrees_per_pixel=2.0, x=0, y=0, orientation=30, spatial_frequency=0.05, phase=0, sigma=8
    )
    mask = circular_mask(image.shape, degrees_per_pixel=2.0, x=0, y=0, radius=16)
    measures = (
        metrics.stimulus_metrics(image, mask=mask, degrees_per_pixel=2.0)
        | original_metrics.published_metrics(image)
        | metrics.stimulus_similarity(image, image, masks=[mask], degrees_per_pixel=2.0)
    )
    assert set(measures) <= set(metrics.NAMES)
    shown = metrics.shown({"MEI": measures}).data
    assert isinstance(shown, pd.DataFrame) and not [name for name in shown.index if "_" in name]


@pytest.mark.parametrize("tilt", [-0.02, 0.02])
def test_peak_at_the_edge_of_the_spectrum(tilt):
    """Fails if a peak in the last column of the spectrum has no neighbour to its right."""
    y, x = np.mgrid[:16, :16]
    found = metrics.spectral_peak(np.cos(2 * np.pi * (0.49 * x + tilt * y)), degrees_per_pixel=1)
    assert found["spatial_frequency"] == pytest.approx(0.49, abs=0.02)
    assert min(found["orientation"], 180 - found["orientation"]) < 8
