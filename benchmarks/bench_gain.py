"""Is a predicted gain of the MEI over the best Gabor a real one? Measured on neurons of many kinds.

    python benchmarks/bench_gain.py [--seeds 21 22] [--units 24] [--rows FOLDER] [--jobs 2]
                                    [--only measure|report]

measure  simulates neurons (calibration_neurons.py), fits the default model, and makes and compares MEI and
         best Gabor as 05_mei and 06_gabor do, on a smaller grid; the true neuron answers both, and its own
         best image and best Gabor are searched for. A row per neuron goes to a file per seed in
         --rows; seeds there stay. --jobs seeds are measured at once, each in its own process
report   predicted against true gains, answers against the truth, and the gain that is predicted where there
         is none (`lib.gabors.compare.AT_EQUAL_TRUTH`), by part: on seeds of `CHOSEN_SEEDS`, and on the
         default run, choices were made, the others are held out.

A *possible* gain is the response to the best image over that to the best Gabor, of the true neuron, at one
mean and contrast of the whole image.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_verdict import CONTRAST, FINEST_DETAIL, FOLDS, STEPS, batch_kinds, scenes_of
from by_seed import measure_seeds, read_rows
from calibration_neurons import make_neurons, record

from lib.data.simulated_neurons import SCENE_HEIGHT
from lib.gabors import compare
from lib.gabors import fit as gabor_fit
from lib.gabors import search as gabor_search
from lib.mei import localise, search
from lib.mei.ascent import AscentSettings
from lib.mei.mask import mei_mask
from lib.models import crossvalidation, ensemble
from lib.models.ensemble import MeanModel, predicted_responses
from lib.population.tests import more_than_gabor
from lib.stimuli.contrast import Target

CHOSEN_SEEDS = (21,)
POSSIBLE = 1.15  # a gain that should be found


def measure(seed, *, units):
    """Yield a row per neuron: kind, predicted gain with its interval, true and possible gain."""
    images, _ = scenes_of(seed, None)
    shape, degrees = images.shape[1:], SCENE_HEIGHT / images.shape[1]
    neurons = make_neurons(batch_kinds(seed, units), images, seed=[seed, 2])
    counts = record(neurons, images, seed=[seed, 3])
    target = Target(float(images.mean()), CONTRAST * float(images.std(axis=(1, 2)).mean()))
    settings = AscentSettings(STEPS, highest_frequency=FINEST_DETAIL * degrees)
    fitted = crossvalidation.cross_validate(images, counts, folds=FOLDS, seed=seed, degrees_per_pixel=degrees)
    scores = crossvalidation.prediction_scores(fitted.predictions, counts, resamples=100)
    how = dict(degrees_per_pixel=degrees, grid="quick", refine_from=5)

    def climb(model, starts):
        return search.most_exciting_input(
            model, shape, target, starts=starts, images=images, settings=settings, seed=seed
        )

    for unit, neuron in enumerate(neurons):
        start = time.process_time()
        makers, judges = ensemble.split_members([m.subset([unit]) for m in fitted.models])
        making = MeanModel(makers).eval()
        mei = localise.localise(making, climb(making, ("noise", "grey", "natural"))).best_images[0]
        mask = mei_mask(making, mei, target)
        fit = gabor_fit.gabor_fitted_to(mei, degrees_per_pixel=degrees, mask=mask.mask, starts=3)
        own = target.within(mask.mask)
        gabor = gabor_search.best_gabor(making, shape, own, also=[[*fit.parameters.values()]], **how)
        stimuli = compare.equalise({"mei": mei, "gabor": gabor.images[0]}, own)
        table = compare.compare_stimuli(stimuli, judges)
        everyone = compare.compare_stimuli(stimuli, makers + judges)
        gain = {f"gain_over_gabor_{k}": v for k, v in compare.gain_over(table, everyone).items()}
        gain |= {"uncorrected": compare.gain_over(table, everyone, bias=1.0)["gain"]}
        true = predicted_responses(neuron, list(stimuli.values()))[:, 0]
        row = {"seed": seed, "kind": neuron.kind, "cc_norm": scores.cc_norm[unit], "fit_r": fit.r}
        row |= gain | {"true_gain": true[0] / true[1], "parts": mask.parts, "possible": 1.0}
        row |= {"predicted_count": table.loc["mei"].mean(), "true_count": true[0]}
        if neuron.gain:
            best = climb(neuron, (mei, "grey", "noise", "noise")).best_responses[0]
            row["possible"] = float(best / gabor_search.best_gabor(neuron, shape, target, **how).responses[0])
        yield row | {"seconds": time.process_time() - start}


def report(rows):
    """Print what the gains and the answers are worth, by part."""
    rows = rows.rename(columns={"gain_over_gabor_gain": "gain_over_gabor"}).assign(
        part=np.where(rows.seed.isin(CHOSEN_SEEDS), "chosen on", "held out")
    )
    rows["answer"] = pd.concat([more_than_gabor(part) for _, part in rows.groupby("seed")])
    columns = ["kind", "part", "cc_norm", "gain_over_gabor", "true_gain", "possible", "answer"]
    print(rows.sort_values(["part", "kind"])[columns].round(3).to_string(index=False))
    tuned = rows[rows.kind != "noise"]
    for name, part in [*tuned.groupby("part"), ("all", tuned)]:
        off = np.log(part.gain_over_gabor / part.true_gain)
        equal = part[part.true_gain.between(0.97, 1.03)]
        found, more = part.answer == "yes", part.possible > POSSIBLE
        print(
            f"\n{name}: {len(part)} neurons; predicted over true gain {np.exp(off.median()):.3f} (median), "
            f"rank correlation {part.gain_over_gabor.corr(part.true_gain, method='spearman'):.2f}; predicted "
            f"where the true gain is within 3 % of 1: {equal.uncorrected.median():.3f} uncorrected "
            f"(n = {len(equal)})\n"
            f"possible gain above {POSSIBLE:g}: found {int((found & more).sum())} of {int(more.sum())}; "
            f"else claimed {int((found & ~more).sum())} of {int((~more).sum())}; "
            f"yes: {found.sum()}, of which the true gain is above 1.05 in "
            f"{int((found & (part.true_gain > 1.05)).sum())}; "
            f"no: {(part.answer == 'no').sum()}, of which it is not in "
            f"{int(((part.answer == 'no') & (part.true_gain <= 1.05)).sum())}"
        )
    factor = np.exp(np.abs(np.log(tuned.predicted_count / tuned.true_count)))
    print(f"\npredicted over true counts: within a factor of two in {(factor < 2).sum()} of {len(factor)}")
    print(f"processor seconds a neuron: {rows.seconds.mean():.1f}, without the fit")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--units", type=int, default=24, help="of a seed, about")
    parser.add_argument("--rows", type=Path, default=Path("build/gain_rows"))
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once, each in its own process")
    parser.add_argument("--only", choices=("measure", "report"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.only != "report":
        how = {"jobs": arguments.jobs, "units": arguments.units}
        measure_seeds(measure, arguments.seeds, arguments.rows, **how)
    if arguments.only != "measure":
        report(read_rows(arguments.rows))


if __name__ == "__main__":
    main()
