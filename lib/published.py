"""What every choice of the original report changes in the ranking and the selection of units."""

import numpy as np
import pandas as pd

from lib import counts as counting
from lib import reliability, selection


def compare(session, measures, *, oracle_percentile=60, variance_percentile=50, draws=50, seed=0):
    """Each published choice alone, and all together, beside the corrected analysis.

    Parameters
    ----------
    session : lib.session.Session
    measures : DataFrame
        One row per unit, as corrected: ``oracle``, ``variance``, ``entropy``, ``anomaly_score``.
    oracle_percentile, variance_percentile : float
        Of the rule that selects units.
    draws : int
        Random draws of the published oracle.
    seed : int

    Returns
    -------
    DataFrame
        One row per choice: ``choice``, ``measure`` that it changes, ``corrected`` and ``published``
        (medians over units), ``rank_correlation`` (Spearman, over units defined both ways),
        ``undefined`` (units that only the published way leaves without a value), ``gained`` and
        ``lost``: lists of the unit ids that only the corrected, only the published way selects (for
        the isolation forest: calls outliers); None where no rule selects.
    """
    rule = dict(oracle_percentile=oracle_percentile, variance_percentile=variance_percentile)
    chosen = selection.select_units(measures.oracle, measures.variance, **rule)
    rows = []

    def row(choice, measure, value, *, picked=chosen, picked_published=None):
        value, corrected = np.asarray(value, float), measures[measure].to_numpy(float)
        none = np.zeros(len(value), bool)
        change = selection.compare_rankings(
            corrected, value, session.unit_ids, selected=none if picked_published is None else picked,
            selected_published=none if picked_published is None else picked_published)
        rows.append({
            "choice": choice, "measure": measure, "corrected": _median(corrected),
            "published": _median(value), "rank_correlation": change["rank_correlation"],
            "undefined": int((np.isnan(value) & ~np.isnan(corrected)).sum()),
            **{side: None if picked_published is None else change[side]
               for side in ("gained", "lost")}})

    def oracle_row(choice, oracle, variance=measures.variance):
        row(choice, "oracle", oracle,
            picked_published=selection.select_units(oracle, variance, **rule))

    options = dict(draws=draws, seed=seed)
    oracle_row("one random repeat, not all", _published_oracle(session.counts, **options))
    oracle_row("trials without a spike dropped",
               _published_oracle(session.counts, drop_zeros=True, **options))
    if session.blank_counts is not None:
        oracle_row("the blank is one of the images",
                   reliability.oracle_correlation(with_blank(session.counts, session.blank_counts)))
    shown = published_counts(session)
    if session.spike_times is not None:
        oracle_row("counted from onset, not after the latency",
                   reliability.oracle_correlation(shown[:, :session.counts.shape[1]]))
    means, means_published = np.nanmean(session.counts, axis=0), np.nanmean(shown, axis=0)
    variance = _published_variance(means, seed=seed)
    row("variance over images and two anomaly columns", "variance", variance,
        picked_published=selection.select_units(measures.oracle, variance, **rule))
    forest = selection.isolation_forest(means, seed=seed, published=True)
    row("isolation forest on raw responses", "anomaly_score", forest.score,
        picked=measures.anomaly_score.to_numpy() < 0, picked_published=forest.anomaly.to_numpy())
    row("entropy of distinct mean responses", "entropy", selection.response_entropy_published(means))
    oracle_row("all of these at once", _published_oracle(shown, drop_zeros=True, **options),
               _published_variance(means_published, seed=seed))
    return pd.DataFrame(rows)


def published_counts(session):
    """Counts as in the original: from onset to the end of the presentation, the blank an image.

    Parameters
    ----------
    session : lib.session.Session
        Without spike times, the session's own counts.

    Returns
    -------
    array (T, I or I + 1, U)
        The blank, if there was one, comes last.
    """
    scenes, blanks = session.counts, session.blank_counts
    if session.spike_times is not None:
        starts, stops, _ = counting.windows(session.presentations, latency=0)
        scenes, blanks, _ = counting.scene_counts(
            counting.count_spikes(session.spike_times, starts, stops), session.presentations)
    return scenes if blanks is None else with_blank(scenes, blanks)


def with_blank(scenes, blanks):
    """Counts (T, I, U) with the blank's (any repeats, U) as one more image; NaN where not shown."""
    repeats = max(len(scenes), len(blanks))
    counts = np.full((repeats, scenes.shape[1] + 1, scenes.shape[2]), np.nan, np.float32)
    counts[:len(scenes), :-1], counts[:len(blanks), -1] = scenes, blanks
    return counts


def _published_oracle(counts, **options):
    return reliability.oracle_correlation_published(counts, **options).oracle.to_numpy()


def _published_variance(means, *, seed):
    forest = selection.isolation_forest(means, seed=seed, published=True)
    return selection.response_variance_published(means, forest.score, forest.anomaly)


def _median(values):
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
