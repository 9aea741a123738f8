"""Files over http: every fault of the server ends in the whole file or in one line, never in between."""

import os
import signal
import subprocess
import sys
import threading
import time

import h5py
import numpy as np
import pytest

from lib.data import download
from lib.errors import DamagedFile, InputError
from tests.support.warehouse import Warehouse

QUICK = dict(stall=0.3, attempts=2, back_off=0.01)


def check(path):
    """The file is a whole HDF5 file."""
    try:
        with h5py.File(path) as file:
            file["values"][-1]
    except OSError:
        raise DamagedFile(f"{path.name}: not readable") from None


@pytest.fixture
def served(tmp_path):
    (tmp_path / "served").mkdir()
    with h5py.File(tmp_path / "served" / "a.h5", "w") as file:
        file["values"] = np.random.default_rng(0).integers(0, 255, 300_000, np.uint8)
    with Warehouse(tmp_path / "served") as server:
        server.whole = (tmp_path / "served" / "a.h5").read_bytes()
        server.url = f"{server.address}/a.h5"
        yield server


def left(tmp_path):
    return sorted(p.name for p in (tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    "fault",
    [
        "cut",
        "cut, no length",
        "stall",
        "silent",
        "trickle",
        "web page",
        "longer than said",
        "shorter than said",
        "500",
        "garbage",
    ],
)
def test_a_fault_that_passes_leaves_the_same_bytes(served, tmp_path, fault):
    """Fails if a fault stops the download, or its bytes reach the file."""
    served.faults = [fault]
    path = download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    assert path.read_bytes() == served.whole and left(tmp_path) == ["a.h5"]


@pytest.mark.parametrize(
    "fault, message, kept",
    [
        ("cut", "the connection ended at", True),
        ("stall", "silent for 0.3 s", True),
        ("silent", "silent for 0.3 s", False),
        ("500", "answered 503", False),
        ("web page", "a web page instead", False),
        ("404", "answered 404", False),
        ("garbage", "not a readable file", False),
        ("longer than said", "not a readable file", False),
    ],
)
def test_a_fault_that_stays_is_one_line_and_no_file(served, tmp_path, fault, message, kept):
    """Fails if a damaged file gets the name of a good one, or what arrived is thrown away."""
    served.faults = [fault] * 2
    with pytest.raises(InputError) as error:
        download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    text = str(error.value)
    assert served.url in text and "\n" not in text
    assert message in text or (fault == "cut" and "broke" in text)
    assert not (tmp_path / "here" / "a.h5").exists()
    assert ("bytes are kept" in text) == kept == ("a.h5.partial" in left(tmp_path))
    assert kept or left(tmp_path) == []


def test_goes_on_where_it_stopped(served, tmp_path):
    """Fails if the second attempt fetches the whole file again."""
    served.faults = ["cut"]
    download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    half = len(served.whole) // 2
    assert [asked for _, asked in served.log] == [None, f"bytes={half}-"]


def test_starts_anew_if_the_file_on_the_server_has_changed(served, tmp_path):
    """Fails if halves of two versions are joined."""
    served.faults = ["cut", "cut"]
    with pytest.raises(InputError):
        download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK | {"attempts": 1})
    with h5py.File(tmp_path / "served" / "a.h5", "r+") as file:
        file["values"][:] = 7
    served.faults = []
    path = download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    assert path.read_bytes() == (tmp_path / "served" / "a.h5").read_bytes()


def test_server_that_cannot_resume(served, tmp_path):
    """Fails if the start of the file is appended to the half that was there."""
    served.ranges, served.faults = False, ["cut"]
    path = download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    assert path.read_bytes() == served.whole


def test_a_good_file_is_used_without_asking(served, tmp_path):
    """Fails if a file that is there is fetched, or touched."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.h5").write_bytes(served.whole)
    os.chmod(tmp_path / "here", 0o555)
    try:
        download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    finally:
        os.chmod(tmp_path / "here", 0o755)
    assert served.log == []


def test_a_damaged_file_is_named_kept_and_fetched_anew(served, tmp_path, capsys):
    """Fails if the damaged file is used, or deleted before a good one is there."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.h5").write_bytes(served.whole[:1000])
    path = download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    assert path.read_bytes() == served.whole
    assert (tmp_path / "here" / "a.h5.damaged").read_bytes() == served.whole[:1000]
    assert "a.h5 is damaged" in capsys.readouterr().err


def test_progress_tells_size_and_time_left(served, tmp_path, capsys):
    """Fails if the person who waits sees nothing."""
    served.faults = ["trickle"]
    download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    shown = capsys.readouterr().err
    assert "a.h5" in shown and "302k" in shown and "B/s" in shown


def test_two_runs_at_once_fetch_once(served, tmp_path):
    """Fails if two runs write into one file."""
    served.faults = ["trickle"]
    paths = []
    threads = [
        threading.Thread(
            target=lambda: paths.append(
                download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 3 and len(served.log) == 1 and left(tmp_path) == ["a.h5"]
    assert paths[0].read_bytes() == served.whole


def test_no_space_is_said_before_anything_is_written(served, tmp_path, monkeypatch):
    """Fails if the disk is filled first."""
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match="has 0.00 GB free; make room"):
        download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    assert not (tmp_path / "here" / "a.h5").exists()


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="needs a folder where root cannot write")
def test_no_permission(served):
    with pytest.raises(InputError, match="no permission to write"):
        download.fetch(served.url, "/sys/kernel/here/a.h5", check=check, **QUICK)


def test_kill_at_any_moment_and_start_again(served, tmp_path):
    """Fails if what a killed process left makes the next download wrong."""
    rng = np.random.default_rng(0)
    command = [
        sys.executable,
        "-c",
        "import sys; from lib.data import download; from tests.unit.data.test_download import check;"
        "download.fetch(sys.argv[1], sys.argv[2], check=check)",
        served.url,
        str(tmp_path / "here" / "a.h5"),
    ]
    for _ in range(3):
        served.faults = ["trickle"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        asked = len(served.log)
        while len(served.log) == asked and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
    served.faults = []
    path = download.fetch(served.url, tmp_path / "here" / "a.h5", check=check, **QUICK)
    assert path.read_bytes() == served.whole and left(tmp_path) == ["a.h5"]


@pytest.mark.parametrize("fault", ["500", "silent"])
def test_remote_file_is_opened_despite_a_fault(served, fault):
    """Fails if a fault that passes is taken for a file that is not there."""
    served.faults = [fault]
    with download.remote_file(served.url, **QUICK) as (file, _):
        assert file.read(8) == served.whole[:8]


def test_remote_file_without_a_server(served):
    with pytest.raises(InputError, match="2 times; try again later"):
        with download.remote_file("http://127.0.0.1:9/a.h5", **QUICK):
            pass


@pytest.mark.parametrize("fault", [None, "500", "cut", "stall"])
def test_remote_file_reads_parts(served, fault):
    """Fails if the whole file is fetched, if its bytes are wrong or if a fault that passes stops it."""
    with download.remote_file(served.url, **QUICK) as (file, bytes_read):
        served.faults = [fault] if fault else []
        file.seek(1000)
        assert file.read(500) == served.whole[1000:1500]
        assert 0 < bytes_read() <= download.BLOCK < len(served.whole)


def test_remote_file_needs_a_server_that_sends_parts(served):
    served.ranges = False
    with pytest.raises(InputError, match="cannot send parts"):
        with download.remote_file(served.url, **QUICK) as (file, _):
            file.seek(290_000)
            file.read(1)


def test_remote_file_that_is_not_there(served):
    with pytest.raises(InputError, match="b.h5: the server answered 404"):
        with download.remote_file(f"{served.address}/b.h5", **QUICK):
            pass


def test_remote_file_of_a_silent_server(served):
    with pytest.raises(InputError, match="2 times; try again later"):
        with download.remote_file(served.url, **QUICK) as (file, _):
            served.faults = ["silent"] * 4
            file.read(100)
