"""A convolutional ensemble of one's own, trained here on images of another size, to a finished book.

    python benchmarks/bench_own_model.py [--seed 201] [--folds 4] [--epochs 60] [--units 14]

Writes a folder with models.py, weights and my.yml; the run knows of them by the declaration alone. The
session is simulated: `make report` makes it, this script only reads its images and counts. Prints how the
ensemble does beside the report's own model on the same units, and where the book is.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from torch import nn
from torch.nn import functional

from lib.data.session import load_session
from lib.files import ROOT
from workflow.report import make_report

MODELS = '''
"""A small convolutional ensemble; images of 36 x 46 pixels, normalised."""
import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

HERE = Path(__file__).parent


class Network(nn.Module):
    """A core that all units share, and for each a place, what it weights there, and a rate."""

    def __init__(self, units, channels=24):
        super().__init__()
        self.core = nn.Sequential(
            nn.Conv2d(1, channels, 9, padding=4), nn.BatchNorm2d(channels), nn.ELU(),
            nn.Conv2d(channels, channels, 5, padding=2), nn.BatchNorm2d(channels), nn.ELU(),
        )
        self.place = nn.Parameter(0.01 * torch.randn(units, 36 * 46))
        self.weight = nn.Parameter(0.1 * torch.randn(units, channels))
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, images):
        pixels = functional.interpolate(images, (36, 46), mode="bilinear", antialias=True)
        features = self.core((pixels - 0.45) / 0.22).flatten(2)
        there = torch.einsum("ncp,up->nuc", features, self.place)
        return functional.elu((there * self.weight).sum(2) + self.bias) + 1


def load():
    about = json.loads((HERE / "about.json").read_text())
    models = []
    for k in range(len(about["unseen"])):
        model = Network(len(about["unit_ids"]))
        model.load_state_dict(torch.load(HERE / f"fold_{k}.pt", weights_only=True))
        models.append(model.eval())
    return {"models": models, **about}
'''
QUICK = {
    "cnn": {"folds": 4, "published_units": 0, "permutations": 200, "baselines": ["v1"]},
    "mei": {"steps": 60, "published_steps": 1},
    "gabor": {"grid": "quick", "refine_from": 3, "bootstrap": 50},
    "oracle": {"bootstrap": 50},
    "power": {"images": [30], "repeats": [5], "rates": [1], "units": 7},
    "stimuli": {"minutes": 20},
    "screen": {"width": 480, "height": 300, "degrees_per_pixel": 0.41308},
}


def declare(folder, seed, units, model):
    """Write my.yml for a run on the report's model, or on one's own."""
    own = isinstance(model, dict)
    declaration = QUICK | {
        "name": f"own_{seed}" if own else f"own_{seed}_before",
        "session": seed,
        "simulation": {"units": units, "gabor_repeats": 2, "grating_repeats": 2},
        "cnn": QUICK["cnn"] | {"model": model},
    }
    path = folder / ("my.yml" if own else "before.yml")
    path.write_text(yaml.safe_dump(declaration))
    return path, ROOT / "build" / declaration["name"]


def train(network, images, counts, *, epochs, seed):
    """Fit by Poisson loss with Adam, places and weights kept sparse."""
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    x, y = torch.as_tensor(images)[:, None], torch.as_tensor(counts)
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(len(x)).split(32):
            predicted = network(x[rows])
            loss = functional.poisson_nll_loss(predicted, y[rows], log_input=False)
            loss = loss + 1e-3 * network.place.abs().sum(1).mean() + 1e-2 * network.weight.abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return network.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--units", type=int, default=14)
    parser.add_argument("--cores", type=int)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "own_model")
    parser.add_argument("--real", help="not used")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    before, run = declare(given.folder, given.seed, given.units, "v1")
    if make_report(before, notebook="01_data", cores=given.cores):
        raise SystemExit("the session was not made")
    session = load_session(run)
    (given.folder / "models.py").write_text(MODELS)
    names = {"__file__": str(given.folder / "models.py")}
    exec(MODELS, names)
    counts = session.counts.mean(0)
    folds = np.random.default_rng(0).permutation(len(counts)) % given.folds
    about = {"unit_ids": session.unit_ids.tolist(), "unseen": []}
    for k in range(given.folds):
        torch.manual_seed(k)
        network: nn.Module = names["Network"](len(session.unit_ids))
        network = train(network, session.images[folds != k], counts[folds != k], epochs=given.epochs, seed=k)
        torch.save(network.state_dict(), given.folder / f"fold_{k}.pt")
        about["unseen"].append(session.image_ids[folds == k].tolist())
    (given.folder / "about.json").write_text(json.dumps(about))
    mine, run = declare(
        given.folder, given.seed, given.units, {"file": str(given.folder / "models.py"), "function": "load"}
    )
    code = make_report(mine, cores=given.cores)
    scores = pd.read_csv(run / "models/scores.csv").pivot(
        index="unit_id", columns="model", values="correlation_to_average"
    )
    print(f"\ncorrelation with responses to unseen images, medians over units\n{scores.median().round(3)}")
    table = pd.read_csv(run / "units.csv")
    print(f"verdicts: {table.verdict.value_counts().to_dict()}; exit code {code}")
    pictures = len(list((run / "stimuli").glob("*.png")))
    book = run / "site" / "index.html"
    print(f"the book: {book} is there: {book.exists()}; stimuli: {pictures} pictures")


if __name__ == "__main__":
    main()
