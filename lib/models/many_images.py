"""The v1 model of many images: the same prior, solved in the space of features.

`lib.models.v1.fit_windowed` holds a kernel of all pairs of images for each unit and group of features.
Beyond `EXACT` images that is too much, so windows, group weights and noise come from the marginal
likelihood of `LEARNED_FROM` images only, and the weights from all images by conjugate gradients, which
need no more than products with the features: time and memory grow with the number of images, and not
with its square or cube.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from lib.models import v1

EXACT = 200  # images, up to which the kernels of all of them are held
LEARNED_FROM = 200  # images, that the evidence is computed of
TILE = 15.0  # degrees, of the pieces of the visual field that are left out where a window is empty
KEPT = 0.995  # of a window's weight, in the tiles that are used
TOLERANCE, ITERATIONS = 1e-2, 100  # of the conjugate gradients: relative residual
DROP_EVERY = 8  # iterations, targets that are solved are dropped
LEAST_NOISE = 0.01  # of a target's variance
PROBED = 48  # units whose leave-one-out errors choose the share of the components
BATCH = 64  # images, of which the features are made at a time
TARGETS = 512  # solved for at a time, which bounds the memory


def fits(features, responses, core, more, choices) -> Iterator[v1.ResponseModel]:
    """Yield `lib.models.v1.fits_windowed`, in the way that suits the number of images; arguments as there."""
    if len(features) <= EXACT:
        yield from v1.fits_windowed(features, responses, core, more, choices)
        return
    for choice in choices:
        sets, answers = zip(*(more[k] for k in choice)) if len(choice) else ((), ())
        data = arrange([features, *sets], core, sizes=[len(features), *map(len, sets)])
        learned = learn(data, responses, core, images=np.arange(len(features)))
        yield solve(data, responses, core, learned, train=np.ones(len(features), bool), more=answers)


def fold_models(pixels, responses, fold, core, *, more=(), seed=0) -> Iterator[v1.ResponseModel]:
    """Yield the v1 model of all images but those of each fold in turn.

    The folds are dealt into the fewest groups that leave `LEARNED_FROM` images outside each; folds of one
    group share what is learned from images that are in none of them. Images are (n, 1, h, w), their mean
    responses (n, units), their folds (n,); the (features, responses) of other stimuli, `more`, are in
    training for every fold.
    """
    n, folds = len(fold), fold.max() + 1
    sets, more = [features for features, _ in more], [answers for _, answers in more]
    with torch.no_grad():
        batches = itertools.chain((core(some) for some in pixels.split(BATCH)), sets)
        data = arrange(batches, core, sizes=[n, *map(len, sets)])
    groups = next(g for g in range(2, folds + 1) if n * (1 - 1 / g) >= LEARNED_FROM or g == folds)
    learned = {}
    for k in range(folds):
        group = k % groups
        if group not in learned:
            images = np.flatnonzero(fold % groups != group)
            learned[group] = learn(data, responses, core, images=images, seed=seed)
        yield solve(data, responses, core, learned[group], train=fold != k, more=more)


def ridge_fold_models(features, responses, fold, core) -> Iterator[v1.ResponseModel]:
    """Yield `lib.models.v1.fit_ridge` of all images but those of each fold, from one set of inner products.

    `features` (n, features) of all images are taken about their mean, in place; other arguments are as there
    and in `fold_models`.
    """
    y, folds = torch.as_tensor(np.asarray(responses), dtype=torch.float32), int(fold.max()) + 1
    centre = features.mean(0)
    features -= centre
    inside = torch.as_tensor(np.arange(folds)[:, None] != fold).float()  # (folds, n)
    sizes = [int(np.prod(shape)) for _, shape in core.groups]
    grams, scales = torch.zeros(folds, len(y), len(y)), torch.empty(folds, len(sizes))
    for g, part in enumerate(features.split(sizes, dim=1)):
        gram = part @ part.T
        total = inside @ gram.diagonal() - ((inside @ gram) * inside).sum(1) / inside.sum(1)
        scales[:, g] = inside.sum(1) / total.clamp(min=1e-12)
        for one, scale in zip(grams, scales[:, g]):
            one.add_(gram, alpha=float(scale))
    for k in range(folds):
        rows = torch.nonzero(inside[k])[:, 0]
        gram, mean = grams[k][rows][:, rows], y[rows].mean(0)
        gram = gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()
        dual = torch.zeros(y.shape[1], len(y))
        dual[:, rows] = v1._ridge_dual(gram, y[rows] - mean)
        weights = dual @ features * scales[k].repeat_interleave(torch.tensor(sizes))
        bias = mean - weights @ (centre + inside[k] @ features / len(rows))
        yield v1.ResponseModel(core, weights, bias, squared=False)


def features_of(core, pixels) -> torch.Tensor:
    """Features (n, features) of images (n, 1, h, w), made of `BATCH` at a time."""
    with torch.no_grad():
        features = torch.empty(len(pixels), core(pixels[:1]).shape[1])
        for some, out in zip(pixels.split(BATCH), features.split(BATCH)):
            out.copy_(core(some))
    return features


@dataclasses.dataclass
class Arranged:
    """Features of stimuli, those of neighbouring places side by side.

    Attributes
    ----------
    x : (n, features) tensor
        Less their mean over the images.
    mean : (features,) tensor
        In the order of the core.
    order : (features,) tensor of int
        Of the core, so that ``x = (features - mean)[:, order]``.
    group, place, channel : (features,) tensors of int
        Of each column of `x`: its group, its place among those of all groups, and its channel among
        those of the families that are also pooled, -1 if it is of no such family.
    tiles : list of slice
        Of columns.
    sets : list of slice
        Rows of the images, and then of each further stimulus set.
    """

    x: torch.Tensor
    mean: torch.Tensor
    order: torch.Tensor
    group: torch.Tensor
    place: torch.Tensor
    channel: torch.Tensor
    tiles: list
    sets: list

    def of_core(self, rows: torch.Tensor) -> torch.Tensor:
        """Features (rows, features) of some stimuli in the order of the core, less their mean."""
        back = torch.empty_like(self.order)
        back[self.order] = torch.arange(len(back))
        return self.x[rows][:, back]


@dataclasses.dataclass
class Learned:
    """What the evidence decides, before the weights.

    Attributes
    ----------
    mean, spread : (units,) tensors
        Of the root of the responses.
    loadings : (components, units) tensor
    seen : list of (targets, places) tensors, one per group
        The windows.
    strengths : (targets, kernels) tensor
        Factors on the kernels of `lib.models.v1`.
    noise : (targets,) tensor
    """

    mean: torch.Tensor
    spread: torch.Tensor
    loadings: torch.Tensor
    seen: list
    strengths: torch.Tensor
    noise: torch.Tensor


def arrange(batches: Iterable[torch.Tensor], core, *, sizes: Sequence[int]) -> Arranged:
    """Bring features into the order that `solve` needs.

    `batches` (k, features) are of the images, and then of the further stimulus sets; each is dropped once it
    is copied. `sizes` are the numbers of images, and of the stimuli of each further set.
    """
    first_place = np.cumsum([0, *(len(places) for places in core.positions)])
    columns, channels = [], 0
    for g, ((family, (number, *_)), places) in enumerate(zip(core.groups, core.positions)):
        pooled = family in v1.POOLED
        own = np.arange(channels, channels + number) if pooled else np.full(number, -1)
        channels += number * pooled
        tile = np.floor(places / TILE).astype(int) @ [1, 1000]
        at = first_place[g] + np.arange(len(places))
        columns.append([np.tile(tile, number), np.full(number * len(at), g), np.tile(at, number),
                        np.repeat(own, len(at))])  # fmt: skip
    tile, group, place, channel = np.concatenate(columns, 1)
    order = np.argsort(tile, kind="stable")
    _, starts = np.unique(tile[order], return_index=True)
    x, row = torch.empty(sum(sizes), len(order)), 0
    for batch in batches:
        x[row : row + len(batch)] = batch[:, order]
        row += len(batch)
    mean = x[: sizes[0]].mean(0)
    x -= mean
    ends = np.cumsum([0, *sizes])
    in_order = torch.empty_like(mean)
    in_order[order] = mean
    return Arranged(
        x,
        in_order,
        *(torch.as_tensor(a) for a in (order, group[order], place[order], channel[order])),
        [slice(a, b) for a, b in zip(starts, [*starts[1:], len(order)])],
        [slice(a, b) for a, b in itertools.pairwise(ends)],
    )


def learn(data: Arranged, responses, core, *, images: np.ndarray, seed: int = 0) -> Learned:
    """Windows, group weights and noise, by the marginal likelihood.

    The windows have the sum over blocks of `LEARNED_FROM` images (as if the blocks were independent:
    Deisenroth & Ng, ICML 2015), the rest that of the first block. Of the mean responses (n, units) only those
    to the positions in `images` are looked at.
    """
    target = v1._root(responses[images])
    mean, spread = target.mean(0), target.std(0).clamp(min=1e-6)
    z = (target - mean) / spread
    components, loadings = v1._components(z)
    both, weights, evidence = torch.cat([z, components], 1), v1._candidates(core), 0.0
    order = np.random.default_rng(seed).permutation(len(images))
    blocks = max(1, len(images) // LEARNED_FROM)
    for some in reversed(np.split(order[: blocks * LEARNED_FROM], blocks)):
        centred = data.of_core(torch.as_tensor(images[some]))
        centred -= centred.mean(0)
        parts, own = v1._by_place(centred, core), both[some] - both[some].mean(0)
        evidence = evidence + v1._window_evidence(v1._window_kernels(parts, core, weights), own)
    both, seen = own, v1._averaged(evidence, weights)
    common = v1._common_readout(parts, core, seen, both[:, : z.shape[1]])
    strengths, noise, _, _ = v1._by_evidence(parts, core, seen, both - centred @ common.T)
    return Learned(mean, spread, loadings, _cut(data, seen), strengths, noise.clamp(min=LEAST_NOISE))


def solve(data: Arranged, responses, core, learned: Learned, *, train, more=()) -> v1.ResponseModel:
    """Fit the weights to all images of `train`; otherwise the model of `lib.models.v1.fit_windowed`.

    The share of the components is the one of the least generalised cross-validation error: the mean
    leverage of a target stands for that of each image, and is estimated with a random vector
    (Hutchinson, Commun Stat 19:433, 1990).

    Parameters
    ----------
    responses : (n, units) array
        Mean responses to all images.
    train : (n,) array of bool
        Images; the others are not looked at.
    more : sequence of (k, units) arrays
        Responses to the further stimulus sets of `data`.
    """
    images = torch.as_tensor(np.flatnonzero(train))
    blocks = [images, *(torch.arange(rows.start, rows.stop) for rows in data.sets[1:])]
    root = torch.cat([v1._root(one) for one in (responses, *more)]).T  # (units, stimuli)
    mean, loadings, units = root[:, images].mean(1), learned.loadings, len(root)
    z = _centred(root / learned.spread[:, None], blocks)
    components = torch.linalg.pinv(loadings).T @ z if len(loadings) else z[:0]
    coefficients, expected = _common_part(data, core, learned, z[:, images], images)
    expected = _centred(expected, blocks)
    targets = torch.cat([z - expected, components])

    some = torch.arange(0, units, -(-units // PROBED))
    probed = torch.cat([some, torch.arange(units, len(targets))])
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (len(probed), z.shape[1]))
    probe = _centred(torch.as_tensor(signs, dtype=torch.float32), blocks[:1])
    right = torch.cat([_centred(targets, blocks[:1]), probe])
    which = torch.cat([torch.arange(len(targets)), probed])
    noise = learned.noise[:, None]
    dual, answers = _solutions(data, core, learned, which, right, noise[which], blocks[:1]).split(
        [len(targets), len(probed)]
    )
    leverage = (answers * probe).sum(1, keepdim=True) / len(images)
    left_out = (targets[probed] - dual[probed] / leverage)[:, images]
    own, shared = left_out[: len(some)] + expected[some][:, images], left_out[len(some) :]
    mix = v1._best_mix(z[some][:, images], own, loadings[:, some].T @ shared)
    if more:
        noise = _noise_with_sets(data, core, learned, targets, dual, blocks)
        dual = _solutions(data, core, learned, which[: len(targets)], targets, noise, blocks)

    weights = torch.zeros(units, data.x.shape[1])
    _add_weights(weights, data, core, learned, dual[:units], torch.arange(units), coefficients)
    weights *= 1 - mix
    if len(loadings):
        own = torch.zeros(len(loadings), data.x.shape[1])
        _add_weights(own, data, core, learned, dual[units:], torch.arange(units, len(targets)))
        weights.addmm_(loadings.T, own, alpha=mix)
    weights *= learned.spread[:, None]
    inside = torch.zeros(len(data.x)).index_fill_(0, images, 1 / len(images))
    centre = data.mean.index_add(0, data.order, inside @ data.x)
    return v1.ResponseModel(core, weights, mean - weights @ centre, squared=True)


class _Kernel:
    """The kernels of some targets, each to be multiplied with a vector of its own.

    Of each tile only the targets whose window is there are kept: their weights of the columns
    (`factors`), and those of the columns that are also pooled (`windows`).
    """

    def __init__(self, data, core, learned, which):
        self.data, self.pieces = data, []
        windows = torch.cat([seen[which] for seen in learned.seen], 1)
        strengths = learned.strengths[which]
        numbers = [shape[0] for family, shape in core.groups if family in v1.POOLED]
        self.pooled = strengths[:, len(core.groups) :].repeat_interleave(torch.tensor(numbers), 1)
        for tile in data.tiles:
            rows = torch.nonzero(windows[:, data.place[tile]].any(1))[:, 0]
            if len(rows):
                window = windows[rows][:, data.place[tile]]
                channel = data.channel[tile]
                also = torch.nonzero(channel >= 0)[:, 0]
                factors = window * strengths[rows][:, data.group[tile]]
                self.pieces.append((tile, rows, factors, also, channel[also], window[:, also]))

    def back(self, vectors, coefficients=0.0):
        """Yield (tile, targets, weights of its columns) of the readouts with these dual weights."""
        own, sums = [], torch.zeros_like(self.pooled)
        for tile, rows, _, also, channel, window in self.pieces:
            own.append(vectors[rows] @ self.data.x[:, tile])
            part = torch.zeros(len(rows), sums.shape[1]).index_add_(1, channel, own[-1][:, also] * window)
            sums.index_add_(0, rows, part)
        sums = sums * self.pooled + coefficients
        for y, (tile, rows, factors, also, channel, window) in zip(own, self.pieces):
            y *= factors
            y[:, also] += window * sums[rows][:, channel]
            yield tile, rows, y

    def __matmul__(self, vectors):
        out = torch.zeros_like(vectors)
        for tile, rows, weights in self.back(vectors):
            out.index_add_(0, rows, weights @ self.data.x[:, tile].T)
        return out


def _cut(data, seen):
    """Windows (targets, places), one per group, without the tiles that hold little of them.

    Kept are the fewest tiles that together hold `KEPT` of a target's windows.
    """
    tile = torch.empty(sum(weight.shape[1] for weight in seen), dtype=torch.int64)
    for k, columns in enumerate(data.tiles):
        tile[data.place[columns]] = k
    held = torch.zeros(len(seen[0]), len(data.tiles)).index_add_(1, tile, torch.cat(seen, 1)) / len(seen)
    ordered, order = held.sort(1, descending=True)
    kept = torch.zeros_like(held).scatter_(1, order, (ordered.cumsum(1) - ordered < KEPT).float())
    parts = kept[:, tile].split([weight.shape[1] for weight in seen], 1)
    return [weight * part for weight, part in zip(seen, parts)]


def _centred(vectors, blocks):
    """Vectors (targets, rows) less their mean over each block of rows; 0 in all other rows."""
    out = torch.zeros_like(vectors)
    for rows in blocks:
        out[:, rows] = vectors[:, rows] - vectors[:, rows].mean(1, keepdim=True)
    return out


def _solutions(data, core, learned, which, right, noise, blocks):
    """Dual weights (targets, rows): `right` over kernel and noise, `TARGETS` at a time."""
    dual = torch.empty_like(right)
    for some in torch.arange(len(which)).split(TARGETS):
        dual[some] = _conjugate_gradients(
            lambda rows, some=some: _Kernel(data, core, learned, which[some[rows]]),
            right[some],
            noise[some],
            blocks,
        )
    return dual


def _conjugate_gradients(kernel_of, right, noise, blocks):
    """Solve (centred kernel + noise) dual = right for every target; `right` is centred.

    `kernel_of` gives the kernels of some targets; those that are solved are dropped now and then.
    """
    dual, goal = torch.zeros_like(right), TOLERANCE * right.norm(dim=1)
    rows, residual = torch.arange(len(right)), right.clone()
    own, kernel = dual.clone(), kernel_of(rows)
    direction, size = 0.0, 1.0
    for iteration in range(ITERATIONS):
        open_ = residual.norm(dim=1) > goal[rows]
        if not open_.any():
            break
        if iteration and iteration % DROP_EVERY == 0:
            dual[rows] = own
            rows, residual, own, noise, direction, size = (
                values[open_] for values in (rows, residual, own, noise, direction, size)
            )
            kernel = kernel_of(rows)
        scaled = residual / noise
        before, size = size, (residual * scaled).sum(1, keepdim=True)
        direction = scaled + (size / before if iteration else 0.0) * direction
        image = _centred(kernel @ direction, blocks) + noise * direction
        step = size / (direction * image).sum(1, keepdim=True).clamp(min=1e-30)
        own += step * direction
        residual -= step * image
    dual[rows] = own
    return dual


def _noise_with_sets(data, core, learned, targets, dual, blocks):
    """Noise (targets, rows): that of the images, and the error with which they predict each set."""
    noise = learned.noise[:, None].repeat(1, targets.shape[1])
    for some in torch.arange(len(targets)).split(TARGETS):
        error = targets[some] - _centred(_Kernel(data, core, learned, some) @ dual[some], blocks)
        for rows in blocks[1:]:
            mean = error[:, rows].square().mean(1, keepdim=True)
            noise[some[:, None], rows] = torch.maximum(noise[some][:, :1], mean)
    return noise


def _common_part(data, core, learned, z, images):
    """Readout that units share (`lib.models.v1._common_readout`).

    Returns coefficients (units, channels) on the channels pooled over the window of each, and what is
    expected from them (units, rows).
    """
    units, channels = len(z), int(data.channel.max()) + 1
    first = np.cumsum([0, *(len(places) for places in core.positions)])
    scale, gram, product = torch.empty(units, channels), 0, 0
    group = {}
    for j in range(channels):
        columns = torch.nonzero(data.channel == j)[:, 0]
        g = int(data.group[columns[0]])
        group[j] = g, columns, data.place[columns] - first[g]

    def pooled(some):
        x = torch.empty(len(some), len(data.x), channels)
        for j, (g, columns, places) in group.items():
            x[:, :, j] = learned.seen[g][some][:, places] @ data.x[:, columns].T
        return x

    batches = torch.arange(units).split(128)
    family = torch.tensor([group[j][0] for j in range(channels)])
    same = (family[:, None] == family).float()
    for some in batches:
        x = pooled(some)[:, images]
        x -= x.mean(1, keepdim=True)
        scale[some] = (x.square().mean(1) @ same).clamp(min=1e-12).sqrt()
        x = (x / scale[some][:, None]).flatten(0, 1)
        gram = gram + x.T @ x / len(images)
        product = product + x.T @ z[some].flatten() / len(images)
    shared = torch.linalg.solve(gram + torch.eye(channels), product)
    coefficients = shared / scale
    expected = torch.cat([(pooled(some) @ coefficients[some][..., None])[..., 0] for some in batches])
    return coefficients, expected


def _add_weights(weights, data, core, learned, dual, which, coefficients=None):
    """Add the readout weights (targets, features), in the order of the core, of dual weights."""
    for some in torch.arange(len(which)).split(TARGETS):
        own = 0.0 if coefficients is None else coefficients[some]
        for tile, rows, values in _Kernel(data, core, learned, which[some]).back(dual[some], own):
            weights[some[rows][:, None], data.order[tile]] += values
