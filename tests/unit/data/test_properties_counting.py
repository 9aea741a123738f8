"""What holds of counts whatever the spikes and the presentations are."""

import numpy as np
import pandas as pd
from hypothesis import assume, given
from hypothesis import strategies as st

from lib.data import conditions, counting

TIMES = st.lists(st.integers(0, 80), max_size=40).map(lambda t: np.sort(np.array(t, float)) / 8)
EDGES = st.lists(st.integers(-8, 96), min_size=2, max_size=12).map(lambda t: np.sort(np.array(t, float)) / 8)


def table(frames, starts, name="natural_scenes", length=0.25):
    return pd.DataFrame(
        {
            "start_time": starts,
            "stop_time": np.asarray(starts) + length,
            "stimulus_name": name,
            "stimulus_block": 1.0,
            "frame": np.asarray(frames, float),
        }
    )


@given(TIMES, EDGES)
def test_adjacent_windows_add_up_to_the_whole(times, edges):
    """Fault: a spike on an edge counted twice or not at all."""
    parts = counting.count_spikes([times], edges[:-1], edges[1:])
    assert parts.sum() == counting.count_spikes([times], edges[:1], edges[-1:]).sum()


@given(st.lists(TIMES, min_size=1, max_size=4), EDGES, st.integers(-1000, 1000))
def test_the_clock_does_not_matter(units, edges, hours):
    """Fault: a window or a bin on a grid of its own. Times are multiples of 1/8, so sums are exact."""
    plain = counting.count_spikes(units, edges[:-1], edges[1:])
    later = counting.count_spikes([t + hours for t in units], edges[:-1] + hours, edges[1:] + hours)
    np.testing.assert_array_equal(later, plain)
    (binned,), (bins,) = counting.bin_spikes(units, edges[:1], edges[-1:], bin_size=0.25)
    (moved,), _ = counting.bin_spikes(
        [t + hours for t in units], edges[:1] + hours, edges[-1:] + hours, bin_size=0.25
    )
    np.testing.assert_array_equal(moved, binned)
    assert (bins + 0.25 <= edges[-1]).all() and edges[-1] - edges[0] - 0.25 * len(bins) < 0.25
    brute = [[sum(b <= t < b + 0.25 for t in times) for b in bins] for times in units]
    np.testing.assert_array_equal(binned, np.reshape(brute, binned.shape))


@given(TIMES, st.lists(st.integers(0, 80), min_size=1, max_size=10), st.integers(1, 8))
def test_raster_and_rate_are_of_the_same_spikes(times, onsets, bins):
    """Fault: a spike lost or moved on the way from the raster to the rate."""
    onsets, window = np.array(onsets, float) / 8, (-0.25, -0.25 + bins / 8)
    lags, trials = counting.aligned_spikes(times, onsets, window=window)
    brute = sorted(
        (k, t - onset) for k, onset in enumerate(onsets) for t in times if window[0] <= t - onset < window[1]
    )
    assert sorted(zip(trials.tolist(), lags.tolist())) == brute
    rates, _ = counting.psth([times], onsets, window=window, bin_size=0.125)
    assert np.isclose(rates.sum() * 0.125 * len(onsets), len(lags))


@given(
    st.lists(st.sampled_from([-1, 0, 2, 9, 10, 100]), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
)
def test_counts_by_image_do_not_depend_on_the_order_of_the_rows(frames, random):
    """Fault: repeats in the order of the table, images in that of their names, zeros lost."""
    rows = table(frames, 0.25 * np.arange(len(frames)))
    values = np.array([[random.randint(0, 3), 7] for _ in frames])
    found, blank, ids = counting.scene_counts(values, rows)
    order = random.sample(range(len(frames)), len(frames))
    again, blank_again, ids_again = counting.scene_counts(values[order], rows.iloc[order])
    np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(ids_again, ids)
    assert ids.tolist() == sorted({f for f in frames if f >= 0})
    for k, frame in enumerate(ids):
        mine = found[np.isfinite(found[:, k, 0]), k, 0]
        assert mine.tolist() == [v for v, f in zip(values[:, 0], frames) if f == frame]
    assert (blank is None) == (-1 not in frames)
    if blank is not None:
        np.testing.assert_array_equal(blank_again, blank)
        assert blank[:, 0].tolist() == [v for v, f in zip(values[:, 0], frames) if f == -1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "spontaneous"]), st.integers(0, 12)), min_size=1, max_size=15
    )
)
def test_blocks_hold_every_presentation_once_and_no_pause(shown):
    """Fault: a block across a pause or another stimulus; a presentation in two blocks or none."""
    gaps = np.cumsum([gap for _, gap in shown])
    rows = table(
        np.zeros(len(shown)), gaps + np.arange(len(shown)), length=1.0, name=[name for name, _ in shown]
    )
    for name in {"a", "b"} & set(rows.stimulus_name):
        blocks = counting.stimulus_blocks(rows, name, gap=5.0)
        mine = rows[rows.stimulus_name == name]
        assert blocks.presentations.sum() == len(mine)
        for block in blocks.itertuples():
            inside = rows[
                rows.start_time.between(block.start_time, block.stop_time, inclusive="left")
                & (rows.stimulus_name != "spontaneous")
            ]
            assert set(inside.stimulus_name) == {name} and len(inside) == block.presentations
            assert (inside.start_time.to_numpy()[1:] - inside.stop_time.to_numpy()[:-1] <= 5).all()
    changed = rows.sample(frac=1, random_state=0)
    for name in {"a", "b"} & set(rows.stimulus_name):
        pd.testing.assert_frame_equal(
            counting.stimulus_blocks(changed, name), counting.stimulus_blocks(rows, name)
        )


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 45.0, np.nan])), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_condition_means_are_those_of_each_condition(shown, random):
    """Fault: counts of another condition, padding taken for a count of 0, blanks for a condition."""
    assume(any(orientation >= 0 for _, orientation in shown))
    rows = pd.DataFrame(
        {
            "stimulus_name": "gabors",
            "x_position": [10.0 * x for x, _ in shown],
            "y_position": 0.0,
            "orientation": [orientation for _, orientation in shown],
        }
    )
    values = np.array([[random.randint(0, 5), 3] for _ in shown])
    means = conditions.condition_means(values, rows)
    for (x, _, orientation), mean in means.iterrows():
        mine = [v for v, (a, b) in zip(values[:, 0], shown) if (10 * a, b) == (x, orientation)]
        assert np.isclose(mean[0], np.mean(mine)) and mean[1] == 3
    assert len(means) == len({condition for condition in shown if condition[1] >= 0})
