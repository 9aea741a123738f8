"""Response models: images to expected spike counts of units, differentiable down to the pixels.

Kinds, all modules from images to the counts of units:

v1
    The default. A fixed bank of filters as in primary visual cortex (`V1Core`), read through a
    Gaussian window at a place of each unit's own. How much each family and scale of filters counts
    is learned per unit by its marginal likelihood, with a prior that is learned from all units
    (`fit_windowed`). Closed form but for those weights; the outcome is one weight for each channel
    and place: a network of one convolutional layer, a nonlinearity and a linear readout.
gabor_ridge
    The same features without window, one penalty per unit.
ridge
    Pixels, smoothed and coarse; one penalty per unit (a linear-nonlinear model).
shared, published
    The network of the original report, from scratch (`lib.models.network`).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

POOLED = ("complex", "luminance", "contrast", "relative luminance", "relative contrast")
PENALTIES = 10.0 ** np.arange(-2, 1.6, 0.5)
RIDGE_PENALTIES = 10.0 ** np.arange(-2, 4.1, 0.5)
WINDOW_SIZES = (7.0, 12.0, 20.0, 36.0)  # degrees
COMPONENTS = 12  # of the population's responses, predicted beside the units
STEPS, RATE, PRIOR_SPREAD = 40, 0.3, 1.5  # of the ascent on the marginal likelihood
KERNEL_MEMORY = 3 << 28  # bytes of kernels at a time; half as much again is copied


class ResponseModel(nn.Module):
    """Fixed features, linear readout, output nonlinearity.

    `core` is a `V1Core` or `PixelCore`; weights (units, features) and bias (units,) are tensors. If
    `squared`, the readout predicts the square root of the count.
    """

    def __init__(self, core, weights, bias, *, squared):
        super().__init__()
        self.core, self.squared = core, squared
        self.register_buffer("weights", weights)
        self.register_buffer("bias", bias)

    def forward(self, images):
        """(n, 1, h, w) in [0, 1] -> (n, units) expected counts, not negative."""
        return self.from_features(self.core(images))

    def from_features(self, features):
        """(n, features) of the core -> (n, units)."""
        z = features @ self.weights.T + self.bias
        return F.softplus(z, beta=8).square() if self.squared else F.softplus(z, beta=4)

    def subset(self, units):
        """Return the model of some of the units; of a slice of them, without a copy."""
        units = units if isinstance(units, slice) else torch.as_tensor(list(units))
        return ResponseModel(self.core, self.weights[units], self.bias[units], squared=self.squared)


def join(models):
    """Return one model of the units of several that read the same core in the same way, in their order."""
    first = models[0]
    weights, bias = (torch.cat([getattr(model, name) for model in models]) for name in ("weights", "bias"))
    return ResponseModel(first.core, weights, bias, squared=first.squared)


# ---- fitting ------------------------------------------------------------------------------------


def fit_windowed(features, responses, core, *, more=(), windows=None):
    """Fit the v1 model to some images; nothing is chosen outside them.

    The square root of a unit's response is a Gaussian process. Its mean is what all units have in
    common, relative to their windows; its kernel is a weighted sum of one kernel for each group of
    features (and one for each group but the simple ones pooled over the window), seen through a
    window.

    1. Window: with all families alike, the marginal likelihood of every candidate (place, size,
       penalty) gives each unit a posterior; its prior is the mean of the units' posteriors
       (empirical Bayes), which is how units share what they know of places.
    2. Mean: one ridge regression for all units at once, on the features pooled over the window of
       each. It says what excites units at their places, such as contrast, which the few images tell
       a unit alone less well.
    3. Weights of the groups and of the noise: ascent on the marginal likelihood, under a Gaussian
       prior on their logarithms whose mean is that of all units.
    4. The same is done, without the mean, for the principal components of the population's
       responses, and each unit's prediction is mixed with the one that the components give for it;
       the share is the one of the least squared leave-one-out error over all units.
    5. With `more` stimuli the weights are solved for again on all of them. Each stimulus set is
       taken about its own mean, and its noise is the error with which the model of the images
       predicts it: a set that this model does not carry over to counts little.

    Parameters
    ----------
    features : (n, features) tensor
        Of `core` for the training images.
    responses : (n, units) array
        Mean counts, or their equivalent.
    core : V1Core
    more : sequence of (features, responses)
        Other stimuli, as `lib.models.training_sets` gives them.
    windows : list, optional
        Of `window_kernels` for the same images, where several sets of responses to them are fitted.
    """
    return next(fits_windowed(features, responses, core, more, [range(len(more))], windows=windows))


def fits_windowed(features, responses, core, more, choices, *, windows=None):
    """Yield the model of `fit_windowed` for each of several choices of the other stimuli.

    A choice is a sequence of positions in `more`. What the choices share, all that comes from the images and
    the kernels, is computed once.
    """
    target = _root(responses)
    mean, spread = target.mean(0), target.std(0).clamp(min=1e-6)
    z = (target - mean) / spread
    components, loadings = _components(z)
    both = torch.cat([z, components], 1)
    centred = features - features.mean(0)
    parts = _by_place(centred, core)
    seen = _expected_windows(parts, core, both, windows)
    common = _common_readout(parts, core, seen, z)
    expected = centred @ common.T
    strengths, noise, dual, left_out = _by_evidence(parts, core, seen, both - expected)
    left_out += expected
    units = z.shape[1]
    mix = _best_mix(z, left_out[:, :units], left_out[:, units:] @ loadings)
    weights = _primal(parts, core, seen, dual[..., None] * strengths[:, None])
    solved = [weights] * len(choices)
    if len(more):
        sets = [_about_mean(f, (_root(r) - mean) / spread, loadings) for f, r in more]
        sets = [(f, targets - f @ common.T) for f, targets in sets]
        solved = _solve_with(weights, centred, both - expected, noise, sets, choices, core, seen, strengths)
    for weights in solved:
        weights = weights + common
        weights = (1 - mix) * weights[:units] + mix * loadings.T @ weights[units:]
        weights = weights * spread[:, None]
        yield ResponseModel(core, weights, mean - weights @ features.mean(0), squared=True)


def fit_ridge(features, responses, core):
    """Ridge regression, each group of features scaled alike; a penalty per unit by leave-one-out.

    Arguments are as in `fit_windowed`.
    """
    y = torch.as_tensor(np.asarray(responses), dtype=torch.float32)
    mean, centred = y.mean(0), features - features.mean(0)
    parts = centred.split([int(np.prod(s)) for _, s in core.groups], dim=1)
    scale = torch.cat([torch.full((p.shape[1],), float(p.square().sum(1).mean()) ** -0.5) for p in parts])
    x = centred * scale
    weights = _ridge_dual(x @ x.T, y - mean) @ x * scale
    return ResponseModel(core, weights, mean - weights @ features.mean(0), squared=False)


def _ridge_dual(gram, y):
    """Dual weights (units, n) of ridge regressions on (n, n) inner products, by leave-one-out."""
    y = y.double()
    values, vectors = torch.linalg.eigh(gram.double())
    values = values.where(values > 1e-5 * values[-1], 0.0)  # below are the mean and rounding
    projected = vectors.T @ y
    least, best = torch.full(y.shape[1:], torch.inf), torch.zeros_like(y)
    for penalty in RIDGE_PENALTIES:
        shrunk = projected / (values + penalty)[:, None]
        free = vectors.square() @ (penalty / (values + penalty)) - 1 / len(y)  # 1 - leverage
        error = (y - vectors @ (values[:, None] * shrunk)) / free.clamp(min=1e-9)[:, None]
        error = error.square().mean(0)
        best, least = torch.where(error < least, shrunk, best), torch.minimum(error, least)
    return (vectors @ best).T.float()


def window_grid(core):
    """Places and sizes of the Gaussian windows, degrees: (n, 3) array of x, y, sigma."""
    half = [n * core.degrees_per_pixel / 2 * 0.9 for n in core.shape]
    windows = []
    for sigma in WINDOW_SIZES:
        step = 0.9 * sigma
        nx, ny = int(half[1] // step), int(half[0] // step)
        windows += [(x * step, y * step, sigma) for x in range(-nx, nx + 1) for y in range(-ny, ny + 1)]
    return np.array([*windows, (0.0, 0.0, 200.0)])


def _by_place(features, core):
    """Features (n, features) as a list of (n, channels, places), one per group."""
    sizes = [int(np.prod(shape)) for _, shape in core.groups]
    return [
        part.unflatten(1, (shape[0], -1))
        for part, (_, shape) in zip(features.split(sizes, dim=1), core.groups)
    ]


def _windowed_gram(part, weight, *, places=256):
    """Kernels (windows, n, n) of features (n, channels, places) under windows (windows, places).

    `places` are taken at a time, which bounds the memory.
    """
    total = torch.zeros(len(weight), len(part) ** 2)
    for some, w in zip(part.split(places, 2), weight.split(places, 1)):
        some = some.permute(2, 0, 1).contiguous()
        total.addmm_(w, (some @ some.transpose(1, 2)).flatten(1))
    return total.unflatten(1, (len(part), -1))


def _window_weights(places, windows):
    """(windows, places) weights of each window, of sum 1."""
    d2 = ((places[None] - windows[:, None, :2]) ** 2).sum(2)
    w = np.exp(-d2 / windows[:, 2:] ** 2) + 1e-12
    return torch.tensor(w / w.sum(1, keepdims=True), dtype=torch.float32)


def _root(responses):
    return torch.as_tensor(np.asarray(responses), dtype=torch.float32).clamp(min=0).sqrt()


def _components(z):
    """Principal components (n, q) of unit variance and their loadings (q, units); q may be 0."""
    q = min(COMPONENTS, z.shape[1] // 4)
    u, s, v = torch.linalg.svd(z, full_matrices=False)
    root = len(z) ** 0.5
    return u[:, :q] * root, s[:q, None] / root * v[:q]


def window_kernels(features, core):
    """Kernels of the candidate windows: of the images (n, features) alone, whatever is fitted to them.

    A list of eigenvalues (windows, n) and eigenvectors (windows, n, n), of some of the windows at a time.
    """
    return list(_window_kernels(_by_place(features - features.mean(0), core), core, _candidates(core)))


def _expected_windows(parts, core, z, windows=None):
    """Per group the window (targets, places) of each target, averaged over its posterior."""
    weights = _candidates(core)
    return _averaged(_window_evidence(windows or _window_kernels(parts, core, weights), z), weights)


def _candidates(core):
    """Per group the candidate windows (windows, places)."""
    return [_window_weights(places, window_grid(core)) for places in core.positions]


def _averaged(evidence, weights, *, rounds=10, uniform=0.1):
    """Per group the candidates' average (targets, places), by evidence (penalties, windows, targets).

    The prior of the candidates is learned from all targets.
    """
    flat = evidence.flatten(0, 1)
    prior = torch.full((len(flat), 1), 1 / len(flat))
    for _ in range(rounds):
        posterior = torch.softmax(flat + prior.log(), 0)
        prior = (1 - uniform) * posterior.mean(1, keepdim=True) + uniform / len(flat)
    posterior = posterior.view_as(evidence).sum(0).T
    return [posterior @ weight for weight in weights]


def _window_kernels(parts, core, weights):
    """Yield `window_kernels` of features less their mean, all families alike."""
    n = len(parts[0])
    number = {family: sum(f == family for f, _ in core.groups) for family, _ in core.groups}
    kernel = torch.zeros(len(weights[0]), n, n)
    for part, weight, (family, _) in zip(parts, weights, core.groups):
        k = _windowed_gram(part, weight)
        kernel += k / (_size(k) * number[family] * len(number))
    for some in kernel.split(64):
        yield torch.linalg.eigh(some)


def _window_evidence(kernels, z):
    """Log marginal likelihood (penalties, windows, targets) of the kernels of `window_kernels`."""
    return torch.cat([_evidence(*some, z) for some in kernels], 1)


def _evidence(values, vectors, z):
    """Log marginal likelihood (penalties, windows, targets) of kernels, by their eigenvectors."""
    n, evidence = len(z), []
    values, projected = values.clamp(min=0), (vectors.transpose(1, 2) @ z).square_()
    for penalty in PENALTIES:
        total = values + penalty
        fit = (total[:, None].reciprocal() @ projected)[:, 0] / n
        evidence.append(-0.5 * n * fit.clamp(min=1e-12).log() - 0.5 * total.log().sum(1)[:, None])
    return torch.stack(evidence)


def _common_readout(parts, core, seen, z):
    """Readout weights (targets, features) that units share, relative to their windows.

    Ridge regression of all units' responses on the pooled features, each group scaled alike. The
    penalty is that of one unit's worth of data. Targets beyond the units of `z` get weights of 0.
    """
    n, units = z.shape
    pooled = [k for k, (family, _) in enumerate(core.groups) if family in POOLED]
    scale = {k: torch.empty(units, 1, 1) for k in pooled}
    gram, product = 0, 0
    for some in torch.arange(units).split(128):  # which bounds the memory
        x = []
        for k in pooled:
            x.append(_pooled(parts[k], seen[k][some]))
            scale[k][some] = x[-1].square().mean(1).sum(1).clamp(min=1e-12).sqrt()[:, None, None]
            x[-1] /= scale[k][some]
        x = torch.cat(x, 2).flatten(0, 1)  # (units n, channels)
        gram, product = gram + x.T @ x / n, product + x.T @ z[:, some].T.flatten() / n
    shared = torch.linalg.solve(gram + torch.eye(len(gram)), product)
    rows = [torch.zeros(len(seen[0]), part[0].numel()) for part in parts]
    for k, own in zip(pooled, shared.split([parts[k].shape[1] for k in pooled])):
        rows[k][:units] = (own[:, None] * seen[k][:units, None] / scale[k]).flatten(1)
    return torch.cat(rows, 1)


def _pooled(part, weight):
    """Features (n, channels, places) summed under the windows (targets, places)."""
    return torch.einsum("ncp,up->unc", part, weight)


def _kernels(parts, core, seen):
    """Yield the kernels (targets, n, n) of each group, then of each of the families `POOLED`, pooled."""
    for part, weight in zip(parts, seen):
        yield _windowed_gram(part, weight)
    for part, weight, (family, _) in zip(parts, seen, core.groups):
        if family in POOLED:
            pooled = _pooled(part, weight)
            yield pooled @ pooled.transpose(1, 2)


def _by_evidence(parts, core, seen, z):
    """Weights of the groups and the noise by the marginal likelihood, and the solution with them.

    As many targets are taken at a time as `KERNEL_MEMORY` holds the kernels of; the first of these, which are
    spread over all, learn the prior of the rest too. Returns factors (targets, groups) on the kernels of
    `_kernels`, noise (targets,), dual weights (targets, n) and leave-one-out predictions (n, targets).
    """
    groups = len(parts) + sum(family in POOLED for family, _ in core.groups)
    n, targets = z.shape
    times = -(-targets * groups * 4 * n * n // KERNEL_MEMORY)
    strengths, noise = torch.empty(targets, groups), torch.empty(targets)
    dual, left_out, prior = torch.empty(targets, n), torch.empty_like(z), None
    for first in range(times):
        rows = torch.arange(first, targets, times)
        kernels = torch.empty(len(rows), groups, n, n)
        for k, kernel in enumerate(_kernels(parts, core, [weight[rows] for weight in seen])):
            kernels[:, k] = kernel
        scales = _size(kernels)
        shares, noise[rows], prior = _maximise_evidence(kernels.div_(scales), z[:, rows], prior)
        dual[rows], left_out[:, rows] = _solve(kernels, z[:, rows], shares, noise[rows])
        strengths[rows] = shares / scales[:, :, 0, 0]
    return strengths, noise, dual, left_out


def _size(kernels):
    """Mean diagonal of kernels (..., n, n), (..., 1, 1)."""
    return kernels.diagonal(dim1=-2, dim2=-1).mean(-1).clamp(min=1e-12)[..., None, None]


def _maximise_evidence(kernels, z, known=None):
    """Weights of the groups (targets, groups), of the noise (targets,), and the prior mean of the former.

    See `fit_windowed`; a prior mean that is `known` is not learned again.
    """
    targets, groups = kernels.shape[:2]
    prior = torch.full((groups,), 0.7 / groups).log() if known is None else known
    noise_prior = float(np.log(0.5))
    log_share = prior.repeat(targets, 1)
    log_noise = torch.full((targets,), noise_prior)
    optimiser = torch.optim.Adam([log_share, log_noise], lr=RATE)
    rows, columns = torch.tril_indices(*kernels.shape[2:])
    flat, y = kernels[..., rows, columns], z.T[..., None]  # half of each, for they are symmetric
    twice = 2.0 - (rows == columns).float()
    covariance = torch.zeros_like(kernels[:, 0])
    for step in range(STEPS):
        share, noise = log_share.exp(), log_noise.exp()
        covariance[:, rows, columns] = (share[:, None] @ flat)[:, 0]
        inverse = _inverse(covariance, noise)
        dual = inverse @ y
        slope = 0.5 * (inverse - dual @ dual.transpose(1, 2))
        lower = slope[:, rows, columns] * twice
        log_share.grad = (flat @ lower[..., None])[..., 0] * share
        log_share.grad += (log_share - prior) / PRIOR_SPREAD**2
        log_noise.grad = slope.diagonal(dim1=1, dim2=2).sum(1) * noise + 0.5 * (log_noise - noise_prior)
        optimiser.step()
        if step % 4 == 3 and known is None:
            prior = log_share.mean(0)
    return log_share.exp(), log_noise.exp(), prior


def _inverse(covariance, noise):
    """Inverses of covariances (targets, n, n) plus noise (targets,); only their lower halves are read."""
    covariance.diagonal(dim1=1, dim2=2).add_(noise[:, None])
    return torch.cholesky_inverse(torch.linalg.cholesky(covariance))


def _solve(kernels, z, shares, noise):
    """Dual weights (targets, n) and leave-one-out predictions (n, targets)."""
    inverse = _inverse((shares[:, None] @ kernels.flatten(2)).view_as(kernels[:, 0]), noise)
    dual = (inverse @ z.T[..., None])[..., 0]
    return dual, z - (dual / inverse.diagonal(dim1=1, dim2=2)).T


def _best_mix(z, own, shared):
    """Share of the components' predictions that has the least squared error, 0 to 1."""
    apart = shared - own
    power = apart.square().sum()
    return float(((z - own) * apart).sum().div(power).clamp(0, 1)) if power > 0 else 0.0


def _primal(parts, core, seen, dual):
    """Readout weights (targets, features) from dual weights (targets, n, groups)."""
    weights, pooled = [], len(parts)
    for k, (part, weight, (family, _)) in enumerate(zip(parts, seen, core.groups)):
        channels, weight = part.shape[1], weight[:, None]
        row = (dual[..., k] @ part.flatten(1)).unflatten(1, (channels, -1)) * weight
        if family in POOLED:
            shared = (dual[..., pooled] @ part.flatten(1)).unflatten(1, (channels, -1))
            row += (shared * weight).sum(2, keepdim=True) * weight
            pooled += 1
        weights.append(row.flatten(1))
    return torch.cat(weights, 1)


def _about_mean(features, z, loadings):
    """Features and targets (units and components) of a stimulus set, less their means."""
    z = z - z.mean(0)
    components = z @ torch.linalg.pinv(loadings) if len(loadings) else z[:, :0]
    return features - features.mean(0), torch.cat([z, components], 1)


def _solve_with(weights, centred, z, noise, sets, choices, core, seen, strengths):
    """Yield readout weights (targets, features) from the images and each choice of the stimulus sets."""
    x = torch.cat([centred, *(features for features, _ in sets)])
    y = torch.cat([z, *(targets for _, targets in sets)])
    variance = [noise.expand(len(z), -1)]
    for features, targets in sets:
        error = (targets - features @ weights.T).square().mean(0)
        variance.append(torch.maximum(error, noise).expand(len(targets), -1))
    of_set = torch.cat([torch.full((len(v),), k - 1) for k, v in enumerate(variance)])
    covariance = torch.diag_embed(torch.cat(variance).T)
    for kernel, strength in zip(_kernels(_by_place(x, core), core, seen), strengths.T):
        covariance += strength[:, None, None] * kernel
    for choice in choices:
        rows = torch.isin(of_set, torch.tensor([-1, *choice]))
        factor = torch.linalg.cholesky(covariance[:, rows][:, :, rows])
        dual = torch.cholesky_solve(y[rows].T[..., None], factor)
        yield _primal(_by_place(x[rows], core), core, seen, dual * strengths[:, None])
