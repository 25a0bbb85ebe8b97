"""Runs commands as processes, some at once, and leaves none behind."""

import collections
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

_POLL_SECONDS = 0.1
# For a run to end its batch and to write a checkpoint.
_GRACE_SECONDS = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Job(NamedTuple):
    """A command to run."""

    name: str
    command: Sequence[str]
    log: pathlib.Path  # gets its output, after what is there


# Called with the names of the jobs that run, and with the exit codes, by
# name, of those that have ended since the last call.
Watch = Callable[[list[str], dict[str, int]], None]


class SweepInterrupted(Exception):
    """A signal has ended the jobs before their time."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by {signal.Signals(signal_number).name}")
        self.exit_code = 128 + signal_number


def run_all(
    jobs: Iterable[Job],
    at_once: int,
    environment: Mapping[str, str],
    watch: Watch,
) -> None:
    """Runs jobs to their ends, in order; one that fails stops no other.

    So many run at once; `watch` is called about ten times a second, and
    whenever a job ends. Folders of logs are made.

    Raises:
        SweepInterrupted: if SIGINT, SIGTERM or SIGHUP came. The processes were
            ended before: asked to, and killed if they did not.
        OSError: if a log cannot be written; processes are ended likewise.
    """
    waiting = collections.deque(jobs)
    running: dict[str, subprocess.Popen[bytes]] = {}
    ended: dict[str, int] = {}
    with _noted_signals() as noted:
        try:
            while waiting or running or ended:
                while waiting and len(running) < at_once:
                    job = waiting.popleft()
                    running[job.name] = _begin(job, environment)
                watch(list(running), ended)

                if running:
                    time.sleep(_POLL_SECONDS)
                if noted:
                    raise SweepInterrupted(noted[0])
                ended = {
                    name: process.returncode
                    for name, process in running.items()
                    if process.poll() is not None
                }
                for name in ended:
                    with running.pop(name):
                        pass  # closes its pipe
        finally:
            _end(running.values(), noted)


def environment_of_share(at_once: int) -> dict[str, str]:
    """Returns the environment of processes that share this machine.

    Variables that the user has set stay.

    Returns:
        This process's variables, its module path, and each one's share of
        the cores.
    """
    environment = {
        "PYTHONUNBUFFERED": "1",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    if at_once > 1:
        threads = str(max(1, usable_cores() // at_once))
        for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
            environment.setdefault(name, threads)
        # Else the first process takes all memory of an accelerator.
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return environment


def usable_cores() -> int:
    """Counts the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def last_lines(path: pathlib.Path, count: int) -> list[str]:
    """Returns the last lines of a log that are not empty."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()][-count:]


def _begin(job: Job, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(
            list(job.command),
            # A pipe that closes when this process ends, even by SIGKILL.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            # Ctrl-C is for this process, which ends the others its way.
            start_new_session=True,
        )


def _end(
    processes: Collection[subprocess.Popen[bytes]], noted: list[int]
) -> None:
    """Asks processes to end; kills them later, or when a signal comes."""
    _signal(processes, signal.SIGTERM)
    before = len(noted)
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(process.poll() is None for process in processes):
        if time.monotonic() > deadline or len(noted) > before:
            break
        time.sleep(_POLL_SECONDS)

    _signal(processes, signal.SIGKILL)
    for process in processes:
        with process:
            pass  # waits, and closes its pipe


def _signal(processes: Iterable[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        # The group of its session: what it has started, too.
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, number)


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Notes signals in place of what they did.

    An exception out of a handler could come while processes are ended.
    """
    noted: list[int] = []

    def note(number: int, frame: Any) -> None:
        del frame
        noted.append(number)

    # `nohup` makes SIGHUP ignored, which it stays.
    before: dict[int, Any] = {
        number: signal.signal(number, note)
        for number in _SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
