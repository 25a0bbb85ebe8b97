"""A process that measures one model, seen from the program."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tf_rigl.experiments.benchmark import worker

_GRACE_SECONDS = 5.0


class ChildError(Exception):
    """A model cannot be run; the message says why.

    Attributes:
        has_ended: whether the process is gone.
    """

    def __init__(self, reason: str, has_ended: bool = False) -> None:
        super().__init__(reason)
        self.has_ended = has_ended


class Child:
    """A process of `worker`; use it as a context manager.

    Args:
        log: the file of what the process prints.
        environment: the variables of the process.
    """

    def __init__(
        self, log: pathlib.Path, environment: Mapping[str, str]
    ) -> None:
        self._log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", worker.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=dict(environment),
                # Ctrl-C must only reach the program, which then ends it.
                start_new_session=True,
            )
        self._requests: Any = self._process.stdin
        self._answers: Any = self._process.stdout

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def tell(self, name: str, **arguments: Any) -> None:
        """Sends a request; `hear` waits for the answer.

        Args:
            name: a method of `worker.Worker`.
            **arguments: those of the method.
        """
        line = json.dumps([name, arguments]) + "\n"
        # Why a process has ended is said where its answer is missed.
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(line.encode())
            self._requests.flush()

    def hear(self) -> dict[str, Any]:
        """Returns what the method has returned.

        Raises:
            ChildError: if it has raised an error, or the process has ended.
        """
        line = self._answers.readline()
        if not line:
            raise ChildError(self._why_it_ended(), has_ended=True)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ChildError(answer["error"])
        return answer

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Sends a request and waits for the answer; see `tell` and `hear`."""
        self.tell(name, **arguments)
        return self.hear()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError), self._process:
            pass  # closes the pipes and waits

    def _why_it_ended(self) -> str:
        code = self._process.wait(_GRACE_SECONDS)
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        lines = self._log.read_text("utf-8", errors="replace").split("\n")
        last = next((line for line in lines[::-1] if line.strip()), "")
        return f"Its process {how}{f': {last.strip()}' if last else '.'}"
