"""Response models learn what is there, stay differentiable, and are scored only out of fold."""

import copy
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.data import session as sessions
from lib.errors import InputError
from lib.models import cores, crossvalidation, ensemble, fit_run, lift, v1

SHAPE, DEGREES = (30, 38), 3.16
RNG = np.random.default_rng(0)


def natural(n=118):
    """Images with 1/f amplitude in [0, 1]."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SHAPE[1]), np.fft.fftfreq(SHAPE[0])))
    noise = np.fft.ifft2(np.fft.fft2(RNG.normal(size=(n, *SHAPE))) / (frequency + 0.02)).real
    return np.clip(0.5 + 0.2 * noise / noise.std(), 0, 1).astype(np.float32)


IMAGES = natural()


def unit(x=10.0, y=-5.0, energy=False):
    """Counts of a Gabor unit at (x, y) degrees: linear, or the energy of a quadrature pair."""
    gx, gy = np.meshgrid((np.arange(38) - 18.5) * DEGREES, (14.5 - np.arange(30)) * DEGREES)
    window = np.exp(-((gx - x) ** 2 + (gy - y) ** 2) / (2 * 8.0**2))
    pair = [window * wave(2 * np.pi * (gx - x) / 20) for wave in (np.sin, np.cos)]
    a, b = (((IMAGES - 0.5) * p).sum((1, 2)) for p in pair)
    drive = np.hypot(a, b) if energy else np.maximum(a, 0)
    return 1 + 3 * drive / drive.std()


def counts_of(*rates, repeats=20):
    return RNG.poisson(np.stack(rates, 1)[None].repeat(repeats, 0)).astype(np.float32)


def score(result, counts):
    return crossvalidation.prediction_scores(result.predictions, counts, resamples=50)


@pytest.fixture(scope="module")
def fitted():
    counts = counts_of(unit(), unit(-20, 10, energy=True), np.full(118, 2.0), np.zeros(118))
    return counts, crossvalidation.cross_validate(
        IMAGES, counts, model="v1", folds=4, seed=1, degrees_per_pixel=DEGREES
    )


def test_v1_predicts_linear_and_energy_units_and_nothing_else(fitted):
    """Fails if a family of channels is lost, the window ignores the place, or images leak."""
    counts, result = fitted
    r = score(result, counts).correlation_to_average
    assert r[0] > 0.6 and r[1] > 0.4
    assert abs(r[2]) < 0.4
    assert np.isnan(r[3])


def test_predictions_are_counts(fitted):
    """Fails if the root of the counts, of which models are linear, is not what they are fitted to."""
    counts, result = fitted
    np.testing.assert_allclose(result.predictions[:, :3].mean(0), counts[:, :, :3].mean((0, 1)), rtol=0.2)


def test_predictions_come_from_the_fold_that_left_the_image_out(fitted):
    """Fails if an image is predicted by a model that saw it."""
    _, result = fitted
    for k, model in enumerate(result.models):
        left_out = result.fold == k
        with torch.no_grad():
            again = model(torch.as_tensor(IMAGES[left_out])[:, None]).numpy()
        np.testing.assert_allclose(result.predictions[left_out], again, atol=1e-4)


def test_models_are_differentiable_to_the_pixels(fitted):
    """The gradient agrees with a finite difference."""
    model = copy.deepcopy(fitted[1].models[0].subset([0])).double()
    x = torch.as_tensor(IMAGES[:1], dtype=torch.float64)[:, None].requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        slope = (model(x + step * direction) - model(x - step * direction)).sum() / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-4)


def test_a_saved_ensemble_is_the_same_model(fitted, tmp_path):
    _, result = fitted
    crossvalidation.save_ensemble(tmp_path, result)
    back = crossvalidation.load_ensemble(tmp_path, units=[1])
    np.testing.assert_array_equal(back.predictions, result.predictions)
    x = torch.as_tensor(IMAGES[:3])[:, None]
    with torch.no_grad():
        for a, b in zip(back.models, result.models):
            torch.testing.assert_close(a(x)[:, 0], b(x)[:, 1])
    assert not list(tmp_path.glob(".*"))


def test_mean_model_is_the_mean_of_its_members(fitted):
    members = [m.subset([0]) for m in fitted[1].models]
    x = torch.as_tensor(IMAGES[:3])[:, None]
    with torch.no_grad():
        torch.testing.assert_close(
            ensemble.MeanModel(members)(x), torch.stack([m(x) for m in members]).mean(0)
        )


@pytest.mark.parametrize("kind", ["ridge", "gabor_ridge"])
def test_baselines_learn_a_unit_that_weighs_luminance(kind):
    half = IMAGES[:, :, 19:].mean((1, 2))
    counts = counts_of(3 + (half - half.mean()) / half.std())
    result = crossvalidation.cross_validate(IMAGES, counts, model=kind, folds=4, degrees_per_pixel=DEGREES)
    assert score(result, counts).correlation_to_average[0] > 0.4


@pytest.mark.parametrize(("kind", "length"), [("published", {"epochs": 4}), ("shared", {"rounds": 3})])
def test_networks_train_and_are_saved(kind, length, tmp_path):
    """Fails if the loss does not fall, or weights are lost on the way to disk."""
    pixels, responses = torch.as_tensor(IMAGES)[:, None], np.stack([unit(), unit(energy=True)], 1)
    model, history = crossvalidation.TRAINED[kind](pixels, responses, seed=0, **length)
    loss = (history["units"][0] if kind == "published" else history)["train_loss"]
    assert loss[-1] < loss[0]
    result = crossvalidation.CrossValidation(kind, np.zeros((118, 2)), np.zeros(118), [model], [history])
    crossvalidation.save_ensemble(tmp_path, result)
    back = crossvalidation.load_ensemble(tmp_path, units=[1]).models[0]
    with torch.no_grad():
        torch.testing.assert_close(back(pixels[:4])[:, 0], model(pixels[:4])[:, 1])
        assert (model(pixels) >= 0).all()


def test_the_null_is_flat():
    """Fails if p values of predictions that know nothing are not uniform."""
    mean = RNG.normal(size=(118, 200))
    p = crossvalidation.permutation_null(RNG.normal(size=(118, 200)), mean[None], permutations=200)
    assert 0.35 < np.median(p) < 0.65 and (p < 0.05).mean() < 0.12


def test_scores_of_known_predictions():
    """A prediction of the true rate reaches CCmax, FEVE 1; a constant has correlation 0."""
    rate = RNG.uniform(1, 6, (300, 1))
    counts = RNG.poisson(rate[None].repeat(40, 0)).astype(float)
    good = crossvalidation.prediction_scores(rate, counts, resamples=50).iloc[0]
    assert good.cc_norm == pytest.approx(1, abs=0.02) and good.feve == pytest.approx(1, abs=0.05)
    assert good.correlation_low < good.correlation_to_average < good.correlation_high
    flat = crossvalidation.prediction_scores(np.ones((300, 1)), counts, resamples=50).iloc[0]
    assert flat.correlation_to_average == 0 and flat.single_trial_correlation == 0


def test_lift_of_the_images_predicted_best():
    """Fault: the smallest predictions taken for the largest, the mean not taken off, units exchanged."""
    core = cores.V1Core(IMAGES.shape[1:], degrees_per_pixel=DEGREES)
    with torch.no_grad():
        features = core(torch.as_tensor(IMAGES)[:, None])
    noise = np.random.default_rng(3).poisson(3.0, len(IMAGES))
    found = lift.top_lift(features, np.stack([noise, 3 * unit(), unit()], 1), core)
    assert found[0] < 0.5 < found[1] <= 1 and found[2] == pytest.approx(found[1], abs=0.05)


def test_wrong_requests():
    with pytest.raises(InputError, match="2 to 118"):
        crossvalidation.cross_validate(IMAGES, counts_of(unit()), folds=199, degrees_per_pixel=1.0)
    with pytest.raises(InputError, match="unknown model"):
        crossvalidation.cross_validate(IMAGES, counts_of(unit()), model="v2", degrees_per_pixel=1.0)


def test_features_are_gabor_filters_and_local_statistics():
    """Against filters written out: fails if an orientation, phase, norm or family is lost."""
    core = cores.V1Core(SHAPE, degrees_per_pixel=2.0)
    pixels = torch.as_tensor(IMAGES[:2])[:, None]
    features = v1._by_place(core(pixels), core)
    family, part = core.groups[0][0], features[0]
    assert family == "simple" and core.groups[1][0] == "complex"
    at = np.argmin(np.abs(core.positions[0]).sum(1))  # the place nearest to the middle
    x0, y0 = core.positions[0][at]
    gx = (np.arange(38) - 18.5) * 2.0 - x0
    gy = ((14.5 - np.arange(30)) * 2.0 - y0)[:, None]
    window = np.exp(-(gx**2 + gy**2) / (2 * 4.0**2)) * (abs(gx) <= 10) * (abs(gy) <= 10)
    for j in range(cores.ORIENTATIONS):
        angle = np.pi * j / cores.ORIENTATIONS
        wave = 2 * np.pi * (gx * np.cos(angle) - gy * np.sin(angle)) / 8.0
        even = window * (np.cos(wave) - (window * np.cos(wave)).sum() / window.sum())
        pair = np.stack([even, window * np.sin(wave)]) / np.linalg.norm(even)
        a, b = np.einsum("nhw,phw->pn", IMAGES[:2] - 0.5, pair)
        for k, drive in enumerate((a, b, -a, -b)):
            np.testing.assert_allclose(part[:, 8 * k + j, at], np.maximum(drive, 0), atol=1e-4)
        np.testing.assert_allclose(features[1][:, j, at], np.hypot(a, b), atol=2e-3)


def test_contrast_saturates_and_relative_features_know_little_of_it():
    """A quarter of the contrast halves its root; gain control makes up for the rest, as far as it goes."""
    core = cores.V1Core(SHAPE, degrees_per_pixel=2.0)
    pixels = torch.as_tensor(IMAGES[:2])[:, None]
    pixels = 0.5 + pixels - pixels.mean((2, 3), keepdim=True)
    spread = pixels.std((1, 2, 3), correction=0)
    gains = [cores.CONTRAST / (s.square() + 0.1**2).sqrt() for s in (spread, spread / 4)]
    relative = (gains[1] / gains[0] / 4)[:, None, None]
    kept = {
        "simple": 0.25,
        "complex": 0.25,
        "luminance": 0.25,
        "contrast": 0.5,
        "relative luminance": relative,
        "relative contrast": relative.sqrt(),
    }
    strong, weak = (v1._by_place(core(0.5 + k * (pixels - 0.5)), core) for k in (1, 0.25))
    for (family, _), a, b in zip(core.groups, strong, weak):
        torch.testing.assert_close(b, kept[family] * a, atol=0.012, rtol=0.02)


def test_what_units_have_in_common_is_relative_to_their_places():
    """Units excited by contrast at their places: the same weights, moved; more units, more certain.

    Fails if a unit gets another unit's place, a sign is lost, or components are given a mean.
    """
    core = cores.V1Core(SHAPE, degrees_per_pixel=DEGREES)
    with torch.no_grad():
        features = core(torch.as_tensor(IMAGES)[:, None])
    centred = features - features.mean(0)
    parts = v1._by_place(centred, core)
    places = np.array([[-20.0, 10, 8], [20, -10, 8], [0, 0, 8]])
    seen = [v1._window_weights(at, places) for at in core.positions]
    group = next(k for k, (family, _) in enumerate(core.groups) if family == "contrast")
    drive = v1._pooled(parts[group], seen[group])[..., 0].T
    z = drive[:, :2] / drive[:, :2].std(0)
    weights = v1._common_readout(parts, core, seen, z)
    assert not weights[2].any()
    answers = (centred @ weights.T).numpy()
    r = [[np.corrcoef(answers[:, i], z[:, j])[0, 1] for j in range(2)] for i in range(2)]
    assert min(r[0][0], r[1][1]) > 0.9 > max(r[0][1], r[1][0])
    at = [int(np.argmin(((core.positions[group] - places[i, :2]) ** 2).sum(1))) for i in range(2)]
    first, second = (v1._by_place(weights[[i]], core)[group][0, 0, at[i]] for i in range(2))
    assert first > 0 and second > 0


def test_responses_to_the_same_images_share_the_kernels_of_windows():
    """Fails if kernels made before are of features with their mean, or of other windows."""
    core = cores.V1Core(SHAPE, degrees_per_pixel=DEGREES)
    with torch.no_grad():
        features = core(torch.as_tensor(IMAGES[:40])[:, None])
    responses = counts_of(unit(), unit(energy=True), repeats=2)[:, :40].mean(0)
    anew = v1.fit_windowed(features, responses, core)
    shared = v1.fit_windowed(features, responses, core, windows=v1.window_kernels(features, core))
    torch.testing.assert_close(shared.weights, anew.weights)


def test_units_share_places_and_components():
    """A noisy unit is predicted better beside units that look at the same place."""
    rate = 0.3 * unit(energy=True)
    noisy = np.random.default_rng(2).poisson(rate[None].repeat(3, 0)).astype(np.float32)[..., None]
    others = counts_of(*[unit(energy=True)] * 11, repeats=3)
    alone, together = (
        crossvalidation.cross_validate(IMAGES, c, folds=4, degrees_per_pixel=DEGREES).predictions[:, 0]
        for c in (noisy, np.concatenate([noisy, others], 2))
    )
    assert np.corrcoef(together, rate)[0, 1] > np.corrcoef(alone, rate)[0, 1]


def test_the_published_network_is_fitted_to_the_most_reliable_units(tmp_path):
    """Fails if the first units, or the selected ones, are taken; a unit without an oracle is none."""
    pd.DataFrame(
        {"unit_id": [1, 2, 3, 4], "oracle": [0.1, 0.5, np.nan, 0.3], "selected": [True] + [False] * 3}
    ).to_csv(tmp_path / "oracle.csv", index=False)
    session = SimpleNamespace(unit_ids=np.array([1, 2, 3, 4]))
    kinds = dict(fit_run._units_by_kind(tmp_path, session, "v1", ["ridge"], 2))
    assert list(kinds) == ["v1", "ridge", "published"] and kinds["published"].tolist() == [2, 4]
    with pytest.raises(InputError, match="03_oracle"):
        fit_run._units_by_kind(tmp_path / "none", session, "v1", [], 1)


def session_of(folder):
    """Write the session.h5 of two units that answer `IMAGES`; returns the session."""
    counts = counts_of(unit(energy=True), unit(energy=False), repeats=5)
    units = pd.DataFrame({"structure": "V1"}, index=pd.Index([11, 12], name="unit_id"))
    session = sessions.Session(
        name="two",
        source="test",
        units=units,
        images=IMAGES,
        image_ids=np.arange(len(IMAGES)),
        degrees_per_pixel=DEGREES,
        counts=counts.astype(np.float32),
        window=(0.0, 0.25),
    )
    sessions.save_session(session, folder / "session.h5")
    return session


def test_scores_that_are_gone_are_made_again(tmp_path):
    """Fails if scores.json alone, left when a job is made again, is taken for the scores."""
    session = session_of(tmp_path)
    how = dict(
        session_hash="1",
        model="ridge",
        baselines=[],
        stimuli=[],
        folds=2,
        published_units=0,
        permutations=20,
        seed=0,
        progress=False,
    )
    made = fit_run.fit_models(tmp_path, **how)
    assert made.model == "ridge" and made.scores.unit_id.tolist() == session.unit_ids.tolist()
    scores = tmp_path / "models" / "scores.csv"
    scores.unlink()
    again = fit_run.fit_models(tmp_path, **how)
    pd.testing.assert_frame_equal(again.scores, made.scores)
    saved = scores.read_text().replace(str(session.unit_ids[0]), "77")
    scores.write_text(saved)
    assert fit_run.fit_models(tmp_path, **how).scores.unit_id[0] == 77


@pytest.mark.parametrize("squared, high", [(True, 4.0), (False, 2.0)])
def test_a_readout_below_zero_is_silence(squared, high):
    """Fails if the square root is squared without rectification: strong inhibition would excite."""
    model = v1.ResponseModel(torch.nn.Identity(), torch.ones(1, 1), torch.zeros(1), squared=squared)
    silent, answer = model.from_features(torch.tensor([[-3.0], [2.0]]))[:, 0].tolist()
    assert 0 <= silent < 1e-3 and answer == pytest.approx(high, rel=0.01)


def test_a_ridge_regression_that_interpolates_noise_is_not_chosen():
    """Fault: 1 - leverage is cut off, so that errors of the smallest penalty look small."""
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.standard_normal((60, 900)), dtype=torch.float32)
    noise = torch.as_tensor(rng.standard_normal((60, 8)), dtype=torch.float32)
    noise -= noise.mean(0)
    x -= x.mean(0)
    fit = x @ x.T @ v1._ridge_dual(x @ x.T, noise).T
    assert (fit.std(0) < 0.2 * noise.std(0)).sum() >= 6
