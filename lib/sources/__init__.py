"""Where recordings come from: one small module a source, each with one function `load`."""

import importlib


def load_recording(source, session, *, folder, structure, simulation=None):
    """Return the `lib.session.Recording` of any source.

    Parameters
    ----------
    source : str
        Name of a module of this package: simulated or arrays.
    session : int or dict
        What the source calls a session (see params.yml).
    folder : Path
        `build/<name>`, for files that the source makes.
    structure : str
        The area whose units are wanted.
    simulation : dict, optional
        The size of a simulated session.
    """
    module = importlib.import_module(f"lib.sources.{source}")
    return module.load(session, folder=folder, structure=structure, **(simulation or {}))
