"""The values that the original report printed, beside the same quantities of a run on the same session.

Only a run on session 798911424, area VISam, holds the same recording; for any other there is nothing to
compare. The sentences on them: `lib.original.words`.
"""

import numpy as np
import pandas as pd

from lib.data.session import resize_to
from lib.original import selection as original_selection
from lib.responses import reliability, selection

SESSION, STRUCTURE = 798911424, "VISam"
RAW_SHAPE = (60, 96)  # px, to which the original stretched its images
ORACLES = {
    951098242: 0.603,
    951093125: 0.571,
    951092798: 0.490,
    951093846: 0.500,
    951093821: 0.453,
    951097947: 0.446,
}
# Of each quantity: the value printed, and the difference up to which the run agrees. Random draws
# move the oracle; isolation forests and the percentiles built on them depend on the seed; what has
# no chance in it must agree in every printed digit. The images of a session are already reduced, at
# another aspect than the original's, which moves their contrast a little.
VALUES = {
    **{f"oracle of {unit}, mean of 50 draws": (value, 0.02) for unit, value in ORACLES.items()},
    "units": (135, 0),
    "units selected": (49, 3),
    "outliers of the isolation forest": (19, 4),
    "units with a signal correlation above 0.7": (9, 0),
    "signal correlation of 951098242 and 951093125, the largest": (0.905601, 5e-7),
    "signal correlation of 951097947 and 951098242, the lowest": (-0.654761, 5e-7),
    "mean contrast of the images": (0.2656, 0.01),
}


def applies(session):
    """Tell whether a session, whose name ends in its id, is the one of the original report."""
    return (
        session.source in ("allen", "nwb")
        and session.name.endswith(str(SESSION))
        and set(session.units.structure) == {STRUCTURE}
    )


def measure(session, *, seed=0):
    """Compute the quantities of `VALUES` in the published way from a session with spike times.

    The counts are made anew, from image onset. The seed is that of the published oracle and the isolation
    forest; NaN for a unit that is not there.
    """
    counts = original_selection.published_counts(session)
    ids = pd.Index(session.unit_ids)
    means = np.nanmean(counts, axis=0)
    oracle = reliability.oracle_correlation_published(counts, draws=50, seed=seed, drop_zeros=True).oracle
    forest = selection.isolation_forest(means, seed=seed, published=True)
    variance = selection.response_variance_published(means, forest.score, forest.anomaly)
    by_unit = pd.Series(oracle.to_numpy(), ids)
    signal = pd.DataFrame(selection.signal_correlation(means), ids, ids)
    others = signal.mask(np.eye(len(ids), dtype=bool))
    pairs = signal.reindex(index=[951098242, 951097947], columns=[951093125, 951098242]).to_numpy()
    contrast = resize_to(session.images, RAW_SHAPE).std(axis=(1, 2)).mean()
    return dict(
        zip(
            VALUES,
            [
                *by_unit.reindex(list(ORACLES)),
                len(ids),
                int(selection.select_units(by_unit.to_numpy(), np.asarray(variance)).sum()),
                int(forest.anomaly.sum()),
                int((others.max() > 0.7).sum()),
                pairs[0, 0],
                pairs[1, 1],
                contrast,
            ],
        )
    )


def compare(measured):
    """Set measured quantities beside the published ones of `VALUES`: a row each.

    Its verdict is agrees, differs, or missing where the run has no value.
    """
    rows = []
    for name, (value, allowed) in VALUES.items():
        mine = float(measured.get(name, np.nan))
        difference = mine - value
        verdict = "agrees" if abs(difference) <= allowed + 1e-12 else "differs"
        rows.append((name, value, mine, difference, "missing" if np.isnan(mine) else verdict))
    return pd.DataFrame(rows, columns=["quantity", "published", "this run", "difference", "verdict"])
