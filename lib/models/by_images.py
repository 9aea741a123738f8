"""How well each kind of model predicts, by the number of images: measured on simulated neurons.

`benchmarks/bench_many.py prediction --store` writes the table.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from lib.files import ROOT

STORED = ROOT / "lib" / "models" / "by_images.csv"
ALIKE = 0.01  # of correlations: a smaller difference is none


@functools.cache
def measured() -> pd.DataFrame:
    """Read the table: a row a number of images (each shown ten times) and kind.

    Columns images, model, r and r_low (correlation with the true expected responses to other images: median
    over neurons, and the tenth that is predicted worst), seconds (to fit one model; of the machine that
    measured).
    """
    return pd.read_csv(STORED)


def best_kind(images: int) -> tuple[str, int]:
    """Return the kind that predicts best and at which number of images that was measured.

    That number is the measured one nearest to `images`. Of kinds whose medians are alike, the one that fails
    least often: the one of the largest `r_low`.

    Examples
    --------
    >>> best_kind(118)[0]
    'v1'
    """
    table = measured()
    sizes = table.images.unique()
    nearest = int(sizes[np.abs(np.log(sizes / images)).argmin()])
    table = table[table.images == nearest].set_index("model")
    table = table[table.r >= table.r.max() - ALIKE]
    return table.r_low.idxmax(), nearest
