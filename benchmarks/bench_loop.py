"""Does a closed loop say what is true? Simulated next days of whole runs on seeds that no one tuned on.

    python benchmarks/bench_loop.py [--seeds 101 102] [--days 20] [--units 24] [--cores N]

For each seed a session is simulated and analysed by the pipeline, `make stimuli` included, for all units
whether they are selected or not (silent ones left out); runs go to build/loop_<seed>/ and are kept. Then its
pictures are shown on many simulated days. Per verdict of the run: the share of MEIs that a day confirms and
refutes; for simulated units that prefer nothing the same. Coverage: how often the interval of the recorded
gain of the MEI over the best natural image holds the true ratio of that day's expected counts. Null days:
labels of the unit's own stimuli permuted within each block.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from lib.data.session import load_session
from lib.data.simulated_neurons import TrueUnits
from lib.data.sources.simulated import STRUCTURE, draw_units
from lib.experiment import confirm, next_day
from lib.experiment.folder import read_picture, read_stimuli
from lib.experiment.responses import read_responses
from lib.experiment.stimuli import OTHERS
from lib.files import ROOT
from workflow.report import make_report

QUICK = {
    "cnn": {"baselines": [], "published_units": 0, "permutations": 100},
    "mei": {"steps": 120, "published_steps": 1},
    "gabor": {"grid": "quick", "refine_from": 3, "bootstrap": 20},
    "oracle": {"bootstrap": 20},
    "power": {"images": [30], "repeats": [5], "rates": [1], "units": 7},
}


def run_of(seed, units, cores):
    """Make the run of a seed as far as its stimuli; returns its folder."""
    truth, _ = draw_units(units, seed=seed)
    table = truth.table[(truth.table.structure == STRUCTURE) & (truth.table.truth_kind != "silent")]
    table = table[table.index < 951010000]  # those that fail the quality filter come after
    declaration = {
        "name": f"loop_{seed}",
        "session": seed,
        "units": table.index.tolist(),
        "simulation": {"units": units, "gabor_repeats": 2, "grating_repeats": 2},
        "stimuli": {"units": "selected"},
        **QUICK,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loop.yml"
        path.write_text(yaml.safe_dump(declaration))
        if make_report(path, stimuli=True, cores=cores):
            raise SystemExit(f"the run of seed {seed} failed")
    return ROOT / "build" / f"loop_{seed}"


def half_levels(shown):
    """Largest difference of a picture from its array, grey levels."""
    screen, degrees = shown.screen, shown.degrees_per_pixel
    return max(
        np.abs(
            read_picture(shown, name) - screen.values(screen.render(image, degrees_per_pixel=degrees))
        ).max()
        for name, image in shown.images.items()
    )


def permuted(shown, rng):
    """The set with the names of each unit's own stimuli dealt out anew within each block."""
    order = shown.presentations.copy()
    own = shown.table.unit_id
    unit = order.file.map(own)
    for _, rows in order[unit > 0].groupby([order.block, unit]):
        order.loc[rows.index, "file"] = rng.permutation(rows.file.to_numpy())
    return order


def days_of(run, days):
    """A row a unit and simulated day: outcome, whether intervals hold the truth, the null day's outcome."""
    shown, session = read_stimuli(run / "stimuli"), load_session(run)
    truth = TrueUnits.load(run / "truth.h5")
    seen = next_day.seen_images(shown)
    files = shown.table.reset_index().pivot(index="unit_id", columns="kind", values="file")
    rows = []
    for day in range(days):
        recording = read_responses(
            *next_day.answer(run, shown, window=session.window, seed=1000 + day), shown, session
        )
        units, _ = confirm.judge(recording, shown, session)
        moved, _ = next_day.draw_day(truth, shown, seed=1000 + day)
        expected = pd.DataFrame(
            next_day.expected_responses(moved, seen), index=shown.table.index, columns=moved.table.index
        )
        order = permuted(shown, np.random.default_rng([day, 21]))
        null, _ = confirm.judge(recording, type(shown)(**vars(shown) | {"presentations": order}), session)
        for unit, row in units.iterrows():
            true = {kind: expected.loc[file, unit] for kind, file in files.loc[unit].dropna().items()}
            mei, image, others = true["mei"], true["image"], np.mean([true[kind] for kind in OTHERS])
            rows.append(
                {
                    "day": day,
                    "unit": unit,
                    "kind": moved.table.truth_kind[unit],
                    "before": row.before,
                    "outcome": row.outcome,
                    "true": bool(mei > image and mei > others),
                    "covered": row.image_gain_low <= mei / image <= row.image_gain_high,
                    "others_covered": row.others_gain_low <= mei / others <= row.others_gain_high,
                    "null": null.outcome[unit],
                }
            )
    return pd.DataFrame(rows), half_levels(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102])
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--units", type=int, default=24)
    parser.add_argument("--cores", type=int)
    parser.add_argument("--real", help="not used: there is no recorded loop yet")
    given = parser.parse_args()
    tables = []
    for seed in given.seeds:
        table, levels = days_of(run_of(seed, given.units, given.cores), given.days)
        print(f"seed {seed}: pictures differ from their arrays by at most {levels:.3f} grey levels")
        tables.append(table.assign(seed=seed))
    table = pd.concat(tables)
    table["prefers"] = np.where(table.kind == "untuned", "nothing", "something")
    for by in ("before", "prefers", "kind"):
        groups = table.groupby(by)
        shares = groups.outcome.value_counts(normalize=True).unstack(fill_value=0)
        shares["MEI truly above both"] = groups.true.mean()
        shares["units"] = table.drop_duplicates(["seed", "unit"]).groupby(by).size()
        print(f"\noutcomes by {by}\n{shares.round(3)}")
    wrong = table[~table.true]
    share = (wrong.outcome == "confirmed").mean()
    print(f"\nconfirmed though not truly above both: {share:.3f} of {len(wrong)}")
    print(f"coverage of the gain over the natural image: {table.covered.mean():.3f} of {len(table)}")
    print(f"coverage of the gain over other units' MEIs: {table.others_covered.mean():.3f}")
    print(f"null days: confirmed {(table.null == 'confirmed').mean():.4f} of {len(table)}")


if __name__ == "__main__":
    main()
