"""Pictures of notebooks and pages at a third of their size."""

import base64
import io
import json
import re

SVG = "image/svg+xml"
UNUSED = r' id="(?!axes_|patch_|C\d)[A-Za-z][A-Za-z0-9.]*_\d+"'  # names of parts to which nothing refers
ALONE = r"<g>\n(<(?:text|use)[^\n]*)\n</g>\n"  # groups of one


def lighten(path):
    """Store the pictures of a notebook smaller: to the eye the same."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            png = base64.b64decode("".join(output["data"]["image/png"]))
            output["data"]["image/png"] = base64.b64encode(with_palette(png)).decode()
        if SVG in output.get("data", {}):
            output["data"][SVG] = lighter("".join(output["data"][SVG]))
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


def lighter(svg):
    """Return matplotlib's SVG with each style once, as a class, and coordinates to a hundredth of a point.

    Every rule of a class stands in a line of its own, which `book._ext.pictures` reads.
    """
    svg = re.sub(
        r"<!--.*?-->|<metadata>.*?</metadata>| transform=\"rotate\(-?0 [^)]*\)\"", "", svg, flags=re.S
    )
    svg = re.sub(r'data:image/png;base64,([^"]+)', lambda found: _lighter_image(found[1]), svg)
    svg = re.sub(
        r"(\d\.\d\d)\d+", r"\1", re.sub(r"'DejaVu Sans'[^;\"]*", "'DejaVu Sans', Verdana, sans-serif", svg)
    )
    styles = dict.fromkeys(re.findall(r' style="([^"]*)"', svg))
    names = {style: f"s{n}" for n, style in enumerate(styles)}
    svg = re.sub(r' style="([^"]*)"', lambda found: f' class="{names[found[1]]}"', svg)
    rules = "".join(f".{name} {{{style}}}\n" for style, name in names.items())
    svg = re.sub(r"\n\s*", "\n", re.sub(UNUSED, "", svg))
    for _ in range(2):
        svg = re.sub(ALONE, r"\1\n", svg)
    return re.sub(r"(<svg [^>]*>)", lambda tag: f"{tag[1]}<style>\n{rules}</style>", svg, count=1)


def _lighter_image(text):
    """Return an image (base64) as an address: with a palette or as WebP; as it is if transparent."""
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(text)))
    if image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        return f"data:image/png;base64,{text}"
    small, kind = with_palette(base64.b64decode(text)), "png"
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "webp", quality=90)
    if len(stream.getvalue()) < len(small):
        small, kind = stream.getvalue(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(small).decode()}"
