"""Small recordings with drawn faults: one line, a warning, or the true counts; never a wrong number.

`draw(n)` does the same without hypothesis, for the benchmark.
"""

import collections
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data.recording import Recording
from lib.data.session import from_recording
from lib.data.sources import choose
from lib.errors import InputError
from lib.params import load_params
from tests.unit.data.test_properties_input import KEYS, TREES

# What changes nothing that is true, and what must be refused or said
HARMLESS = ("order", "ids", "bytes", "unequal", "units", "padded", "blank", "same picture")
HARMFUL = (
    "trials twice",
    "units twice",
    "ms",
    "shifted",
    "withheld",
    "grey",
    "alike",
    "invalid",
    "range",
    "silent",
)


def true_recording(rng):
    """Pictures, and the count of each unit in each trial of each: all that is true."""
    pictures, repeats, units = rng.integers(6, 12), rng.integers(3, 6), rng.integers(3, 7)
    images = np.kron(rng.random((pictures, 5, 6)), np.ones((4, 4))).astype(np.float32)
    return images, rng.poisson(rng.gamma(2, 3, (pictures, units)), (repeats, pictures, units)) + 1


def spiking(images, counts, rng, faults):
    """The recording as spikes in presentations, with the faults that such may have."""
    repeats, pictures, units = counts.shape
    picture, repeat = (a.ravel() for a in np.meshgrid(np.arange(pictures), np.arange(repeats)))
    ids = np.arange(pictures)
    if "order" in faults:
        mixed = rng.permutation(len(picture))
        picture, repeat = picture[mixed], repeat[mixed]
    onsets = 50 + 0.25 * np.arange(len(picture))
    times = [
        np.concatenate(
            [t + rng.uniform(0.06, 0.24, counts[r, p, u]) for t, r, p in zip(onsets, repeat, picture)]
        )
        for u in range(units)
    ]
    frames = ids[picture].astype(float)
    if "same picture" in faults:  # every other time under another id
        images, ids = np.concatenate([images, images]), np.arange(2 * pictures)
        frames = np.where(np.arange(len(frames)) % 2, frames + pictures, frames)
        frames[:pictures], frames[pictures : 2 * pictures] = (
            frames[:pictures] % pictures,
            frames[pictures : 2 * pictures] % pictures + pictures,
        )
    if "ids" in faults:
        names = rng.permutation(1000)[: len(ids)]
        images, ids, frames = (
            images[np.argsort(names)],
            np.sort(names),
            names[frames.astype(int)].astype(float),
        )
    table = pd.DataFrame(
        {"start_time": onsets, "stop_time": onsets + 0.25, "stimulus_name": "natural_scenes", "frame": frames}
    )
    invalid = {}
    if "blank" in faults:
        blank = pd.DataFrame(
            {
                "start_time": [onsets[-1] + 1],
                "stop_time": [onsets[-1] + 1.25],
                "stimulus_name": "natural_scenes",
                "frame": -1.0,
            }
        )
        table = pd.concat([table, blank], ignore_index=True)
    if "trials twice" in faults:
        table = pd.concat([table, table.iloc[:5]], ignore_index=True)
    if "invalid" in faults:
        rows = pd.DataFrame(
            {"start_time": [onsets[1]], "stop_time": [onsets[2]], "units": [[-3 if "units" in faults else 0]]}
        )
        invalid["invalid_times"] = rows
    if "ms" in faults:
        times = [1000 * t for t in times]
    if "shifted" in faults:
        times = [t + 1e4 for t in times]
    if "silent" in faults:
        times = [t[:0] for t in times]
    times = [np.sort(t) for t in times]
    if "units twice" in faults:
        times = [*times, times[0]]
    return dict(images=images, image_ids=ids, presentations=table, spike_times=times, **invalid)


def counted(images, counts, rng, faults):
    """The recording as counts, with the faults that such may have."""
    counts = counts.astype(float)
    if "trials twice" in faults:
        counts = np.concatenate([counts, counts])
    if "units twice" in faults:
        counts = np.concatenate([counts, counts[:, :, :1]], axis=2)
    if "unequal" in faults:
        counts[-1, 0] = np.nan
    if "same picture" in faults:
        images, counts = (
            np.concatenate([images, images[:1]]),
            np.concatenate([counts, np.full_like(counts[:, :1], np.nan)], 1),
        )
        counts[0, -1], counts[:-1, 0] = counts[0, 0], counts[1:, 0]
        counts[-1, 0] = np.nan
    if "withheld" in faults:
        counts[0] = 0
    if "silent" in faults:
        counts[:] = 0
    ids = np.sort(rng.permutation(1000)[: len(images)]) if "ids" in faults else np.arange(len(images))
    return dict(images=images, image_ids=ids, counts=counts, count_window=(0.05, 0.25))


def outcome(seed, faults):
    """Return refused, warned or true of one recording; AssertionError for a wrong number or a long line."""
    rng = np.random.default_rng(seed)
    images, counts = true_recording(rng)
    spikes = bool(rng.integers(2))
    made = (spiking if spikes else counted)(images, counts, rng, faults)
    if "alike" in faults:
        made["images"] = made["images"].copy()
        made["images"][1] = 0.95 * made["images"][0]
    if "grey" in faults:
        made["images"] = np.full_like(made["images"], 0.4)
    if "range" in faults:
        made["images"] = np.clip(made["images"], 0.5, 0.5)
    shown = made["images"]
    if "bytes" in faults:
        made["images"] = np.round(255 * shown).astype(np.uint8)
    units = len(made["spike_times"]) if spikes else made["counts"].shape[2]
    first = -3 if "units" in faults else 0
    table = pd.DataFrame({"structure": "V1"}, index=pd.Index(np.arange(first, first + units), name="unit_id"))
    recording = Recording(
        name="r", source="nwb" if spikes else "arrays", units=table, degrees_per_pixel=1.0, **made
    )
    try:
        session = from_recording(recording, latency=0.05, duration=0.2, image_height=20)
    except InputError as error:
        assert "\n" not in str(error)
        assert set(faults) & set(HARMFUL), f"{faults} was refused: {error}"
        return "refused"
    if session.warnings:
        assert set(faults) & {*HARMFUL, "same picture"}, f"{faults}: {session.warnings}"
    applies = set(faults) & set(HARMFUL) - ({"invalid", "ms", "shifted"} if not spikes else {"withheld"})
    assert not applies or session.warnings, f"{faults} passed without a word"
    if not applies:
        for image, mean in zip(session.images, np.nanmean(session.counts, axis=0)):
            picture = np.abs(images - image).mean((1, 2)).argmin()
            true = counts[:, picture, : len(mean)]
            if "unequal" in faults and picture == 0 and not spikes:
                continue  # one trial less, of the same picture
            np.testing.assert_allclose(mean, true.mean(0), rtol=1e-6, err_msg=str(faults))
    return "warned" if session.warnings else "true"


@settings(max_examples=100)
@given(
    st.integers(0, 2**31), st.sets(st.sampled_from(HARMLESS)), st.lists(st.sampled_from(HARMFUL), max_size=1)
)
def test_a_recording_is_true_or_something_is_said(seed, harmless, harmful):
    """Fault: any order, ids or types that change a count; any doubled or foreign data in silence."""
    outcome(seed, sorted(harmless) + harmful)


SECTIONS = st.dictionaries(KEYS, TREES, max_size=3)


@settings(max_examples=40)
@given(
    st.integers(0, 9),
    st.dictionaries(
        st.sampled_from(["mei", "oracle", "cnn", "units", "per_unit", "structure", "seed"]),
        SECTIONS | TREES,
        max_size=3,
    ),
)
def test_a_declaration_of_a_recording_runs_or_is_one_line(seed, changes):
    """Fault: a value that passes the declaration and ends in a traceback when it meets the recording."""
    images, counts = true_recording(np.random.default_rng(seed))
    folder = Path(tempfile.mkdtemp())
    np.savez(folder / "c.npz", counts=counts, unit_ids=np.arange(counts.shape[2]))
    np.savez(folder / "i.npz", images=images)
    content = {"name": "f", "source": "arrays", "session": {"counts": "c.npz", "images": "i.npz"}} | changes
    try:
        (folder / "f.yml").write_text(yaml.safe_dump(content))
        assert len(choose.prepare(load_params(folder / "f.yml")))
    except InputError as error:
        assert str(error) and "\n" not in str(error)
    finally:
        shutil.rmtree(folder)


def draw(number, first=10_000):
    """Return how many drawn recordings were refused, warned of or true; raises at a wrong number."""
    found = collections.Counter()
    for seed in range(first, first + number):
        rng = np.random.default_rng(seed)
        faults = [fault for fault in HARMLESS if rng.integers(3) == 0]
        faults += [str(rng.choice(HARMFUL))] if rng.integers(2) else []
        found[outcome(seed, faults)] += 1
    return f"{number} recordings drawn: {dict(found)}"
