"""How the verdict of `lib.mei.calibration` is chosen on some simulated neurons, and measured on others.

Figures of evidence enter a logistic regression. Which do, how sure it may be and what each word asks is
decided by neurons of kinds that the regression did not see, all among those set apart for choosing.
"""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from calibration_neurons import CHOSEN_ON
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata

from lib.mei import calibration
from lib.mei.calibration import GOAL, VERDICTS, Calibration, Figure

# Seeds on which the rule is chosen, and the first of those for the report alone; seeds between are looked at
# while choosing.
CHOSEN_SEEDS, LAST_SEED = tuple(range(1, 11)), 33
# Bounds inside which a figure counts, and whether its logarithm does.
BOUNDS = {
    "prediction_low": (-0.2, 1.0, False),
    "cc_norm": (0.0, 1.0, False),
    "correlation_to_average": (-0.2, 1.0, False),
    "feve": (-0.5, 1.0, False),
    "cc_max": (0.0, 1.0, False),
    "transfer_off": (0.0, 1.0, False),
    "rise_over_signal": (0.5, 50.0, True),
    "response_over_largest": (0.2, 5.0, True),
    "rise_over_natural": (0.5, 20.0, True),
    "rise_over_natural_spread": (1.0, 60.0, True),
    "jackknife": (0.01, 2.0, True),
    "half_transfer": (0.0, 1.0, False),
    "heard_by_halves": (0.0, 1.0, False),
    "half_energy_correlation": (0.0, 1.0, False),
    "half_mei_correlation": (0.0, 1.0, False),
    "top_lift": (-0.2, 1.0, False),
}
# Figures of an earlier verdict with what it asked of them: how many of pure noise pass, and of the rest fail.
CANNOT_FAIL = {"start_response_ratio": 0.9, "start_energy_correlation": 0.7, "natural_fraction_below": 1.0}
# What the best word stands for, the first that can be had: parts of the MEIs with it that draw a share of the
# best possible rise. How many MEIs must have it.
PROMISES = [{GOAL: 0.9}, {GOAL: 0.8}, {GOAL: 0.7}]
LEAST = 10
REJECTED = 0.1  # largest part of right MEIs among those with the worst
GOALS = (0.7, 0.75, 0.8, GOAL, 0.9)  # shares of the best possible rise, fitted together
RESAMPLES = 200  # of the kinds, for the interval of a probability


def prepared(rows):
    """Rows with the figures under the names of `lib.mei.verdict.evidence`, and what is right."""
    rows = rows.rename(columns={"correlation_low": "prediction_low"})
    off = np.abs(np.log(np.clip(rows.transfer, 0.2, 5)))
    return rows.assign(transfer_off=off, right=rows.share >= GOAL)


def parts(rows):
    """(neurons to choose on, neurons looked at while choosing, neurons held out): mostly other kinds."""
    chosen, last = rows.seed.isin(CHOSEN_SEEDS), rows.seed >= LAST_SEED
    return rows[chosen & rows.kind.isin(CHOSEN_ON)], rows[~chosen & ~last], rows[last]


def fit(rows, names, *, bounds=BOUNDS):
    """(intercept, figures): logistic regression, lightly penalised, on standardised figures."""
    figures = {}
    for name in names:
        low, high, log = bounds[name]
        sign = np.sign(area_under_curve(rows[name].fillna(low), rows.right) - 0.5)
        figure = Figure(low, high, log, weight=float(sign))
        x = figure.standardised(rows[name])
        figures[name] = replace(figure, centre=float(x.mean()), scale=float(max(x.std(), 1e-6)))
    x = np.stack([f.standardised(rows[n]) for n, f in figures.items()], 1)
    intercept, weights = logistic(x, rows.share.to_numpy())
    return intercept, {n: replace(f, weight=float(w)) for (n, f), w in zip(figures.items(), weights)}


def probability(model, rows):
    """(n,) of what `fit` returns."""
    intercept, figures = model
    return expit(intercept + sum(f.weight * f.standardised(rows[n]) for n, f in figures.items()))


def logistic(x, share, *, penalty=1.0, steps=20):
    """Intercept and weights (k,) of a logistic regression of ``share >= GOAL`` on x (n, k), by Newton steps.

    All of `GOALS` are fitted at once, each with an intercept of its own, with weights in common (the
    proportional odds of McCullagh, J R Stat Soc B 42:109, 1980): how far an MEI is from right counts too.
    """
    n, m = len(x), len(GOALS)
    levels = np.repeat(np.eye(m), n, axis=0)
    stacked = np.column_stack([levels, np.tile(x, (m, 1))])
    reached = np.concatenate([np.nan_to_num(share) >= goal for goal in GOALS])
    ridge = np.diag([1e-3] * m + [penalty * m] * x.shape[1])
    weights = np.zeros(stacked.shape[1])
    for _ in range(steps):
        p = expit(stacked @ weights)
        slope = stacked.T @ (reached - p) - ridge @ weights
        weights = weights + np.linalg.solve((stacked.T * (p * (1 - p))) @ stacked + ridge, slope)
    return float(weights[GOALS.index(GOAL)]), weights[m:]


def over_kinds(rows, names, *, bounds=BOUNDS):
    """Probability of every row from a model that saw no neuron of its kind."""
    out = np.empty(len(rows))
    for kind in rows.kind.unique():
        left = (rows.kind == kind).to_numpy()
        out[left] = probability(fit(rows[~left], names, bounds=bounds), rows[left])
    return out


def log_loss(p, right):
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return -np.where(right, np.log(p), np.log(1 - p))


def choose(rows, bounds=BOUNDS, *, most=3):
    """The figures that predict best on kinds left out; the fewest within one standard error of the best.

    All pairs are tried, and the best pair with each other figure, and so on.

    Returns the names, and a table of all sets tried, best first.
    """
    losses, areas = {}, {}
    names = [n for n in bounds if rows[n].nunique() > 2]
    for size in range(1, most + 1):
        tried = list(itertools.combinations(names, size))
        if size > 2:
            best = min(
                (some for some in losses if len(some) == size - 1), key=lambda some: losses[some].mean()
            )
            tried = [(*best, name) for name in names if name not in best]
        for some in tried:
            p = over_kinds(rows, some, bounds=bounds)
            losses[some], areas[some] = log_loss(p, rows.right), area_under_curve(p, rows.right)
    table = pd.DataFrame(
        {
            "figures": list(losses),
            "log_loss": [v.mean() for v in losses.values()],
            "auc": list(areas.values()),
        }
    ).sort_values("log_loss", ignore_index=True)
    sizes = table.figures.map(len)
    best_of_size = [table[sizes == size].figures.iloc[0] for size in range(1, most + 1)]
    return simplest({some: losses[some] for some in best_of_size}), table


def simplest(losses):
    """First of some candidates that is not worse than the best by more than the error of the difference."""
    best = min(losses.values(), key=np.mean)
    for name, loss in losses.items():
        worse = loss - best
        if worse.mean() <= worse.std() / np.sqrt(len(worse)):
            return name


def recalibrated(rows, names, *, bounds=BOUNDS):
    """`fit`, made as sure as it may be on kinds that it does not know; and its probabilities of such.

    Intercept and slope that calibrate the probabilities on kinds left out are applied to the whole.
    """
    inside = logit(np.clip(over_kinds(rows, names, bounds=bounds), 1e-6, 1 - 1e-6))
    _, (slope,) = logistic(inside[:, None], rows.share.to_numpy(), penalty=1e-3)
    slope = float(np.clip(slope, 0, 1.5))  # figures that mislead about other kinds do not count in reverse
    shift = brentq(lambda a: np.sum(rows.right - expit(a + slope * inside)), -30, 30)
    intercept, figures = fit(rows, names, bounds=bounds)
    figures = {n: replace(f, weight=slope * f.weight) for n, f in figures.items()}
    return (float(shift + slope * intercept), figures), expit(shift + slope * inside)


def covariance(rows, model, *, seed=0):
    """Of intercept and weights, over kinds drawn with replacement; figures are standardised as in `model`."""
    _, figures = model
    x = np.stack([f.standardised(rows[n]) for n, f in figures.items()], 1)
    share, kinds = rows.share.to_numpy(), rows.kind.unique()
    places = {kind: np.flatnonzero(rows.kind == kind) for kind in kinds}
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        some = np.concatenate([places[kind] for kind in rng.choice(kinds, len(kinds))])
        intercept, weights = logistic(x[some], share[some])
        found.append([intercept, *weights])
    return np.cov(np.array(found).T)


def choose_words(p, share):
    """Least probability of each word, from what was measured on kinds left out.

    The best word goes down to where it keeps the first of `PROMISES` that can be kept, or is never given
    if none can; the worst goes up to where `REJECTED` of the MEIs with it are right.
    """
    share, steps = np.nan_to_num(np.asarray(share)), np.arange(1, 100) / 100

    def kept(least, promise):
        own = share[p >= least]
        return len(own) >= LEAST and all((own >= goal).mean() >= part for goal, part in promise.items())

    best = [min(found) for promise in PROMISES if (found := [s for s in steps if kept(s, promise)])]
    best = [*best, 1.01][0]
    low = [s for s in steps if (share[p < s] >= GOAL).sum() <= REJECTED * (p < s).sum()]
    return dict(zip(VERDICTS, (float(best), float(min(max(low, default=0.1), best)), 0.0)))


def described(neurons):
    """What neurons are, in the file of the calibration."""
    tuned = neurons[neurons.true_cc_max > 0]
    return {
        "neurons": len(neurons),
        "seeds": sorted(map(int, neurons.seed.unique())),
        "kinds": sorted(neurons.kind.unique()),
        "cc_max": tuned.true_cc_max.quantile([0.05, 0.5, 0.95]).round(2).tolist(),
        "scenes": sorted(neurons.scenes.unique()),
    }


def make_calibration(chosen, held, names, *, bounds=BOUNDS):
    """(`Calibration` of some figures, probabilities of the chosen neurons on kinds left out)."""
    model, inside = recalibrated(chosen, names, bounds=bounds)
    neurons = held.rename(columns={"true_cc_max": "neuron_cc_max"}).assign(
        probability=probability(model, held), cc_max=held.true_cc_max
    )[calibration.COLUMNS]
    about = {"chosen on": described(chosen), "held out": described(held)}
    words = choose_words(inside, chosen.share)
    spread = covariance(chosen, model)
    return Calibration(*model, spread, words, neurons.reset_index(drop=True), about), inside


def area_under_curve(figure, right):
    """Probability that a right MEI has the larger figure than a wrong one; ties count a half."""
    right = np.asarray(right, bool)
    ranks = rankdata(np.asarray(figure, float))
    n, m = right.sum(), (~right).sum()
    return float((ranks[right].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")
