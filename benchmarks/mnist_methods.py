"""All methods on real MNIST, over several seeds: accuracy, size and FLOPs.

```shell
python -m benchmarks.mnist_methods --data_dir=... \
    --results=benchmarks/results/mnist_methods.jsonl \
    --table=benchmarks/results/mnist_methods.md
```

LeNet-300-100, 98 % sparsity (ERK), 20 epochs of batches of 128, SGD with
Nesterov's momentum 0.9, learning rate 0.2 down to 0 by a cosine, mask updates
every 100 steps until three quarters of the run. Runs that the results file
holds already are not repeated, so an interrupted benchmark goes on where it
was.
"""

import json
import pathlib
import statistics
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from absl import app
from absl import flags

from benchmarks import measure
from tf_rigl.data import mnist
from tf_rigl.training import artefacts
from tf_rigl.training import configuration as configurations
from tf_rigl.training import experiment
from tf_rigl.training import flavours
from tf_rigl.training import methods

Results = list[dict[str, Any]]

IDENTITY = ("method", "sparsity", "epochs", "keras", "data", "seed")


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_list("methods", list(methods.METHODS), "What to train.")
    flags.DEFINE_integer("seeds", 5, "Seeds 0, 1, ... of each.", lower_bound=1)
    flags.DEFINE_float("sparsity", 0.98, "Fraction of zeros.")
    flags.DEFINE_integer("epochs", 20, "Passes over the data.", lower_bound=1)
    flags.DEFINE_string("keras", "keras3", "keras3 or keras2.")
    flags.DEFINE_string("data", "mnist", "mnist or mnist_small.")
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")
    flags.DEFINE_string(
        "results", "runs/mnist_methods.jsonl", "File of one JSON line a run."
    )
    flags.DEFINE_string("table", "", "File for the table, in Markdown.")


def configuration(method: str, seed: int) -> configurations.Configuration:
    """The experiment of one run."""
    values = flags.FLAGS
    return configurations.Configuration(
        method=method,
        sparsity=values.sparsity,
        epochs=values.epochs,
        keras=values.keras,
        data=values.data,
        data_dir=values.data_dir,
        seed=seed,
        steps_per_execution=13,
    )


def identity(settings: configurations.Configuration) -> dict[str, Any]:
    """What tells one run from another."""
    return {name: getattr(settings, name) for name in IDENTITY}


def same_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a run, from its record."""
    return {name: record[name] for name in IDENTITY}


def run_one(
    settings: configurations.Configuration, digits: mnist.Mnist
) -> dict[str, Any]:
    """Trains one network and returns its record."""
    keras = flavours.load_keras(settings.keras)
    keras.backend.clear_session()
    model = experiment.build(settings, keras, settings.method)
    result = experiment.train(settings, keras, settings.method, model, digits)
    return {
        **identity(settings),
        "accuracy": result.test_accuracy,
        "nonzeros": result.profile.nonzeros,
        "flops": result.profile.flops,
        "training_flops": result.training_flops,
        "seconds": result.seconds,
    }


def load(path: pathlib.Path) -> Results:
    """The runs that a results file holds; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def main(arguments: Sequence[str]) -> None:
    """Trains what is missing and prints the table."""
    del arguments
    values = flags.FLAGS
    path = pathlib.Path(values.results)
    path.parent.mkdir(parents=True, exist_ok=True)
    results = load(path)
    wanted = [
        configuration(method, seed)
        for seed in range(values.seeds)
        for method in values.methods
    ]
    done = [same_names(one) for one in results]
    missing = [one for one in wanted if identity(one) not in done]
    print(f"{len(wanted) - len(missing)} runs are there, {len(missing)} to go")
    digits = None
    for number, settings in enumerate(missing, start=1):
        if digits is None:
            source = configurations.DATA_SOURCES[settings.data]
            digits = mnist.load(source, settings.data_dir)
        start = time.perf_counter()
        record = run_one(settings, digits)
        with path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
        results.append(record)
        print(
            f"{number} of {len(missing)}: {settings.method}, seed "
            f"{settings.seed}: {record['accuracy']:.2%} in "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    asked_for = [identity(settings) for settings in wanted]
    text = table([one for one in results if same_names(one) in asked_for])
    print(text)
    if values.table:
        artefacts.write_text(pathlib.Path(values.table), text)


def table(results: Results) -> str:
    """The results in Markdown, the most accurate method first."""
    by_method: dict[str, Results] = {}
    for one in results:
        by_method.setdefault(one["method"], []).append(one)
    dense = by_method.get("dense", results)[0]
    rows = sorted(
        (_row(method, runs, dense) for method, runs in by_method.items()),
        key=lambda row: -row[0],
    )
    lines = [
        "| method | test accuracy, % | lowest to highest | seeds | parameters "
        "| inference FLOPs | training FLOPs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(text for _, text in rows),
    ]
    return "\n".join(lines) + "\n"


def _row(
    method: str, runs: Results, dense: Mapping[str, Any]
) -> tuple[float, str]:
    """Mean accuracy, by which to sort, and a line of the table."""
    accuracies = [100 * one["accuracy"] for one in runs]
    mean = statistics.mean(accuracies)
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    sizes = statistics.mean(one["nonzeros"] for one in runs)
    cells = (
        methods.METHODS[method].label,
        f"{mean:.2f} ± {spread:.2f}",
        f"{min(accuracies):.2f} to {max(accuracies):.2f}",
        f"{len(runs)}",
        f"{sizes:,.0f}",
        *(
            f"{statistics.mean(one[name] for one in runs) / dense[name]:.3f} ×"
            for name in ("flops", "training_flops")
        ),
    )
    return mean, "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    define_flags()
    measure.print_environment({"benchmark": "mnist_methods"})
    app.run(main)
