"""The declaration of a run: read, completed from the default `params.yml`, and checked by its schema.

What each parameter may be stands in `params.schema.json`, its default and its meaning in `params.yml`.
"""

from __future__ import annotations

import copy
import difflib
import functools
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from lib.errors import InputError
from lib.files import ROOT, hide_secrets, is_address
from lib.stages import STAGES, UNIT_STAGES

DEFAULTS = ROOT / "params.yml"
SCHEMA = json.loads((ROOT / "lib" / "params.schema.json").read_text(encoding="utf-8"))
FEW = 3  # valid names that a message lists rather than guess at one: gpu is nearer to cpu than to cuda
SESSIONS = SCHEMA["$defs"]["sessions"]  # what a session of each source is
SECTIONS = tuple(name for name, rule in SCHEMA["properties"].items() if "properties" in rule)
STIMULI = tuple(SCHEMA["properties"]["cnn"]["properties"]["stimuli"]["items"]["enum"][:-1])


def load_params(path: Path | str = DEFAULTS) -> dict:
    """Read a run's declaration, which names only what it changes; complete it from the default `params.yml`.

    Returns every key of the default file, with paths made absolute.

    Raises
    ------
    InputError
        One line: unreadable file, unknown key (with the nearest valid one), wrong type, value out of
        range, or a file that is not there.
    """
    path = Path(path).expanduser().resolve()
    defaults, given = _read(DEFAULTS), _read(path)
    params = _merge(defaults, given, path.name)
    _check_values(params, path.name)
    for key in ("session", "name", "structure"):
        if params["source"] != defaults["source"] and key not in given:
            raise InputError(f"{path.name}: source: {params['source']} needs its own `{key}:`")
    _check_together(params, path.name)
    params["session"] = _check_session(params, path)
    params["per_unit"] = _check_per_unit(params, path.name)
    _check_inputs(params, path)
    return params


def notebook_parameters(params: dict, stage: str, unit_id: int | None = None) -> dict:
    """Return the parameters that one stage is given, as a flat dict.

    `params` are of `load_params`, `stage` is a name of `lib.stages.STAGES`; the `per_unit` values of the
    unit, for the stages that work on one, win.
    """
    flat = {"run_folder": str(run_folder(params))}
    for name in STAGES[stage].takes:
        value = _at(params, name)
        if name == "simulation":
            flat[name] = value if params["source"] == "simulated" else {}
        elif name in SECTIONS:
            flat |= value
        else:
            flat[name.split(".")[-1]] = hide_secrets(value, {}) if name == "session" else value
    if unit_id is not None:
        flat |= params["per_unit"].get(unit_id, {}).get(stage, {}) | {"unit_id": unit_id}
    return flat


def run_folder(params: dict) -> Path:
    """Return the folder that holds everything of a run: `build/<name>`."""
    return ROOT / "build" / params["name"]


def nearest(name: object, valid: Iterable) -> str:
    """Return 'did you mean X?' for the nearest of many valid names to a wrong one, or else all of them."""
    valid = [str(v) for v in valid]
    close = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.5) if len(valid) > FEW else []
    return f"did you mean {close[0]}?" if close else f"one of: {', '.join(valid)}"


class Declaration(yaml.SafeLoader):
    """YAML in which no key may stand twice, and only what looks like a number or a truth value is one.

    The first of two keys would be dropped without a word, a date would be no name, 010 be 8 and 1:30 be
    90, while 1e-3 would be no number.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012, of YAML 1.2 below

    def construct_mapping(self, node, deep=False) -> dict:
        """Return the mapping of a node; `InputError` for a key that stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for k, key in enumerate(keys) if key in keys[:k]]
        if twice:
            line = node.value[keys.index(twice[0])][0].start_mark.line + 1
            raise InputError(f"{twice[0]} stands twice, first in line {line}; keep one of them")
        return super().construct_mapping(node, deep=deep)


for _kind, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9_]*)",
    "float": r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf)|\.nan",
}.items():
    Declaration.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), None)


def _read(path):
    if not path.is_file():
        raise InputError(f"{path}: no such file; give PARAMS=FILE.yml, see params.yml")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Declaration)
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
        if isinstance(defaults[key], dict) and name not in ("per_unit", "session"):
            if not isinstance(value, dict):
                raise InputError(f"{file}: {name}: expected keys below it, got {value!r}")
            merged[key] = _merge(defaults[key], value, file, f"{name}.")
        else:
            whole = type(value) is int and type(defaults[key]) is float
            merged[key] = float(value) if whole and abs(value) < 2**53 else value
    return merged


def parameter_rules(schema: dict = SCHEMA, at: str = "") -> Iterator[tuple[str, dict]]:
    """Yield the name of each parameter, such as mei.steps, and its rule in the schema."""
    for name, rule in schema["properties"].items():
        if "properties" in rule:
            yield from parameter_rules(rule, f"{at}{name}.")
        else:
            yield f"{at}{name}", rule


def is_valid(value: object, rule: dict) -> bool:
    """Tell whether a value obeys a rule of the schema; no truth value, NaN or infinity is a number."""
    return _validator()(rule).is_valid(value)


@functools.cache
def _validator():
    """JSON schema's, imported when it is needed; most of what imports this module checks nothing."""
    sys.modules.setdefault("rfc3987_syntax", None)  # a grammar that is not used here and takes .7 s to build
    import jsonschema

    kinds = jsonschema.Draft202012Validator.TYPE_CHECKER
    numbers = {
        "integer": lambda _, value: type(value) is int,
        "number": lambda _, value: type(value) in (int, float) and math.isfinite(value),
    }
    return jsonschema.validators.extend(
        jsonschema.Draft202012Validator, type_checker=kinds.redefine_many(numbers)
    )


def check_value(value: object, rule: dict, name: str) -> None:
    """Raise `InputError` with the name, what is expected and what is given if a value breaks its rule."""
    if is_valid(value, rule):
        return
    many = isinstance(value, list)
    words = rule.get("enum") or rule.get("items", {}).get("enum")
    if isinstance(value, str) and "anyOf" in rule:
        words = next((form["enum"] for form in rule["anyOf"] if "enum" in form), None)
    unknown = [v for v in (value if many else [value]) if words and v not in words]
    if unknown and many == ("items" in rule):
        raise InputError(f"{name}: unknown {unknown[0]!r}; {nearest(unknown[0], words)}")
    twice = [v for k, v in enumerate(value) if v in value[:k]] if many else []
    if twice:
        raise InputError(f"{name}: {twice[0]!r} is named twice in {value!r}; name it once")
    raise InputError(f"{name}: expected {expected(rule)}, got {value!r}")


def expected(rule: dict) -> str:
    """Return in words what a rule of the schema asks for, such as "a whole number from 1 to 50"."""
    if "description" in rule:
        return rule["description"]
    if "enum" in rule:
        return " | ".join(map(str, rule["enum"]))
    if rule["type"] == "array":
        each = expected(rule["items"])
        return "a list of " + re.sub(r"^(a|an) (.*?)(number|text)", r"\2\3s", each)
    if "minimum" not in rule:
        return {"integer": "a whole number", "number": "a number"}.get(rule["type"], "a text")
    low, high = (f"{rule[end]:.10g}" for end in ("minimum", "maximum"))
    return f"a {'whole ' if rule['type'] == 'integer' else ''}number from {low} to {high}"


def _check_values(params, file):
    for name, rule in parameter_rules():
        if name not in ("session", "per_unit"):
            check_value(_at(params, name), rule, f"{file}: {name}")


def _check_together(params, file):
    """Refuse values that are possible each but not together."""
    low, high = (params["rasterplot"][f"{end}_correlation"] for end in ("low", "high"))
    if low >= high:
        raise InputError(
            f"{file}: rasterplot: low_correlation {low:g} is not below high_correlation {high:g}"
        )
    wanted, analysed = params["stimuli"]["units"], params["units"]
    if isinstance(wanted, list) and isinstance(analysed, list) and (left := set(wanted) - set(analysed)):
        raise InputError(f"{file}: stimuli.units: {min(left)} is not among units {analysed!r}, the run's own")
    lacking = set(params["cnn"]["stimuli"]) - {"natural_scenes", "available"}
    if params["source"] == "arrays" and lacking:
        raise InputError(f"{file}: cnn.stimuli: source arrays holds natural scenes alone, no {min(lacking)}")


def _check_inputs(params, path):
    """Make the paths of `loop` and of one's own model absolute; each must be there."""
    places = [("loop", key) for key in params["loop"]]
    if isinstance(params["cnn"]["model"], dict):
        params["cnn"]["model"] = dict(params["cnn"]["model"])
        places.append(("cnn.model", "file"))
    for section, key in places:
        holder = _at(params, section)
        given = holder[key] if isinstance(holder[key], list) else [holder[key]]
        full = [str((path.parent / Path(name).expanduser()).resolve()) if name else "" for name in given]
        for name, one in zip(given, full):
            if one and not _exists(one):
                raise InputError(f"{path.name}: {section}.{key}: no such file {name!r}")
            if one and (section, key) == ("loop", "stimuli") and not Path(one).is_dir():
                raise InputError(
                    f"{path.name}: loop.stimuli: expected the folder that was shown, got {name!r}"
                )
        holder[key] = full if isinstance(holder[key], list) else full[0]
    files = [params["loop"][key] for key in ("responses", "units")]
    many = [len(f) if isinstance(f, list) else int(bool(f)) for f in files]
    if many[0] != many[1]:
        raise InputError(
            f"{path.name}: loop names {many[0]} files of responses and {many[1]} of units; give one of "
            "units for each of responses"
        )


def _exists(path):
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or no text of a path
        return False


def model_files(params: dict) -> list[str]:
    """Return the files of a model of one's own."""
    model = params["cnn"]["model"]
    files = model["file"] if isinstance(model, dict) else []
    return files if isinstance(files, list) else [files]


def loop_files(params: dict) -> list[str]:
    """Return the files and folders that `loop` names."""
    given = params["loop"].values()
    return [path for value in given for path in (value if isinstance(value, list) else [value]) if path]


def input_places(session: dict, source: str) -> list[str]:
    """Return the files, folders and addresses that a session of a source names."""
    rules = _form(session, source)["properties"]
    return [session[key] for key, rule in rules.items() if rule.get("format") == "input" and key in session]


def _form(session, source):
    """Return the form of a session, a rule of the schema, whose keys it has; None if it fits none."""
    for form in SESSIONS[source].get("anyOf", ()):
        if (
            form.get("type") == "object"
            and isinstance(session, dict)
            and set(form["required"]) <= set(session) <= set(form["properties"])
        ):
            return form
    return None


def session_defaults(form: dict) -> dict:
    """Return the values of a session's keys where a declaration leaves them out."""
    values = {key: rule["default"] for key, rule in form["properties"].items() if "default" in rule}
    folders = [key for key in values if form["properties"][key].get("format") == "folder"]
    return values | {key: str(ROOT / values[key]) for key in folders}


def _check_session(params, path):
    session, source = params["session"], params["source"]
    if isinstance(session, list) and session and source != "simulated":
        if any(part in session[:k] for k, part in enumerate(session)):
            raise InputError(f"{path.name}: session: a session is named twice in {session!r}")
        return [_check_session(params | {"session": part}, path) for part in session]
    if source == "allen" and type(session) is int:
        session = {"id": session}
    form = _form(session, source)
    if form is None and not (source == "simulated" and is_valid(session, SESSIONS[source])):
        for near in SESSIONS[source].get("anyOf", ()):
            if isinstance(session, dict) and "required" in near and set(near["required"]) <= set(session):
                key = min(set(session) - set(near["properties"]), key=str)
                said = nearest(key, near["properties"])
                raise InputError(f"{path.name}: session: unknown key {key!r}; {said}")
        forms = SESSIONS[source]["description"]
        raise InputError(f"{path.name}: session: source {source} expects {forms}, got {session!r}")
    if form is None:
        return session
    session = session_defaults(form) | session
    for key in session:
        rule = form["properties"][key]
        check_value(session[key], rule, f"{path.name}: session.{key}")
        if rule.get("format") in ("input", "folder") and not is_address(session[key]):
            given = session[key]
            try:
                session[key] = str((path.parent / Path(given).expanduser()).resolve())
                there = rule["format"] == "folder" or Path(session[key]).exists()
            except (OSError, RuntimeError, ValueError):  # too long, no such home, no text of a path
                there = False
            if not there:
                raise InputError(f"{path.name}: session.{key}: no such file {given!r}")
    return session


def _check_per_unit(params, file):
    per_unit = params["per_unit"] or {}
    if not isinstance(per_unit, dict):
        raise InputError(f"{file}: per_unit: expected {SCHEMA['properties']['per_unit']['description']}")
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
