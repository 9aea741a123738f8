"""What several pages write: a value, a list, a number with its noun."""

import numpy as np


def bullets(sentences):
    """Sentences as a Markdown list."""
    return "\n".join(f"- {text}" for text in sentences)


def warned(text):
    """A warning as a page shows it; nothing where there is none."""
    return f"**Warning.** {text}" if text else ""


def counted(n, noun, plural=None):
    """A number with its noun, such as "1 unit" or "1,200 units"."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(items):
    """Items as a sentence lists them: "a", "a and b", "a, b and c"."""
    items = [str(item) for item in items]
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def conclusions(sections):
    """The conclusions as a page: {heading: sentences}, those without a sentence left out."""
    return "\n\n".join(f"## {title}\n\n{bullets(said)}" for title, said in sections.items() if said) + "\n"


MISSING = "–"


def show(value):
    """Return a value of a table as a reader sees it; what is not there is a dash."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return f"{value:.2f}" if value == 0 or 0.005 <= abs(value) < 1e4 else f"{value:.2g}"
    return str(value)
