# The pipeline. `make report` calls it through lib/report.py, which checks params.yml first and gives
# the run's folder as working directory: every output below is a path inside build/<name>/.
import json
import sys
from shlex import quote

from lib.dependencies import used_files
from lib.params import ROOT, input_files, load_params, notebook_parameters, run_folder

P = load_params(config["params"])
# Only the published network, fitted to a few of the selected units, follows a change of the selection.
CHOICE = "selected.json" if P["cnn"]["published_units"] else ancient("selected.json")
UNIT_STAGES = {name: f"{n:02d}_{name}" for n, name in enumerate(("cnn", "mei", "gabor", "metrics"), 4)}
GRID = quote(json.dumps({"run_folder": str(run_folder(P)), "model": P["cnn"]["model"],
                         "grid": P["gabor"]["grid"], "contrast": P["mei"]["contrast"]}))


def notebook(name, *, unit=False):
    """The command that executes one notebook; a unit that fails does not stop the others."""
    result = " --result units/{wildcards.unit}/" + name[3:] + ".json" if unit else ""
    return f"{sys.executable} -m lib.execute {name} {{output[0]}} {{params.p}}{result}"


def given(stage):
    """Parameters of a stage as JSON text: a change of a value redoes just what depends on it."""
    def parameters(wildcards):
        unit = int(wildcards.unit) if "unit" in wildcards.keys() else None
        return quote(json.dumps(notebook_parameters(P, stage, unit)))
    return parameters


def needs(name, *modules):
    """The notebook itself and the modules of lib it uses."""
    return used_files(f"notebooks/{name}.ipynb", *modules)


def selected(wildcards):
    """Ids of the selected units, known when 03_oracle has run."""
    with open(checkpoints.oracle.get().output.selected) as file:
        return json.load(file)


def every(ending):
    """The notebooks (ipynb) or the results (json) of every stage of every selected unit."""
    names = {"ipynb": UNIT_STAGES.values(), "json": UNIT_STAGES}[ending]
    return lambda wildcards: [f"units/{unit}/{name}.{ending}"
                              for unit in selected(wildcards) for name in names]


rule report:
    input: "site.done", "units.csv", every("json"), every("ipynb")

rule data:
    input:
        needs("01_data", f"sources/{P['source']}"),
        input_files(P)
    output: "notebooks/01_data.ipynb", "session.h5"
    params: p=given("data")
    shell: notebook("01_data")

rule rasterplot:
    input: needs("02_rasterplot"), "session.h5"
    output: "notebooks/02_rasterplot.ipynb", "rasterplot.json"
    params: p=given("rasterplot")
    shell: notebook("02_rasterplot")

checkpoint oracle:
    input: needs("03_oracle"), "session.h5"
    output: "notebooks/03_oracle.ipynb", "oracle.csv", selected="selected.json"
    params: p=given("oracle")
    shell: notebook("03_oracle")

rule models:  # of all units at once; 04_cnn loads them
    input: used_files("lib/fitting.py"), "session.h5", CHOICE
    output: "models/scores.csv", "models/models.json"
    params: p=given("cnn")
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.fitting {{params.p}}"

rule cnn:
    input: needs("04_cnn"), "session.h5", "models/scores.csv"
    output: "units/{unit}/04_cnn.ipynb", "units/{unit}/cnn.json"
    params: p=given("cnn")
    shell: notebook("04_cnn", unit=True)

rule mei:
    input: needs("05_mei"), "session.h5", "units/{unit}/cnn.json"
    output: "units/{unit}/05_mei.ipynb", "units/{unit}/mei.json"
    params: p=given("mei")
    shell: notebook("05_mei", unit=True)

rule gabor_grid:  # of all units at once; 06_gabor goes on from it
    input: used_files("lib/gabor_search.py"), "session.h5", "models/scores.csv"
    output: "gabor_grid.json", "gabor_grid.npz"
    params: p=GRID
    threads: workflow.cores
    shell: f"{sys.executable} -m lib.gabor_search {{params.p}}"

rule gabor:
    input: needs("06_gabor"), "session.h5", "gabor_grid.json", "units/{unit}/mei.json"
    output: "units/{unit}/06_gabor.ipynb", "units/{unit}/gabor.json"
    params: p=given("gabor")
    shell: notebook("06_gabor", unit=True)

rule metrics:
    input: needs("07_metrics"), "session.h5", "units/{unit}/gabor.json"
    output: "units/{unit}/07_metrics.ipynb", "units/{unit}/metrics.json"
    params: p=given("metrics")
    shell: notebook("07_metrics", unit=True)

rule population:
    input:
        needs("08_population"), "session.h5", "rasterplot.json",
        "oracle.csv", "models/scores.csv", every("json")
    output: "notebooks/08_population.ipynb", "units.csv", "summary.json"
    params: p=given("population")
    shell: notebook("08_population")

rule audit:
    input:
        needs("09_audit"), "session.h5", "oracle.csv", "models/scores.csv", "units.csv",
        "summary.json"
    output: "notebooks/09_audit.ipynb", "audit.json"
    params: p=given("audit")
    shell: notebook("09_audit")

rule book:
    input:
        str(ROOT / "lib/book.py"), str(ROOT / "lib/book_jobs.py"), str(ROOT / "_config.yml"),
        [str(f) for f in sorted((ROOT / "book").rglob("*")) if f.is_file()],
        "notebooks/01_data.ipynb", "notebooks/02_rasterplot.ipynb", "notebooks/03_oracle.ipynb",
        "notebooks/08_population.ipynb", "notebooks/09_audit.ipynb", "units.csv", "summary.json",
        every("ipynb")
    output: touch("site.done")  # not the page itself: the old site stays until a new one is whole
    shell: f"{sys.executable} -m lib.book ."
