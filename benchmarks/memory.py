#!/usr/bin/env python3
"""Memory of sparse training, compared with dense training and TFMOT.

Trains each contender in a separate process, in turn, and reports how many bytes
more than dense training it takes for each element of a masked weight:

* at rest: the bytes of all variables of model and optimizer, exact,
* peak: the largest resident memory of the process in a few training steps with
  a mask update, median of several processes.

Usage: python benchmarks/memory.py [--model=NAME] [--rounds=3]
"""

import functools
import json
import pathlib
import resource
import sys

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure

_MODELS = [*measure.MODELS, "wide_mlp"]
# The unit of `ru_maxrss`.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MIB = 2**20


def define_flags() -> None:
    flags.DEFINE_multi_enum(
        "model", ["resnet50", "wide_mlp"], _MODELS, "Network."
    )
    flags.DEFINE_multi_enum(
        "contender",
        measure.CONTENDERS,
        [*measure.CONTENDERS, *measure.STEADY],
        "Training.",
    )

    flags.DEFINE_integer(
        "steps", 5, "Steps after the first three.", lower_bound=1
    )
    flags.DEFINE_enum(
        "only",
        None,
        [*measure.CONTENDERS, *measure.STEADY],
        "Train only this one, in this process; print JSON.",
    )


def measure_here(contender: str, model: str) -> dict[str, int]:
    """Trains in this process; returns elements and bytes by name."""
    # Imported here, not by the parent process, which must stay small: the
    # `ru_maxrss` of a child begins with the memory of its parent.
    from benchmarks import contenders
    from benchmarks import networks

    training = contenders.start_training(contender, networks.NETWORKS[model])
    training.warm_up()
    training.run(measure.chosen("steps"))
    training.go_to_update()
    training.run(2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    return {
        "elements": contenders.masked_elements(training),
        "at_rest": contenders.variable_bytes(training),
        "peak": peak,
    }


def measure_in_process(contender: str, model: str) -> dict[str, int]:
    return measure.run_json(
        __file__,
        f"--only={contender}",
        f"--model={model}",
        f"--steps={measure.chosen('steps')}",
    )


def report(model: str, measured: dict[str, list[dict[str, int]]]) -> None:
    rows = []
    for contender, rounds in measured.items():
        dense = measured.get(contender.split("/")[0] + "/dense")
        row = [contender, f"{rounds[0]['elements']:,}"]
        for part in ("at_rest", "peak"):
            bytes_ = measure.summarize(one[part] for one in rounds)
            row.append(f"{bytes_.median / _MIB:,.1f}")
            row.append(_more_per_element(rounds, dense, part))
        rows.append(row)

    measure.print_table(
        f"{model}: median of processes (lowest to highest)",
        [
            "",
            "masked elements",
            "at rest, MiB",
            "more, bytes an element",
            "peak, MiB",
            "more, bytes an element",
        ],
        rows,
    )


def _more_per_element(
    rounds: list[dict[str, int]],
    dense: list[dict[str, int]] | None,
    part: str,
) -> str:
    if dense is None or not rounds[0]["elements"]:
        return ""
    more = measure.summarize(
        (own[part] - base[part]) / own["elements"]
        for own, base in zip(rounds, dense, strict=True)
    )
    # The memory at rest is exact, and so the same in all processes.
    return f"{more.median:.4f}" if part == "at_rest" else f"{more:.2f}"


def main() -> dict[str, dict[str, list[dict[str, int]]]] | None:
    only = flags.FLAGS.only
    if only:
        print(json.dumps(measure_here(only, flags.FLAGS.model[0])))
        return None

    results = {}
    for model in flags.FLAGS.model:
        results[model] = measure.alternate(
            {
                contender: functools.partial(
                    measure_in_process, contender, model
                )
                for contender in flags.FLAGS.contender
            }
        )
        report(model, results[model])
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
