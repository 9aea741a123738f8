"""Symmetries of what is drawn and of what is measured: places, turns, phases, resolution, brightness."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lib.gabors import parameters
from lib.stimuli import contrast as stimuli
from lib.stimuli import metrics, patterns
from lib.stimuli.contrast import Target

DPP = 2.0
SHAPES = st.tuples(st.integers(8, 24), st.integers(8, 24))
ANGLES, PHASES = st.floats(-180, 360), st.floats(-2, 2)
WAVES = st.fixed_dictionaries(
    {"orientation": ANGLES, "spatial_frequency": st.floats(0.01, 0.24), "phase": PHASES}
)
PATCHES = st.fixed_dictionaries(
    {
        "x": st.floats(-20, 20),
        "y": st.floats(-20, 20),
        "orientation": ANGLES,
        "spatial_frequency": st.floats(0.01, 0.24),
        "phase": PHASES,
        "sigma": st.floats(2, 12),
        "aspect": st.floats(0.5, 2),
    }
)
SEEDS = st.integers(0, 2**31)
MASK = patterns.circular_mask((20, 20), degrees_per_pixel=DPP, x=0, y=0, radius=14, edge=7)


def image(seed, shape=(20, 20), smooth=2.0):
    """A smooth random pattern: what metrics are measured on."""
    noise = np.random.default_rng(seed).normal(size=shape)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[1]), np.fft.fftfreq(shape[0])))
    return np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * (np.pi * frequency * smooth) ** 2)).real


# ---- what is drawn ------------------------------------------------------------------------------


@given(shape=SHAPES, patch=PATCHES)
def test_a_turned_gabor_is_the_turned_picture(shape, patch):
    """Fault: orientation in the other sense, or from another axis; elevation downwards."""
    drawn = patterns.gabor(shape, degrees_per_pixel=DPP, **patch)
    turn = patch | {"x": -patch["y"], "y": patch["x"], "orientation": patch["orientation"] - 90}
    np.testing.assert_allclose(
        patterns.gabor(shape[::-1], degrees_per_pixel=DPP, **turn), np.rot90(drawn), atol=1e-9
    )
    mirror = patch | {"x": -patch["x"], "orientation": 180 - patch["orientation"]}
    np.testing.assert_allclose(
        patterns.gabor(shape, degrees_per_pixel=DPP, **mirror), drawn[:, ::-1], atol=1e-9
    )


@given(shape=SHAPES, patch=PATCHES)
def test_half_a_turn_is_the_opposite_phase_and_half_a_cycle_the_negative(shape, patch):
    """Fault: phase in radians or degrees, or its sign lost; a window that knows the direction."""
    drawn = patterns.gabor(shape, degrees_per_pixel=DPP, **patch)
    for change, expected in (
        ({"orientation": patch["orientation"] + 180, "phase": -patch["phase"]}, drawn),
        ({"phase": patch["phase"] + 0.5}, -drawn),
        ({"phase": patch["phase"] + 1}, drawn),
        ({"x": -patch["x"], "y": -patch["y"], "phase": -patch["phase"]}, drawn[::-1, ::-1]),
    ):
        np.testing.assert_allclose(
            patterns.gabor(shape, degrees_per_pixel=DPP, **patch | change), expected, atol=1e-9
        )


@given(shape=SHAPES, patch=PATCHES, right=st.integers(-4, 4), up=st.integers(-4, 4))
def test_a_moved_gabor_is_the_moved_picture(shape, patch, right, up):
    """Fault: a carrier that stays where it is, a place in pixels."""
    h, w = shape
    drawn = patterns.gabor(shape, degrees_per_pixel=DPP, **patch)
    moved = patterns.gabor(
        shape, degrees_per_pixel=DPP, **patch | {"x": patch["x"] + DPP * right, "y": patch["y"] + DPP * up}
    )
    np.testing.assert_allclose(
        moved[max(-up, 0) : h - max(up, 0), max(right, 0) : w - max(-right, 0)],
        drawn[max(up, 0) : h - max(-up, 0), max(-right, 0) : w - max(right, 0)],
        atol=1e-9,
    )


@given(shape=SHAPES, patch=PATCHES, wave=WAVES)
def test_three_times_the_pixels_show_the_same(shape, patch, wave):
    """Fault: any size, place or wavelength in pixels. The middle of 3 x 3 pixels is the old pixel."""
    fine = tuple(3 * n for n in shape)
    for draw, given_ in (
        (patterns.gabor, patch),
        (patterns.grating, wave),
        (patterns.circular_mask, {"x": patch["x"], "y": patch["y"], "radius": 9.1, "edge": 3.0}),
    ):
        coarse = draw(shape, degrees_per_pixel=DPP, **given_)
        assert np.ptp(coarse) > 0 or draw is not patterns.grating
        np.testing.assert_allclose(
            draw(fine, degrees_per_pixel=DPP / 3, **given_)[1::3, 1::3], coarse, atol=1e-9
        )


@given(shape=SHAPES, wave=WAVES)
def test_gratings_turn_and_reverse(shape, wave):
    """Fault: gratings by another convention than Gabors."""
    drawn = patterns.grating(shape, degrees_per_pixel=DPP, **wave)
    turned = patterns.grating(
        shape[::-1], degrees_per_pixel=DPP, **wave | {"orientation": wave["orientation"] - 90}
    )
    np.testing.assert_allclose(turned, np.rot90(drawn), atol=1e-9)
    opposite = patterns.grating(shape, degrees_per_pixel=DPP, **wave | {"phase": -wave["phase"]})
    np.testing.assert_allclose(opposite, drawn[::-1, ::-1], atol=1e-9)
    wide = patterns.gabor(shape, degrees_per_pixel=DPP, x=0, y=0, sigma=1e5, **wave)
    np.testing.assert_allclose(wide, drawn, atol=1e-6)


@given(x=st.floats(-10, 10), y=st.floats(-10, 10), orientation=ANGLES, phases=st.integers(2, 8))
def test_a_recorded_gabor_drifts_through_one_cycle(x, y, orientation, phases):
    """Fault: no drift, half a cycle, or an aperture that moves with it."""
    draw = dict(degrees_per_pixel=DPP, n_phases=phases)
    frames = patterns.drifting_gabor((24, 30), x=x, y=y, orientation=orientation, **draw)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-9)
    back = patterns.drifting_gabor((24, 30), x=-x, y=-y, orientation=orientation + 180, **draw)
    np.testing.assert_allclose(back, frames[:, ::-1, ::-1], atol=1e-9)
    aperture = patterns.circular_mask((24, 30), degrees_per_pixel=DPP, x=x, y=y, radius=10, edge=DPP)
    assert (np.abs(frames) <= aperture + 1e-9).all()


@given(patch=PATCHES, shape=SHAPES)
def test_the_renderer_of_the_search_draws_the_same(patch, shape):
    """Fault: the search optimises over Gabors that are not those shown."""
    row = torch.tensor([[patch[name] for name in parameters.PARAMETERS]], dtype=torch.float64)
    drawn = parameters.render_gabors(row, shape, degrees_per_pixel=DPP)[0].numpy()
    np.testing.assert_allclose(drawn, patterns.gabor(shape, degrees_per_pixel=DPP, **patch), atol=1e-9)
    same = parameters.canonical(row.numpy()).iloc[0]
    assert 0 <= same.orientation <= 180 and 0 <= same.phase <= 1
    np.testing.assert_allclose(patterns.gabor(shape, degrees_per_pixel=DPP, **same), drawn, atol=1e-6)


@given(fx=st.floats(-1, 1), fy=st.floats(-1, 1))
def test_orientation_is_of_the_axis_not_of_the_direction(fx, fy):
    """Fault: orientations that differ for a wave and the same wave backwards."""
    assume(np.hypot(fx, fy) > 1e-3)
    angle = patterns.orientation_of(fx, fy)
    assert 0 <= angle <= 180
    off = (angle - patterns.orientation_of(-fx, -fy) + 90) % 180 - 90
    assert abs(off) < 1e-6
    across, along = patterns.carrier_coordinates(fx, fy, angle)
    assert abs(along) < 1e-9 and np.isclose(abs(across), np.hypot(fx, fy))


# ---- mean and contrast --------------------------------------------------------------------------

LEVELS = dict(mean=st.floats(0.3, 0.7), contrast=st.floats(0.02, 0.25))


@given(seed=SEEDS, power=st.integers(1, 4), **LEVELS)
def test_mean_and_contrast_act_on_pixels_whatever_their_place(seed, power, mean, contrast):
    """Fault: a rule that hangs on the order of pixels, on brightness, or on the sign of the contrast."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(size=(12, 15)) ** power
    level = dict(mean=mean, contrast=contrast)
    found = stimuli.set_mean_contrast(pixels, Target(**level))
    np.testing.assert_allclose(stimuli.set_mean_contrast(3 * pixels - 7, Target(**level)), found, atol=1e-5)
    np.testing.assert_allclose(stimuli.set_mean_contrast(found, Target(**level)), found, atol=1e-4)
    order = rng.permutation(pixels.size)
    moved = stimuli.set_mean_contrast(pixels.ravel()[order].reshape(pixels.shape), Target(**level))
    np.testing.assert_allclose(moved.ravel(), found.ravel()[order], atol=1e-5)
    negative = stimuli.set_mean_contrast(-pixels, Target(mean=1 - mean, contrast=contrast))
    np.testing.assert_allclose(negative, 1 - found, atol=1e-4)
    ranks = np.argsort(pixels.ravel())
    assert (np.diff(found.ravel()[ranks]) >= -1e-6).all()


@given(seed=SEEDS, power=st.integers(1, 4), contrast=st.floats(0.02, 0.15))
def test_outside_the_mask_it_is_grey_however_much_is_clipped(seed, power, contrast):
    """Fault: the offset that mends the mean after clipping moves the grey outside too."""
    pixels = np.random.default_rng(seed).normal(size=(3, 20, 20)) ** power
    found = stimuli.set_mean_contrast(pixels, Target(mean=0.4, contrast=contrast, mask=MASK))
    np.testing.assert_array_equal(found[:, MASK == 0], np.float32(0.4))
    np.testing.assert_allclose(found.mean(axis=(1, 2), dtype=float), 0.4, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(1, 2), dtype=float), contrast, rtol=1e-3)


@given(seed=SEEDS, power=st.integers(1, 3), **LEVELS)
def test_the_three_rules_of_contrast_agree(seed, power, mean, contrast):
    """Fault: MEIs, Gabors and natural images compared at contrasts that differ."""
    pixels = np.random.default_rng(seed).normal(size=(2, 12, 15)) ** power
    found = stimuli.set_mean_contrast(pixels, Target(mean=mean, contrast=contrast))
    projected, ok = stimuli.project(torch.from_numpy(pixels)[:, None], Target(mean=mean, contrast=contrast))
    assert ok.all()
    np.testing.assert_allclose(projected[:, 0], found, atol=2e-3)
    rendered = stimuli.at_mean_contrast(
        torch.from_numpy(pixels),
        Target(mean=mean, contrast=contrast, mask=torch.ones(1, 1), value_range=(0, 1)),
    )
    np.testing.assert_allclose(rendered[:, 0], found, atol=0.02)


# ---- what is measured ---------------------------------------------------------------------------


@settings(max_examples=25)
@given(seed=SEEDS, gain=st.floats(0.1, 20), offset=st.floats(-5, 5))
def test_metrics_follow_brightness_and_contrast_and_turn_with_the_picture(seed, gain, offset):
    """Fault: DC or contrast in a symmetry, a spectrum upside down or sideways."""
    first = image(seed)
    one = metrics.stimulus_metrics(first, mask=MASK, degrees_per_pixel=DPP)
    bright = metrics.stimulus_metrics(gain * first + offset, mask=MASK, degrees_per_pixel=DPP)
    assert bright["luminance"] == pytest.approx(gain * one["luminance"] + offset, rel=1e-6, abs=1e-9)
    assert bright["contrast"] == pytest.approx(gain * one["contrast"], rel=1e-6)
    for name in set(one) - {"luminance", "contrast"}:
        assert bright[name] == pytest.approx(one[name], rel=1e-4, nan_ok=True), name
    for n in (1, 2):
        assert 0 <= one[f"symmetry_{n}"] <= 1
    turned = metrics.stimulus_metrics(np.rot90(first), mask=MASK, degrees_per_pixel=DPP)
    for name in (
        "luminance",
        "contrast",
        "symmetry_1",
        "symmetry_2",
        "spatial_frequency",
        "radius",
        "frequency_bandwidth",
        "orientation_bandwidth",
    ):
        assert turned[name] == pytest.approx(one[name], rel=1e-3, nan_ok=True), name
    assert (turned["orientation"] - one["orientation"]) % 180 == pytest.approx(90, abs=0.1)
    assert (turned["x"], turned["y"]) == pytest.approx((-one["y"], one["x"]), abs=1e-6)


@settings(max_examples=25)
@given(seed=SEEDS, factor=st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_frequencies_are_per_degree(seed, factor):
    """Fault: cycles per pixel, sizes in pixels. Powers of two leave no rounding."""
    first = image(seed)
    one, far = (metrics.stimulus_metrics(first, mask=MASK, degrees_per_pixel=DPP * f) for f in (1, factor))
    assert far["spatial_frequency"] == pytest.approx(one["spatial_frequency"] / factor, rel=1e-6)
    assert far["radius"] == pytest.approx(one["radius"] * factor)
    for name in ("orientation", "symmetry_1", "symmetry_2", "frequency_bandwidth"):
        assert far[name] == pytest.approx(one[name], rel=1e-6, nan_ok=True), name


@settings(max_examples=20)
@given(seeds=st.tuples(SEEDS, SEEDS), gain=st.floats(0.2, 5), offset=st.floats(-3, 3))
def test_similarities_are_of_two_alike_sides(seeds, gain, offset):
    """Fault: a side preferred, or brightness, contrast or the place of the pair taken for likeness."""
    a, b = map(image, seeds)
    how = dict(masks=[MASK, np.roll(MASK, 3, axis=1)], degrees_per_pixel=DPP)
    there, back = metrics.stimulus_similarity(a, b, **how), metrics.stimulus_similarity(b, a, **how)
    assert there == pytest.approx(back)
    own = metrics.stimulus_similarity(a, a, **how)
    assert own == pytest.approx({"correlation": 1, "structural_similarity": 1, "energy_correlation": 1})
    scaled = metrics.stimulus_similarity(gain * a + offset, b, **how)
    reversed_ = metrics.stimulus_similarity(-a, b, **how)
    for name in ("correlation", "energy_correlation"):
        assert scaled[name] == pytest.approx(there[name], abs=1e-6)
    assert reversed_["correlation"] == pytest.approx(-there["correlation"], abs=1e-9)
    assert reversed_["energy_correlation"] == pytest.approx(there["energy_correlation"], abs=1e-9)
    turned = metrics.stimulus_similarity(
        np.rot90(a), np.rot90(b), degrees_per_pixel=DPP, masks=[np.rot90(m) for m in how["masks"]]
    )
    assert turned == pytest.approx(there, abs=1e-6)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_power_by_orientation_turns_with_the_picture(seed):
    """Fault: bins of another width, or that begin elsewhere."""
    first = image(seed)
    power, _ = metrics.orientation_power(first, degrees_per_pixel=DPP, mask=MASK)
    turned, _ = metrics.orientation_power(np.rot90(first), degrees_per_pixel=DPP, mask=MASK)
    # a frequency on the edge of two bins may fall into the other one
    np.testing.assert_allclose(np.roll(turned, -8), power, rtol=0.15, atol=0.02 * power.max())
    frequency, profile = metrics.radial_profile(first, degrees_per_pixel=DPP, mask=MASK)
    again = metrics.radial_profile(np.rot90(first), degrees_per_pixel=DPP, mask=MASK)[1]
    np.testing.assert_allclose(again, profile, rtol=1e-3, atol=1e-9)
    assert frequency[0] == 0 and frequency[-1] <= 0.5 / DPP + 1e-9
