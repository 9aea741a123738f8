"""Figures that may tell a right MEI from a wrong one, beside those of the report: candidates to choose among.

The response model of a unit is a Gaussian process: it says itself how sure it is of the MEI.
"""

import numpy as np
import torch

from lib.mei import verdict
from lib.models import crossvalidation, v1
from lib.models.ensemble import SideBySide, predicted_responses

SAMPLES, NEAREST = 3, 10


class Posterior:
    """The v1 model fitted to all images, with what its Gaussian processes do not know.

    Parameters
    ----------
    features : (images, features) tensor
    responses : (images, units) array
    core : V1Core
    """

    def __init__(self, features, responses, core):
        target = v1._root(responses)
        self.core, self.features = core, features
        self.mean, self.spread = target.mean(0), target.std(0).clamp(min=1e-6)
        z = (target - self.mean) / self.spread
        self.centre = features.mean(0)
        self.centred = features - self.centre
        parts = v1._by_place(self.centred, core)
        both = torch.cat([z, v1._components(z)[0]], 1)
        units = slice(z.shape[1])
        self.seen = [weight[units] for weight in v1._expected_windows(parts, core, both)]
        self.common = v1._common_readout(parts, core, self.seen, z)
        self.rest = z - self.centred @ self.common.T
        self.strengths, self.noise, dual, self.left_out = v1._by_evidence(parts, core, self.seen, self.rest)
        self.left_out = self.left_out + self.centred @ self.common.T
        self.z = z
        self.weights = v1._primal(parts, core, self.seen, dual[..., None] * self.strengths[:, None])

    def model(self, weights):
        """`ResponseModel` of readout weights (units, features) of the standardised root of the counts."""
        weights = (weights + self.common) * self.spread[:, None]
        bias = self.mean - weights @ self.centre
        return v1.ResponseModel(self.core, weights, bias, kind="v1", squared=True).eval()

    def kernel(self, unit, features):
        """(n, n) of the features (n, features), less their mean over the images."""
        parts = v1._by_place(features - self.centre, self.core)
        kernels = v1._kernels(parts, self.core, [weight[[unit]] for weight in self.seen])
        return sum(s * k[0] for s, k in zip(self.strengths[unit], kernels)).double()

    def sample(self, seed):
        """Readout weights (units, features) drawn from the posterior, by Matheron's rule."""
        generator = torch.Generator("cpu").manual_seed(seed)
        drawn, pooled = [], len(self.core.groups)

        def normal(*size):
            drawn = torch.randn(size, generator=generator, device="cpu")
            return drawn.to(self.centred.device)

        units = len(self.noise)
        for k, ((family, shape), weight) in enumerate(zip(self.core.groups, self.seen)):
            weight = weight[:, None]
            own = (self.strengths[:, k, None, None] * weight).sqrt() * normal(
                units, shape[0], weight.shape[2]
            )
            if family in v1.POOLED:
                own += self.strengths[:, pooled, None, None].sqrt() * weight * normal(units, shape[0], 1)
                pooled += 1
            drawn.append(own.flatten(1))
        drawn = torch.cat(drawn, 1)
        missed = self.rest - self.centred @ drawn.T
        missed -= self.noise.sqrt() * normal(*self.rest.shape)
        dual = torch.stack(
            [
                torch.linalg.solve(
                    self.kernel(u, self.features) + float(self.noise[u]) * torch.eye(len(missed)).double(),
                    missed[:, u].double(),
                ).float()
                for u in range(units)
            ]
        )
        parts = v1._by_place(self.centred, self.core)
        return drawn + v1._primal(parts, self.core, self.seen, dual[..., None] * self.strengths[:, None])


def posterior_figures(posterior, meis, grey, units):
    """What the Gaussian process of each unit says of its MEI; a dict of (units,) arrays."""
    with torch.no_grad():
        at = posterior.core(torch.as_tensor(np.concatenate([meis, grey]))[:, None])
    rows = []
    for mei, unit in zip(at[:-1], units):
        covariance = posterior.kernel(unit, torch.cat([posterior.features, mei[None], at[-1:]]))
        known, noise, n = covariance[:-2, :-2], float(posterior.noise[unit]), len(posterior.features)
        across = covariance[:-2, -2:]
        inverse = torch.linalg.inv(known + noise * torch.eye(n).double())
        prior = covariance[-2:, -2:]
        left = prior - across.T @ inverse @ across
        weights = (posterior.weights + posterior.common)[unit]
        rise = float((mei - at[-1]) @ weights)
        contrast = torch.tensor([1.0, -1.0]).double()
        like = across[:, 0] / (known.diagonal() * prior[0, 0]).clamp(min=1e-12).sqrt()
        near = like.topk(NEAREST).indices
        error = (posterior.z - posterior.left_out)[:, unit]
        families = {"simple": 0.0, "complex": 0.0}
        sizes = [int(np.prod(shape)) for _, shape in posterior.core.groups]
        for (family, _), part in zip(posterior.core.groups, ((mei - at[-1]) * weights).split(sizes)):
            families[family] = families.get(family, 0.0) + float(part.sum())
        top = posterior.left_out[:, unit].topk(NEAREST).indices
        best = posterior.z[:, unit].topk(NEAREST).values.mean()
        rows.append(
            {
                "gp_left": float(left[0, 0] / prior[0, 0]),
                "gp_left_of_rise": float((contrast @ left @ contrast) / (contrast @ prior @ contrast)),
                "gp_sd_over_rise": float((contrast @ left @ contrast).clamp(min=0).sqrt()) / max(rise, 1e-3),
                "gp_sd": float(left[0, 0].clamp(min=0).sqrt()),
                "gp_rise": rise,
                "gp_noise": noise,
                "nearest_likeness": float(like[near].mean()),
                "near_error": float(error[near].square().mean()),
                "near_bias": float(error[near].mean()),
                "near_response": float(posterior.z[near, unit].mean()),
                "top_lift": float(posterior.z[top, unit].mean() / best),
                "gp_cc": float(
                    np.corrcoef(posterior.z[:, unit].cpu(), posterior.left_out[:, unit].cpu())[0, 1]
                ),
                "simple_part": families["simple"] / max(rise, 1e-3),
                "complex_part": families["complex"] / max(rise, 1e-3),
                "window_size": 1 / float((posterior.seen[0][unit] ** 2).sum()),
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def sample_figures(samples, climb, meis, grey, units, *, degrees):
    """Share of each sampled model's own best rise that the MEI draws: mean and least over samples.

    Parameters
    ----------
    samples : list of ResponseModel
        Of all units, drawn from their posterior.
    climb : function
        (model, starts) to a `MEIResult`.
    """
    own = np.arange(len(units))
    drawn = [sample.subset(units) for sample in samples]
    best = climb(SideBySide(drawn), ("grey",)).best_images.reshape(len(drawn), len(units), *grey.shape[1:])
    shares = np.array([share(model, meis, b, grey)[own] for model, b in zip(drawn, best)])
    energy = [np.mean([energy_correlation(m, b[u], degrees) for b in best]) for u, m in enumerate(meis)]
    return {
        "sample_share": shares.mean(0),
        "sample_share_least": shares.min(0),
        "sample_energy_correlation": np.array(energy),
    }


def energy_correlation(one, other, degrees):
    """Of the local energies of two images."""
    return verdict.agreement(np.stack([one, other]), np.ones(2), degrees_per_pixel=degrees)[
        "energy_correlation"
    ]


def share(judge, images, best, grey):
    """What a judge's responses (units,) to images rise, over the rise to that judge's own best."""
    own = np.arange(len(images))
    a, b = (predicted_responses(judge, x)[own, own] for x in (images, best))
    zero = predicted_responses(judge, grey)[0]
    return (a - zero) / np.maximum(b - zero, 1e-6)


def other_kinds(images, counts, features, core, *, seed, folds, degrees_per_pixel):
    """(model of the same features without windows, out-of-fold correlation of one linear in the pixels)."""
    recorded = counts.mean(0)
    plain = v1.fit_ridge(features, recorded, core, kind="gabor_ridge").eval()
    linear = crossvalidation.cross_validate(
        images, counts, model="ridge", folds=folds, seed=seed, degrees_per_pixel=degrees_per_pixel
    )
    return plain, crossvalidation.prediction_scores(linear.predictions, counts, resamples=10)


def shape_figures(meis, *, degrees_per_pixel):
    """How far MEIs are spread over the image, and their mean frequency (cycles per degree)."""
    rows = []
    for mei in meis:
        power = (mei - mei.mean(dtype=float)) ** 2
        sorted_power = np.sort(power.ravel())[::-1].cumsum() / power.sum()
        area = (np.searchsorted(sorted_power, 0.8) + 1) * degrees_per_pixel**2
        spectrum = np.abs(np.fft.fft2(mei - mei.mean(dtype=float))) ** 2
        f = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in mei.shape), indexing="ij"))
        rows.append((area, (f * spectrum).sum() / spectrum.sum() / degrees_per_pixel))
    area, frequency = np.array(rows).T
    return {"mei_area": area, "mei_frequency": frequency}
