"""Tuning in silico: the stimuli of classical physiology, shown to fitted models or to true neurons.

The same function measures a response model (`MeanModel` of the folds) and the truth of a simulated session
(`lib.data.simulated_neurons.TrueUnits`): both take images (n, 1, h, w) and give counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from lib.data import conditions, simulated_session
from lib.data.session import resize_to
from lib.models import own
from lib.models.ensemble import MeanModel, predicted_means
from lib.responses import tuning
from lib.stimuli import patterns

GREY, CONTRAST = 0.5, 0.8  # of the screen; of gratings whose contrast is not the question
DIAMETERS = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0)  # degrees
CONTRASTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0)  # Michelson
PLATEAU = 0.95  # of the largest response
PHASES = 8  # of the one cycle through which a patch drifts
FINER = 4  # gratings are drawn so much finer than images, then averaged over areas
MEASURES = ("f1_f0", "c50", "preferred_size", "suppression_index")


@dataclasses.dataclass
class PatchTuning:
    """Responses of units to patches of grating, each at the unit's own place, orientation and frequency.

    Attributes
    ----------
    size : DataFrame
        Index unit_id, columns diameter (degrees): mean count over the phases of the drift.
    contrast : DataFrame
        Index unit_id, columns Michelson contrast: the same at the preferred size.
    measures : DataFrame
        Index unit_id: f1_f0 (``2 |first harmonic| / mean`` over phases, at the preferred size), c50 (contrast
        at which the response has risen by half of its largest change), preferred_size (degrees: the smallest
        diameter that draws `PLATEAU` of the largest response; Cavanaugh et al., J Neurophysiol 88:2530),
        suppression_index (1 less the response to the largest patch over the largest response).
    """

    size: pd.DataFrame
    contrast: pd.DataFrame
    measures: pd.DataFrame


def classical_tuning(model: torch.nn.Module, session) -> pd.DataFrame:
    """Receptive field and grating tuning of a session's units in a model, by the measures of recordings.

    The model, images (n, 1, h, w) -> (n, units), is shown the Gabors and static gratings of the session;
    where it shows none, those of the Allen Institute's sessions. Index unit_id:
    `lib.responses.tuning.RECEPTIVE_FIELD` and `STATIC_GRATINGS`.
    """
    where = dict(shape=session.images.shape[1:], degrees_per_pixel=session.degrees_per_pixel)
    shown = session.presentations
    gabors = simulated_session.gabor_conditions()
    if tuning.whole_set(shown, "gabors", conditions.GABOR):
        held = conditions.gabor_table(shown)
        if set(conditions.SHOWN) <= set(held) and held[conditions.SHOWN].notna().all(None):
            gabors = held.drop_duplicates(conditions.GABOR)
    gratings = simulated_session.grating_conditions()
    if tuning.whole_set(shown, "static_gratings", conditions.GRATING):
        rows = shown[shown.stimulus_name == "static_gratings"][conditions.GRATING]
        gratings = rows.apply(pd.to_numeric, errors="coerce").dropna().drop_duplicates()
    found = []
    for table, columns, frames, measures in (
        (gabors, conditions.GABOR, conditions.gabor_frames(gabors, **where), tuning.field_measures),
        (gratings, conditions.GRATING, grating_frames(gratings, **where), tuning.grating_measures),
    ):
        index = pd.MultiIndex.from_frame(table[columns])
        means = pd.DataFrame(predicted_means(model, frames), index=index)
        found.append(measures(means.sort_index()))
    return pd.concat(found, axis=1).set_index(session.units.index)


def grating_frames(table, shape: tuple[int, int], *, degrees_per_pixel: float) -> np.ndarray:
    """Static gratings as images: one frame a row of the table, (K, 1, h, w) float32 in [0, 1].

    The finest of Allen's gratings, .32 cycles/degree, is at the limit of the pixels of an analysis.
    They are drawn on smaller pixels and averaged over areas, as the natural images are, and so lose
    the contrast that fine detail of natural images has lost. Columns of the table: orientation (degrees),
    spatial_frequency (cycles/degree), phase (cycles).
    """
    fine = patterns.grating(
        tuple(FINER * n for n in shape),
        degrees_per_pixel=degrees_per_pixel / FINER,
        **{c: table[c].to_numpy(float) for c in conditions.GRATING},
    )
    return resize_to(GREY * (1 + CONTRAST * fine), shape)[:, None]


def patch_tuning(
    models: Sequence[torch.nn.Module],
    patches: pd.DataFrame,
    shape: tuple[int, int],
    *,
    degrees_per_pixel: float,
) -> PatchTuning:
    """Size and contrast tuning of units, and how much the phase of a grating counts.

    Each of the models is one of a unit, images (n, 1, h, w) -> (n, 1). `patches` has index unit_id and
    columns x, y, orientation (degrees) and spatial_frequency (cycles/degree).
    """
    size, contrast, measures = {}, {}, {}
    where = dict(shape=shape, degrees_per_pixel=degrees_per_pixel)
    for model, row in zip(models, patches.itertuples()):
        across, _ = patterns.carrier_coordinates(row.x, row.y, row.orientation)  # degrees, of the centre
        waves = patterns.grating(
            **where,
            orientation=row.orientation,
            spatial_frequency=row.spatial_frequency,
            phase=np.arange(PHASES) / PHASES - row.spatial_frequency * across,
        )
        discs = [
            patterns.circular_mask(**where, x=row.x, y=row.y, radius=d / 2, edge=degrees_per_pixel)
            for d in DIAMETERS
        ]
        by_size = _responses(model, [CONTRAST * disc * waves for disc in discs])
        best = preferred_size(by_size.mean(1))
        by_contrast = _responses(model, [c * discs[best] * waves for c in CONTRASTS])
        size[row.Index], contrast[row.Index] = by_size.mean(1), by_contrast.mean(1)
        measures[row.Index] = patch_measures(by_size, by_contrast.mean(1))
    tables = [
        pd.DataFrame.from_dict(found, orient="index", columns=list(columns)).rename_axis("unit_id")
        for found, columns in ((size, DIAMETERS), (contrast, CONTRASTS), (measures, MEASURES))
    ]
    return PatchTuning(*tables)


def patch_measures(by_size: np.ndarray, by_contrast: np.ndarray) -> list[float]:
    """`MEASURES` of one unit; see `PatchTuning`.

    `by_size` (diameters, phases) are responses to patches of `DIAMETERS`; `by_contrast` (contrasts,) their
    mean over phases at `CONTRASTS`, the first of which is none.
    """
    sizes = by_size.mean(1)
    best = preferred_size(sizes)
    if np.ptp(by_size) == 0 or sizes[best] <= 0:
        return [np.nan] * len(MEASURES)
    wave = np.exp(2j * np.pi * np.arange(by_size.shape[1]) / by_size.shape[1])
    f1_f0 = 2 * np.abs(np.mean(by_size[best] * wave)) / sizes[best]
    rise = np.abs(by_contrast - by_contrast[0])
    above = int(np.argmax(rise >= rise.max() / 2))
    if rise.max() > 0 and above:
        share = (rise.max() / 2 - rise[above - 1]) / (rise[above] - rise[above - 1])
        c50 = CONTRASTS[above - 1] + share * (CONTRASTS[above] - CONTRASTS[above - 1])
    else:
        c50 = np.nan
    return [f1_f0, c50, DIAMETERS[best], 1 - sizes[-1] / sizes.max()]


def relative_quartiles(patch: PatchTuning) -> dict[str, pd.DataFrame]:
    """Size and contrast tuning, each unit's relative to its largest response: quartiles over units.

    {label of the axis: table with index "75 %", "median", "25 %" and columns as those of `PatchTuning`}
    """
    labels = {"diameter (deg)": patch.size, "Michelson contrast": patch.contrast}
    quartiles = {0.75: "75 %", 0.5: "median", 0.25: "25 %"}
    return {
        label: found.div(found.max(axis=1), axis=0).quantile(list(quartiles)).rename(index=quartiles)
        for label, found in labels.items()
    }


def preferred_size(responses: np.ndarray) -> int:
    """Index of the smallest of some diameters that draws `PLATEAU` of the largest response."""
    return int(np.argmax(responses >= PLATEAU * responses.max()))


def unit_models(members: Sequence, columns: Sequence[int]) -> list[torch.nn.Module]:
    """The mean of the fold models for each of some units, apart: images (n, 1, h, w) -> (n, 1)."""
    return [MeanModel([_of_unit(member, column) for member in members]).eval() for column in columns]


def _of_unit(member, column):
    return member.subset([column]) if hasattr(member, "subset") else own.Columns(member, [column])


def _responses(model, shown):
    """(k, PHASES) responses to k patches (PHASES, h, w)."""
    images = torch.as_tensor(GREY * (1 + np.concatenate(shown)), dtype=torch.float32)[:, None]
    with torch.no_grad():
        answers = np.concatenate([model(part).numpy(force=True) for part in images.split(64)])
    return answers[:, 0].reshape(-1, PHASES)
