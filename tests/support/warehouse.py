"""A server on 127.0.0.1 in place of api.brain-map.org and of the bucket: queries, files by range, faults.

with Warehouse(folder) as server:
    server.faults = ["cut", "stall"]     # of the next answers with a file, one each
    server.address                       # http://127.0.0.1:PORT
"""

import functools
import hashlib
import http.server
import json
import re
import threading
import time
import urllib.parse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.data import nwb_write

SESSIONS = {715093703: "brain_observatory_1.1", 766640955: "functional_connectivity"}
FAULTS = (
    "cut",
    "cut, no length",
    "stall",
    "silent",
    "trickle",
    "longer than said",
    "shorter than said",
    "web page",
    "500",
    "404",
    "garbage",
)


class Warehouse:
    """Serve a cache folder of AllenSDK's layout; any file in it also by its path."""

    def __init__(self, folder, *, ranges=True, tags=True):
        self.folder, self.ranges, self.tags = Path(folder), ranges, tags
        self.faults, self.query_faults, self.log = [], [], []
        self.stopped = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._server.handle_error = lambda *_: None  # a client that goes away
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(warehouse):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                path = urllib.parse.unquote(self.path)
                if "/query.json" in path:
                    return warehouse._query(self, path)
                file = warehouse._file(path)
                warehouse.log.append((file and file.name, self.headers.get("Range")))
                warehouse._send(self, file)

        return Handler

    def _file(self, path):
        if found := re.search(r"well_known_file_download/(.+)$", path):
            path = found[1]
        file = self.folder / path.lstrip("/")
        return file if file.is_file() else None

    def _query(self, request, path):
        fault = self.query_faults.pop(0) if self.query_faults else None
        if fault == "silent":
            self.stopped.wait(20)
            return
        if fault:
            return _answer(request, int(fault), b"")
        rows = self._rows(path)
        start, count = map(int, re.search(r"start_row\$eq(\d+)\]\[num_rows\$eq(\d+)", path).groups())
        page = rows[start : start + count]
        body = json.dumps(
            {"success": True, "start_row": start, "num_rows": len(page), "total_rows": len(rows), "msg": page}
        ).replace("NaN", "null")
        _answer(request, 200, body.encode(), {"Content-Type": "application/json"})

    def _rows(self, path):
        if "model::WellKnownFile" in path and "'EcephysNwb'" in path:
            session = re.search(r"attachable_id\$eq(\d+)", path)[1]
            name = f"session_{session}/session_{session}.nwb"
            return [_link(name)] if (self.folder / name).exists() else []
        if "model::WellKnownFile" in path:
            return [
                _link(
                    str(file.relative_to(self.folder)),
                    path="/x/" + file.name.removeprefix("natural_scene_").replace(".h5", ".npy"),
                )
                for folder in ("natural_scene_templates", "natural_movie_templates")
                for file in sorted((self.folder / folder).glob("*"))
            ]
        for model in ("Session", "Probe", "Channel", "Unit"):
            if f"model::Ecephys{model}" in path:
                return json.loads((self.folder / "served" / f"{model}.json").read_text())
        return []

    def _send(self, request, file):
        fault = self.faults.pop(0) if self.faults else None
        if file is None or fault == "404":
            return _answer(request, 404, b"")
        if fault == "silent":
            return self.stopped.wait(20)
        if fault == "500":
            return _answer(request, 503, b"<html>backend</html>", {"Content-Type": "text/html"})
        if fault == "web page":
            return _answer(request, 200, b"<html>maintenance</html>", {"Content-Type": "text/html"})
        data, tag = _content(file, file.stat().st_mtime_ns)
        if fault == "garbage":
            data = bytes(len(data))
        headers = {"Content-Type": "application/octet-stream"}
        headers |= {"Accept-Ranges": "bytes"} if self.ranges else {}
        headers |= {"ETag": tag} if self.tags else {}
        wanted = re.match(r"bytes=(\d+)-(\d*)$", request.headers.get("Range", ""))
        status = 200
        if wanted and self.ranges and request.headers.get("If-Range", tag) == tag:
            start, stop = int(wanted[1]), int(wanted[2] or len(data) - 1) + 1
            if start >= len(data):
                return _answer(request, 416, b"", {"Content-Range": f"bytes */{len(data)}"})
            status, total = 206, len(data)
            data = data[start:stop]
            headers["Content-Range"] = f"bytes {start}-{start + len(data) - 1}/{total}"
        _answer(request, status, data, headers, fault, self.stopped)


@functools.lru_cache(4)
def _content(file, changed):
    """The bytes of a file and the tag of this version of it."""
    data = file.read_bytes()
    return data, f'"{hashlib.md5(data).hexdigest()}"'


def _link(name, path=""):
    return {
        "id": 1,
        "path": path or f"/x/{name}",
        "download_link": f"/api/v2/well_known_file_download/{name}",
    }


def _answer(request, status, data, headers=(), fault=None, stopped=None):
    """Send an answer, wrong in the way of the fault."""
    length = {"longer than said": len(data) // 2, "shorter than said": 2 * len(data)}.get(fault, len(data))
    request.send_response(status)
    for name, value in dict(headers).items():
        request.send_header(name, value)
    if fault != "cut, no length":
        request.send_header("Content-Length", str(length))
    request.end_headers()
    if request.command == "HEAD":
        return
    try:
        if fault in ("cut", "cut, no length", "stall"):
            request.wfile.write(data[: len(data) // 2])
            request.wfile.flush()
            if fault == "stall":
                stopped.wait(20)
        elif fault == "trickle":
            for start in range(0, len(data), 1 + len(data) // 20):
                request.wfile.write(data[start : start + 1 + len(data) // 20])
                request.wfile.flush()
                time.sleep(0.02)
        else:
            request.wfile.write(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def make_served(folder, *, units=4, images=3, movie_frames=2):
    """Fill a folder for `Warehouse`: a tiny session, its templates, and the project's tables."""
    from lib.data import simulated_session as simulation

    folder = Path(folder)
    rng = np.random.default_rng(0)
    shown = simulation.timeline(
        rng=rng,
        images=images,
        scene_repeats=4,
        gabor_repeats=1,
        grating_repeats=1,
        movie_one_frames=movie_frames,
        movie_one_repeats=2,
        movie_three_frames=3,
        movie_three_repeats=1,
    )
    for n, (session, kind) in enumerate(SESSIONS.items()):
        table = pd.DataFrame(
            {
                "structure": np.resize(["VISam", "VISp"], units),
                "firing_rate": 4.0,
                "snr": 2.0,
                "isi_violations": np.r_[np.full(units - 1, 0.1), 2.0],
                "presence_ratio": 0.99,
                "amplitude_cutoff": 0.01,
            },
            index=pd.Index(950000000 + 1000 * n + np.arange(units)),
        )
        rows = shown if kind == "brain_observatory_1.1" else shown[shown.stimulus_name != "natural_scenes"]
        times = [np.sort(rng.uniform(0, shown.stop_time.max(), 300)) for _ in range(units)]
        (folder / f"session_{session}").mkdir(parents=True)
        nwb_write.write_session(
            folder / f"session_{session}" / f"session_{session}.nwb",
            units=table,
            spike_times=times,
            presentations=rows,
            session_id=session,
        )
    (folder / "natural_scene_templates").mkdir()
    for frame in range(images):
        Image.fromarray(rng.integers(0, 256, (46, 59), np.uint8)).save(
            folder / "natural_scene_templates" / f"natural_scene_{frame}.tiff"
        )
    (folder / "natural_movie_templates").mkdir()
    for number, frames in ((1, movie_frames), (3, 3)):
        with open(folder / "natural_movie_templates" / f"natural_movie_{number}.h5", "wb") as file:
            np.save(file, rng.integers(0, 256, (frames, 152, 304), np.uint8))
    _make_tables(folder / "served", units)
    pd.DataFrame(
        {"ecephys_unit_id": 950000000 + np.arange(units), "g_osi_sg": 0.25, "pref_ori_sg": 30}
    ).to_csv(folder / "brain_observatory_1.1_analysis_metrics.csv", index=False)
    return folder


def _make_tables(folder, units):
    """The rows that the warehouse gives for sessions, probes, channels and units."""
    folder.mkdir()
    tables = {"Session": [], "Probe": [], "Channel": [], "Unit": []}
    for n, (session, kind) in enumerate(SESSIONS.items()):
        tables["Session"].append(
            dict(
                id=session,
                date_of_acquisition="2019-01-19T08:54:18Z",
                isi_experiment_id=1,
                fail_eye_tracking=False,
                published_at="2019-10-03T00:00:00Z",
                specimen_id=5,
                stimulus_name=kind,
                specimen=dict(donor=dict(age=dict(days=118), sex="M", full_genotype="wt/wt")),
                well_known_files=[dict(well_known_file_type=dict(name="EcephysNwb"))],
            )
        )
        for p, area in enumerate(("VISam", "VISp")):
            probe = 10 * n + p + 1
            tables["Probe"].append(
                dict(
                    id=probe,
                    air_channel_index=7,
                    ecephys_session_id=session,
                    use_lfp_data=False,
                    lfp_sampling_rate=2500.0,
                    lfp_temporal_subsampling_factor=2.0,
                    name=f"probe{'AB'[p]}",
                    phase="3a",
                    sampling_rate=30000.0,
                    surface_channel_index=6,
                )
            )
            tables["Channel"].append(
                dict(
                    id=100 + probe,
                    ecephys_probe_id=probe,
                    local_index=0,
                    probe_horizontal_position=11,
                    probe_vertical_position=20,
                    anterior_posterior_ccf_coordinate=8000.0,
                    dorsal_ventral_ccf_coordinate=500.0,
                    left_right_ccf_coordinate=7000.0,
                    ecephys_structure_id=394 if area == "VISam" else 385,
                    ecephys_structure_acronym=area,
                )
            )
        for u in range(units):
            tables["Unit"].append(
                dict(
                    id=950000000 + 1000 * n + u,
                    ecephys_channel_id=101 + 10 * n + u % 2,
                    quality="good",
                    amplitude_cutoff=0.01,
                    presence_ratio=0.99,
                    isi_violations=0.1 if u < units - 1 else 2.0,
                    firing_rate=4.0,
                    local_index=u,
                    snr=2.0,
                )
            )
    for name, rows in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
