"""Somebody's own responses and images: two .npz files, or a folder in the Sensorium challenge's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lib.data import checks, words
from lib.data.recording import Recording
from lib.data.session import select_units
from lib.errors import InputError
from lib.params import nearest

# Natural scenes of the Allen Brain Observatory: 918 pixels of the screen high, seen from 15 cm
# (allensdk.brain_observatory.stimulus_info.BrainObservatoryMonitor, small-angle rule).
SCENE_HEIGHT_DEG = 94.8
STATIC_WINDOW = (0.05, 0.55)  # s after onset, of the challenge's responses (Willeke et al. 2022)
OBJECTS = "Object arrays"  # how numpy's refusal to run what is in a file begins
AS_TEXT = "save columns of pandas as text or numbers, such as column.to_numpy(str)"
LARGEST = 4e9  # bytes of responses, above which a folder is to be read in part
WHOLE_FIELD = 180.0  # degrees; no image is higher
LEAST_RANGE = 0.05  # from the darkest to the brightest pixel of all images, black to white being 1


def load(session: dict, *, folder: Path, structure: str | list[str]) -> Recording:
    """Read responses and images.

    Parameters
    ----------
    session : dict
        Either `counts`: .npz with `counts` (repeats, images, units), NaN where an image was shown less often,
        `unit_ids` (units,) and optionally `image_ids` (images,), `window_s` (start, stop) and `structures`
        (units,); and `images`: .npz with `images` (images, height, width), uint8 or floats in [0, 1], and
        optionally `degrees_per_pixel`.
        Or `folder`: see `read_static`; with optional `tiers`, a list, and `degrees_per_pixel`.
        Counts, or traces such as deconvolved calcium or dF/F; those of a unit that dip below zero are shifted
        by its lowest response.
    folder : Path
        Not used: nothing is made.
    structure : str or list of str
        The areas wanted; if the files name none, the one that all units are said to lie in.

    Raises
    ------
    InputError
        One line for what does not fit.
    """
    read = read_static(**session) if "folder" in session else _read_pair(**session)
    counts, unit_ids, areas = read.pop("counts"), read.pop("unit_ids"), read.pop("structures")
    if areas is None:
        if not isinstance(structure, str):
            raise InputError(
                f"{read['name']} does not say which area its units lie in; give one "
                f"structure, not {structure}"
            )
        areas = np.full(len(unit_ids), structure)
    units = pd.DataFrame({"structure": np.asarray(areas, object)}, index=pd.Index(unit_ids, name="unit_id"))
    wanted = select_units(units, structure, "selected", read["name"])
    notes = [words.RESPONSES_ONLY, *read.pop("notes")]
    if is_trace(counts):
        notes.append(words.TRACES)
        lowest = np.fmin.reduce(counts.reshape(-1, counts.shape[2]))
        if lowest.min() < 0:
            notes.append(words.shift_note(lowest))
            counts = counts - np.minimum(lowest, 0)
    return Recording(
        source="arrays",
        units=wanted,
        counts=counts[:, :, units.index.isin(wanted.index)],
        structures=units.structure.value_counts().to_dict(),
        notes=notes,
        **read,
    )


def check(session: dict, *, structure: str | list[str]) -> pd.DataFrame:
    """Return the units (DataFrame with `structure`); raise `InputError` for whatever would stop `load`."""
    return checks.checked(load(session, folder=None, structure=structure)).units


def _read_pair(counts, images):
    """Read the two .npz files of `load`."""
    counts_file, images_file = Path(counts), Path(images)
    table = read_npz(counts_file, ("counts", "unit_ids"))
    stack = read_npz(images_file, ("images",))
    counts = table["counts"]
    _check_counts(counts, table["unit_ids"], counts_file.name)
    images = unit_range(stack["images"], images_file.name)
    image_ids = table.get("image_ids", np.arange(counts.shape[1]))
    if "image_ids" not in table and len(images) != counts.shape[1]:
        swapped = "; are its first two axes exchanged?" if len(images) == counts.shape[0] else ""
        raise InputError(
            f"{counts_file.name}: counts (repeats, images, units) has shape {counts.shape} and no image_ids, "
            f"and {images_file.name} holds {len(images)} images; give image_ids, or as many images{swapped}"
        )
    if (
        image_ids.shape != counts.shape[1:2]
        or image_ids.dtype.kind not in "iu"
        or len(np.unique(image_ids)) < len(image_ids)
    ):
        raise InputError(
            f"{counts_file.name}: image_ids must be {counts.shape[1]} different whole numbers, one for each "
            f"image of counts; got {image_ids.dtype} of shape {image_ids.shape}"
        )
    if image_ids.min() < 0 or image_ids.max() >= len(images):
        raise InputError(
            f"{counts_file.name} names images {image_ids.min()} to {image_ids.max()} but "
            f"{images_file.name} holds {len(images)}; image_ids are its rows, from 0"
        )
    areas = table.get("structures")
    if areas is not None and (areas.shape != table["unit_ids"].shape or areas.dtype.kind != "U"):
        raise InputError(
            f"{counts_file.name}: structures must be {len(table['unit_ids'])} acronyms, got "
            f"{areas.dtype} of shape {areas.shape}"
        )
    window = table.get("window_s", np.array([0.0, 0.25]))
    if window.shape != (2,) or window.dtype.kind not in "iuf" or not -10 < window[0] < window[1] < 10:
        raise InputError(
            f"{counts_file.name}: window_s must be start and stop in seconds after onset, got "
            f"{_shown(window)}"
        )
    degrees = stack.get("degrees_per_pixel", np.array(SCENE_HEIGHT_DEG / images.shape[1]))
    return dict(
        name=counts_file.stem,
        counts=counts,
        unit_ids=table["unit_ids"],
        structures=areas,
        images=images[image_ids],
        image_ids=image_ids.astype(int),
        degrees_per_pixel=pixel_size(degrees, images_file.name, images.shape[1]),
        notes=[] if "degrees_per_pixel" in stack else [words.SIZE_ASSUMED],
        count_window=tuple(map(float, window)),
        warnings=[words.WINDOW_BEFORE] if window[1] <= 0 else [],
    )


def read_static(folder: Path | str, *, tiers: Sequence[str] = (), degrees_per_pixel: float = 0) -> dict:
    """Read a folder in the static layout of the Sensorium challenge (Willeke et al. 2022).

    Trials with the same pixels are repeats of one image; its id is the first trial that showed it.

    Parameters
    ----------
    folder : str or Path
        data/images/<trial>.npy, (1, height, width) or (height, width), from 0 to 255;
        data/responses/<trial>.npy, (units,); optionally meta/neurons/unit_ids.npy and area.npy, and
        meta/trials/tiers.npy.
    tiers : list of str
        Only trials of these tiers, such as test; all if empty.
    degrees_per_pixel : float, optional
        The height of the images is taken as that of the Allen scenes if it is 0.

    Returns
    -------
    dict
        name, counts (repeats, images, units), unit_ids, structures or None, images, image_ids,
        degrees_per_pixel, count_window, notes
    """
    folder = Path(folder)
    trials = _trials(folder, tiers)
    which, images, image_ids = _distinct_images(folder, trials)
    responses = _responses(folder, trials)
    shown = np.bincount(which)
    shape = (shown.max(), len(images), responses.shape[1])
    if 4 * np.prod(shape, dtype=float) > LARGEST:
        raise InputError(
            f"{folder.name}: {shape[1]} images shown up to {shape[0]} times to {shape[2]} units "
            "are too much at once; name `tiers`, such as [test]"
        )
    counts = np.full(shape, np.nan, np.float32)
    for image in range(len(images)):
        counts[: shown[image], image] = responses[which == image]
    ids, areas = (_of_neurons(folder, name, shape[2]) for name in ("unit_ids", "area"))
    ids = np.arange(1, shape[2] + 1) if ids is None else ids
    _check_counts(counts, ids, folder.name)
    degrees = degrees_per_pixel or SCENE_HEIGHT_DEG / images.shape[1]
    return dict(
        name=folder.name,
        counts=counts,
        unit_ids=ids,
        structures=areas,
        images=images,
        image_ids=image_ids,
        degrees_per_pixel=pixel_size(np.asarray(degrees), folder.name, images.shape[1]),
        notes=[] if degrees_per_pixel else [words.SIZE_ASSUMED],
        count_window=STATIC_WINDOW,
    )


def _trials(folder, tiers):
    """Numbers of the trials of some tiers, ascending."""
    numbers = {part: set(_trial_files(folder, part)) for part in ("images", "responses")}
    if not any(numbers.values()):
        raise InputError(f"{folder}: expected data/images/<n>.npy and data/responses/<n>.npy in it")
    odd = sorted(numbers["images"] ^ numbers["responses"])
    if odd:
        raise InputError(
            f"{folder.name}: {len(numbers['images'])} images but {len(numbers['responses'])} "
            f"responses; trial {odd[0]} has only one of the two"
        )
    trials = np.array(sorted(numbers["images"]))
    if not tiers:
        return trials
    names = _read_words(folder / "meta/trials/tiers.npy")
    if trials[-1] >= len(names):
        raise InputError(f"{folder.name}: tiers.npy names {len(names)} trials, there is a trial {trials[-1]}")
    for tier in tiers:
        if tier not in names:
            raise InputError(f"{folder.name}: no tier {tier!r}; {nearest(tier, sorted(set(names)))}")
    chosen = trials[np.isin(names[trials], tiers)]
    if not len(chosen):
        raise InputError(
            f"{folder.name}: none of its {len(trials)} trials is of {', '.join(tiers)}; copy the "
            "files of the trials that tiers.npy names so, or name other tiers"
        )
    return chosen


def _trial_files(folder, part):
    """The file of each trial, by its number: 7.npy or 00007.npy."""
    found = {}
    for file in sorted((folder / "data" / part).glob("*.npy")):
        if file.stem.isdecimal() and found.setdefault(int(file.stem), file) != file:
            raise InputError(
                f"{folder.name}: {found[int(file.stem)].name} and {file.name} in data/{part} are one trial"
            )
    return found


def _distinct_images(folder, trials):
    """Which image each trial showed, the images in [0, 1] and the first trial of each."""
    seen, images, which, files = {}, [], [], _trial_files(folder, "images")
    for trial in trials:
        pixels = _read_npy(files[trial], (2, 3), kinds="iuf")
        if pixels.ndim == 3 and len(pixels) != 1:
            raise InputError(
                f"{folder.name}: image {trial} has {len(pixels)} channels; the report is about grey images"
            )
        pixels = pixels.reshape(pixels.shape[-2:])
        if not pixels.size:
            raise InputError(f"{folder.name}: image {trial} has no pixels")
        if images and pixels.shape != images[0].shape:
            raise InputError(
                f"{folder.name}: image {trial} is {pixels.shape[0]} x {pixels.shape[1]} pixels, "
                f"image {trials[0]} {images[0].shape[0]} x {images[0].shape[1]}"
            )
        key = pixels.tobytes()
        if key not in seen:
            seen[key] = len(images), trial
            images.append(pixels)
        which.append(seen[key][0])
    stack = np.stack(images)
    if stack.dtype != np.uint8:
        if not (stack.min() >= 0 and stack.max() <= 255):
            raise InputError(
                f"{folder.name}: images go from {stack.min():g} to {stack.max():g}; expected grey "
                "values from 0 to 255, not normalised"
            )
        stack = (stack / 255).astype(np.float32)
    return np.array(which), unit_range(stack, folder.name), np.array([first for _, first in seen.values()])


def _responses(folder, trials):
    """Responses (trials, units)."""
    files = _trial_files(folder, "responses")
    rows = [_read_npy(files[trial], 1, kinds="iuf") for trial in trials]
    for trial, row in zip(trials, rows):
        if len(row) != len(rows[0]):
            raise InputError(
                f"{folder.name}: trial {trial} has responses of {len(row)} units, trial "
                f"{trials[0]} of {len(rows[0])}"
            )
        if not np.isfinite(row).all():
            raise InputError(f"{folder.name}: trial {trial} has responses that are not finite")
    return np.stack(rows)


def _of_neurons(folder, name, n):
    """An array of meta/neurons, None if it is not there."""
    path = folder / f"meta/neurons/{name}.npy"
    if not path.exists():
        return None
    values = _read_words(path) if name == "area" else _read_npy(path, 1)
    if len(values) != n:
        raise InputError(f"{folder.name}: {path.name} names {len(values)} units, the responses are of {n}")
    return values


def _read_words(path):
    try:
        return _read_npy(path, 1).astype(str)
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected text, got bytes that are no ASCII") from None


def _read_npy(path, ndim, *, kinds="iufUS"):
    """Read one array; object arrays, which run code when they are read, are refused."""
    try:
        with open(path, "rb") as opened:
            values = np.lib.format.read_array(opened, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, OverflowError, TypeError) as error:
        if OBJECTS in str(error):
            raise InputError(f"{path}: it holds Python objects; {AS_TEXT}") from None
        raise InputError(f"{path}: not a readable .npy file ({type(error).__name__})") from None
    if values.ndim not in np.atleast_1d(ndim) or values.dtype.kind not in kinds:
        what = "numbers" if kinds == "iuf" else "an array"
        raise InputError(
            f"{path}: expected {what} in {ndim} dimension, got {values.dtype} of shape {values.shape}"
        )
    return values


def read_npz(path: Path | str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return {name: array} of an .npz file, which must hold the arrays `names`."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, BadZipFile) as error:
        if OBJECTS in str(error):
            raise InputError(f"{path.name}: an array holds Python objects; {AS_TEXT}") from None
        raise InputError(f"{path.name}: not a readable .npz file ({type(error).__name__})") from None
    missing = [name for name in names if name not in content]
    if missing:
        raise InputError(
            f"{path.name}: needs the array {missing[0]!r}; it holds {', '.join(content) or 'nothing'}"
        )
    return content


def _check_counts(counts, unit_ids, file):
    if counts.ndim != 3 or 0 in counts.shape:
        raise InputError(f"{file}: counts must be (repeats, images, units), got shape {counts.shape}")
    if counts.dtype.kind not in "iuf":
        raise InputError(f"{file}: counts must be numbers, got dtype {counts.dtype}")
    if unit_ids.shape != counts.shape[2:] or unit_ids.dtype.kind not in "iu":
        raise InputError(
            f"{file}: unit_ids must be {counts.shape[2]} whole numbers, got "
            f"{unit_ids.dtype} of shape {unit_ids.shape}"
        )
    if len(np.unique(unit_ids)) < len(unit_ids):
        raise InputError(f"{file}: a unit id stands twice in unit_ids")
    if counts.dtype.kind == "f" and np.isinf(counts).any():
        raise InputError(f"{file}: counts hold infinite values")
    missing = np.isnan(counts)
    if (missing.any(axis=2) & ~missing.all(axis=2)).any():
        raise InputError(
            f"{file}: counts are NaN for some units of a presentation and not for others; NaN "
            "means that the image was not shown again"
        )
    if counts.dtype.kind == "f" and np.isnan(counts).all(axis=0).any():
        raise InputError(f"{file}: some image has no repeat at all for some unit (all NaN)")
    if np.nanmin(counts) < 0 and not is_trace(counts):
        raise InputError(
            f"{file}: counts hold negative values (lowest {np.nanmin(counts):g}), and all are whole numbers; "
            "expected counts of spikes from 0, or traces"
        )


def is_trace(counts: np.ndarray) -> bool:
    """Whether responses, NaN where none was recorded, are anything but whole numbers."""
    return bool((np.nan_to_num(counts) % 1).any())


def unit_range(images: np.ndarray, file: str) -> np.ndarray:
    """Return images of the type uint8, or of floats from 0 to 1, as float32 from 0 to 1."""
    if images.ndim != 3 or 0 in images.shape:
        raise InputError(f"{file}: images must be (images, height, width), got shape {images.shape}")
    if images.dtype.kind not in "iuf":
        raise InputError(f"{file}: images must be uint8 or floats in [0, 1], got {images.dtype}")
    if images.dtype == np.uint8:
        shown = images.astype(np.float32) / 255
    elif images.dtype.kind == "f" and images.min() >= 0 and images.max() <= 1:
        shown = images.astype(np.float32)
    else:
        raise InputError(
            f"{file}: images must be uint8 or floats in [0, 1], got {images.dtype} from "
            f"{images.min():g} to {images.max():g}"
        )
    if np.ptp(shown) < LEAST_RANGE:
        raise InputError(
            f"{file}: images use {np.ptp(shown):.2g} of the range from black to white; expected at least "
            f"{LEAST_RANGE:g}. Were they divided by their maximum, or by 255 twice?"
        )
    return shown


def pixel_size(degrees: np.ndarray, file: str, height: int) -> float:
    """Return `degrees_per_pixel` of a file with images of that height (pixels) as a float, after a check."""
    if degrees.shape != () or degrees.dtype.kind not in "iuf" or not 1e-4 < degrees < 1e2:
        raise InputError(
            f"{file}: degrees_per_pixel must be one number from 0.0001 to 100, got {_shown(degrees)}"
        )
    if degrees * height > WHOLE_FIELD:
        raise InputError(
            f"{file}: {height} pixels of {degrees:g} degrees are {degrees * height:.0f} degrees high, "
            f"expected at most {WHOLE_FIELD:g}; give the degrees_per_pixel of the images in the file"
        )
    return float(degrees)


def _shown(values):
    return values.tolist() if values.size <= 3 else f"{values.dtype} of shape {values.shape}"
