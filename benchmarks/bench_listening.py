"""Does an MEI lie where, and is it oriented as, a recording says? What the answer is worth.

    python benchmarks/bench_listening.py --real FOLDER [--sets SET ...] [--rows FILE.csv] [--store]
    python benchmarks/bench_listening.py --run build/NAME [--metrics FOLDER/allen_metrics_SET.csv]

The first fits the default model to the scenes of each set (the files are those of bench_real.py), makes an
MEI for every unit with a receptive field among the recorded Gabors, and compares its place with the
field's and its orientation with that preferred among static gratings (the Allen Institute's figures).
Other units' MEIs are the control: how much more often a unit's own MEI is as close is what an agreement
counts for in the verdict. --store writes that, of the sets `CHOSEN_ON`, to lib/mei/recorded.json; the other
sets are the test. The second prints the same distances by verdict for a run of the report.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_real import FIELD_P, SELECTIVE
from scipy.optimize import isotonic_regression

from lib.data import conditions, session
from lib.data.sources.arrays import SCENE_HEIGHT_DEG
from lib.mei import localise, mask, recorded, search
from lib.mei.ascent import AscentSettings
from lib.models import cores, v1
from lib.responses import receptive_fields
from lib.statistics import bootstrap_interval
from lib.stimuli import metrics
from lib.stimuli.contrast import Target
from lib.stimuli.patterns import orientation_difference

HEIGHT, CONTRAST, FINEST_DETAIL, STEPS, CHUNK = 60, 0.2, 0.15, 40, 12
CHOSEN_ON = ("VISl_798911424", "VISam_760693773")


def measure(folder, name, images):
    """One row a mapped unit: place and orientation of its MEI, of its field and of its gratings."""
    with np.load(folder / f"{name}.npz") as file:
        counts, unit_ids, images = file["counts"], file["unit_ids"], images[file["image_ids"]]
    with np.load(folder / f"gabors_{name}.npz") as file:
        shown = pd.DataFrame(
            {
                c: np.broadcast_to(file[c], len(file["counts"]))
                for c in ("start_time", "stop_time", *conditions.GABOR)
            }
        ).assign(stimulus_name="gabors")
        answers = file["counts"]
    p = receptive_fields.position_test(answers, shown, permutations=500)
    mapped = np.flatnonzero(p < FIELD_P)
    field = recorded.fields(answers[:, mapped], shown)
    degrees, shape = SCENE_HEIGHT_DEG / HEIGHT, images.shape[1:]
    core = cores.CORES["v1"](shape, degrees_per_pixel=degrees).eval()
    with torch.no_grad():
        features = core(torch.as_tensor(images)[:, None])
    model = v1.fit_windowed(features, counts.mean(0), core).eval()
    target = Target(float(images.mean()), CONTRAST * float(images.std(axis=(1, 2)).mean()))
    settings = AscentSettings(STEPS, highest_frequency=FINEST_DETAIL * degrees)
    rows = []
    for part in np.array_split(np.arange(len(mapped)), max(1, len(mapped) // CHUNK)):
        own = model.subset(mapped[part]).eval()
        found = search.most_exciting_input(
            own, shape, target, starts=("natural",), images=images, settings=settings
        )
        for unit, mei in zip(part, localise.localise(own, found).best_images):
            inside = mask.mei_mask(model.subset([mapped[unit]]).eval(), mei, target).mask
            measured = metrics.stimulus_metrics(mei, mask=inside, degrees_per_pixel=degrees)
            rows.append({"mei_" + k: measured[k] for k in ("x", "y", "orientation", "spatial_frequency")})
    table = pd.DataFrame(rows, index=pd.Index(unit_ids[mapped], name="unit_id"))
    table[["map_x", "map_y"]] = field[["x", "y"]].to_numpy()
    figures = pd.read_csv(folder / f"allen_metrics_{name}.csv", index_col="unit_id").reindex(table.index)
    table["grating_orientation"] = figures.pref_ori_sg.where(figures.g_osi_sg > SELECTIVE)
    return table.assign(set=name).reset_index()


# ---- what an agreement is worth -----------------------------------------------------------------


def pairs(rows, name):
    """(own (units,), other (units x (units - 1),)) values of a figure, other units of the same set."""
    own, other = [], []
    for _, table in rows.groupby("set"):
        if name == "map_distance":
            a, b = (table[[f"{who}_x", f"{who}_y"]].to_numpy() for who in ("mei", "map"))
            off = np.hypot(*(a[:, None] - b).transpose(2, 0, 1))
        else:
            table = table[table.grating_orientation.notna()]
            off = orientation_difference(
                table.mei_orientation.to_numpy()[:, None], table.grating_orientation.to_numpy()
            )
        apart = ~np.eye(len(off), dtype=bool)
        own.append(off.diagonal())
        other.append(off[apart])
    return np.concatenate(own), np.concatenate(other)


def log_ratios(own, other, edges):
    """Log of the share of own over that of other units' values between edges, one unit added to own.

    What is nearer speaks no less for an MEI: where the shares say otherwise, neighbours are pooled.
    """
    own, other = (
        np.bincount(np.searchsorted(edges, v, "right"), minlength=len(edges) + 1) for v in (own, other)
    )
    control = other / other.sum()
    share = (own + control) / (own.sum() + 1)
    fall = isotonic_regression(share / control, weights=control, increasing=False)
    return np.log(fall.x)


def show(rows):
    for name, edges in recorded.EDGES.items():
        own, other = pairs(rows, name)
        low, high = bootstrap_interval(own, lambda v, axis: np.median(v, axis=axis))
        print(
            f"{name}: {len(own)} units, median {np.median(own):.1f} ({low:.1f}, {high:.1f}), other units "
            f"{np.median(other):.1f}; within {edges[0]:g}: {np.mean(own < edges[0]):.2f}, other units "
            f"{np.mean(other < edges[0]):.2f}; log ratios {np.round(log_ratios(own, other, edges), 2)}"
        )


def report(rows, *, store):
    for name, table in rows.groupby("set"):
        print(f"\n{name}{' (chosen on)' if name in CHOSEN_ON else ''}")
        show(table)
    chosen = rows[rows.set.isin(CHOSEN_ON)]
    print("\nChosen on, together")
    show(chosen)
    if store:
        content = {"about": {"sets": sorted(set(chosen.set)), "units": {}}}
        for name, edges in recorded.EDGES.items():
            own, other = pairs(chosen, name)
            content["about"]["units"][name] = len(own)
            content[name] = {"log_ratio": log_ratios(own, other, edges).round(3).tolist()}
        recorded.STORED.write_text(json.dumps(content, indent=1) + "\n")
        print(f"stored in {recorded.STORED}")


def of_run(folder, metrics_file):
    """Distances and turns by verdict, of the selected units of a finished run."""
    units = pd.read_csv(folder / "units.csv", index_col="unit_id")
    units = units[units.verdict.notna()]
    mapped = units[(units.map_p < FIELD_P) & units.mei_x.notna()]
    distance = np.hypot(
        mapped.mei_x.to_numpy()[:, None] - mapped.map_x.to_numpy(),
        mapped.mei_y.to_numpy()[:, None] - mapped.map_y.to_numpy(),
    )
    values = {"distance (deg)": (mapped.index, distance)}
    if metrics_file:
        figures = pd.read_csv(metrics_file, index_col="unit_id").reindex(units.index)
        selective = figures.index[(figures.g_osi_sg > SELECTIVE) & figures.pref_ori_sg.notna()]
        turn = orientation_difference(
            units.mei_orientation[selective].to_numpy()[:, None], figures.pref_ori_sg[selective].to_numpy()
        )
        values["turn (deg)"] = (selective, turn)
    rows = []
    for name, (index, off) in values.items():
        for word in units.verdict.unique():
            here = (units.verdict[index] == word).to_numpy()
            others = off[here][~np.eye(len(off), dtype=bool)[here]]
            rows.append((name, word, here.sum(), np.median(off.diagonal()[here]), np.median(others)))
    print(
        pd.DataFrame(rows, columns=["figure", "verdict", "units", "median", "other units"])
        .round(1)
        .to_string()
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path)
    parser.add_argument("--sets", nargs="+", default=[*CHOSEN_ON, "VISp_798911424"])
    parser.add_argument("--rows", type=Path, default=Path("build/listening.csv"))
    parser.add_argument("--store", action="store_true", help="write lib/mei/recorded.json")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--metrics", type=Path)
    arguments = parser.parse_args()
    if arguments.run:
        of_run(arguments.run, arguments.metrics)
        return
    rows = pd.read_csv(arguments.rows) if arguments.rows.exists() else pd.DataFrame({"set": []})
    with np.load(arguments.real / "scenes_118.npz") as file:
        images = session.resize(file["images"], HEIGHT)
    for name in arguments.sets:
        if name not in set(rows.set):
            rows = pd.concat([rows, measure(arguments.real, name, images)], ignore_index=True)
            rows.to_csv(arguments.rows, index=False)
    report(rows, store=arguments.store)


if __name__ == "__main__":
    main()
