"""What the jobs of a run need, from what is declared: for a cluster, and for `make plan`.

The numbers are those of runs on this project's simulated sessions, on one core of 2.5 GHz
(`python -m workflow.cost build/NAME` sets them beside what a run recorded of itself).
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import h5py
import numpy as np

from lib.params import run_folder
from lib.stages import STAGES, UNIT_STAGES

SAFETY = 2.5  # a cluster is asked for so many times what is expected
LEAST = (1500, 10)  # MB and minutes
MOST_KERNELS = 3000  # MB; larger sets are fitted in parts
EFFICIENCY = 0.85  # of all cores at once: some rules wait for others
SELECTED = 0.35  # share of a session's units, before 03_oracle has said it


@dataclasses.dataclass(frozen=True)
class Size:
    """The size of a run: units analysed, images, other frames learned from, pixels of an image."""

    units: int
    images: int
    frames: int
    pixels: int


def size_of(params: dict, units: int) -> Size:
    """Return the size of a run: of its session.h5 if that is there, else what can be known before.

    Parameters
    ----------
    params : dict
        Of `lib.params.load_params`.
    units : int
        Those that `lib.data.sources.choose.prepare` found.
    """
    made = run_folder(params) / "session.h5"
    if made.is_file() and h5py.is_hdf5(made):
        with h5py.File(made) as file:
            movies = sum(movie.shape[0] for movie in file.get("movies", {}).values())
            return Size(units, file["images"].shape[0], movies, int(np.prod(file["images"].shape[1:])))
    pixels = round(params["data"]["image_height"] ** 2 * 1.28)
    sessions = params["session"] if isinstance(params["session"], list) else [params["session"]]
    if params["source"] == "simulated":
        simulation = params["simulation"]
        movies = simulation["movie_one_frames"] + simulation["movie_three_frames"]
        return Size(units, 118, movies, pixels)
    if params["source"] == "arrays":
        return Size(units, max(_images(session) for session in sessions), 0, pixels)
    return Size(units, 118, 4500, pixels)


def _images(session):
    """Images of a session of arrays, at most."""
    if "folder" in session:
        return len(list((Path(session["folder"]) / "data" / "images").glob("*.npy"))) or 118
    with np.load(session["counts"]) as file:
        return file["counts"].shape[1]


def needs(params: dict, size: Size) -> dict[str, tuple[float, float]]:
    """Return what each rule of the Snakefile is expected to take: {rule: (seconds on one core, MB)}."""
    cnn, mei, power = params["cnn"], params["mei"], params["power"]
    large = size.pixels / 4620  # of the default run
    shown = (size.images + size.frames / 8 + 120) * large  # what a model learns from, as so many images
    work = size.units * size.images * large / 5664
    pages = size.units * SELECTED
    kernels = min(size.units * size.images**2 * 5e-4, MOST_KERNELS)
    gabors = {"quick": 1440, "coarse": 6144, "full": 77760}[params["gabor"]["grid"]]
    designs = len(power["images"]) * len(power["repeats"]) + len(power["repeats"]) * sum(
        rate != 1 for rate in power["rates"]
    )
    return {
        "data": (10 + size.frames / 100, 500 + size.frames * large / 2),
        "rasterplot": (15 + size.units / 5, 500 + 4 * size.units),
        "oracle": (4, 400 + 4 * size.units),
        "models": (
            cnn["folds"] * (1 + 3 * work + 15 * large * cnn["published_units"] * size.images / 118),
            700 + kernels + 1.5 * shown + 2 * size.units,
        ),
        "gabor_grid": (  # each unit's best three look at twelve neighbours, six times
            (gabors + 3 * 12 * 6 * size.units) * (1.1e-3 + 9e-6 * size.units) * large,
            500 + 8 * size.units * large,
        ),
        "power": (5 * designs * power["units"] / 14, 1200),
        "cnn": (2, 750 * large),
        "mei": (3 + 0.02 * mei["steps"] + 0.006 * mei["published_steps"] * large, 650 * large),
        "gabor": (9 * large, 900 * large),
        "metrics": (2, 550),
        "population": (5, 500 + 2 * size.units),
        "physiology": (20 + size.units / 4, 1500),
        "stimuli": (20 + 2 * pages, 1200),
        "loop": (10, 900),
        "verdict": (5, 700),
        "transfer": (10 + 40 * work, 1000 + kernels + 3 * shown),
        "audit": (5, 700),
        "book": (10 + pages / 2, 800),
    }


def takes(rule: str) -> tuple:
    """Return what a rule takes from params.yml."""
    return STAGES[rule].takes if rule in STAGES else ()


def requests(params: dict, size: Size) -> dict[str, dict[str, int]]:
    """Return what a cluster is asked for at first: {rule: {mem_mb, runtime (minutes), gres (of a GPU)}}."""
    return {
        rule: {
            "mem_mb": max(LEAST[0], round(SAFETY * memory / 100) * 100),
            "runtime": max(LEAST[1], round(SAFETY * seconds / 60)),
            **({"gres": "gpu:1"} if params["device"] == "cuda" and "device" in takes(rule) else {}),
        }
        for rule, (seconds, memory) in needs(params, size).items()
    }


def expected_memory(run_folder: Path, rule: str) -> float:
    """Return MB that a rule of a run is expected to take; 0 if `make report` has not said it."""
    path = run_folder / "requests.json"
    return json.loads(path.read_text())[rule]["mem_mb"] / SAFETY if path.exists() else 0


def pages(params: dict, size: Size, selected: list | None) -> int:
    """Return how many units have pages: those selected or named, or about as many as will be."""
    if params["units"] != "selected":
        return len(params["units"])
    return round(SELECTED * size.units) if selected is None else len(selected)


def describe(params: dict, size: Size, pages: int) -> str:
    """Say what a whole run takes: seconds of one core by rule, time on this machine, and memory."""
    found = needs(params, size)
    seconds = {rule: s * (pages if rule in UNIT_STAGES else 1) for rule, (s, _) in found.items()}
    cores, total = os.cpu_count(), sum(seconds.values()) / 60
    rules = ", ".join(f"{rule} {s:.0f}" for rule, s in seconds.items())
    return (
        f"the whole run: {size.units} units, {size.images} images, pages of about {pages} units\n"
        f"seconds of one core, about: {rules}\n"
        f"about {total:.0f} min of one core, {total / cores / EFFICIENCY:.0f} min on the {cores} of this "
        f"machine; {peak(found, cores)[0] / 1000:.1f} GB of memory"
    )


def peak(found: dict, cores: int) -> tuple[float, str]:
    """Return MB of memory that a run takes at most on one machine, and the rule that needs most.

    Rules of all units have the machine to themselves; units are worked on side by side, one per core.
    """
    memory = {rule: mb * (cores if rule in UNIT_STAGES else 1) for rule, (_, mb) in found.items()}
    rule = max(memory, key=memory.get)
    return memory[rule], rule


def too_small(params: dict, size: Size) -> str | None:
    """Return a warning if this machine has less memory than a run needs, else None."""
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    needed, rule = peak(needs(params, size), os.cpu_count())
    if needed <= has:
        return None
    return (
        f"{rule} needs about {needed / 1000:.1f} GB of memory and this machine has {has / 1000:.1f}; "
        "take fewer units or images, a lower data.image_height, or a cluster"
    )
