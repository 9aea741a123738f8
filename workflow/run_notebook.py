"""Run one notebook with parameters, in a kernel of its own or one that is given."""

import os
import time
import uuid
from pathlib import Path

from lib.errors import InputError
from lib.files import ROOT
from lib.machine import socket_folder
from lib.params import nearest
from workflow.pictures import lighten


def execute(name, output, parameters, *, result=None, kernel_manager=None):
    """Execute notebooks/<name>.ipynb and write the executed copy.

    Parameters
    ----------
    name : str
        Such as 05_mei.
    output : Path
        Executed copy, renamed into place when it is complete.
    parameters : dict
        Values for the cell tagged `parameters`; every name must stand there.
    result : Path, optional
        The JSON result of a stage that must not stop the others: if the notebook fails, the copy
        that shows the error is kept as `output` and `result` says that it failed.
    kernel_manager : class, optional
        Starts the kernel; a process of its own if not given.

    Returns
    -------
    str or None
        The error, if the notebook failed and `result` was given.

    Raises
    ------
    InputError
        Unknown notebook or parameter; a notebook that failed without `result`.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from lib.files import write_json

    source = ROOT / "notebooks" / f"{name}.ipynb"
    if not source.is_file():
        names = [path.stem for path in sorted(source.parent.glob("*.ipynb"))]
        raise InputError(f"no notebook {name}; {nearest(name, names)}")
    _check_names(name, parameters, papermill.inspect_notebook(str(source)))
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.stem}.partial.ipynb")
    try:
        papermill.execute_notebook(
            str(source),
            str(partial),
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(output.parent),
            kernel_manager_class=kernel_manager or ipc_manager(),
            engine_name=_saving_engine(),
        )
    except (PapermillExecutionError, DeadKernelError) as error:
        message = (
            f"{error.ename}: {error.evalue}".splitlines()[0]
            if hasattr(error, "ename")
            else "its kernel was killed; is there enough memory?"
        )
        if result is None:
            kept = output.with_suffix(".failed.ipynb")
            os.replace(partial, kept)
            raise InputError(f"{name} failed: {message} (the notebook up to there: {kept})") from None
        write_json(result, {"failed": message})
        lighten(partial)
        os.replace(partial, output)
        return message
    lighten(partial)
    os.replace(partial, output)
    return None


def _saving_engine():
    """Return the name of a papermill engine that saves a notebook as it begins and ends, not at each cell."""
    from papermill.engines import NBClientEngine, papermill_engines

    class AtTheEnd(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, manager, *arguments, **options):
            manager.save = lambda **_: None
            try:
                super().execute_managed_notebook(manager, *arguments, **options)
            finally:
                del manager.save

    papermill_engines.register("at_the_end", AtTheEnd)
    return "at_the_end"


def _check_names(name, parameters, declared):
    for given in parameters:
        if given not in declared:
            raise InputError(f"{name} has no parameter {given}; {nearest(given, declared)}")


def ipc_manager():
    """Kernels that talk through files, so that two at once never meet on a TCP port."""
    from jupyter_client.manager import AsyncKernelManager

    class IPCKernelManager(AsyncKernelManager):
        def __init__(self, **options):
            address = Path(socket_folder()) / f"kernel-{uuid.uuid4().hex[:12]}"
            super().__init__(**options | {"transport": "ipc", "ip": str(address)})

        async def _async_interrupt_kernel(self):
            """Do nothing: sent before each shutdown, where the kernel would complain about it."""

    return IPCKernelManager


def run(name, output, parameters, result=None, kernel_manager=None):
    """Execute one notebook; returns the exit code and the line that says what happened."""
    label, started = label_of(name, parameters), time.time()
    try:
        failed = execute(name, output, parameters, result=result, kernel_manager=kernel_manager)
    except InputError as error:
        return 1, f"{label}: {error}"
    state = f"FAILED: {failed}" if failed else "done"
    return 0, f"{label}: {state} ({time.time() - started:.0f} s)"


def label_of(name, parameters):
    """Return what is executed, as it is called on the screen."""
    return name + (f" of unit {parameters['unit_id']}" if "unit_id" in parameters else "")
