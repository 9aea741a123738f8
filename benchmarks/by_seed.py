"""Measure seeds in processes of their own, one thread each; what a seed gave stays, a file a seed."""

import multiprocessing
import os
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd
import torch


def measure_seeds(measure, seeds, folder, *, jobs=1, **how):
    """Rows of `measure(seed, **how)` for every seed, where `folder` does not hold them yet.

    A seed that fails is told and does not stop the others.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    left = [seed for seed in seeds if not (folder / f"seed_{seed}.csv").exists()]
    if jobs == 1:
        for seed in left:
            _measure(measure, seed, folder, how)
        return read_rows(folder)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=spawn, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for done in as_completed([pool.submit(_measure, measure, seed, folder, how) for seed in left]):
            done.result()
    return read_rows(folder)


def _measure(measure, seed, folder, how):
    try:
        rows = pd.DataFrame(measure(seed, **how))
    except Exception:
        print(f"seed {seed} failed\n{traceback.format_exc()}", flush=True)
        return
    partial = folder / f".seed_{seed}"
    rows.to_csv(partial, index=False)
    os.replace(partial, folder / f"seed_{seed}.csv")


def read_rows(path):
    """Rows of a folder with a file a seed, or of one file."""
    path = Path(path)
    if path.is_file():
        return pd.read_csv(path)
    files = sorted(path.glob("seed_*.csv"), key=lambda file: int(file.stem[5:]))
    return pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
