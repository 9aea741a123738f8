"""What the pipeline redoes, and when: the real Snakefile with jobs that only write their files."""

import os
import re
import shutil
import signal
import time

import nbformat
import pytest

from lib.files import ROOT
from tests.support.project import A, B, C, D, Project, needs_plain_path
from workflow.code_hash import used_files

END = ["08_population", "12_verdict", "09_audit", "stimuli", "10_loop", "book"]
SESSION = ["01_data", "02_rasterplot", "03_oracle", "models", "gabor_grid", "power", "11_transfer"]
ALL = [*SESSION, "13_physiology", *END]


def of_unit(unit, first=4):
    return [f"{name} {unit}" for name in ("04_cnn", "05_mei", "06_gabor", "07_metrics")[first - 4 :]]


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run, in a folder of its own; returns its jobs, what it printed, and the two places."""
    project = Project(tmp_path_factory.mktemp("pipeline") / "project")
    project.root.mkdir()
    project.copy_sources()
    jobs, printed = project.report()
    kept = project.root.with_name("kept")
    shutil.copytree(project.root, kept)
    return jobs, printed, project, kept


@pytest.fixture
def project(finished):
    """The finished run again, at the same place (paths are parameters), with its files' times."""
    _, _, project, kept = finished
    shutil.rmtree(project.root)
    shutil.copytree(kept, project.root)
    return project


def test_each_job_is_done_once_and_counted(finished):
    jobs, printed, *_ = finished
    assert sorted(jobs) == sorted(ALL + of_unit(A) + of_unit(B) + of_unit(C))
    assert "27 of 27 steps done, 0 left" in printed  # with the report itself


def test_files_that_were_touched_redo_nothing(project):
    """Fails if times alone count: for files of every size, ours and those of the run."""
    for file in (
        "lib/mei/search.py",
        "notebooks/05_mei.ipynb",
        "params.yml",
        "book/_toc.yml",
        "build/stub/session.h5",
        "build/stub/models/scores.csv",
        "build/stub/units/951000000/mei.json",
    ):
        (project.root / file).touch()
    jobs, printed = project.report()
    assert jobs == []
    assert "nothing had changed" in printed


def test_outputs_stored_in_a_notebook_redo_nothing_but_a_sentence_does(project):
    """Fails if `make refresh` makes every run again, or if a change of the text is not seen."""
    file = project.root / "notebooks" / "07_metrics.ipynb"
    notebook = nbformat.read(file, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="1")], 1
    nbformat.write(notebook, file)
    assert project.report()[0] == []
    notebook.cells[0].source += " More."
    nbformat.write(notebook, file)
    assert sorted(project.report()[0]) == sorted(
        [name for unit in (A, B, C) for name in of_unit(unit, first=7)] + END
    )


def test_a_unit_s_parameter_redoes_that_unit_and_what_is_said_of_all(project):
    project.declare(per_unit={B: {"mei": {"steps": 7}}})
    assert sorted(project.report()[0]) == sorted([*of_unit(B, first=5), *END])


def test_a_change_of_the_gabor_search_fits_no_model_and_makes_no_mei(project):
    with open(project.root / "lib" / "gabors" / "grid.py", "a") as file:
        file.write("\nCHANGED = True\n")
    assert sorted(project.report()[0]) == sorted(
        [name for unit in (A, B, C) for name in of_unit(unit, first=6)]
        + ["gabor_grid", "13_physiology", *END]
    )


def test_another_choice_of_units_makes_only_the_new_one(project):
    """Fails if the models or the other units are made again because the list of units was."""
    project.declare(units=[A, C, D])
    assert sorted(project.report()[0]) == sorted(["03_oracle", *of_unit(D), *END])


def test_one_notebook_or_one_unit_is_made_alone(project):
    """As `make notebook` does, again, and `make unit`, also of a unit that is not selected."""
    assert project.report("--notebook", "05_mei", "--unit", str(B))[0] == [f"05_mei {B}"]
    assert project.report("--unit", str(D))[0] == of_unit(D)


def test_the_published_network_is_asked_for(project):
    """Fails if its number of units does not reach the models."""
    project.declare(cnn={"published_units": 2})
    assert "models" in project.report()[0]


def test_a_result_that_is_gone_is_made_again(project):
    (project.run / "units" / str(B) / "gabor.json").unlink()
    assert sorted(project.report()[0]) == sorted([*of_unit(B, first=6), *END])


def test_a_killed_run_goes_on_with_what_is_left(project):
    """Fails if the lock or half a job stays in the way, or if finished jobs are done again."""
    shutil.rmtree(project.run)
    project.run.mkdir(parents=True)
    (project.run / "hang").write_text(f"05_mei {B}")
    process = project.start()
    log, until = project.run / "jobs.log", time.time() + 60
    while not (log.exists() and f"06_gabor {A}" in log.read_text()) and time.time() < until:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = log.read_text().splitlines()
    (project.run / "hang").unlink()
    jobs, _ = project.report()
    everything = ALL + of_unit(A) + of_unit(B) + of_unit(C)
    again = set(before) & set(jobs)  # that which was killed between its end and Snakemake's note of it
    assert set(before) | set(jobs) == set(everything) and f"05_mei {B}" in jobs
    assert len(again) <= 2 and not again & {"01_data", "03_oracle", "models", *of_unit(A)[:2]}


def test_jobs_of_a_killed_report_keep_the_run_for_themselves(project):
    """Fails if a second Snakemake starts beside one whose `make report` alone was killed."""
    (project.run / "hang").write_text(f"06_gabor {B}")
    (project.run / "units" / str(B) / "gabor.json").unlink()
    process, until = project.start(), time.time() + 60
    while not (project.run / "hung").exists() and time.time() < until:
        time.sleep(0.1)
    process.kill()
    process.wait()
    second = project.start()
    printed, _ = second.communicate(timeout=60)
    assert second.returncode == 2 and "is being made by another `make report`" in printed
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    (project.run / "hang").unlink()
    assert f"06_gabor {B}" in project.report()[0]


def on_the_cluster(project, *options, lost="", accounting=False):
    """Make the report on the stand-in for Slurm; returns the jobs and what each submission asked for."""
    project.cluster.mkdir()
    (project.cluster / "lost").write_text(lost)
    if accounting:
        (project.cluster / "accounting").touch()
    jobs, printed = project.report("--profile", "slurm", *options)
    assert ("OUT_OF_MEMORY" in printed) == bool(lost)
    return jobs, (project.cluster / "asked").read_text().splitlines()


@needs_plain_path
def test_a_cluster_gets_one_job_a_unit_and_again_if_it_was_lost(project):
    """Fails if stages are submitted one by one, or a lost job ends the run, is not said or asks for no more.

    The minutes are those of the four stages after one another, the memory that of the largest; twice of it
    would be more than the node of the default partition has. Without accounting, which is what `sacct` says.
    """
    shutil.rmtree(project.run / "units" / str(B))
    jobs, asked = on_the_cluster(project, "--unit", str(B), lost="unit_cnn")
    assert jobs == of_unit(B)
    assert asked == [
        "rule_unit_cnn_gabor_mei_metrics 1 cores 2200 MB 40 min",
        "rule_unit_cnn_gabor_mei_metrics 1 cores 4000 MB 80 min",
    ]


@needs_plain_path
def test_a_cluster_gets_many_units_in_one_job_if_it_is_told(project):
    """Fails if units are submitted one by one, or all at once, whatever BATCH says."""
    for unit in (A, B, C):
        shutil.rmtree(project.run / "units" / str(unit))
    jobs, asked = on_the_cluster(project, "--batch", "2", accounting=True)
    assert sorted(jobs) == sorted(of_unit(A) + of_unit(B) + of_unit(C) + END)
    rules = [line.split()[0].removeprefix("rule_") for line in asked]
    assert rules[:3] == [*2 * ["unit_cnn_gabor_mei_metrics"], "population"]
    assert sorted(rules[3:]) == ["audit", "book", "loop", "stimuli", "verdict"]


def test_a_plan_says_what_would_be_done_and_does_nothing(project):
    (project.run / "units" / str(B) / "metrics.json").unlink()
    jobs, printed = project.report("--plan")
    assert jobs == []
    steps, *rules = (line.split() for line in printed.splitlines()[:9])
    assert steps == ["8", "steps"]
    named = ["audit", "book", "loop", "metrics", "population", "report", "stimuli", "verdict"]
    assert sorted(rules) == [[rule, "1"] for rule in named]
    assert re.search(r"about \d+ min of one core, \d+ min on the \d+ of this machine; \d\.\d GB", printed)


def test_modules_are_found_through_other_modules():
    """Fails if an import in a notebook or in a module on the way is missed."""

    def used(name):
        return {os.path.relpath(file, ROOT) for file in used_files(name)}

    assert {
        "notebooks/05_mei.ipynb",
        "lib/mei/search.py",
        "lib/models/v1.py",
        "lib/data/simulated_neurons.py",
    } <= used("notebooks/05_mei.ipynb")
    assert {"lib/responses/receptive_fields.py", "lib/gabors/search.py"} <= used("notebooks/06_gabor.ipynb")
    assert not used("lib/models/fit_run.py") & {
        "lib/gabors/search.py",
        "lib/mei/search.py",
        "lib/figures.py",
        "lib/params.py",
    }
