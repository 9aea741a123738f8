"""The fold models of one unit: some make its stimuli, the others judge them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.files import required
from lib.models import crossvalidation, own
from lib.models.v1 import ResponseModel, join
from lib.stimuli.contrast import Target

HALVES = "halves"  # folder of the models of the two halves of the scenes, beside the fold models


def load_members(run_folder: Path | str, kind: str, *, column: int) -> list[nn.Module]:
    """Return the fold models of a run (`build/<name>`) for one unit, each images (n, 1, h, w) -> (n, 1).

    `kind` is such as v1, `column` the position of the unit among those the models were fitted to.
    `InputError` with the command that makes the models if they are not there.
    """
    return load_models(run_folder, kind, units=[column])


def load_models(run_folder: Path | str, kind: str, *, units: Sequence[int] | None = None) -> list[nn.Module]:
    """Return the fold models of a run for some units (positions), all by default; see `load_members`."""
    folder = required(Path(run_folder) / "models" / kind, "04_cnn")
    if kind == own.KIND:
        return own.load_members(folder, units)
    return crossvalidation.load_ensemble(folder, units=units).models


def load_halves(run_folder: Path | str, kind: str, *, column: int) -> list[nn.Module]:
    """Return the models of the two halves of the scenes for one unit; none for other kinds than v1."""
    folder = Path(run_folder) / "models" / kind / HALVES
    return crossvalidation.load_ensemble(folder, units=[column]).models if folder.exists() else []


def split_members(members: list[nn.Module]) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return (makers, judges): every other fold model; one model alone is both."""
    return (members[::2], members[1::2]) if len(members) > 1 else (members, members)


class MeanModel(nn.Module):
    """Mean prediction of models of one kind; readouts of a core that they share are one matrix product."""

    def __init__(self, members):
        super().__init__()
        self.members, self.joined = nn.ModuleList(members), None
        if all(isinstance(member, ResponseModel) for member in members):
            self.joined = join(members)
            units = self.joined.bias.chunk(len(members))
            self.members = nn.ModuleList(
                self.joined.subset(slice(k * len(part), (k + 1) * len(part))) for k, part in enumerate(units)
            )

    def each(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """(n, 1, h, w) -> sequence of (n, units), one per member."""
        if self.joined is not None:
            return self.joined(images).chunk(len(self.members), 1)
        return [member(images) for member in self.members]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, units)."""
        return torch.stack(self.each(images)).mean(0)


class SideBySide(MeanModel):
    """Predictions of all members beside one another."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, members * units), the units of one member together."""
        return torch.cat(self.each(images), 1)


def sensitivity(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Where in the image the prediction depends on pixels: (h, w), 1 at the most sensitive pixel.

    Root mean square over images (n, h, w) of the response's gradient at each pixel; all 0 if the prediction
    does not depend on the image. The model gives (n, 1), such as the `MeanModel` of the members.
    """
    x = torch.as_tensor(images, dtype=torch.float32)[:, None].requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    root = gradient[:, 0].square().mean(0).sqrt().numpy(force=True)
    return root / root.max() if root.max() > 0 else root


def centre_of_mass(weights: np.ndarray, *, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the weighted mean position (degrees) of a map on the grid x, y."""
    total = weights.sum()
    return float((weights * x).sum() / total), float((weights * y).sum() / total)


def predicted_responses(
    model: nn.Module | list[nn.Module],
    images: np.ndarray,
    *,
    units: Sequence[int] | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Responses (n, units), float32, of a module, or the mean of an ensemble's, to images (n, h, w).

    Examples
    --------
    >>> mean_luminance = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # a model of one unit
    >>> predicted_responses(mean_luminance, np.array([np.zeros((2, 3)), np.ones((2, 3))])).tolist()
    [[0.0], [1.0]]
    """
    model = one_model(model).eval()
    images = torch.as_tensor(np.asarray(images, np.float32))[:, None]
    with torch.no_grad():
        out = torch.cat([model(part) for part in images.split(batch_size)]).numpy(force=True)
    return out if units is None else out[:, np.asarray(units)]


def predicted_means(model, frames) -> np.ndarray:
    """Mean predictions (k, units) over the frames (k, f, h, w) of stimuli, such as the phases of a drift."""
    k, f, h, w = np.shape(frames)
    return predicted_responses(model, np.reshape(frames, (k * f, h, w))).reshape(k, f, -1).mean(axis=1)


def white_noise(n: int, shape: tuple[int, int], *, seed: int) -> torch.Tensor:
    """Return n images (n, 1, h, w) of white noise, the same on every device."""
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn((n, 1, *shape), generator=generator, device="cpu")
    return noise.to(torch.get_default_device())


def check_model(
    model: nn.Module | list[nn.Module],
    shape: tuple[int, int],
    target: Target,
    *,
    units: Sequence[int] | None = None,
) -> int:
    """Return the number of a model's units; raise one clear ValueError if it cannot be optimised over.

    Checked: the `Target`'s mean and contrast against its range; a torch module (or a list of them) in
    evaluation mode, that takes (2, 1, h, w), gives (2, units), finite, with a gradient.
    """
    target.check()
    probe = (target.mean + target.contrast * white_noise(2, shape, seed=0)).clamp(*target.value_range)
    whole = one_model(model)
    members = whole.members if isinstance(model, (list, tuple)) else [whole]
    counts = [_check_member(member, probe) for member in members]
    if len(set(counts)) != 1:
        raise ValueError(f"ensemble members give {counts} units, expected the same number each")
    if units is not None and not all(0 <= u < counts[0] for u in units):
        raise ValueError(f"units {list(units)} not all in 0..{counts[0] - 1}, the model's outputs")
    return counts[0]


def _check_member(model, probe) -> int:
    if any(module.training for module in model.modules()):
        raise ValueError("the model is in training mode, expected evaluation: call model.eval()")
    shape = tuple(probe.shape)
    try:
        out = model(probe.requires_grad_(True))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the model fails on images of shape {shape}: {reason}") from None
    if not torch.is_tensor(out) or out.ndim != 2 or len(out) != 2:
        got = tuple(out.shape) if torch.is_tensor(out) else type(out).__name__
        raise ValueError(f"the model gives {got} for 2 images, expected the shape (2, units)")
    if not torch.isfinite(out).all():
        raise ValueError("the model gives non-finite responses to noise: check its weights")
    if not out.requires_grad or torch.autograd.grad(out.sum(), probe, allow_unused=True)[0] is None:
        raise ValueError(
            "the response has no gradient with respect to the image: take detach(), "
            "no_grad and numpy out of the model's forward"
        )
    return out.shape[1]


def one_model(model: nn.Module | list[nn.Module]) -> nn.Module:
    """Return a module as it is, and a list of modules as their `MeanModel`; ValueError for anything else."""
    members = list(model) if isinstance(model, (list, tuple)) else [model]
    if not members or not all(isinstance(member, nn.Module) for member in members):
        raise ValueError("model is neither a torch module nor a list of them: pass one")
    return MeanModel(members) if isinstance(model, (list, tuple)) else model
