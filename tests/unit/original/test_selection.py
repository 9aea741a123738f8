"""lib.original.selection: every choice of the original alone, against what it is in plain terms."""

import numpy as np
import pandas as pd
import pytest

from lib.data import session as sessions
from lib.original import selection as original_selection
from lib.responses import reliability, selection

IDS = np.arange(101, 113)


@pytest.fixture(scope="module")
def session():
    """Twelve units, ten images and a blank, six repeats; no spike in the first 50 ms."""
    rng = np.random.default_rng(0)
    frames = np.concatenate([rng.permutation(np.arange(-1, 10)) for _ in range(6)])
    onsets = 5 + 0.25 * np.arange(len(frames))
    rates = rng.gamma(1.0, 1.0, (11, 12)) * rng.gamma(1.0, 1.5, 12)
    rates[-1] *= 6  # frame -1: the blank draws many spikes
    times = [
        np.sort(np.repeat(onsets, n) + rng.uniform(0.06, 0.29, n.sum())) for n in rng.poisson(rates[frames]).T
    ]
    presentations = pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 0.25,
            "stimulus_name": "natural_scenes",
            "stimulus_block": 0.0,
            "frame": frames.astype(float),
        }
    )
    return sessions.from_recording(
        sessions.Recording(
            name="s",
            source="test",
            images=rng.random((10, 16, 20)),
            image_ids=np.arange(10),
            degrees_per_pixel=1.0,
            units=pd.DataFrame(index=pd.Index(IDS, name="unit_id")),
            presentations=presentations,
            spike_times=times,
        ),
        latency=0.05,
        duration=0.25,
        image_height=16,
    )


@pytest.fixture(scope="module")
def measures(session):
    means = session.counts.mean(axis=0)
    return pd.DataFrame(
        {
            "oracle": reliability.oracle_correlation(session.counts),
            "variance": selection.response_variance(means),
            "entropy": selection.response_entropy(session.counts),
            "anomaly_score": selection.isolation_forest(means).score.to_numpy(),
        },
        index=IDS,
    )


@pytest.fixture(scope="module")
def table(session, measures):
    return original_selection.compare(session, measures).set_index("choice")


def test_published_counts_are_from_onset_to_end_with_the_blank_last(session):
    """Fails if the latency stays, the blank is lost or stands among the images."""
    found = original_selection.published_counts(session)
    assert found.shape == (6, 11, 12)
    shown = session.presentations
    for unit in (0, 7):
        for row in (0, 20):
            frame = shown.frame.iloc[row]
            repeat = (shown.frame.iloc[:row] == frame).sum()
            times = session.spike_times[unit]
            expected = np.sum((times >= shown.start_time.iloc[row]) & (times < shown.stop_time.iloc[row]))
            assert found[repeat, int(frame) if frame >= 0 else -1, unit] == expected


def test_a_blank_shown_more_often_leaves_gaps_not_zeros():
    """Fails if missing repeats of the images count as silence."""
    joined = original_selection.with_blank(np.ones((2, 3, 1)), np.ones((5, 1)))
    assert joined.shape == (5, 4, 1) and np.isfinite(joined).sum() == 2 * 3 + 5


def test_every_choice_changes_its_own_measure_alone(session, measures, table):
    """Fails if one choice carries another's data along, or a row compares the wrong measure."""
    assert table.measure.value_counts().to_dict() == {
        "oracle": 5,
        "variance": 1,
        "anomaly_score": 1,
        "entropy": 1,
    }
    for choice, corrected in zip(table.index, table.measure):
        assert table.corrected[choice] == pytest.approx(measures[corrected].median())
    with_blank = np.concatenate([session.counts, session.blank_counts[:, None]], axis=1)
    assert table.published["the blank is one of the images"] == pytest.approx(
        np.median(reliability.oracle_correlation(with_blank))
    )
    dropped = reliability.oracle_correlation_published(session.counts, drop_zeros=True).oracle
    assert table.published["trials without a spike dropped"] == pytest.approx(dropped.median())
    assert table.undefined["trials without a spike dropped"] == dropped.isna().sum()
    ranks = pd.DataFrame({"a": measures.oracle.to_numpy(), "b": dropped}).dropna().rank()
    assert table.rank_correlation["trials without a spike dropped"] == pytest.approx(
        np.corrcoef(ranks.a, ranks.b)[0, 1]
    )


def test_gained_and_lost_units_are_the_difference_of_the_two_selections(session, measures, table):
    """Fails if gained and lost are swapped, or the variance of the rule is the wrong one."""

    def rule(oracle, variance):
        return set(IDS[(oracle > np.nanpercentile(oracle, 60)) & (variance > np.nanpercentile(variance, 50))])

    corrected = rule(measures.oracle.to_numpy(), measures.variance.to_numpy())
    means = session.counts.mean(axis=0)
    forest = selection.isolation_forest(means, published=True)
    slipped = np.vstack([means, forest.score, np.where(forest.anomaly, -1, 1)]).var(axis=0, ddof=1)
    for choice, theirs in (
        ("variance over images and two anomaly columns", rule(measures.oracle.to_numpy(), slipped)),
        (
            "one random repeat, not all",
            rule(
                reliability.oracle_correlation_published(session.counts).oracle.to_numpy(),
                measures.variance.to_numpy(),
            ),
        ),
    ):
        assert set(table.gained[choice]) == corrected - theirs
        assert set(table.lost[choice]) == theirs - corrected
    outliers = set(IDS[measures.anomaly_score < 0]), set(IDS[forest.anomaly])
    assert set(table.gained["isolation forest on raw responses"]) == outliers[0] - outliers[1]
    assert table.gained["entropy of distinct mean responses"] is None


def test_counts_alone_are_compared_as_far_as_they_go(session, measures):
    """Fails if a source without spike times or blanks stops the table."""
    bare = sessions.Session(
        **{**vars(session), "spike_times": None, "presentations": None, "blank_counts": None}
    )
    choices = original_selection.compare(bare, measures).choice.tolist()
    assert len(choices) == 6 and not any("blank" in c or "onset" in c for c in choices)
