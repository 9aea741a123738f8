"""Every wrong declaration ends in one line that names the mend."""

import re
import shutil

import pytest
import yaml

from lib.errors import InputError
from lib.files import ROOT, is_address
from lib.params import (
    DEFAULTS,
    SCHEMA,
    input_places,
    is_valid,
    load_params,
    notebook_parameters,
    parameter_rules,
)


def declare(tmp_path, **changes):
    path = tmp_path / "my.yml"
    given = {"name": "mine", "structure": "V1", **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in given.items() if value is not None}))
    return path


def test_default_file_is_valid():
    assert load_params()["name"] == "simulated"


def test_a_file_names_only_what_it_changes(tmp_path):
    params = load_params(declare(tmp_path, mei={"steps": 7}))
    assert params["mei"] == load_params()["mei"] | {"steps": 7}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"structur": "VISp"}, "did you mean structure?"),
        ({"mei": {"step": 3}}, "unknown key mei.step; did you mean steps?"),
        ({"mei": {"steps": "many"}}, "mei.steps: expected a whole number from 1 to 100000, got 'many'"),
        ({"mei": {"steps": 0}}, "mei.steps: expected a whole number from 1 to"),
        ({"mei": 3}, "expected keys below it"),
        ({"power": {"images": []}}, "power.images: expected a list of whole numbers from 8 to 2000, got []"),
        ({"power": {"repeats": [5, "x"]}}, "power.repeats: expected a list of whole numbers from 1 to 500"),
        ({"source": "simulate"}, "did you mean simulated?"),
        ({"cnn": {"model": "v2"}}, "did you mean v1?"),
        ({"units": "all"}, "units: expected `selected` or a list"),
        ({"units": [1, 1]}, "named twice"),
        ({"units": {"best": 0}}, "or {best: N}"),
        ({"units": {"most": 3}}, "or {best: N}"),
        ({"name": "../x"}, "plain folder name"),
        ({"session": "x"}, "expects its seed"),
        ({"source": "arrays"}, "needs its own `session:`"),
        ({"source": "arrays", "session": {"counts": "no.npz", "images": "no.npz"}}, "no such file 'no.npz'"),
        ({"source": "arrays", "session": {"counts": "no.npz"}}, "or {folder: FOLDER}"),
        ({"source": "nwb", "session": 3}, "expects {file: FILE.nwb or address, images: FILE.npz or folder}"),
        ({"source": "nwb", "session": {"file": "no.nwb", "images": "no.npz"}}, "no such file 'no.nwb'"),
        ({"source": "allen", "session": {"id": 3, "stal": 2}}, "unknown key 'stal'; did you mean stall?"),
        (
            {"source": "arrays", "session": {"folder": ".", "tier": []}},
            "unknown key 'tier'; one of: folder, tiers",
        ),
        ({"source": "arrays", "session": {"folder": "."}, "name": None}, "arrays needs its own `name:`"),
        ({"source": "arrays", "session": {"folder": "."}, "structure": None}, "needs its own `structure:`"),
        ({"source": "arrays", "session": {"folder": "."}, "cnn": {"stimuli": ["gabors"]}}, "no gabors"),
        ({"structure": "VISp, VISl"}, "structure: expected an acronym"),
        ({"device": "gpu"}, "device: unknown 'gpu'; one of: auto, cpu, cuda"),
        ({"oracle": {"oracle_percentile": 0.6}}, "oracle.oracle_percentile: expected 0, or a number from 1"),
        ({"rasterplot": {"high_correlation": -0.9}}, "is not below high_correlation -0.9"),
        ({"units": [1, 2], "stimuli": {"units": [2, 5]}}, "stimuli.units: 5 is not among units [1, 2]"),
        ({"loop": {"stimuli": __file__}}, "loop.stimuli: expected the folder that was shown"),
        ({"name": "{unit}"}, "plain folder name"),
        ({"source": "allen", "session": "798911424"}, "a session id, see `make sessions`"),
        ({"source": "allen", "session": {"id": "three"}}, "session.id: expected a whole number such as"),
        ({"source": "allen", "session": {"id": 3, "stall": 0}}, "session.stall: expected"),
        ({"source": "allen", "session": {"id": 3, "movies": [2]}}, "session.movies: unknown 2; one of: 1, 3"),
        ({"structure": []}, "structure: expected an acronym"),
        ({"structure": ["VISp", "VISp"]}, "structure: 'VISp' is named twice"),
        ({"cnn": {"baselines": ["ridge", "ridge"]}}, "cnn.baselines: 'ridge' is named twice"),
        ({"mei": {"contrast": float("nan")}}, "mei.contrast: expected a number from 0.01 to 1, got nan"),
        ({"seed": True}, "seed: expected a whole number"),
        ({"source": "arrays", "session": {"folder": "a\0b"}}, "no such file"),
        ({"source": "allen", "session": [5, 5]}, "a session is named twice"),
        ({"cnn": {"model": {"file": "no.py", "function": "load"}}}, "cnn.model.file: no such file 'no.py'"),
        ({"cnn": {"model": {"file": "no.py"}}}, "cnn.model: expected v1 | shared"),
        ({"cnn": {"model": {"file": ["one.pt2"]}}}, "or {file: [ONE.pt2, OTHER.pt2]}"),
        ({"loop": {"responses": "no.npz"}}, "loop.responses: no such file 'no.npz'"),
        ({"loop": {"units": __file__}}, "loop names 0 files of responses and 1 of units"),
        ({"stimuli": {"units": "uncertan"}}, "stimuli.units: unknown 'uncertan'; did you mean uncertain?"),
        ({"stimuli": {"units": {"best": 1}}}, "stimuli.units: expected the number of the best units"),
        ({"screen": {"gamma": 0}}, "screen.gamma: expected a number from 0.2 to 5"),
        ({"per_unit": {5: {"mei": {"stps": 3}}}}, "did you mean steps?"),
        ({"per_unit": {5: {"cnn": {"folds": 3}}}}, "unknown key per_unit.5.cnn"),
    ],
)
def test_wrong_declarations(tmp_path, changes, message):
    with pytest.raises(InputError) as error:
        load_params(declare(tmp_path, **changes))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_broken_yaml_names_the_line(tmp_path):
    (tmp_path / "my.yml").write_text("name: a\nunits: [1, 2\n")
    with pytest.raises(InputError, match="my.yml, line .: not valid YAML"):
        load_params(tmp_path / "my.yml")


def test_a_key_may_stand_once(tmp_path):
    """Fault: of two sections with one name the first is dropped without a word."""
    path = tmp_path / "my.yml"
    path.write_text("name: mine\noracle: {bootstrap: 30}\nseed: 2\noracle: {published_draws: 9}\n")
    with pytest.raises(InputError, match=r"my.yml: oracle stands twice, first in line 2; keep one"):
        load_params(path)


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "c.npz").touch()
    params = load_params(declare(tmp_path, source="arrays", session={"counts": "c.npz", "images": "c.npz"}))
    assert params["session"]["counts"] == str(tmp_path / "c.npz")


def test_an_address_is_no_path(tmp_path):
    """Fails if an address is taken for a file that is not there."""
    (tmp_path / "i.npz").touch()
    params = load_params(
        declare(tmp_path, source="nwb", session={"file": "https://example.org/a.nwb", "images": "i.npz"})
    )
    assert params["session"]["file"] == "https://example.org/a.nwb"
    assert input_places(params["session"], "nwb") == ["https://example.org/a.nwb", str(tmp_path / "i.npz")]


def test_an_allen_session_is_an_id_or_an_id_and_a_cache(tmp_path):
    """Fails if the defaults or the cache's place are lost."""
    short = load_params(declare(tmp_path, source="allen", session=5))["session"]
    assert short["id"] == 5 and short["cache"].endswith("allen_cache") and short["stall"] == 60
    long = load_params(declare(tmp_path, source="allen", session={"id": 5, "cache": "c"}))["session"]
    assert long == short | {"cache": str(tmp_path / "c")}


def test_several_sessions_are_checked_one_by_one(tmp_path):
    """Fails if only the first is completed, or a fault in the second is not seen."""
    both = load_params(declare(tmp_path, source="allen", session=[5, {"id": 6, "movies": [1]}]))["session"]
    assert [s["id"] for s in both] == [5, 6] and both[0]["stall"] == both[1]["stall"]
    with pytest.raises(InputError, match="session id"):
        load_params(declare(tmp_path, source="allen", session=[5, "six"]))


def test_a_units_own_values_reach_only_its_notebook(tmp_path):
    params = load_params(declare(tmp_path, per_unit={5: {"mei": {"steps": 9}}}))
    assert notebook_parameters(params, "mei", 5)["steps"] == 9
    assert notebook_parameters(params, "mei", 6)["steps"] == params["mei"]["steps"]
    assert notebook_parameters(params, "gabor", 5) == notebook_parameters(params, "gabor", 6) | {"unit_id": 5}


def test_the_schema_names_the_default_file_s_parameters_and_allows_their_values():
    """Fault: a parameter that an editor does not complete, or whose own default is refused."""
    content = yaml.safe_load(DEFAULTS.read_text())
    assert is_valid(content, SCHEMA)
    for name, rule in parameter_rules():
        section, _, key = name.rpartition(".")
        assert is_valid(content[section][key] if section else content[key], rule), name


def test_an_editor_is_told_the_same_as_a_run(tmp_path):
    """Fault: the schema as a whole, as an editor applies it, allows what a run refuses."""
    for changes in ({"mei": {"step": 3}}, {"seed": -1}, {"source": "nwb", "session": {"file": "a.nwb"}}):
        with pytest.raises(InputError):
            load_params(declare(tmp_path, **changes))
        assert not is_valid(changes, SCHEMA)


@pytest.mark.parametrize(
    "text, message",
    [
        ("name: 2019-01-01", None),
        ("seed: 010", "got '010'"),
        ("seed: 1:30", "got '1:30'"),
        ("units: [007]", "got ['007']"),
        ("mei: {contrast: 2e-1}", None),
        ("population: {alpha: .05}", None),
        ("structure: NO", None),
    ],
)
def test_text_that_looks_like_a_number_is_none(tmp_path, text, message):
    """Fault: YAML 1.1 reads 010 as 8, 1:30 as 90, a date as no text, 2e-1 as no number, NO as false."""
    path = tmp_path / "my.yml"
    path.write_text(text)
    if message:
        with pytest.raises(InputError, match=re.escape(message)):
            load_params(path)
    else:
        params = load_params(path)
        assert params["name"] in ("2019-01-01", "simulated") and params["mei"]["contrast"] == 0.2
        assert params["structure"] in ("NO", "VISam")


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.yml")))
def test_ready_declarations(tmp_path, name):
    """Fails if a declaration of examples/ is refused where its files are there."""
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / f"{name}.yml", tmp_path / "examples")
    session = yaml.safe_load((ROOT / "examples" / f"{name}.yml").read_text())["session"]
    for path in session.values() if isinstance(session, dict) else ():
        if isinstance(path, str) and not is_address(path):
            (tmp_path / "examples" / path).mkdir(parents=True)
    assert load_params(tmp_path / "examples" / f"{name}.yml")["name"] == name
