"""Spike counts from spike times: dense, by sorted search, zeros included.

Spike times are one sorted array per unit, in seconds on the session's clock. `presentations` is a
table with one row per stimulus presentation (``start_time``, ``stop_time``, ``stimulus_name``,
``stimulus_block``, ``frame``); its rows and the rows of a count array correspond.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.errors import InputError

BLANK = -1  # frame id of a presentation without an image
Window = tuple[float, float]  # start and stop, s after onset


def count_spikes(spike_times: list[np.ndarray], starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Number of spikes (P, U), int32, of every unit in every window ``[start, stop)``; without a spike 0.

    The windows, `starts` and `stops` (P,), s, come in any order, overlapping or not.

    Raises
    ------
    InputError
        Spike times not sorted or not finite; as many starts as stops not given; a window undefined or of
        negative length.

    Examples
    --------
    >>> one, other = np.array([0.1, 0.2, 0.7]), np.array([0.5])
    >>> count_spikes([one, other], starts=[0, 0.5], stops=[0.5, 1]).tolist()
    [[2, 0], [1, 1]]
    """
    starts, stops = np.asarray(starts, dtype=float), np.asarray(stops, dtype=float)
    _check_windows(starts, stops)
    counts = np.empty((len(spike_times), len(starts)), dtype=np.int32)
    for unit, times in enumerate(_checked_spikes(spike_times)):
        counts[unit] = np.searchsorted(times, stops)
        counts[unit] -= np.searchsorted(times, starts)
    return np.ascontiguousarray(counts.T)


def windows(
    presentations: pd.DataFrame, latency: float, duration: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window in which the spikes of each of P presentations of a whole session are counted.

    It opens `latency` s after onset and lasts `duration` s; if that is not given, each presentation's own
    length, as in the original report (with latency 0).

    Returns
    -------
    starts, stops : array (P,)
        s.
    reaches_next : array (P,) of bool
        Whether the window ends after the onset of the next stimulus, by more than 1 ms.
    """
    onsets = presentations["start_time"].to_numpy(float)
    length = presentations["stop_time"].to_numpy(float) - onsets if duration is None else duration
    starts = onsets + latency
    stops = starts + length
    shown = (presentations["stimulus_name"] != "spontaneous").to_numpy()
    all_onsets = np.append(np.sort(onsets[shown]), np.inf)
    following = all_onsets[np.searchsorted(all_onsets, onsets, side="right")]
    return starts, stops, stops > following + 1e-3


def scene_counts(
    presentation_counts: np.ndarray, presentations: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Counts (P, U) of presentations, of any stimuli, by repeat and image: those of the natural scenes.

    They are joined on the integer frame id.

    Returns
    -------
    counts : array (T, I, U) of float32
        Repeats in order of presentation; NaN beyond the last repeat of an image shown less often.
    blank_counts : array (T, U) of float32, or None
        Counts of frame -1; None if there was no blank.
    image_ids : array (I,) of int
        Frame id of each image, ascending.

    Raises
    ------
    InputError
        Numbers of rows differ; no presentation of natural scenes; a frame that is not an integer id.
    """
    if len(presentation_counts) != len(presentations):
        raise InputError(
            f"{len(presentation_counts)} rows of counts for {len(presentations)} "
            "presentations; count the same presentations that are given"
        )
    rows = np.flatnonzero(presentations["stimulus_name"] == "natural_scenes")
    if not len(rows):
        known = ", ".join(sorted(presentations["stimulus_name"].unique()))
        raise InputError(f"no presentation of 'natural_scenes'; the session has {known}")
    rows = rows[np.argsort(presentations["start_time"].to_numpy()[rows], kind="stable")]
    frames = _frame_ids(presentations["frame"].to_numpy()[rows])
    ids, image = np.unique(frames, return_inverse=True)
    shown, repeat = np.bincount(image), pd.Series(image).groupby(image).cumcount()
    counts = np.full((shown.max(), len(ids), presentation_counts.shape[1]), np.nan, np.float32)
    counts[repeat, image] = presentation_counts[rows]
    blank = ids == BLANK
    blank_counts = counts[: shown[blank][0], blank][:, 0] if blank.any() else None
    most = shown[~blank].max(initial=0)
    return counts[:most, ~blank], blank_counts, ids[~blank]


def long_table(
    presentation_counts: np.ndarray, presentations: pd.DataFrame, unit_ids: np.ndarray
) -> pd.DataFrame:
    """One row per trial and unit, as the original report wrote to ``oracle_df.csv``, but zeros included.

    From counts (P, U) and presentations (P rows, index: presentation id) the columns ``trial_id``,
    ``neuron_id``, ``spike_count``, ``image_id`` (-1: blank) of the natural scenes.
    """
    rows = np.flatnonzero(presentations["stimulus_name"] == "natural_scenes")
    counts = np.asarray(presentation_counts)[rows]
    n_trials, n_units = counts.shape
    table = pd.DataFrame(
        {
            "trial_id": np.repeat(presentations.index.to_numpy()[rows], n_units),
            "neuron_id": np.tile(np.asarray(unit_ids), n_trials),
            "spike_count": counts.ravel(),
            "image_id": np.repeat(_frame_ids(presentations["frame"].to_numpy()[rows]), n_units),
        }
    )
    return table.dropna(ignore_index=True) if counts.dtype.kind == "f" else table  # of invalid times


def trial_table(session) -> pd.DataFrame:
    """`long_table` of a `lib.data.session.Session`, also of one that has counts by repeat and image alone.

    Without presentations, ``trial_id`` is the repeat of the image, from 0.
    """
    if session.presentations is not None:
        return long_table(session.presentation_counts, session.presentations, session.unit_ids)
    repeat, image, unit = np.nonzero(np.isfinite(session.counts))
    return pd.DataFrame(
        {
            "trial_id": repeat,
            "neuron_id": session.unit_ids[unit],
            "spike_count": session.counts[repeat, image, unit],
            "image_id": session.image_ids[image],
        }
    )


def stimulus_blocks(
    presentations: pd.DataFrame, stimulus_name: str = "natural_scenes", *, gap: float = 5.0
) -> pd.DataFrame:
    """Every uninterrupted run of a stimulus: ``start_time``, ``stop_time`` (s), number of ``presentations``.

    A pause between two presentations longer than `gap`, s, or another stimulus starts a block.
    """
    ordered = presentations[presentations["stimulus_name"] != "spontaneous"]
    ordered = ordered.sort_values("start_time", kind="stable")
    mine = (ordered["stimulus_name"] == stimulus_name).to_numpy()
    start, stop = (ordered[c].to_numpy(float) for c in ("start_time", "stop_time"))
    opens = np.append(True, ~mine[:-1] | (start[1:] - stop[:-1] > gap))
    number = np.cumsum(opens & mine)[mine]
    blocks = pd.DataFrame({"start_time": start[mine], "stop_time": stop[mine]}).groupby(number)
    return blocks.agg(
        start_time=("start_time", "min"), stop_time=("stop_time", "max"), presentations=("start_time", "size")
    ).reset_index(drop=True)


def session_blocks(presentations: pd.DataFrame) -> pd.DataFrame:
    """`stimulus_blocks` of every stimulus, with its ``stimulus_name``; the grey between left out."""
    return pd.concat(
        [
            stimulus_blocks(presentations, name).assign(stimulus_name=name)
            for name in presentations["stimulus_name"].unique()
            if name != "spontaneous"
        ]
    )


def bin_spikes(
    spike_times: list[np.ndarray], starts: np.ndarray, stops: np.ndarray, *, bin_size: float = 0.1
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Binned counts inside B blocks; no bin lies in a gap between blocks.

    What is left at the end of a block, less than one bin of `bin_size` s, is not counted.

    Returns
    -------
    counts : list of B arrays (U, n_bins) of int32
    times : list of B arrays (n_bins,)
        Start of each bin, s.
    """
    starts, stops = np.asarray(starts, dtype=float), np.asarray(stops, dtype=float)
    _check_windows(starts, stops)
    spike_times = list(_checked_spikes(spike_times))
    counts, times = [], []
    for start, stop in zip(starts, stops):
        edges = start + bin_size * np.arange(int((stop - start) / bin_size + 1e-6) + 1)
        counted = [np.diff(np.searchsorted(spikes, edges)) for spikes in spike_times]
        counts.append(np.array(counted, dtype=np.int32).reshape(len(spike_times), len(edges) - 1))
        times.append(edges[:-1])
    return counts, times


def aligned_spikes(
    times: np.ndarray, onsets: np.ndarray, *, window: Window = (-0.1, 0.4)
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of one unit around each of P onsets, for a raster.

    The `window` is relative to onset, s; a spike in the windows of two onsets is given twice.

    Returns
    -------
    lags : array (m,)
        Time after onset, s.
    trials : array (m,) of int
        Number of the onset, 0..P-1, ascending.
    """
    onsets = np.asarray(onsets, dtype=float)
    first, stop = (np.searchsorted(times, onsets + edge) for edge in window)
    n = stop - first
    trials = np.repeat(np.arange(len(onsets)), n)
    spikes = np.arange(n.sum()) + np.repeat(first - np.cumsum(n) + n, n)
    return np.asarray(times)[spikes] - onsets[trials], trials


def extreme_onsets(
    presentations: pd.DataFrame, means: np.ndarray, image_ids: np.ndarray, *, images: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Onsets, s, in order, of the images that draw the most and the fewest spikes from a unit: two arrays.

    `means` (I,) are the unit's responses to the images with the frame ids `image_ids` (I,). On either side
    are as many `images`, or half of them all if that is fewer.
    """
    ranked = np.asarray(image_ids)[np.argsort(-np.asarray(means), kind="stable")]
    images = min(images, max(1, len(ranked) // 2))
    frame, onset = (presentations[name].to_numpy(float) for name in ("frame", "start_time"))
    return tuple(
        np.sort(onset[np.isin(frame, few)]) for few in (ranked[:images], ranked[len(ranked) - images :])
    )


def psth(
    spike_times: list[np.ndarray], onsets: np.ndarray, *, window: Window = (-0.1, 0.4), bin_size: float = 0.01
) -> tuple[np.ndarray, np.ndarray]:
    """Mean firing rate around onset (peri-stimulus time histogram), in bins of `bin_size` s.

    Returns
    -------
    rates : array (U, n_bins)
        Spikes/s.
    times : array (n_bins,)
        Start of each bin relative to onset, s.
    """
    starts = _bin_starts(window, bin_size)
    counts = [
        _aligned_counts(times, onsets, window, bin_size).mean(axis=0)
        for times in _checked_spikes(spike_times)
    ]
    return np.reshape(counts, (-1, len(starts))) / bin_size, starts


def latency_histogram(
    spike_times: list[np.ndarray],
    onsets: np.ndarray,
    images: np.ndarray,
    *,
    window: Window = (-0.05, 0.35),
    bin_size: float = 0.01,
    threshold: float = 0.2,
) -> tuple[pd.DataFrame, float, float]:
    """When the response to an image begins and ends, from the whole population.

    With images shown back to back the rate before onset is the response to the image before, so the rate
    alone cannot tell. The signal can: the variance over images of the mean response in a bin, less the part
    that trial-to-trial noise leaves in it. It is zero while the spikes do not yet depend on the image,
    whatever the rate.

    The response has begun where the signal first exceeds the fraction `threshold` of its peak, above its mean
    before onset, and ended where it last does. `images` (P,) says which was shown at each onset; images shown
    once are left out.

    Returns
    -------
    histogram : DataFrame
        ``time`` (start of the bin, s), ``rate`` (mean over units, spikes/s), ``signal`` (mean over units,
        (spikes/s)^2).
    begins, ends : float
        s after onset; NaN if the signal's peak is not 4 standard deviations above its level before onset.
    """
    starts = _bin_starts(window, bin_size)
    rate, signal = np.zeros((2, len(starts)))
    for times in _checked_spikes(spike_times):
        counts = _aligned_counts(times, onsets, window, bin_size) / bin_size
        rate += counts.mean(axis=0) / len(spike_times)
        signal += _signal_power(counts, np.asarray(images)) / len(spike_times)
    histogram = pd.DataFrame({"time": starts, "rate": rate, "signal": signal})
    after = starts > -bin_size / 2
    before = signal[~after] if not after.all() else np.zeros(1)
    level, peak = before.mean(), signal[after].max()
    if not peak > level + 4 * before.std():
        return histogram, np.nan, np.nan
    above = starts[after & (signal > level + threshold * (peak - level))]
    return histogram, above[0], above[-1] + bin_size


def signal_share(histogram: pd.DataFrame, start: float, stop: float) -> float:
    """Share of the signal after onset that lies in a window, `start` to `stop` in s; NaN without a signal.

    The mean signal before onset is first taken off the signal of the `latency_histogram`.
    """
    before = histogram.time < -1e-9
    level = np.nan_to_num(histogram.signal[before].mean())
    signal = np.clip(histogram.signal - level, 0, None)[~before]
    inside = histogram.time[~before].between(start - 1e-9, stop - 1e-9, inclusive="left")
    return float(signal[inside].sum() / signal.sum()) if signal.sum() > 0 else np.nan


def _signal_power(responses, images):
    """Variance over images of the mean response, less the noise in it: (P, n) -> (n,)."""
    order = np.argsort(images, kind="stable")
    _, first, n = np.unique(images[order], return_index=True, return_counts=True)
    total, squares = (
        np.add.reduceat(values, first, axis=0)[n > 1] for values in (responses[order], responses[order] ** 2)
    )
    n = n[n > 1][:, None]
    if len(n) < 2:
        return np.full(responses.shape[1], np.nan)
    noise = (squares - total**2 / n) / (n - 1) / n
    return (total / n).var(axis=0, ddof=1) - noise.mean(axis=0)


def _bin_starts(window, bin_size):
    return window[0] + bin_size * np.arange(round((window[1] - window[0]) / bin_size))


def _aligned_counts(times, onsets, window, bin_size):
    """Counts (P, n_bins) of one unit in bins around every onset."""
    n_bins = len(_bin_starts(window, bin_size))
    lags, trials = aligned_spikes(times, onsets, window=window)
    bins = np.floor((lags - window[0]) / bin_size).astype(int)
    inside = (bins >= 0) & (bins < n_bins)
    cells = trials[inside] * n_bins + bins[inside]
    return np.bincount(cells, minlength=len(onsets) * n_bins).reshape(-1, n_bins)


def _checked_spikes(spike_times):
    for unit, times in enumerate(spike_times):
        times = np.asarray(times, dtype=float)
        if times.ndim != 1 or not (np.all(times[1:] >= times[:-1]) and np.isfinite(times).all()):
            raise InputError(
                f"spike times of unit {unit} (counted from 0) are not one sorted, "
                "finite array; sort each unit's spike times"
            )
        yield times


def _check_windows(starts, stops):
    if starts.shape != stops.shape or starts.ndim != 1:
        raise InputError(
            f"starts has shape {starts.shape} and stops {stops.shape}; "
            "expected one start and one stop per window"
        )
    wrong = np.flatnonzero(~(stops >= starts))
    if len(wrong):
        raise InputError(
            f"window {wrong[0]} runs from {starts[wrong[0]]} to {stops[wrong[0]]} s; expected stop >= start"
        )


def _frame_ids(frames):
    frames = pd.to_numeric(pd.Series(frames), errors="coerce").to_numpy(float)
    ids = np.where((frames >= BLANK) & (frames < 2**31), frames, BLANK - 1).astype(int)
    wrong = np.flatnonzero(ids != frames)
    if len(wrong):
        raise InputError(
            f"{len(wrong)} presentations have no integer frame id (the first: row "
            f"{wrong[0]}, {frames[wrong[0]]}); expected image numbers, -1 for a blank"
        )
    return ids
