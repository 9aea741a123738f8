"""How much recording an MEI needs, with more units and at a finer resolution than the report.

python benchmarks/bench_power.py [--units 28] [--height 40]
"""

import argparse
import time

import torch

from lib.mei import recovery

RATES = (0.25, 1.0, 4.0)
DESIGNS = [(n, repeats, rate) for rate in RATES for n in (30, 60, 118, 240) for repeats in (5, 15, 50)]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=28)
    parser.add_argument("--height", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--real", help="not used: responses here are simulated")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    recovered = recovery.simulate_recovery(DESIGNS, units=arguments.units, image_height=arguments.height)
    table = recovery.recovery_by_design(recovered)
    print(
        "\nTrue response to the MEI as a part of the optimum's, median over "
        f"{recovered.unit_id.nunique()} units [95 % interval]; {time.perf_counter() - start:.0f} s"
    )
    print(table.round(3).to_string(index=False))
    for rate in RATES:
        best = recovery.shortest_design(table, goal=0.85, rate=rate)
        print(
            f"firing rate x {rate:g}: "
            + (
                "no design reaches .85"
                if best is None
                else f".85 reached with {best.images:.0f} images x {best.repeats:.0f} repeats, "
                f"{best.minutes:.0f} min of stimulation"
            )
        )
