"""What every choice of the original report changes in the ranking and the selection of units."""

import numpy as np
import pandas as pd

from lib.data import counting
from lib.responses import reliability, selection


def compare(session, measures, *, oracle_percentile=60, variance_percentile=50, draws=50, seed=0):
    """Each published choice alone, and all together, beside the corrected analysis.

    Parameters
    ----------
    session : lib.data.session.Session
    measures : DataFrame
        Index unit_id; as corrected: ``oracle``, ``variance``, ``entropy``, ``anomaly_score``.
    oracle_percentile, variance_percentile : float
        Of the rule that selects units.
    draws : int
        Random draws of the published oracle.

    Returns
    -------
    DataFrame
        One row per choice: ``choice``, ``measure`` that it changes, ``corrected`` and ``published``
        (medians over units), ``rank_correlation`` (Spearman, over units defined both ways),
        ``undefined`` (units that only the published way leaves without a value), ``gained`` and
        ``lost``: lists of the unit ids that only the corrected, only the published way selects (for
        the isolation forest: calls outliers); None where no rule selects.
    """

    def picked(oracle, variance):
        return selection.select_units(
            oracle, variance, oracle_percentile=oracle_percentile, variance_percentile=variance_percentile
        )

    chosen = picked(measures.oracle, measures.variance)
    means = np.nanmean(session.counts, axis=0)
    rows = [
        _row(choice, "oracle", oracle, measures, chosen, picked(oracle, measures.variance))
        for choice, oracle in _oracles(session, draws=draws, seed=seed).items()
    ]
    forest, variance = _forest_and_variance(means, seed=seed)
    choice, slipped = "variance over images and two anomaly columns", picked(measures.oracle, variance)
    rows.append(_row(choice, "variance", variance, measures, chosen, slipped))
    choice, ours = "isolation forest on raw responses", measures.anomaly_score < 0
    rows.append(_row(choice, "anomaly_score", forest.score, measures, ours, forest.anomaly))
    entropy = selection.response_entropy_published(means)
    rows.append(_row("entropy of distinct mean responses", "entropy", entropy, measures))
    shown = published_counts(session)
    oracle = _oracle(shown, draws=draws, seed=seed, drop_zeros=True)
    _, variance = _forest_and_variance(np.nanmean(shown, axis=0), seed=seed)
    rows.append(_row("all of these at once", "oracle", oracle, measures, chosen, picked(oracle, variance)))
    return pd.DataFrame(rows)


def published_counts(session):
    """Counts (T, I or I + 1, U) as in the original: from onset to the end of the presentation.

    The blank, if there was one, is an image and comes last. Without spike times, the session's own counts.
    """
    scenes, blanks = session.counts, session.blank_counts
    if session.spike_times is not None:
        starts, stops, _ = counting.windows(session.presentations, latency=0)
        scenes, blanks, _ = counting.scene_counts(
            counting.count_spikes(session.spike_times, starts, stops), session.presentations
        )
    return scenes if blanks is None else with_blank(scenes, blanks)


def with_blank(scenes, blanks):
    """Counts (T, I, U) with the blank's (any repeats, U) as one more image; NaN where not shown."""
    repeats = max(len(scenes), len(blanks))
    counts = np.full((repeats, scenes.shape[1] + 1, scenes.shape[2]), np.nan, np.float32)
    counts[: len(scenes), :-1], counts[: len(blanks), -1] = scenes, blanks
    return counts


def _oracles(session, **options):
    """The oracle (U,) under each published choice that this session can be subjected to."""
    counts, blanks = session.counts, session.blank_counts
    oracles = {
        "one random repeat, not all": _oracle(counts, **options),
        "trials without a spike dropped": _oracle(counts, drop_zeros=True, **options),
    }
    if blanks is not None:
        oracles["the blank is one of the images"] = reliability.oracle_correlation(with_blank(counts, blanks))
    if session.spike_times is not None:
        oracles["counted from onset, not after the latency"] = reliability.oracle_correlation(
            published_counts(session)[:, : counts.shape[1]]
        )
    return oracles


def _oracle(counts, **options):
    return reliability.oracle_correlation_published(counts, **options).oracle.to_numpy()


def _forest_and_variance(means, *, seed):
    forest = selection.isolation_forest(means, seed=seed, published=True)
    return forest, selection.response_variance_published(means, forest.score, forest.anomaly)


def _row(choice, measure, value, measures, chosen=None, chosen_published=None):
    """One row of the table; without the units chosen either way, nothing is gained or lost."""
    value, corrected = np.asarray(value, float), measures[measure].to_numpy(float)
    none = np.zeros(len(value), bool)
    change = selection.compare_rankings(
        corrected,
        value,
        measures.index,
        selected=none if chosen is None else chosen,
        selected_published=none if chosen is None else chosen_published,
    )
    sides = {side: None if chosen is None else change[side] for side in ("gained", "lost")}
    return {
        "choice": choice,
        "measure": measure,
        "corrected": _median(corrected),
        "published": _median(value),
        "rank_correlation": change["rank_correlation"],
        "undefined": int((np.isnan(value) & ~np.isnan(corrected)).sum()),
        **sides,
    }


def _median(values):
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
