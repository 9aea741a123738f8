"""Sources: what a person sees of every fault, kills at random moments, reading by range, a large file.

    python benchmarks/bench_sources.py [--quick] [--only faults kills run_kills http large books]
                                       [--folder FOLDER] [--keep]

Servers on 127.0.0.1 only. `--quick` makes 6 kills of a download in place of 20 and leaves out the kills
of a run, the large file (100 million spikes: 1.7 GB in FOLDER, a temporary one if not given) and the
books. `--keep` leaves the finished books in build/.
"""

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for tests.support.warehouse

from lib.data import download, nwb_files, nwb_write, simulated_session
from lib.data.sources import allen
from lib.errors import InputError
from lib.original import printed_values
from tests.support.warehouse import SESSIONS, Warehouse, make_served
from workflow.report import make_report

SESSION, WITHOUT_SCENES = SESSIONS
FETCH = (
    "import sys; from lib.data.sources.allen import Cache; "
    "Cache(dict(cache=sys.argv[1], bucket='', warehouse=sys.argv[2], stream=False, stall=5))"
    ".session_file(int(sys.argv[3]))"
)

# The smallest run with every stage
TINY = dict(
    data=dict(image_height=24),
    oracle=dict(bootstrap=20, published_draws=5),
    cnn=dict(model="ridge", baselines=["ridge"], folds=2, published_units=0, permutations=20),
    mei=dict(steps=20, published_steps=5, random_starts=1),
    gabor=dict(grid="quick", refine_from=1, bootstrap=20),
    power=dict(images=[8], repeats=[2], rates=[1], units=7),
    audit=dict(steps=5),
)
RESULTS = (".csv", ".npz", ".h5", ".safetensors", ".md", ".json")


def files_of(folder):
    """Names and sizes of what is in a folder."""
    found = sorted(p for p in Path(folder).rglob("*") if p.is_file() and p.suffix not in (".csv", ".json"))
    return ", ".join(f"{p.name} ({p.stat().st_size:,})" for p in found) or "nothing"


def seen(action):
    """Everything that a person sees of an action: warnings of the downloader and the error."""
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(shown):
        try:
            code = action()
        except InputError as error:
            print(error)
            code = 2
    lines = [line.split("\r")[-1].strip() for line in shown.getvalue().splitlines()]
    lines = [line for line in lines if line and not re.search(r"B/s\]", line)]
    return " / ".join(lines) or "progress only", code


def server_faults(work):
    """Faults of the warehouse: once (passes) and for ever."""
    rows = []
    served = make_served(work / "served")
    name = f"session_{SESSION}.nwb"
    whole = (served / f"session_{SESSION}" / name).read_bytes()
    for fault in (
        "none",
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
    ):
        for times in (1, 99):
            if fault in ("none", "trickle") and times > 1:
                continue
            with Warehouse(served) as server:
                server.faults = [] if fault == "none" else [fault] * times
                cache = work / f"cache{len(rows)}"
                session = dict(cache=cache, bucket="", warehouse=server.address, stream=False, stall=0.3)
                patience = dict(attempts=3, back_off=0.01)
                text, _ = seen(lambda: allen.Cache(session, **patience).session_file(SESSION))
                path = cache / f"session_{SESSION}" / name
                same = "the same bytes" if path.exists() and path.read_bytes() == whole else "no session file"
                rows.append(
                    (
                        f"server: {fault}" + (", always" if times > 1 else ""),
                        text.replace(str(work), "").replace(server.address, "http://..."),
                        f"{same}; {files_of(cache)}",
                    )
                )
    return rows


def input_faults(work):
    """Faults of what a person gives: `make report`, its exit code and what is left."""
    given = make_served(work / "given")
    file = given / f"session_{SESSION}" / f"session_{SESSION}.nwb"
    images = given / "natural_scene_templates"
    rng = np.random.default_rng(0)
    good = dict(counts=rng.poisson(2, (4, 3, 2)), unit_ids=np.array([7, 9]))
    stack = dict(images=rng.integers(0, 256, (3, 20, 30), np.uint8))
    (work / "short.nwb").write_bytes(file.read_bytes()[:20_000])
    (work / "page.nwb").write_text("<html>")
    zeroed = bytearray(file.read_bytes())
    for heap in re.finditer(b"GCOL", zeroed):
        zeroed[heap.end() + 12 : heap.end() + 76] = bytes(64)
    (work / "zeroed.nwb").write_bytes(zeroed)

    def arrays(name, counts=(), images=()):
        np.savez(work / f"{name}_c.npz", **good | dict(counts))
        np.savez(work / f"{name}_i.npz", **stack | dict(images))
        return dict(source="arrays", session=dict(counts=f"{name}_c.npz", images=f"{name}_i.npz"))

    def session(**changes):
        return dict(source="nwb", session=dict(file=str(file), images=str(images)) | changes)

    shutil.copy(file, work / "visp.nwb")
    with h5py.File(work / "visp.nwb", "r+") as second:
        second["units/id"][:] += 500
        second["general/extracellular_ephys/electrodes/location"][:] = "VISp"
    cache = dict(cache=str(given), bucket="", warehouse="http://127.0.0.1:9", id=SESSION)
    shutil.copytree(given / "served", given / "x")
    pd.DataFrame({"session_type": SESSIONS.values()}, index=pd.Index(SESSIONS, name="id")).to_csv(
        given / "sessions.csv"
    )
    shutil.rmtree(given / f"session_{WITHOUT_SCENES}")
    negative, nan = good["counts"] - 9, np.where(np.arange(2) == 1, np.nan, good["counts"])
    cases = {
        "unknown session": dict(source="allen", session=cache | {"id": 715093700}),
        "session without natural scenes": dict(source="allen", session=cache | {"id": WITHOUT_SCENES}),
        "unknown structure": session() | dict(structure="VISl"),
        "structure missing in one of two sessions": dict(
            source="nwb", session=[session()["session"], session(file="visp.nwb")["session"]]
        ),
        "unknown unit": session() | dict(units=[950000004]),
        "truncated NWB": session(file="short.nwb"),
        "NWB is a web page": session(file="page.nwb"),
        "NWB with zeroed heaps": session(file="zeroed.nwb"),
        "NWB is not there": session(file="none.nwb"),
        "NWB address is not there": session(file="http://127.0.0.1:9/a.nwb"),
        "images missing for a frame": session(images="two"),
        "images and responses differ in number": arrays("number", images={"images": stack["images"][:2]}),
        "duplicate unit ids": arrays("twice", {"unit_ids": np.array([7, 7])}),
        "NaN for some units": arrays("nan", {"counts": nan}),
        "negative counts": arrays("negative", {"counts": negative}),
        "counts are text": arrays("text", {"counts": good["counts"].astype(str)}),
        "images from 0 to 300": arrays(
            "range", images={"images": np.linspace(0, 300, 1800).reshape(3, 20, 30)}
        ),
        "no such key": dict(sesion=3),
        "unknown source": dict(source="alen", session=3),
    }
    shutil.copytree(images, work / "two")
    (work / "two" / "natural_scene_1.tiff").unlink()
    nwb_files.DEADLINE, rows = 5, []  # s, to wait less for the zeroed heaps
    for name, changes in cases.items():
        declaration = work / "run.yml"
        declaration.write_text(yaml.safe_dump({"name": "bench_fault", "structure": "VISam", **changes}))
        before = file.read_bytes()
        text, code = seen(lambda: make_report(declaration, cores=1))
        assert file.read_bytes() == before
        run = ROOT / "build" / "bench_fault"
        rows.append(
            (
                f"given: {name}",
                text.replace(str(work), "").replace(str(ROOT), ""),
                f"exit code {code}; run folder: {files_of(run) if run.exists() else 'not made'}",
            )
        )
    return rows


def permission_faults(work):
    """No space and no permission."""
    served = make_served(work / "for_space")
    free = download.shutil.disk_usage
    rows = []
    with Warehouse(served) as server:
        session = dict(cache=work / "full", bucket="", warehouse=server.address, stream=False, stall=0.3)
        download.shutil.disk_usage = lambda _: argparse.Namespace(free=1000)
        text, _ = seen(lambda: allen.Cache(session, attempts=2, back_off=0.01).session_file(SESSION))
        text = text.replace(str(work), "").replace(server.address, "http://...")
        rows.append(("disk: 1,000 bytes free for a download", text, files_of(work / "full")))
        (work / "run.yml").write_text("name: bench_fault")
        text, _ = seen(lambda: make_report(work / "run.yml", cores=1))
        rows.append(
            (
                "disk: 1,000 bytes free for a run",
                text.replace(str(ROOT), ""),
                f"run folder: {'made' if (ROOT / 'build' / 'bench_fault').exists() else 'not made'}",
            )
        )
        download.shutil.disk_usage = free
        text, _ = seen(lambda: allen.Cache(session | {"cache": "/sys/kernel/cache"}))
        rows.append(("disk: no permission", text, files_of("/sys/kernel/cache")))
    return rows


def faults_table(options, work):
    """Every fault, injected: what is said, what is left on disk."""
    rows = server_faults(work) + input_faults(work) + permission_faults(work)
    for fault, text, left in rows:
        print(f"\n{fault}\n    says: {text}\n    left: {left}")
    return pd.DataFrame({"faults injected": [len(rows)]})


def kill_after(command, delay, *, started=lambda: True, output=subprocess.DEVNULL):
    """Start a command, kill -9 it and its children `delay` s after it has `started`.

    Returns its exit code, None if it was killed.
    """
    process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT, start_new_session=True)
    while not started() and process.poll() is None:
        time.sleep(0.005)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(delay)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kills_table(options, work):
    """kill -9 at random moments of a download, and the next start."""
    served = make_served(work / "killed")
    name = f"session_{SESSION}.nwb"
    whole = (served / f"session_{SESSION}" / name).read_bytes()
    rng, rows = np.random.default_rng(0), []
    with Warehouse(served) as server:
        for n in range(6 if options.quick else 20):
            cache = work / f"kill{n}"
            command = [sys.executable, "-c", FETCH, str(cache), server.address, str(SESSION)]
            server.faults, asked, delay = ["trickle"], len(server.log), rng.uniform(0, 0.4)
            code = kill_after(command, delay, started=lambda: len(server.log) > asked)
            left, server.faults = files_of(cache), []
            subprocess.run(command, check=True, cwd=ROOT, stderr=subprocess.DEVNULL)
            path = cache / f"session_{SESSION}" / name
            rows.append(
                (
                    round(delay, 3),
                    left if code is None else "finished",
                    server.log[-1][1] or "from 0",
                    path.read_bytes() == whole,
                    files_of(cache),
                )
            )
    return pd.DataFrame(
        rows,
        columns=[
            "killed after (s)",
            "left by the kill",
            "next start asks for",
            "same bytes",
            "left at the end",
        ],
    )


def run_kills_table(options, work):
    """kill -9 at random moments of a whole run; what ends at last, beside an undisturbed run."""
    given = make_served(work / "run_given", images=24)
    declaration, run = work / "killed.yml", ROOT / "build" / "bench_killed"
    declaration.write_text(
        yaml.safe_dump(
            TINY
            | dict(
                name=run.name,
                source="nwb",
                structure="VISam",
                units=[950000000],
                session=dict(
                    file=str(given / f"session_{SESSION}" / f"session_{SESSION}.nwb"),
                    images=str(given / "natural_scene_templates"),
                ),
            )
        )
    )
    command = [sys.executable, "-m", "workflow.report", str(declaration)]
    shutil.rmtree(run, ignore_errors=True)
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    whole, rng, rows, kills, ended = results_of(run), np.random.default_rng(1), [], 0, True
    while kills < 20 or not ended:
        if ended:
            shutil.rmtree(run)
        said = work / f"said{len(rows)}.txt"
        lines, delay = (rng.integers(1, 10), rng.uniform(0, 3)) if kills < 20 else (10_000, 0)
        with open(said, "w") as file:
            code = kill_after(
                command, delay, output=file, started=lambda: said.read_text().count("\n") >= lines
            )
        ended, kills = code is not None, kills + (code is None)
        last = said.read_text().splitlines()[-1].strip()
        rows.append(
            (
                f"exit code {code}" if ended else f"kill {kills}",
                last,
                differences(whole, results_of(run)) if ended else "",
            )
        )
        print(*rows[-1], sep=" | ", flush=True)
    shutil.rmtree(run)
    return pd.DataFrame(rows, columns=["end", "said last", "results that differ"])


def results_of(run):
    """Every result of a run and its book's pages; JSON without provenance, which holds times."""
    found = {}
    for path in run.rglob("*"):
        name = path.relative_to(run).as_posix()
        if path.suffix == ".html":
            found[name] = None
        elif path.suffix in RESULTS and not name.startswith((".snakemake/", "pages/", "site/")):
            found[name] = path.read_bytes()
            if path.suffix == ".json" and isinstance(content := json.loads(found[name]), dict):
                found[name] = content | {"provenance": None}
    return found


def differences(whole, mine):
    """Names of what differs between the results of two runs."""
    return (
        ", ".join(
            sorted(
                n
                for n in whole.keys() | mine.keys()
                if n not in whole or n not in mine or whole[n] != mine[n]
            )
        )
        or "none"
    )


def books_table(options, work):
    """From file to book by every source: one simulated recording, given in each form."""
    from lib.data.session import from_recording
    from lib.data.sources import simulated

    recording = simulated.load(
        1,
        folder=work / "book",
        structure="VISam",
        units=12,
        images=40,
        scene_repeats=8,
        gabor_repeats=2,
        grating_repeats=1,
        movie_one_frames=2,
        movie_one_repeats=1,
        movie_three_frames=3,
        movie_three_repeats=1,
    )
    sessions = write_every_form(
        recording, from_recording(recording, latency=0.05, duration=0.25, image_height=60), work
    )
    rows = []
    with Warehouse(work / "warehouse") as server:
        for name, declared in sessions.items():
            if declared["source"] == "allen":
                declared["session"]["warehouse"] = server.address
            if name == "nwb over http":
                declared["session"]["file"] = f"{server.address}/session_{SESSION}/session_{SESSION}.nwb"
            run = ROOT / "build" / f"bench_{name.replace(' ', '_')}"
            declaration = work / f"{run.name}.yml"
            declaration.write_text(
                yaml.safe_dump(
                    TINY
                    | dict(cnn=TINY["cnn"] | dict(model="v1"))
                    | dict(name=run.name, structure="VISam", units=[951000000])
                    | declared
                )
            )
            shutil.rmtree(run, ignore_errors=True)
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "workflow.report", str(declaration)],
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            rows.append(
                (
                    name,
                    done.returncode,
                    len(list((run / "site").rglob("*.html"))),
                    time.perf_counter() - started,
                )
            )
            print(rows[-1], flush=True)
            if done.returncode:
                print(done.stdout[-3000:], done.stderr[-3000:])
            elif not options.keep:
                shutil.rmtree(run)
    return pd.DataFrame(rows, columns=["source", "exit code", "pages", "seconds"])


def write_every_form(recording, session, work):
    """Write a recording in each form; return what to declare of each, by name."""
    from PIL import Image

    served = make_served(work / "warehouse", movie_frames=2)
    file = served / f"session_{SESSION}" / f"session_{SESSION}.nwb"
    shutil.copy(work / "book" / "simulated.nwb", file)
    for frame, image in enumerate(recording.images):
        Image.fromarray(np.round(255 * image).astype(np.uint8)).save(
            served / "natural_scene_templates" / f"natural_scene_{frame}.tiff"
        )
    for name, ids in (("another", lambda ids: ids + 500), ("session_798911424", published_ids)):
        shutil.copy(file, work / f"{name}.nwb")
        with h5py.File(work / f"{name}.nwb", "r+") as copy:
            copy["units/id"][:] = ids(copy["units/id"][:])
    images = np.round(255 * session.images).astype(np.uint8)
    np.savez(work / "a_images.npz", images=images)
    np.savez(work / "a_counts.npz", counts=session.counts, unit_ids=session.unit_ids)
    for name, scale in (("scan", 1), ("traces", 0.37)):
        write_static(work / name, session, images, scale)
    stills = str(work / "book" / "simulated_images.npz")
    near = dict(file=str(file), images=str(served / "natural_scene_templates"))

    def arrays(**session):
        return dict(source="arrays", session=session)

    def nwb_file(*sessions, **changes):
        return dict(source="nwb", session=list(sessions) if len(sessions) > 1 else sessions[0]) | changes

    return {
        "allen": dict(
            source="allen", session=dict(id=SESSION, cache=str(work / "new_cache"), bucket="", movies=[1, 3])
        ),
        "nwb": nwb_file(near),
        "nwb over http": nwb_file(dict(file="", images=stills)),
        "arrays": arrays(counts="a_counts.npz", images="a_images.npz"),
        "folder of counts": arrays(folder="scan"),
        "folder of traces": arrays(folder="traces"),
        "two sessions": nwb_file(
            near, near | dict(file=str(work / "another.nwb")), units=[951000000, 951000500]
        ),
        "two areas": nwb_file(near, structure=["VISam", "VISp"], units=[951000000, 951020000]),
        "the published session": nwb_file(
            near | dict(file=str(work / "session_798911424.nwb")), units=[951097947]
        ),
    }


def published_ids(ids):
    """The ids of a session, the first of them those of the original report."""
    return np.r_[list(printed_values.ORACLES), ids[len(printed_values.ORACLES) :]]


def write_static(folder, session, images, scale):
    """Write the counts of a session, times a scale, in the layout of the Sensorium challenge."""
    for part in ("data/images", "data/responses", "meta/neurons"):
        (folder / part).mkdir(parents=True)
    np.save(folder / "meta/neurons/unit_ids.npy", session.unit_ids)
    shown = [
        (repeat, image)
        for repeat in range(len(session.counts))
        for image in range(0, len(images), 1 + repeat % 3)
    ]  # unequal repeats
    for trial, (repeat, image) in enumerate(shown):
        np.save(folder / f"data/images/{trial}.npy", images[image][None])
        np.save(folder / f"data/responses/{trial}.npy", session.counts[repeat, image] * scale)


def http_table(options, work):
    """A session of 300 units in a local bucket: streamed (one area, all, again) and fetched whole."""
    rng, rows = np.random.default_rng(0), []
    far = work / "far" / f"session_{SESSION}" / f"session_{SESSION}.nwb"
    make_served(work / "far", images=118)
    write_large(far, rng, units=300, spikes=30_000_000, first=135)
    pd.DataFrame({"session_type": SESSIONS.values()}, index=pd.Index(SESSIONS, name="id")).to_csv(
        work / "far" / "sessions.csv"
    )
    both = ["VISam", "VISp"]
    with Warehouse(work / "far") as server:
        session = dict(id=SESSION, warehouse=server.address, bucket=server.address, movies=[], stall=9)
        for name, structure, stream, cache in (
            ("135 of 300 units, streamed", "VISam", True, "one"),
            ("the same again", "VISam", True, "one"),
            ("300 of 300 units, streamed", both, True, "all"),
            ("135 of 300 units, the whole file fetched", "VISam", False, "whole"),
        ):
            started = time.perf_counter()
            read = allen.load(
                session | dict(stream=stream, cache=str(work / cache)), folder=None, structure=structure
            )
            taken = time.perf_counter() - started
            local = nwb_files.read_session(far, structure=structure)
            same = all(map(np.array_equal, read.spike_times, local["spike_times"]))
            held = sum(p.stat().st_size for p in (work / cache).rglob("session_*/**/*") if p.is_file())
            rows.append((name, len(read.units), held / 1e6, far.stat().st_size / 1e6, taken, same))
    return pd.DataFrame(
        rows, columns=["what", "units read", "MB on disk", "MB of the file", "seconds", "equal to local"]
    )


def write_large(path, rng, *, units, spikes, first=None):
    """Write a session of many spikes: a small one of the project's, its spikes replaced."""
    shown = simulated_session.timeline(rng=rng)
    table = pd.DataFrame(
        {
            "structure": np.where(np.arange(units) < (first or units // 10), "VISam", "VISp"),
            "firing_rate": 5.0,
            "snr": 2.0,
            "isi_violations": 0.1,
            "presence_ratio": 0.99,
            "amplitude_cutoff": 0.01,
        },
        index=pd.Index(951000000 + np.arange(units), name="unit_id"),
    )
    nwb_write.write_session(
        path, units=table, spike_times=[np.array([1.0])] * units, presentations=shown, session_id=1
    )
    lengths = np.full(units, spikes // units)
    with h5py.File(path, "r+") as file:
        for name in ("spike_times", "spike_amplitudes"):
            attributes = dict(file[f"units/{name}"].attrs)
            del file[f"units/{name}"]
            data = file.create_dataset(f"units/{name}", (lengths.sum(),), float)
            data.attrs.update(attributes)
            for unit, stop in enumerate(np.cumsum(lengths)):
                values = rng.uniform(0, shown.stop_time.max(), lengths[unit])
                data[stop - lengths[unit] : stop] = np.sort(values) if name == "spike_times" else 1e-4
            attributes = dict(file[f"units/{name}_index"].attrs) | {"target": data.ref}
            del file[f"units/{name}_index"]  # of bytes, too small for the new ends
            file[f"units/{name}_index"] = np.cumsum(lengths)
            file[f"units/{name}_index"].attrs.update(attributes)


OURS = (
    "import sys; from lib.data import nwb_files; "
    "read = nwb_files.read_session(sys.argv[1], structure=['VISam', 'VISp']); "
    "print(sum(map(len, read['spike_times'])))"
)
THEIRS = (
    "import sys, warnings; warnings.simplefilter('ignore'); "
    "from allensdk.brain_observatory.ecephys.ecephys_session import EcephysSession; "
    "session = EcephysSession.from_nwb_path(sys.argv[1]); session.units; "
    "session.get_stimulus_table(); print(sum(map(len, session.spike_times.values())))"
)


def large_table(options, work):
    """2,000 units and 100 million spikes: reading, and the whole of 01_data."""
    path = work / "large.nwb"
    write_large(path, np.random.default_rng(0), units=2000, spikes=100_000_000)
    rows = [("file", path.stat().st_size / 2**20, np.nan, "")]
    for name, code in (("units, stimuli and spikes, ours", OURS), ("the same, AllenSDK", THEIRS)):
        rows.append((name, *measured([sys.executable, "-c", code, str(path)])))
    np.savez(work / "images.npz", images=simulated_session.dead_leaves(118, rng=np.random.default_rng(1)))
    (work / "large.yml").write_text(
        yaml.safe_dump(
            dict(
                name="bench_large",
                source="nwb",
                structure=["VISam", "VISp"],
                session=dict(file=str(path), images=str(work / "images.npz")),
            )
        )
    )
    shutil.rmtree(ROOT / "build" / "bench_large", ignore_errors=True)
    rows.append(
        (
            "01_data, whole notebook through `make notebook` (limit 4,096 MiB)",
            *measured(
                [sys.executable, "-m", "workflow.report", str(work / "large.yml"), "--notebook", "01_data"]
            ),
        )
    )
    shutil.rmtree(ROOT / "build" / "bench_large")
    return pd.DataFrame(rows, columns=["what", "MiB", "seconds", "printed"])


def measured(command):
    """Peak memory (MiB) of the largest process that a command starts, seconds, and its last line."""
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); "
        "said = done.stdout + done.stderr if done.returncode else done.stdout; "
        "print(said.strip().splitlines()[-1]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, cwd=ROOT)
    taken = time.perf_counter() - started
    *_, line, memory = done.stdout.strip().splitlines()
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return int(memory) / unit, taken, line.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables = {
        "faults": faults_table,
        "kills": kills_table,
        "run_kills": run_kills_table,
        "http": http_table,
        "large": large_table,
        "books": books_table,
    }
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=tables)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="the finished books stay in build/")
    parser.add_argument("--real", help="not used")
    options = parser.parse_args()
    slow = ("run_kills", "large", "books") if options.quick else ()
    with tempfile.TemporaryDirectory(dir=options.folder) as work:
        for name, make in tables.items():
            if name in options.only if options.only else name not in slow:
                print(f"\n{make.__doc__.splitlines()[0]}")
                print(make(options, Path(work)).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
