"""The declaration of a run: read, completed from the default `params.yml`, and checked."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml

from lib.errors import InputError
from lib.files import ROOT, is_address
from lib.stages import STAGES, UNIT_STAGES

DEFAULTS = ROOT / "params.yml"
SECTIONS = ("data", "rasterplot", "oracle", "cnn", "mei", "gabor", "metrics", "power", "population", "audit")
SOURCES = ("simulated", "allen", "nwb", "arrays")
STIMULI = ("natural_scenes", "natural_movies", "static_gratings", "gabors")
MODELS = ("v1", "shared", "gabor_ridge", "ridge", "published")
CHOICES = {
    "source": SOURCES,
    "cnn.model": MODELS,
    "cnn.baselines": MODELS,
    "cnn.stimuli": (*STIMULI, "available"),
    "gabor.grid": ("quick", "coarse", "full"),
}
PATHS = ("counts", "images", "file", "folder")  # keys of a session that name a file or address
# Of each source: the keys a session needs, those it may have with their defaults, and how to say so
SESSIONS = {
    "arrays": [
        (("counts", "images"), {}, "{counts: FILE.npz, images: FILE.npz}"),
        (("folder",), {"tiers": [], "degrees_per_pixel": 0}, "{folder: FOLDER}"),
    ],
    "nwb": [(("file", "images"), {}, "{file: FILE.nwb or address, images: FILE.npz or folder}")],
    "allen": [
        (
            ("id",),
            {
                "cache": str(ROOT / "allen_cache"),
                "warehouse": "http://api.brain-map.org",
                "movies": [],
                "stall": 60.0,
            },
            "a session id, see `make sessions`",
        )
    ],
}
# (lowest, highest) value allowed; None: no bound
RANGES = {
    "data.latency": (0, 1),
    "data.duration": (0.001, 10),
    "data.image_height": (16, 400),
    "simulation.units": (12, 2000),
    "simulation.scene_repeats": (2, 500),
    "simulation.gabor_repeats": (1, 500),
    "simulation.grating_repeats": (1, 500),
    "simulation.movie_one_frames": (2, 9000),
    "simulation.movie_one_repeats": (1, 100),
    "simulation.movie_three_frames": (2, 9000),
    "simulation.movie_three_repeats": (1, 100),
    "rasterplot.bin_width": (0.001, 10),
    "rasterplot.high_correlation": (-1, 1),
    "rasterplot.low_correlation": (-1, 1),
    "oracle.oracle_percentile": (0, 100),
    "oracle.variance_percentile": (0, 100),
    "oracle.published_draws": (1, 10_000),
    "oracle.bootstrap": (20, 100_000),
    "cnn.folds": (2, 118),
    "cnn.published_units": (0, 2000),
    "cnn.permutations": (20, 100_000),
    "mei.contrast": (0.01, 1),
    "mei.finest_detail": (0.01, 10),
    "mei.random_starts": (1, 50),
    "mei.steps": (1, 100_000),
    "mei.published_steps": (1, 100_000),
    "gabor.refine_from": (1, 100),
    "gabor.bootstrap": (20, 100_000),
    "metrics.highest_frequency": (0.01, 10),
    "power.images": (8, 2000),
    "power.repeats": (1, 500),
    "power.rates": (0.01, 100),
    "power.units": (7, 500),
    "population.alpha": (1e-6, 0.5),
    "population.recovery_goal": (0.01, 1),
    "audit.steps": (1, 100_000),
    "seed": (0, 2**31 - 1),
}


def load_params(path: Path | str = DEFAULTS) -> dict:
    """Read a run's declaration and complete it from the default `params.yml`.

    Parameters
    ----------
    path : str or Path
        YAML file that names only what it changes.

    Returns
    -------
    dict
        Every key of the default file, with paths made absolute.

    Raises
    ------
    InputError
        One line: unreadable file, unknown key (with the nearest valid one), wrong type, value out of
        range, or a file that is not there.
    """
    path = Path(path).resolve()
    defaults, given = _read(DEFAULTS), _read(path)
    params = _merge(defaults, given, path.name)
    _check_values(params, path.name)
    if params["source"] != defaults["source"] and "session" not in given:
        raise InputError(f"{path.name}: source: {params['source']} needs its own `session:`")
    params["session"] = _check_session(params, path)
    params["per_unit"] = _check_per_unit(params, path.name)
    return params


def notebook_parameters(params: dict, stage: str, unit_id: int | None = None) -> dict:
    """Return the parameters that one stage is given, as a flat dict.

    Parameters
    ----------
    params : dict
        Of `load_params`.
    stage : str
        A name of `lib.stages.STAGES`.
    unit_id : int, optional
        The unit, for the stages that work on one; its `per_unit` values win.
    """
    flat = {"run_folder": str(run_folder(params))}
    for name in STAGES[stage].takes:
        value = _at(params, name)
        if name == "simulation":
            flat[name] = value if params["source"] == "simulated" else {}
        elif name in SECTIONS:
            flat |= value
        else:
            flat[name.split(".")[-1]] = value
    if unit_id is not None:
        flat |= params["per_unit"].get(unit_id, {}).get(stage, {}) | {"unit_id": unit_id}
    return flat


def run_folder(params: dict) -> Path:
    """Return the folder that holds everything of a run: `build/<name>`."""
    return ROOT / "build" / params["name"]


def nearest(name: object, valid: Iterable) -> str:
    """Return '; did you mean X?' for the valid name nearest to a wrong one, or the whole list."""
    close = difflib.get_close_matches(str(name), [str(v) for v in valid], n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"one of: {', '.join(map(str, valid))}"


class UniqueKeys(yaml.SafeLoader):
    """YAML in which no key may stand twice; the first would be dropped without a word."""

    def construct_mapping(self, node, deep=False) -> dict:
        """Return the mapping of a node; `InputError` for a key that stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for k, key in enumerate(keys) if key in keys[:k]]
        if twice:
            line = node.value[keys.index(twice[0])][0].start_mark.line + 1
            raise InputError(f"{twice[0]} stands twice, first in line {line}; keep one of them")
        return super().construct_mapping(node, deep=deep)


def _read(path):
    if not path.is_file():
        raise InputError(f"{path}: no such file; give PARAMS=FILE.yml, see params.yml")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise InputError(f"{path.name}{line}: not valid YAML") from None
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: expected `key: value` lines, as in params.yml")
    return content


def _merge(defaults, given, file, at=""):
    merged = copy.deepcopy(defaults)
    for key, value in given.items():
        name = f"{at}{key}"
        if key not in defaults:
            raise InputError(f"{file}: unknown key {name}; {nearest(key, defaults)}")
        if name in ("session", "structure", "units", "per_unit"):
            merged[key] = value
        elif isinstance(defaults[key], dict):
            if not isinstance(value, dict):
                raise InputError(f"{file}: {name}: expected keys below it, got {value!r}")
            merged[key] = _merge(defaults[key], value, file, f"{name}.")
        else:
            merged[key] = _typed(value, defaults[key], name, file)
    return merged


def _typed(value, default, name, file):
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise InputError(f"{file}: {name}: expected {kind.__name__} such as {default!r}, got {value!r}")
    return value


def _check_values(params, file):
    if not params["name"] or set(params["name"]) & set("/\\ \t\n") or params["name"][0] == ".":
        raise InputError(f"{file}: name: expected a plain folder name, got {params['name']!r}")
    for name, valid in CHOICES.items():
        given = _at(params, name)
        for value in given if isinstance(given, list) else [given]:
            if value not in valid:
                raise InputError(f"{file}: {name}: unknown {value!r}; {nearest(value, valid)}")
    for name, (low, high) in RANGES.items():
        given = _at(params, name)
        values = given if isinstance(given, list) else [given]
        if not values or not all(type(v) in (int, float) and low <= v <= high for v in values):
            raise InputError(f"{file}: {name}: expected {low} to {high}, got {given}")
    areas = params["structure"] if isinstance(params["structure"], list) else [params["structure"]]
    if not areas or not all(type(a) is str and a for a in areas) or len(set(areas)) < len(areas):
        raise InputError(
            f"{file}: structure: expected an acronym such as VISam, or a list of different "
            f"ones, got {params['structure']!r}"
        )
    units = params["units"]
    if units != "selected" and not (isinstance(units, list) and units and all(type(u) is int for u in units)):
        raise InputError(f"{file}: units: expected `selected` or a list of unit ids, got {units!r}")
    if units != "selected" and len(set(units)) < len(units):
        raise InputError(f"{file}: units: a unit is named twice in {units}")


def input_files(params: dict) -> list[str]:
    """Return the local files and folders that a run's session names."""
    sessions = params["session"] if isinstance(params["session"], list) else [params["session"]]
    named = [session.get(key) for session in sessions if isinstance(session, dict) for key in PATHS]
    return [path for path in named if path and not is_address(path)]


def _check_session(params, path):
    session, source = params["session"], params["source"]
    if isinstance(session, list) and session and source != "simulated":
        return [_check_session(params | {"session": part}, path) for part in session]
    if source == "allen" and type(session) is int:
        session = {"id": session}
    if source == "simulated":
        if type(session) is not int or not 0 <= session < 2**31:
            raise InputError(
                f"{path.name}: session: source simulated expects its seed, "
                f"a whole number from 0, got {session!r}"
            )
        return session
    forms = SESSIONS[source]
    fitting = [
        form
        for form in forms
        if isinstance(session, dict) and set(form[0]) <= set(session) <= set(form[0]) | set(form[1])
    ]
    if not fitting:
        raise InputError(
            f"{path.name}: session: source {source} expects "
            f"{' or '.join(form[2] for form in forms)}, got {session!r}"
        )
    session = fitting[0][1] | session
    if source == "allen":
        _check_allen(session, path.name)
    for key, given in session.items():
        if key in (*PATHS, "cache") and not is_address(given):
            session[key] = str((path.parent / Path(str(given)).expanduser()).resolve())
            if key != "cache" and not Path(session[key]).exists():
                raise InputError(f"{path.name}: session.{key}: no such file {given}")
    return session


def _check_allen(session, file):
    """Check the values of a session of source allen."""
    if type(session["id"]) is not int:
        raise InputError(f"{file}: session.id: expected int such as 798911424, got {session['id']!r}")
    if type(session["stall"]) not in (int, float) or not 1 <= session["stall"] <= 3600:
        raise InputError(f"{file}: session.stall: expected 1 to 3600 seconds, got {session['stall']!r}")
    if not isinstance(session["movies"], list) or not set(session["movies"]) <= {1, 3}:
        raise InputError(f"{file}: session.movies: expected a list of 1 and 3, got {session['movies']!r}")
    if not is_address(session["warehouse"]):
        raise InputError(
            f"{file}: session.warehouse: expected an address http://..., got {session['warehouse']!r}"
        )


def _check_per_unit(params, file):
    per_unit = params["per_unit"] or {}
    if not isinstance(per_unit, dict):
        raise InputError(f"{file}: per_unit: expected {{UNIT_ID: {{STAGE: {{KEY: VALUE}}}}}}")
    checked = {}
    for unit, stages in per_unit.items():
        if type(unit) is not int or not isinstance(stages, dict):
            raise InputError(f"{file}: per_unit: expected a unit id and its stages, got {unit!r}")
        known = {s: params[s] for s in UNIT_STAGES[1:]}  # the model is fitted to all units at once
        merged = _merge(known, stages, file, f"per_unit.{unit}.")
        _check_values(params | merged, file)
        checked[unit] = {stage: {k: merged[stage][k] for k in keys} for stage, keys in stages.items()}
    return checked


def _at(params, name):
    for key in name.split("."):
        params = params[key]
    return params
