"""Tests of lib.mei.search on tiny analytic modules; each says which fault it would catch."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.mei import calibration, diverse, halves, localise, search, verdict
from lib.mei import mask as mei
from lib.mei.ascent import AscentSettings
from lib.mei.calibration import VERDICTS
from lib.models import ensemble
from lib.original import mei as original_mei
from lib.stimuli import metrics
from lib.stimuli.contrast import Target
from lib.stimuli.patterns import gabor

SHAPE = (30, 40)
DPP = 94.8 / 60
LIMITS = Target(mean=0.45, contrast=0.06)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Bit-for-bit repeats need a fixed number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Filters(torch.nn.Module):
    """Responses from linear filters (units, h, w) by a point-wise function."""

    def __init__(self, filters, output=torch.nn.functional.softplus):
        super().__init__()
        filters = np.asarray(filters) - np.mean(filters, axis=(1, 2), keepdims=True)
        self.filters = torch.nn.Parameter(torch.tensor(filters, dtype=torch.float32))
        self.output = output
        self.eval()

    def forward(self, images):
        return self.output(torch.einsum("nchw,uhw->nu", images, self.filters))


class Energy(Filters):
    """Sum of squares of pairs of filters: indifferent to phase."""

    def forward(self, images):
        drive = torch.einsum("nchw,uhw->nu", images, self.filters)
        return drive[:, ::2] ** 2 + drive[:, 1::2] ** 2


def patch(orientation=30, *, phase=0.0, x=6.0, y=-4.0, sigma=6.0, spatial_frequency=0.07):
    return gabor(
        SHAPE,
        degrees_per_pixel=DPP,
        x=x,
        y=y,
        orientation=orientation,
        phase=phase,
        sigma=sigma,
        spatial_frequency=spatial_frequency,
    )


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


# ---- the most exciting input --------------------------------------------------------------------


def test_linear_unit_gets_its_own_filter():
    """Fault: the preconditioner or the blur biases the optimum; units mixed up in the batch."""
    filters = [patch(0), patch(60), patch(120)]
    result = search.most_exciting_input(Filters(filters), SHAPE, LIMITS, starts=("noise", "grey"))
    for images, filter_ in zip(result.images, filters, strict=True):
        assert correlation(images[0], filter_) > 0.999
        assert correlation(images[1], filter_) > 0.999


def test_nothing_finer_than_the_highest_frequency():
    """Fault: the limit in the wrong unit, on one axis, or not on starts, diverse or inhibiting ones."""
    low = Target(mean=0.45, contrast=0.03)  # so that nothing is clipped
    limit, fine, coarse = 0.16, patch(30, spatial_frequency=0.15), patch(30)
    model = Filters([coarse + fine])  # 0.15 cycles/degree are 0.24 a pixel, 0.07 are 0.11
    found = search.most_exciting_input(
        model, SHAPE, low, starts=("noise", "black", -fine), settings=AscentSettings(highest_frequency=limit)
    )
    least = search.most_inhibiting_input(model, SHAPE, low, settings=AscentSettings(highest_frequency=limit))
    others = diverse.diverse_exciting_inputs(model, found, number=2)[0]
    above = np.hypot(np.fft.fftfreq(SHAPE[0])[:, None], np.fft.rfftfreq(SHAPE[1])) > limit
    for images in (found.path, found.images, least.images, others):
        power = np.abs(np.fft.rfft2(images)) ** 2
        power[..., 0, 0] = 0
        assert power[..., above].sum() < 1e-3 * power.sum()
    kept = np.fft.irfft2(np.where(above, 0, np.fft.rfft2(coarse + fine)), s=SHAPE)
    assert correlation(found.best_images[0], kept) > 0.999


def test_localising_takes_the_noise_off_and_leaves_the_pattern():
    """Fault: frequency shifted against its envelope, contrast not restored, responses kept.

    The model's filters are the true ones with errors over all frequencies and the whole image.
    """
    rng = np.random.default_rng(0)
    two = patch(0, x=-14, sigma=4, spatial_frequency=0.1) + patch(90, x=14, sigma=4, spatial_frequency=0.1)
    true = np.stack([patch(30, sigma=4, spatial_frequency=0.1), two])
    model = Filters(true + 0.1 * rng.normal(size=true.shape), torch.nn.Identity())
    found = search.most_exciting_input(model, SHAPE, Target(mean=0.45, contrast=0.03), starts=("grey",))
    local = localise.localise(model, found)
    for before, after, filter_ in zip(found.best_images, local.best_images, true, strict=True):
        assert correlation(after, filter_) > max(0.93, correlation(before, filter_) + 0.05)
    assert local.images.std((-2, -1), dtype=float) == pytest.approx(0.03, abs=1e-5)
    assert local.responses[0] == pytest.approx(
        ensemble.predicted_responses(model, local.images[0])[:, 0], rel=1e-5
    )
    assert (local.responses < found.responses).all()
    assert localise.localise(model, found, power=0).images == pytest.approx(found.images, abs=1e-5)


def test_localising_leaves_a_clean_gabor():
    """Fault: an envelope so narrow that it changes the size of what is there."""
    true = patch(30, sigma=5, spatial_frequency=0.08)
    model = Filters([true], torch.nn.Identity())
    found = search.most_exciting_input(model, SHAPE, Target(mean=0.45, contrast=0.03), starts=("grey",))
    assert correlation(localise.localise(model, found).best_images[0], true) > 0.96


def test_clipped_filter_where_the_range_is_short():
    """Fault: projection ends in range without the contrast, or with it out of range.

    The optimum of a linear unit inside a box is the clipped, scaled filter.
    """
    spot = patch(0, sigma=2.5, spatial_frequency=0.0)
    result = search.most_exciting_input(
        Filters([spot]), SHAPE, Target(mean=0.3, contrast=0.13), starts=("noise",)
    )
    image = result.images[0, 0]
    assert image.max() == 1 and image.min() >= 0
    assert image.std(dtype=float) == pytest.approx(0.13, abs=2e-5)
    free = (image < 1) & (image > 0)
    assert correlation(image[free], spot[free]) > 0.98


def test_every_image_has_mean_contrast_and_range():
    """Fault: constraint kept on average or at the end only, not per image and step."""
    result = search.most_exciting_input(
        Energy([patch(), patch(phase=0.25)]), SHAPE, LIMITS, starts=("noise", "black", "white")
    )
    for images in (result.images, result.path):
        assert np.abs(images.mean((-2, -1), dtype=float) - 0.45).max() < 2e-5
        assert np.abs(images.std((-2, -1), dtype=float) - 0.06).max() < 2e-5
        assert images.min() >= 0 and images.max() <= 1
    assert np.abs(result.contrast_trace - 0.06).max() < 2e-5


def test_energy_unit_reaches_its_largest_eigenvalue():
    """Fault: the ascent stalls in one phase, or squares away the sign."""
    pair = np.stack([patch(phase=0), patch(phase=0.25)])
    model = Energy(pair)
    result = search.most_exciting_input(model, SHAPE, LIMITS, starts=("noise",) * 2 + ("grey",))
    centred = model.filters.detach().numpy().reshape(2, -1).astype(float)
    largest = np.linalg.svd(centred, compute_uv=False)[0] ** 2 * 0.06**2 * centred.shape[1]
    assert result.responses == pytest.approx(largest, rel=5e-3)


def test_trace_is_the_response_and_never_falls():
    """Fault: a penalised value in the trace; the last iterate returned instead of the best."""
    model = Filters([patch(), patch(90)])
    result = search.most_exciting_input(model, SHAPE, LIMITS, starts=("noise", "grey"), units=[1])
    assert (np.diff(result.response_trace, axis=0) >= 0).all()
    with torch.no_grad():
        start, end = (model(torch.tensor(result.path[k, 0])[:, None])[:, 1] for k in (0, -1))
    assert result.response_trace[0, 0] == pytest.approx(start.numpy(), rel=1e-5)
    assert result.response_trace[-1, 0] == pytest.approx(end.numpy(), rel=1e-5)
    assert result.responses[0] == pytest.approx(end.numpy(), rel=1e-5)
    assert result.path_steps[0] == 0 and result.path_steps[-1] == len(result.response_trace) - 1


def test_same_seed_same_image_bit_for_bit():
    """Fault: noise from the global generator, or an order that depends on memory."""
    model = Energy([patch(), patch(phase=0.25), patch(90), patch(90, phase=0.25)])
    first = search.most_exciting_input(model, SHAPE, LIMITS, seed=3, settings=AscentSettings(steps=20))
    torch.manual_seed(99)
    again = search.most_exciting_input(model, SHAPE, LIMITS, seed=3, settings=AscentSettings(steps=20))
    other = search.most_exciting_input(model, SHAPE, LIMITS, seed=4, settings=AscentSettings(steps=20))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images[:, 0], other.images[:, 0])


class Network(torch.nn.Module):
    """Two layers whose sums are taken in a given order of channels; the function is the same."""

    def __init__(self, order):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        first = torch.randn(16, 1, 7, 7, generator=generator)
        self.first = (first - first.mean((2, 3), keepdim=True))[order]
        self.second = (torch.randn(3, 16, generator=generator) / 4)[:, order]
        self.eval()

    def forward(self, images):
        maps = torch.nn.functional.elu(torch.nn.functional.conv2d(images, self.first))
        return torch.nn.functional.softplus(maps.square().mean((2, 3)) @ self.second.T)


def test_threads_and_rounding_do_not_change_the_image():
    """Fault: a step taken or not by the last bit sends the image elsewhere.

    Threads change the order of sums; the reversed order of channels does so for certain.
    """
    options = dict(seed=3, settings=AscentSettings(steps=60), starts=("noise", "grey"))
    order = torch.arange(16)
    one = search.most_exciting_input(Network(order), SHAPE, LIMITS, **options).images
    torch.set_num_threads(2)
    two = search.most_exciting_input(Network(order), SHAPE, LIMITS, **options).images
    again = search.most_exciting_input(Network(order), SHAPE, LIMITS, **options).images
    torch.set_num_threads(1)
    reversed_ = search.most_exciting_input(Network(order.flip(0)), SHAPE, LIMITS, **options).images
    assert np.array_equal(two, again)
    assert np.abs(two - one).max() < 1e-3
    assert 0 < np.abs(reversed_ - one).max() < 1e-3


def test_members_side_by_side_are_each_climbed_alone():
    """Fault: members exchanged, or their mean climbed, when all go in one batch."""
    pair = [Filters([patch(0)]), Filters([patch(90)])]
    together = search.most_exciting_input(ensemble.SideBySide(pair).eval(), SHAPE, LIMITS, starts=("noise",))
    for image, member in zip(together.images[:, 0], pair, strict=True):
        alone = search.most_exciting_input(member, SHAPE, LIMITS, starts=("noise",)).images[0, 0]
        assert np.abs(image - alone).max() < 1e-4


def test_a_unit_alone_gets_the_image_it_gets_in_company():
    """Fault: one unit's gradient leaks into another's image of the batch."""
    model = Filters([patch(), patch(90, x=-10)])
    together = search.most_exciting_input(model, SHAPE, LIMITS)
    alone = search.most_exciting_input(model, SHAPE, LIMITS, units=[1])
    assert np.abs(together.images[1] - alone.images[0]).max() < 1e-4


def test_ensemble_climbs_the_mean_of_its_members():
    """Fault: only one member climbed, or the sum reported."""
    a, b = patch(0), patch(90)
    pair = [Filters([a], torch.nn.Identity()), Filters([b], torch.nn.Identity())]
    result = search.most_exciting_input(pair, SHAPE, LIMITS, starts=("noise",))
    assert correlation(result.images[0, 0], a + b) > 0.999
    members = [ensemble.predicted_responses(m, result.images[0])[0, 0] for m in pair]
    assert result.responses[0, 0] == pytest.approx(np.mean(members), rel=1e-5)


def test_best_natural_image_and_given_images_start_the_run():
    """Fault: the natural start chosen before its contrast is set, or for another unit."""
    images = np.random.default_rng(0).random((6, *SHAPE)).astype(np.float32)
    images[4] = 0.5 + 0.02 * patch(90)
    model = Filters([patch(0), patch(90)])
    given = np.stack([patch(45), patch(135)])
    result = search.most_exciting_input(
        model, SHAPE, LIMITS, starts=("natural", given), images=images, settings=AscentSettings(steps=1)
    )
    assert correlation(result.path[0, 1, 0], images[4]) > 0.999
    assert correlation(result.path[0, 0, 1], given[0]) > 0.999
    assert result.starts == ("natural", "given")


def test_rectified_unit_is_found_from_its_silent_side():
    """Fault: a start that drives a rectified unit the wrong way has no gradient and stays put."""
    model = Filters([patch()], torch.relu)
    result = search.most_exciting_input(model, SHAPE, LIMITS, starts=(-patch(),))
    assert correlation(result.images[0, 0], patch()) > 0.999


def test_rectified_unit_is_found_from_smooth_noise():
    """Fault: a unit silent at a start and at its reverse stops the run of all units."""

    class Both(Filters):
        """Responds only when both its filters are driven."""

        def forward(self, images):
            drive = torch.einsum("nchw,uhw->nu", images, self.filters).relu()
            return drive[:, :1] * drive[:, 1:]

    pair = [patch(0, x=-8), patch(90, x=8)]
    result = search.most_exciting_input(Both(pair), SHAPE, LIMITS, starts=(patch(0, x=-8),))
    assert result.responses[0, 0] > 0
    assert correlation(result.images[0, 0], pair[0] + pair[1]) > 0.98


def test_isotropic_unit_gets_a_round_image_and_published_does_not():
    """Fault: frequencies that are not isotropic (arange: index .33 at 45 degrees)."""
    unit = original_mei.IsotropicUnit((60, 77)).eval()
    start = np.random.default_rng(0).random((60, 77))
    ours = search.most_exciting_input(unit, (60, 77), Target(mean=0.45, contrast=0.05)).images[0]
    theirs = original_mei.published_mei(unit, start, steps=200).image
    index = [metrics.symmetry_index(i, 1, degrees_per_pixel=DPP) for i in (*ours, theirs)]
    assert max(index[:-1]) < 0.01
    assert index[-1] == pytest.approx(0.33, abs=0.04)
    power, angle = metrics.orientation_power(theirs, degrees_per_pixel=DPP)
    diagonal = np.rad2deg(np.angle((power * np.exp(2j * angle)).sum())) / 2
    assert diagonal % 90 == pytest.approx(45, abs=6)


def test_most_inhibiting_input_is_the_reversed_filter():
    """Fault: the sign applied to the gradient but not to the choice of the best start."""
    model = Filters([patch()])
    result = search.most_inhibiting_input(model, SHAPE, LIMITS, starts=("noise", "grey"))
    assert correlation(result.best_images[0], -patch()) > 0.99
    assert result.best_responses[0] == result.responses[0].min()
    assert (np.diff(result.response_trace, axis=0) <= 0).all()


# ---- checks before the run ----------------------------------------------------------------------


class Broken(torch.nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.function = forward
        self.eval()

    def forward(self, images):
        return self.function(images)


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x: x.mean((1, 2, 3)), r"gives \(2,\) for 2 images"),
        (lambda x: x.mean((2, 3)) * torch.nan, "non-finite"),
        (lambda x: x.detach().mean((2, 3)), "no gradient"),
        (lambda x: x.mean((2, 3)).detach() + torch.zeros(1, 1, requires_grad=True), "no gradient"),
        (lambda x: x.mean((2, 3)) * 0, r"zero gradient at every start for units \[0\]"),
        (lambda x: x @ torch.ones(3, 3), r"fails on images of shape \(2, 1, 30, 40\)"),
    ],
)
def test_unusable_models_are_named_before_the_run(function, message):
    """Fault: a shape error, NaN or a flat image after minutes of computing."""
    with pytest.raises(ValueError, match=message) as error:
        search.most_exciting_input(Broken(function), SHAPE, LIMITS)
    assert "\n" not in str(error.value)


def test_training_mode_is_refused():
    """Fault: batch statistics and dropout change with the images in the batch."""
    with pytest.raises(ValueError, match=r"training mode.*model\.eval\(\)"):
        search.most_exciting_input([Filters([patch()]), Filters([patch()]).train()], SHAPE, LIMITS)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(mean=1.2), "mean is 1.2"),
        (dict(contrast=0.6), r"contrast is 0.6, expected above 0 and at most 0.4975"),
        (dict(contrast=0.0), "contrast is 0"),
        (dict(units=[1]), r"units \[1\] not all in 0..0"),
        (dict(starts=("natural",)), "pass images"),
        (dict(starts=("nosie",)), "start 'nosie' is unknown"),
        (dict(starts=(np.zeros((3, 4)),)), r"shape \(3, 4\), expected \(30, 40\)"),
        (dict(starts=(np.eye(30, 40) > 2,)), "cannot have mean 0.45"),
    ],
)
def test_unusable_arguments_are_named_before_the_run(change, message):
    """Fault: an impossible contrast ends in a loop or in an image without it."""
    with pytest.raises(ValueError, match=message):
        level = {name: change.pop(name) for name in ("mean", "contrast") if name in change}
        search.most_exciting_input(Filters([patch()]), SHAPE, replace(LIMITS, **level), **change)


# ---- published ----------------------------------------------------------------------------------


def test_published_penalty_does_nothing():
    """Fault in the claim: penalties 0 to 20 towards contrast .2656 leave the image as it is."""
    model, start = Filters([patch()]), np.random.default_rng(0).random(SHAPE)
    images = [original_mei.published_mei(model, start, steps=150, penalty=p).image for p in (0, 2, 20)]
    assert correlation(images[0], images[1]) > 0.9999
    assert correlation(images[0], images[2]) > 0.999
    assert abs(images[2].std() - images[0].std()) < 0.01 < abs(images[2].std() - 0.2656)


def test_published_records_the_penalised_value():
    """Fault: the variant quietly corrected; first entries known by hand."""
    model, start = Filters([patch()]), np.random.default_rng(0).random(SHAPE).astype(np.float32)
    result = original_mei.published_mei(model, start, steps=3)
    response = ensemble.predicted_responses(model, start[None])[0, 0]
    spread = start.std(ddof=1, dtype=float)
    assert result.contrast_trace[0] == pytest.approx(spread, rel=1e-5)
    assert result.response_trace[0] == pytest.approx(response, rel=1e-5)
    assert result.penalised_trace[0] == pytest.approx(response - 2 * abs(0.2656 - spread), rel=1e-4)
    assert result.image.min() == 0 and result.image.max() == 1
    assert result.response == ensemble.predicted_responses(model, result.image[None])[0, 0]


# ---- mask ---------------------------------------------------------------------------------------


def test_mask_keeps_the_rise_and_little_else():
    """Fault: mask of the whole image; mask elsewhere; contrast lost under the mask; rise below 95 %."""
    model = Filters([patch(sigma=4)], torch.nn.Identity())
    image = search.most_exciting_input(model, SHAPE, LIMITS, starts=("grey",)).best_images[0]
    result = mei.mei_mask(model, image, LIMITS)
    assert result.kept >= 0.95 and result.parts == 1
    assert result.mask.mean() < 0.25
    assert result.masked_image.std() == pytest.approx(LIMITS.contrast, rel=1e-4)
    row, column = (np.average(i, weights=result.mask) for i in np.indices(SHAPE))
    assert row == pytest.approx(14.5 + 4 / DPP, abs=0.7)
    assert column == pytest.approx(19.5 + 6 / DPP, abs=0.7)


def test_mask_has_a_part_for_each_of_two_distant_fields():
    """Fault: only the largest component kept, whatever it costs the response; one hull over both."""
    both = patch(0, x=-18, y=0, sigma=4) + 0.8 * patch(90, x=18, y=0, sigma=4)
    model = Filters([both], torch.nn.Identity())
    image = search.most_exciting_input(model, SHAPE, LIMITS, starts=("grey",)).best_images[0]
    result = mei.mei_mask(model, image, LIMITS)
    left, right = (result.mask[15, round(19.5 + x / DPP)] for x in (-18, 18))
    assert result.parts == 2 and left == right == 1 and result.mask[15, 19] < 0.5


def test_a_mask_holds_the_contrast_of_the_image():
    """Fault: a mask so small that its image cannot have the contrast, though it is enough for the unit."""
    field = patch(sigma=3)
    unit = Filters([field], lambda drive: torch.sigmoid(20 * drive))
    image = 0.45 + 0.4 * field + 0.03 * np.random.default_rng(0).normal(size=SHAPE)
    result = mei.mei_mask(unit, image, Target(mean=0.45, contrast=0.2), edge=0.3)
    assert result.masked_image.std() == pytest.approx(0.2, rel=0.01)


def test_a_unit_that_fires_to_grey_has_no_mask_of_a_few_pixels():
    """Fault: a part of the response itself is kept, which grey alone draws, so that the mask shrinks."""
    unit = Filters([patch(sigma=4)], lambda drive: 100 + drive)
    image = search.most_exciting_input(unit, SHAPE, LIMITS, starts=("grey",)).best_images[0]
    assert mei.mei_mask(unit, image, LIMITS).kept >= 0.95
    assert mei.mei_mask(unit, 2 * LIMITS.mean - image, LIMITS).mask.min() == 1  # falls below grey


def test_mask_leaves_specks_out_and_joins_what_is_near():
    """Fault: a far pixel above threshold widens the mask; two flanks of one field are two parts."""
    local = np.zeros((40, 40))
    local[10:16, 10:16] = local[10:16, 18:20] = 1
    local[30, 35] = 1
    mask, parts = mei._region(local, 0.5, 1.0)
    assert parts == 1 and mask[12, 17] == 1
    assert (mask[local > 0][:-1] == 1).all() and mask[30, 35] < 1e-6 and mask[20, 22] < 1e-6


def test_hull_is_convex():
    """Fault: rows and columns exchanged, or a pixel's half left out."""
    region = np.zeros((9, 12), bool)
    region[2, 3] = region[2, 8] = region[6, 3] = True
    hull = mei._convex_hull(region)
    assert hull[region].all() and hull[3, 4] and hull[2, 3:9].all()
    assert not hull[6, 8] and not hull[1].any() and not hull[:, 9:].any()


def test_flat_image_has_no_mask():
    with pytest.raises(ValueError, match="flat"):
        mei.mei_mask(Filters([patch()]), np.full(SHAPE, 0.5), LIMITS)


# ---- diversity ----------------------------------------------------------------------------------


def test_diverse_images_of_a_complex_unit_run_through_phase():
    """Fault: the set repeats the MEI, or leaves what drives the unit."""
    model = Energy([patch(), patch(phase=0.25)])
    found = search.most_exciting_input(model, SHAPE, LIMITS, starts=("grey",))
    images, responses, largest = diverse.diverse_exciting_inputs(model, found, number=4)
    assert images.shape == (1, 4, *SHAPE) and np.array_equal(images[:, 0], found.best_images)
    assert (responses > 0.83 * found.best_responses).all()
    assert correlation(images[0, 0], images[0, 1]) < -0.8
    assert np.abs(largest[0, 2:]).max() < 0.1


def test_diverse_images_of_a_linear_unit_stay_alike():
    """Fault: diversity without the response: a linear unit at 85 % allows correlation .85."""
    model = Filters([patch()], torch.nn.Identity())
    found = search.most_exciting_input(model, SHAPE, LIMITS, starts=("grey",))
    _, responses, largest = diverse.diverse_exciting_inputs(model, found, number=2)
    assert responses[0, 1] == pytest.approx(0.85 * responses[0, 0], rel=0.03)
    assert largest[0, 1] == pytest.approx(0.85, abs=0.02)


# ---- can it be believed -------------------------------------------------------------------------


def test_agreement_sees_phase_only_in_the_image():
    """Fault: the phase-invariant figure falls with phase, or stays up with position."""
    in_quadrature = 0.45 + 0.1 * np.stack([patch(), patch(phase=0.25)])
    elsewhere = 0.45 + 0.1 * np.stack([patch(), patch(x=-14, y=6, orientation=120)])
    phases = verdict.agreement(in_quadrature, [4.0, 5.0], degrees_per_pixel=DPP)
    places = verdict.agreement(elsewhere, [5.0, 5.0], degrees_per_pixel=DPP)
    assert abs(phases["image_correlation"]) < 0.1 and phases["energy_correlation"] > 0.85
    assert places["energy_correlation"] < 0.3
    assert phases["response_ratio"] == pytest.approx(0.8)


def test_one_stalled_start_does_not_unmake_what_the_others_found():
    """Fault: the worst start judges the best one; phases count; the best is compared with itself."""
    again = [patch(phase=p) for p in (0, 0.25, 0.5)]
    stalled = verdict.agreement(
        [*again, np.roll(patch(), 15, 1)], [4.9, 5.0, 4.95, 1.0], best=1, degrees_per_pixel=DPP
    )
    assert stalled["energy_correlation"] > 0.9 and stalled["response_ratio"] == pytest.approx(0.98)
    alone = verdict.agreement(
        [patch(), *[np.roll(patch(), s, 1) for s in (15, -15)], patch()],
        [5.0, 1.0, 1.0, 5.0],
        best=0,
        degrees_per_pixel=DPP,
    )
    assert alone["energy_correlation"] < 0.5 and alone["response_ratio"] == pytest.approx(0.2)


def test_agreement_needs_two_images():
    with pytest.raises(ValueError, match="at least 2"):
        verdict.agreement(np.zeros((1, *SHAPE)), [1.0], degrees_per_pixel=DPP)


def test_transfer_to_a_model_that_agrees_and_to_one_that_does_not():
    """Fault: makers and judges exchanged; judged without taking grey off; rank from 0."""
    own, other = Filters([patch()], torch.exp), Filters([patch(120)], torch.exp)
    image = search.most_exciting_input(own, SHAPE, LIMITS, starts=("grey",)).best_images
    natural = np.random.default_rng(0).random((20, *SHAPE)).astype(np.float32)
    natural[3] = 0.5 + 0.1 * patch(120)
    options = dict(units=[0], natural_images=natural)
    good = verdict.transfer(own, own, image, LIMITS, **options).iloc[0]
    bad = verdict.transfer(own, other, image, LIMITS, **options).iloc[0]
    assert good.transfer == pytest.approx(1) and good.natural_rank == 1
    assert good.natural_fraction_below == 1 and good.grey_response == pytest.approx(1, abs=1e-3)
    assert bad.transfer < 0.1 and bad.natural_rank > 1
    assert bad.maker_response == pytest.approx(good.response)


def test_evidence_lacks_what_was_not_measured():
    """Fault: grey not taken off the rise, noise counted as signal, a missing score taken for one."""
    row = pd.Series({"response": 5.0, "grey_response": 1.0})
    counts = np.array([[0.0, 4.0], [2.0, 6.0]])  # means of 1 and 5
    scores = {"correlation_low": None, "cc_norm": 0.4, "cc_max": 0.5, "top_lift": 0.6}
    found = verdict.evidence(row, prediction=scores, counts=counts)
    assert np.isnan(found["prediction_low"]) and (found["cc_norm"], found["top_lift"]) == (0.4, 0.6)
    assert found["rise_over_signal"] == pytest.approx(4 / (0.5 * 2))
    more = verdict.evidence(row, prediction=scores, counts=counts, halves=pd.Series({"heard_by_halves": 0.7}))
    assert more["heard_by_halves"] == 0.7 and more["cc_norm"] == 0.4
    assert set(calibration.load(calibration.FEW).figures) <= set(found)  # or no page could be made
    assert set(calibration.load().figures) <= {*found, *halves.FIGURES}


def test_a_verdict_lists_the_figures_it_rests_on():
    """Fault: a bad figure that passes, one not measured that counts for the MEI; a word of another list."""
    best = {name: f.high if f.weight > 0 else f.low for name, f in calibration.load().figures.items()}
    good = verdict.judge(best, {"map_distance": np.nan, "grating_turn": np.nan})
    assert good["verdict"] in VERDICTS and good["verdict_probability"] > 0.5
    assert good["verdict_probability_low"] < good["verdict_probability"] < good["verdict_probability_high"]
    assert all(check["passed"] and check["contribution"] > 0 for check in good["verdict_checks"])
    assert {check["figure"] for check in good["verdict_checks"]} == set(
        best
    )  # nothing recorded, nothing said
    few = calibration.load(calibration.FEW).figures
    missing = verdict.judge(dict.fromkeys([*best, *few], np.nan), {})
    assert missing["verdict"] == VERDICTS[-1] and missing["verdict_probability"] < 0.2
    assert not any(check["passed"] or check["contribution"] > 0 for check in missing["verdict_checks"])
