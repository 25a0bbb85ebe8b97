#!/usr/bin/env python3
"""Costs of RigL on several devices, in time and in communication.

Trains each network dense and with RigL (sparsity 0.9, ERK, ΔT = 100), in turn:

* on 1, 2 and 4 logical CPU devices, by MirroredStrategy,
* on two worker processes, by MultiWorkerMirroredStrategy; tf_keras only,
  because Keras 3 does not run under it.

The batch of the network is split over the replicas. All replicas share the
cores of one machine, so more replicas are not faster: look at the ratios of
sparse to dense on the same devices. A round times one step that updates masks
and several plain steps, and weights them by their frequency: (99 plain + 1
update) / 100. Ratios are taken within rounds. Bytes are those that each device
contributes to sums over replicas in one step, counted in the traced step and
all functions that it calls.

Each number of devices has its own process, in which both contenders alternate,
because a process has only one set of logical devices.

Usage: python benchmarks/scale.py [--model=NAME] [--devices=2] [--rounds=5]
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure
from tf_rigl.experiments.sweeps import processes

_KERAS = ["keras", "tf_keras"]
_WORKERS = "workers"
_NUM_WORKERS = 2
# The number of replicas of each setting.
REPLICAS = {"1": 1, "2": 2, "4": 4, _WORKERS: _NUM_WORKERS}
_METHODS = ("dense", "tf_rigl")
_SECONDS = 3600
# Operations by which strategies sum over devices, processes and TPU cores.
_SUMS = frozenset(
    {
        "CollectiveReduce",
        "CollectiveReduceV2",
        "CollectiveReduceV3",
        "CrossReplicaSum",
        "NcclAllReduce",
        "XlaAllReduce",
    }
)


# For each contender in a process, the "bytes" that a device contributes to sums
# in one step, and "rounds" with the seconds of "step", "plain" and "update".
Figures = Mapping[str, Mapping[str, Any]]


def define_flags() -> None:
    flags.DEFINE_multi_enum(
        "model", ["lenet_300_100", "gru"], measure.MODELS, "Network."
    )
    flags.DEFINE_multi_enum(
        "devices", list(REPLICAS), list(REPLICAS), "Number of devices."
    )
    flags.DEFINE_multi_enum("keras", _KERAS, _KERAS, "Keras flavors.")
    flags.DEFINE_bool("here", False, "Train in this process and write --json.")


def settings(
    devices: Sequence[str], packages: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yields the devices and the Keras of each run; workers need tf_keras."""
    for where in devices:
        for package in packages:
            if where != _WORKERS or package == "tf_keras":
                yield where, package


def cluster(ports: Sequence[int], worker: int) -> str:
    """Returns the `TF_CONFIG` of one of the workers on this machine."""
    return json.dumps(
        {
            "cluster": {"worker": [f"localhost:{port}" for port in ports]},
            "task": {"type": "worker", "index": worker},
        }
    )


def free_ports(count: int) -> list[int]:
    """Returns different ports on which no process listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def measure_in_processes(model: str, where: str, package: str) -> Figures:
    """Trains both contenders in new processes.

    Raises:
        RuntimeError: if a process fails.
    """
    # Replicas are logical CPU devices.
    variables = ["CUDA_VISIBLE_DEVICES="]
    if where == _WORKERS:
        ports = free_ports(_NUM_WORKERS)
        variables = [
            f"TF_CONFIG={cluster(ports, worker)}"
            for worker in range(_NUM_WORKERS)
        ]

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = [folder / f"{number}.json" for number in range(len(variables))]
        commands = [
            [
                *("env", variable, sys.executable, __file__),
                "--here",
                f"--json={file}",
                "--verbosity=-1",  # hides a message for each sum traced
                f"--model={model}",
                f"--devices={where}",
                f"--keras={package}",
                f"--rounds={measure.chosen('rounds')}",
                f"--smoke={flags.FLAGS.smoke}",
            ]
            for variable, file in zip(variables, files, strict=True)
        ]
        run_together(commands, folder)
        return json.loads(files[0].read_text("utf-8"))["results"]


def run_together(
    commands: Sequence[Sequence[str]], folder: pathlib.Path
) -> None:
    """Runs commands in parallel, with logs in a folder.

    Raises:
        RuntimeError: as soon as a command fails, since workers wait for each
            other, or after an hour. All commands have ended then.
    """
    deadline = time.monotonic() + _SECONDS
    jobs = {
        str(number): processes.Job(
            str(number), command, folder / f"{number}.txt"
        )
        for number, command in enumerate(commands)
    }

    def check(running: list[str], ended: Mapping[str, int]) -> None:
        late = running if time.monotonic() > deadline else []
        for name in [*(name for name, code in ended.items() if code), *late]:
            log = "\n".join(processes.last_lines(jobs[name].log, 20))
            raise RuntimeError(
                "Every process must end well, and within an hour. Received: "
                f"exit code {ended.get(name)} of "
                f"{' '.join(jobs[name].command)!r}, which printed\n{log}"
            )

    processes.run_all(jobs.values(), len(jobs), os.environ, check)


def measure_here(model: str, where: str, package: str) -> Figures:
    """Trains both contenders in this process."""
    # Imported here, as the parent of the processes does not need TensorFlow.
    from tf_rigl.experiments import strategies

    if where == _WORKERS:
        strategy = strategies.make_strategy("multi_worker")
    else:
        devices = REPLICAS[where]
        strategy = strategies.make_strategy("mirrored", devices=devices)
    from benchmarks import contenders
    from benchmarks import networks
    from benchmarks import step_overhead

    network = networks.NETWORKS[model]
    replica = dataclasses.replace(
        network, batch_size=network.batch_size // strategy.num_replicas_in_sync
    )
    with strategy.scope():
        trainings = {
            # Logical CPU devices cannot sum under XLA.
            method: contenders.start_training(
                f"{package}/{method}", replica, jit_compile=False
            )
            for method in _METHODS
        }
        for training in trainings.values():
            training.warm_up()
        rounds = step_overhead.measure_steps(trainings, network)
    return {
        method: {
            "bytes": bytes_of_step(strategy, training.model, replica.batch()),
            "rounds": rounds[method],
        }
        for method, training in trainings.items()
    }


def bytes_of_step(strategy: Any, model: Any, batch: Any) -> int:
    """Counts the bytes that a device contributes to sums over replicas.

    The count is of one step on `batch`, the batch of one replica.
    """
    import tensorflow as tf

    def step(*data: Any) -> None:
        strategy.run(lambda *own: model.train_step(own), args=data)

    traced = tf.function(step, autograph=False).get_concrete_function(
        *map(tf.constant, batch)
    )
    local = len(strategy.extended.worker_devices)
    return summed_bytes(traced.graph) // local


def summed_bytes(graph: Any) -> int:
    """Counts the bytes that all devices contribute to sums over replicas.

    Operations are counted in the graph and in the functions that it calls,
    with all branches of conditionals and one iteration of loops.

    Returns:
        The bytes of the first inputs of all such operations.

    Raises:
        ValueError: if the shape of a summed tensor is not known.
    """
    return sum(
        _bytes(operation)
        for operation in _operations(graph)
        if operation.type in _SUMS
    )


def _operations(graph: Any) -> Iterator[Any]:
    for operation in graph.get_operations():
        yield operation
        for name in _called(operation):
            yield from _operations(graph._get_function(name).graph)


def _called(operation: Any) -> Iterator[str]:
    """Yields the names of the functions that an operation calls."""
    for attribute in operation.op_def.attr:
        if attribute.type == "func":
            yield operation.get_attr(attribute.name).name
        elif attribute.type == "list(func)":
            yield from (
                function.name for function in operation.get_attr(attribute.name)
            )


def _bytes(operation: Any) -> int:
    tensor = operation.inputs[0]
    if not tensor.shape.is_fully_defined():
        raise ValueError(
            "The shape of what is summed must be known. Received: "
            f"shape={tensor.shape} of {operation.name!r}. Trace the step for "
            "batches of a fixed size."
        )
    return int(tensor.shape.num_elements() * tensor.dtype.size)


def table(
    results: Mapping[tuple[str, str], Figures],
) -> list[list[str]]:
    """Formats the rows of one network: devices, Keras, method and figures."""
    rows = []
    for (where, package), measured in results.items():
        base = measured["dense"]
        for method, own in measured.items():
            name = "2 workers" if where == _WORKERS else where
            row = measure.step_cells(own["rounds"], base["rounds"])
            more = own["bytes"] - base["bytes"]
            bytes_ = [f"{own['bytes']:,}", f"{more:,}"]
            rows.append([f"{name} {package}/{method}", *row, *bytes_])
    return rows


def main() -> dict[str, Any]:
    chosen = list(settings(flags.FLAGS.devices, flags.FLAGS.keras))
    if flags.FLAGS.here:
        return dict(measure_here(flags.FLAGS.model[0], *chosen[0]))

    results: dict[str, Any] = {}
    for model in flags.FLAGS.model:
        measured = {}
        for where, package in chosen:
            measured[where, package] = measure_in_processes(
                model, where, package
            )
            print(f"{model}: {where} {package} is measured", flush=True)

        measure.print_table(
            f"{model}: training step, median of rounds (lowest to highest)",
            [
                "devices",
                *measure.STEP_COLUMNS,
                "bytes summed",
                "more than dense",
            ],
            table(measured),
        )
        results[model] = {
            f"{where} {package}": figures
            for (where, package), figures in measured.items()
        }
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=5)
