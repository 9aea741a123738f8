"""Jobs of the pipeline that are no notebooks: what is done for all units of a run at once.

python -m workflow.jobs models|gabor_grid|power|stimuli PARAMETERS
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from lib.errors import InputError
from lib.experiment.folder import write_none, write_stimuli
from lib.gabors.grid import search_run
from lib.machine import cores, device_name, use_device
from lib.mei.recovery import choose_designs, recovery_by_design, recovery_by_kind, simulate_recovery
from lib.models.fit_run import fit_models
from lib.stages import STAGES, Stage
from workflow.requests import expected_memory


def models(stage, parameters):
    """Fit the models of all units; 04_cnn loads them."""
    torch.set_num_threads(cores())  # the only job while it runs
    stage.use(stage.run_folder / "session.h5")
    fit_models(stage.run_folder, session_hash=stage.inputs["session.h5"], **parameters)
    stage.save({}, path="models/models")
    (stage.run_folder / "models" / "scores.csv").touch()


def gabor_grid(stage, parameters):
    """Show the grid of Gabors to the models of all units; 06_gabor goes on from it."""
    torch.set_num_threads(1)  # the cores work side by side on batches
    stage.use(stage.run_folder / "session.h5")
    found = search_run(stage.run_folder, progress=sys.stderr.isatty(), **parameters)
    stage.save(
        {"grid": parameters["grid"], "n_grid": found.n_grid},
        {"parameters": found.parameters, "responses": found.responses},
    )


def power(stage, parameters):
    """Recover the optima of simulated neurons from recordings of several sizes, for 08_population."""
    designs = choose_designs(*(parameters.pop(name) for name in ("images", "repeats", "rates")))
    recovered = simulate_recovery(designs, progress=sys.stderr.isatty(), **parameters)
    tables = {"designs": recovery_by_design(recovered), "kinds": recovery_by_kind(recovered)}
    found = {name: table.to_dict("list") for name, table in tables.items()}
    stage.save({"units": recovered.unit_id.nunique()} | found)


def stimuli(stage, parameters):
    """Write the folder of stimuli for the next experiment."""
    for name in STAGES["stimuli"].needs:
        stage.use(name)
    try:
        found = {"set": write_stimuli(stage.run_folder, **parameters).name}
    except InputError as error:  # the report goes on, and `make stimuli` says it again
        write_none(stage.run_folder, str(error))
        found = {"reason": str(error)}
    stage.save(found, path="stimuli/provenance")


JOBS = {job.__name__: job for job in (models, gabor_grid, power, stimuli)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("parameters", type=json.loads, help="JSON text: run_folder, and those of the job")
    given = parser.parse_args()
    run_folder = Path(given.parameters.pop("run_folder"))
    stage = Stage(given.job, run_folder, None, dict(given.parameters), time.time())
    try:
        use_device(given.parameters.pop("device", "cpu"), needs=expected_memory(run_folder, given.job))
        JOBS[given.job](stage, given.parameters)
    except InputError as error:
        sys.exit(f"{given.job}: {error}")
    except torch.OutOfMemoryError:
        sys.exit(f"{given.job}: {device_name()} has too little memory for it; take device: cpu")
    print(f"{given.job}: done ({time.time() - stage.started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
