"""Tuning in silico: models whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.data import simulated_session
from lib.models import tuning, words
from lib.responses import tuning as measures
from lib.stimuli import patterns

SHAPE, DEGREES = (60, 77), 94.8 / 60
PATCH = dict(x=8.0, y=-6.0, orientation=60.0, spatial_frequency=0.08)

FITS = SimpleNamespace(model="v1", stimuli=["available"])


class Energy(torch.nn.Module):
    """Gabors of two phases: squared and summed (complex) or the first one rectified (simple)."""

    def __init__(self, kind):
        super().__init__()
        pair = patterns.gabor(
            SHAPE, degrees_per_pixel=DEGREES, **PATCH, phase=np.array([0.0, 0.25]), sigma=6.0
        )
        self.pair, self.kind = torch.tensor(pair, dtype=torch.float32), kind

    def forward(self, images):
        a, b = torch.einsum("nhw,khw->kn", images[:, 0] - 0.5, self.pair)
        value = a.relu() if self.kind == "simple" else (a**2 + b**2).sqrt()
        return (value + 0.01 * (self.kind == "complex"))[:, None]


def test_gratings_are_averaged_over_the_area_of_a_pixel():
    """Each axis damps a frequency by sinc: fails if gratings are drawn at the pixels' centres."""
    table = simulated_session.grating_conditions()
    frames = tuning.grating_frames(table, SHAPE, degrees_per_pixel=DEGREES)
    assert frames.shape == (120, 1, *SHAPE) and frames.min() >= 0 and frames.max() <= 1
    for frequency in (0.02, 0.08, 0.32):
        at = np.flatnonzero(
            (table.orientation == 30) & (table.spatial_frequency == frequency) & (table.phase == 0.25)
        )[0]
        sharp = patterns.grating(
            SHAPE, degrees_per_pixel=DEGREES, orientation=30, phase=0.25, spatial_frequency=frequency
        )
        damped = np.prod(np.sinc(frequency * DEGREES * np.array([np.cos(np.pi / 6), 0.5])))
        np.testing.assert_allclose(frames[at, 0], 0.5 + 0.4 * damped * sharp, atol=0.01)


@pytest.fixture(scope="module")
def patches():
    table = pd.DataFrame([PATCH, PATCH], index=pd.Index([5, 7], name="unit_id"))
    return tuning.patch_tuning([Energy("simple"), Energy("complex")], table, SHAPE, degrees_per_pixel=DEGREES)


def test_simple_and_complex_cells_are_told_apart(patches):
    """A rectified sinusoid at eight phases, 1, sqrt(1/2), 0, ...: F1/F0 of 4 / (1 + sqrt 2); energy: 0."""
    assert patches.measures.f1_f0.tolist() == pytest.approx([4 / (1 + 2**0.5), 0], abs=0.01)


def test_size_grows_to_the_field_and_contrast_to_half(patches):
    """Sigma 6: 90 % of the sum inside about 25 degrees; linear in contrast, so that C50 is .5."""
    assert patches.size.shape == (2, len(tuning.DIAMETERS)) and patches.contrast.loc[5, 0.0] == 0
    assert patches.measures.preferred_size.between(20, 30).all()
    assert patches.measures.c50.tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    assert patches.measures.suppression_index.abs().max() < 0.05


def test_suppression_and_a_silent_unit():
    by_size = np.linspace(1, 0.4, len(tuning.DIAMETERS))[:, None] * np.ones(tuning.PHASES)
    by_contrast = np.linspace(0, 1, len(tuning.CONTRASTS))
    f1_f0, _, size, suppression = tuning.patch_measures(by_size, by_contrast)
    assert (f1_f0, size, suppression) == pytest.approx((0, 5, 0.6))
    assert np.isnan(tuning.patch_measures(0 * by_size, 0 * by_contrast)).all()


def test_a_session_without_gratings_still_tells_of_the_model():
    """Its own Gabors are shown, and Allen's gratings; what is not recorded is said in a line."""
    shown = simulated_session.gabor_conditions().assign(start_time=0.0, stop_time=0.25)
    session = SimpleNamespace(
        images=np.zeros((1, *SHAPE)),
        degrees_per_pixel=DEGREES,
        presentations=shown,
        presentation_counts=np.random.default_rng(0).poisson(1, (len(shown), 1)),
        units=pd.DataFrame(index=pd.Index([5], name="unit_id")),
    )
    found = tuning.classical_tuning(Energy("complex").eval(), session)
    assert found.loc[5, ["pref_ori_sg", "pref_sf_sg"]].tolist() == [60, 0.08]
    assert found.loc[5, ["x_rf", "y_rf"]].tolist() == pytest.approx([8, -6], abs=1.5)
    recorded = measures.recorded_measures(session)
    assert list(recorded) == [*measures.RECEPTIVE_FIELD, "p_value_rf"]
    said = " ".join(words.describe_physiology(recorded, FITS))
    assert "shows no static gratings" in said and "has not learned" in said
    session.presentations = None
    assert measures.recorded_measures(session).empty
    assert not words.agreement_sentences(measures.agreement(found, recorded[[]]), "a", "b")[0].endswith("nan")


def test_a_model_of_one_s_own_is_read_unit_by_unit():
    """Fails if a model must be one of the project's, or another unit's output is taken."""

    class Two(torch.nn.Module):
        def forward(self, images):
            return torch.stack([images.mean((1, 2, 3)), images.amax((1, 2, 3))], 1)

    (second,) = tuning.unit_models([Two().eval()], [1])
    assert second(torch.tensor([[[[0.0, 1.0]]]])).tolist() == [[1.0]]


def test_sentences_say_that_there_is_no_agreement():
    """Fails if the tests are not corrected, or a p above alpha reads like a finding."""
    row = dict(units=9, value=20.0, low=10.0, high=30.0, other=21.0, p=0.04)
    found = pd.DataFrame.from_dict({"centre": row, "gOSI": row | dict(value=0.1)}, orient="index")
    centre, selectivity = words.agreement_sentences(found, "the model", "the recording")
    assert "no better than chance" in centre and "p = 0.08" in centre and "(median;" in centre
    assert "no agreement was found" in selectivity
    sure = words.agreement_sentences(found.assign(p=0.001), "the model", "the recording")
    assert not any("chance" in text or "no agreement" in text for text in sure)
