"""The sources `nwb` and `allen`: what AllenSDK would read, whatever the server or the person does."""

import gc
import os
import shlex
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib.data import download, nwb_files, shown_images
from lib.data.session import from_recording, load_session, save_session
from lib.data.sources import allen, choose
from lib.data.sources import nwb as nwb_source
from lib.errors import InputError
from lib.files import ROOT
from tests.support.warehouse import SESSIONS, Warehouse, make_served
from workflow import report

SESSION, WITHOUT_SCENES = SESSIONS
QUICK = dict(attempts=2, back_off=0.01)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_served(tmp_path_factory.mktemp("served"))


@pytest.fixture
def server(made):
    with Warehouse(made) as server:
        yield server


@pytest.fixture
def here(made, tmp_path):
    """A session file and its templates, to be damaged."""
    shutil.copy(made / f"session_{SESSION}" / f"session_{SESSION}.nwb", tmp_path / "s.nwb")
    shutil.copytree(made / "natural_scene_templates", tmp_path / "images")
    return tmp_path


def named(folder, **changes):
    return {"file": str(folder / "s.nwb"), "images": str(folder / "images")} | changes


def allen_session(server, tmp_path, **changes):
    return {
        "id": SESSION,
        "cache": str(tmp_path / "cache"),
        "bucket": "",
        "warehouse": server.address,
        "stream": False,
        "movies": [],
        "stall": 0.5,
    } | changes


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nwb_reads_what_allensdk_reads(here):
    """Fails if reading spikes past AllenSDK gives other units, areas or times than AllenSDK does."""
    with nwb_files.known_warnings():
        from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession

        theirs = EcephysSession.from_nwb_path(str(here / "s.nwb"))
        units, times = theirs.units, theirs.spike_times
        shown = theirs.get_stimulus_table("natural_scenes")
    ours = nwb_source.load(named(here), folder=None, structure=["VISam", "VISp"])
    assert ours.units.index.tolist() == sorted(units.index) and len(units) == 3
    assert ours.units.structure.to_dict() == units.structure_acronym.to_dict()
    for unit, mine in zip(ours.units.index, ours.spike_times):
        assert np.array_equal(mine, times[unit]) and len(mine) == 300
    rows = ours.presentations.query("stimulus_name == 'natural_scenes'")
    np.testing.assert_array_equal(rows.index, shown.index)
    np.testing.assert_array_equal(rows.frame, shown.frame.astype(float))


def test_nwb_takes_one_area_or_several(here):
    """Fails if areas are mixed up or the others are not counted."""
    one = nwb_source.load(named(here), folder=None, structure="VISp")
    assert set(one.units.structure) == {"VISp"} and one.structures == {"VISam": 2, "VISp": 1}


def test_images_are_joined_by_frame(here):
    """Fails if images follow the alphabetical order of the files."""
    for frame in range(3):
        Image.fromarray(np.full((46, 59), 10 * frame, np.uint8)).save(
            here / "images" / f"natural_scene_{frame}.tiff"
        )
    Image.fromarray(np.full((46, 59), 99, np.uint8)).save(here / "images" / "natural_scene_10.tiff")
    recording = nwb_source.load(named(here), folder=None, structure="VISp")
    assert recording.image_ids.tolist() == [0, 1, 2]  # frame 10 was never shown
    assert recording.images[:, 0, 0].tolist() == [0, 10, 20]
    assert recording.degrees_per_pixel == pytest.approx(94.8 / 46)


def test_images_from_npz(here):
    stack = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)
    np.savez(here / "i.npz", images=stack, degrees_per_pixel=2.0, natural_movie_one=stack[:2])
    recording = nwb_source.load(named(here, images=str(here / "i.npz")), folder=None, structure="VISp")
    np.testing.assert_allclose(recording.images, stack / 255, atol=1e-6)
    assert recording.degrees_per_pixel == 2.0 and recording.movies["natural_movie_one"].shape == (2, 20, 30)


def test_a_file_damaged_inside_is_one_line(here):
    """Fails if an unreadable table of a whole-looking file ends in a traceback."""
    with h5py.File(here / "s.nwb") as file, h5py.File(here / "t.nwb", "w") as other:
        for name in ("units", "general", "intervals"):
            file.copy(name, other)
        del other["intervals/natural_scenes_presentations/stimulus_name"]
        other["intervals/natural_scenes_presentations/stimulus_name"] = h5py.SoftLink("/nowhere")
    with pytest.raises(InputError, match="t.nwb is damaged inside"):
        nwb_files.check_file(here / "t.nwb")


def tagged(folder, tags, start, stop):
    """The session file with one invalid time, written as AllenSDK writes it."""
    with h5py.File(folder / "s.nwb", "r+") as file:
        scenes = file["intervals/natural_scenes_presentations"]
        group = file["intervals"].create_group("invalid_times")
        group.attrs.update(scenes.attrs)
        group.attrs["colnames"] = np.array(["start_time", "stop_time", "tags"], object)
        for name, values in {"id": [0], "start_time": [start], "stop_time": [stop]}.items():
            group[name] = values
            group[name].attrs.update(scenes[name].attrs)
        group["tags"] = np.array(tags, object)
        group["tags"].attrs.update(scenes["stimulus_name"].attrs)
        group["tags_index"] = np.array([len(tags)], np.uint8)
        group["tags_index"].attrs.update(
            {
                "description": "x",
                "namespace": "hdmf-common",
                "neurodata_type": "VectorIndex",
                "object_id": "i",
            }
        )
        group["tags_index"].attrs["target"] = group["tags"].ref
    return folder


@pytest.mark.parametrize(
    "tags, units",
    [
        (["EcephysSession", "1", "all_probes"], 3),
        (["EcephysProbe", "810000000", "probeA"], 2),
        (["EcephysSession", "1", "optotagging"], 0),
        (["probeZ"], 0),
    ],
)
def test_invalid_times_concern_the_units_that_their_tags_name(here, tags, units):
    """Fault: a tag that AllenSDK knows is not, and lost spikes are counted as zeros."""
    read = nwb_source.load(named(tagged(here, tags, 0.0, 1e6)), folder=None, structure=["VISam", "VISp"])
    assert len(read.invalid_times.units[0]) == units
    assert [w for w in read.warnings if "probeZ" in w] == read.warnings[: "probeZ" in tags]


def test_frames_may_be_text_and_a_zarr_folder_is_told_apart(here):
    """Fault: TypeError for texts of older files; "no such file" for a folder that is there."""
    with h5py.File(here / "s.nwb", "r+") as file:
        table = file["intervals/natural_scenes_presentations"]
        frames, about = table["frame"][()], dict(table["frame"].attrs)
        del table["frame"]
        table["frame"] = np.array([str(float(f)) for f in frames], object)
        table["frame"].attrs.update(about)
    assert nwb_files.check_file(here / "s.nwb").tolist() == [0, 1, 2]
    read = nwb_source.load(named(here), folder=None, structure="VISp")
    assert set(read.presentations.query("stimulus_name == 'natural_scenes'").frame) >= {0.0, 1.0, 2.0}
    with pytest.raises(InputError, match="is a folder: NWB is read from HDF5 files; export Zarr"):
        nwb_files.check_file(here / "images")


@pytest.mark.skipif(sys.platform != "linux", reason="the file is read in a fork")
def test_a_file_on_which_hdf5_loops_for_ever(here, monkeypatch):
    """Fails if a zeroed heap block, on which HDF5 never ends, stops the report for ever."""
    data = bytearray((here / "s.nwb").read_bytes())
    at = data.find(b"GCOL")
    while at >= 0:
        data[at + 16 : at + 80] = bytes(64)  # the heap's first objects, of length 0
        at = data.find(b"GCOL", at + 4)
    (here / "s.nwb").write_bytes(data)
    monkeypatch.setattr(nwb_files, "DEADLINE", 3)
    with pytest.raises(InputError, match="s.nwb is damaged inside, .* within 3 s"):
        nwb_files.read_units(here / "s.nwb")


@pytest.mark.skipif(sys.platform != "linux", reason="the file is read in a fork")
def test_a_file_on_which_hdf5_crashes(here, monkeypatch):
    """Fails if the report dies without a word."""
    monkeypatch.setattr(nwb_files, "_check", lambda _: os._exit(134))
    with pytest.raises(InputError, match="s.nwb is damaged inside .HDF5 crashed"):
        nwb_files.check_file(here / "s.nwb")


def test_several_sessions_in_one_run(here, tmp_path):
    """Fails if a unit gets another session's counts, or a session's area or repeats are lost."""
    shutil.copy(here / "s.nwb", here / "t.nwb")
    with h5py.File(here / "t.nwb", "r+") as second:
        second["units/id"][:] += 500
        second["units/spike_times"][:] += 0.25  # the second mouse answers a scene late
    given = [named(here), named(here, file=str(here / "t.nwb"))]
    params = {"source": "nwb", "session": given, "structure": ["VISam", "VISp"], "units": [950000501]}
    params["per_unit"] = {950000000: {}}
    choose.prepare(params)
    with pytest.raises(InputError, match="nearest ids: 950000500"):
        choose.prepare(params | {"units": [950000499]})
    with pytest.raises(InputError, match="unit 5 is not among the 6 units of this recording .per_unit"):
        choose.prepare(params | {"per_unit": {5: {}}})
    shutil.copy(here / "t.nwb", here / "v.nwb")
    with h5py.File(here / "v.nwb", "r+") as third:
        third["general/extracellular_ephys/electrodes/location"][:] = "VISp"
    with pytest.raises(InputError, match="'VISam' has no units in v.nwb; it holds VISp .3 units"):
        choose.prepare(params | {"session": [given[0], named(here, file=str(here / "v.nwb"))]})
    with pytest.raises(InputError, match="unit 950000000 stands in two sessions"):
        both(given[:1] * 2)
    session, alone = both(given), [both([part]) for part in given]
    assert session.counts.shape == (4, 3, 6) and session.structures == {"VISam": 4, "VISp": 2}
    for k in (0, 1):
        np.testing.assert_array_equal(session.counts[:, :, 3 * k : 3 * k + 3], alone[k].counts)
    assert not np.array_equal(alone[0].counts, alone[1].counts)
    assert session.units.session.tolist() == ["s"] * 3 + ["t"] * 3 and session.spike_times is None
    save_session(session, tmp_path / "session.h5")
    assert load_session(tmp_path).units.session.tolist() == session.units.session.tolist()


def both(given):
    recording = choose.load_recording("nwb", given, folder=None, structure=["VISam", "VISp"])
    return from_recording(recording, latency=0.05, duration=0.2, image_height=20)


def cut_short(folder):
    path = folder / "s.nwb"
    os.truncate(path, path.stat().st_size // 2)


def no_hdf5(folder):
    (folder / "s.nwb").write_text("<html>maintenance</html>")


def another_hdf5(folder):
    with h5py.File(folder / "s.nwb", "w") as file:
        file["x"] = 1


def no_scenes(folder):
    with h5py.File(folder / "s.nwb", "r+") as file:
        del file["intervals/natural_scenes_presentations"]


def no_channels_of_units(folder):
    with h5py.File(folder / "s.nwb", "r+") as file:
        del file["units/peak_channel_id"]


def too_few_images(folder):
    (folder / "images" / "natural_scene_1.tiff").unlink()


def no_images(folder):
    shutil.rmtree(folder / "images")
    (folder / "images").mkdir()


def cut_image(folder):
    os.truncate(folder / "images" / "natural_scene_1.tiff", 100)


@pytest.mark.parametrize(
    "damage, changes, message",
    [
        (cut_short, {}, "s.nwb cannot be read as NWB: it is cut short"),
        (no_hdf5, {}, "s.nwb cannot be read as NWB: it is no HDF5 file"),
        (another_hdf5, {}, "no Allen ecephys session file: it lacks units/spike_times"),
        (no_scenes, {}, "no natural scenes were shown"),
        (no_channels_of_units, {}, "s.nwb: AllenSDK cannot read it ("),
        (too_few_images, {}, "1 missing, the first that of frame 1"),
        (no_images, {}, "no natural_scene_<frame>.tiff"),
        (
            None,
            {"structure": "VISl"},
            "'VISl' has no units in s.nwb; it holds VISam (2 units), VISp (1 units)",
        ),
        (None, {"units": [950000003]}, "nearest ids: 950000002, 950000000"),  # fails the quality filter
    ],
)
def test_nwb_is_checked_before_work(here, damage, changes, message):
    """Fails if a fault is found only in the middle of a run, or if the check changes the file."""
    if damage:
        damage(here)
    before = files(here)
    params = {"source": "nwb", "session": named(here), "structure": "VISam", "units": "selected"}
    with pytest.raises(InputError) as error:
        choose.prepare(params | changes)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert files(here) == before


def test_a_wrong_recording_ends_the_report_before_it_begins(here, monkeypatch, capsys):
    """Fails if the exit code is not 2, a traceback is shown or a run folder is made."""
    cut_short(here)
    (here / "my.yml").write_text(
        "name: never_made\nsource: nwb\nstructure: VISp\nsession: {file: s.nwb, images: images}\n"
    )
    monkeypatch.setattr("sys.argv", ["report", str(here / "my.yml")])
    with pytest.raises(SystemExit) as stop:
        report.main()
    assert stop.value.code == 2 and not (ROOT / "build" / "never_made").exists()
    assert capsys.readouterr().err == (
        "s.nwb cannot be read as NWB: it is cut short; fetch or copy it again\n"
    )


def test_a_full_disk_ends_the_report_before_it_begins(here, monkeypatch):
    """Fails if work starts on a disk that cannot hold a run."""
    (here / "my.yml").write_text(
        "name: never_made\nsource: nwb\nstructure: VISp\nsession: {file: s.nwb, images: images}\n"
    )
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5e7}))
    with pytest.raises(InputError, match="run never_made needs 1.00 GB .* 0.05 GB free; make room"):
        report.make_report(here / "my.yml", cores=1)
    assert not (ROOT / "build" / "never_made").exists()


def test_metrics_of_another_session_are_refused(here):
    """Fails if a table that names none of the units makes columns of NaN without a word."""
    (here / "other.csv").write_text("unit_id,pref_ori_sg\n7,30\n")
    with pytest.raises(InputError, match="names none of its units.* but 7; is it that of another session"):
        nwb_source.load(named(here, metrics=str(here / "other.csv")), folder=None, structure="VISam")


def test_damaged_image_is_named(here):
    cut_image(here)
    with pytest.raises(InputError, match="natural_scene_1.tiff: not a readable image"):
        nwb_source.load(named(here), folder=None, structure="VISp")


def test_no_garbage_is_collected_while_a_far_file_is_read(made, tmp_path, server):
    """Fails if the thread that fetches may close HDF5 files: it waits for ever for the one that reads."""
    shutil.copy(made / f"session_{SESSION}" / f"session_{SESSION}.nwb", tmp_path / "far.nwb")
    with Warehouse(tmp_path) as far:
        with nwb_files.open_file(f"{far.address}/far.nwb"):
            assert not gc.isenabled()
        assert gc.isenabled()
        with pytest.raises(InputError), nwb_files.open_file(f"{far.address}/no.nwb"):
            pass
    assert gc.isenabled()


def test_nwb_over_http_reads_only_what_it_needs(made, tmp_path, server):
    """Fails if values differ from the local file's, or most of the file is fetched."""
    big = tmp_path / "big.nwb"
    shutil.copy(made / f"session_{SESSION}" / f"session_{SESSION}.nwb", big)
    with h5py.File(big, "r+") as file:
        file["processing/filler"] = np.zeros(20_000_000, np.uint8)
    with Warehouse(tmp_path) as far:
        read = nwb_files.read_session(f"{far.address}/big.nwb", structure="VISam")
    local = nwb_files.read_session(big, structure="VISam")
    for mine, theirs in zip(local["spike_times"], read["spike_times"]):
        assert np.array_equal(mine, theirs)
    pd.testing.assert_frame_equal(local["presentations"], read["presentations"])
    note = read["notes"][-1]
    assert note.startswith("Read over http: ") and note.endswith(f"of {big.stat().st_size / 1e6:.1f} MB.")
    assert float(note.split()[3]) < 6


def test_allen_makes_a_cache_that_allensdk_can_use(made, server, tmp_path):
    """Fails if a byte differs from the warehouse's, or AllenSDK would fetch again."""
    session = allen_session(server, tmp_path, movies=[1, 3])
    recording = allen.load(session, folder=None, structure="VISam")
    assert len(recording.units) == 2 and recording.images.shape == (3, 46, 59)
    assert {name: movie.shape for name, movie in recording.movies.items()} == {
        "natural_movie_one": (2, 230, 294),
        "natural_movie_three": (3, 230, 294),
    }
    inside = files(tmp_path / "cache")
    for name, content in files(made).items():
        if "served" not in name and str(WITHOUT_SCENES) not in name and "metrics" not in name:
            assert inside[name] == content
    assert set(inside) - set(files(made)) == {"manifest.json", "sessions.csv"}
    asked = len(server.log)
    allen.check(session, structure="VISam")
    assert len(server.log) == asked
    cache = allen.Cache(session).sdk
    np.testing.assert_array_equal(cache.get_natural_scene_template(2), recording.images[2])


def test_allen_uses_an_existing_cache_without_the_warehouse(made, server, tmp_path):
    """Fails if a cache that AllenSDK made is not used as it is."""
    shutil.copytree(made, tmp_path / "cache")
    before = files(tmp_path / "cache")
    session = allen_session(server, tmp_path, warehouse="http://127.0.0.1:9")
    assert len(allen.load(session, folder=None, structure="VISp").units) == 1
    after = files(tmp_path / "cache")
    assert after.pop("manifest.json") and after == before


@pytest.fixture(scope="module")
def bucket(made, tmp_path_factory):
    """The survey as the bucket has it: a cache of AllenSDK's with all tables, and no queries."""
    folder = tmp_path_factory.mktemp("bucket")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "served")
    with Warehouse(made) as server:
        cache = allen.Cache(allen_session(server, folder, cache=str(folder)))
        cache.sessions()
    return folder


def test_allen_takes_all_from_the_bucket(made, bucket, tmp_path):
    """Fails if the warehouse is needed, a byte differs, or the survey's figures of the units are lost."""
    with Warehouse(bucket) as server:
        session = allen_session(server, tmp_path, warehouse="http://127.0.0.1:9", bucket=server.address)
        recording = allen.load(session | {"movies": [1]}, folder=None, structure="VISam")
        listed = allen.Cache(session).sessions()
    assert recording.units.g_osi_sg.tolist() == [0.25, 0.25]
    assert listed.units.tolist() == [3, 3]
    inside = files(tmp_path / "cache")
    inside.pop("manifest.json")
    assert inside == {name: content for name, content in files(bucket).items() if name in inside}
    assert f"session_{SESSION}/session_{SESSION}.nwb" in inside


@pytest.mark.parametrize("fault", ["404", "gone"])
def test_allen_asks_the_warehouse_for_what_the_bucket_lacks(made, server, tmp_path, fault, monkeypatch):
    """Fails if a bucket without the file, or without a server, ends the run, or is asked for every file."""
    monkeypatch.setattr(download, "BACK_OFF", 0.01)
    empty = tmp_path / "empty"
    empty.mkdir()
    with Warehouse(empty) as nothing:
        address = nothing.address if fault == "404" else "http://127.0.0.1:9"
        session = allen_session(server, tmp_path, bucket=address)
        cache = allen.Cache(session, attempts=2, back_off=0.01)
        assert cache.session_file(SESSION).is_file() and cache.scenes(range(3)).is_dir()
        assert len(nothing.log) == (5 if fault == "404" else 0)
    assert len(server.log) == 4


def test_allen_streams_what_it_needs_and_keeps_it(bucket, tmp_path):
    """Fails if values differ from the whole file's, all of it is read, or a second run asks for it again."""
    far = tmp_path / "far"
    shutil.copytree(bucket, far)
    name = f"session_{SESSION}/session_{SESSION}.nwb"
    with h5py.File(far / name, "r+") as file:
        file["processing/filler"] = np.zeros(20_000_000, np.uint8)
    local = nwb_files.read_session(far / name, structure="VISam")
    with Warehouse(far) as server:
        session = allen_session(server, tmp_path, bucket=server.address, stream=True)
        first = allen.load(session, folder=None, structure="VISam")
        asked = sum(file == f"session_{SESSION}.nwb" and part is not None for file, part in server.log)
        second = allen.load(session, folder=None, structure="VISam")
        again = sum(file == f"session_{SESSION}.nwb" and part is not None for file, part in server.log)
    assert asked and again == asked
    for one, two, whole in zip(first.spike_times, second.spike_times, local["spike_times"]):
        assert np.array_equal(one, whole) and np.array_equal(two, whole)
    assert first.notes == second.notes and any(note.startswith("Read over http") for note in first.notes)
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.blocks/*/*"))
    assert 0 < kept < 6e6 and not (tmp_path / "cache" / name).exists()


def test_blocks_of_another_version_are_not_mixed(tmp_path):
    """Fails if blocks that were kept are used for a file that has changed on the server."""
    (tmp_path / "far").mkdir()
    with Warehouse(tmp_path / "far") as server:
        for content in (b"a" * 600_000, b"b" * 600_000):
            (tmp_path / "far" / "f").write_bytes(content)
            address = download.KeptAddress(f"{server.address}/f", tmp_path / "kept")
            with download.remote_file(address) as (file, _):
                assert file.read() == content


@pytest.mark.parametrize("faults", [["cut"], ["500"], ["web page"], ["garbage"], ["stall"]])
def test_allen_session_despite_a_fault(made, server, tmp_path, faults):
    """Fails if a fault of the warehouse that passes is seen in the file."""
    server.faults = faults
    cache = allen.Cache(allen_session(server, tmp_path), **QUICK)
    path = cache.session_file(SESSION)
    assert path.read_bytes() == (made / f"session_{SESSION}" / path.name).read_bytes()


def test_a_query_that_is_never_answered_ends(server, tmp_path):
    """Fails if a silent warehouse stops the report for ever, as it does AllenSDK."""
    server.query_faults = ["silent"] * 9
    with pytest.raises(InputError, match="the server was silent for 0.1 s, 2 times"):
        allen.Cache(allen_session(server, tmp_path, stall=0.1), **QUICK).session_file(SESSION)
    server.query_faults = ["503"]
    allen.Cache(allen_session(server, tmp_path), **QUICK).session_file(SESSION)


@pytest.mark.parametrize(
    "session, message",
    [(715093700, "nearest ids: 715093703"), (WITHOUT_SCENES, "functional_connectivity (no natural scenes;")],
)
def test_allen_refuses_before_a_download(server, tmp_path, session, message):
    """Fails if gigabytes are fetched first."""
    with pytest.raises(InputError) as error:
        allen.load(allen_session(server, tmp_path, id=session), folder=None, structure="VISam")
    assert message in str(error.value) and "\n" not in str(error.value) and server.log == []


def test_damaged_session_in_the_cache(made, server, tmp_path, capsys):
    """Fails if AllenSDK's way of it comes back: the file deleted, or the fault not named."""
    session = allen_session(server, tmp_path)
    path = allen.Cache(session).session_file(SESSION)
    os.truncate(path, 5000)
    allen.check(session, structure="VISam")
    assert f"session_{SESSION}.nwb is damaged" in capsys.readouterr().err
    assert path.with_name(path.name + ".damaged").stat().st_size == 5000


def test_a_damaged_file_stays_if_the_warehouse_is_gone(server, tmp_path):
    """Fails if a file is given up before there is a better one."""
    path = allen.Cache(allen_session(server, tmp_path)).session_file(SESSION)
    os.truncate(path, 5000)
    gone = allen.Cache(allen_session(server, tmp_path, warehouse="http://127.0.0.1:9"), **QUICK)
    with pytest.raises(InputError, match="no connection"):
        gone.session_file(SESSION)
    assert path.stat().st_size == 5000


def test_list_of_sessions(server, tmp_path):
    """Fails if `make sessions` counts units that fail the quality filter or loses the areas."""
    listed = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "-o",
            ".venv/ready",
            "sessions",
            f"PY={shlex.quote(sys.executable)}",
            f"CACHE={tmp_path / 'cache'}",
            f"BUCKET={server.address}",
            f"WAREHOUSE={server.address}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert len(lines) == 4
    assert lines[2].split()[:3] == [str(SESSION), "brain_observatory_1.1", "3"]
    assert "VISam 2, VISp 1" in lines[2] and "no natural scenes" in lines[3]


def test_movie_is_cut_to_what_the_scenes_cover(tmp_path):
    """Fails if the movie is squeezed: a scene covers 918 of the 1080 rows that a movie covers."""
    rows = np.tile(np.linspace(0, 255, 304)[:, None], (1, 608)).astype(np.uint8)
    np.save(tmp_path / "m.npy", rows[None])
    movie = shown_images.read_movie(tmp_path / "m.npy")[0]
    assert movie.shape == (230, 294)
    covered = (1 - 918 / 1080) / 2 * 255
    assert movie[0].mean() == pytest.approx(covered, abs=2) and movie[-1].mean() == pytest.approx(
        255 - covered, abs=2
    )


@pytest.mark.parametrize("change", [lambda text: text.replace("0.3.0", "0.1.0"), lambda text: "x"])
def test_a_manifest_that_does_not_fit(server, tmp_path, change):
    """Fails if an old or broken manifest ends in a traceback."""
    allen.Cache(allen_session(server, tmp_path))
    manifest = tmp_path / "cache" / "manifest.json"
    assert "0.3.0" in manifest.read_text()
    manifest.write_text(change(manifest.read_text()))
    with pytest.raises(InputError, match="manifest.json: not a manifest .* move it away"):
        allen.Cache(allen_session(server, tmp_path))


def test_no_place_for_the_cache(server, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="cannot be used as a cache"):
        allen.Cache(allen_session(server, tmp_path))
