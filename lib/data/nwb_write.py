"""A session written as an Allen ecephys NWB file, as AllenSDK reads it."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lib.data.nwb_files import METRICS, TUNING, known_warnings

# What Allen's files hold where the parameter has no single number
DRIFTING_PHASE = "[3644.93333333, 3644.93333333]"
SIZES = {"gabors": "[20.0, 20.0]", "static_gratings": "[250.0, 250.0]"}
TEXT_PARAMETERS = ("phase", "spatial_frequency")
WAVEFORM = dict(
    waveform_duration=0.5,
    waveform_halfwidth=0.2,
    PT_ratio=0.5,
    spread=60.0,
    repolarization_slope=0.5,
    recovery_slope=-0.1,
    amplitude=120.0,
    velocity_above=0.0,
    velocity_below=0.3,
)
CHANNELS = 24  # of a probe; the last lies outside the brain


def write_session(
    path: Path | str,
    *,
    units: pd.DataFrame,
    spike_times: list[np.ndarray],
    presentations: pd.DataFrame,
    session_id: int,
    notes: str = "",
) -> None:
    """Write a recording session as an Allen ecephys NWB file, under a temporary name first.

    Parameters
    ----------
    units : DataFrame
        Index unit_id; column `structure` (one probe is written for each) and any of `METRICS` and `TUNING`.
    spike_times : list of (n,) sorted arrays, s
        In the order of `units`.
    presentations : DataFrame
        start_time, stop_time (s), stimulus_name, stimulus_block (NaN for spontaneous activity) and numeric
        `PARAMETERS`, NaN where they do not apply.
    notes : str
        Kept in the file; `read_notes` returns it.
    """
    with known_warnings():
        import pynwb
        from allensdk.brain_observatory.ecephys.probes import Probes
        from allensdk.brain_observatory.nwb import add_invalid_times

        file = pynwb.NWBFile(
            session_description="Data and metadata for an Ecephys session",
            notes=notes,
            identifier=str(session_id),
            session_id=str(session_id),
            institution="none: simulated",
            session_start_time=datetime.datetime(2019, 1, 1, tzinfo=datetime.UTC),
        )
        _add_subject(file, session_id)
        _add_presentations(file, presentations)
        add_invalid_times(file, [])
        Probes(_probes(units, dict(zip(units.index, spike_times)))).to_nwb(file)
        partial = Path(path).with_suffix(".partial.nwb")
        with pynwb.NWBHDF5IO(str(partial), "w") as io:
            io.write(file, cache_spec=True)
    os.replace(partial, path)


def read_notes(path: Path | str) -> str:
    """Return the notes of an NWB file, "" if it has none."""
    with h5py.File(path) as file:
        return file["general/notes"].asstr()[()] if "general/notes" in file else ""


def _add_subject(file, session_id):
    from allensdk.brain_observatory.ecephys.nwb import EcephysSpecimen

    file.stimulus_notes = "brain_observatory_1.1"
    file.subject = EcephysSpecimen(
        subject_id=str(session_id),
        specimen_name="simulated",
        age="P120D",
        age_in_days=120.0,
        genotype="none",
        strain="none",
        sex="U",
        species="Mus musculus",
    )


def _add_presentations(file, presentations):
    """Write a table for each stimulus, as AllenSDK's `Presentations.to_nwb` does row by row."""
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    table = presentations.assign(stimulus_index=pd.factorize(presentations.stimulus_name)[0])
    for name, rows in table.groupby("stimulus_name"):
        rows = rows.dropna(axis=1, how="all")
        rows = rows.assign(**{c: rows[c].astype(str) for c in TEXT_PARAMETERS if c in rows})
        if name in SIZES:
            rows = rows.assign(size=SIZES[name])
        if name == "gabors":
            rows = rows.assign(phase=DRIFTING_PHASE)
        columns = [
            VectorData(
                name=c, description=c, data=values.tolist() if values.dtype == object else values.to_numpy()
            )
            for c, values in rows.items()
        ]
        file.add_time_intervals(
            TimeIntervals(
                name=f"{name}_presentations",
                columns=columns,
                description=f"Presentation times and stimuli details for '{name}' stimuli.",
            )
        )


def _probes(units, spike_times):
    """AllenSDK's objects for the units: one probe for each structure."""
    from allensdk.brain_observatory.ecephys._channel import Channel
    from allensdk.brain_observatory.ecephys._channels import Channels
    from allensdk.brain_observatory.ecephys._probe import Probe
    from allensdk.brain_observatory.ecephys._units import Units

    probes = []
    for number, (structure, rows) in enumerate(units.groupby("structure", sort=False)):
        probe_id, first = 810000000 + number, 850000000 + CHANNELS * number
        channels = [
            Channel(
                id=first + k,
                probe_id=probe_id,
                probe_channel_number=k,
                valid_data=True,
                probe_vertical_position=20 * (k // 2 + 1),
                probe_horizontal_position=[43, 11][k % 2],
                structure_acronym=structure if k < CHANNELS - 1 else "None",
                strip_structure_subregion=False,
                anterior_posterior_ccf_coordinate=8000.0 + k,
                dorsal_ventral_ccf_coordinate=500.0 + 20 * k,
                left_right_ccf_coordinate=7000.0 + k,
            )
            for k in range(CHANNELS)
        ]
        members = [
            _unit(unit, row, spike_times[unit], index, first)
            for index, (unit, row) in enumerate(rows.iterrows())
        ]
        probes.append(
            Probe(
                id=probe_id,
                name=f"probe{'ABCDEF'[number]}",
                sampling_rate=30000.0,
                channels=Channels(channels),
                units=Units(members),
            )
        )
    return probes


def _unit(unit_id, row, times, index, first_channel):
    """AllenSDK's object for one unit, with a spike of one shape on the channels."""
    from allensdk.brain_observatory.ecephys._unit import Unit

    peak = index % (CHANNELS - 1)
    t = np.linspace(-1, 1.7, 82)
    shape = 0.4 * np.exp(-(((t - 0.45) / 0.3) ** 2)) - np.exp(-((t / 0.15) ** 2))
    decay = np.exp(-np.abs(np.arange(CHANNELS) - peak) / 3.0)
    metrics = {name: float(row[name]) for name in (*METRICS, *TUNING) if name in row}
    return Unit(
        id=int(unit_id),
        peak_channel_id=first_channel + peak,
        local_index=index,
        cluster_id=index,
        quality="good",
        mean_waveforms=120 * decay[:, None] * shape,
        spike_times=times,
        spike_amplitudes=np.full(len(times), 1.2e-4),
        **metrics,
        **WAVEFORM,
    )
