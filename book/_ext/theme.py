"""The theme's files without what no page uses: a page from a file shows its words that much earlier."""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FONTS = "_static/vendor/fontawesome/webfonts"
RULE = re.compile(r"((?:/\*.*?\*/\s*)*)([^{};]*)(\{[^{}]*\})", re.DOTALL)  # comments, selectors, what is set
NOT_NEEDED = re.compile(r":not\([^)]*\)|\[[^\]]*\]")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
ICON = re.compile(r'"\\([0-9a-f]{4})|"([\ue000-\uf8ff])')  # as a number, or as it is


def slim(site):
    """Leave out of a site's theme what no page uses: rules of style sheets, icons.

    A class counts as used if a page or a script holds its name as a word. The script of icons (1.5 MB) is
    emptied: the style sheet draws them from a font, of which the icons that are used are kept.
    """
    (site / "_static" / "scripts" / "fontawesome.js").write_text("")
    for file in site.rglob("*.map"):  # for those who develop the theme
        file.unlink()
    files = [file for kind in ("*.html", "*.js") for file in site.rglob(kind)]
    words = set().union(*(re.findall(r"[\w-]+", file.read_text(encoding="utf-8")) for file in files))
    icons = set()
    for file in (site / "_static").rglob("*.css"):
        style = used_rules(file.read_text(encoding="utf-8"), words)
        icons |= icons_of(style)
        # of two forms of each font the second is kept, which can be written without another package
        file.write_text(re.sub(r'url\([^)]*\.woff2\) format\("woff2"\),', "", style), encoding="utf-8")
    for file in (site / FONTS).glob("*"):
        if file.suffix == ".woff2":
            file.unlink()
        else:
            keep_glyphs(file, icons)


def used_rules(style, words):
    """Return a style sheet without the rules whose selectors all name a class that is not in `words`."""

    def kept(rule):
        selectors = NOT_NEEDED.sub("", rule[2]).split(",")
        return rule[0] if any(words.issuperset(CLASS.findall(one)) for one in selectors) else rule[1]

    return RULE.sub(kept, style)


def icons_of(style):
    """Return the code points of the icons that a style sheet draws."""
    return {int(code, 16) if code else ord(letter) for code, letter in ICON.findall(style)}


def keep_glyphs(file: Path, codes):
    """Write a font (.ttf) again with the glyphs of some code points only."""
    font = TTFont(file, recalcTimestamp=False)
    subsetter = subset.Subsetter(subset.Options(notdef_outline=True))
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    font.save(file)
