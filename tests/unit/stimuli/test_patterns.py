"""Tests of lib.stimuli.patterns; each says which fault it would catch."""

import inspect
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.stimuli import contrast as stimuli
from lib.stimuli import patterns
from lib.stimuli.contrast import Target

SHAPE = (60, 77)
DPP = 94.8 / 60


def test_grid_centre_and_signs():
    """Fault: half-pixel shift of the centre, or y growing downwards."""
    x, y = patterns.pixel_grid((3, 5), degrees_per_pixel=2.0)
    np.testing.assert_array_equal(x[0], [-4, -2, 0, 2, 4])
    np.testing.assert_array_equal(y[:, 0], [2, 0, -2])
    x, y = patterns.pixel_grid((2, 4), degrees_per_pixel=1.0)
    np.testing.assert_array_equal(x[0], [-1.5, -0.5, 0.5, 1.5])


def test_grid_rejects_pixel_size_zero():
    """Fault: a nonsense geometry goes through to the figures."""
    with pytest.raises(ValueError, match="degrees_per_pixel is 0"):
        patterns.pixel_grid((3, 5), degrees_per_pixel=0)


@pytest.mark.parametrize(
    "parameters", [(3.2, -4.1, 0, 0.06, 0.0, 6.0), (0, 0, 90, 0.1, 0.25, 4.0), (-10, 8, 30, 0.04, 0.6, 9.0)]
)
def test_gabor_equals_analytic_formula(parameters):
    """Fault: wavelength in the wrong unit, wrong centre, phase or window (pixel by pixel)."""
    x0, y0, theta, f, phase, sigma = parameters
    image = patterns.gabor(
        SHAPE,
        degrees_per_pixel=DPP,
        x=x0,
        y=y0,
        orientation=theta,
        spatial_frequency=f,
        phase=phase,
        sigma=sigma,
    )
    for row, col in [(0, 0), (30, 38), (29, 40), (12, 60), (41, 22)]:
        dx, dy = (col - 38) * DPP - x0, (29.5 - row) * DPP - y0
        wave = np.cos(
            2 * np.pi * phase
            + 2 * np.pi * f * (dx * np.cos(np.pi * theta / 180) - dy * np.sin(np.pi * theta / 180))
        )
        assert image[row, col] == pytest.approx(np.exp(-(dx**2 + dy**2) / 2 / sigma**2) * wave, abs=1e-12)


def test_orientation_zero_is_vertical_bars():
    """Fault: 0 and 90 swapped, as in the original report."""
    vertical = patterns.grating(SHAPE, degrees_per_pixel=DPP, orientation=0, spatial_frequency=0.05, phase=0)
    assert np.ptp(vertical, axis=0).max() < 1e-12
    assert np.ptp(vertical, axis=1).min() > 1.5


@pytest.mark.parametrize("orientation", [0, 30, 45, 90, 120, 135])
def test_orientation_as_allensdk_draws_it(orientation):
    """Fault: opposite sense of rotation, or 0/90 swapped, against AllenSDK's own renderer.

    AllenSDK shows what it draws with row 0 at the bottom, unless told otherwise; it turns scenes for that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # AllenSDK uses names that scipy deprecates
        from allensdk.brain_observatory import stimulus_info

        theirs = stimulus_info.get_spatial_grating(
            height=100, aspect_ratio=1.28, ori=orientation, pix_per_cycle=20, phase=0.0
        )
        shown = inspect.signature(stimulus_info.Monitor.show_image).parameters["origin"].default
    assert shown == "lower"
    theirs = np.flipud(theirs)
    scores = {other: _best_phase_match(theirs, other) for other in range(0, 180, 15)}
    assert max(scores, key=scores.get) == orientation
    assert scores[orientation] > 0.999


def test_orientation_grows_clockwise_as_psychopy_turns_it():
    """Fault: oblique orientations mirrored; bars of 45 degrees lean to the right, as a clock hand turns."""
    bars = patterns.gabor(
        SHAPE,
        degrees_per_pixel=DPP,
        x=0,
        y=0,
        orientation=45,
        spatial_frequency=1e-6,
        phase=0,
        sigma=3,
        aspect=5,
    )
    x, y = patterns.pixel_grid(SHAPE, degrees_per_pixel=DPP)
    assert (bars * x * y).sum() > 0  # top right and bottom left


def _best_phase_match(image, orientation):
    """Share of an image's variance that a grating of 20 px/cycle explains, at its best phase."""
    pair = [
        patterns.grating(
            image.shape, degrees_per_pixel=1.0, orientation=orientation, spatial_frequency=1 / 20, phase=p
        ).ravel()
        for p in (0, 0.25)
    ]
    design = np.stack([*pair, np.ones(image.size)], axis=1)
    fit = design @ np.linalg.lstsq(design, image.ravel(), rcond=None)[0]
    return 1 - (image.ravel() - fit).var() / image.var()


def test_wavelength_is_in_degrees():
    """Fault: frequency taken in cycles per pixel (the original's pi pixels)."""
    image = patterns.grating((60, 200), degrees_per_pixel=0.5, orientation=0, spatial_frequency=0.1, phase=0)
    power = np.abs(np.fft.rfft(image[0]))
    assert power.argmax() == 10  # 100 degrees across, 0.1 cycles/degree


def test_stack_of_parameters_matches_single_gabors():
    """Fault: broadcasting mixes up the patches."""
    many = dict(
        x=np.array([0.0, 5, -7]),
        y=np.array([1.0, -2, 3]),
        orientation=np.array([0, 45, 90]),
        phase=np.array([0, 0.2, 0.7]),
    )
    common = dict(degrees_per_pixel=DPP, spatial_frequency=0.05, sigma=5.0, aspect=1.5)
    stack = patterns.gabor(SHAPE, **many, **common)
    assert stack.shape == (3, *SHAPE)
    for k in range(3):
        one = patterns.gabor(SHAPE, **{name: v[k] for name, v in many.items()}, **common)
        np.testing.assert_array_equal(one, stack[k])


def test_aspect_lengthens_the_bars():
    """Fault: elongation applied across the bars instead of along them."""
    image = patterns.gabor(
        SHAPE,
        degrees_per_pixel=DPP,
        x=0,
        y=0,
        orientation=0,
        spatial_frequency=1e-6,
        phase=0,
        sigma=5,
        aspect=2,
    )
    x, y = patterns.pixel_grid(SHAPE, degrees_per_pixel=DPP)
    width = np.sqrt((image * x**2).sum() / image.sum())
    height = np.sqrt((image * y**2).sum() / image.sum())
    assert height / width == pytest.approx(2, rel=1e-3)


def test_parameters_of_two_dimensions_are_refused():
    """Fault: a grid of parameters rendered with scrambled axes."""
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        patterns.grating(
            SHAPE, degrees_per_pixel=DPP, orientation=np.zeros((2, 2)), spatial_frequency=0.1, phase=0
        )
    with pytest.raises(ValueError, match="sigma"):
        patterns.gabor(
            SHAPE, degrees_per_pixel=DPP, x=0, y=0, orientation=0, spatial_frequency=0.1, phase=0, sigma=0
        )


@pytest.mark.parametrize("orientation", [0, 20, 89, 90, 179])
def test_orientation_of_inverts_the_carrier(orientation):
    """Fault: metrics report an orientation the renderer does not draw."""
    step = 1e-6
    fx, _ = patterns.carrier_coordinates(step, 0.0, orientation)
    fy, _ = patterns.carrier_coordinates(0.0, step, orientation)
    assert patterns.orientation_of(fx, fy) == pytest.approx(orientation, abs=1e-9)


def test_drifting_gabor_covers_one_cycle_inside_its_aperture():
    """Fault: frames that do not average out (not a full cycle), or light outside the disk."""
    frames = patterns.drifting_gabor(SHAPE, degrees_per_pixel=DPP, x=10.0, y=-20.0, orientation=45)
    assert frames.shape == (8, *SHAPE)
    assert np.abs(frames.mean(axis=0)).max() < 1e-12
    x, y = patterns.pixel_grid(SHAPE, degrees_per_pixel=DPP)
    outside = np.hypot(x - 10, y + 20) > 10 + DPP
    assert np.abs(frames[:, outside]).max() == 0
    assert np.abs(frames[:, ~outside]).max() > 0.95


def test_mask_area_and_place():
    """Fault: radius taken in pixels, or mask mirrored."""
    mask = patterns.circular_mask(SHAPE, degrees_per_pixel=DPP, x=12, y=20, radius=15)
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert mask.sum() * DPP**2 == pytest.approx(np.pi * 15**2, rel=0.02)
    rows, cols = np.nonzero(mask)
    assert cols.mean() == pytest.approx(38 + 12 / DPP, abs=0.3)
    assert rows.mean() == pytest.approx(29.5 - 20 / DPP, abs=0.3)


def test_soft_mask_is_half_at_the_radius():
    """Fault: the soft border shifts the radius."""
    mask = patterns.circular_mask((101, 101), degrees_per_pixel=0.5, x=0, y=0, radius=10, edge=4)
    assert mask[50, 50 + 20] == pytest.approx(0.5)
    assert mask[50, 50 + 16] == 1 and mask[50, 50 + 24] == pytest.approx(0)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    mean=st.floats(0.3, 0.6),
    contrast=st.floats(0.01, 0.2),
    power=st.integers(1, 5),
)
def test_mean_and_contrast_are_exact_in_range(seed, mean, contrast, power):
    """Fault: clipping after the last rescaling, so mean or contrast is off (skewed images)."""
    images = np.random.default_rng(seed).normal(size=(3, 20, 25)) ** power
    result = stimuli.set_mean_contrast(images, Target(mean=mean, contrast=contrast))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=(1, 2), dtype=float), mean, atol=2e-5)
    np.testing.assert_allclose(result.std(axis=(1, 2), dtype=float), contrast, rtol=1e-3)
    assert result.min() >= 0 and result.max() <= 1


def test_masked_image_is_grey_outside_and_exact_over_all_pixels():
    """Fault: offset added outside the mask, or contrast measured inside it only."""
    rng = np.random.default_rng(1)
    mask = patterns.circular_mask(SHAPE, degrees_per_pixel=DPP, x=0, y=5, radius=20, edge=6)
    image = rng.uniform(size=SHAPE) * 3 + 7
    result = stimuli.set_mean_contrast(image, Target(mean=0.45, contrast=0.05, mask=mask))
    np.testing.assert_array_equal(result[mask == 0], np.float32(0.45))
    assert result.mean(dtype=float) == pytest.approx(0.45, abs=1e-6)
    assert result.std(dtype=float) == pytest.approx(0.05, rel=1e-5)


def test_only_the_pattern_matters():
    """Fault: the result depends on the brightness or scale an image came with."""
    image = np.random.default_rng(2).normal(size=SHAPE)
    first = stimuli.set_mean_contrast(image, Target(mean=0.5, contrast=0.05))
    second = stimuli.set_mean_contrast(40 * image + 3, Target(mean=0.5, contrast=0.05))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_contrast_out_of_reach_of_a_small_mask_stays_in_range():
    """Fault: values outside the display's range when the contrast is too much to ask."""
    image = np.random.default_rng(3).normal(size=SHAPE)
    mask = patterns.circular_mask(SHAPE, degrees_per_pixel=DPP, x=0, y=0, radius=5)
    result = stimuli.set_mean_contrast(image, Target(mean=0.5, contrast=0.2, mask=mask))
    assert result.min() >= 0 and result.max() <= 1
    assert 0.03 < result.std() < 0.2


def test_set_mean_contrast_refuses_what_cannot_be():
    """Fault: NaN images instead of one clear line."""
    image = np.random.default_rng(4).normal(size=SHAPE)
    with pytest.raises(ValueError, match="mean is 1.2"):
        stimuli.set_mean_contrast(image, Target(mean=1.2, contrast=0.1))
    with pytest.raises(ValueError, match="contrast is 0.6"):
        stimuli.set_mean_contrast(image, Target(mean=0.5, contrast=0.6))
    with pytest.raises(ValueError, match="mask is empty"):
        stimuli.set_mean_contrast(image, Target(mean=0.5, contrast=0.1, mask=np.zeros(SHAPE)))
    with pytest.raises(ValueError, match="flat"):
        stimuli.set_mean_contrast(np.full(SHAPE, 0.3), Target(mean=0.5, contrast=0.1))
