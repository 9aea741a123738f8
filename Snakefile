# The pipeline. `make report` calls it through lib/report.py, which checks params.yml first and gives
# the run's folder as working directory: every output below is a path inside build/<name>/.
import json
import sys
from shlex import quote

from snakemake.jobs import GroupJob, GroupJobFactory

from lib.dependencies import code_hash
from lib.params import ROOT, input_files, load_params, notebook_parameters, run_folder

# Snakemake (9.27) keeps groups by what they held before it merged several into one job (BATCH): grouped
# anew, after the checkpoint, the kept ones grow further, and are submitted again and again.
GroupJobFactory.new = lambda self, name, jobs, resources: GroupJob(name, frozenset(jobs), resources)

P = load_params(config["params"])
UNIT_STAGES = {  # and what each needs beside the session, which stands for itself by its hash
    "cnn": ["models/scores.csv"], "mei": ["units/{unit}/cnn.json"],
    "gabor": ["gabor_grid.json", "units/{unit}/mei.json"], "metrics": ["units/{unit}/gabor.json"]}
NOTEBOOK = {stage: f"{n:02d}_{stage}" for n, stage in enumerate(UNIT_STAGES, 4)}
# The name of the output says which notebook. A unit that fails does not stop the others: result says so.
EXECUTE = f"{sys.executable} -m lib.execute {{output[0]}} {{params.p}}"
GRID = quote(json.dumps({"run_folder": str(run_folder(P)), "model": P["cnn"]["model"],
                         "grid": P["gabor"]["grid"], "contrast": P["mei"]["contrast"]}))


def given(stage):
    """Parameters of a stage as JSON text: a change of a value redoes just what depends on it."""
    def parameters(wildcards):
        unit = int(wildcards.unit) if "unit" in wildcards.keys() else None
        return quote(json.dumps(notebook_parameters(P, stage, unit)))
    return parameters


def selected(wildcards):
    """Ids of the selected units, known when 03_oracle has run."""
    with open(checkpoints.oracle.get().output.selected) as file:
        return json.load(file)


def every(ending):
    """The notebooks (ipynb) or the results (json) of every stage of every selected unit."""
    names = {"ipynb": NOTEBOOK.values(), "json": NOTEBOOK}[ending]
    return lambda wildcards: [f"units/{unit}/{name}.{ending}"
                              for unit in selected(wildcards) for name in names]


rule report:
    input: "site.done", "units.csv", every("json"), every("ipynb")

rule data:
    input: input_files(P)
    output: "notebooks/01_data.ipynb", "session.h5", "session.sha256"
    params: p=given("data"), code=code_hash("notebooks/01_data.ipynb", f"sources/{P['source']}")
    shell: EXECUTE

rule rasterplot:
    input: "session.h5"
    output: "notebooks/02_rasterplot.ipynb", "rasterplot.json"
    params: p=given("rasterplot"), code=code_hash("notebooks/02_rasterplot.ipynb")
    shell: EXECUTE

checkpoint oracle:
    input: "session.h5"
    output: "notebooks/03_oracle.ipynb", "oracle.csv", selected="selected.json"
    params: p=given("oracle"), code=code_hash("notebooks/03_oracle.ipynb")
    shell: EXECUTE

rule models:  # of all units at once; 04_cnn loads them
    input: "session.h5", ancient("oracle.csv")
    output: "models/scores.csv", "models/models.json"
    params: p=given("cnn"), code=code_hash("lib/fitting.py")
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.fitting {{params.p}}"

rule gabor_grid:  # of all units at once; 06_gabor goes on from it
    input: "session.h5", "models/scores.csv"
    output: "gabor_grid.json", "gabor_grid.npz"
    params: p=GRID, code=code_hash("lib/gabor_search.py")
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.gabor_search {{params.p}}"

for stage, files in UNIT_STAGES.items():
    rule:
        name: stage
        input: "session.sha256", files
        output: f"units/{{unit}}/{NOTEBOOK[stage]}.ipynb", f"units/{{unit}}/{stage}.json"
        params: p=given(stage), code=code_hash(f"notebooks/{NOTEBOOK[stage]}.ipynb")
        shell: EXECUTE + " --result {output[1]}"

rule power:  # simulated neurons, whatever the source
    output: "power.json"
    params: p=given("power"), code=code_hash("lib/power.py")
    shell: f"{sys.executable} -m lib.power {{params.p}}"

rule population:
    input: "session.h5", "rasterplot.json", "oracle.csv", "power.json", "models/scores.csv",
        every("json")
    output: "notebooks/08_population.ipynb", "units.csv", "summary.json"
    params: p=given("population"), code=code_hash("notebooks/08_population.ipynb")
    shell: EXECUTE

rule audit:
    input: "session.h5", "oracle.csv", "models/scores.csv", "units.csv", "summary.json"
    output: "notebooks/09_audit.ipynb", "audit.json"
    params: p=given("audit"), code=code_hash("notebooks/09_audit.ipynb")
    shell: EXECUTE

rule book:
    input:
        str(ROOT / "_config.yml"), str(ROOT / "profiles/slurm/config.yaml"),  # whose requests it shows
        [str(f) for f in sorted((ROOT / "lib").rglob("*.py"))],  # the book shows their docstrings
        [str(f) for f in sorted((ROOT / "book").rglob("*")) if f.is_file()],
        "notebooks/01_data.ipynb", "notebooks/02_rasterplot.ipynb", "notebooks/03_oracle.ipynb",
        "notebooks/08_population.ipynb", "notebooks/09_audit.ipynb", "units.csv", "summary.json",
        every("ipynb")
    output: touch("site.done")  # not the page itself: the old site stays until a new one is whole
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.book ."
