"""Every wrong declaration ends in one line that names the mend."""

import pytest
import yaml

from lib.errors import InputError
from lib.params import DEFAULTS, RANGES, input_files, load_params, notebook_parameters


def declare(tmp_path, **changes):
    path = tmp_path / "my.yml"
    path.write_text(yaml.safe_dump({"name": "mine", **changes}))
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
        ({"mei": {"steps": "many"}}, "mei.steps: expected int"),
        ({"mei": {"steps": 0}}, "mei.steps: expected 1 to"),
        ({"mei": 3}, "expected keys below it"),
        ({"power": {"images": []}}, "power.images: expected 8 to 2000, got []"),
        ({"power": {"repeats": [5, "x"]}}, "power.repeats: expected 1 to 500"),
        ({"source": "simulate"}, "did you mean simulated?"),
        ({"cnn": {"model": "v2"}}, "did you mean v1?"),
        ({"units": "all"}, "units: expected `selected` or a list"),
        ({"units": [1, 1]}, "named twice"),
        ({"name": "../x"}, "plain folder name"),
        ({"session": "x"}, "expects its seed"),
        ({"source": "arrays"}, "needs its own `session:`"),
        ({"source": "arrays", "session": {"counts": "no.npz", "images": "no.npz"}}, "no such file no.npz"),
        ({"source": "arrays", "session": {"counts": "no.npz"}}, "or {folder: FOLDER}"),
        ({"source": "nwb", "session": 3}, "expects {file: FILE.nwb or address, images: FILE.npz or folder}"),
        ({"source": "nwb", "session": {"file": "no.nwb", "images": "no.npz"}}, "no such file no.nwb"),
        ({"source": "allen", "session": {"id": 3, "stal": 2}}, "a session id, see `make sessions`"),
        ({"source": "allen", "session": "798911424"}, "a session id, see `make sessions`"),
        ({"source": "allen", "session": {"id": "three"}}, "session.id: expected int"),
        ({"source": "allen", "session": {"id": 3, "stall": 0}}, "session.stall: expected"),
        ({"source": "allen", "session": {"id": 3, "movies": [2]}}, "session.movies: expected"),
        ({"structure": []}, "structure: expected an acronym"),
        ({"structure": ["VISp", "VISp"]}, "structure: expected an acronym"),
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
    assert input_files(params) == [str(tmp_path / "i.npz")]


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


def test_every_range_names_a_number_of_the_default_file():
    content = yaml.safe_load(DEFAULTS.read_text())
    for name in RANGES:
        section, _, key = name.rpartition(".")
        value = content[section][key] if section else content[key]
        for number in value if isinstance(value, list) else [value]:
            assert isinstance(number, (int, float)) and not isinstance(number, bool)
