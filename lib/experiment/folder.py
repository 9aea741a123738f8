"""The folder of stimuli that goes to the rig: written, and checked when responses come back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.data.session import Session, load_session
from lib.errors import InputError
from lib.experiment import schedule, stimuli, words
from lib.experiment.screen import WHITE, Screen
from lib.files import file_hash, required

HALF = 0.501  # grey levels: half a level is rounding


@dataclass(frozen=True)
class StimulusSet:
    """What `write_stimuli` left.

    Attributes
    ----------
    folder : Path
    table, presentations : DataFrame
        stimuli.csv (index file) and presentations.csv.
    images : dict of str to (h, w) float32 array
        By file, at the resolution of the analysis.
    screen : Screen
    degrees_per_pixel : float
        Of `images`.
    name : str
        12 hexadecimal digits that stand for the whole set.
    plan : DataFrame
        Of `lib.experiment.schedule.repeats_needed`, index unit_id.
    """

    folder: Path
    table: pd.DataFrame
    presentations: pd.DataFrame
    images: dict
    screen: Screen
    degrees_per_pixel: float
    name: str
    plan: pd.DataFrame

    @property
    def units(self) -> list[int]:
        """Ids of the units that have stimuli, in the order of the table."""
        return self.plan.index.tolist()


def write_stimuli(
    run_folder: Path | str,
    *,
    units: int | str | list[int] | dict,
    minutes: float,
    duration: float,
    gap: float,
    width: int,
    height: int,
    degrees_per_pixel: float,
    grey: float,
    gamma: float,
    seed: int,
) -> StimulusSet:
    """Write stimuli/ of a finished run: pictures, exact arrays, two tables, README and a script.

    The folder that was there is replaced when the new one is whole.

    Parameters
    ----------
    run_folder : Path
        `build/<name>` with units.csv.
    units : int, str, list of int or dict
        See `lib.experiment.stimuli.choose_units`.
    minutes : float
        That the experiment may take.
    duration, gap : float
        Seconds of a stimulus and of the grey after it.
    width, height, degrees_per_pixel, grey, gamma
        Of the screen (`lib.experiment.screen.Screen`); grey 0: the mean of the images.

    Raises
    ------
    InputError
        Unknown units, too little time, a screen that is too small.
    """
    run_folder = Path(run_folder)
    session = load_session(run_folder)
    table = pd.read_csv(required(run_folder / "units.csv"), index_col="unit_id")
    chosen = stimuli.choose_units(table, units, stimuli.failed_units(run_folder))
    results = {unit: stimuli.unit_stimuli(run_folder, unit, session) for unit in chosen}
    shown, images = stimuli.tabulate(results, session)
    where = Screen(width, height, degrees_per_pixel, grey or session.mean_luminance, gamma)
    where.size_of(images.shape[1:], session.degrees_per_pixel)
    return write_set(
        run_folder, session, shown, images, where, minutes=minutes, duration=duration, gap=gap, seed=seed
    )


def write_set(
    run_folder: Path,
    session: Session,
    shown: pd.DataFrame,
    images: np.ndarray,
    screen: Screen,
    *,
    minutes: float,
    duration: float,
    gap: float,
    seed: int,
) -> StimulusSet:
    """Write stimuli and their images, of `lib.experiment.stimuli.tabulate`, as `write_stimuli` does."""
    shown = shown.copy()
    plan = schedule.repeats_needed(shown, schedule.fano_factors(session.counts, session.unit_ids))
    repeats = schedule.passes(len(shown), plan.needs, minutes=minutes, duration=duration, gap=gap)
    order = schedule.presentations(shown.file.tolist(), repeats, duration=duration, gap=gap, seed=seed)
    new = _new(run_folder)
    for name, image in zip(shown.file, images):
        values = screen.encode(screen.render(image, degrees_per_pixel=session.degrees_per_pixel))
        Image.fromarray(values).save(new / name, compress_level=3)
    shown["sha256"] = [file_hash(new / name) for name in shown.file]
    name = hashlib.sha256((shown.to_csv() + order.to_csv()).encode()).hexdigest()[:12]
    shown.insert(0, "set", name)
    order.insert(0, "set", name)
    shown.to_csv(new / "stimuli.csv", index=False)
    order.to_csv(new / "presentations.csv", index=False)
    plan.assign(repeats=repeats).to_csv(new / "plan.csv")
    np.savez_compressed(new / "stimuli.npz", images=images, files=shown.file.to_numpy(str))
    about = {"set": name, "screen": vars(screen), "degrees_per_pixel": session.degrees_per_pixel}
    (new / "geometry.json").write_text(json.dumps(about, indent=1) + "\n")
    counting = words.counted_from(session.window, duration + gap)
    degrees = session.degrees_per_pixel
    (new / "README.md").write_text(
        words.readme(screen, images.shape[1:], degrees, order, plan, repeats, minutes, counting)
    )
    shutil.copy(Path(__file__).with_name("show.py"), new / "show.py")
    return read_stimuli(_in_place(run_folder, new))


def write_none(run_folder: Path | str, reason: str) -> None:
    """Write a folder stimuli/ that holds but the reason why there are none, and empty tables."""
    new = _new(Path(run_folder))
    (new / "README.md").write_text(f"{reason}\n")
    (new / "stimuli.csv").write_text("file\n")
    (new / "presentations.csv").write_text("file\n")
    _in_place(Path(run_folder), new)


def _new(run_folder):
    new = run_folder / ".stimuli.partial"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    return new


def _in_place(run_folder, new):
    folder, old = run_folder / "stimuli", run_folder / ".stimuli.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def read_stimuli(folder: Path | str) -> StimulusSet:
    """Read what `write_stimuli` wrote, without the pictures (`check_pictures`).

    Raises
    ------
    InputError
        Not a whole folder, or one that holds but the reason why there are no stimuli, which is said.
    """
    folder = Path(folder)
    table = pd.read_csv(required(folder / "stimuli.csv"), index_col="file")
    if table.empty:
        raise InputError((folder / "README.md").read_text().strip())
    about = json.loads(required(folder / "geometry.json").read_text())
    with np.load(required(folder / "stimuli.npz"), allow_pickle=False) as stored:
        images = dict(zip(stored["files"].tolist(), stored["images"]))
    if missing := [name for name in table.index if name not in images]:
        raise InputError(f"{folder}/stimuli.npz lacks {missing[0]}; `make stimuli` writes the folder again")
    return StimulusSet(
        folder,
        table,
        pd.read_csv(required(folder / "presentations.csv")),
        images,
        Screen(**about["screen"]),
        about["degrees_per_pixel"],
        about["set"],
        pd.read_csv(required(folder / "plan.csv"), index_col="unit_id"),
    )


def read_picture(shown: StimulusSet, name: str) -> np.ndarray:
    """Return the grey values (height, width) of a picture, once it is there and 8-bit grey of the screen."""
    path = shown.folder / name
    if not path.is_file():
        raise InputError(f"{path} is not there, stimuli.csv names it; `make stimuli` writes the folder again")
    try:
        with Image.open(path) as picture:
            mode, values = picture.mode, np.asarray(picture)
    except (OSError, ValueError, SyntaxError):
        raise InputError(f"{path}: not a readable picture; `make stimuli` writes it again") from None
    size = shown.screen.height, shown.screen.width
    if mode != "L" or values.shape != size:
        raise InputError(
            f"{path} is a picture {mode} of {values.shape[1]} x {values.shape[0]} pixels, expected 8-bit "
            f"grey of {size[1]} x {size[0]}; `make stimuli` writes it again"
        )
    return values


def check_pictures(shown: StimulusSet) -> None:
    """Raise `InputError` for a picture that is missing or does not show the array of its name.

    A picture that holds the right array at another gamma is said to do so.
    """
    for name, row in shown.table.iterrows():
        values = read_picture(shown, name)
        if file_hash(shown.folder / name) == row.sha256:
            continue
        luminance = shown.screen.render(shown.images[name], degrees_per_pixel=shown.degrees_per_pixel)
        off = float(np.abs(values - shown.screen.values(luminance)).max())
        if off <= HALF:
            continue
        inside = (luminance > 0.02) & (luminance < 0.98) & (values > 0) & (values < WHITE)
        gamma = np.log(luminance[inside]) / np.log(values[inside] / WHITE)
        other = float(np.median(gamma)) if inside.any() else np.nan
        again = Screen(**vars(shown.screen) | {"gamma": other})
        if np.isfinite(other) and np.abs(values - again.values(luminance)).max() < 2 * HALF:
            raise InputError(
                f"{shown.folder / name} is made for a screen of gamma {other:.2g}, the run says gamma "
                f"{shown.screen.gamma:g} (screen.gamma); `make stimuli` writes it for the run's screen"
            )
        raise InputError(
            f"{shown.folder / name} differs from the array of its name by up to {off:.0f} grey levels; "
            "`make stimuli` writes it again"
        )
