"""Sentences and tables that several pages share: a test, a value, a list."""

import numpy as np
import pandas as pd


def shown(tests, *, names, label="", unit="", units="neurons"):
    """Rows of `compare` as a page shows them.

    Parameters
    ----------
    tests : DataFrame
    names : dict of str to str
        Words for the rows.
    label : str
        Heading of their column.
    unit : str
        Of the difference, such as "spikes".
    units : str
        What n counts.

    Returns
    -------
    Styler
    """
    unit = f" ({unit})" if unit else ""
    table = pd.DataFrame(
        {
            units: tests.n,
            f"median difference{unit}": tests.median_difference.map("{:+.3g}".format),
            "95 % interval": [f"{low:+.3g} to {high:+.3g}" for low, high in zip(tests.low, tests.high)],
            "median ratio": tests.median_ratio,
            "effect size": tests.effect_size,
            "p (Holm)": tests.p_holm.map("{:.2g}".format),
        }
    )
    return (
        table.replace({"nan": "–", "+nan": "–", "+nan to +nan": "–", "nan to nan": "–"})
        .rename(index=names)
        .rename_axis(columns=label)
        .style.format({"median ratio": "{:.2f}", "effect size": "{:+.2f}"}, na_rep="–")
    )


def sentence(row, first, second, *, alpha=0.05, unit="", ratio=False):
    """Say what one comparison shows; 'no difference' is one of the answers.

    Parameters
    ----------
    row : Series
        A row of `compare`.
    first, second : str
        What was compared, as it stands in the sentence.
    alpha : float
        Of the corrected test.
    unit : str
        Of the values.
    ratio : bool
        Report the median ratio too, where it is defined.
    """
    first = first[0].upper() + first[1:]
    if row.n == 0:
        return f"{first} and {second} could not be compared: no unit has both."
    size = f"median difference {row.median_difference:+.3g}{unit}, "
    if np.isfinite(row.low):
        size += f"95 % interval {row.low:+.3g} to {row.high:+.3g}, "
    size += f"n = {row.n}"
    if ratio and np.isfinite(row.median_ratio):
        size = f"median ratio {row.median_ratio:.2f}, {size}"
    if not np.isfinite(row.p_holm):
        return f"{first} could not be tested against {second}: too few units have both ({size})."
    test = f"Wilcoxon p = {row.p_holm:.2g} after Holm's correction, effect size {row.effect_size:+.2f}"
    if row.p_holm >= alpha:
        return (
            f"No difference between {first[0].lower() + first[1:]} and {second} was found ({size}; {test})."
        )
    direction = "exceeds" if row.effect_size > 0 else "falls below"
    return f"{first} {direction} {second} ({size}; {test})."


def bullets(sentences):
    """Sentences as a Markdown list."""
    return "\n".join(f"- {text}" for text in sentences)


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
