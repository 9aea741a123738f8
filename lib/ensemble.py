"""The fold models of one unit: some make its stimuli, the others judge them."""

from pathlib import Path

import torch

from lib import crossvalidation, models
from lib.session import required


def load_members(run_folder, kind, *, column):
    """Return the fold models of a run for one unit, each images (n, 1, h, w) -> (n, 1).

    Parameters
    ----------
    run_folder : Path
        `build/<name>`.
    kind : str
        Such as v1.
    column : int
        Position of the unit among those the models were fitted to.

    Raises
    ------
    InputError
        If the models are not there: one line that names the command.
    """
    folder = required(Path(run_folder) / "models" / kind, "04_cnn")
    return crossvalidation.load_ensemble(folder, units=[column]).models


def split_members(members):
    """Return (makers, judges): every other fold model; one model alone is both."""
    return (members[::2], members[1::2]) if len(members) > 1 else (members, members)


class SideBySide(torch.nn.Module):
    """Responses of all members beside one another; a core that they share is computed once."""

    def __init__(self, members):
        super().__init__()
        self.members = torch.nn.ModuleList(members)

    def forward(self, images):
        """(n, 1, h, w) -> (n, members * units), the units of one member together."""
        if all(isinstance(m, models.ResponseModel) for m in self.members):
            features = self.members[0].core(images)
            return torch.cat([m.from_features(features) for m in self.members], 1)
        return torch.cat([m(images) for m in self.members], 1)


def sensitivity(model, images):
    """Where in the image the prediction depends on pixels.

    Root mean square over images of the response's gradient at each pixel.

    Parameters
    ----------
    model : module
        Images (n, 1, h, w) -> (n, 1), such as the `MeanModel` of the members.
    images : ndarray, (n, h, w)

    Returns
    -------
    ndarray, (h, w)
        1 at the most sensitive pixel; all 0 if the prediction does not depend on the image.
    """
    x = torch.as_tensor(images, dtype=torch.float32)[:, None].requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    root = gradient[:, 0].square().mean(0).sqrt().numpy()
    return root / root.max() if root.max() > 0 else root


def centre_of_mass(weights, *, x, y):
    """Return the weighted mean position (degrees) of a map on the grid x, y."""
    total = weights.sum()
    return float((weights * x).sum() / total), float((weights * y).sum() / total)


def responses(member, images):
    """Return one model's responses (n,) to images (n, h, w)."""
    with torch.no_grad():
        return member(torch.as_tensor(images, dtype=torch.float32)[:, None])[:, 0].numpy()
