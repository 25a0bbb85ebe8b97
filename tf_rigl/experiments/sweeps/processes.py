"""Runs commands as parallel processes, and leaves none behind."""

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

from tf_rigl.experiments import terminal

_POLL_SECONDS = 0.1
# The time that a run has to end its batch and to write a checkpoint.
_GRACE_SECONDS = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Job(NamedTuple):
    """A command to run."""

    name: str
    command: Sequence[str]
    log: pathlib.Path  # the file to which its output is appended


# Called with the names of the running jobs, and with the exit codes, by name,
# of the jobs that have ended since the last call.
Watch = Callable[[list[str], dict[str, int]], None]


class SweepInterrupted(Exception):
    """Raised if a signal has ended the jobs early."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by {signal.Signals(signal_number).name}")
        self.exit_code = 128 + signal_number


def to_exit_code(run: Callable[[], int], what: str) -> int:
    """Runs a program that starts processes, and reports why it ends early.

    Returns:
        What `run` returns; 1 after an error of the user's; 128 + n if signal n
        has ended the program, which the same command resumes.
    """
    try:
        return run()
    except SweepInterrupted as interruption:
        print(
            f"The {what} was {interruption}. The same command resumes it.",
            file=sys.stderr,
        )
        return interruption.exit_code
    except terminal.USER_ERRORS as error:
        return terminal.fail(error)


def run_all(
    jobs: Iterable[Job],
    at_once: int,
    environment: Mapping[str, str],
    watch: Watch,
) -> None:
    """Runs jobs in order, `at_once` at a time; failures do not stop others.

    `watch` is called about ten times a second, also with jobs that have ended.
    The folders of logs are made.

    Raises:
        SweepInterrupted: after SIGINT, SIGTERM or SIGHUP, once all processes
            have ended. They get SIGTERM first, and SIGKILL after a while.
        OSError: if a log cannot be written. Processes are ended likewise.
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

    It has the variables of this process, its module path, and limits by which
    each process uses its share of the cores, unless the user has set others.
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
        # By default, the first process takes all memory of an accelerator.
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return environment


def usable_cores() -> int:
    """Counts the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def last_lines(path: pathlib.Path, count: int) -> list[str]:
    """Returns the last `count` lines of a log, without empty lines."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()][-count:]


def _begin(job: Job, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(
            list(job.command),
            # The pipe closes when this process ends, even by SIGKILL.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            # Ctrl-C must only reach this process, which then ends the others.
            start_new_session=True,
        )


def _end(
    processes: Collection[subprocess.Popen[bytes]], noted: list[int]
) -> None:
    """Ends processes by SIGTERM, and by SIGKILL later or on another signal."""
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
        # The process group includes the processes that it has started.
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, number)


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Collects the numbers of signals within the context.

    The former handlers are replaced, since one that raises could interrupt the
    code that ends the processes.
    """
    noted: list[int] = []

    def note(number: int, frame: Any) -> None:
        del frame
        noted.append(number)

    # Ignored signals stay ignored, such as SIGHUP under `nohup`.
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
