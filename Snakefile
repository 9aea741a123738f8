# The pipeline. `make report` calls it through lib/report.py, which checks params.yml first and gives
# the run's folder as working directory: every output below is a path inside build/<name>/.
import json
import sys
from shlex import quote

from lib.dependencies import cells_hash, used_files
from lib.params import ROOT, input_files, load_params, notebook_parameters, run_folder

P = load_params(config["params"])
UNIT_STAGES = {  # and what each needs beside the session
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


def needs(name, *modules):
    """The modules of lib that a notebook uses; `text`, not the file, says whether it has changed."""
    return used_files(f"notebooks/{name}.ipynb", *modules)[1:]


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
    input:
        needs("01_data", f"sources/{P['source']}"),
        input_files(P)
    output: "notebooks/01_data.ipynb", "session.h5"
    params: p=given("data"), text=cells_hash("01_data")
    shell: EXECUTE

rule rasterplot:
    input: needs("02_rasterplot"), "session.h5"
    output: "notebooks/02_rasterplot.ipynb", "rasterplot.json"
    params: p=given("rasterplot"), text=cells_hash("02_rasterplot")
    shell: EXECUTE

checkpoint oracle:
    input: needs("03_oracle"), "session.h5"
    output: "notebooks/03_oracle.ipynb", "oracle.csv", selected="selected.json"
    params: p=given("oracle"), text=cells_hash("03_oracle")
    shell: EXECUTE

rule models:  # of all units at once; 04_cnn loads them
    input: used_files("lib/fitting.py"), "session.h5", ancient("oracle.csv")
    output: "models/scores.csv", "models/models.json"
    params: p=given("cnn")
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.fitting {{params.p}}"

rule gabor_grid:  # of all units at once; 06_gabor goes on from it
    input: used_files("lib/gabor_search.py"), "session.h5", "models/scores.csv"
    output: "gabor_grid.json", "gabor_grid.npz"
    params: p=GRID
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.gabor_search {{params.p}}"

for stage, files in UNIT_STAGES.items():
    rule:
        name: stage
        input: needs(NOTEBOOK[stage]), "session.h5", files
        output: f"units/{{unit}}/{NOTEBOOK[stage]}.ipynb", f"units/{{unit}}/{stage}.json"
        params: p=given(stage), text=cells_hash(NOTEBOOK[stage])
        shell: EXECUTE + " --result {output[1]}"

rule power:  # simulated neurons, whatever the source
    input: used_files("lib/power.py")
    output: "power.json"
    params: p=given("power")
    shell: f"{sys.executable} -m lib.power {{params.p}}"

rule population:
    input:
        needs("08_population"), "session.h5", "rasterplot.json", "power.json",
        "oracle.csv", "models/scores.csv", every("json")
    output: "notebooks/08_population.ipynb", "units.csv", "summary.json"
    params: p=given("population"), text=cells_hash("08_population")
    shell: EXECUTE

rule audit:
    input:
        needs("09_audit"), "session.h5", "oracle.csv", "models/scores.csv", "units.csv",
        "summary.json"
    output: "notebooks/09_audit.ipynb", "audit.json"
    params: p=given("audit"), text=cells_hash("09_audit")
    shell: EXECUTE

rule book:
    input:
        str(ROOT / "_config.yml"),
        [str(f) for f in sorted((ROOT / "lib").rglob("*.py"))],  # the book shows their docstrings
        [str(f) for f in sorted((ROOT / "book").rglob("*")) if f.is_file()],
        "notebooks/01_data.ipynb", "notebooks/02_rasterplot.ipynb", "notebooks/03_oracle.ipynb",
        "notebooks/08_population.ipynb", "notebooks/09_audit.ipynb", "units.csv", "summary.json",
        every("ipynb")
    output: touch("site.done")  # not the page itself: the old site stays until a new one is whole
    shell: f"{sys.executable} -m lib.book ."
