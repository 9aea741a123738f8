"""Session files: what AllenSDK reads is what was written, and the simulated source makes them."""

import os

import h5py
import numpy as np
import pandas as pd
import pytest

from lib.data import nwb_files, nwb_write, simulated_neurons, simulated_session, unit_metrics
from lib.data.sources import simulated
from lib.errors import InputError

SMALL = dict(
    images=3,
    scene_repeats=2,
    gabor_repeats=1,
    grating_repeats=1,
    movie_one_frames=2,
    movie_one_repeats=2,
    movie_three_frames=3,
    movie_three_repeats=1,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small file: 5 units, one silent, one elsewhere, two failing the quality filter."""
    rng = np.random.default_rng(0)
    presentations = simulated_session.timeline(rng=rng, **SMALL)
    units = pd.DataFrame(
        {
            "structure": ["VISam", "VISp", "VISam", "VISam", "VISam"],
            "snr": [1.5, 2, 3, 4, 5],
            "firing_rate": 4.0,
            "isi_violations": [0.1, 0.1, 2.0, 0.1, 0.1],
            "presence_ratio": [0.99, 0.99, 0.99, 0.5, 0.99],
            "amplitude_cutoff": 0.01,
        },
        index=pd.Index([951000040, 951000010, 951000020, 951000030, 951000005], name="unit_id"),
    )
    times = [np.sort(rng.uniform(0, 300, n)) for n in (200, 150, 100, 50, 0)]
    path = tmp_path_factory.mktemp("nwb") / "small.nwb"
    nwb_write.write_session(
        path,
        units=units,
        spike_times=times,
        presentations=presentations,
        session_id=7,
        notes="made for a test",
    )
    return path, units, times, presentations


@pytest.fixture(scope="module")
def session(written):
    return nwb_files.read_session(written[0], structure="VISam")


def test_spike_times_survive_exactly(written, session):
    """Fails if spikes are moved, resorted or given to another unit; a silent unit stays."""
    path, units, times, _ = written
    assert session["units"].index.tolist() == [951000005, 951000040]
    for read, sent in zip(session["spike_times"], (times[4], times[0])):
        assert np.array_equal(read, sent)
    with h5py.File(path) as file:  # without AllenSDK
        stops = file["units/spike_times_index"][()]
        row = file["units/id"][()].tolist().index(951000040)
        direct = file["units/spike_times"][stops[row - 1] if row else 0 : stops[row]]
    assert np.array_equal(direct, times[0])


def test_presentations_survive_as_numbers(written, session):
    """Fails if texts, objects, 'null' or booleans of AllenSDK's tables reach the analysis."""
    presentations, read = written[3], session["presentations"]
    assert read.index.tolist() == list(range(len(presentations)))
    pd.testing.assert_frame_equal(read.reset_index(drop=True), presentations, check_exact=True)
    assert read.drop(columns="stimulus_name").dtypes.eq(float).all()


def test_columns_of_zeros_and_ones_stay_numbers(tmp_path):
    """AllenSDK makes booleans of a block column that holds only 0, 1 and missing values."""
    p = simulated_session.timeline(
        rng=np.random.default_rng(0),
        **SMALL | dict(images=2, gabor_repeats=0, grating_repeats=0, movie_three_repeats=0, scene_repeats=1),
    )
    p = p.iloc[:4]
    assert set(p.stimulus_block.dropna()) == {0.0, 1.0}
    units = pd.DataFrame(
        {
            "structure": ["VISp"],
            "isi_violations": 0.1,
            "firing_rate": 1.0,
            "presence_ratio": 0.99,
            "amplitude_cutoff": 0.0,
        },
        index=[1],
    )
    nwb_write.write_session(
        tmp_path / "s.nwb", units=units, spike_times=[np.array([1.0, 2.0])], presentations=p, session_id=1
    )
    read = nwb_files.read_session(tmp_path / "s.nwb", structure="VISp")["presentations"]
    np.testing.assert_array_equal(read.stimulus_block, p.stimulus_block)
    np.testing.assert_array_equal(read.frame, p.frame)


def test_quality_filter_drops_units_and_says_so(session):
    """Fails if AllenSDK's default filter is switched off or its losses are hidden."""
    assert session["structures"] == {"VISam": 2, "VISp": 1}
    assert len(session["notes"]) == 1 and "2 of 5 units" in session["notes"][0]
    assert session["units"].structure.eq("VISam").all()
    assert session["units"].snr.tolist() == [5.0, 1.5]


def test_unknown_structure_names_those_there(written):
    """Fails if a wrong area gives an empty session or an error of AllenSDK's."""
    with pytest.raises(ValueError, match=r"'VISl'.*VISam \(2 units\), VISp \(1 units\)") as error:
        nwb_files.read_session(written[0], structure="VISl")
    assert "\n" not in str(error.value)


def test_file_is_an_allen_session(written):
    """Fails if AllenSDK cannot open the file by path, in the way its users do."""
    from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession

    with nwb_files.known_warnings():
        session = EcephysSession.from_nwb_path(str(written[0]))
        gabors = session.get_stimulus_table("gabors")
        assert session.ecephys_session_id == 7
    assert len(gabors) == 243 and gabors["size"].iloc[0] == "[20.0, 20.0]"
    assert gabors.phase.iloc[0] == nwb_write.DRIFTING_PHASE


def test_failed_write_leaves_the_old_file(written, tmp_path):
    """Fails if the file is written in place."""
    path = tmp_path / "s.nwb"
    path.write_bytes(b"old")
    _, units, times, presentations = written
    with pytest.raises(Exception):
        nwb_write.write_session(
            path, units=units.assign(snr="text"), spike_times=times, presentations=presentations, session_id=1
        )
    assert path.read_bytes() == b"old"


def test_notes(written, tmp_path):
    """Fails if notes are lost."""
    assert nwb_write.read_notes(written[0]) == "made for a test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


def load_small(seed, folder, structure="VISam"):
    return simulated.load(
        seed, folder=folder, structure=structure, units=9, **SMALL | dict(gabor_repeats=0, grating_repeats=0)
    )


def test_source_reads_what_it_made_and_keeps_the_truth_apart(folder):
    """Fails if images, movies or units are lost, or the truth reaches the recording."""
    recording = load_small(1, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["simulated.nwb", "simulated_images.npz", "truth.h5"]
    assert recording.images.shape == (3, 115, 147) and recording.images.dtype == np.float32
    assert recording.degrees_per_pixel * 115 == pytest.approx(94.8)
    assert {k: len(v) for k, v in recording.movies.items()} == {
        "natural_movie_one": 2,
        "natural_movie_three": 3,
    }
    assert recording.structures == {"VISam": 9, "VISp": 6} and len(recording.units) == 9
    known = simulated_neurons.TrueUnits.load(folder / "truth.h5").table
    assert set(recording.units) & set(known) == {"structure"}
    kinds = known.loc[recording.units.index].truth_kind
    assert set(kinds) == set(simulated_neurons.KINDS) and len(known) == 17
    silent = np.array([len(times) == 0 for times in recording.spike_times])
    np.testing.assert_array_equal(silent, kinds == "silent")


def test_source_works_again_only_when_asked_for_another_session(folder):
    """Fails if the source redoes its work, misses a change of parameters, or is not seeded."""
    file = folder / "simulated.nwb"
    first, made = load_small(1, folder, "VISp"), os.stat(file).st_ino
    load_small(1, folder, "VISp")
    assert os.stat(file).st_ino == made
    other = load_small(2, folder, "VISp")
    assert os.stat(file).st_ino != made and not np.array_equal(other.images, first.images)
    again = load_small(1, folder, "VISp")
    assert np.array_equal(again.images, first.images)
    assert all(np.array_equal(a, b) for a, b in zip(again.spike_times, first.spike_times))


@pytest.mark.parametrize("seed", ["one", -1, 1.5])
def test_source_wants_a_seed(tmp_path, seed):
    """Fails if a mistyped seed runs for a while and then fails deep inside."""
    with pytest.raises(ValueError, match="whole number"):
        simulated.load(seed, folder=tmp_path, structure="VISam", units=9, **SMALL)


def test_a_table_of_unit_metrics_is_read_by_unit_or_refused_in_a_line(tmp_path):
    """Fails if rows go by position, or a table of something else passes."""
    path = tmp_path / "metrics.csv"
    path.write_text("ecephys_unit_id,snr,pref_ori_sg\n7,1.0,30\n5,2.0,60\n")
    assert unit_metrics.read_metrics(path).pref_ori_sg.to_dict() == {7: 30, 5: 60}
    path.write_text("unit_id,pref_ori_sg\nu7,30\n")
    with pytest.raises(InputError, match="unit_id must be whole numbers.*'u7'"):
        unit_metrics.read_metrics(path)
    path.write_text("unit,pref_ori_sg\n7,30\n")
    with pytest.raises(InputError, match="expected a column unit_id"):
        unit_metrics.read_metrics(path)
    path.write_text("unit_id,snr\n7,30\n")
    with pytest.raises(InputError, match="some of area_rf"):
        unit_metrics.read_metrics(path)
