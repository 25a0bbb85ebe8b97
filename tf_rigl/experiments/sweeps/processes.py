"""Runs commands as processes, some at once, and leaves none behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from types import FrameType
from types import TracebackType
from typing import Any
from typing import NamedTuple
from typing import Protocol

_POLL_SECONDS = 0.1
# For a run to end its batch and to write a checkpoint.
_GRACE_SECONDS = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Job(NamedTuple):
    """A command to run."""

    name: str
    command: Sequence[str]
    log: pathlib.Path  # gets its output, after what is there


class Watcher(Protocol):
    """Is told how jobs go on."""

    def started(self, job: Job) -> None:
        """A job has begun."""

    def ended(self, job: Job, code: int) -> None:
        """A job has ended with an exit code."""

    def waiting(self) -> None:
        """Some time has gone by."""


class Interrupted(Exception):
    """A signal has ended the jobs before their time.

    Args:
        signal_number: Which.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by {signal.Signals(signal_number).name}")
        self.exit_code = 128 + signal_number


def run_all(
    jobs: Iterable[Job],
    at_once: int,
    environment: Mapping[str, str],
    watcher: Watcher,
) -> None:
    """Runs jobs to their ends, in order; one that fails stops no other.

    Args:
        jobs: What to run. The folders of their logs are made.
        at_once: Processes at the same time, at least 1.
        environment: Of the processes.
        watcher: Whom to tell.

    Raises:
        Interrupted: If SIGINT, SIGTERM or SIGHUP came. The processes were
            ended before: asked to, and killed when they did not.
        OSError: If a log can't be written; processes are ended likewise.
    """
    left = list(jobs)
    running: list[tuple[Job, subprocess.Popen[bytes]]] = []
    with _Signals() as signals:
        try:
            while left or running:
                while left and len(running) < at_once:
                    job = left.pop(0)
                    running.append((job, _start(job, environment)))
                    watcher.started(job)
                time.sleep(_POLL_SECONDS)
                if signals.noted:
                    raise Interrupted(signals.noted[0])
                for job, process in tuple(running):
                    code = process.poll()
                    if code is not None:
                        running.remove((job, process))
                        watcher.ended(job, code)
                watcher.waiting()
        finally:
            _end([process for _, process in running], signals)


def environment_of_share(at_once: int) -> dict[str, str]:
    """The environment of processes that share this machine.

    What the user has set stays.

    Args:
        at_once: How many there are at the same time.

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
        threads = str(max(1, _cores() // at_once))
        for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
            environment.setdefault(name, threads)
        # Else the first process takes all memory of an accelerator.
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return environment


def last_lines(path: pathlib.Path, count: int) -> list[str]:
    """The last lines of a log that are not empty."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()][-count:]


class _Signals:
    """Notes signals in place of what they did, for as long as it is entered.

    An exception out of a handler could come between the start of a process
    and the line that remembers it.
    """

    def __init__(self) -> None:
        self.noted: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Signals":
        for number in _SIGNALS:
            # `nohup` has SIGHUP ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.noted.append(number)


def _start(job: Job, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(
            list(job.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            # Ctrl-C is for this process, which ends the others in its way.
            start_new_session=True,
        )


def _end(
    processes: Sequence[subprocess.Popen[bytes]], signals: _Signals
) -> None:
    """Asks processes to end; kills them later, or when a signal comes."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    noted = len(signals.noted)
    deadline = time.monotonic() + _GRACE_SECONDS
    while any(process.poll() is None for process in processes):
        if time.monotonic() > deadline or len(signals.noted) > noted:
            break
        time.sleep(_POLL_SECONDS)
    for process in processes:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    # Its session's whole group: what it has started, too.
    if process.poll() is None:
        os.killpg(process.pid, number)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
