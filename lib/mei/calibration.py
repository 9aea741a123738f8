"""How probable is it that a most exciting input is right? Measured on simulated neurons.

`calibration.json`, beside this module, is what `benchmarks/bench_verdict.py --store` found: a small model of
that probability, the least probability of each word of the verdict, and every neuron on which nothing of
this was chosen. It holds two of them: one for MEIs of which all figures are measured, and one for those of
models that are not fitted to the halves of the images, such as somebody's own.

*Right* means that the true neuron's response to the MEI rises above that to grey by at least `GOAL` of the
rise to the best image of the same mean, contrast and finest detail.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta

GOAL, ROUGHLY = 0.85, 0.7
VERDICTS = ("well supported", "uncertain", "not supported")  # best first
STORED = Path(__file__).with_suffix(".json")
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the bins of a reliability diagram
ALL, FEW = "with half models", "without half models"  # what is stored
COLUMNS = ["kind", "seed", "cc_max", "probability", "share"]  # of the neurons held out


@dataclass(frozen=True)
class Figure:
    """How one figure of evidence enters the probability.

    Attributes
    ----------
    low, high : float
        It counts inside these bounds only; the worse of them stands for a figure that is missing.
    log : bool
        Its logarithm counts.
    centre, scale, weight : float
        Of the (logarithm of the) figure: it adds ``weight * (figure - centre) / scale`` to the log odds.
    """

    low: float
    high: float
    log: bool = False
    centre: float = 0.0
    scale: float = 1.0
    weight: float = 0.0

    def standardised(self, figures: np.ndarray) -> np.ndarray:
        """Figures (n,) as they are weighed; NaN takes the worse bound."""
        bounded = np.clip(np.asarray(figures, float), self.low, self.high)
        bounded = np.where(np.isnan(bounded), self.low if self.weight >= 0 else self.high, bounded)
        return ((np.log(bounded) if self.log else bounded) - self.centre) / self.scale

    @property
    def typical(self) -> float:
        """The figure that neither adds to the probability nor takes from it."""
        return float(np.exp(self.centre)) if self.log else self.centre


@dataclass(frozen=True)
class Calibration:
    """A model of the probability that an MEI is right, and what it was worth.

    Attributes
    ----------
    intercept : float
    figures : dict of str to Figure
    covariance : (1 + figures, 1 + figures) array
        Of intercept and weights, over kinds of neurons drawn anew.
    words : dict of str to float
        Least probability of each of `VERDICTS`.
    held_out : DataFrame
        Neurons on which nothing was chosen, with `COLUMNS`: share is NaN for a neuron that no image moves,
        whose MEI is never right.
    about : dict
        What the rest was chosen on and the neurons held out are: kinds, seeds, range of CCmax, number.
    """

    intercept: float
    figures: dict
    covariance: np.ndarray
    words: dict
    held_out: pd.DataFrame
    about: dict

    def judge(self, figures: pd.DataFrame, *, more: float = 0.0) -> pd.DataFrame:
        """Probability that MEIs with these figures are right: one a row, NaN where not measured.

        `more` is the log odds of other evidence, such as `lib.mei.recorded.log_ratio`.

        Returns
        -------
        DataFrame, the same rows
            verdict, verdict_probability, verdict_probability_low and _high (95 %: how far other kinds of
            neurons would have moved the weights), and under the name of each figure what it adds to
            the log odds of an MEI whose figures are all `Figure.typical`.
        """
        x = np.stack([f.standardised(figures[name]) for name, f in self.figures.items()], 1)
        added = x * [f.weight for f in self.figures.values()]
        odds = self.intercept + added.sum(1) + more
        x = np.column_stack([np.ones(len(x)), x])
        off = 1.96 * np.sqrt(np.einsum("ni,ij,nj->n", x, self.covariance, x))
        head = {
            "verdict": [self.word(p) for p in expit(odds)],
            "verdict_probability": expit(odds),
            "verdict_probability_low": expit(odds - off),
            "verdict_probability_high": expit(odds + off),
        }
        return pd.DataFrame(head | dict(zip(self.figures, added.T)), index=figures.index)

    def word(self, probability: float) -> str:
        """Return the word of the verdict for a probability."""
        return next(word for word in VERDICTS if probability >= self.words[word])

    def content(self) -> dict:
        """Return what `save` writes of it, but for the neurons held out."""
        return {
            "about": self.about,
            "intercept": self.intercept,
            "figures": {name: vars(figure) for name, figure in self.figures.items()},
            "covariance": np.round(self.covariance, 5).tolist(),
            "words": self.words,
        }


def save(calibrations: dict[str, Calibration], path: Path = STORED) -> None:
    """Write what `load` reads: calibrations of the names `ALL` and `FEW`."""
    parts = []
    for name, one in calibrations.items():
        rows = one.held_out[COLUMNS].round({"cc_max": 3, "probability": 4, "share": 5})
        rows = [[None if v != v else v for v in row] for row in rows.astype(object).to_numpy().tolist()]
        text = json.dumps(one.content(), indent=1)[:-2] + ',\n "held_out": [\n'
        text += ",\n".join("  " + json.dumps(row) for row in rows) + "\n ]\n}"
        parts.append(f'"{name}": {text}')
    text = ",\n".join([f'{{\n"goal": {GOAL}', *parts]) + "\n}\n"
    Path(path).write_text(text, encoding="utf-8")


@cache
def load(name: str = ALL, path: Path = STORED) -> Calibration:
    """Read a stored `Calibration`; `ValueError` if it was made for another `GOAL` than that of the code."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content["goal"] != GOAL:
        raise ValueError(f"{path} was made for a goal of {content['goal']:g}, not {GOAL:g}: make it again")
    content = content[name]
    held_out = pd.DataFrame(content["held_out"], columns=COLUMNS).astype({"share": float, "cc_max": float})
    figures = {name: Figure(**values) for name, values in content["figures"].items()}
    covariance, intercept = np.array(content["covariance"]), content["intercept"]
    return Calibration(intercept, figures, covariance, content["words"], held_out, content["about"])


def measured(figures: dict) -> str:
    """Return the name of the stored calibration that an MEI with these figures is judged by."""
    return ALL if all(np.isfinite(figures.get(name, np.nan)) for name in load(ALL).figures) else FEW


def of_units(units: pd.DataFrame) -> Calibration:
    """Return the calibration by which most MEIs of units.csv are judged; that of all figures for none."""
    names = units.verdict_calibration.dropna()
    return load(names.mode().iloc[0] if len(names) else ALL)


# ---- what it is worth ---------------------------------------------------------------------------


def share_right(neurons: pd.DataFrame, *, goal: float = GOAL) -> dict:
    """How many of some neurons' MEIs are right: those whose `share` reaches the goal; NaN does not.

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


def reliability(neurons: pd.DataFrame) -> pd.DataFrame:
    """Predicted and measured share of right MEIs, of neurons with `probability` and `share`.

    Returns
    -------
    DataFrame, one row a bin (`EDGES`) that holds neurons
        from, to, predicted (mean probability), and what `share_right` returns.
    """
    inside = np.clip(np.digitize(neurons.probability, EDGES) - 1, 0, len(EDGES) - 2)
    bins = ((neurons[inside == k], ends) for k, ends in enumerate(itertools.pairwise(EDGES)))
    return pd.DataFrame(
        {"from": low, "to": high, "predicted": here.probability.mean(), **share_right(here)}
        for here, (low, high) in bins
        if len(here)
    )


def by_word(calibration: Calibration) -> pd.DataFrame:
    """What each word of the verdict was worth on the neurons held out: a row a word, best first.

    least (probability), what `share_right` returns, and roughly_right, how many reach `ROUGHLY`.
    """
    held = calibration.held_out
    table = _by_word(held.assign(verdict=held.probability.map(calibration.word)))
    table.insert(0, "least", table.index.map(calibration.words))
    return table


def of_run(units: pd.DataFrame) -> pd.DataFrame:
    """What each word is worth among the MEIs of units.csv, as `by_word` without least.

    Where mei_share is not known, as of recorded neurons, nothing but n is.
    """
    units = units[units.verdict.notna()].rename(columns={"mei_share": "share"})
    table = _by_word(units)
    if units.optimum_true_response.isna().all():
        table[table.columns.drop("n")] = np.nan
    return table


def _by_word(neurons):
    rows = {}
    for word in VERDICTS:
        own = neurons[neurons.verdict == word]
        rows[word] = share_right(own) | {"roughly_right": share_right(own, goal=ROUGHLY)["right"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("word")


def by_kind(calibration: Calibration) -> pd.DataFrame:
    """The neurons held out, a row a kind: on which the verdict can be trusted, and on which it cannot.

    n, right (MEIs that reach `GOAL`), probability (mean), best (how many have the best word) and best_right
    (how many of those are right).
    """
    held = calibration.held_out
    right, best = held.share >= GOAL, held.probability >= calibration.words[VERDICTS[0]]
    table = held.assign(n=1, right=right, best=best, best_right=right & best).groupby("kind")
    return table.agg(dict(n="sum", right="sum", probability="mean", best="sum", best_right="sum"))
