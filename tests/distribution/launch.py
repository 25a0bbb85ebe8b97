"""Starts the processes of a distributed run on this machine."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time

from tests import support

TRAIN = ("-m", "tests.distribution.train")
PATIENCE = 400  # seconds, for a machine that does much else


class Process:
    """A process that runs `train.py`, or another program.

    Args:
        arguments: flags and runs.
        jobs: the cluster, if it is to be part of one.
        job: of this process.
        task: its number.
        program: what Python runs.
    """

    def __init__(
        self, arguments, jobs=None, job="worker", task=0, program=TRAIN
    ):
        environment = support.child_environment(CUDA_VISIBLE_DEVICES="")
        environment.pop("TF_CONFIG", None)
        if jobs is not None:
            environment["TF_CONFIG"] = json.dumps(
                {"cluster": jobs, "task": {"type": job, "index": task}}
            )
        # Not a pipe, which would fill: nobody reads it before the end.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=support.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def read_line(self):
        """Waits for what it prints; empty once it has ended."""
        return self._process.stdout.readline()

    def wait(self, patience):
        """Waits until it ends; returns its exit code.

        Raises:
            RuntimeError: where it has not ended after so many seconds.
        """
        try:
            return self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(
                f"has not ended after {patience:.0f} s:\n{self.errors()}"
            ) from error

    def errors(self):
        self._errors.seek(0)
        return self._errors.read()[-4000:]

    def kill(self):
        """Ends it at once, as a machine that fails would (SIGKILL)."""
        self._process.kill()
        self._process.wait()

    def close(self):
        self.kill()
        self._process.stdout.close()
        self._errors.close()


def cluster(**tasks):
    """Addresses of the tasks of each job, on free ports."""
    with contextlib.ExitStack() as stack:
        # All are bound before any is given back, so that they differ.
        sockets = {
            job: [
                stack.enter_context(socket.create_server(("localhost", 0)))
                for _ in range(count)
            ]
            for job, count in tasks.items()
        }
        return {
            job: [f"localhost:{one.getsockname()[1]}" for one in bound]
            for job, bound in sockets.items()
        }


@contextlib.contextmanager
def started():
    """A list of processes that have ended after a `with` block."""
    processes = []
    try:
        yield processes
    finally:
        for process in processes:
            process.close()


def start_workers(arguments, count=2, program=TRAIN):
    jobs = cluster(worker=count)
    return [
        Process(arguments, jobs, "worker", task, program)
        for task in range(count)
    ]


def start_with_parameter_server(arguments, workers=1):
    jobs = cluster(chief=1, worker=workers, ps=1)
    return [
        Process(arguments, jobs, job, task)
        for job, addresses in jobs.items()
        for task in range(len(addresses))
    ]


def wait_for(processes, patience=PATIENCE):
    """Waits for all to succeed.

    Raises:
        RuntimeError: where one fails or takes longer; with its last lines.
    """
    deadline = time.monotonic() + patience
    for process in processes:
        if process.wait(max(deadline - time.monotonic(), 0)):
            raise RuntimeError(f"failed:\n{process.errors()}")
