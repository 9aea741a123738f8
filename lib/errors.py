"""The error that is meant for the person who runs the report, not for a programmer."""


class InputError(ValueError):
    """One line: what was given, what was expected, what to do. Notebooks show just that line."""

    def _render_traceback_(self):
        return [f"{type(self).__name__}: {self}"]


class DamagedFile(InputError):
    """A file that is there but not whole, so that another copy of it would help."""
