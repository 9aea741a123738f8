"""How many of a run's conclusions are true? Counted over simulated sessions, of which the truth is known.

    python benchmarks/bench_sentences.py [--seeds 101 102 103] [--units 12] [--run FOLDER ...]

Each seed is a session that the whole pipeline analyses (a declaration in build/, of the size of
tests/small.yml); --run takes finished runs instead. What the first page and the conclusions claim is held
against true responses:

answers   yes: in truth the masked MEI evokes more than 1.05 times what the best Gabor does; no: it does not.
          `missed`: not yes where the true optimum evokes more than 1.15 times that
gains     a median gain that is said to exceed what other images could have changed is above 1 in truth
verdicts  a MEI with the best word evokes at least .85 of the rise to the true optimum
models    the model that is said to predict better does so against the true expected responses
place     MEIs that are said to lie at the recorded fields are within 5 degrees of the true ones (median)
drift     a unit that is said to drift does: none of these sessions' units do
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.session import load_session
from lib.data.simulated_neurons import TrueUnits
from lib.files import ROOT
from lib.mei.calibration import VERDICTS
from lib.models import fit_run
from lib.models.ensemble import predicted_responses
from lib.population import table as population_table
from lib.population import tests as population_tests

DECLARATION = """name: sentences_{seed}
session: {seed}
simulation: {{units: {units}, scene_repeats: 12, gabor_repeats: 6, grating_repeats: 4, movie_one_frames: 60,
  movie_one_repeats: 2, movie_three_frames: 60, movie_three_repeats: 2}}
oracle: {{bootstrap: 200}}
cnn: {{folds: 4, published_units: 0, permutations: 1000}}
mei: {{steps: 60, published_steps: 5}}
gabor: {{grid: quick, refine_from: 5, bootstrap: 200}}
power: {{images: [30], repeats: [5], rates: [1], units: 7}}
audit: {{steps: 5}}
"""


def make(seed, *, units):
    """Run the pipeline on a simulated session; returns its folder."""
    path = ROOT / "build" / f"sentences_{seed}.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(DECLARATION.format(seed=seed, units=units))
    what = ["--notebook", "08_population", "--cores", "1"]  # and what it needs, without audit and book
    subprocess.run([sys.executable, "-m", "workflow.report", str(path), *what], cwd=ROOT, check=False)
    return ROOT / "build" / f"sentences_{seed}"


def claims(folder):
    """Yield (what, whether it is true) for every claim of a run."""
    table = pd.read_csv(folder / "units.csv").set_index("unit_id")
    chosen = table[table.selected & table.mei_true_response.notna()]
    true_gain = chosen.mei_true_response / chosen.gabor_true_response
    for unit, answer in chosen.more_than_gabor.items():
        if answer in ("yes", "no"):
            yield f"answer {answer}", (true_gain[unit] > 1.05) == (answer == "yes")
        possible = chosen.optimum_true_response[unit] / chosen.gabor_true_response[unit]
        if answer != "yes" and possible > 1.15:
            yield "answer, missed", False
    judged, folds = population_table.judged(folder, chosen.index)
    tests = population_tests.gain_tests(judged, folds=folds)
    for name in tests.index[(tests.p_holm < 0.05) & tests.above.astype(bool)]:
        yield f"gain over {name}", (chosen.mei_true_response / chosen[f"{name}_true_response"]).median() > 1
    for unit in chosen.index[chosen.verdict.eq(VERDICTS[0])]:
        mei = json.loads((folder / "units" / str(unit) / "mei.json").read_text())["scalars"]
        grey, optimum = mei["grey_true_response"], mei["optimum_true_response"]
        yield (
            f"verdict {chosen.verdict[unit]}",
            mei["whole_mei_true_response"] - grey > 0.85 * (optimum - grey),
        )
    session, fits = load_session(folder), fit_run.load_fits(folder)
    truth = TrueUnits.load(folder / "truth.h5").subset(session.unit_ids)
    expected = predicted_responses(truth, session.images)[None]
    better = {
        who: population_tests.model_gains(
            fits.predictions, counts, session.unit_ids, model=fits.model, resamples=200
        )
        for who, counts in (("said", session.counts), ("true", expected))
    }
    for kind, row in better["said"][better["said"].n > 1].iterrows():
        if row.low > 0 or row.high < 0:
            true = better["true"].median_difference[kind]
            yield f"{fits.model} against {kind}", np.sign(true) == np.sign(row.median_difference)
    known, test = population_tests.field_distances(chosen)
    if test is not None and test["p"] < 0.05:
        off = chosen.loc[known.index, "mei_position_error_deg"].median()
        yield "place of the MEIs", off < 5
    for _ in table.index[table.drifts.astype(bool)]:
        yield "drift of a unit", False


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    parser.add_argument("--units", type=int, default=12)
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="folders of finished runs")
    arguments = parser.parse_args()
    folders = arguments.run or [make(seed, units=arguments.units) for seed in arguments.seeds]
    rows = [
        {"run": folder.name, "claim": what, "true": bool(right)}
        for folder in folders
        if (folder / "units.csv").exists()
        for what, right in claims(folder)
    ]
    table = pd.DataFrame(rows, columns=["run", "claim", "true"])
    print(table.groupby("claim").true.agg(claims="size", true="sum").to_string())
    said = table[table.claim != "answer, missed"]
    print(f"{said.true.sum()} of {len(said)} claims are true, over {table.run.nunique()} sessions")


if __name__ == "__main__":
    main()
