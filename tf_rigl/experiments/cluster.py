"""The cluster of processes that train together, read from TF_CONFIG.

The environment variable gives every process the addresses of all tasks, by
job, and its own task. See
https://www.tensorflow.org/guide/distributed_training.
"""

import json
import os
from collections.abc import Mapping
from typing import NamedTuple
from typing import NoReturn

import tensorflow as tf

VARIABLE = "TF_CONFIG"
_SERVERS = ("worker", "ps")
# The jobs that a strategy requires, of which the first trains, and the optional
# ones.
_JOBS = {
    "multi_worker": (("worker",), ("chief", "evaluator")),
    "parameter_server": (("chief", "worker", "ps"), ("evaluator",)),
}


class Cluster(NamedTuple):
    """The tasks that train together, with the task of this process."""

    jobs: Mapping[str, list[str]]  # the addresses of the tasks, by job
    job: str  # the job of this process
    task: int  # the index of this process within its job


def read_cluster(strategy: str) -> Cluster:
    """Reads TF_CONFIG for `"multi_worker"` or `"parameter_server"`.

    Raises:
        ValueError: if the variable is not set or malformed, or its jobs are
            not those of the strategy.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        raise _error(strategy, "is not set", text)

    try:
        config = json.loads(text)
        jobs = {job: list(tasks) for job, tasks in config["cluster"].items()}
        job, task = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"cannot be read ({type(error).__name__}: {error})"
        raise _error(strategy, reason, text) from error

    needed, optional = _JOBS[strategy]
    missing = [one for one in needed if not jobs.get(one)]
    if missing:
        raise _error(strategy, f"lacks the job {missing[0]!r}", text)

    unknown = sorted(set(jobs) - {*needed, *optional})
    if unknown:
        raise _error(strategy, f"has a job {unknown[0]!r}", text)

    if not 0 <= task < len(jobs.get(job, ())):
        reason = f"says that this is task {task} of {job!r}, which it lacks"
        raise _error(strategy, reason, text)
    return Cluster(jobs, job, task)


def is_server(strategy: str) -> bool:
    """Returns whether this process is a worker or parameter server.

    Raises:
        ValueError: if the strategy is `"parameter_server"` and TF_CONFIG is
            missing or malformed.
    """
    if strategy != "parameter_server":
        return False
    return read_cluster(strategy).job in _SERVERS


def serve() -> NoReturn:
    """Serves as a worker or parameter server until the process is killed.

    Raises:
        ValueError: if TF_CONFIG is missing or malformed, or has another job
            for this process.
    """
    jobs, job, task = read_cluster("parameter_server")
    if job not in _SERVERS:
        raise ValueError(
            f"Only tasks of the jobs {' and '.join(_SERVERS)} serve. Received: "
            f"a task of {job!r} in {VARIABLE}. Call `make_strategy` there."
        )
    server = tf.distribute.Server(
        tf.train.ClusterSpec(dict(jobs)),
        job_name=job,
        task_index=task,
        protocol="grpc",
    )
    server.join()
    raise RuntimeError("The server has stopped.")


def _error(strategy: str, reason: str, text: str | None) -> ValueError:
    needed, optional = _JOBS[strategy]
    jobs = {job: [f"host-of-{job}:2222"] for job in needed}
    task = {"type": needed[0], "index": 0}
    example = json.dumps({"cluster": jobs, "task": task})
    return ValueError(
        f"The strategy {strategy!r} reads the cluster from the environment "
        f"variable {VARIABLE}, which {reason}. Received: {VARIABLE}={text!r}. "
        f"Set it in each process, for example to {example}; jobs are "
        f"{', '.join(needed)} and, if you like, {', '.join(optional)}."
    )
