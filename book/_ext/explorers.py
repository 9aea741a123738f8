"""What a reader can take in hand on a unit's page: the image behind each point, an ascent step by step.

Each is a strip of pictures and a few numbers; book/_static/explore.js makes a slider of them, and a plot
where there are points. Without scripts the figures above them are all there is.
"""

import numpy as np
from PIL import Image

from lib.data.session import load_session
from lib.errors import InputError
from lib.stages import load_result
from workflow.render import render

MOST_IMAGES = 300  # in the sheet of natural images
COLUMNS = 12


def write_sheet(images, path):
    """Save images (n, h, w) in [0, 1] side by side, `COLUMNS` in a row, as one JPEG."""
    n, h, w = images.shape
    rows = -(-n // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, h, w), np.uint8)
    sheet[:n] = np.rint(255 * np.clip(images, 0, 1))
    sheet = sheet.reshape(rows, COLUMNS, h, w).swapaxes(1, 2).reshape(rows * h, COLUMNS * w)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(path, quality=85)


def natural_images(run_folder, path):
    """Write the sheet of the run's natural images; returns their shape and which of them it holds.

    Returns
    -------
    shape : (int, int)
    chosen : (k,) int
        All, or `MOST_IMAGES` of them.
    """
    images = load_session(run_folder).images
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).astype(int))
    write_sheet(images[chosen], path)
    return images.shape[1:], chosen


def result(folder, stage):
    """Return the arrays of a stage of one unit, or None if it failed or has not run."""
    try:
        return load_result(folder, stage)[1]
    except InputError:
        return None


def responses(folder, sheet, shape, chosen):
    """Return the HTML for the images behind predicted and recorded responses, or None if 04_cnn failed."""
    if (saved := result(folder, "cnn")) is None:
        return None
    predicted, recorded = saved["predicted"][chosen], saved["recorded"][chosen]
    errors = np.nan_to_num(saved.get("recorded_error", np.zeros(len(saved["recorded"])))[chosen])
    frames = np.flatnonzero(np.isfinite(predicted + recorded))
    frames = frames[np.argsort(recorded[frames], kind="stable")]
    return slider(
        sheet,
        shape,
        frames=frames,
        name="image, by recorded count",
        start=len(frames) - 1,
        labels=[
            f"Image {chosen[k]}: predicted {predicted[k]:.2f}, recorded {recorded[k]:.2f}" for k in frames
        ],
        points=[[round(float(v[k]), 3) for v in (predicted, recorded, errors)] for k in frames],
        axes=["predicted response", "recorded mean response"],
    )


def ascent(folder, path, sheet):
    """Write the iterates of an ascent to `path`; returns their HTML, or None if 05_mei has left none.

    The last picture is the MEI, what the ascent's end becomes.
    """
    if "path" not in (saved := result(folder, "mei") or {}):
        return None
    steps, drives = saved["path_steps"], saved["path_responses"]
    images = np.concatenate([saved["path"], saved["mei"][None]])
    write_sheet(images, path)
    labels = [f"After {step} steps: predicted response {drive:.2f}" for step, drive in zip(steps, drives)]
    return slider(
        sheet,
        images.shape[1:],
        frames=range(len(images)),
        name="step of the ascent",
        labels=[*labels, "The MEI: the end, what lies far from its bulk weakened"],
        start=0,
    )


def slider(sheet, shape, *, frames, name, labels, start, points=None, axes=None):
    """Return the HTML of one slider over pictures of a sheet; its address is as seen from the page."""
    content = {
        "sheet": sheet,
        "columns": COLUMNS,
        "height": shape[0],
        "width": shape[1],
        "frames": [int(k) for k in frames],
        "name": name,
        "labels": labels,
        "start": start,
    }
    if points is not None:
        content |= {"points": points, "axes": axes}
    return render("explorer.html.jinja", content=content)
