"""Faults that people reported elsewhere, and more of their kinds: what a user now sees of each.

python benchmarks/bench_faults.py [--long]

Each input is given to the checks of a run (declaration, source, session) or to the part that it concerns.
A line says whether it was refused, read with a warning, mended, or read as if nothing were (SILENT), or ended
in a TRACEBACK; the last two are counted. `--long` draws 2,000 recordings with known faults as well.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import h5py
import numpy as np
import pandas as pd
import yaml

from lib import files, machine
from lib.data import checks, download
from lib.data.fingerprint import fingerprint
from lib.data.recording import Recording
from lib.data.session import from_recording
from lib.data.sources import choose
from lib.errors import InputError
from lib.models.crossvalidation import cross_validate, prediction_scores
from lib.params import load_params, notebook_parameters
from lib.responses.raster import sort_units
from lib.stimuli.contrast import Target, set_mean_contrast
from tests.support.warehouse import SESSIONS, Warehouse, make_served
from workflow import report
from workflow.run_notebook import ipc_manager

RNG = np.random.default_rng(0)
IMAGES, REPEATS, UNITS = 30, 6, 8
ROWS = []


def row(kind, given, *, own=False):
    """Keep a case: a function that returns what a user sees, or raises."""
    return lambda case: ROWS.append((own, kind, given, case)) or case


# ---- inputs -------------------------------------------------------------------------------------


def pictures(n=IMAGES, seed=0):
    return np.kron(np.random.default_rng(seed).random((n, 8, 10)), np.ones((5, 5))).astype(np.float32)


def noise(images=IMAGES):
    """Responses that nothing predicts."""
    return np.random.default_rng(1).poisson(4, (REPEATS, images, UNITS)) + 0.0


def declared(folder, text=None, **content):
    path = folder / "my.yml"
    path.write_text(
        text if text is not None else yaml.safe_dump({"name": "x", **content}, allow_unicode=True)
    )
    return path


def arrays(folder, counts=None, images=None, units=None, **more):
    counts = noise() if counts is None else counts
    np.savez(
        folder / "c.npz",
        counts=counts,
        unit_ids=np.arange(counts.shape[2]) if units is None else units,
        **more,
    )
    np.savez(folder / "i.npz", images=pictures(counts.shape[1]) if images is None else images)
    return declared(folder, source="arrays", session={"counts": "c.npz", "images": "i.npz"}, structure="V1")


def scan(folder, *, images=None, responses=None, name="{}.npy", tiers=None, session=()):
    """A folder in the layout of the Sensorium challenge."""
    images = 255 * pictures(12) if images is None else images
    responses = RNG.random((24, UNITS)) if responses is None else responses
    for part in ("data/images", "data/responses", "meta/trials"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for trial in range(24):
        np.save(folder / "data/images" / name.format(trial), images[trial % 12])
        np.save(folder / "data/responses" / name.format(trial), responses[trial])
    if tiers is not None:
        np.save(folder / "meta/trials/tiers.npy", np.array(tiers))
    session = {"folder": ".", "degrees_per_pixel": 1.5} | dict(session)
    return declared(folder, source="arrays", session=session, structure="V1")


SERVED = Path(tempfile.mkdtemp(prefix="faults"))


def nwb(folder, change=None, **session):
    """A session file in Allen's form, changed by h5py."""
    if not any(SERVED.iterdir()):
        make_served(SERVED)
    name = next(iter(SESSIONS))
    shutil.copy(SERVED / f"session_{name}" / f"session_{name}.nwb", folder / "s.nwb")
    if change:
        with h5py.File(folder / "s.nwb", "r+") as file:
            change(file)
    shutil.copytree(SERVED / "natural_scene_templates", folder / "images", dirs_exist_ok=True)
    session = {"file": "s.nwb", "images": "images"} | session
    return declared(folder, source="nwb", session=session, structure="VISam")


def spiking(**changes):
    frames = np.tile(np.arange(IMAGES), REPEATS)
    onsets = 100 + 0.25 * np.arange(len(frames))
    table = pd.DataFrame(
        {
            "start_time": onsets,
            "stop_time": onsets + 0.25,
            "stimulus_name": "natural_scenes",
            "frame": frames * 1.0,
        }
    )
    times = [np.sort(np.random.default_rng(k).uniform(95, 150, 1500)) for k in range(UNITS)]
    given = dict(
        name="s",
        source="nwb",
        units=pd.DataFrame({"structure": "V1"}, index=range(UNITS)),
        images=pictures(),
        image_ids=np.arange(IMAGES),
        degrees_per_pixel=1.0,
        presentations=table,
        spike_times=times,
    )
    return Recording(**given | changes)


def seen(path):
    """What a user sees of a declaration before work and on the page of the data."""
    params = load_params(path)
    choose.prepare(params)
    read = choose.load_recording(
        params["source"], params["session"], folder=path.parent, structure=params["structure"]
    )
    return session(read)


def session(recording):
    made = from_recording(recording, latency=0.05, duration=0.2, image_height=20)
    said = [*made.warnings, *[n for n in made.notes if "structure" in n]]
    return "warning: " + " | ".join(said) if said else "SILENT: read"


def both(one, other, what):
    return f"mended: {what}" if one != other else f"SILENT: {what} did not"


def prediction(counts, images):
    """Mean cross-validated r over units of responses that nothing can predict."""
    made = from_recording(
        Recording(
            name="n",
            source="arrays",
            units=pd.DataFrame({"structure": "V1"}, index=range(counts.shape[2])),
            images=images,
            image_ids=np.arange(len(images)),
            degrees_per_pixel=1.0,
            counts=counts,
            count_window=(0, 0.25),
        ),
        latency=0.05,
        duration=0.2,
        image_height=20,
    )
    scores = []
    for seed in range(4):
        found = cross_validate(
            made.images, made.counts, model="v1", folds=5, seed=seed, degrees_per_pixel=1.0
        )
        scores.append(
            prediction_scores(found.predictions, made.counts, resamples=2).correlation_to_average.mean()
        )
    return float(np.mean(scores))


# ---- silently wrong, of the review --------------------------------------------------------------


def tagged(tags):
    def change(file):
        scenes = file["intervals/natural_scenes_presentations"]
        start = scenes["start_time"][()]
        group = file["intervals"].create_group("invalid_times")
        group.attrs.update(scenes.attrs)
        group.attrs["colnames"] = np.array(["start_time", "stop_time", "tags"], object)
        for name, values in {
            "id": [0],
            "start_time": [start[0] - 1],
            "stop_time": [np.median(start)],
        }.items():
            group[name] = values
            group[name].attrs.update(scenes[name].attrs)
        group["tags"] = np.array(tags, object)
        group["tags"].attrs.update(scenes["stimulus_name"].attrs)
        group["tags_index"] = np.array([len(tags)], np.uint8)
        about = {
            "description": "x",
            "namespace": "hdmf-common",
            "neurodata_type": "VectorIndex",
            "object_id": "i",
        }
        group["tags_index"].attrs.update(about)
        group["tags_index"].attrs["target"] = group["tags"].ref

    return change


for TAGS, OWN in (
    (["EcephysProbe", "810000000", "probeA"], False),
    (["EcephysSession", "1", "stimulus"], False),
    (["EcephysSession", "1", "all_probes"], True),
    (["probeQ"], True),
):
    row("invalid times", f"tagged {TAGS[-1]}", own=OWN)(lambda f, tags=TAGS: seen(nwb(f, tagged(tags))))


@row("identity from a label", "each picture under two ids")
def _(f):
    images = np.concatenate([pictures(), pictures()])
    return seen(arrays(f, np.random.default_rng(2).poisson(4, (REPEATS, 2 * IMAGES, UNITS)) + 0.0, images))


@row("identity from a label", "and each with the same responses")
def _(f):
    images = np.concatenate([pictures(), pictures()])
    return seen(arrays(f, np.concatenate([noise(), noise()], axis=1), images))


row("range", "Sensorium folder with images from 0 to 1")(lambda f: seen(scan(f, images=pictures(12))))
row("range", "float images from 0 to .000255")(lambda f: seen(arrays(f, images=pictures() / 3921)))
row("range", "degrees_per_pixel: -1.5")(lambda f: seen(scan(f, session={"degrees_per_pixel": -1.5})))


@row("what decides a rerun", "a file inside an input folder")
def _(f):
    scan(f)
    before = fingerprint(f)
    np.save(f / "data/responses/3.npy", np.ones(UNITS))
    os.utime(f / "data/responses/3.npy", (0, 0))
    return both(before, fingerprint(f), "01_data is made again")


@row("what decides a rerun", "a file behind an address")
def _(f):
    (f / "a.h5").write_bytes(b"1" * 100)
    with Warehouse(f) as server:
        before = fingerprint(f"{server.address}/a.h5")
        (f / "a.h5").write_bytes(b"2" * 100)
        return both(before, fingerprint(f"{server.address}/a.h5"), "01_data is made again")


def environment(f, **changed):
    old = dict(os.environ)
    os.environ.update(changed)
    try:
        left = report.clean_environment(f)
    finally:
        os.environ.clear()
        os.environ.update(old)
    kept = [name for name, value in changed.items() if left.get(name) == value]
    return f"SILENT: {kept} reach the jobs" if kept else f"mended: {', '.join(changed)} reach no job"


row("surroundings", "MPLBACKEND=Agg")(lambda f: environment(f, MPLBACKEND="Agg"))
row("surroundings", "SNAKEMAKE_PROFILE")(lambda f: environment(f, SNAKEMAKE_PROFILE="mine"))
row("declaration", "`oracle:` twice")(
    lambda f: seen(declared(f, "name: x\noracle: {}\nseed: 2\noracle: {}\n"))
)


def secret(f, address):
    params = load_params(declared(f, source="nwb", session={"file": address, "images": "."}))
    text = json.dumps(notebook_parameters(params, "data"))
    return (
        "SILENT: the secret is on the page"
        if "hush" in text
        else f"mended: the page shows {json.loads(text)['session']['file']}"
    )


row("secrets", "user:password@ in an address")(lambda f: secret(f, "https://me:hush@example.org/a.nwb"))
row("secrets", "a token in an address")(lambda f: secret(f, "https://example.org/a.nwb?token=hush"))


def revision(f, **changed):
    for folder in ("lib",):
        shutil.copytree(ROOT / folder, f / "inner" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        "git init -q . && git add inner/lib/errors.py && git -c user.name=a -c user.email=a@b commit -qm x",
        shell=True,
        cwd=f,
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", "from lib.stages import git_revision; print(git_revision())"],
        cwd=f / "inner",
        env=os.environ | {"PYTHONPATH": str(f / "inner")} | changed,
        capture_output=True,
        text=True,
    )
    said = done.stdout.strip()
    return f"mended: revision {said}" if said == "unknown" else f"SILENT: {said or done.stderr[-200:]}"


row("provenance", "unpacked inside another git repository")(revision)
row("withheld", "tier test, all 0")(
    lambda f: seen(
        scan(
            f,
            responses=np.vstack([RNG.random((12, UNITS)), np.zeros((12, UNITS))]),
            tiers=["train"] * 12 + ["test"] * 12,
            session={"tiers": ["test"]},
        )
    )
)


def placeless(file):
    where = file["general/extracellular_ephys/electrodes/location"]
    unit = file["units/peak_channel_id"][0]
    values = where[()]
    values[file["general/extracellular_ephys/electrodes/id"][()] == unit] = b""
    where[...] = values


row("lost units", "a unit without a structure")(lambda f: seen(nwb(f, placeless)))


# ---- no book, or wrong advice, of the review -----------------------------------------------------


@row("paths", "a space, `#`, an accent and 120 characters in the path of the checkout")
def _(f):
    there = f / ("été #1 " + "x" * 120)
    for folder in ("lib", "notebooks", "book", "workflow"):
        shutil.copytree(
            ROOT / folder, there / folder, ignore=shutil.ignore_patterns("__pycache__", "mathjax")
        )
    for name in ("params.yml", "_config.yml"):
        shutil.copy(ROOT / name, there)
    (there / "my décl #2.yml").write_text("name: a\n")
    done = subprocess.run(
        [sys.executable, "-m", "workflow.report", "my décl #2.yml", "--plan"],
        cwd=there,
        env=os.environ | {"PYTHONPATH": str(there)},
        capture_output=True,
        text=True,
    )
    return (
        f"mended: {done.stdout.splitlines()[0]} planned"
        if "steps" in done.stdout
        else f"TRACEBACK {done.stdout[-200:]}{done.stderr[-300:]}"
    )


row("identity", "unit id 0")(lambda f: "mended: " + seen(arrays(f)).replace("SILENT: ", ""))
row("one flat picture", "a grey image among the scenes")(
    lambda f: (
        "mended: shown as grey, deviation "
        + str(
            set_mean_contrast(
                np.r_[pictures(2), np.full((1, 40, 50), 0.5)], Target(mean=0.5, contrast=0.1), flat=True
            )[2].std()
        )
    )
)
row("one flat picture", "all images grey, of many levels")(
    lambda f: seen(arrays(f, images=np.tile(np.linspace(0, 1, IMAGES)[:, None, None], (1, 16, 20))))
)
row("surroundings", "IPython's own configuration")(lambda f: environment(f, IPYTHONDIR="/home/me/.ipython"))


@row("socket path", "TMPDIR of 100 characters")
def _(f):
    long = f / ("t" * 100)
    long.mkdir()
    was, tempfile.tempdir = tempfile.tempdir, str(long)
    try:
        assert len(ipc_manager()().ip) < 80
        return f"mended: sockets are in a folder of {len(machine.socket_folder())} characters"
    finally:
        tempfile.tempdir = was


def renamed(to, values=lambda frames: frames):
    def change(file):
        table = file["intervals/natural_scenes_presentations"]
        frames, about = values(table["frame"][()]), dict(table["frame"].attrs)
        del table["frame"]
        table[to] = frames
        table[to].attrs.update(about)
        table.attrs["colnames"] = np.array(
            [to if c == "frame" else c for c in table.attrs["colnames"]], object
        )

    return change


row("older files", "frame as text")(
    lambda f: seen(nwb(f, renamed("frame", lambda v: np.array([str(float(x)) for x in v], object)))).replace(
        "SILENT: ", "mended: "
    )
)
row("older files", "frame under the name Image")(
    lambda f: seen(nwb(f, renamed("Image"))).replace("SILENT: ", "mended: ")
)
row("older files", "frame under the name picture")(lambda f: seen(nwb(f, renamed("picture"))))


def clock(factor, shift):
    def change(file):
        file["units/spike_times"][...] = factor * file["units/spike_times"][()] + shift

    return change


row("clock", "spike times in ms")(lambda f: seen(nwb(f, clock(1000, 0))))
row("clock", "spike times shifted")(lambda f: seen(nwb(f, clock(1, 1e6))))
row("files", "structures as objects")(lambda f: seen(arrays(f, structures=np.array(["V1"] * UNITS, object))))
row("files", "trials 00000.npy")(lambda f: seen(scan(f, name="{:05d}.npy")).replace("SILENT: ", "mended: "))


@row("files", "a Zarr folder as NWB")
def _(f):
    (f / "a.zarr").mkdir()
    return seen(nwb(f, file="a.zarr"))


def through_proxy(f, name):
    (f / "a.bin").write_bytes(b"1" * 100)
    with Warehouse(f) as server:
        old = dict(os.environ)
        os.environ.update({"http_proxy": server.address, "no_proxy": ""})
        try:
            if name == "requests":
                download.version("http://data.example/a.bin", attempts=1)
            else:
                with download.remote_file("http://data.example/a.bin", attempts=1) as (file, _):
                    file.read(1)
        except InputError as error:
            if "answered" not in str(error):  # 404 of the stand-in is an answer through the proxy too
                return f"SILENT: the proxy is ignored ({error})"
        finally:
            os.environ.clear()
            os.environ.update(old)
        return "mended: the proxy is asked" if server.log else "SILENT: the proxy is ignored"


row("proxy", "http_proxy, files in part")(lambda f: through_proxy(f, "fsspec"))
row("proxy", "http_proxy, whole files", own=True)(lambda f: through_proxy(f, "requests"))


class Raw:
    """A server that keeps the text of each request."""

    def __enter__(self):
        import http.server
        import threading

        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(206)
                self.send_header("Content-Range", "bytes 0-0/1")
                self.send_header("Content-Length", "1")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(b"1")

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()


def signed(text, how):
    with Raw() as server:
        if how == "requests":
            download.version(server.address + text)
        else:
            try:
                with download.remote_file(server.address + text, attempts=1) as (file, _):
                    file.read(1)
            except (InputError, ValueError):
                pass  # the stand-in has no length for HEAD
        return f"mended: {text} is sent" if text in server.asked else f"SILENT: sent as {server.asked[:1]}"


SIGNED = "/a%2Fb%7E.nwb?X-Sig=a%2Bb/c%3D&e=~1"
row("signed addresses", "a link signed over its text, files in part")(lambda f: signed(SIGNED, "fsspec"))
row("signed addresses", "the same, whole files", own=True)(lambda f: signed(SIGNED, "requests"))


@row("a chapter trusts a stage", "units that are flat under their mask, in 09")
def _(f):
    from lib.original import audit_stimuli

    was = audit_stimuli.stimuli_of, audit_stimuli.load_result
    audit_stimuli.stimuli_of = lambda folder: {"mei": np.full((20, 30), 0.5)}
    audit_stimuli.load_result = lambda *_: ({}, {"mask": np.ones((20, 30))})
    try:
        return f"mended: 09 says {audit_stimuli.fixed_disk(f, [1], degrees_per_pixel=1.0)!r} is lacking"
    finally:
        audit_stimuli.stimuli_of, audit_stimuli.load_result = was


def no_group(file):
    table = file["general/extracellular_ephys/electrodes"]
    for name in ("group", "group_name"):
        if name in table:
            del table[name]
    table.attrs["colnames"] = np.array(
        [c for c in table.attrs["colnames"] if not c.startswith("group")], object
    )


def naive(file):
    for name in ("session_start_time", "timestamps_reference_time"):
        if name in file:
            del file[name]
            file[name] = "2019-01-01T00:00:00"


def no_extension(file):
    for name in list(file["specifications"]):
        if "aibs" in name or "ecephys" in name:
            del file["specifications"][name]


def elsewhere(place):
    def change(file):
        where = file["general/extracellular_ephys/electrodes/location"]
        values = where[()]
        values[:4] = place.encode()
        where[...] = values

    return change


row("older files", "electrodes without group")(
    lambda f: seen(nwb(f, no_group)).replace("SILENT: ", "mended: ")
)
row("older files", "a naive time")(lambda f: seen(nwb(f, naive)).replace("SILENT: ", "mended: "))
row("older files", "the extension's namespace is missing")(
    lambda f: seen(nwb(f, no_extension)).replace("SILENT: ", "mended: ")
)


@row("rastermap", "201 units, two of them constant")
def _(f):
    values = np.random.default_rng(0).poisson(2, (201, 300)) + 0.0
    values[[3, 90]] = 1
    order = sort_units(values)[0]
    return (
        "mended: all are sorted"
        if sorted(np.asarray(order).tolist()) == list(range(201))
        else "SILENT: units lost"
    )


row("declaration", "name: 2019-01-01")(
    lambda f: f"mended: the run is {load_params(declared(f, 'name: 2019-01-01'))['name']}"
)

# ---- more of the same kinds ----------------------------------------------------------------------

for TEXT in (
    "seed: 010",
    "seed: 1:30",
    "units: [007]",
    "cnn: {baselines: [ridge, ridge]}",
    "mei: {contrast: .nan}",
    "seed: true",
    "power: {images: []}",
):
    row("declaration", TEXT, own=True)(
        lambda f, text=TEXT: f"SILENT: {load_params(declared(f, text))['seed']}"
    )
row("declaration", "mei: {contrast: 2e-1}", own=True)(
    lambda f: f"mended: {load_params(declared(f, 'mei: {contrast: 2e-1}'))['mei']['contrast']}"
)
row("declaration", "structure: NO", own=True)(
    lambda f: f"mended: structure {load_params(declared(f, 'structure: NO'))['structure']!r}"
)
row("declaration", "a zero byte in a path", own=True)(
    lambda f: seen(declared(f, source="arrays", session={"folder": "a\0b"}))
)
row("declaration", "one session twice", own=True)(lambda f: seen(declared(f, source="allen", session=[5, 5])))
row("declaration", "per_unit of a unit that is not there", own=True)(
    lambda f: seen(
        arrays(f).write_text((f / "my.yml").read_text() + "per_unit: {99: {mei: {steps: 3}}}\n")
        and f / "my.yml"
    )
)
row("listed twice", "all trials", own=True)(lambda f: seen(arrays(f, np.concatenate([noise(), noise()]))))
row("listed twice", "all trials, changed by a billionth", own=True)(
    lambda f: seen(arrays(f, np.concatenate([noise(), noise() * (1 + 1e-9)])))
)
row("listed twice", "three trials of traces", own=True)(
    lambda f: seen(
        arrays(
            f,
            np.concatenate(
                [
                    t := RNG.random((4, IMAGES, UNITS)),
                    t[:1] if (t.__setitem__((1, slice(None)), np.nan) or True) else t,
                ]
            ),
        )
    )
)
row("listed twice", "all units", own=True)(
    lambda f: seen(arrays(f, np.concatenate([noise(), noise()], axis=2)))
)
row("listed twice", "a unit, by its spikes", own=True)(
    lambda f: session(spiking(spike_times=[np.arange(95.0, 150, 0.1)] * UNITS))
)
row("listed twice", "presentations", own=True)(
    lambda f: session(spiking(presentations=pd.concat([spiking().presentations] * 2)))
)


def alike(change):
    return lambda f: seen(
        arrays(
            f,
            np.random.default_rng(2).poisson(4, (REPEATS, 2 * IMAGES, UNITS)) + 0.0,
            np.concatenate([pictures(), change(pictures()).astype(np.float32)]),
        )
    )


row("identity from a label", "pictures again with noise", own=True)(
    alike(lambda x: np.clip(x + 0.01 * RNG.normal(size=x.shape), 0, 1))
)
row("identity from a label", "pictures again at another contrast", own=True)(
    alike(lambda x: 0.5 + 0.6 * (x - 0.5))
)
row("identity from a label", "pictures again, darker", own=True)(alike(lambda x: 0.8 * x))
row("identity from a label", "pictures again in 64 greys", own=True)(alike(lambda x: np.round(63 * x) / 63))
row("withheld", "20 of 180 trials are 0", own=True)(
    lambda f: seen(arrays(f, np.where(np.arange(180).reshape(6, 30, 1) < 20, 0, noise())))
)
row("withheld", "all trials", own=True)(lambda f: seen(arrays(f, 0 * noise())))
row("axes", "as many repeats as images, exchanged", own=True)(
    lambda f: seen(
        arrays(
            f,
            np.random.default_rng(6)
            .poisson(np.random.default_rng(5).gamma(2, 3, (12, UNITS)), (12, 12, UNITS))
            .transpose(1, 0, 2)
            + 0.0,
        )
    )
)
row("clock", "no unit fires for 15 s", own=True)(
    lambda f: session(spiking(spike_times=[t[(t < 110) | (t > 125)] for t in spiking().spike_times]))
)
row("clock", "a recording without spikes", own=True)(
    lambda f: session(spiking(spike_times=[np.empty(0)] * UNITS))
)
row("files", "7.npy beside 007.npy", own=True)(
    lambda f: (scan(f), np.save(f / "data/images/007.npy", 1.0), seen(f / "my.yml"))[2]
)
row("files", "a trial named ².npy", own=True)(
    lambda f: (scan(f), np.save(f / "data/images/².npy", 1.0), seen(f / "my.yml"))[2].replace(
        "SILENT: ", "mended: "
    )
)
row("range", "images in 0 to 255 as float .npz", own=True)(lambda f: seen(arrays(f, images=255 * pictures())))
row("range", "image ids that start at 1", own=True)(
    lambda f: seen(arrays(f, image_ids=np.arange(1, IMAGES + 1)))
)
row("surroundings", "PYTHONOPTIMIZE, MKL_NUM_THREADS, JUPYTER_PATH", own=True)(
    lambda f: environment(f, PYTHONOPTIMIZE="2", MKL_NUM_THREADS="9", JUPYTER_PATH="/x")
)
row("surroundings", "a home that is not there", own=True)(lambda f: environment(f, HOME="/nowhere"))
row("surroundings", "GIT_DIR of another project", own=True)(lambda f: revision(f, GIT_DIR=str(f / ".git")))
row("provenance", "no git at all", own=True)(lambda f: revision(f, PATH="/nowhere"))
row("secrets", "two addresses that differ in a token", own=True)(
    lambda f: (lambda hidden: f"mended: {files.hide_secrets(['http://h/a?t=1', 'http://h/a?t=2'], hidden)}")(
        {}
    )
)


@row("what decides a rerun", "a file that was only touched, or is hidden", own=True)
def _(f):
    scan(f)
    before = fingerprint(f)
    (f / "data/images/.DS_Store").write_text("x")
    os.utime(f / "data/responses/3.npy")
    return "mended: nothing is made again" if before == fingerprint(f) else "SILENT: all is made again"


for PLACE in ("root", "grey", "VISmma"):
    row("older files", f"places such as {PLACE}", own=True)(
        lambda f, place=PLACE: seen(nwb(f, elsewhere(place))).replace("SILENT: ", "mended: ")
    )


# ---- the tables ----------------------------------------------------------------------------------


def outcome(case):
    """What a user sees: a refusal in one line, or what the case returns."""
    folder = Path(tempfile.mkdtemp(prefix="fault"))
    try:
        return str(case(folder)).replace("\n", " ")
    except InputError as error:
        text = str(error)
        return f"refused: {text}" if "\n" not in text else f"TRACEBACK of {len(text.splitlines())} lines"
    except Exception:
        return "TRACEBACK " + traceback.format_exc().strip().splitlines()[-1]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def print_rows():
    bad = {"SILENT": [], "TRACEBACK": []}
    for own, title in ((False, "Reported elsewhere"), (True, "More of the same kinds")):
        rows = [r for r in ROWS if r[0] == own]
        print(f"\n{title}: {len(rows)}\n\n| kind | input | what a user sees |\n|---|---|---|")
        for _, kind, given, case in rows:
            said = outcome(case).replace(tempfile.gettempdir(), "")
            for word, found in bad.items():
                found += [given] if said.startswith(word) else []
            print(f"| {kind} | {given} | {said[:230].replace('|', '/')} |", flush=True)
    print(
        "\n"
        + "; ".join(
            f"{what}: {len(bad[word])} {bad[word] or ''}"
            for word, what in {"SILENT": "silently wrong", "TRACEBACK": "tracebacks"}.items()
        )
    )


def print_prediction():
    print(
        "\nCross-validated r of the default model where nothing can be predicted (mean of 8 units, 4 seeds)\n"
    )
    rng = np.random.default_rng(3)
    images, counts = pictures(60, 5), rng.poisson(rng.gamma(2, 2, (1, 60, UNITS)), (4, 60, UNITS)) + 0.0
    again = rng.poisson(counts.mean(0), counts.shape) + 0.0
    cases = {
        "as they are": (counts, images),
        "each picture twice": (np.concatenate([counts, again], 1), np.concatenate([images, images])),
        "each picture twice, with noise": (
            np.concatenate([counts, again], 1),
            np.concatenate([images, np.clip(images + 0.01 * rng.normal(size=images.shape), 0, 1)]).astype(
                np.float32
            ),
        ),
        "trials twice": (np.concatenate([counts, counts]), images),
        "units twice": (np.concatenate([counts, counts], 2), images),
    }
    for name, given in cases.items():
        said = outcome(lambda _, given=given: f"r = {prediction(*given):.3f}")
        print(f"  {name}: {said}", flush=True)


def print_cost():
    """Processor seconds of the checks, for the default run and a large one."""
    print("\nProcessor seconds of the checks of a recording")
    for name, units, spikes, presentations in (
        ("default run", 48, 2_000_000, 25_000),
        ("large", 2000, 100_000_000, 100_000),
    ):
        rng = np.random.default_rng(0)
        onsets = 100 + 0.1 * np.arange(presentations)
        frames = np.tile(np.arange(118), presentations)[:presentations]
        table = pd.DataFrame(
            {
                "start_time": onsets,
                "stop_time": onsets + 0.1,
                "stimulus_name": "natural_scenes",
                "frame": frames * 1.0,
            }
        )
        each = spikes // units
        times = [np.sort(rng.uniform(90, onsets[-1] + 9, each)) for _ in range(units)]
        images = np.kron(rng.random((118, 45, 58)), np.ones((5, 5))).astype(np.float32)
        given = SimpleNamespace(units=pd.DataFrame({"structure": "V1"}, index=range(units)))
        recording = Recording(
            name="n",
            source="nwb",
            units=given.units,
            images=images,
            image_ids=np.arange(118),
            degrees_per_pixel=1.0,
            presentations=table,
            spike_times=times,
        )
        started = time.process_time()
        checks.checked(recording)
        print(
            f"  {name}: {units} units, {spikes:,} spikes: {time.process_time() - started:.2f} s", flush=True
        )
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", help="not used")
    parser.add_argument("--long", action="store_true", help="2,000 drawn recordings")
    parser.add_argument("--only", choices=("rows", "r", "cost", "drawn"))
    given = parser.parse_args()
    if given.only in (None, "rows"):
        print_rows()
    if given.only in (None, "r"):
        print_prediction()
    if given.only in (None, "cost"):
        print_cost()
    if given.only == "drawn" or given.long:
        from tests.unit.data.test_fuzz import draw

        print("\n" + draw(2000 if given.long else 200))
    shutil.rmtree(SERVED, ignore_errors=True)


if __name__ == "__main__":
    main()
