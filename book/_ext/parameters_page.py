"""The page of all parameters: what each may be, from the schema, its default and meaning, from params.yml."""

import re

import yaml

from lib.params import DEFAULTS, SESSIONS, expected, parameter_rules
from workflow.render import render


def parameters_page():
    """Return the page: a table of parameters for each section, and of the keys of each source's session."""
    meaning, defaults = comments(DEFAULTS.read_text(encoding="utf-8")), yaml.safe_load(DEFAULTS.read_text())
    sections = {}
    for name, rule in parameter_rules():
        section, _, key = name.rpartition(".")
        value = defaults[section][key] if section else defaults[key]
        allowed = rule.get("description") or (expected(rule) if rule else "see below, by source")
        row = [f"`{key}`", f"`{value}`", allowed.replace(" | ", " or "), meaning.get(name, "")]
        sections.setdefault(section or "the run", []).append(row)
    sessions = {
        source: [
            [f"`{key}`", f"`{value['default']}`" if "default" in value else "", allowed_in(value)]
            for form in rule.get("anyOf", [])
            for key, value in form.get("properties", {}).items()
        ]
        for source, rule in SESSIONS.items()
    }
    sessions = {source: rows for source, rows in sessions.items() if rows}
    return render("parameters.md.jinja", sections=sections, sessions=sessions)


def allowed_in(rule):
    """Return in words what a key of a session may be."""
    if rule.get("format") in ("input", "folder"):
        return "a folder" if rule["format"] == "folder" else "a file, a folder or an address"
    return expected(rule).replace(" | ", " or ")


def comments(text):
    """Return the comment of each parameter of a declaration, by its name such as mei.steps."""
    found, section, name = {}, "", None
    for line in text.splitlines():
        code, _, comment = line.partition("#")
        if match := re.match(r"( *)(\w+):", code):
            section = "" if not match[1] else section
            name = f"{section}.{match[2]}" if match[1] else match[2]
            section = match[2] if not match[1] else section
            found[name] = comment.strip()
        elif comment and not code.strip() and line.startswith(" ") and name:
            found[name] = f"{found[name]} {comment.strip()}".strip()
    return {key: value.replace("|", "or") for key, value in found.items()}
