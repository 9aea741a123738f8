"""How probable is it that a most exciting input is right? Measured on simulated neurons.

A file of `bench_verdict.py --store` holds a small model of that probability and what it was worth on
neurons of kinds and recordings on which nothing was chosen. No page uses it yet: it promises too much of
neurons that are as reliable as recorded ones (see CHANGELOG.md).

*Right* means that the true neuron's response to the MEI rises above that to grey by at least `GOAL` of
the rise that the best image of the same mean, contrast and finest detail draws.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta, rankdata

from lib.files import ROOT

GOAL, ROUGHLY = 0.85, 0.7
STORED = ROOT / "build" / "calibration.json"
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Figure:
    """How one figure of evidence enters the probability.

    Attributes
    ----------
    low, high : float
        It counts inside these bounds only; `worst` of them stands for a figure that is missing.
    log : bool
        Its logarithm counts.
    centre, scale, weight : float
        Of the (logarithm of the) figure: it adds ``weight * (figure - centre) / scale``.
    """

    low: float
    high: float
    log: bool = False
    centre: float = 0.0
    scale: float = 1.0
    weight: float = 0.0

    def values(self, figures):
        """Figures (n,) as they enter, before centring; NaN takes the worse bound."""
        bounded = np.clip(np.asarray(figures, float), self.low, self.high)
        worst = self.low if self.weight >= 0 else self.high
        bounded = np.where(np.isnan(bounded), worst, bounded)
        return np.log(bounded) if self.log else bounded


@dataclass(frozen=True)
class Calibration:
    """A model of the probability that an MEI is right, and what it was worth.

    Attributes
    ----------
    intercept : float
    figures : dict of str to Figure
    words : list of (str, float)
        Words of the verdict with the least probability of each, best first.
    held_out : DataFrame
        Neurons on which nothing was chosen: kind, probability, share (of the rise that the best image
        draws; NaN for a neuron that no image moves, whose MEI is never right).
    chosen_on : int
        Neurons on which the rest was chosen.
    """

    intercept: float
    figures: dict
    words: list
    held_out: pd.DataFrame
    chosen_on: int

    def probability(self, figures):
        """Probability that an MEI with these figures is right.

        Parameters
        ----------
        figures : dict or DataFrame
            One value, or one a row, under the names of `figures`; None or NaN where not measured.

        Returns
        -------
        float or (n,) array
        """
        total = self.intercept
        for name, figure in self.figures.items():
            measured = np.atleast_1d(np.asarray(figures[name], float))
            total = total + figure.weight * (figure.values(measured) - figure.centre) / figure.scale
        probability = expit(total)
        return probability if isinstance(figures, pd.DataFrame) else float(probability[0])

    def word(self, probability):
        """Return the word of the verdict for a probability."""
        return next(word for word, least in self.words if probability >= least)

    def measured(self, word):
        """How often MEIs with a word were right among the neurons held out.

        Returns
        -------
        dict
            Of `share_right`, and `roughly_right`, how many reach `ROUGHLY`.
        """
        neurons = self.held_out[self.held_out.probability.map(self.word) == word]
        return share_right(neurons) | {"roughly_right": share_right(neurons, goal=ROUGHLY)["right"]}

    def judge(self, figures):
        """The verdict of one MEI: `word`, `probability`, and `measured` of the word.

        Parameters
        ----------
        figures : dict
            Of `lib.mei.verdict.evidence`, or of what `figures` names.
        """
        probability = self.probability(figures)
        word = self.word(probability)
        return {"word": word, "probability": probability, **self.measured(word)}

    def save(self, path=STORED):
        """Write what `load` reads."""
        content = {
            "goal": GOAL,
            "intercept": self.intercept,
            "figures": {name: vars(figure) for name, figure in self.figures.items()},
            "words": [list(pair) for pair in self.words],
            "chosen_on": self.chosen_on,
        }
        rows = [
            [row.kind, round(row.probability, 4), None if np.isnan(row.share) else round(row.share, 3)]
            for row in self.held_out.itertuples()
        ]
        text = json.dumps(content, indent=1)[:-2] + ',\n "held_out": [\n'
        text += ",\n".join("  " + json.dumps(row) for row in rows) + "\n ]\n}\n"
        Path(path).write_text(text, encoding="utf-8")


def load(path=STORED):
    """Read a stored `Calibration`."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content["goal"] != GOAL:
        raise ValueError(f"{path} was made for a goal of {content['goal']:g}, not {GOAL:g}: make it again")
    held_out = pd.DataFrame(content["held_out"], columns=["kind", "probability", "share"])
    return Calibration(
        content["intercept"],
        {name: Figure(**values) for name, values in content["figures"].items()},
        [tuple(pair) for pair in content["words"]],
        held_out.astype({"share": float}),
        content["chosen_on"],
    )


def beside(judged, recorded):
    """Figures of evidence beside those of `lib.mei.verdict.evidence`.

    Parameters
    ----------
    judged : Series or DataFrame
        A row, or one a unit, of `lib.mei.verdict.transfer`.
    recorded : (images,) or (images, units) array
        Mean counts.

    Returns
    -------
    dict
        response_over_largest: predicted response to the MEI over the largest recorded mean response;
        rise_over_spread: its predicted rise above grey over the standard deviation of the recorded
        ones; transfer_off: how far `transfer` is from 1, on a logarithmic scale.
    """
    recorded = np.asarray(recorded, float)
    rise = judged["response"] - judged["grey_response"]
    return {
        "response_over_largest": judged["response"] / recorded.max(0),
        "rise_over_spread": rise / np.maximum(recorded.std(0), 1e-6),
        "transfer_off": transfer_off(judged["transfer"]),
    }


def transfer_off(transfer):
    """Return how far a transfer is from 1: the absolute value of its logarithm, 0.2 to 5."""
    return np.abs(np.log(np.clip(transfer, 0.2, 5)))


def share_right(neurons, *, goal=GOAL):
    """How many of some neurons' MEIs are right.

    Parameters
    ----------
    neurons : DataFrame
        With `share`; NaN is not right.

    Returns
    -------
    dict
        n, right, part and its 95 % interval low, high (Clopper and Pearson's); part NaN for no neuron.
    """
    n, right = len(neurons), int((neurons.share >= goal).sum())
    return {
        "n": n,
        "right": right,
        "part": right / n if n else np.nan,
        "low": float(beta.ppf(0.025, right, n - right + 1)) if right else 0.0,
        "high": float(beta.ppf(0.975, right + 1, n - right)) if right < n else 1.0,
    }


def reliability(neurons, *, edges=EDGES, goal=GOAL):
    """Predicted and measured share of right MEIs: what a reliability diagram draws.

    Parameters
    ----------
    neurons : DataFrame
        With `probability` and `share`.
    edges : sequence of float
        Of the bins of probability.

    Returns
    -------
    DataFrame, one row a bin that holds neurons
        from, to, predicted (mean probability), and the columns of `share_right`.
    """
    rows = []
    inside = np.clip(np.digitize(neurons.probability, edges) - 1, 0, len(edges) - 2)
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        here = neurons[inside == k]
        if len(here):
            rows.append(
                {
                    "from": low,
                    "to": high,
                    "predicted": here.probability.mean(),
                    **share_right(here, goal=goal),
                }
            )
    return pd.DataFrame(rows)


def by_word(calibration, *, neurons=None):
    """What each word of the verdict was worth on neurons held out (or on others that are given).

    Returns
    -------
    DataFrame, index word, best first
        least (probability), and what `Calibration.measured` returns.
    """
    if neurons is not None:
        calibration = replace(calibration, held_out=neurons)
    rows = [{"least": least, **calibration.measured(word)} for word, least in calibration.words]
    return pd.DataFrame(rows, index=pd.Index([word for word, _ in calibration.words], name="word"))


def by_kind(calibration):
    """The neurons held out, kind by kind: on which the verdict can be trusted, and on which it cannot.

    Returns
    -------
    DataFrame, index kind
        n, right (MEIs that reach `GOAL`), probability (mean), best (how many have the best word in use)
        and best_right (how many of those are right).
    """
    held = calibration.held_out
    right, best = held.share >= GOAL, held.probability >= calibration.words[0][1]
    table = held.assign(right=right, best=best, best_right=right & best).groupby("kind")
    return table.agg(
        n=("right", "size"),
        right=("right", "sum"),
        probability=("probability", "mean"),
        best=("best", "sum"),
        best_right=("best_right", "sum"),
    )


def area_under_curve(figure, right):
    """Probability that a right MEI has the larger figure than a wrong one; ties count a half."""
    right = np.asarray(right, bool)
    ranks = rankdata(np.asarray(figure, float))
    n, m = right.sum(), (~right).sum()
    return float((ranks[right].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def sentence(judged, calibration):
    """Say the verdict of `Calibration.judge` and how often it was right where the truth is known."""
    held = calibration.held_out
    said = (
        f"Of {judged['n']} MEIs with this verdict {judged['right']} ({100 * judged['part']:.0f} %; 95 % "
        f"interval {100 * judged['low']:.0f} to {100 * judged['high']:.0f} %) evoke at least "
        f"{100 * GOAL:.0f} % of the rise above grey that the best image of the same mean, contrast and "
        f"finest detail draws from the true neuron, and {judged['roughly_right']} at least "
        f"{100 * ROUGHLY:.0f} %"
        if judged["n"]
        else "How often this verdict is right is not known: no MEI of those measured had it"
    )
    return (
        f"**Verdict: {judged['word']}** (probability {judged['probability']:.2f}). {said}. Measured on "
        f"{len(held)} simulated neurons of {held.kind.nunique()} kinds, held out when the rule was chosen; a "
        "recorded neuron may be of another kind."
    )
