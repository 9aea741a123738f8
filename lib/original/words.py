"""What the pages say of the original report, and how they show its tables."""

from typing import NamedTuple

import numpy as np
from IPython.display import Markdown

from lib.original.printed_values import SESSION, STRUCTURE

LACKING = {  # what a section of the audit returns where there is nothing to show
    "spike times": "*This source holds no spike times, so the count window cannot be moved.*",
    "presentations": "*This source holds no stimulus presentations, so there is no raster to bin.*",
    "recorded Gabors": "*This source holds no recorded Gabors.*",
    "significant map": "*No unit has a significant map of recorded Gabors.*",
    "MEI and Gabor": "*No neuron has both an MEI and a Gabor to compare with.*",
    "MEI": "*No neuron has an MEI to measure.*",
}

SERIOUS = {3: "decides a conclusion", 2: "biases a result", 1: "changes little"}


class Defect(NamedTuple):
    """A defect: `title` of its section; `weight`, a key of `SERIOUS`; `quote`; `row` of its table.

    `code` says whether the quotation is code.
    """

    title: str
    weight: int
    quote: str
    row: str
    code: bool = True


DEFECTS = {  # the gravest first; quotations are literal, [...] for what is left out
    "shown": Defect(
        "Its Gabor was never shown to its model",
        3,
        "Our findings reveal similarities between MEIs and Gabor patches, affirming the presence of common "
        "traits in driving neuronal response.",
        "neurons that respond more to this Gabor than to the other",
        code=False,
    ),
    "order": Defect(
        "Images were joined to responses by file order",
        3,
        "self.image_names = [f for f in os.listdir(self.root_dir) if [...]]\nresponse = self.responses[idx]",
        "images with another image's responses",
    ),
    "luck": Defect(
        "The best of many neurons on few validation images",
        3,
        "This corresponds to the model used to predict the responses for the neuron [...] '951097947', which "
        "is associated with the highest recorded accuracy value (59%).",
        "best of 49 units by chance, median",
        code=False,
    ),
    "rounds": Defect(
        "The search shaped the most exciting input",
        3,
        "th = torch.arange(0, h).float()\n"
        "img_tens += alpha*fft_grad\n"
        "sigma = sigma + ((0.001 - sigma)*i)/steps\n"
        "img_tens = scale(img_tens,0,1)",
        "one-fold symmetry of a round optimum",
    ),
    "conditions": Defect(
        "The preferred Gabor came from three single presentations",
        3,
        "top_3_indices = sorted_indices[:3]",
        "right condition chosen",
    ),
    "swapped": Defect(
        "The Gabor was drawn with another phase and orientation",
        3,
        "create_gabor(sz=(60,96), phase=3644.93333333, wavelength=np.pi,\n"
        "             orientation=gabors_okay.loc[i,'orientation'], sigma=5, dy=0, dx=0)",
        "bars drawn for orientation 0",
    ),
    "symmetry": Defect(
        "The symmetry index kept the mean of the image",
        3,
        "numerator = np.abs(np.sum(P_theta * ei2ntheta))\ndenominator = np.sum(P_theta)",
        "white noise",
    ),
    "published": Defect(
        "The Gabor's values follow from its formula",
        2,
        "Masked Contrast MEI: 0.15114456\nMasked Contrast Gabor: 0.13230467",
        "spatial frequency (cycles/deg), here the recorded one",
    ),
    "zeros": Defect(
        "Silent trials were left out",
        2,
        "df_new = df_new.groupby(['stimulus_presentation_id', 'unit_id']).count()",
        "rows missing",
    ),
    "network": Defect(
        "The network",
        2,
        "To ensure the output remains positive, the activation function employed is ELU(x)+1.",
        "negative counts predicted by a linear output",
        code=False,
    ),
    "oracle": Defect(
        "The oracle compared one random trial",
        2,
        "random_trial = random.choice(df[(df['neuron_id'] == neuron_id) & [...]]['trial_id'].unique())",
        "median over units",
    ),
    "window": Defect(
        "Counting began before the response",
        2,
        "visam_spikes = oursession.presentationwise_spike_times(\n"
        "    stimulus_presentation_ids=image_id, unit_ids = visam_ids)",
        "median explainable variance",
    ),
    "stretched": Defect(
        "Images were stretched",
        2,
        "def __init__(self, root_dir, dataframe, transform=None, target_size=(60, 96)):",
        "horizontal stretch",
    ),
    "disk": Defect(
        "All metrics used a disk of fixed size, centred by eye",
        2,
        "we simply look at the changes in pixel intensity along the horizontal axis at the level of the "
        "diameter [...] we extend the radius to 12.",
        "radius of the disk (deg), median over MEIs",
        code=False,
    ),
    "luminance": Defect(
        "The luminance was that of a rescaled image", 1, "lum = lum / (math.pi*(radius**2))", "uniform 0.5"
    ),
    "entropy": Defect(
        "The entropy counted distinct values",
        1,
        "neuron_entropies = data.apply(lambda x: entropy(x.value_counts()), axis=1)",
        "rank correlation with the number of distinct means",
    ),
    "outliers": Defect(
        "Outlier scores entered the variance",
        1,
        "df['anomaly_score'] = iso_forest.decision_function(df.values)\n[...]\n'Variance': df.var(axis=1)",
        "units on the other side of the median variance",
    ),
    "gaps": Defect(
        "The raster had bins where nothing was shown",
        1,
        "bins = np.arange(min_time, max_time, binsize)",
        "bins outside the blocks",
    ),
}


def shown(section):
    """A section of the audit as a page shows it: a table in three digits, or which of `LACKING` it lacks."""
    if isinstance(section, str):
        return Markdown(LACKING[section])
    return section.style.format(_digits, na_rep="–")


def _digits(value):
    return f"{value:.3g}" if isinstance(value, (float, np.floating)) else value


def wrote(name):
    """What the original wrote, and how much hangs on it, for the section of a defect of `DEFECTS`."""
    defect = DEFECTS[name]
    quote = (
        "```python\n" + defect.quote + "\n```"
        if defect.code
        else "\n".join("> " + line for line in defect.quote.splitlines())
    )
    return Markdown(f"The original wrote:\n\n{quote}\n\n*How serious: {SERIOUS[defect.weight]}.*")


def ranking(found):
    """The defects by consequence, each with its effect in the data of a run, as Markdown.

    `found` has the section of each of `DEFECTS`: a table with columns "original" and "here" (or names that
    end in them), or a key of `LACKING`.
    """
    lines = ["| | defect | how serious | effect in this run |", "|---|---|---|---|"]
    for rank, (name, defect) in enumerate(DEFECTS.items(), 1):
        lines.append(
            f"| {rank} | [{defect.title}](#audit-{name}) | {SERIOUS[defect.weight]} | "
            f"{_effect(found[name], defect.row)} |"
        )
    return Markdown("\n".join(lines))


def _effect(section, row):
    if isinstance(section, str):
        return "not measured: " + LACKING[section].strip("*")
    said = []
    for side in ("original", "here"):
        value = next((v for k, v in section.loc[row].items() if k.endswith(side)), None)
        if value is not None and value == value:
            said.append(f"{side} {_digits(value)}")
    return f"{row}: {', '.join(said)}"


def shown_changes(changes):
    """`lib.original.selection.compare` for a page: numbers of units in place of their ids."""
    numbers = {side: changes[side].str.len().astype("Int64") for side in ("gained", "lost")}
    return changes.assign(**numbers).rename(
        columns={
            "choice": "published choice",
            "rank_correlation": "rank correlation",
            "undefined": "units undefined",
            "gained": "selected only without it",
            "lost": "selected only with it",
        }
    )


def agreement(table):
    """Say how many printed values a run reproduces (`printed_values.compare`), and name the first others."""
    others = table[table.verdict != "agrees"]
    if others.empty:
        return f"All {len(table)} published values agree with this run."
    named = [f"{row.quantity} ({row.verdict})" for row in others.head(3).itertuples()]
    more = [f"and {len(others) - 3} more"] if len(others) > 3 else []
    return (
        f"This run agrees with {len(table) - len(others)} of {len(table)} published values; the exceptions "
        f"are {', '.join(named + more)}."
    )


def published_values(session, table):
    """Say whether this run is of the original's session and, if so, how many printed values it reproduces.

    The table is that of `lib.original.printed_values.compare`, None for any other session.
    """
    if table is not None:
        return f"**This is the session of the original report.** {agreement(table)}"
    areas = ", ".join(sorted(set(session.units.structure)))
    return (
        f"*This run analyses session {session.name} (area {areas}). The values printed in the original "
        f"report are of session {SESSION} (area {STRUCTURE}), so they are not compared here.*"
    )
