"""A session of simulated units whose "MEIs" are their true optima: a loop that closes in seconds."""

import numpy as np
import pytest
import torch

from lib.data.session import Session
from lib.data.simulated_neurons import SCENE_HEIGHT, TrueUnits, make_units
from lib.data.simulated_session import dead_leaves
from lib.experiment import folder, stimuli
from lib.experiment.screen import Screen
from lib.mei.verdict import VERDICTS
from lib.models.ensemble import predicted_responses
from lib.stimuli.contrast import Target, set_mean_contrast
from lib.stimuli.patterns import pixel_grid

HEIGHT, DEGREES = 30, SCENE_HEIGHT / 30
KINDS = {"simple": 3, "complex": 3, "two_subunit": 2, "untuned": 3}  # spots are too small for such pixels
IMAGES = dead_leaves(40, (HEIGHT, 38), rng=np.random.default_rng(3)).astype(np.float32) / 255
SCREEN = Screen(480, 300, 0.41308, float(IMAGES.mean()))


class Untuned(torch.nn.Module):
    """A model that believes in an image that its unit does not care about."""

    def __init__(self, pattern):
        super().__init__()
        self.pattern = torch.as_tensor(pattern - pattern.mean())

    def forward(self, images):
        return 1 + torch.einsum("nchw,hw->n", images, self.pattern).relu()[:, None]


@pytest.fixture(scope="session")
def truth():
    return TrueUnits(make_units(KINDS, seed=5)).eval()


@pytest.fixture(scope="session")
def session(truth):
    images = dead_leaves(40, (HEIGHT, 38), rng=np.random.default_rng(3)).astype(np.float32) / 255
    expected = predicted_responses(truth, images)
    counts = np.random.default_rng(4).poisson(np.repeat(expected[None], 20, 0)).astype(np.float32)
    units = truth.table.assign(structure="VISam")[["structure"]]
    return Session(
        name="made",
        source="simulated",
        units=units,
        images=images,
        image_ids=np.arange(40),
        degrees_per_pixel=DEGREES,
        counts=counts,
        window=(0.05, 0.3),
    )


@pytest.fixture(scope="session")
def everything(truth, session):
    """What stages leave of each unit; an untuned unit has the optimum of a simple one."""
    shape = session.images.shape[1:]
    target = Target(session.mean_luminance, 0.2 * session.target_contrast)
    x, y = pixel_grid(shape, degrees_per_pixel=DEGREES)
    tuned = truth.table.index[truth.table.truth_kind != "untuned"]
    found = {}
    for k, unit in enumerate(truth.table.index):
        like = unit if unit in tuned else tuned[k % len(tuned)]
        row = truth.table.loc[like]
        whole = truth.optimal_image(like, shape, target)
        mask = np.exp(-(np.maximum(np.hypot(x - row.x, y - row.y) / (2 * row.sigma), 1) ** 2 - 1) * 2)
        under = target.within(mask)
        natural = set_mean_contrast(session.images, under)
        model = truth.subset([unit]).eval() if unit in tuned else Untuned(whole).eval()
        answers = predicted_responses(model, natural)[:, 0]
        images = {
            "mei": set_mean_contrast(whole, under),
            "mei_whole": whole,
            "image": natural[answers.argmax()],
        }
        found[unit] = {
            "images": images,
            "mask": mask,
            "target": target,
            "judges": [model],
            "folds": 2,
            "verdict": VERDICTS[0],
        }
    return found


@pytest.fixture(scope="session")
def written(everything, session, tmp_path_factory):
    table, images = stimuli.tabulate(everything, session)
    run = tmp_path_factory.mktemp("run")
    return folder.write_set(run, session, table, images, SCREEN, minutes=40, duration=0.25, gap=0.1, seed=1)
