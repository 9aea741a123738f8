"""Each neuron at a glance, for every page that shows some: its stimuli, zoomed to the mask; gain; verdict."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from lib.data.session import load_session
from lib.errors import InputError
from lib.mei.calibration import VERDICTS
from lib.population.table import stimuli_of
from lib.stages import load_result

SIGNS = dict(zip(VERDICTS, "✓?✗", strict=True))
LABELS = {"mei": "MEI", "gabor": "best Gabor", "image": "best image"}
ANSWERS = {"yes": "more than a Gabor", "no": "no more than a Gabor", "cannot be told": "cannot be told"}
SIZES = ("gain above 20 %", "gain of 5 to 20 %", "gain below 5 %")
SIDE = 160  # px of a picture
MARGIN, SMALLEST = 1.4, 20.0  # side of a picture over the extent of the mask; degrees
SCALES = (10, 5, 2)  # degrees, of a scale bar


def glances(run_folder: Path, table: pd.DataFrame, units: Sequence[int], pages: Path) -> list[dict]:
    """Return what pages show of each neuron that has one of its own, and write its pictures.

    Parameters
    ----------
    run_folder : Path
    table : DataFrame
        units.csv, index unit_id.
    units : sequence of int
    pages : Path
        Pictures go to `_extra/neurons` of it, which becomes `neurons/` of the site.

    Returns
    -------
    list of dict
        In the order of `units`: what `figures_of` returns; `pictures`, {stimulus: file}, empty if a stage
        failed; `zoom`, of `window`.
    """
    shown, session = [], None
    for unit in units:
        glance = figures_of(unit, table.loc[unit]) | {
            "pictures": {},
            "zoom": None,
            "largest": None,
            "largest_error": None,
        }
        shown.append(glance)
        try:
            stimuli = stimuli_of(run_folder / "units" / str(unit))
            arrays = load_result(run_folder / "units" / str(unit), "gabor")[1]
        except InputError:
            continue
        session = session or load_session(run_folder)
        glance |= largest_recorded(run_folder / "units" / str(unit))
        if "by_judge" in arrays:
            for response, judged in zip(
                glance["responses"],
                (arrays["by_judge"][[*stimuli].index(r["name"])] for r in glance["responses"]),
            ):
                response |= {"low": float(judged.min()), "high": float(judged.max())}
        glance["zoom"] = window(arrays["mask"], session.degrees_per_pixel)
        kept = {name: stimuli[name] for name in LABELS if name in stimuli}
        for name, pixels in zip(kept, enhanced(np.stack([*kept.values()]))):
            file = pages / "_extra" / "neurons" / f"{unit}-{name}.png"
            picture(pixels, glance["zoom"]).save(made(file), optimize=True)
            glance["pictures"][name] = f"neurons/{file.name}"
    for glance in shown:
        heights = [r[name] for r in glance["responses"] for name in ("predicted", "true", "high")]
        glance["most"] = max([v for v in heights if v], default=1.0)
    return shown


def largest_recorded(folder: Path) -> dict:
    """Return the largest mean response of a neuron to an image, `largest`, and its standard error or None."""
    _, saved = load_result(folder, "cnn")
    best = int(np.nanargmax(saved["recorded"]))
    error = saved["recorded_error"][best] if "recorded_error" in saved else np.nan
    return {
        "largest": float(saved["recorded"][best]),
        "largest_error": float(error) if np.isfinite(error) else None,
    }


def figures_of(unit: int, row: pd.Series) -> dict:
    """Return a neuron's numbers by the names that pages use; None where there is no value.

    The gain is the predicted response to the masked MEI over that to the best Gabor. Columns that the run
    does not have (an interval, an answer) are None.
    """

    def value(name):
        found = row.get(name)
        return None if found is None or pd.isna(found) else found

    def ratio(first, second):
        return first / second if first is not None and second else None

    gain = value("gain_over_gabor") or ratio(value("mei_response"), value("gabor_response"))
    return {
        "unit": int(unit),
        "gain": gain,
        "size": "" if gain is None else SIZES[0 if gain > 1.2 else 1 if gain >= 1.05 else 2],
        "low": value("gain_over_gabor_low"),
        "high": value("gain_over_gabor_high"),
        "true_gain": ratio(value("mei_true_response"), value("gabor_true_response")),
        "of_optimum": ratio(value("mei_true_response"), value("optimum_true_response")),
        "answer": value("more_than_gabor"),
        "verdict": value("verdict") or "no result",
        "sign": SIGNS.get(value("verdict"), "–"),
        "tone": (value("verdict") or "none").replace(" ", "-"),
        "kind": (value("truth_kind") or "").replace("_", " "),
        "area": str(value("structure") or ""),
        "cc_norm": value("cc_norm"),
        "correlation": value("correlation_to_average"),
        "responses": [
            {
                "name": name,
                "label": label,
                "predicted": value(f"{name}_response"),
                "true": value(f"{name}_true_response"),
                "low": None,
                "high": None,
            }
            for name, label in LABELS.items()
            if value(f"{name}_response") is not None
        ],
    }


def window(mask: np.ndarray, degrees: float) -> dict:
    """Return the square of the screen that shows a mask and some room around it.

    Parameters
    ----------
    mask : (h, w) array
        In [0, 1].
    degrees : float
        Per pixel.

    Returns
    -------
    dict
        top, left, side: pixels; scale: degrees of the scale bar; share: of the side that it takes;
        degrees: per pixel; screen: (h, w).
    """
    h, w = mask.shape
    rows, columns = np.nonzero(mask > 0.5) if (mask > 0.5).any() else np.nonzero(np.ones_like(mask))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(min(h, w, max(round(MARGIN * extent), round(SMALLEST / degrees))))
    top, left = (
        int(np.clip(round((at.min() + at.max() + 1 - side) / 2), 0, most - side))
        for at, most in ((rows, h), (columns, w))
    )
    scale = next((s for s in SCALES if s <= side * degrees / 2), SCALES[-1])
    return {
        "top": top,
        "left": left,
        "side": side,
        "scale": scale,
        "share": scale / (side * degrees),
        "degrees": degrees,
        "screen": (h, w),
    }


def enhanced(stimuli: np.ndarray) -> np.ndarray:
    """Return stimuli (n, h, w) with their contrast raised by one factor for all, so that none is clipped."""
    grey = stimuli[0, 0, 0]
    return 0.5 + (stimuli - grey) / (2 * max(np.abs(stimuli - grey).max(), 1e-6))


def picture(pixels: np.ndarray, zoom: dict) -> Image.Image:
    """Return the part of a stimulus (h, w) in [0, 1] that `window` chose, as a picture of `SIDE` pixels."""
    top, left, side = zoom["top"], zoom["left"], zoom["side"]
    cut = np.rint(255 * np.clip(pixels[top : top + side, left : left + side], 0, 1)).astype(np.uint8)
    return Image.fromarray(cut).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def film(run_folder: Path, glance: dict, pages: Path) -> int:
    """Write the ascent of a neuron from its start to its MEI as one strip; returns the number of pictures.

    0 if 05_mei has left none. The last picture is the masked MEI, as in `pictures`.
    """
    try:
        _, saved = load_result(run_folder / "units" / str(glance["unit"]), "mei")
    except InputError:
        return 0
    if "path" not in saved or not glance["pictures"]:
        return 0
    frames = [picture(0.5 + 0.5 * centred(image), glance["zoom"]) for image in saved["path"]]
    frames.append(Image.open(pages / "_extra" / glance["pictures"]["mei"]))
    strip = Image.new("L", (SIDE * len(frames), SIDE))
    for k, frame in enumerate(frames):
        strip.paste(frame, (SIDE * k, 0))
    strip.save(made(pages / "_extra" / "neurons" / f"{glance['unit']}-film.png"), optimize=True)
    return len(frames)


def centred(image: np.ndarray) -> np.ndarray:
    """Return an image as its departures from its mean, the largest of them 1."""
    image = image - image.mean()
    return image / max(np.abs(image).max(), 1e-6)


def made(file: Path) -> Path:
    """Return a path whose folder is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def preview(examples: list[dict], pages: Path) -> None:
    """Write the picture for previews of links: the examples, a row each, and their predicted responses."""
    sheet = Image.new("L", (1200, 630), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=26)
    for row, g in enumerate(examples[:2]):
        pen.text((20, 60 + 315 * row), f"neuron\n{g['unit']}\n\ngain {g['gain']:.2f}", fill=0, font=font)
        for k, (response, file) in enumerate(zip(g["responses"], g["pictures"].values())):
            still = Image.open(pages / "_extra" / file).resize((270, 270), Image.Resampling.BICUBIC)
            place = (260 + 310 * k, 40 + 310 * row)
            sheet.paste(still, place)
            words = f"{response['label']}: {response['predicted']:.1f}"
            pen.text((place[0], place[1] - 34), words, fill=0, font=font)
    sheet.save(made(pages / "_extra" / "neurons" / "preview.png"), optimize=True)


def two_examples(shown: list[dict]) -> list[dict]:
    """Return the neurons that open the book: one for which a Gabor is enough, and one for which it is not.

    Among those with pictures: of those with the best verdict that any two have, the gain nearest to 1; and of
    those whose gain the run establishes, by verdict and then gain, the first. If there is none, the largest
    gain of the former.
    """
    known = [g for g in shown if g["pictures"] and g["gain"]]
    if len(known) < 2:
        return known
    alike = ([g for g in known if g["verdict"] == word] for word in SIGNS)
    best = next((some for some in alike if len(some) > 1), known)
    enough = min(best, key=lambda g: abs(np.log(g["gain"])))
    others = [g for g in known if g is not enough]
    told = [g for g in others if g["answer"] == "yes" and g["verdict"] != VERDICTS[-1]]
    more = told or [g for g in best if g is not enough]
    order = {word: -k for k, word in enumerate(SIGNS)}
    return [max(more, key=lambda g: (order.get(g["verdict"], -len(order)), g["gain"])), enough]


def axis_of(shown: list[dict]) -> dict:
    """Return the logarithmic axis of the gains: `ticks` with their places, and places of each neuron's.

    The axis holds all predicted gains and the limits of their intervals; a true gain beyond it is put at
    its end. Places are percentages of its length.
    """
    values = [v for g in shown for v in (g["gain"], g["low"], g["high"]) if v and v > 0]
    low, high = min([0.9, *values]) / 1.03, max([1.5, *values]) * 1.05

    def place(value):
        return round(100 * float(np.clip(np.log(value / low) / np.log(high / low), 0, 1)), 2)

    steps = [0.25, 0.5, 0.7, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50]
    rows = [
        g
        | {
            "at": place(g["gain"]),
            "from": place(g["low"]) if g["low"] and g["low"] > 0 else 0 if g["low"] is not None else None,
            "to": place(g["high"]) if g["high"] and g["high"] > 0 else None,
            "true_at": place(g["true_gain"]) if g["true_gain"] and g["true_gain"] > 0 else None,
            "beyond": bool(g["true_gain"] and not low <= g["true_gain"] <= high),
        }
        for g in sorted(shown, key=lambda g: -(g["gain"] or 0))
        if g["gain"] and g["gain"] > 0
    ]
    return {"ticks": [(f"{s:g}", place(s)) for s in steps if low < s < high], "rows": rows, "one": place(1)}
