"""Sentences of the pages that the site itself writes: the abstract, the claims."""

import numpy as np

from lib.words import counted, listed

RESTS_ON = ("correlation_to_average", "permutation_p", "map_p", "map_x", "map_y", "mei_x", "mei_y")
CLEAR = 1.1  # predicted gain from which it counts as clear, where the run has no test of each neuron


def more_than_gabor(shown):
    """Return the neurons whose MEI is more than a Gabor, and all that have a gain."""
    told = [g for g in shown if g["gain"]]
    if any(g["answer"] for g in told):
        return [g for g in told if g["answer"] == "yes"], told
    return [g for g in told if g["gain"] >= CLEAR], told


def gabor_sentence(shown):
    """Say for how many neurons the MEI is more than the best Gabor, and by how much."""
    more, told = more_than_gabor(shown)
    if not told:
        return "No neuron has both an MEI and a best Gabor."
    rest = [g for g in told if g not in more]
    tested = any(g["answer"] for g in told)
    clear = "more" if tested else "clearly more"
    if not more:
        return (
            f"In none of {counted(len(told), 'neuron')} is the MEI predicted to evoke {clear} than the best "
            f"Gabor at equal contrast (median gain {_percent(rest)})."
        )
    text = (
        f"In {len(more)} of {counted(len(told), 'neuron')}, the MEI is predicted to evoke {clear} than the "
        f"best Gabor at equal contrast (gain {_span(more)})"
    )
    if not rest:
        return text + "."
    if tested:
        unclear = sum(g["answer"] == "cannot be told" for g in rest)
        no = len(rest) - unclear
        parts = [f"in {no} a Gabor does as well"] * bool(no)
        parts += [f"{unclear} {'is' if unclear == 1 else 'are'} undecided"] * bool(unclear)
        return text + f"; {listed(parts)} (gain {_span(rest)})."
    return text + f"; in the other {len(rest)}, a Gabor does about as well (gain {_span(rest)})."


def _percent(shown):
    return f"{100 * (np.median([g['gain'] for g in shown]) - 1):+.0f} %"


def _span(shown):
    low, high = (100 * (end(g["gain"] for g in shown) - 1) for end in (min, max))
    return f"{low:+.0f} %" if round(low) == round(high) else f"{low:+.0f} to {high:+.0f} %"


def verdict_sentence(shown):
    """Say how many MEIs have each verdict."""
    counts = {}
    for g in shown:
        counts[g["verdict"]] = counts.get(g["verdict"], 0) + 1
    (first, most), *others = sorted(counts.items(), key=lambda pair: -pair[1]) or [("", 0)]
    rated = [f"{counted(most, 'MEI')} as {first}", *(f"{n} as {word}" for word, n in others)]
    return f"The evidence rates {listed(rated)}." if counts else "No neuron has an MEI."


def abstract(shown, *, units, simulated):
    """Return what the run asked, did and found, in about 80 words."""
    neurons = "simulated neurons shown generated images" if simulated else "recorded neurons"
    text = (
        f"Of {units} {neurons}, {len(shown)} respond reliably enough to be modelled. For each, the *most "
        "exciting input* (MEI) was searched for in models of its responses and compared with the best "
        f"Gabor patch. {gabor_sentence(shown)} {verdict_sentence(shown)}"
    )
    shares = [g["of_optimum"] for g in shown if g["of_optimum"]]
    if simulated and shares:
        text += (
            f" In truth, the MEIs evoke {100 * np.median(shares):.0f} % of the response to the best "
            f"possible image (median; lowest {100 * min(shares):.0f} %)."
        )
    return text


def strength(share):
    """Return the word for a share of neurons that bear a claim out."""
    return "strong" if share >= 0.9 else "moderate" if share >= 0.6 else "weak" if share > 0 else "none"


def claims(table, shown, *, simulated, sure, goal=0.85):
    """Return the conclusions: at most five claims, each with what it rests on.

    Parameters
    ----------
    table : DataFrame
        units.csv, index unit_id.
    shown : list of dict
        Of `book._ext.neurons.glances`.
    simulated : bool
    sure : list of str
        Sentences of population.json.
    goal : float
        Share of the response to the true optimum that counts as reached.

    Returns
    -------
    list of dict
        title, text, strength, basis (what the word rests on), values ({unit: value}), axis (name, low, high,
        mark), units (ids of the neurons that bear the claim out).
    """
    table = table.reindex(columns=[*dict.fromkeys([*table.columns, *RESTS_ON])])
    made = [
        _predicted(table),
        _gabor(shown),
        _truth(shown, goal) if simulated else None,
        _place(table, sure),
        _verdicts(shown),
    ]
    return [claim for claim in made if claim]


def _predicted(table):
    known = table.dropna(subset=["correlation_to_average"])
    if known.empty:
        return None
    p = known.permutation_p * len(known)
    above = known.index[p < 0.05]
    return {
        "title": "Models predict responses to images that they were not trained on",
        "text": f"In {len(above)} of {counted(len(known), 'neuron')} whose responses could be scored, the "
        "prediction is better than chance (images permuted, Bonferroni's correction). The median "
        f"correlation with the mean response is {known.correlation_to_average.median():.2f}.",
        "strength": strength(len(above) / len(known)),
        "basis": f"{len(above)} of {len(known)} neurons above chance",
        "values": known.correlation_to_average.to_dict(),
        "axis": ("correlation with the mean response to unseen images", -0.5, 1.0, 0.0),
        "units": [g for g in above if known.selected[g]],
        "of": "selected neurons above chance",
    }


def _gabor(shown):
    more, told = more_than_gabor(shown)
    if not told:
        return None
    share = max(len(more), len(told) - len(more)) / len(told)
    unclear = sum(g["answer"] == "cannot be told" for g in told)
    title = (
        "No neuron needs more than a Gabor"
        if not more and not unclear
        else "For no neuron is the best image shown to be more than a Gabor"
        if not more
        else "Every neuron prefers its MEI to any Gabor"
        if len(more) == len(told)
        else "For some neurons the best image is more than a Gabor; for most a Gabor is enough"
        if len(more) < len(told) / 2 and not unclear
        else "The best image is more than a Gabor for some neurons, and the rest do not show it"
    )
    return {
        "title": title,
        "text": gabor_sentence(shown),
        "strength": strength(share) if not unclear else "moderate" if unclear < len(told) / 2 else "weak",
        "basis": f"{len(more)} of {len(told)} neurons"
        + (f", {unclear} undecided" if unclear else ", predicted by models that made neither stimulus"),
        "values": {g["unit"]: min(g["gain"], 3) for g in told},
        "axis": ("predicted response to the MEI over that to the best Gabor", 0.8, 3.0, 1.0),
        "units": [g["unit"] for g in sorted(more, key=lambda g: -g["gain"])],
        "of": "neurons whose MEI is more than a Gabor",
    }


def _truth(shown, goal):
    known = [g for g in shown if g["of_optimum"]]
    if not known:
        return None
    reached = [g for g in known if g["of_optimum"] >= goal]
    short = [g for g in known if g["of_optimum"] < goal]
    kinds = sorted({g["kind"] for g in short if g["kind"]})
    return {
        "title": "Most MEIs nearly reach the neuron's true optimum"
        if len(reached) > len(short)
        else "Few MEIs reach the neuron's true optimum",
        "text": f"The true response to the masked MEI is at least {100 * goal:.0f} % of that to the best "
        f"possible image in {len(reached)} of {counted(len(known), 'simulated neuron')}"
        + (f"; those that fall short are of the kind *{listed(kinds)}*." if kinds else "."),
        "strength": strength(len(reached) / len(known)),
        "basis": f"{len(reached)} of {len(known)} simulated neurons; thresholds of the analysis were chosen "
        "on neurons of these kinds",
        "values": {g["unit"]: g["of_optimum"] for g in known},
        "axis": ("true response to the MEI over that to the optimum", 0.0, 1.1, goal),
        "units": [g["unit"] for g in reached],
        "of": "neurons whose MEI reaches the goal",
    }


def _place(table, sure):
    known = table[(table.map_p < 0.05) & table.mei_x.notna() & table.map_x.notna()]
    said = [text for text in sure if "recorded Gabors" in text or "receptive field" in text]
    if known.empty or not said:
        return None
    away = np.hypot(known.mei_x - known.map_x, known.mei_y - known.map_y)
    near = "MEIs lie where" in said[0]
    return {
        "title": "MEIs lie where recorded Gabors place the receptive field"
        if near
        else "The place of the MEIs is not confirmed by recorded Gabors",
        "text": said[0],
        "strength": strength((away < 10).mean()) if near else "none",
        "basis": f"{int((away < 10).sum())} of {len(known)} neurons with a significant map within 10 degrees",
        "values": away.to_dict(),
        "axis": (
            "distance between MEI and recorded field (degrees)",
            0.0,
            max(20.0, float(away.max()) * 1.05),
            10.0,
        ),
        "units": away.index[away < 10].tolist(),
        "of": "neurons within 10 degrees",
    }


def _verdicts(shown):
    known = [g for g in shown if g["verdict"] != "no result"]
    if not known:
        return None
    best = [g for g in known if g["sign"] == "✓"]
    return {
        "title": f"{len(best)} of {len(known)} MEIs can be relied on by the evidence of the run",
        "text": verdict_sentence(known) + " Each neuron's page lists the checks behind its word.",
        "strength": strength(len(best) / len(known)),
        "basis": f"{len(best)} of {len(known)} with the best verdict",
        "values": {g["unit"]: g["cc_norm"] for g in known if g["cc_norm"] is not None},
        "axis": ("CCnorm: share of the explainable correlation that is predicted", 0.0, 1.1, 0.7),
        "units": [g["unit"] for g in best],
        "of": "neurons with the best verdict",
    }
