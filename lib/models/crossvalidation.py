"""Nested cross-validation over images, honest scores, and ensembles on disk."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from lib.errors import InputError
from lib.files import write_atomically
from lib.machine import side_by_side
from lib.models import cores, many_images, network, shared_network, training_sets, v1
from lib.responses import reliability
from lib.statistics import permutation_p
from lib.stimuli.same_images import similar_groups

LARGE = 1_500_000  # images x images x units: their kernels take about 1 GB
KINDS = ("v1", "shared", "gabor_ridge", "ridge", "published")
TRAINED = {"published": network.fit_networks, "shared": shared_network.fit_shared}


@dataclasses.dataclass
class CrossValidation:
    """Every image predicted once, by a model that saw it neither in fitting nor in choosing.

    Attributes
    ----------
    predictions : (images, units) array
    fold : (images,) array of int
        The fold that left the image out.
    models : list of modules, one per fold
        images (n, 1, h, w) -> (n, units).
    histories : list of dict, one per fold
        Learning curves of kinds trained by gradient steps; empty for the others.
    """

    kind: str
    predictions: np.ndarray
    fold: np.ndarray
    models: list
    histories: list


def assign_folds(images, folds, *, seed):
    """Return the fold (images,) of every image: random, of equal size to within one picture.

    Images that are nearly the same (`lib.stimuli.same_images`) are in one fold.
    """
    group = similar_groups(images)
    pictures = group.max() + 1
    if not 2 <= folds <= pictures:
        raise InputError(f"{folds} folds of {pictures} different images; give 2 to {pictures}")
    return (np.random.default_rng(seed).permutation(pictures) % folds)[group]


def cross_validate(
    images,
    counts,
    *,
    model="v1",
    folds=10,
    seed=0,
    degrees_per_pixel,
    more=(),
    workers=1,
    progress=False,
    folder=None,
):
    """Fit a model to all folds but one, in turn, and predict that one; returns a `CrossValidation`.

    Parameters
    ----------
    images : (images, h, w) array in [0, 1]
    counts : (repeats, images, units) array
        NaN where an image was shown less often.
    model : str
        One of `KINDS`.
    more : sequence of (frames, responses)
        Other stimuli that every fold of v1 learns from too (`lib.models.training_sets.training_sets`).
    workers : int
        Folds at once, each on one thread; fits that take much memory come one after the other.
    folder : Path, optional
        Where each fold's model is written as soon as it is fitted, so that large ones need not be held in
        memory; for `save_ensemble`.
    """
    if model not in KINDS:
        raise InputError(f"unknown model {model!r}; one of: {', '.join(KINDS)}")
    responses = np.nanmean(counts, axis=0)
    fold = assign_folds(images, folds, seed=seed)
    predictions, fitted, histories = np.empty(responses.shape, np.float32), [], []
    pixels = torch.as_tensor(images, dtype=torch.float32)[:, None]
    core = features = None
    if model in cores.CORES:
        core = cores.CORES[model](images.shape[1:], degrees_per_pixel=degrees_per_pixel).eval()
    more = [(training_sets.mean_features(core, f), r) for f, r in more] if model == "v1" else []
    many = core is not None and (fold != 0).sum() > many_images.EXACT
    if core is not None and not (many and model == "v1"):
        features = many_images.features_of(core, pixels)  # of an image, they do not depend on the folds

    def kept(k, one, history):
        with torch.no_grad():
            parts = pixels[fold == k].split(many_images.BATCH)
            predictions[fold == k] = torch.cat([one.eval()(part) for part in parts]).numpy(force=True)
        if folder is not None:
            save_member(folder, k, one)
            if core is not None:
                one = _load_member(folder, k, model, core)
        return one, history

    def fit(k):
        train = fold != k
        if core is None:
            return kept(k, *TRAINED[model](pixels[train], responses[train], seed=seed + k))
        if model == "v1":
            one = v1.fit_windowed(features[train], responses[train], core, more=more)
        else:
            one = v1.fit_ridge(features[train], responses[train], core)
        return kept(k, one, {})

    def fit_many():
        if model == "v1":
            models = many_images.fold_models(pixels, responses, fold, core, more=more, seed=seed)
        else:
            models = many_images.ridge_fold_models(features, responses, fold, core)
        return (kept(k, one, {}) for k, one in enumerate(models))

    large = core is not None and responses.size * len(images) > LARGE
    with side_by_side(1 if large or many else workers) as each:
        fits = fit_many() if many else each(fit, range(folds))
        for one, history in tqdm(fits, model, folds, disable=not progress, mininterval=5):
            fitted.append(one)
            histories.append(history)
    return CrossValidation(model, predictions, fold, fitted, histories)


def prediction_scores(predictions, counts, *, resamples=1000, seed=0):
    """How well out-of-fold predictions do, per unit, on the images that were shown more than once.

    Parameters
    ----------
    predictions : (images, units) array
    counts : (repeats, images, units) array
    resamples : int
        Of the images, for the interval.

    Returns
    -------
    DataFrame
        correlation_to_average with correlation_low and correlation_high (95 % bootstrap interval
        over images), single_trial_correlation, cc_max and cc_norm = r / CCmax (Schoppe et al. 2016;
        NaN where CCmax is 0), feve (Cadena et al. 2019). 0 for a constant prediction, NaN for a unit
        whose response never varies.
    """
    predictions, counts = _repeated(predictions, counts)
    mean = np.nanmean(counts, axis=0)
    n = len(mean)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples) / n
    r = weighted_correlation(np.full((1, n), 1 / n), predictions, mean)[0]
    low, high = np.quantile(weighted_correlation(weights, predictions, mean), [0.025, 0.975], axis=0)
    shown = np.isfinite(counts)
    centred = np.where(shown, counts - np.nanmean(counts, axis=(0, 1)), 0)
    repeats = shown.sum(0)
    moved = predictions - (predictions * repeats).sum(0) / repeats.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        single = (centred.sum(0) * moved).sum(0) / np.sqrt(
            (centred**2).sum((0, 1)) * (repeats * moved**2).sum(0)
        )
        ceiling = reliability.cc_max(counts)
        normalised = np.where(ceiling > 0, r / ceiling, np.nan)
        noise = np.nanmean(np.nanvar(counts, axis=0, ddof=1), axis=0) if len(counts) > 1 else np.nan
        total = np.nanvar(counts, axis=(0, 1), ddof=1)
        error = np.nanmean((counts - predictions) ** 2, axis=(0, 1))
        feve = np.where(total > noise, 1 - (error - noise) / (total - noise), np.nan)
    single = np.where(np.isfinite(r), np.nan_to_num(single), np.nan)
    return pd.DataFrame(
        {
            "correlation_to_average": r,
            "correlation_low": low,
            "correlation_high": high,
            "single_trial_correlation": single,
            "cc_max": ceiling,
            "cc_norm": normalised,
            "feve": feve,
        }
    )


def permutation_null(predictions, counts, *, permutations=10_000, seed=0):
    """p value of each unit's correlation if images and predictions had nothing to do with each other.

    The images of the out-of-fold predictions are permuted; one-sided, not corrected for units. (units,)
    array: 1 / (permutations + 1) at the least; NaN for a unit whose response never varies.
    """
    predictions, counts = _repeated(predictions, counts)
    mean = np.nanmean(counts, axis=0)
    rng = np.random.default_rng(seed)
    uniform = np.full((1, len(mean)), 1 / len(mean))
    observed = weighted_correlation(uniform, predictions, mean)[0]
    a, b = (_standardised(v) for v in (predictions, mean))
    null = np.stack([(a[rng.permutation(len(a))] * b).mean(0) for _ in range(permutations)])
    return np.where(np.isfinite(observed), permutation_p(np.nan_to_num(observed), null), np.nan)


def _repeated(predictions, counts):
    """Predictions and counts of the images that scores rest on."""
    images = reliability.repeated_images(counts)
    return np.asarray(predictions)[images], np.asarray(counts)[:, images]


def save_member(folder, k, model):
    """Write the model of a fold, but for its fixed parts, as fold_<k>.safetensors."""
    state = {
        name: value.cpu().contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith("core.")
    }
    write_atomically(Path(folder) / f"fold_{k}.safetensors", lambda partial: save_file(state, partial))


def _load_member(folder, k, kind, core, units=None):
    """Read a model of fixed features; its weights stay on disk until they are used."""
    with safe_open(folder / f"fold_{k}.safetensors", framework="pt") as file:
        rows = [file.get_slice(name) for name in ("weights", "bias")]
        weights, bias = (row[:] if units is None else torch.stack([row[u] for u in units]) for row in rows)
    return v1.ResponseModel(core, weights, bias, squared=kind == "v1")


def save_ensemble(folder, result, *, members=True):
    """Write a cross-validation: fold_<k>.safetensors, predictions.npz and ensemble.json, last.

    Without `members` the models are there: `cross_validate` wrote them.
    """
    folder = Path(folder)
    for k, model in enumerate(result.models if members else []):
        save_member(folder, k, model)
    arrays = {"predictions": result.predictions, "fold": result.fold}
    write_atomically(folder / "predictions.npz", lambda partial: np.savez(partial, **arrays))
    about = {
        "kind": result.kind,
        "folds": len(result.models),
        "histories": result.histories,
        "architecture": architecture(result.models[0]),
    }
    text = json.dumps(about, indent=1) + "\n"
    write_atomically(folder / "ensemble.json", lambda partial: partial.write_text(text))


def load_ensemble(folder, *, units=None):
    """Read what `save_ensemble` wrote.

    With `units` only these columns of the models, which is quick; predictions come whole.
    """
    folder = Path(folder)
    about = json.loads((folder / "ensemble.json").read_text())
    with np.load(folder / "predictions.npz") as file:
        predictions, fold = file["predictions"], file["fold"]
    core, fitted = None, []
    for k in range(about["folds"]):
        with torch.device("cpu"):
            if about["kind"] in cores.CORES:
                core = core or cores.CORES[about["kind"]](**about["architecture"]).eval()
                one = _load_member(folder, k, about["kind"], core, units)
            else:
                one = untrained(about["kind"], **about["architecture"])
                one.load_state_dict(load_file(folder / f"fold_{k}.safetensors"))
                one = one if units is None else one.subset(units)
        fitted.append(one.eval().to(torch.get_default_device()))
    return CrossValidation(about["kind"], predictions, fold, fitted, about["histories"])


def architecture(model):
    """Return the arguments from which a model's fixed parts are made again."""
    if isinstance(model, v1.ResponseModel):
        return {"shape": list(model.core.shape), "degrees_per_pixel": model.core.degrees_per_pixel}
    return {"shape": list(model.shape), "units": model.units}


def untrained(kind, shape, units):
    """Return an untrained model, to be filled with saved weights."""
    if kind == "shared":
        return shared_network.SharedNetwork(shape, units)
    return network.SeparateNetworks([network.Network(shape) for _ in range(units)])


def _standardised(values):
    centred = values - values.mean(0)
    return centred / np.maximum(centred.std(0), 1e-12)


def weighted_correlation(weights, a, b) -> np.ndarray:
    """Correlations (w, units) over images of a and b (images, units): weights (w, images) of sum 1."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    ma, mb = weights @ a, weights @ b
    va, vb = (
        np.where(v > 1e-10 * m**2, v, 0)
        for v, m in ((weights @ a**2 - ma**2, ma), (weights @ b**2 - mb**2, mb))
    )  # rounding is no variance
    product = np.sqrt(va * vb)
    r = np.divide(weights @ (a * b) - ma * mb, product, out=np.zeros_like(product), where=product > 0)
    return np.where(b.std(0) > 0, r, np.nan)
