"""What `make report` gives to its jobs, and what it says at the end."""

import pandas as pd

from workflow import report


def test_a_run_depends_on_its_declaration_and_not_on_the_shell(tmp_path, monkeypatch):
    """Fault: MPLBACKEND=Agg leaves 6 pictures of 42; a profile in the shell makes nothing at all."""
    leaks = ("MPLBACKEND", "SNAKEMAKE_PROFILE", "JUPYTER_CONFIG_PATH", "PYTHONSTARTUP")
    for name in leaks:
        monkeypatch.setenv(name, "somewhere")
    monkeypatch.setenv("IPYTHONDIR", "/home/me/.ipython")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    given = report.clean_environment(tmp_path)
    assert not set(leaks) & set(given)
    assert given["HTTPS_PROXY"] == "http://proxy:1", "what a machine needs stays"
    for name in ("IPYTHONDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "JUPYTER_DATA_DIR", "HOME"):
        assert given[name].startswith(str(tmp_path / ".config"))


def test_the_book_is_named_only_if_it_is_there(tmp_path, monkeypatch, capsys):
    """Fault: "the book: ..." that was never made."""
    params = tmp_path / "my.yml"
    params.write_text("name: mine\n")
    for name in ("check_space", "stage_times"):
        monkeypatch.setattr(report, name, lambda *args, **options: "")
    monkeypatch.setattr(report.choose, "prepare", lambda params: pd.DataFrame())
    monkeypatch.setattr(report, "run_folder", lambda params: tmp_path / "run")
    monkeypatch.setattr(report, "warm_process", report.nullcontext)
    monkeypatch.setattr(report, "run_and_tell", lambda *args: 0)
    assert report.make_report(params) == 0 and "the book" not in capsys.readouterr().out
    (tmp_path / "run" / "site").mkdir(parents=True)
    (tmp_path / "run" / "site" / "index.html").write_text("")
    assert report.make_report(params) == 0 and "the book: " in capsys.readouterr().out
