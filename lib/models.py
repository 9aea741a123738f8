"""Response models: images to expected spike counts of units, differentiable down to the pixels.

Kinds, all modules from images to the counts of units:

v1
    The default. A fixed bank of filters as in primary visual cortex (`V1Core`: linear and energy
    channels of Gabors in six sizes and eight orientations, low-pass luminance, local contrast), read
    through a Gaussian window. Place and size of the window, the mix of channels and the penalty are
    averaged by their marginal likelihood, with a prior over them that is learned from all units.
    Closed form; the outcome is one weight for each channel and place, so the model is a network of
    one convolutional layer, a nonlinearity and a linear readout.
gabor_ridge
    The same features without window, one penalty per unit.
ridge
    Pixels, smoothed and coarse; one penalty per unit (a linear-nonlinear model).
shared, published
    The network of the original report, from scratch (`lib.network`).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WAVELENGTHS = (8.0, 12.0, 18.0, 27.0, 40.0, 60.0)  # degrees
ORIENTATIONS = 8
BLURS = (4.0, 8.0, 16.0)  # degrees: of luminance and local contrast
PENALTIES = 10.0 ** np.arange(-2, 1.6, 0.5)
WINDOW_SIZES = (7.0, 12.0, 20.0, 36.0)  # degrees
FAMILIES = ("linear", "energy", "luminance", "contrast")
MIXES = np.array([[0.25, 0.25, 0.25, 0.25], [0.15, 0.35, 0.15, 0.35], [0.9, 0.1, 0.0, 0.0],
                  [0.1, 0.8, 0.0, 0.1]])
SAMPLES_PER_WAVE = 2.5


class V1Core(nn.Module):
    """Fixed V1-like features of an image, grouped by family and scale.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the images.
    degrees_per_pixel : float

    Attributes
    ----------
    groups : list of (family, shape)
        In the order of the features; shape is (channels, rows, columns).
    positions : list of (n, 2) arrays
        Degrees, x and y of the places of each group.
    """

    def __init__(self, shape, *, degrees_per_pixel):
        super().__init__()
        self.shape, self.degrees_per_pixel = tuple(shape), float(degrees_per_pixel)
        self.scales, self.groups, self.positions = [], [], []
        for k, wavelength in enumerate(WAVELENGTHS):
            level = max(0, int(np.log2(max(wavelength / degrees_per_pixel / 5, 1))))
            size = tuple(max(4, round(n / 2**level)) for n in shape)
            pixel = degrees_per_pixel * shape[0] / size[0]
            stride = max(1, round(wavelength / pixel / SAMPLES_PER_WAVE))
            self.register_buffer(f"gabors_{k}", gabor_bank(wavelength / pixel, size))
            self.scales.append((size, stride))
            rows, places = _places(size, stride, pixel)
            self.groups += [("linear", (2 * ORIENTATIONS, *rows)), ("energy", (ORIENTATIONS, *rows))]
            self.positions += [places, places]
        for k, blur in enumerate(BLURS):
            sigma = blur / degrees_per_pixel
            self.register_buffer(f"blur_{k}", _gaussian(sigma, min(shape)))
            rows, places = _places(shape, max(1, round(sigma / 1.5)), degrees_per_pixel)
            self.groups += [("luminance", (1, *rows)), ("contrast", (1, *rows))]
            self.positions += [places, places]

    def forward(self, images):
        """(n, 1, h, w) -> (n, features)."""
        x, parts = images - 0.5, []
        for k, (size, stride) in enumerate(self.scales):
            small = x if size == self.shape else F.interpolate(x, size=size, mode="area")
            bank = getattr(self, f"gabors_{k}")
            top, left = ((n - 1) % stride // 2 for n in size)
            padded = _pad(small, bank.shape[-1] // 2)[:, :, top:, left:]
            out = F.conv2d(padded, bank, stride=stride)
            pairs = out.unflatten(1, (ORIENTATIONS, 2))
            parts += [out.flatten(1), (pairs.square().sum(2) + 1e-6).sqrt().flatten(1)]
        for k, blur in enumerate(BLURS):
            kernel = getattr(self, f"blur_{k}")
            stride = max(1, round(blur / self.degrees_per_pixel / 1.5))
            low = _blur(x, kernel)
            contrast = (_blur((x - low).square(), kernel) + 1e-6).sqrt()
            parts += [y[:, 0, (y.shape[2] - 1) % stride // 2::stride,
                        (y.shape[3] - 1) % stride // 2::stride].flatten(1) for y in (low, contrast)]
        return torch.cat(parts, 1)


class PixelCore(nn.Module):
    """Coarse, smooth pixels: features of the linear model. Arguments as `V1Core`."""

    def __init__(self, shape, *, degrees_per_pixel):
        super().__init__()
        self.shape, self.degrees_per_pixel = tuple(shape), float(degrees_per_pixel)
        self.size = tuple(max(4, round(n * degrees_per_pixel / 3.5)) for n in shape)
        self.groups = [("linear", (1, *self.size))]
        self.positions = [_places(self.size, 1, degrees_per_pixel * shape[0] / self.size[0])[1]]

    def forward(self, images):
        """(n, 1, h, w) -> (n, features)."""
        return F.interpolate(images - 0.5, size=self.size, mode="area").flatten(1)


CORES = {"v1": V1Core, "gabor_ridge": V1Core, "ridge": PixelCore}


class ResponseModel(nn.Module):
    """Fixed features, linear readout, output nonlinearity.

    Parameters
    ----------
    core : module
        `V1Core` or `PixelCore`.
    weights : (units, features) tensor
    bias : (units,) tensor
    kind : str
    squared : bool
        The readout predicts the square root of the count.
    """

    def __init__(self, core, weights, bias, *, kind, squared):
        super().__init__()
        self.core, self.kind, self.squared = core, kind, squared
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
        """Return the model of some of the units."""
        units = torch.as_tensor(list(units))
        return ResponseModel(self.core, self.weights[units], self.bias[units], kind=self.kind,
                             squared=self.squared)


class MeanModel(nn.Module):
    """Mean prediction of models of one kind; features are computed once for all of them."""

    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images):
        """(n, 1, h, w) -> (n, units)."""
        if isinstance(self.members[0], ResponseModel):
            features = self.members[0].core(images)
            return torch.stack([m.from_features(features) for m in self.members]).mean(0)
        return torch.stack([m(images) for m in self.members]).mean(0)


def gabor_bank(wavelength, size):
    """Quadrature pairs of Gabors without DC, of unit norm.

    Parameters
    ----------
    wavelength : float, pixels
    size : (int, int)
        Of the images, which bounds the filters.

    Returns
    -------
    (2 orientations, 1, k, k) tensor
    """
    sigma = 0.5 * wavelength
    radius = min(int(np.ceil(2.5 * sigma)), min(size) - 1)
    y, x = np.mgrid[radius:-radius - 1:-1, -radius:radius + 1].astype(float)
    window = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    bank = []
    for angle in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
        phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength
        even = window * (np.cos(phase) - (window * np.cos(phase)).sum() / window.sum())
        odd = window * np.sin(phase)
        bank += [even / np.linalg.norm(even), odd / np.linalg.norm(odd)]
    return torch.tensor(np.array(bank)[:, None], dtype=torch.float32)


def fit_windowed(features, responses, core, *, kind="v1", mixes=MIXES, squared=True):
    """Fit the v1 model to some images: closed form, nothing chosen outside them.

    Each candidate (window, mix of feature families, penalty) is a Gaussian process whose kernel is
    the mix of the windowed families' kernels. A unit's prediction is the average over candidates,
    weighted by their marginal likelihood times a prior over candidates; the prior is the mean of
    the units' weights (empirical Bayes), which is how units share what they know.

    Parameters
    ----------
    features : (n, features) tensor
        Of `core` for the training images.
    responses : (n, units) array
        Mean counts, or their equivalent.
    core : module
    mixes : (m, 4) array
        Shares of `FAMILIES`.
    squared : bool
        Fit the square root of the responses.

    Returns
    -------
    ResponseModel
    """
    y = torch.as_tensor(np.asarray(responses), dtype=torch.float32)
    target = y.clamp(min=0).sqrt() if squared else y
    mean, spread = target.mean(0), target.std(0).clamp(min=1e-6)
    z = (target - mean) / spread
    centred = features - features.mean(0)
    windows = window_grid(core)
    kernels, scales = _family_kernels(centred, core, windows)
    evidence, duals = _evidence(kernels, z, mixes)
    posterior = _posterior(evidence)
    weights = _primal(centred, core, windows, scales, duals, posterior, mixes)
    weights = weights * spread[:, None]
    return ResponseModel(core, weights, mean - weights @ features.mean(0), kind=kind,
                         squared=squared)


def fit_ridge(features, responses, core, *, kind, penalties=10.0 ** np.arange(-2, 4.1, 0.5)):
    """Ridge regression, each group of features scaled alike; a penalty per unit by leave-one-out.

    Parameters as `fit_windowed`.
    """
    y = torch.as_tensor(np.asarray(responses), dtype=torch.float32)
    mean, centred = y.mean(0), features - features.mean(0)
    parts = centred.split([int(np.prod(s)) for _, s in core.groups], dim=1)
    scale = torch.cat([torch.full((p.shape[1],), float(p.square().sum(1).mean()) ** -0.5)
                       for p in parts])
    x = centred * scale
    values, vectors = torch.linalg.eigh(x @ x.T)
    values, projected = values.clamp(min=0), vectors.T @ (y - mean)
    errors, duals = [], []
    for penalty in penalties:
        hat = vectors * (values / (values + penalty)) @ vectors.T
        residual = (y - mean) - hat @ (y - mean)
        errors.append((residual / (1 - hat.diagonal() - 1 / len(y)).clamp(min=1e-3)[:, None])
                      .square().mean(0))
        duals.append(vectors @ (projected / (values + penalty)[:, None]))
    best = torch.stack(errors).argmin(0)
    dual = torch.stack(duals)[best, :, torch.arange(y.shape[1])]
    weights = dual @ x * scale
    return ResponseModel(core, weights, mean - weights @ features.mean(0), kind=kind, squared=False)


def window_grid(core):
    """Places and sizes of the Gaussian windows, degrees: (n, 3) array of x, y, sigma."""
    half = [n * core.degrees_per_pixel / 2 * 0.9 for n in core.shape]
    windows = []
    for sigma in WINDOW_SIZES:
        step = 0.9 * sigma
        nx, ny = int(half[1] // step), int(half[0] // step)
        windows += [(x * step, y * step, sigma) for x in range(-nx, nx + 1)
                    for y in range(-ny, ny + 1)]
    return np.array([*windows, (0.0, 0.0, 200.0)])


def _places(size, stride, pixel):
    """Rows and columns of a strided map, and their positions in degrees (n, 2), y up."""
    row = np.arange((size[0] - 1) % stride // 2, size[0], stride)
    column = np.arange((size[1] - 1) % stride // 2, size[1], stride)
    y, x = np.meshgrid(((size[0] - 1) / 2 - row) * pixel, (column - (size[1] - 1) / 2) * pixel,
                       indexing="ij")
    return (len(row), len(column)), np.stack([x.ravel(), y.ravel()], 1)


def _gaussian(sigma, limit):
    radius = min(int(np.ceil(2.5 * sigma)), limit - 1)
    weights = torch.exp(-torch.arange(-radius, radius + 1.0) ** 2 / (2 * sigma**2))
    return weights / weights.sum()


def _pad(x, radius):
    return F.pad(x, (radius,) * 4, mode="reflect")


def _blur(x, kernel):
    """Separable Gaussian blur."""
    x = _pad(x, len(kernel) // 2)
    return F.conv2d(F.conv2d(x, kernel[None, None, None]), kernel[None, None, :, None])


def _window_weights(core, windows):
    """Per group the (windows, places) weights of each window, of sum 1."""
    out = []
    for places in core.positions:
        d2 = ((places[None] - windows[:, None, :2]) ** 2).sum(2)
        w = np.exp(-d2 / windows[:, 2:] ** 2) + 1e-12
        out.append(torch.tensor(w / w.sum(1, keepdims=True), dtype=torch.float32))
    return out


def _by_place(features, core):
    """Features (n, features) as a list of (n, channels, places), one a group."""
    sizes = [int(np.prod(shape)) for _, shape in core.groups]
    return [part.unflatten(1, (shape[0], -1)) for part, (_, shape) in
            zip(features.split(sizes, dim=1), core.groups)]


def _family_kernels(centred, core, windows):
    """Kernels (families, windows, n, n), each group of unit mean diagonal; the groups' scales."""
    n = len(centred)
    kernels = torch.zeros(len(FAMILIES), len(windows), n, n)
    scales = []
    for part, weight, (family, _) in zip(_by_place(centred, core), _window_weights(core, windows),
                                         core.groups):
        gram = torch.einsum("ncp,mcp->pnm", part, part).flatten(1)
        k = (weight @ gram).view(len(windows), n, n)
        members = sum(name == family for name, _ in core.groups)
        scale = 1 / (k.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12) * members)
        kernels[FAMILIES.index(family)] += k * scale[:, None, None]
        scales.append(scale)
    return kernels, scales


def _evidence(kernels, z, mixes):
    """Log marginal likelihood (mixes, penalties, windows, units) and what the duals need."""
    n, evidence, factors = len(z), [], []
    for mix in mixes:
        kernel = torch.einsum("f,fwnm->wnm", torch.tensor(mix, dtype=torch.float32), kernels)
        values, vectors = torch.linalg.eigh(kernel)
        values, projected = values.clamp(min=0), vectors.transpose(1, 2) @ z
        rows = []
        for penalty in PENALTIES:
            total = values + penalty
            fit = (projected.square() / total[..., None]).sum(1) / n
            rows.append(-0.5 * n * fit.clamp(min=1e-12).log() - 0.5 * total.log().sum(1)[:, None])
        evidence.append(torch.stack(rows))
        factors.append((values, vectors, projected))
    return torch.stack(evidence), factors


def _posterior(evidence, *, rounds=10, uniform=0.1, negligible=1e-3):
    """Weights of the candidates for every unit, under a prior learned from all units."""
    flat = evidence.flatten(0, 2)
    prior = torch.full((len(flat), 1), 1 / len(flat))
    for _ in range(rounds):
        weight = torch.softmax(flat + prior.log(), 0)
        prior = (1 - uniform) * weight.mean(1, keepdim=True) + uniform / len(flat)
    weight = torch.where(weight < negligible * weight.amax(0), 0.0, weight)
    return (weight / weight.sum(0)).view_as(evidence)


def _primal(centred, core, windows, scales, factors, posterior, mixes):
    """Readout weights (units, features) of the averaged candidates."""
    weights = _window_weights(core, windows)
    parts = _by_place(centred, core)
    out = torch.empty(posterior.shape[-1], centred.shape[1])
    penalties = torch.tensor(PENALTIES, dtype=torch.float32)
    for unit in range(len(out)):
        used = posterior[..., unit].sum((0, 1)).nonzero()[:, 0]
        duals = torch.stack([
            (vectors[used] @ ((posterior[m][:, used, unit].T[:, None] / (
                values[used][..., None] + penalties)).sum(-1) * projected[used, :, unit])[..., None])
            [..., 0] for m, (values, vectors, projected) in enumerate(factors)])  # (m, used, n)
        row = []
        for (family, _), part, weight, scale in zip(core.groups, parts, weights, scales):
            share = torch.tensor(mixes[:, FAMILIES.index(family)], dtype=torch.float32)
            dual = torch.einsum("m,mwn->wn", share, duals) * scale[used, None]
            row.append(torch.einsum("pn,ncp->cp", weight[used].T @ dual, part).flatten())
        out[unit] = torch.cat(row)
    return out
