"""How often is an MEI right that the report believes? Measured on neurons that no one tuned on.

    python benchmarks/bench_verdict.py [--seeds 1 2 3] [--units 36] [--scenes FILE.npz]
                                       [--rows FOLDER] [--jobs 2] [--only measure|report] [--store]

measure  simulates neurons of many kinds (calibration_neurons.py), fits the default model as the report
         does, makes an MEI for each and lets the true neuron answer it; a row per neuron goes to a file
         a seed in --rows; seeds that are there already are not measured again. --jobs seeds at once
report   chooses the figures and their weights on the kinds and seeds set apart for that, reports what
         they are worth on others; --store writes lib/mei/calibration.json

Seeds of `CHOSEN_SEEDS` show kinds on which the rule is chosen, the others mostly kinds held out; those from
`LAST_SEED` on are for the report alone. With
--scenes (`images`, n x h x w) every second seed is shown these images in place of dead leaves.
After a change of the response model: delete the rows, run it again with --store.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import verdict_rule
from by_seed import measure_seeds, read_rows
from calibration_neurons import CC_MAX, CHOSEN_ON, HELD_OUT, make_neurons, record, true_cc_max

from lib import machine
from lib.data.session import resize
from lib.data.simulated_neurons import SCENE_HEIGHT
from lib.data.simulated_session import dead_leaves
from lib.mei import calibration, halves, localise, search, verdict
from lib.mei.ascent import AscentSettings
from lib.mei.calibration import GOAL
from lib.models import crossvalidation, ensemble, lift, v1
from lib.responses import reliability
from lib.stimuli.contrast import Target, set_mean_contrast

HEIGHT, IMAGES, FOLDS = 60, 118, 10  # as in the report
CONTRAST, FINEST_DETAIL, STEPS = 0.2, 0.15, 80
SEEDS = [seed for three in zip(range(1, 11), range(11, 21), range(31, 41)) for seed in three]
CHUNK = 12  # units an ascent takes together: a readout of all would cost more than the features
# Figures of `verdict.evidence` of every model.
FEW = ("prediction_low", "cc_norm", "rise_over_signal")
SETS = {  # of figures to choose among: those that the report computes, and what more would be worth
    calibration.FEW: FEW,
    calibration.ALL: (*FEW, "top_lift", *halves.FIGURES),
    "any": tuple(verdict_rule.BOUNDS),
}


# ---- measuring ----------------------------------------------------------------------------------


def batch_kinds(seed, units):
    """How many neurons of each kind a seed shows, `units` in all or a few more."""
    if seed in verdict_rule.CHOSEN_SEEDS:
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


def measure(seed, *, units, file, cc_max=CC_MAX, device="cpu"):
    """One row per neuron: kind, figures of evidence, share of the true optimum.

    Models are fitted and MEIs made on the device; the neurons are on the CPU.
    """
    clock = Clock()
    machine.use_device("cpu")
    images, shown = scenes_of(seed, file)
    shape, degrees = images.shape[1:], SCENE_HEIGHT / images.shape[1]
    neurons = make_neurons(batch_kinds(seed, units), images, seed=[seed, 2], cc_max=cc_max)
    counts = record(neurons, images, seed=[seed, 3])
    target = Target(float(images.mean()), CONTRAST * float(images.std(axis=(1, 2)).mean()))
    settings = AscentSettings(STEPS, highest_frequency=FINEST_DETAIL * degrees)
    clock("simulate")
    machine.use_device(device)
    fitted = crossvalidation.cross_validate(images, counts, folds=FOLDS, seed=seed, degrees_per_pixel=degrees)
    core = fitted.models[0].core
    with torch.no_grad():
        features = core(torch.as_tensor(images)[:, None])
    clock("fit")
    models = Models(fitted.models, half_models(features, core, images, counts, seed=seed + 100))
    clock("other fits")
    scores = crossvalidation.prediction_scores(fitted.predictions, counts)
    scores["top_lift"] = lift.top_lift(features, counts.mean(0), core)
    rows = []
    for part in np.array_split(np.arange(len(neurons)), max(1, round(len(neurons) / CHUNK))):
        rows.append(evidence_of(models, images, counts, part, target, settings, degrees=degrees, seed=seed))
        clock("MEIs")
    table = pd.concat(
        [pd.concat([r[0] for r in rows], ignore_index=True), scores.reset_index(drop=True)], axis=1
    )
    meis = np.concatenate([r[1] for r in rows])
    machine.use_device("cpu")
    pixels = torch.as_tensor(images)[:, None]
    truth = [
        true_share(neuron, mei, shape, target, settings, seed=seed) for neuron, mei in zip(neurons, meis)
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


@dataclass
class Models:
    """What is fitted to a session: models of the folds, and of two halves."""

    members: list
    halves: list


def half_models(features, core, images, counts, *, seed):
    """The model fitted to one half of the images, and to the other."""
    half = crossvalidation.assign_folds(images, 2, seed=seed)
    return [v1.fit_windowed(features[half == k], counts.mean(0)[half == k], core).eval() for k in (0, 1)]


def evidence_of(models, images, counts, part, target, settings, *, degrees, seed):
    """(figures of evidence, a row per unit of `part`; MEIs) as 05_mei makes them, and figures beside."""
    shape, counts = images.shape[1:], counts[:, :, part]
    makers, judges = ensemble.split_members([m.subset(part) for m in models.members])
    making, judging = (ensemble.MeanModel(m).eval() for m in (makers, judges))

    ascended = search.most_exciting_input(
        making, shape, target, starts=("grey", "natural"), images=images, settings=settings, seed=seed
    )
    found = localise.localise(making, ascended)
    meis, grey = found.best_images, np.full((1, *shape), target.mean, np.float32)
    own = np.arange(len(part))
    judged = verdict.transfer(making, judging, meis, target, units=own, natural_images=images).reset_index(
        drop=True
    )
    each, each_grey = (
        np.stack(
            [ensemble.predicted_responses(j, x)[own if len(x) > 1 else [0] * len(own), own] for j in judges]
        )
        for x in (meis, grey)
    )
    rise = each - each_grey
    recorded = counts.mean(0)
    signal = np.maximum(np.nan_to_num(reliability.cc_max(counts)), 0.05) * recorded.std(0)
    starts = [
        verdict.agreement(found.images[u], found.responses[u], best=found.best[u], degrees_per_pixel=degrees)
        for u in own
    ]
    natural = set_mean_contrast(images, target)
    at_level = ensemble.predicted_responses(judging, natural) - judged.grey_response.to_numpy()
    figures = {
        "transfer": judged.transfer,
        "natural_fraction_below": judged.natural_fraction_below,
        "predicted_response": judged.response,
        "predicted_grey": judged.grey_response,
        "rise_over_signal": rise.mean(0) / signal,
        "response_over_largest": judged.response / recorded.max(0),
        "rise_over_natural": rise.mean(0) / np.maximum(at_level.max(0), 1e-6),
        "rise_over_natural_spread": rise.mean(0) / np.maximum(at_level.std(0), 1e-6),
        "jackknife": rise.std(0, ddof=1) * (len(judges) - 1) / np.sqrt(len(judges)) / rise.mean(0),
    }
    pair = [half.subset(part).eval() for half in models.halves]
    agreed = halves.agreement(pair, meis, target, settings=settings, seed=seed, degrees_per_pixel=degrees)
    figures |= dict(agreed.items())
    starts = pd.DataFrame(starts).add_prefix("start_")
    return pd.concat([pd.DataFrame(figures), starts], axis=1), meis


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


# ---- reporting ----------------------------------------------------------------------------------


def report(rows, *, store):
    chosen, looked, held = verdict_rule.parts(verdict_rule.prepared(rows))
    parts = {"chosen on": chosen, "looked at": looked, "held out": held}
    print({name: len(part) for name, part in parts.items()}, "neurons")
    print(f"\nMedian share of the true optimum's rise, and how many reach {GOAL:g}, by kind")
    table = pd.concat([part.assign(part=name) for name, part in parts.items()]).groupby(["part", "kind"])
    table = table.agg(n=("right", "size"), share=("share", "median"), right=("right", "sum"))
    print(table.unstack(0).round(2).to_string())
    print("\nArea under the curve of single figures, for reaching the goal; noise left out")
    print(single_figures(chosen, looked).round(2).to_string())
    models = {}
    for title, names in SETS.items():
        bounds = {name: verdict_rule.BOUNDS[name] for name in names}
        names, tried = verdict_rule.choose(chosen, bounds)
        print(f"\n==== {title}\n{tried.head(8).round(3).to_string(index=False)}")
        models[title], inside = verdict_rule.make_calibration(chosen, held, names)
        show(title, models[title], chosen.assign(probability=inside), looked)
    print("\nBy kind, held out")
    print(calibration.by_kind(models[calibration.ALL]).round(2).to_string())
    if store:
        calibration.save({name: models[name] for name in (calibration.ALL, calibration.FEW)})
        print(f"\nstored in {calibration.STORED}")


def single_figures(chosen, looked):
    """AUC of every figure alone on two parts; of those that cannot fail, how many of noise pass."""

    def area(rows, name):
        rows = rows[rows.kind != "noise"]
        return verdict_rule.area_under_curve(rows[name].fillna(rows[name].min()), rows.right)

    both = pd.concat([chosen, looked])
    names = [*verdict_rule.BOUNDS, *verdict_rule.CANNOT_FAIL]
    table = pd.DataFrame({"chosen on": {n: area(chosen, n) for n in names}})
    table["looked at"] = [area(looked, n) for n in names]
    for name, good in verdict_rule.CANNOT_FAIL.items():
        noise = both.kind == "noise"
        table.loc[name, "noise that passes"] = (both[name][noise] >= good).mean()
        table.loc[name, "tuned that fail"] = (both[name][~noise] < good).mean()
    return table


def show(title, model, inside, looked):
    """Print what a calibration is worth: on kinds left out when choosing, and on the other neurons."""
    print(f"\n==== {title}: " + ", ".join(f"{k} ({f.weight:+.2f})" for k, f in model.figures.items()))
    held = model.held_out
    for part, neurons in {
        "chosen on, kinds left out": inside,
        "looked at": looked.assign(
            probability=model.judge(looked).verdict_probability, cc_max=looked.true_cc_max
        ),
        "held out": held,
        "held out, other kinds": held[held.kind.isin(HELD_OUT)],
        "held out, CCmax of .9 and more": held[held.cc_max >= 0.9],
    }.items():
        right, best = neurons.share >= GOAL, neurons.probability >= model.words[calibration.VERDICTS[0]]
        noise = neurons[neurons.kind == "noise"].probability
        print(
            f"{part}: n {len(neurons)}, AUC {verdict_rule.area_under_curve(neurons.probability, right):.2f}, "
            f"recall of the best word {(right & best).sum()}/{right.sum()}, "
            f"Brier {np.mean((neurons.probability - right) ** 2):.3f}, "
            f"noise at most {noise.max():.2f} (n {len(noise)})"
        )
        print(calibration.by_word(replace(model, held_out=neurons)).round(2).to_string())
        print(calibration.reliability(neurons).round(2).to_string(index=False))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--units", type=int, default=36, help="of a seed, about")
    parser.add_argument("--scenes", type=Path, help="npz with `images`, shown at every second seed")
    parser.add_argument("--real", type=Path, help="folder with scenes_118.npz, taken for --scenes")
    parser.add_argument("--cc-max", type=float, nargs=2, default=CC_MAX, help="range of the neurons' CCmax")
    parser.add_argument("--rows", type=Path, default=Path("build/verdict_rows"))
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once, each in its own process")
    parser.add_argument("--device", default="cpu", help="cpu or cuda: where models and MEIs are made")
    parser.add_argument("--only", choices=("measure", "report"))
    parser.add_argument("--store", action="store_true", help="write lib/mei/calibration.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.real and not arguments.scenes:
        arguments.scenes = arguments.real / "scenes_118.npz"
    if arguments.only != "report":
        measure_seeds(
            measure,
            arguments.seeds,
            arguments.rows,
            jobs=arguments.jobs,
            units=arguments.units,
            file=arguments.scenes,
            cc_max=arguments.cc_max,
            device=arguments.device,
        )
    if arguments.only != "measure":
        report(read_rows(arguments.rows), store=arguments.store)


if __name__ == "__main__":
    main()
