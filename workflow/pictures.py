"""Pictures of notebooks and pages at a third of their size."""

import base64
import io
import json


def lighten(path):
    """Store the pictures of a notebook with a palette: a third of the size, to the eye the same."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            png = base64.b64decode("".join(output["data"]["image/png"]))
            output["data"]["image/png"] = base64.b64encode(with_palette(png)).decode()
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def with_palette(png):
    """Return a PNG with at most 256 colours, chosen so that the largest change of a pixel is small.

    Half as many would draw contours in the even grey of a stimulus.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    reduced = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette, first = reduced.getpalette(), reduced.getpixel((0, 0))
    palette[3 * first : 3 * first + 3] = image.getpixel((0, 0))  # the ground, exactly
    reduced.putpalette(palette)
    stream = io.BytesIO()
    reduced.save(stream, "png", optimize=True)
    return stream.getvalue()
