"""Executes notebooks in forks of one process that has imported the packages.

Starting Python and a kernel and importing torch, pandas and matplotlib takes longer than most
notebooks of one unit. `make report` starts this process on Linux; workflow/execute.py asks it, and does
the work itself where nothing answers (macOS, a cluster's nodes).
"""

import importlib
import json
import multiprocessing
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from lib.machine import socket_folder

ADDRESS = "REPORT_WARM_SOCKET"  # environment variable: where the process listens
PRELOADED = (
    "papermill",
    "ipykernel.kernelapp",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_svg",
    "pandas.io.formats.style",
    "sklearn.ensemble",
    "torch._dynamo",  # which torch.optim imports when it is used
    "workflow.run_notebook",
    "lib.mei.search",
    "lib.mei.truth",
    "lib.gabors.search",
    "lib.stimuli.metrics",
    "lib.population.table",
    "lib.figures",
)


@contextmanager
def warm_process(environment):
    """Let one such process run, and give its address in the environment of the jobs."""
    with tempfile.TemporaryDirectory(dir=socket_folder()) as folder:  # nobody else may enter it
        environment = environment | {ADDRESS: str(Path(folder) / "socket")}
        server = subprocess.Popen(
            [sys.executable, "-m", "workflow.warm", environment[ADDRESS]], env=environment
        )
        try:
            yield environment
        finally:
            server.terminate()
            server.wait()


def ask(request):
    """Return the answer of the warm process to a request (JSON values), or None if there is none."""
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(os.environ[ADDRESS])
        except (KeyError, OSError):
            return None
        with link.makefile("rw", encoding="utf-8") as stream:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            answer = stream.readline()
    return json.loads(answer) if answer else [1, f"{request['name']}: ended without a word"]


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks for each request; the packages are imported at the first one."""

    request_queue_size = 1000
    max_children = 1000  # Snakemake decides how many run at once
    parent = os.getppid()

    def process_request(self, request, client_address):
        for module in PRELOADED:
            importlib.import_module(module)
        super().process_request(request, client_address)

    def service_actions(self):
        super().service_actions()
        if os.getppid() != self.parent:  # `make report` was killed
            sys.exit()


class Handler(socketserver.StreamRequestHandler):
    """In the fork: forks the kernel, executes one notebook, and answers (exit code, line)."""

    def handle(self):
        from workflow.run_notebook import run

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        request = json.loads(self.rfile.readline())
        answer = run(**request, kernel_manager=forked_kernel_manager())
        self.wfile.write((json.dumps(answer) + "\n").encode())


class ForkedKernel(multiprocessing.get_context("fork").Process):
    """A fork that becomes a kernel when it is told how; to jupyter_client it is a subprocess."""

    stdin = stdout = stderr = None

    def __init__(self):
        self._told, self._tell = multiprocessing.Pipe(duplex=False)
        super().__init__()
        self.start()

    def run(self):
        from ipykernel.kernelapp import IPKernelApp

        parent = os.getppid()
        os.setsid()
        self._tell.close()
        try:
            arguments, folder, environment = self._told.recv()
        except EOFError:  # nothing was executed
            return
        os.chdir(folder)
        os.environ.update(environment)
        IPKernelApp.launch_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={parent}"])

    def become_kernel(self, arguments, folder, environment):
        """Start the kernel, as `ipykernel_launcher` would with these arguments."""
        self._tell.send((arguments, folder, environment))

    def poll(self):
        return self.exitcode

    def wait(self, timeout=None):
        self.join(timeout)
        return self.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)


def forked_kernel_manager():
    """Return the class of a kernel manager whose kernel is a fork of this process, made now."""
    from workflow.run_notebook import ipc_manager

    kernel = ForkedKernel()

    class ForkedKernelManager(ipc_manager()):
        async def _async_launch_kernel(self, kernel_cmd, **options):
            kernel.become_kernel(kernel_cmd[3:], os.getcwd(), dict(options["env"]))
            self.provisioner.process = kernel
            self.provisioner.pid = self.provisioner.pgid = kernel.pid

    return ForkedKernelManager


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends `make report`, which ends this
    Server(sys.argv[1], Handler).serve_forever(poll_interval=0.1)
