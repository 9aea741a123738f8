"""Does a closed loop say what is true? Simulated next days, on seeds that no one tuned on.

    python benchmarks/bench_loop.py [--seeds 101 102] [--days 20] [--units 24] [--folds 10]

For each seed a session of natural scenes and Gabors is simulated, the default model fitted to it as the
report does, and an MEI made and judged for every unit that fires, selected or not. The stimuli are exported
as `make stimuli` does, to build/bench_loop/<seed>/, and shown on many simulated days. Per verdict: the share
of MEIs that a day confirms and refutes; for units that prefer nothing the same. Coverage: how often the
interval of the recorded gain of the MEI over the best natural image holds the true ratio of that day's
expected counts. Null days: labels of the unit's own stimuli permuted within each block.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch

from lib.data.session import Session, resize
from lib.data.simulated_neurons import SCENE_HEIGHT, TrueUnits, make_units
from lib.data.simulated_session import COLUMNS, dead_leaves, expected_counts, gabor_conditions, shared_gain
from lib.experiment import confirm, folder, next_day, stimuli
from lib.experiment.folder import read_picture
from lib.experiment.responses import read_responses
from lib.experiment.screen import Screen
from lib.experiment.stimuli import OTHERS
from lib.files import ROOT
from lib.mei import localise, search, verdict
from lib.mei import recorded as mei_recorded
from lib.mei.ascent import AscentSettings
from lib.mei.mask import mei_mask
from lib.models import crossvalidation, ensemble
from lib.models.ensemble import predicted_responses
from lib.stimuli import metrics
from lib.stimuli.contrast import Target, set_mean_contrast

IMAGES, REPEATS, GABOR_REPEATS, HEIGHT = 118, 50, 15, 60  # as in the report
CONTRAST, FINEST_DETAIL, STEPS = 0.2, 0.15, 80
CHUNK = 12  # units an ascent takes together


def recorded(seed, units):
    """A session of natural scenes, and the true units."""
    table = make_units(units, seed=[seed, 0])
    truth = TrueUnits(table[table.truth_kind != "silent"]).eval()
    rng = np.random.default_rng([seed, 4])
    shown = dead_leaves(IMAGES, rng=rng).astype(np.float32) / 255
    with torch.no_grad():
        expected = truth(torch.from_numpy(shown)[:, None]).numpy()
    gain = rng.permutation(shared_gain(0.25 * np.arange(IMAGES * REPEATS), rng=rng))
    counts = rng.poisson(expected * gain.reshape(REPEATS, IMAGES, 1)).astype(np.float32)
    images = resize(shown, HEIGHT)
    gabors = gabor_conditions()
    gabors = pd.concat([gabors] * GABOR_REPEATS, ignore_index=True)
    start = 0.25 * np.arange(len(gabors))
    gabors = gabors.assign(start_time=start, stop_time=start + 0.25).reindex(columns=COLUMNS)
    answers = rng.poisson(expected_counts(truth, gabors, images=shown, movies={}))
    areas = truth.table.assign(structure="VISam")[["structure"]]
    degrees = SCENE_HEIGHT / HEIGHT
    return truth, Session(
        name=f"seed {seed}",
        source="simulated",
        units=areas,
        images=images,
        image_ids=np.arange(IMAGES),
        degrees_per_pixel=degrees,
        counts=counts,
        window=(0.05, 0.3),
        presentations=gabors,
        presentation_counts=answers,
    )


def analysed(session, seed, folds):
    """What the report finds of each unit, as `lib.experiment.stimuli.unit_stimuli` returns it."""
    images, degrees = session.images, session.degrees_per_pixel
    fitted = crossvalidation.cross_validate(
        images, session.counts, folds=folds, seed=seed, degrees_per_pixel=degrees
    )
    scores = crossvalidation.prediction_scores(fitted.predictions, session.counts)
    target = Target(session.mean_luminance, CONTRAST * session.target_contrast)
    settings = AscentSettings(STEPS, highest_frequency=FINEST_DETAIL * degrees)
    found = {}
    for part in np.array_split(np.arange(len(session.units)), max(1, round(len(session.units) / CHUNK))):
        makers, judges = ensemble.split_members([model.subset(part) for model in fitted.models])
        making, judging = (ensemble.MeanModel(models).eval() for models in (makers, judges))
        climbed = search.most_exciting_input(
            making,
            images.shape[1:],
            target,
            starts=("noise", "grey", "natural"),
            images=images,
            settings=settings,
            seed=seed,
        )
        meis = localise.localise(making, climbed).best_images
        masks = [mei_mask(making, mei, target, unit=k).mask for k, mei in enumerate(meis)]
        own = range(len(part))
        judged = verdict.transfer(
            making, judging, meis, target, units=own, natural_images=images, masks=np.stack(masks)
        )
        for k, column in enumerate(part):
            evidence = verdict.evidence(
                judged.iloc[k], prediction=scores.iloc[column].to_dict(), counts=session.counts[:, :, column]
            )
            shape = metrics.stimulus_metrics(meis[k], mask=masks[k], degrees_per_pixel=degrees)
            heard = mei_recorded.disagreement(
                session.presentation_counts[:, column],
                session.presentations,
                **{name: shape[name] for name in ("x", "y", "orientation")},
            )
            under = target.within(masks[k])
            natural = set_mean_contrast(images, under)
            best = natural[predicted_responses(making, natural, units=[k])[:, 0].argmax()]
            masked = set_mean_contrast(meis[k], under)
            found[int(session.unit_ids[column])] = {
                "images": {"mei": masked, "mei_whole": meis[k], "image": best},
                "mask": masks[k],
                "target": target,
                "judges": [judge.subset([k]).eval() for judge in judges],
                "folds": folds,
                "verdict": verdict.judge(evidence, heard)["verdict"],
            }
    return found


def exported(seed, units, folds):
    """The exported stimuli of a seed, the session and the true units."""
    started = time.time()
    truth, session = recorded(seed, units)
    table, images = stimuli.tabulate(analysed(session, seed, folds), session)
    run = ROOT / "build" / "bench_loop" / str(seed)
    run.mkdir(parents=True, exist_ok=True)
    truth.save(run / "truth.h5")
    screen = Screen(480, 300, 0.41308, session.mean_luminance)
    shown = folder.write_set(
        run, session, table, images, screen, minutes=60, duration=0.25, gap=0.1, seed=seed
    )
    print(f"seed {seed}: {len(shown.units)} units, {time.time() - started:.0f} s", flush=True)
    return run, shown, session, truth


def half_levels(shown):
    """Largest difference of a picture from its array, grey levels."""
    screen, degrees = shown.screen, shown.degrees_per_pixel
    largest = 0.0
    for name, image in shown.images.items():
        exact = screen.values(screen.render(image, degrees_per_pixel=degrees))
        largest = max(largest, float(np.abs(read_picture(shown, name) - exact).max()))
    return largest


def permuted(shown, rng):
    """The set with the names of each unit's own stimuli dealt out anew within each block."""
    order = shown.presentations.copy()
    own = shown.table.unit_id
    unit = order.file.map(own)
    for _, rows in order[unit > 0].groupby([order.block, unit]):
        order.loc[rows.index, "file"] = rng.permutation(rows.file.to_numpy())
    return order


def days_of(run, shown, session, truth, days):
    """A row per unit and simulated day: outcome, whether intervals hold the truth, the null day's outcome."""
    seen = next_day.seen_images(shown)
    own = shown.table[shown.table.unit_id > 0].reset_index()
    files = own.pivot(index="unit_id", columns="kind", values="file")
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
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--real", help="not used: there is no recorded loop yet")
    given = parser.parse_args()
    tables = []
    for seed in given.seeds:
        table, levels = days_of(*exported(seed, given.units, given.folds), given.days)
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
