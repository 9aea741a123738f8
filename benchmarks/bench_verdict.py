"""How often is an MEI right that the report believes? Measured on neurons that no one tuned on.

    python benchmarks/bench_verdict.py [--seeds 1 4 2 5 3 6 7 8 9] [--units 36] [--scenes FILE.npz]
                                       [--rows FILE.csv] [--only measure|report] [--store]

measure  simulates neurons of many kinds (calibration_neurons.py), fits the default model as the report
         does, makes an MEI for each and lets the true neuron answer it; a row a neuron goes to --rows,
         seeds that are there already are not measured again
report   chooses the figures and their weights on the kinds and seeds set apart for that, reports what
         they are worth on the others; --store writes build/calibration.json

Seeds of `CHOSEN_SEEDS` show kinds on which the rule is chosen, the others mostly kinds held out. With
--scenes (`images`, n x h x w) every second seed is shown these images in place of dead leaves.
After a change of the response model: delete the rows, run it again with --store.
"""

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import calibrated
import numpy as np
import pandas as pd
import torch
from calibration_neurons import CC_MAX, CHOSEN_ON, HELD_OUT, make_neurons, record, true_cc_max
from scipy.optimize import brentq
from scipy.special import expit, logit
from tqdm import tqdm

from lib.data.session import resize
from lib.data.simulated_neurons import SCENE_HEIGHT
from lib.data.simulated_session import dead_leaves
from lib.mei import localise, search, verdict
from lib.mei.ascent import AscentSettings
from lib.models import crossvalidation, ensemble, v1
from lib.responses import reliability
from lib.stimuli.contrast import Target, set_mean_contrast

HEIGHT, IMAGES, FOLDS = 60, 118, 10  # as in the report
CONTRAST, FINEST_DETAIL, STEPS = 0.2, 0.15, 80
CHUNK = 12  # units an ascent takes together: a readout of all would cost more than the features
CHOSEN_SEEDS = (1, 2, 3, 7)
GOAL = calibrated.GOAL


# ---- measuring ----------------------------------------------------------------------------------


def batch_kinds(seed, units):
    """How many neurons of each kind a seed shows, `units` in all or a few more."""
    if seed in CHOSEN_SEEDS:
        share = dict.fromkeys(CHOSEN_ON, 1.0)
    else:
        share = dict.fromkeys(CHOSEN_ON, 0.4) | dict.fromkeys(HELD_OUT, 1.0) | {"convnet": 2.0, "noise": 1.0}
    total = sum(share.values())
    return {kind: max(1, round(units * s / total)) for kind, s in share.items()}


def scenes_of(seed, file):
    """(images, h, w) float32 at the report's size, and what they are."""
    if file is not None and seed % 2 == 0:
        with np.load(file) as content:
            return resize(content["images"].astype(np.float32) / 255, HEIGHT), "given"
    leaves = dead_leaves(IMAGES, rng=np.random.default_rng([seed, 1]))
    return resize(leaves.astype(np.float32) / 255, HEIGHT), "dead leaves"


def measure(seed, *, units, file, cc_max=CC_MAX):
    """One row a neuron: kind, figures of evidence, share of the true optimum."""
    clock = Clock()
    images, shown = scenes_of(seed, file)
    shape, degrees = images.shape[1:], SCENE_HEIGHT / images.shape[1]
    neurons = make_neurons(batch_kinds(seed, units), images, seed=[seed, 2], cc_max=cc_max)
    counts = record(neurons, images, seed=[seed, 3])
    target = Target(float(images.mean()), CONTRAST * float(images.std(axis=(1, 2)).mean()))
    settings = AscentSettings(STEPS, highest_frequency=FINEST_DETAIL * degrees)
    clock("simulate")
    fitted = crossvalidation.cross_validate(images, counts, folds=FOLDS, seed=seed, degrees_per_pixel=degrees)
    halves = half_models(fitted.models[0].core, images, counts, seed=seed)
    clock("fit")
    scores = crossvalidation.prediction_scores(fitted.predictions, counts)
    rows = []
    for part in np.array_split(np.arange(len(neurons)), max(1, round(len(neurons) / CHUNK))):
        members, own_halves = ([m.subset(part) for m in models] for models in (fitted.models, halves))
        rows.append(
            evidence_of(
                members, own_halves, images, counts[:, :, part], target, settings, degrees=degrees, seed=seed
            )
        )
        clock("MEIs")
    table = pd.concat(
        [pd.concat([r[0] for r in rows], ignore_index=True), scores.reset_index(drop=True)], axis=1
    )
    meis = np.concatenate([r[1] for r in rows])
    pixels = torch.as_tensor(images)[:, None]
    truth = [
        true_share(neuron, mei, shape, target, settings, seed=seed)
        for neuron, mei in zip(tqdm(neurons, desc="truth"), meis)
    ]
    clock("truth")
    about = pd.DataFrame(
        {
            "seed": seed,
            "scenes": shown,
            "kind": [n.kind for n in neurons],
            "mean_count": counts.mean((0, 1)),
            "true_cc_max": [true_cc_max(n, pixels) if n.gain else 0.0 for n in neurons],
        }
    )
    print(f"seed {seed}: {len(neurons)} neurons, seconds {clock.spent}", flush=True)
    return pd.concat([about, pd.DataFrame(truth), table], axis=1)


class Clock:
    """Seconds spent in parts of a measurement."""

    def __init__(self):
        self.spent, self.last = {}, time.perf_counter()

    def __call__(self, name):
        now = time.perf_counter()
        self.spent[name] = round(self.spent.get(name, 0) + now - self.last, 1)
        self.last = now


def half_models(core, images, counts, *, seed):
    """The model fitted to one half of the images, and to the other."""
    half = crossvalidation.assign_folds(len(images), 2, seed=seed + 100)
    with torch.no_grad():
        features = core(torch.as_tensor(images)[:, None])
    return [v1.fit_windowed(features[half == k], counts.mean(0)[half == k], core).eval() for k in (0, 1)]


def evidence_of(members, halves, images, counts, target, settings, *, degrees, seed):
    """(figures of evidence, a row a unit; MEIs) as 05_mei makes them, and figures that it does not know."""
    shape, units = images.shape[1:], counts.shape[2]
    makers, judges = ensemble.split_members(members)
    making, judging = (ensemble.MeanModel(m).eval() for m in (makers, judges))

    def climb(model, starts):
        ends = search.most_exciting_input(
            model.eval(), shape, target, starts=starts, images=images, settings=settings, seed=seed
        )
        return localise.localise(model, ends)

    found = climb(making, ("noise", "grey", "natural"))
    meis, grey = found.best_images, np.full((1, *shape), target.mean, np.float32)
    own = np.arange(units)
    some = makers[::2]
    alone = climb(ensemble.SideBySide(some).eval(), ("grey",))
    alone = alone.best_images.reshape(len(some), units, *shape)
    judged = verdict.transfer(making, judging, meis, target, units=own, natural_images=images).reset_index(
        drop=True
    )
    each, each_grey = (
        np.stack(
            [ensemble.predicted_responses(j, x)[own if len(x) > 1 else [0] * units, own] for j in judges]
        )
        for x in (meis, grey)
    )
    rise = each - each_grey
    from_halves = [climb(h, ("grey",)).best_images for h in halves]

    def share(judge, image, best):
        """What a judge's response to an image rises, over the rise to that judge's own best."""
        a, b = (ensemble.predicted_responses(judge, x)[own, own] for x in (image, best))
        zero = ensemble.predicted_responses(judge, grey)[0]
        return (a - zero) / np.maximum(b - zero, 1e-6)

    crossed = [share(halves[1 - k], from_halves[k], from_halves[1 - k]) for k in (0, 1)]
    heard = [share(halves[k], meis, from_halves[k]) for k in (0, 1)]
    recorded = counts.mean(0)
    spread = recorded.std(0)
    signal = np.maximum(np.nan_to_num(reliability.cc_max(counts)), 0.05) * spread
    agreed = [
        {
            "start_" + k: v
            for k, v in verdict.agreement(
                found.images[u], found.responses[u], best=found.best[u], degrees_per_pixel=degrees
            ).items()
        }
        | {
            "member_energy_correlation": verdict.agreement(
                alone[:, u], np.ones(len(some)), degrees_per_pixel=degrees
            )["energy_correlation"],
            "half_energy_correlation": verdict.agreement(
                np.stack([f[u] for f in from_halves]), np.ones(2), degrees_per_pixel=degrees
            )["energy_correlation"],
        }
        for u in own
    ]
    natural = set_mean_contrast(images, target)
    at_level = ensemble.predicted_responses(judging, natural) - judged.grey_response.to_numpy()
    beside = calibrated.beside(judged, recorded)
    figures = {
        "transfer": judged.transfer,
        "natural_fraction_below": judged.natural_fraction_below,
        "predicted_response": judged.response,
        "predicted_grey": judged.grey_response,
        "rise_over_spread": beside["rise_over_spread"],
        "rise_over_signal": rise.mean(0) / signal,
        "response_over_largest": beside["response_over_largest"],
        "rise_over_natural_spread": rise.mean(0) / np.maximum(at_level.std(0), 1e-6),
        "jackknife": rise.std(0, ddof=1) * (len(judges) - 1) / np.sqrt(len(judges)) / rise.mean(0),
        "half_transfer": np.mean(crossed, 0),
        "half_transfer_least": np.min(crossed, 0),
        "heard_by_halves": np.mean(heard, 0),
    }
    return pd.concat([pd.DataFrame(figures), pd.DataFrame(agreed)], axis=1), meis


def true_share(neuron, mei, shape, target, settings, *, seed):
    """What the true neuron answers to its MEI, to grey and to the best image of many ascents."""
    grey = torch.full((1, 1, *shape), target.mean)
    with torch.no_grad():
        zero, mine = (float(neuron(x)) for x in (grey, torch.as_tensor(mei)[None, None]))
    if neuron.gain == 0:
        return {
            "true_grey": zero,
            "true_mei": mine,
            "true_optimum": zero,
            "share": np.nan,
            "found_twice": np.nan,
        }
    ends = search.most_exciting_input(
        neuron, shape, target, starts=(mei, "grey", *["noise"] * 4), settings=settings, seed=seed
    ).responses[0]
    best = float(ends.max())
    return {
        "true_grey": zero,
        "true_mei": mine,
        "true_optimum": best,
        "share": (mine - zero) / max(best - zero, 1e-9),
        "found_twice": (np.sort(ends)[-2] - zero) / max(best - zero, 1e-9),
    }


def measure_all(seeds, *, path, **how):
    rows = pd.read_csv(path) if path.exists() else pd.DataFrame({"seed": []})
    for seed in seeds:
        if seed not in set(rows.seed):
            rows = pd.concat([rows, measure(seed, **how)], ignore_index=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            rows.to_csv(path, index=False)
    return rows


# ---- choosing on one part -----------------------------------------------------------------------

# Bounds inside which a figure counts, and whether its logarithm does.
IN_REPORT = {
    "prediction_low": (-0.2, 1.0, False),
    "cc_norm": (0.0, 1.0, False),
    "feve": (-0.5, 1.0, False),
    "member_energy_correlation": (0.0, 1.0, False),
    "transfer": (0.3, 1.5, False),
    "transfer_off": (0.0, 1.0, False),
    "start_response_ratio": (0.5, 1.0, False),
    "start_energy_correlation": (0.0, 1.0, False),
    "natural_fraction_below": (0.8, 1.0, False),
}
CHEAP = {  # from what the report's models predict and its counts hold
    "cc_max": (0.0, 1.0, False),
    "rise_over_spread": (0.5, 50.0, True),
    "rise_over_signal": (0.5, 50.0, True),
    "rise_over_natural_spread": (0.5, 50.0, True),
    "response_over_largest": (0.2, 5.0, True),
    "jackknife": (0.01, 2.0, True),
}
HALVES = {  # need the model fitted to either half of the images, and an MEI on each
    "half_transfer": (0.0, 1.0, False),
    "half_transfer_least": (-0.2, 1.0, False),
    "heard_by_halves": (0.0, 1.5, False),
    "half_energy_correlation": (0.0, 1.0, False),
}
CANNOT_FAIL = ("start_response_ratio", "start_energy_correlation", "natural_fraction_below")
# What a word must keep on kinds left out of the part on which it is chosen: it is used only if it can.
PROMISES = {"well supported": calibrated.GOAL, "partly supported": calibrated.ROUGHLY}  # of nine in ten
PRECISION, LEAST = 0.9, 10  # of those with the word, and how many there must be
UNCERTAIN, NONE = "uncertain", "not supported"
REJECTED = 0.1  # largest part of right MEIs among those not supported


def prepared(rows):
    """Rows with the figures under the names of `lib.mei.verdict.evidence`, and what is right."""
    rows = rows.rename(columns={"correlation_low": "prediction_low"})
    return rows.assign(transfer_off=calibrated.transfer_off(rows.transfer), right=rows.share >= GOAL)


def fit(rows, names, *, bounds):
    """A `Calibration` without words: logistic regression, lightly penalised, on standardised figures."""
    figures = {}
    for name in names:
        low, high, log = bounds[name]
        signs = calibrated.area_under_curve(rows[name].fillna(low), rows.right) - 0.5
        figure = calibrated.Figure(low, high, log, weight=float(np.sign(signs)))
        x = figure.values(rows[name])
        figures[name] = calibrated.Figure(
            low, high, log, float(x.mean()), float(max(x.std(), 1e-6)), figure.weight
        )
    x = np.stack([(f.values(rows[n]) - f.centre) / f.scale for n, f in figures.items()], 1)
    intercept, weights = logistic(x, rows.right.to_numpy())
    for (name, f), weight in zip(list(figures.items()), weights):
        figures[name] = calibrated.Figure(f.low, f.high, f.log, f.centre, f.scale, float(weight))
    empty = pd.DataFrame({"kind": [], "probability": [], "share": []})
    return calibrated.Calibration(intercept, figures, [(NONE, 0.0)], empty, len(rows))


def logistic(x, right, *, penalty=1.0, steps=15):
    """Intercept and weights (k,) of a logistic regression on x (n, k), by Newton steps."""
    x = np.column_stack([np.ones(len(x)), x])
    ridge = np.diag([1e-6] + [penalty] * (x.shape[1] - 1))
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = expit(x @ weights)
        slope = x.T @ (right - p) - ridge @ weights
        weights = weights + np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, slope)
    return float(weights[0]), weights[1:]


def over_kinds(rows, names, *, bounds):
    """Probability of every row from a model that saw no neuron of its kind."""
    out = np.empty(len(rows))
    for kind in rows.kind.unique():
        left = (rows.kind == kind).to_numpy()
        out[left] = fit(rows[~left], names, bounds=bounds).probability(rows[left])
    return out


def log_loss(probability, right):
    p = np.clip(probability, 1e-3, 1 - 1e-3)
    return -np.where(right, np.log(p), np.log(1 - p))


def choose(rows, bounds, *, most=3):
    """The figures that predict best on kinds left out; the fewest within one standard error of the best.

    Returns the names, and a table of all sets tried, best first.
    """
    losses, areas = {}, {}
    names = [n for n in bounds if rows[n].nunique() > 2]
    for size in range(1, most + 1):
        for some in itertools.combinations(names, size):
            p = over_kinds(rows, some, bounds=bounds)
            losses[some], areas[some] = log_loss(p, rows.right), calibrated.area_under_curve(p, rows.right)
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


def recalibrated(rows, names, *, bounds):
    """`fit`, made as sure as it may be on kinds that it does not know; and its probabilities of such.

    Intercept and slope that calibrate the probabilities on kinds left out are applied to the whole.
    """
    inside = logit(np.clip(over_kinds(rows, names, bounds=bounds), 1e-6, 1 - 1e-6))
    _, (slope,) = logistic(inside[:, None], rows.right.to_numpy(), penalty=1e-3)
    slope = float(np.clip(slope, 0, 1.5))  # figures that mislead about other kinds do not count in reverse
    shift = brentq(lambda a: np.sum(rows.right - expit(a + slope * inside)), -30, 30)
    model = fit(rows, names, bounds=bounds)
    figures = {n: replace(f, weight=slope * f.weight) for n, f in model.figures.items()}
    return (
        replace(model, intercept=float(shift + slope * model.intercept), figures=figures),
        expit(shift + slope * inside),
    )


def choose_words(probability, share):
    """Words with the least probability of each, best first, from what was measured on kinds left out."""
    share, words, steps = np.nan_to_num(np.asarray(share)), [], np.arange(1, 100) / 100
    for word, goal in PROMISES.items():
        for least in steps:
            inside = probability >= least
            if inside.sum() >= LEAST and (share[inside] >= goal).mean() >= PRECISION:
                if not words or least < words[-1][1]:
                    words.append((word, float(least)))
                break
    below = [p for p in steps if (share[probability < p] >= GOAL).sum() <= REJECTED * (probability < p).sum()]
    highest = words[-1][1] if words else 1.0
    if below and max(below) < highest:
        words.append((UNCERTAIN, float(max(below))))
    return [*words, (NONE, 0.0)]


def chosen_model(chosen, held, bounds, *, names=None):
    """(`Calibration` with words and held-out neurons, table of the sets tried)."""
    table = None
    if names is None:
        names, table = choose(chosen, bounds)
    model, inside = recalibrated(chosen, names, bounds=bounds)
    words = choose_words(inside, chosen.share)
    neurons = held[["kind", "share"]].assign(probability=model.probability(held))
    neurons = neurons[["kind", "probability", "share"]].reset_index(drop=True)
    return calibrated.Calibration(model.intercept, model.figures, words, neurons, len(chosen)), table


def report(rows, *, store):
    rows = prepared(rows)
    chosen = rows[rows.seed.isin(CHOSEN_SEEDS) & rows.kind.isin(CHOSEN_ON)]
    held = rows[~rows.seed.isin(CHOSEN_SEEDS)]
    print(
        f"{len(chosen)} neurons to choose on, {len(held)} held out, "
        f"{held.kind.isin(HELD_OUT).sum()} of them of other kinds"
    )
    print("\nMedian share of the true optimum's rise, and how many reach " + f"{GOAL:g}, by kind")
    kinds = rows.assign(part=np.where(rows.seed.isin(CHOSEN_SEEDS), "chosen on", "held out")).groupby(
        ["part", "kind"]
    )
    print(
        kinds.agg(
            n=("right", "size"),
            share=("share", "median"),
            right=("right", "sum"),
            cc_norm=("cc_norm", "median"),
        )
        .round(2)
        .to_string()
    )
    everything = IN_REPORT | CHEAP | HALVES
    print("\nArea under the curve of single figures, for reaching the goal")
    print(single_figures(chosen, held, everything).round(2).to_string())
    show_todays(held)
    may_fail = {name: how for name, how in everything.items() if name not in CANNOT_FAIL}
    sets = {  # from the least to the most that the report has to compute
        "cc_norm alone": (may_fail, ("cc_norm",)),
        "figures of the report": ({k: v for k, v in may_fail.items() if k in IN_REPORT}, None),
        "and cheap ones": ({k: v for k, v in may_fail.items() if k not in HALVES}, None),
        "and halves": (may_fail, None),
    }
    models = {}
    for title, (bounds, names) in sets.items():
        models[title], tried = chosen_model(chosen, held, bounds, names=names)
        print(
            f"\n==== {title}: "
            + ", ".join(f"{k} ({f.weight:+.2f})" for k, f in models[title].figures.items())
        )
        if tried is not None:
            print(tried.head(5).round(3).to_string(index=False))
        show(models[title], chosen, held, bounds)
    losses = {
        title: log_loss(over_kinds(chosen, tuple(m.figures), bounds=everything), chosen.right)
        for title, m in models.items()
    }
    stored = simplest(losses)
    print(f"\nThe least that does as well as the best, on kinds left out of the part chosen on: {stored}")
    print({title: round(float(loss.mean()), 3) for title, loss in losses.items()})
    print(
        "\nWhat the figures that cannot fail add to the figures stored: "
        "log loss on kinds left out, AUC held out"
    )
    base = tuple(models[stored].figures)
    for extra in ((), *((name,) for name in CANNOT_FAIL)):
        p = over_kinds(chosen, base + extra, bounds=everything)
        q = fit(chosen, base + extra, bounds=everything).probability(held)
        print(
            f"{', '.join(extra) or 'nothing':28}{log_loss(p, chosen.right).mean():8.3f}"
            f"{calibrated.area_under_curve(q, held.right):8.2f}"
        )
    print("\nBy kind, held out, of the set that is stored")
    print(calibrated.by_kind(models[stored]).round(2).to_string())
    if store:
        models[stored].save()
        print(f"\nstored in {calibrated.STORED}")


def single_figures(chosen, held, bounds):
    """AUC of every figure alone on both parts, without noise; and in how many of noise it passes today."""

    def area(rows, name):
        rows = rows[rows.kind != "noise"]
        a = calibrated.area_under_curve(rows[name].fillna(bounds[name][0]), rows.right)
        return a

    table = pd.DataFrame(
        {"chosen on": {n: area(chosen, n) for n in bounds}, "held out": {n: area(held, n) for n in bounds}}
    )
    noise = pd.concat([chosen, held]).query("kind == 'noise'")
    for name, (good, _, _) in verdict.VERDICT_RULES.items():
        table.loc[name, "noise that passes"] = (noise[name] >= good).sum()
        tuned = pd.concat([chosen, held]).query("kind != 'noise'")
        table.loc[name, "tuned that fail"] = (tuned[name] < good).sum()
    table.attrs["noise"] = len(noise)
    return table


def show(model, chosen, held, bounds):
    names = tuple(model.figures)
    inside = chosen[["kind", "share"]].assign(
        probability=recalibrated(chosen, names, bounds=bounds)[1], right=chosen.right
    )
    parts = {"chosen on, kinds left out": inside, "held out": model.held_out}
    parts["held out, other kinds"] = model.held_out[model.held_out.kind.isin(HELD_OUT)]
    for title, neurons in parts.items():
        right = neurons.share >= GOAL
        best = neurons.probability >= model.words[0][1]
        noise = neurons[neurons.kind == "noise"].probability
        print(
            f"{title}: n {len(neurons)}, AUC {calibrated.area_under_curve(neurons.probability, right):.2f}, "
            f"recall of the best word {right[best].sum()}/{right.sum()}; "
            f"Brier {np.mean((neurons.probability - right) ** 2):.3f}; "
            f"largest probability of noise {noise.max():.2f} (n {len(noise)})"
        )
        print(calibrated.by_word(model, neurons=neurons).round(2).to_string())
        if title != "chosen on, kinds left out":
            print(calibrated.reliability(neurons).round(2).to_string(index=False))


def show_todays(held):
    """What the report's own words are worth on the neurons held out."""
    words = pd.Series([verdict.verdict(row)[0] for row in held.to_dict("records")], index=held.index)
    print("\nToday's rules, held out")
    table = {word: calibrated.share_right(held[words == word]) for word in words.unique()}
    print(pd.DataFrame(table).T.round(2).to_string())
    noise = words[held.kind == "noise"].value_counts().to_dict()
    print(f"right and reliable {held.right[words == 'reliable'].sum()}/{held.right.sum()}; noise: {noise}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 4, 2, 5, 3, 6, 7, 8, 9])
    parser.add_argument("--units", type=int, default=36, help="of a seed, about")
    parser.add_argument("--scenes", type=Path, help="npz with `images`, shown at every second seed")
    parser.add_argument("--real", type=Path, help="folder with scenes_118.npz, taken for --scenes")
    parser.add_argument("--cc-max", type=float, nargs=2, default=CC_MAX, help="range of the neurons' CCmax")
    parser.add_argument("--rows", type=Path, default=Path("build/verdict_rows.csv"))
    parser.add_argument("--only", choices=("measure", "report"))
    parser.add_argument("--store", action="store_true", help="write build/calibration.json")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.real and not arguments.scenes:
        arguments.scenes = arguments.real / "scenes_118.npz"
    if arguments.only != "report":
        measure_all(
            arguments.seeds,
            path=arguments.rows,
            units=arguments.units,
            file=arguments.scenes,
            cc_max=arguments.cc_max,
        )
    if arguments.only != "measure":
        report(pd.read_csv(arguments.rows), store=arguments.store)


if __name__ == "__main__":
    main()
