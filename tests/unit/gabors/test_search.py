"""Tests of lib.gabors.search; each says which fault it would catch."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.errors import InputError
from lib.gabors import compare, parameters
from lib.gabors import fit as gabor_fit
from lib.gabors import grid as gabor_grids
from lib.gabors import search as gabor_search
from lib.models import ensemble
from lib.stages import Stage
from lib.stimuli import contrast
from lib.stimuli import patterns as stimuli
from lib.stimuli.contrast import Target

SHAPE = (30, 38)
DPP = 94.8 / 30
GEOMETRY = dict(degrees_per_pixel=DPP)
LEVEL = Target(mean=0.45, contrast=0.05)


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    """1,440 Gabors where a test asks for the coarse grid, on one thread."""
    monkeypatch.setitem(gabor_grids.GRIDS, "coarse", (20, 6, 3, 4, (0.4,)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Units(torch.nn.Module):
    """Linear, rectified or energy units with given filters (U, k, h, w); k = 2: energy."""

    def __init__(self, filters):
        super().__init__()
        self.filters = torch.tensor(np.asarray(filters), dtype=torch.float32)
        self.dropout = torch.nn.Dropout(0.5)  # seen only by who forgets eval()

    def forward(self, images):
        drive = torch.einsum("nhw,ukhw->nuk", images[:, 0] - 0.45, self.filters)
        drive = drive[..., 0].relu() if drive.shape[2] == 1 else drive.square().sum(2).sqrt()
        return self.dropout(0.2 + drive)


def truth(n, seed=0):
    """Parameters (dict of (n,) arrays) of Gabor filters within the range of V1."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.03, 0.07, n)
    return dict(
        x=rng.uniform(-25, 25, n),
        y=rng.uniform(-18, 18, n),
        orientation=rng.uniform(0, 180, n),
        spatial_frequency=frequency,
        phase=rng.uniform(0, 1, n),
        sigma=0.4 / frequency,
    )


def errors(found, true):
    """Orientation (degrees), frequency (octaves) and position (degrees) errors."""
    return (
        np.abs((found["orientation"] - true["orientation"] + 90) % 180 - 90),
        np.abs(np.log2(found["spatial_frequency"] / true["spatial_frequency"])),
        np.hypot(found["x"] - true["x"], found["y"] - true["y"]),
    )


# ---- grid and rendering -------------------------------------------------------------------------


def test_full_grid_has_every_combination():
    """Fault: fewer Gabors than promised, or a parameter that does not vary."""
    grid = gabor_grids.gabor_grid((60, 77), degrees_per_pixel=1.58)
    assert len(grid) >= 72_800 and not grid.duplicated().any()
    assert (grid.drop(columns="aspect").nunique() > 2).all()
    assert grid.x.abs().max() < 77 * 1.58 / 2 and grid.y.abs().max() < 60 * 1.58 / 2


@pytest.mark.parametrize("radius", [6, 15, 25])
def test_grid_fills_the_mask_and_does_not_leave_it(radius):
    """Fault: Gabors where the mask shows nothing, or fewer of them in a small mask."""
    mask = stimuli.circular_mask(SHAPE, x=15, y=-10, radius=radius, **GEOMETRY)
    grid = gabor_grids.gabor_grid(SHAPE, grid="full", mask=mask, **GEOMETRY)
    assert 72_800 <= len(grid) < 110_000
    assert np.hypot(grid.x - 15, grid.y + 10).max() < radius + 0.75 * DPP
    assert grid.x.mean() == pytest.approx(15, abs=1) and grid.y.mean() == pytest.approx(-10, abs=1)


def test_grid_is_in_degrees_whatever_the_pixels():
    """Fault: frequencies or sizes in pixels, which the refinement would mend in easy cases alone."""
    coarse, fine = (
        gabor_grids.gabor_grid((n, 38 * n // 30), degrees_per_pixel=94.8 / n, grid="quick") for n in (90, 180)
    )
    for name in ("orientation", "spatial_frequency", "phase", "sigma"):
        np.testing.assert_allclose(np.unique(coarse[name]), np.unique(fine[name]), err_msg=name)
    assert coarse.spatial_frequency.min() == pytest.approx(0.02) and coarse.spatial_frequency.max() <= 0.16
    assert np.ptp(coarse.y) == pytest.approx(np.ptp(fine.y), rel=0.1) and np.ptp(coarse.y) > 50


def test_grid_refuses_an_empty_mask_and_an_unknown_name():
    """Fault: an empty table, and a search that fails much later."""
    with pytest.raises(ValueError, match="no pixel of the mask"):
        gabor_grids.gabor_grid(SHAPE, mask=np.zeros(SHAPE), **GEOMETRY)
    with pytest.raises(ValueError, match="coarse"):
        gabor_grids.gabor_grid(SHAPE, grid="fine", **GEOMETRY)


def test_torch_renderer_draws_the_same_gabors():
    """Fault: the search optimises another Gabor than the one that is shown afterwards."""
    rng = np.random.default_rng(0)
    p = np.stack(
        [
            rng.uniform(-30, 30, 20),
            rng.uniform(-30, 30, 20),
            rng.uniform(-90, 360, 20),
            rng.uniform(0.02, 0.12, 20),
            rng.uniform(-1, 2, 20),
            rng.uniform(4, 15, 20),
            rng.uniform(0.5, 2, 20),
        ],
        axis=1,
    )
    theirs = stimuli.gabor(SHAPE, **dict(zip(parameters.PARAMETERS, p.T)), **GEOMETRY)
    ours = parameters.render_gabors(torch.tensor(p), SHAPE, **GEOMETRY)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-10)


@pytest.mark.parametrize("masked", [False, True])
def test_torch_rule_of_contrast_is_that_of_stimuli(masked):
    """Fault: grid compared at another contrast than promised (half of these images clip)."""
    rng = np.random.default_rng(1)
    patterns = stimuli.gabor(
        SHAPE,
        x=rng.uniform(-8, 8, 40),
        y=rng.uniform(-8, 8, 40),
        orientation=rng.uniform(0, 180, 40),
        phase=rng.uniform(0, 1, 40),
        spatial_frequency=0.05,
        sigma=rng.uniform(4, 9, 40),
        **GEOMETRY,
    )
    mask = stimuli.circular_mask(SHAPE, x=0, y=0, radius=25, edge=8, **GEOMETRY) if masked else None
    ours = contrast.at_mean_contrast(torch.tensor(patterns), LEVEL.within(mask))[:, 0].numpy()
    theirs = contrast.set_mean_contrast(patterns, LEVEL.within(mask))
    assert 0.2 < (theirs.max(axis=(1, 2)) == 1).mean() < 0.8
    np.testing.assert_allclose(ours, theirs, atol=0.01)
    np.testing.assert_allclose(ours.std(axis=(1, 2)), 0.05, rtol=2e-3)
    np.testing.assert_allclose(ours.mean(axis=(1, 2)), 0.45, atol=1e-3)


# ---- search -------------------------------------------------------------------------------------


def test_search_recovers_simple_units():
    """Fault: a wrong unit's response followed, a parameter not refined, steps uphill missing."""
    true = truth(6)
    model = Units(stimuli.gabor(SHAPE, **true, **GEOMETRY)[:, None])
    result = gabor_search.best_gabor(model, SHAPE, LEVEL, **GEOMETRY, grid="coarse")
    orientation, frequency, position = map(np.median, errors(result.parameters, true))
    assert orientation < 3 and frequency < 0.1 and position < 1
    assert (result.responses > result.grid_responses).all()
    np.testing.assert_allclose(result.images.std(axis=(1, 2)), 0.05, rtol=1e-4)
    np.testing.assert_allclose(result.images.mean(axis=(1, 2)), 0.45, atol=1e-5)
    assert result.n_grid == len(gabor_grids.gabor_grid(SHAPE, grid="coarse", **GEOMETRY))


def test_best_of_the_grid_move_between_its_points():
    """Fault: moves judged by another unit, a worse neighbour taken, bars that move with the window."""
    true = truth(6, seed=3)
    model = Units(stimuli.gabor(SHAPE, **true, **GEOMETRY)[:, None])
    found = gabor_grids.search_grid(model, SHAPE, LEVEL, **GEOMETRY, grid="coarse")
    moved = gabor_grids.zoom(model, found, SHAPE, LEVEL, **GEOMETRY, grid="coarse")
    before, after = (errors(parameters.canonical(f.parameters[:, 0]), true) for f in (found, moved))
    assert np.median(before[0]) > 5 and np.median(after[0]) < 4
    assert np.median(before[2]) > 3 and np.median(after[2]) < 3
    assert (moved.responses[:, 0] > found.responses[:, 0]).all() and (np.diff(moved.responses) <= 0).all()
    images = gabor_grids.images_of(SHAPE, LEVEL, **GEOMETRY)
    with torch.no_grad():
        again = model(images(torch.tensor(moved.parameters[:, 0])))
    np.testing.assert_allclose(moved.responses[:, 0], again.diagonal(), rtol=1e-5)
    assert found.n_grid == moved.n_grid and found.parameters.shape == moved.parameters.shape
    assert (np.abs(moved.parameters[..., 0]) <= SHAPE[1] * DPP / 2 + 1e-4).all()


def test_reported_response_is_that_of_the_returned_image():
    """Fault: response of the unclipped, unmasked or training-mode image reported."""
    true = truth(2, seed=4)
    pair = np.stack(
        [stimuli.gabor(SHAPE, **{**true, "phase": true["phase"] + p}, **GEOMETRY) for p in (0, 0.25)], axis=1
    )
    model = Units(pair).train()
    mask = stimuli.circular_mask(SHAPE, x=true["x"][0], y=true["y"][0], radius=25, edge=6, **GEOMETRY)
    result = gabor_search.best_gabor(
        model, SHAPE, LEVEL.within(mask), **GEOMETRY, grid="coarse", steps=9, refine_from=4
    )
    with torch.no_grad():
        again = model.eval()(torch.tensor(result.images)[:, None]).numpy()
    np.testing.assert_allclose(result.responses, np.diagonal(again), rtol=1e-5)
    np.testing.assert_allclose(result.images[:, mask == 0], 0.45, atol=1e-6)
    orientation, _, _ = errors(result.parameters, true)
    assert orientation[0] < 5
    redrawn = stimuli.gabor(SHAPE, **result.parameters.iloc[0], **GEOMETRY)
    shown = contrast.set_mean_contrast(redrawn, LEVEL.within(mask))
    np.testing.assert_allclose(result.images[0], shown, atol=1e-5)


def test_one_search_serves_every_unit_under_its_own_mask():
    """Fault: starts of another unit refined, or not ranked again under the mask."""
    true = truth(4, seed=6)
    model = Units(stimuli.gabor(SHAPE, **true, **GEOMETRY)[:, None])
    starts = gabor_grids.search_grid(model, SHAPE, LEVEL, **GEOMETRY, grid="coarse")
    assert starts.parameters.shape == (4, gabor_grids.KEPT, 7)
    assert (np.diff(starts.responses, axis=1) <= 0).all()
    unit = 2
    mask = stimuli.circular_mask(SHAPE, x=true["x"][unit], y=true["y"][unit], radius=25, edge=6, **GEOMETRY)
    one = gabor_grids.GridSearch(starts.parameters[[unit]], starts.responses[[unit]], starts.n_grid)
    alone = Units(stimuli.gabor(SHAPE, **true, **GEOMETRY)[[unit], None])
    shared, own = (
        gabor_search.best_gabor(
            alone, SHAPE, LEVEL.within(mask), **GEOMETRY, starts=s, grid="coarse", refine_from=6
        )
        for s in (one, None)
    )
    orientation, frequency, position = errors(shared.parameters, {k: v[unit] for k, v in true.items()})
    assert orientation[0] < 3 and frequency[0] < 0.1 and position[0] < DPP  # a pixel
    assert shared.responses[0] > 0.97 * own.responses[0]
    np.testing.assert_allclose(shared.images[0][mask == 0], 0.45, atol=1e-6)
    first = stimuli.gabor(SHAPE, **shared.grid_parameters.iloc[0], **GEOMETRY)
    shown = contrast.set_mean_contrast(first, LEVEL.within(mask))
    with torch.no_grad():
        again = float(alone.eval()(torch.tensor(shown)[None, None])[0, 0])
    assert shared.grid_responses[0] == pytest.approx(again, rel=0.02)


def test_starts_of_a_run_are_the_units_own(tmp_path):
    """Fault: another unit's row read; a run without the search, or another grid, goes unnoticed."""
    with pytest.raises(InputError, match="make report"):
        gabor_grids.load_starts(tmp_path, 0, grid="quick")
    found = np.arange(3 * 2 * 7.0).reshape(3, 2, 7)
    stage = Stage("gabor_grid", tmp_path, None, {}, 0.0)
    stage.save({"grid": "quick", "n_grid": 9}, {"parameters": found, "responses": found[..., 0]})
    starts = gabor_grids.load_starts(tmp_path, 1, grid="quick")
    np.testing.assert_array_equal(starts.parameters, found[1:2])
    np.testing.assert_array_equal(starts.responses, found[1:2, :, 0])
    assert starts.n_grid == 9
    assert gabor_grids.load_starts(tmp_path, 1, grid="full") is None


def test_ensemble_counts_by_its_mean():
    """Fault: only the first member of an ensemble optimised."""
    true = truth(1, seed=5)
    good = Units(stimuli.gabor(SHAPE, **true, **GEOMETRY)[:, None])
    flat = Units(np.zeros((1, 1, *SHAPE)))
    how = dict(grid="coarse", steps=12, refine_from=4, **GEOMETRY)
    both = gabor_search.best_gabor([flat, good], SHAPE, LEVEL, **how)
    alone = gabor_search.best_gabor(good, SHAPE, LEVEL, **how)
    assert both.responses[0] == pytest.approx((0.2 + alone.responses[0]) / 2, rel=1e-3)


def test_canonical_parameters_draw_the_same_image():
    """Fault: orientation folded into [0, 180) without turning the phase round."""
    p = np.array([3.0, -5, 250, 0.05, 0.3, 9, 1.3])
    folded = parameters.canonical(p).iloc[0]
    assert folded.orientation == 70
    np.testing.assert_allclose(
        stimuli.gabor(SHAPE, **folded, **GEOMETRY),
        stimuli.gabor(SHAPE, **dict(zip(parameters.PARAMETERS, p)), **GEOMETRY),
        atol=1e-12,
    )


# ---- fitted Gabor -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_fit_recovers_a_noisy_gabor(seed):
    """Fault: local optimum (wrong lobe), mirrored orientation, phase by half a cycle."""
    true = {name: values[0] for name, values in truth(1, seed=10 + seed).items()}
    pattern = stimuli.gabor(SHAPE, aspect=1.2, **true, **GEOMETRY)
    rng = np.random.default_rng(seed)
    image = 0.45 + 0.2 * pattern + rng.normal(scale=0.01, size=SHAPE)
    mask = stimuli.circular_mask(SHAPE, x=true["x"], y=true["y"], radius=25, edge=6, **GEOMETRY)
    fit = gabor_fit.gabor_fitted_to(image, mask=mask, **GEOMETRY)
    orientation, frequency, position = errors(fit.parameters, true)
    assert orientation < 2 and frequency < 0.06 and position < 1
    assert abs((fit.parameters["phase"] - true["phase"] + 0.5) % 1 - 0.5) < 0.06 or (
        abs((fit.parameters["phase"] + true["phase"] + 0.5) % 1 - 0.5) < 0.06
    )
    assert fit.parameters["aspect"] == pytest.approx(1.2, rel=0.15)
    assert fit.r > 0.9
    inside = mask >= 0.5
    assert np.corrcoef(fit.image[inside], pattern[inside])[0, 1] > 0.99
    assert np.abs(fit.image - (0.45 + 0.2 * pattern))[inside].max() < 0.05


def test_flat_image_cannot_be_fitted():
    """Fault: parameters invented for an image without contrast."""
    with pytest.raises(ValueError, match="flat"):
        gabor_fit.gabor_fitted_to(np.full(SHAPE, 0.5), **GEOMETRY)


# ---- other stimuli ------------------------------------------------------------------------------


def test_linear_receptive_field_is_the_filter():
    """Fault: gradients of the units added up, or taken in training mode."""
    filters = stimuli.gabor(SHAPE, **truth(3), **GEOMETRY)
    filters[:, 0, 0] += 1  # grey at .45 + little drives every unit
    model = Units(filters[:, None]).train()
    fields = compare.linear_receptive_field(model, SHAPE, mean=0.46)
    driven = filters.sum(axis=(1, 2)) > 0
    assert driven.any()
    np.testing.assert_allclose(fields[driven], filters[driven], atol=1e-6)
    np.testing.assert_array_equal(fields[~driven], 0)


def test_predictions_to_recorded_gabors_average_over_phases():
    """Fault: conditions and phases interleaved."""
    frames = np.random.default_rng(0).uniform(size=(5, 4, *SHAPE)).astype(np.float32)
    model = Units(stimuli.gabor(SHAPE, **truth(2), **GEOMETRY)[:, None]).eval()
    predicted = ensemble.predicted_means(model, frames)
    with torch.no_grad():
        by_hand = [model(torch.tensor(f)[:, None]).mean(0).numpy() for f in frames]
    np.testing.assert_allclose(predicted, by_hand, rtol=1e-5)


def test_comparison_is_at_equal_mean_contrast_and_mask():
    """Fault: a stimulus wins because it came with more contrast."""
    true = {name: values[0] for name, values in truth(1, seed=2).items()}
    best = stimuli.gabor(SHAPE, **true, **GEOMETRY)
    other = stimuli.gabor(SHAPE, **{**true, "orientation": true["orientation"] + 90}, **GEOMETRY)
    model = Units(best[None, None])
    mask = stimuli.circular_mask(SHAPE, x=true["x"], y=true["y"], radius=20, edge=6, **GEOMETRY)
    shown = compare.equalise(
        {"faint": 0.01 * best, "other": 100 * other, "flat": 0 * best, "strong": 5 + 30 * best},
        LEVEL.within(mask),
    )
    table = compare.compare_stimuli(shown, [model, model])
    assert list(table.index) == ["faint", "other", "strong"] and table.shape == (3, 2)
    assert table.loc["faint", 0] == pytest.approx(table.loc["strong", 0], rel=1e-4)
    assert table.loc["faint", 0] > table.loc["other", 0] + 0.5
    np.testing.assert_array_equal(table[0], table[1])


def test_batches_side_by_side_find_the_same_gabors(monkeypatch):
    """Fault: responses joined to the Gabors of another batch, or gradients kept in the threads."""
    model = Units(stimuli.gabor(SHAPE, **truth(3, seed=8), **GEOMETRY)[:, None])
    found = []
    for batch, workers in ((2000, 1), (37, 3)):
        monkeypatch.setattr(gabor_grids, "SHOWN", batch)
        how = dict(**GEOMETRY, grid="coarse", workers=workers)
        grid = gabor_grids.search_grid(model, SHAPE, LEVEL, keep=5, **how)
        found.append(gabor_grids.zoom(model, grid, SHAPE, LEVEL, **how))
    one, three = found
    np.testing.assert_array_equal(one.parameters, three.parameters)
    np.testing.assert_allclose(one.responses, three.responses, rtol=1e-5)


def test_competitors_are_the_preferred_images_under_their_own_masks():
    """Fault: the image preferred without the mask shown under it, or the contrast outside it."""
    true = {name: values[0] for name, values in truth(1, seed=2).items()}
    best = stimuli.gabor(SHAPE, **true, **GEOMETRY)
    far = np.roll(best, SHAPE[1] // 2, axis=1)  # outside the mask
    model = Units((best + 3 * far)[None, None])
    mask = stimuli.circular_mask(SHAPE, x=true["x"], y=true["y"], radius=16, edge=6, **GEOMETRY)
    noise = np.random.default_rng(0).normal(scale=0.05, size=(2, *SHAPE))
    shown = compare.competitors(model, {"mei": best}, noise + np.stack([best, far]), LEVEL.within(mask))
    assert list(shown) == ["mei", "image", "image_full"]  # the linear field is flat at grey
    inside = mask > 0.99
    assert np.corrcoef(shown["image"][inside], best[inside])[0, 1] > 0.9
    assert np.corrcoef(shown["image_full"].ravel(), far.ravel())[0, 1] > 0.6
    np.testing.assert_allclose([image.std() for image in shown.values()], 0.05, rtol=1e-3)
    assert (shown["image"][mask == 0] == np.float32(0.45)).all()


def test_refinement_never_ends_below_its_start():
    """Fault: the last step for the best one; at the optimum every step of Adam leads away from it."""
    true = truth(1, seed=3)
    model = Units(stimuli.gabor(SHAPE, **GEOMETRY, **true)[:, None])
    row = np.array([[[*(true[name][0] for name in parameters.PARAMETERS[:-1]), 1.0]]], np.float32)
    start = gabor_grids.GridSearch(row, np.zeros((1, 1)), 1)
    found = gabor_search.best_gabor(model, SHAPE, LEVEL, **GEOMETRY, starts=start, steps=3)
    assert found.responses[0] >= found.grid_responses[0] - 1e-5


def test_the_best_gabor_is_no_worse_than_the_one_fitted_to_the_mei():
    """Fault: the fitted Gabor is not among the starts, so that a poor grid leaves a poor Gabor to compare."""
    where = truth(1, seed=3)
    model = Units(stimuli.gabor(SHAPE, **GEOMETRY, **where)[:, None])
    fitted = [[float(where.get(name, [1.0])[0]) for name in parameters.PARAMETERS]]
    how = dict(**GEOMETRY, grid="coarse", refine_from=1, steps=0)
    alone, helped = (gabor_search.best_gabor(model, SHAPE, LEVEL, also=a, **how) for a in (None, fitted))
    shown = contrast.set_mean_contrast(stimuli.gabor(SHAPE, **GEOMETRY, **where)[0], LEVEL)
    (goal,) = ensemble.predicted_responses(model, shown[None])[0]
    assert alone.responses[0] < 0.99 * goal and helped.responses[0] == pytest.approx(goal, rel=1e-3)


def test_a_gain_is_told_from_the_bias_and_from_what_images_leave_open():
    """Fault: the bias is not divided out, a test of no gain at all, or the error of judges alone."""
    scatter = np.linspace(-0.01, 0.01, 10)

    def predicted(gain, noise):
        table = pd.DataFrame({"mei": gain * np.exp(noise * scatter), "gabor": np.ones(10)}).T
        return compare.gain_over(table.iloc[:, 1::2], table, bias=1.02, least=1.05)

    sure, none, open_ = (predicted(*case) for case in ((1.4, 1), (1.02, 1), (1.4, 30)))
    assert sure["gain"] == pytest.approx(1.4 / 1.017, rel=0.003) and sure["low"] > 1.3 and sure["p"] < 0.001
    assert open_["gain"] == pytest.approx(1.4 * np.exp(0.033) / 1.02, rel=0.003)  # judges 1, 3, ...: above
    assert none["gain"] == pytest.approx(1, abs=0.01) and none["high"] < 1.05 and none["p"] < 0.05
    assert open_["p"] > 0.05 and open_["low"] < 1.05 < open_["high"]
    one = pd.DataFrame({0: [2.0, 1.0]}, index=["mei", "gabor"])
    alone = compare.gain_over(one, one, bias=1.0)
    assert alone["gain"] == pytest.approx(2) and np.isnan(alone["p"])


def test_every_model_judges():
    """Fault: the first model's responses in every column."""
    rng = np.random.default_rng(0)
    models = [Units(rng.normal(size=(2, 1, *SHAPE))) for _ in range(3)]
    shown = {name: rng.random(SHAPE).astype(np.float32) for name in ("mei", "gabor")}
    table = compare.compare_stimuli(shown, models, unit=1)
    for k, model in enumerate(models):
        with torch.no_grad():
            own = model(torch.as_tensor(np.stack(list(shown.values())))[:, None])[:, 1].numpy()
        np.testing.assert_allclose(table[k], own, rtol=1e-5)
    assert table.T.nunique().eq(3).all()
