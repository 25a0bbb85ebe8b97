"""Scores of many genomes, in this process or by several workers.

Genomes are always evaluated in the same groups, so that scores are the same
bits for any number of workers.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import process
from typing import Any

import numpy as np

from tf_rigl.wann.genome import Genome
from tf_rigl.wann.networks import Networks
from tf_rigl.wann.tasks.task import Task

# A function that scores: (genomes, shared weights or None, seeds of episodes)
# -> float64 [genomes, weights, episodes].
Score = Callable[
    [Sequence[Genome], Sequence[float] | None, Sequence[int]], np.ndarray
]
_Job = tuple[Sequence[Genome], Sequence[float] | None, Sequence[int]]
_Map = Callable[[Callable[[_Job], np.ndarray], Iterable[_Job]], Iterable[Any]]

# The task of a worker, which it is given once.
_task: Task | None = None


@contextlib.contextmanager
def scorer(task: Task, workers: int = 1) -> Iterator[Score]:
    """Yields a function that scores genomes on a task.

    Args:
        task: the task.
        workers: processes; with 1 this process does the work. Others are
            started anew and import the main module, so a script needs
            `if __name__ == "__main__":` around what it does.

    Raises:
        RuntimeError: if a worker has ended, such as for lack of memory.
    """
    if workers == 1:
        yield _using(task, lambda _, jobs: [_run(task, job) for job in jobs])
        return

    executor = concurrent.futures.ProcessPoolExecutor(
        workers,
        # A fork would copy the locks of TensorFlow's threads.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
        initargs=(task,),
    )
    try:
        yield _using(task, executor.map)
    except process.BrokenProcessPool as error:
        raise RuntimeError(
            "A worker has ended before its work was done. Received: "
            f"workers={workers}; {error}. It may have lacked memory: take "
            "fewer workers. A script that searches with several needs `if "
            '__name__ == "__main__":` around what it does.'
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def score(
    task: Task,
    group: Sequence[Genome],
    weights: Sequence[float] | None,
    seeds: Sequence[int],
) -> np.ndarray:
    """Returns scores of genomes, float64 [genomes, weights, episodes]."""
    with scorer(task) as find:
        return find(group, weights, seeds)


def _using(task: Task, run_all: _Map) -> Score:
    def find(
        group: Sequence[Genome],
        weights: Sequence[float] | None,
        seeds: Sequence[int],
    ) -> np.ndarray:
        size = task.group_size
        jobs = [
            (group[first : first + size], weights, seeds)
            for first in range(0, len(group), size)
        ]
        found = np.concatenate(list(run_all(_run_in_worker, jobs)))
        _check(task, found, (len(group), len(weights or [None]), len(seeds)))
        return found

    return find


def _check(task: Task, found: np.ndarray, shape: tuple[int, ...]) -> None:
    if found.shape != shape or not np.all(np.isfinite(found)):
        raise ValueError(
            "`evaluate` of a task must return finite scores of the shape "
            f"[genomes, weights, episodes] = {list(shape)}. Received: scores "
            f"of shape {list(found.shape)} from {task.name}, "
            f"{np.count_nonzero(~np.isfinite(found))} of them not finite."
        )


def _run(task: Task, job: _Job) -> np.ndarray:
    group, weights, seeds = job
    found = task.evaluate(Networks(group, weights), seeds)
    return np.asarray(found, float)


def _run_in_worker(job: _Job) -> np.ndarray:
    if _task is None:
        raise RuntimeError("A worker is given its task before any work.")
    return _run(_task, job)


def _begin_worker(task: Task) -> None:
    global _task
    _task = task
    # Ctrl-C is for the process that has started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends a worker whose parent was killed, as nothing else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
