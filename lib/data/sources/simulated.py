"""A simulated session, written as an Allen ecephys NWB file and read back through AllenSDK.

What the analysis gets is what AllenSDK reads from the file; the receptive fields go to a file of
their own, `truth.h5`, which only the comparison with the truth opens.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data import nwb_files, nwb_write, simulated_neurons, simulated_session
from lib.data.recording import Recording
from lib.data.session import select_units
from lib.errors import InputError
from lib.files import ROOT, write_atomically

STRUCTURE = "VISam"  # of the `units` units; two more fail the quality filter
ELSEWHERE = "VISp"  # where six more units lie
ELSEWHERE_KINDS = {"simple": 2, "complex": 2, "spot": 1, "untuned": 1}
FAILING_KINDS = {"simple": 1, "complex": 1}


def load(
    session: int, *, folder: Path, structure: str, units: int = 48, images: int = 118, **repeats: int
) -> Recording:
    """Make the simulated session if it is not there, and read it.

    Writes simulated.nwb, simulated_images.npz and truth.h5 into `folder`, again when parameters or the code
    of the simulation have changed. `session` is the seed, `structure` VISam, or VISp for the six units
    elsewhere. At least 9 `units` of VISam pass the quality filter, shared among the kinds by
    `lib.data.simulated_neurons.kind_counts`; the other parameters are those of
    `lib.data.simulated_session.timeline`.

    Raises
    ------
    InputError
        A session that is no seed, or a structure without units.
    """
    if not isinstance(session, int) or session < 0:
        raise InputError(f"session is {session!r}; a simulated session is a whole number from 0, its seed")
    folder = Path(folder)
    parameters = dict(units=units, images=images, **repeats)
    fingerprint = _fingerprint(session, parameters)
    file = folder / "simulated.nwb"
    made = all((folder / name).exists() for name in ("simulated.nwb", "simulated_images.npz", "truth.h5"))
    if not made or nwb_write.read_notes(file) != fingerprint:
        _make(session, parameters, folder=folder, fingerprint=fingerprint)
    with np.load(folder / "simulated_images.npz", allow_pickle=False) as stored:
        frames = {name: stored[name].astype(np.float32) / 255 for name in stored.files}
    scenes = frames.pop("images")
    return Recording(
        name=f"simulated {session}",
        source="simulated",
        images=scenes,
        image_ids=np.arange(len(scenes)),
        degrees_per_pixel=simulated_neurons.SCENE_HEIGHT / scenes.shape[1],
        movies={name: movie for name, movie in frames.items() if len(movie)},
        **nwb_files.read_session(file, structure=structure),
    )


def check(session: int, *, structure: str | list[str], units: int, **_: int) -> pd.DataFrame:
    """Return the units that will pass the quality filter; raise `InputError` for an unknown structure."""
    _, table = draw_units(units, seed=session)
    passing = table[table.isi_violations < 0.5]  # AllenSDK's limit, which `draw_units` plays to
    return select_units(passing, structure, "selected", f"simulated {session}")


def draw_units(units: int, *, seed: int) -> tuple[simulated_neurons.TrueUnits, pd.DataFrame]:
    """Model neurons of a session: `units` in VISam, two that fail the quality filter, six in VISp.

    With them comes a table, index unit_id, of their `structure` and quality metrics.
    """
    groups = {STRUCTURE: units, "failing": FAILING_KINDS, ELSEWHERE: ELSEWHERE_KINDS}
    tables = [
        simulated_neurons.make_units(kinds, seed=[seed, group], first_unit_id=951000000 + 10000 * group)
        for group, kinds in enumerate(groups.values())
    ]
    table = pd.concat(tables)
    group = np.repeat(list(groups), [len(t) for t in tables])
    rng = np.random.default_rng([seed, 3])
    n = len(table)
    metrics = pd.DataFrame(
        {
            "structure": np.where(group == ELSEWHERE, ELSEWHERE, STRUCTURE).astype(object),
            "snr": rng.uniform(1.5, 5, n),
            "d_prime": rng.uniform(3, 8, n),
            "isi_violations": np.where(group == "failing", 2.0, rng.uniform(0, 0.3, n)),
            "presence_ratio": rng.uniform(0.96, 1, n),
            "amplitude_cutoff": rng.uniform(0, 0.08, n),
            "isolation_distance": rng.uniform(40, 120, n),
            "l_ratio": rng.uniform(0, 0.05, n),
            "nn_hit_rate": rng.uniform(0.9, 1, n),
            "nn_miss_rate": rng.uniform(0, 0.02, n),
        },
        index=table.index,
    )
    return simulated_neurons.TrueUnits(table.assign(structure=metrics.structure)), metrics


def _make(seed, parameters, *, folder, fingerprint):
    """Simulate and write the three files; the session file, which vouches for them, last."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "simulated.nwb").unlink(missing_ok=True)
    rng = np.random.default_rng([seed, 4])
    units, metrics = draw_units(parameters["units"], seed=seed)
    presentations = simulated_session.timeline(
        rng=rng, **{k: v for k, v in parameters.items() if k != "units"}
    )
    shown = presentations.groupby("stimulus_name").frame.max()
    frames = {"images": simulated_session.dead_leaves(parameters["images"], rng=rng)} | {
        name: simulated_session.movie(int(shown[name]) + 1, rng=rng)
        for name in ("natural_movie_one", "natural_movie_three")
        if name in shown
    }
    movies = {name: movie / 255 for name, movie in frames.items()}
    expected = simulated_session.expected_counts(
        units, presentations, images=movies.pop("images"), movies=movies
    )
    gain = simulated_session.shared_gain(presentations.start_time.to_numpy(), rng=rng)
    spike_times = simulated_session.spikes(
        expected, presentations, gain=gain, rng=rng, latency=units.table.latency.to_numpy()
    )
    length = presentations.stop_time.iloc[-1] - presentations.start_time.iloc[0]
    metrics["firing_rate"] = [len(times) / length for times in spike_times]
    units.save(folder / "truth.h5")
    write_atomically(folder / "simulated_images.npz", lambda path: np.savez(path, **frames))
    nwb_write.write_session(
        folder / "simulated.nwb",
        units=metrics,
        spike_times=spike_times,
        presentations=presentations,
        session_id=seed,
        notes=fingerprint,
    )


def _fingerprint(seed, parameters):
    """One line that tells the parameters and the code a session was made from."""
    digest = hashlib.sha256()
    for module in (
        "data/sources/simulated",
        "data/nwb_write",
        "data/simulated_session",
        "data/simulated_neurons",
        "stimuli/patterns",
    ):
        digest.update((ROOT / "lib" / f"{module}.py").read_bytes())
    made_from = json.dumps({"seed": seed, **parameters}, sort_keys=True)
    return f"simulated from {made_from}, code {digest.hexdigest()[:16]}"
