"""The process that measures one model, as the program asks it to.

Requests and answers are lines of JSON, on the standard input and on what was
the standard output. Whatever runtimes print goes to the standard error. The
process ends when its input closes, however the program has ended.
"""

import gc
import json
import os
import pathlib
import queue
import statistics
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_rigl.experiments.benchmark import inputs
from tf_rigl.experiments.benchmark import opened_models

_LONGEST_REASON = 300


class Worker:
    """Answers requests about one model, in the order of the methods."""

    def __init__(self) -> None:
        self._model: Any = None  # an `OpenedModel`
        self._call: Any = None  # its `Call` on the present batch
        self._before = 0

    def start(self, kind: str, path: str, threads: int) -> dict[str, Any]:
        """Imports the runtime, which the memory of the model is without."""
        runtime, seconds = _timed(
            lambda: opened_models.start_runtime(
                kind, pathlib.Path(path), threads
            )
        )
        self._before = resident_bytes()
        return {
            "runtime": runtime,
            "import_seconds": seconds,
            "runtime_bytes": self._before,
        }

    def open(
        self, kind: str, path: str, threads: int, imports: list[str]
    ) -> dict[str, Any]:
        """Loads the model."""
        self._model, seconds = _timed(
            lambda: opened_models.open_model(
                kind, pathlib.Path(path), threads, imports
            )
        )
        return {"inputs": self._model.inputs, "load_seconds": seconds}

    def prepare(self, arrays: str, outputs: str) -> dict[str, Any]:
        """Calls the model on a batch for the first time.

        Args:
            arrays: file of its inputs, in their order.
            outputs: file to write the outputs to, in their order.
        """
        self._call = None
        with np.load(arrays) as file:
            given = [file[name] for name in file.files]

        model = self._model
        start = time.perf_counter()
        self._call = model.prepare(given)
        made = self._call.run()
        seconds = time.perf_counter() - start

        now = resident_bytes()
        named = self._call.name_outputs(made)
        np.savez(outputs, *map(inputs.plain, named.values()))
        return {
            "first_seconds": seconds,
            "memory_bytes": now - self._before,
            "process_bytes": now,
            "outputs": list(named),
        }

    def time(self, seconds: float) -> dict[str, Any]:
        """Calls the model for some seconds, at least once."""
        run = self._call.run
        # The turns of other models have filled the caches.
        run()
        taken: list[float] = []
        gc.collect()
        gc.disable()
        try:
            cpu = time.process_time()
            now = begin = time.perf_counter()
            while not taken or now - begin < seconds:
                run()
                before, now = now, time.perf_counter()
                taken.append(now - before)
            cpu = time.process_time() - cpu
        finally:
            gc.enable()
        return {
            "seconds": statistics.median(taken),
            "cpu_seconds": cpu / len(taken),
        }


def resident_bytes() -> int:
    """Returns the memory that this process occupies."""
    pages = pathlib.Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def reason_of(error: BaseException) -> str:
    """Says in a line why something failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    if not isinstance(error, (ValueError, ImportError)) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    if len(text) > _LONGEST_REASON:
        text = f"{text[: _LONGEST_REASON - 1]}…"
    return text


def main() -> None:
    """Answers requests until the standard input closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    worker = Worker()
    while True:
        name, arguments = json.loads(requests.get())
        try:
            answer = getattr(worker, name)(**arguments)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": reason_of(error)}
        print(json.dumps(answer), file=answers, flush=True)


def _read(requests: queue.Queue[str]) -> None:
    with os.fdopen(os.dup(0), encoding="utf-8") as stream:
        for line in stream:
            requests.put(line)
    # Also in the middle of a call, of which nobody will see the end.
    os._exit(0)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
