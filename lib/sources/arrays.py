"""Somebody's own counts and images, as two .npz files."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.session import Recording

# Natural scenes of the Allen Brain Observatory: 918 pixels of the screen high, seen from 15 cm
# (allensdk.brain_observatory.stimulus_info.BrainObservatoryMonitor, small-angle rule).
SCENE_HEIGHT_DEG = 94.8


def load(session, *, folder, structure):
    """Read counts and images.

    Parameters
    ----------
    session : dict
        `counts`: .npz with `counts` (repeats, images, units), `unit_ids` (units,) and optionally
        `image_ids` (images,) and `window_s` (start, stop); `images`: .npz with `images`
        (images, height, width), uint8 or floats in [0, 1], and optionally `degrees_per_pixel`.
    folder : Path
        Not used: nothing is made.
    structure : str
        The area that all units are said to lie in.

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        One line for what does not fit.
    """
    counts_file, images_file = Path(session["counts"]), Path(session["images"])
    table = _read(counts_file, ("counts", "unit_ids"))
    stack = _read(images_file, ("images",))
    counts, unit_ids = table["counts"], table["unit_ids"]
    _check_counts(counts, unit_ids, counts_file.name)
    images = _unit_range(stack["images"], images_file.name)
    image_ids = table.get("image_ids", np.arange(counts.shape[1]))
    if len(image_ids) != counts.shape[1] or len(set(image_ids.tolist())) < len(image_ids):
        raise InputError(f"{counts_file.name}: image_ids must be {counts.shape[1]} different "
                         f"numbers, one for each image of counts; got {len(image_ids)}")
    if image_ids.min() < 0 or image_ids.max() >= len(images):
        raise InputError(f"{counts_file.name} names images {image_ids.min()} to {image_ids.max()} but "
                         f"{images_file.name} holds {len(images)}; image_ids are its rows")
    degrees = float(stack.get("degrees_per_pixel", SCENE_HEIGHT_DEG / images.shape[1]))
    window = tuple(float(v) for v in table.get("window_s", (0.0, 0.25)))
    units = pd.DataFrame({"structure": structure}, index=pd.Index(unit_ids, name="unit_id"))
    return Recording(
        name=counts_file.stem, source="arrays", units=units, images=images[image_ids],
        image_ids=image_ids.astype(int), degrees_per_pixel=degrees,
        counts=counts.astype(np.float32), count_window=window, structures={structure: len(units)},
        notes=["This source holds counts only: no spike times, no blanks, no recorded Gabors, no "
               "gratings and no movies."])


def _read(path, names):
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, BadZipFile) as error:
        raise InputError(f"{path.name}: not a readable .npz file ({type(error).__name__})") from None
    missing = [name for name in names if name not in content]
    if missing:
        raise InputError(f"{path.name}: needs the array {missing[0]!r}; it holds "
                         f"{', '.join(content) or 'nothing'}")
    return content


def _check_counts(counts, unit_ids, file):
    if counts.ndim != 3 or 0 in counts.shape:
        raise InputError(f"{file}: counts must be (repeats, images, units), got shape {counts.shape}")
    if counts.dtype.kind not in "iuf":
        raise InputError(f"{file}: counts must be numbers, got dtype {counts.dtype}")
    if unit_ids.shape != counts.shape[2:] or unit_ids.dtype.kind not in "iu":
        raise InputError(f"{file}: unit_ids must be {counts.shape[2]} whole numbers, got "
                         f"{unit_ids.dtype} of shape {unit_ids.shape}")
    if len(np.unique(unit_ids)) < len(unit_ids):
        raise InputError(f"{file}: a unit id stands twice in unit_ids")
    if counts.dtype.kind == "f" and np.isinf(counts).any():
        raise InputError(f"{file}: counts hold infinite values")
    if counts.dtype.kind == "f" and np.isnan(counts).all(axis=0).any():
        raise InputError(f"{file}: some image has no repeat at all for some unit (all NaN)")
    if np.nanmin(counts) < 0:
        raise InputError(f"{file}: counts hold negative values (lowest {np.nanmin(counts):g})")


def _unit_range(images, file):
    if images.ndim != 3 or 0 in images.shape:
        raise InputError(f"{file}: images must be (images, height, width), got shape {images.shape}")
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 255
    if images.dtype.kind == "f" and images.min() >= 0 and images.max() <= 1:
        return images.astype(np.float32)
    raise InputError(f"{file}: images must be uint8 or floats in [0, 1], got {images.dtype} from "
                     f"{images.min():g} to {images.max():g}")
