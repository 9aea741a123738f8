"""Model neurons: their optimum is the optimum, whatever the resolution, and is described truly."""

import numpy as np
import pytest
import torch

from lib.data import simulated_neurons
from lib.stimuli import patterns as stimuli
from lib.stimuli.contrast import Target

SHAPE, DPP = (60, 77), 94.8 / 60
MEAN, CONTRAST = 0.45, 0.045
TUNED = [kind for kind in simulated_neurons.KINDS if kind not in ("untuned", "silent")]


@pytest.fixture(scope="module")
def units():
    return simulated_neurons.TrueUnits(simulated_neurons.make_units(18, seed=2))


def unit_of(units, kind):
    return int(units.table.index[units.table.truth_kind == kind][0])


def at_contrast(patterns, contrast=CONTRAST):
    """Images (n, 1, h, w) of one mean and RMS contrast, of any range."""
    patterns = patterns if patterns.ndim == 3 else patterns[None]
    patterns = patterns - patterns.mean((1, 2), keepdims=True)
    images = MEAN + contrast * patterns / patterns.std((1, 2), keepdims=True)
    return torch.tensor(images, dtype=torch.float32)[:, None]


def respond(units, unit_id, images):
    with torch.no_grad():
        return units.subset([unit_id])(images)[:, 0].numpy()


def optimum(units, unit_id):
    return units.preferred_stimuli(unit_id, SHAPE, degrees_per_pixel=DPP)


def random_gabors(row, n, rng):
    """Gabors near the receptive field, of about its size and frequency."""
    return stimuli.gabor(
        SHAPE,
        degrees_per_pixel=DPP,
        x=row.x + rng.normal(0, 5, n),
        y=row.y + rng.normal(0, 5, n),
        orientation=rng.uniform(0, 180, n),
        phase=rng.random(n),
        spatial_frequency=row.spatial_frequency * np.exp(rng.normal(0, 0.3, n)),
        sigma=row.sigma * np.exp(rng.normal(0.1, 0.3, n)),
    )


@pytest.mark.parametrize("kind", TUNED)
def test_optimum_beats_500_random_gabors_of_equal_contrast(units, kind):
    """Fails if the preferred stimulus is misplaced, misoriented or of the wrong sign."""
    unit = unit_of(units, kind)
    best = respond(units, unit, at_contrast(optimum(units, unit))).max()
    gabors = random_gabors(units.table.loc[unit], 500, np.random.default_rng(0))
    assert respond(units, unit, at_contrast(gabors)).max() < best


@pytest.mark.parametrize("kind", TUNED)
def test_gradient_at_optimum_points_along_it(units, kind):
    """Fails if the closed form of the optimum is not stationary at fixed mean and contrast."""
    unit = unit_of(units, kind)
    pattern = optimum(units, unit)[0]
    image = at_contrast(pattern).requires_grad_()
    units.subset([unit])(image).sum().backward()
    gradient = image.grad[0, 0].numpy()
    gradient = gradient - gradient.mean()
    # a pair cut off by the border, or seen through a pool, has a phase that is better by a little
    floor = 0.99 if kind.startswith("complex") else 0.999
    assert (gradient * pattern).sum() / np.linalg.norm(gradient) > floor


@pytest.mark.parametrize("kind", ["corner", "two_subunit"])
def test_optimum_of_two_filters_is_no_gabor(units, kind):
    """Fails if both filters coincide, so that one Gabor would do as well."""
    unit = unit_of(units, kind)
    baseline = units.table.baseline[unit]
    best = respond(units, unit, at_contrast(optimum(units, unit)))[0]
    row = units.table.loc[unit].copy()
    gabors = random_gabors(row, 1000, np.random.default_rng(1))
    assert (respond(units, unit, at_contrast(gabors)).max() - baseline) / (best - baseline) < 0.8


def test_a_corner_needs_both_filters_and_two_subunits_one(units):
    """Fails if a corner adds what it must multiply, so that half a corner would do."""
    for kind, least, most in (("corner", 0.0, 0.1), ("two_subunit", 0.3, 1.0)):
        unit = unit_of(units, kind)
        a, b = simulated_neurons.render_filters(units.table.loc[[unit]], SHAPE, degrees_per_pixel=DPP)[:, 0]
        half = a - (a * b).sum() * b  # drives the first filter and not the second
        alone, both = (
            respond(units, unit, at_contrast(p))[0] - units.table.baseline[unit] for p in (half, a + b)
        )
        assert least <= alone / both < most


def test_responses_do_not_depend_on_resolution(units):
    """Fails if filters are normalised per pixel instead of per degree."""
    patterns = dict(
        x=np.linspace(-25, 25, 12),
        y=np.linspace(-15, 15, 12),
        sigma=9.0,
        phase=0.2,
        orientation=np.arange(0, 180, 15.0),
        spatial_frequency=0.05,
    )
    responses = []
    for height in (60, 115):
        dpp = 94.8 / height
        shape = height, round(121.3 / dpp)
        images = 0.5 + 0.4 * stimuli.gabor(shape, degrees_per_pixel=dpp, **patterns)
        with torch.no_grad():
            responses.append(units(torch.tensor(images, dtype=torch.float32)[:, None]).numpy())
    assert responses[0].std(0).max() > 0.5
    np.testing.assert_allclose(responses[0], responses[1], atol=0.02, rtol=0.02)


def test_luminance_alone_drives_nothing(units):
    """Fails if filters keep their DC."""
    flat = torch.tensor([0.1, 0.5, 0.9])[:, None, None, None].expand(3, 1, *SHAPE)
    with torch.no_grad():
        responses = units(flat).numpy()
    np.testing.assert_allclose(responses, np.tile(units.table.baseline, (3, 1)), atol=2e-3)


def test_untuned_is_constant_and_silent_is_silent(units):
    """Fails if units without receptive field respond to images."""
    images = torch.rand(20, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    untuned = respond(units, unit_of(units, "untuned"), images)
    assert np.ptp(untuned) == 0 and untuned[0] > 0
    assert (respond(units, unit_of(units, "silent"), images) == 0).all()
    assert len(optimum(units, unit_of(units, "untuned"))) == 0


def test_simple_cell_knows_phase_and_complex_cell_does_not(units):
    """Fails if the quadrature pair is broken or the simple cell is not rectified."""
    for kind, invariant in (("simple", False), ("complex", True)):
        unit = unit_of(units, kind)
        row = units.table.loc[unit]
        phases = stimuli.gabor(
            SHAPE,
            degrees_per_pixel=DPP,
            **row[["x", "y", "orientation", "spatial_frequency", "sigma"]].astype(float),
            phase=row.phase + np.arange(8) / 8,
        )
        responses = respond(units, unit, at_contrast(phases)) - row.baseline
        assert responses[0] > 1
        assert (responses.min() / responses.max() > 0.9) == invariant
        if not invariant:
            assert abs(responses[4]) < 0.05 * responses[0]


def test_surrounding_contrast_suppresses_normalised_units_only(units):
    """Fails if the normalisation pool is missing or applied to other kinds."""
    for kind, suppressed in (("simple", False), ("simple_normalised", True)):
        unit = unit_of(units, kind)
        row = units.table.loc[unit]
        pattern = at_contrast(optimum(units, unit))
        noise = stimuli.grating(
            SHAPE, degrees_per_pixel=DPP, orientation=row.orientation + 90, spatial_frequency=0.25, phase=0.0
        )
        before = respond(units, unit, pattern)[0]
        after = respond(units, unit, pattern + torch.tensor(0.3 * noise, dtype=torch.float32))[0]
        assert (after < 0.8 * before) == suppressed


@pytest.mark.parametrize("kind", TUNED)
def test_response_grows_with_contrast_up_to_the_contrast_of_meis(units, kind):
    """Fails if a unit saturates or is driven down at high contrast."""
    unit = unit_of(units, kind)
    pattern = optimum(units, unit)[0]
    images = torch.cat([at_contrast(pattern, c) for c in np.linspace(0.005, 0.08, 16)])
    assert (np.diff(respond(units, unit, images)) > 0).all()


def test_table_gives_position_orientation_and_frequency_of_the_optimum(units):
    """Fails if x, y, orientation or frequency of the table are not those of the pattern."""
    x, y = stimuli.pixel_grid(SHAPE, degrees_per_pixel=DPP)
    for kind in TUNED:
        unit = unit_of(units, kind)
        row = units.table.loc[unit]
        energy = (optimum(units, unit) ** 2).sum(0)
        energy = energy / energy.sum()
        assert np.hypot((x * energy).sum() - row.x, (y * energy).sum() - row.y) < 3.5, kind
        if np.isfinite(row.orientation):
            angles, steps = np.arange(0, 180, 3.0), np.geomspace(0.5, 2, 41)
            for name, values in (
                ("orientation", row.orientation + angles),
                ("spatial_frequency", row.spatial_frequency * steps),
            ):
                place = dict(orientation=row.orientation, spatial_frequency=row.spatial_frequency) | {
                    name: values
                }
                waves = [stimuli.grating(SHAPE, degrees_per_pixel=DPP, phase=p, **place) for p in (0.0, 0.25)]
                power = sum((w * optimum(units, unit)[0]).sum((1, 2)) ** 2 for w in waves)
                if name == "orientation":
                    assert angles[power.argmax()] in (0, 3, 177), kind
                else:
                    assert 0.8 < steps[power.argmax()] < 1.25, kind
        else:
            assert kind in ("spot", "corner", "two_subunit")


def test_truth_correlation_of_known_images(units):
    """Fails if phase invariance, sign or the mean of the image are treated wrongly."""
    rng = np.random.default_rng(3)
    for kind in TUNED:
        unit = unit_of(units, kind)
        span = optimum(units, unit)
        assert len(span) == (2 if kind.startswith("complex") else 1)
        np.testing.assert_allclose(span.mean((1, 2)), 0, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(span, axis=(1, 2)), 1)
        correlate = [
            units.truth_correlation(image, unit, degrees_per_pixel=DPP)
            for image in (0.7 + 3 * span[0], 0.3 - span[0], rng.normal(size=SHAPE))
        ]
        assert correlate[0] == pytest.approx(1, abs=1e-6)
        assert correlate[1] == pytest.approx(1 if len(span) == 2 else -1, abs=1e-6)
        assert abs(correlate[2]) < 0.1
    assert np.isnan(
        units.truth_correlation(rng.normal(size=SHAPE), unit_of(units, "untuned"), degrees_per_pixel=DPP)
    )


def test_optimal_image_has_the_contrast_inside_the_range(units):
    """Fails if clipping loses contrast, or a worse phase is returned than the first."""
    for kind in TUNED:
        unit = unit_of(units, kind)
        image = units.optimal_image(unit, SHAPE, Target(mean=MEAN, contrast=CONTRAST))
        assert image.min() >= 0 and image.max() <= 1
        assert image.mean() == pytest.approx(MEAN, abs=1e-4)
        assert image.std() == pytest.approx(CONTRAST, rel=1e-3)
        assert units.truth_correlation(image, unit, degrees_per_pixel=DPP) > 0.9
    with pytest.raises(ValueError, match="untuned"):
        units.optimal_image(unit_of(units, "untuned"), SHAPE, Target(mean=MEAN, contrast=CONTRAST))


def test_gradient_is_finite_at_grey(units):
    """Fails if a root or a quotient has no derivative where all filters are silent."""
    grey = torch.full((1, 1, *SHAPE), 0.5, requires_grad=True)
    units(grey).sum().backward()
    assert torch.isfinite(grey.grad).all()


def test_subset_keeps_order_and_values(units):
    """Fails if subset permutes units."""
    images = torch.rand(4, 1, *SHAPE, generator=torch.Generator().manual_seed(1))
    chosen = units.table.index[[5, 0, 9]]
    with torch.no_grad():
        torch.testing.assert_close(units.subset(chosen)(images), units(images)[:, [5, 0, 9]])


def test_file_keeps_everything(units, tmp_path):
    """Fails if a column, its type, the order of units or the screen height is lost."""
    units.save(tmp_path / "truth.h5")
    loaded = simulated_neurons.TrueUnits.load(tmp_path / "truth.h5")
    assert loaded.table.equals(units.table) and loaded.scene_height == units.scene_height
    assert [p.name for p in tmp_path.iterdir()] == ["truth.h5"]


def test_make_units_is_seeded_and_shares_out_kinds():
    """Fails if the seed is ignored or small populations lose a kind."""
    assert simulated_neurons.make_units(20, seed=4).equals(simulated_neurons.make_units(20, seed=4))
    assert not simulated_neurons.make_units(20, seed=4).equals(simulated_neurons.make_units(20, seed=5))
    assert simulated_neurons.kind_counts(48) == simulated_neurons.KINDS
    for total in (9, 16, 17, 100):
        counts = simulated_neurons.kind_counts(total)
        assert sum(counts.values()) == total and min(counts.values()) >= 1
    with pytest.raises(ValueError, match="at least 9"):
        simulated_neurons.make_units(8, seed=0)
    with pytest.raises(ValueError, match="'cone'"):
        simulated_neurons.make_units({"cone": 1}, seed=0)
