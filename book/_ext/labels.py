"""Labels of figures, equations and targets: unique in the book, and no reference to one that is missing."""

import re

from book._ext.notebook_files import change_text, is_image

REFERENCE = re.compile(
    r"\{(?:numref|ref|eq)\}`(?:[^`<]*<)?(?P<role>[^`<>]+)>?`"
    r"|\[(?P<text>[^\]]*)\]\(#(?P<link>[^)]+)\)"
)


def declared_labels(cells):
    """Return the labels that cells would define if all of them worked."""
    return made_labels([{**cell, "outputs": [{"data": {"image/png": ""}}]} for cell in cells])


def made_labels(cells):
    """Return the labels that cells do define: of figures that were drawn, targets and equations."""
    labels = set()
    for cell in cells:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure and any(map(is_image, cell.get("outputs", []))):
            labels.add(figure["name"])
        if cell["cell_type"] == "markdown":
            labels |= text_labels(cell["source"])
    return labels


def text_labels(text):
    """Return the labels that Markdown defines: `(label)=`, `$$ (label)` and `:name: label`."""
    found = re.findall(
        r"^\(([\w:-]+)\)=|^\s*(?:\$\$.*)?\$\$ \(([\w:-]+)\)|^:(?:name|label): (\S+)", text, re.MULTILINE
    )
    return {label for groups in found for label in groups if label}


def rename_labels(cell, labels, unit):
    """Return a cell in which every label, and every reference to one, ends in the unit's id."""
    if not labels:
        return cell
    names = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    return change_text(cell, lambda text: re.sub(rf"(?<![\w-])({names})(?![\w-])", rf"\1-{unit}", text))


def drop_dead_references(cell, dead):
    """Return a cell in which references to labels that were not made have become words."""

    def words(match):
        if (match["role"] or match["link"]) not in dead:
            return match[0]
        return match["text"] or "(not made)"

    return change_text(cell, lambda text: REFERENCE.sub(words, text)) if dead else cell
