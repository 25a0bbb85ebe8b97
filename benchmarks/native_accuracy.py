#!/usr/bin/env python3
"""Accuracy and time of training by connections alone, against masks.

Trains networks with RigL and ERK by the training program, with masked and with
compressed storage, in turn for each seed. Both have the same initial values,
masks and batches, so results differ by rounding alone, as far as training lets
that grow. Also reports the CPU time of whole runs.

| task | network | training |
| --- | --- | --- |
| mnist_small | LeNet-300-100, 98 % | embedded part of MNIST, 20 epochs |
| mnist | the same | MNIST, 5 epochs |
| text | GRU of 128 units, 95 % | 2,000 steps of 32 windows of 64 characters |
| cifar10 | ResNet-18, quarter width, 95 % | 2 epochs of batches of 64 |

Runs are kept in `--output_dir`, and their figures in `results.jsonl` there; the
same command goes on with what is missing.

Usage: python benchmarks/native_accuracy.py [--task=mnist_small] [--rounds=3]
           [--data_dir=FOLDER] [--output_dir=FOLDER]
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure

STORAGES = ("masked", "compressed")
_ALL = (
    "--method=rigl",
    "--distribution=erk",
    "--schedule=cosine",
    "--update_interval=100",
    "--drop_fraction=0.3",
    "--stop_fraction=0.75",
    "--noexport",
    "--notensorboard",
)
_LENET = (
    "--model=lenet_300_100",
    "--sparsity=0.98",
    "--batch_size=128",
    "--learning_rate=0.1",
    "--momentum=0.9",
)
TASKS = {
    "mnist_small": ("--data=mnist_small", "--epochs=20", *_LENET),
    "mnist": ("--data=mnist", "--epochs=5", *_LENET),
    "text": (
        "--model=character_gru",
        "--width=0.25",
        "--data=text",
        "--sparsity=0.95",
        "--epochs=4",
        "--steps_per_epoch=500",
        "--evaluation_steps=200",
        "--batch_size=32",
        "--sequence_length=64",
        "--optimizer=adam",
        "--learning_rate=0.005",
    ),
    "cifar10": (
        "--model=resnet_18",
        "--width=0.25",
        "--data=cifar10",
        "--sparsity=0.95",
        "--epochs=2",
        "--batch_size=64",
        "--learning_rate=0.1",
        "--momentum=0.9",
        "--weight_decay=0.0001",
    ),
}


def define_flags() -> None:
    flags.DEFINE_enum("task", "mnist_small", [*TASKS], "What to learn.")
    flags.DEFINE_string("data_dir", None, "Folder of the data.")
    flags.DEFINE_string("output_dir", "runs/native_accuracy", "For the runs.")


def train(storage: str, seed: int) -> dict[str, Any]:
    """Trains in a process of its own; returns what to keep of it."""
    options = flags.FLAGS
    folder = pathlib.Path(options.output_dir) / (
        f"{options.task}_{storage}_s{seed}"
    )
    arguments = [
        *_ALL,
        *TASKS[options.task],
        f"--storage={storage}",
        f"--seed={seed}",
        f"--output_dir={folder}",
    ]
    if options.data_dir:
        arguments.append(f"--data_dir={options.data_dir}")
    if options.smoke:
        arguments += ["--epochs=1", "--steps_per_epoch=2"]

    before = _children_seconds()
    subprocess.run(
        [sys.executable, "-m", "tf_rigl.experiments.runs", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    results = json.loads((folder / "results.json").read_text("utf-8"))
    return {
        "task": options.task,
        "storage": storage,
        "seed": seed,
        "measure": results["headline"],
        "value": results["measures"][results["headline"]],
        "cpu_seconds": round(_children_seconds() - before, 1),
    }


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(runs: Iterable[dict[str, Any]]) -> None:
    """Prints a row for each task and storage."""
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for run in runs:
        kind = run["task"], run["storage"]
        found.setdefault(kind, {})[run["seed"]] = run

    rows = []
    for (task, storage), by_seed in found.items():
        values = [one["value"] for one in by_seed.values()]
        text = f"{statistics.mean(values):.4f}"
        if len(values) > 1:
            text += f" ± {statistics.stdev(values):.4f}"
        masked = found.get((task, STORAGES[0]), {})
        seeds = [seed for seed in by_seed if seed in masked]
        times = measure.ratios(
            [by_seed[seed]["cpu_seconds"] for seed in seeds],
            [masked[seed]["cpu_seconds"] for seed in seeds],
        )
        name = next(iter(by_seed.values()))["measure"]
        rows.append([task, storage, name, text, f"{times.median:.2f}"])
    header = ["task", "storage", "measure", "mean ± deviation", "CPU, × masked"]
    measure.print_table("RigL, by storage", header, rows)


def main() -> list[dict[str, Any]]:
    options = flags.FLAGS
    path = pathlib.Path(options.output_dir) / "results.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    runs = measure.read_lines(path)
    done = {(one["task"], one["storage"], one["seed"]) for one in runs}
    for seed in range(measure.chosen("rounds")):
        for storage in STORAGES:
            if (options.task, storage, seed) in done:
                continue
            runs.append(train(storage, seed))
            measure.append_line(path, runs[-1])
            print(runs[-1], flush=True)
    show(runs)
    return runs


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
