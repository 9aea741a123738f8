"""Where recordings come from: one small module a source, with `load` and mostly `check`."""

import importlib


def load_recording(source, session, *, folder, structure, simulation=None):
    """Return the `lib.session.Recording` of any source.

    Parameters
    ----------
    source : str
        Name of a module of this package: simulated, allen, nwb or arrays.
    session : int or dict
        What the source calls a session (see params.yml).
    folder : Path
        `build/<name>`, for files that the source makes.
    structure : str or list of str
        The areas whose units are wanted.
    simulation : dict, optional
        The size of a simulated session; empty for the other sources.
    """
    module = importlib.import_module(f"lib.sources.{source}")
    return module.load(session, folder=folder, structure=structure, **(simulation or {}))


def prepare(params):
    """Check all that a run takes from its source, and fetch what is not there, before any work.

    Parameters
    ----------
    params : dict
        Of `lib.params.load_params`.

    Raises
    ------
    InputError
        One line: what was given, what was expected, what to do.
    """
    module = importlib.import_module(f"lib.sources.{params['source']}")
    if hasattr(module, "check"):
        module.check(params["session"], structure=params["structure"], units=params["units"])
