"""The command-line flags of a run, from the fields of its settings.

A program calls `define` with its defaults before absl parses the command
line; `settings` and `options` after it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from absl import flags

from tf_rigl.data import registry as data_sets
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import methods
from tf_rigl.experiments import profiling
from tf_rigl.experiments import strategies
from tf_rigl.experiments.flag_fields import define_field
from tf_rigl.experiments.runs import settings as rules
from tf_rigl.experiments.runs.settings import Settings
from tf_rigl.experiments.runs.train import Options
from tf_rigl.models import registry as networks

# `--help` lists the flags of the program, which these become.
flags.disclaim_key_flags()

_HELP = {
    "model": "Network.",
    "width": "What to multiply the widths of the network's layers by.",
    "data": "Data set.",
    "data_dir": "Folder of prepared TFDS data, or of the text files "
    "train.txt and valid.txt (or wiki.train.raw, ...); TFDS's default if "
    "unset.",
    "download": "Let TFDS download and prepare data that is missing.",
    "image_size": "Height and width of ImageNet's images.",
    "sequence_length": "Characters in a window of a text.",
    "vocabulary_size": "At most how many characters are told apart.",
    "method": "How to train.",
    "sparsity": "Fraction of the masked weights without a connection.",
    "distribution": "How the connections are shared out over the layers.",
    "budget": "global: the sparsity is that of all kernels; reference: dense "
    "layers do not count, as in published repositories.",
    "dense_layers": "Layers that stay dense, by name.",
    "update_interval": "Steps from one mask update to the next.",
    "drop_fraction": "Fraction of connections that the first update moves.",
    "start_fraction": "Fraction of the steps before which nothing is pruned; "
    "for pruning, pruning_global and random_pruning.",
    "stop_fraction": "Fraction of the steps after which the masks stay.",
    "ablation_threshold": "Fraction of the fan-in below which srigl ablates a "
    "unit.",
    "keras": "keras3 is the package keras, keras2 is tf_keras.",
    "precision": "What layers compute in; weights are float32.",
    "seed": "Seed of initial weights, masks and batches.",
    "epochs": "Passes over the training examples, before --multiplier.",
    "multiplier": "How much longer to train: multiplies epochs and "
    "decay_epochs.",
    "batch_size": "Examples in a step, of all replicas together.",
    "optimizer": "Optimizer; the momentum of sgd is Nesterov's.",
    "learning_rate": "Learning rate at its peak.",
    "schedule": "How the learning rate falls after the warm-up.",
    "warmup_epochs": "Epochs in which the learning rate rises.",
    "decay_epochs": "Where --schedule=step lowers the learning rate.",
    "decay_factor": "What --schedule=step multiplies it by.",
    "momentum": "Momentum of sgd.",
    "weight_decay": "Factor of half the squares of all kernels in the loss.",
    "clip_norm": "Norm of all gradients together that longer ones are "
    "shortened to; 0 for none.",
    "label_smoothing": "Share of a target that goes to all classes alike.",
    "steps_per_epoch": "Steps from one evaluation to the next; 0 for a pass "
    "over the training examples.",
    "steps_per_execution": "Steps in one call of the compiled function.",
    "evaluation_steps": "Batches to evaluate on; 0 for all.",
    "strategy": "Where to train; see docs/distribution.md.",
    "devices": "Replicas of --strategy=mirrored; 0 for all devices.",
    "tpu": "Name or address for --strategy=tpu; local on its own machine.",
    "checkpoint_every": "Batches from one checkpoint to the next; 0 for one "
    "at the end of each epoch.",
    "evaluate_every": "Epochs from one evaluation to the next; 0 for none "
    "but that at the end.",
    "tensorboard": "Write for TensorBoard, if it is installed.",
    "export": "Write the trained model: model.keras and saved_model.",
    "compare_dense": "Train the dense network first, in the folder dense of "
    "output_dir, and compare.",
    "report": "Write report.html, a page of curves, masks and sizes.",
}
_CHOICES: dict[str, Any] = {
    "model": networks.BUILDERS,
    "data": data_sets.SOURCES,
    "method": methods.METHODS,
    "distribution": profiling.DISTRIBUTIONS,
    "budget": profiling.BUDGETS,
    "keras": keras_modules.MODULES,
    "precision": rules.PRECISIONS,
    "optimizer": rules.OPTIMIZERS,
    "schedule": rules.SCHEDULES,
    "strategy": strategies.STRATEGIES,
}
_NUMBERS = ("decay_epochs",)  # of lists


def define(
    defaults: Mapping[str, Any] | None = None,
    output_dir: str = "runs/latest",
    values: flags.FlagValues = flags.FLAGS,
) -> None:
    """Defines a flag for each field of settings and options, and two more.

    The two are `--output_dir` and `--dry_run`.

    Args:
        defaults: Values by field that a program has in place of the general
            ones.
        output_dir: The default of that flag.
        values: Where to define them; absl's global flags by default.
    """
    chosen = dict(defaults or {})
    for owner in (Settings, Options):
        for field in dataclasses.fields(owner):
            default = chosen.get(field.name, field.default)
            _define_field(field.name, default, values)
    flags.DEFINE_string(
        "output_dir",
        output_dir,
        "Folder of the run: configuration, checkpoints, metrics, results and "
        "models. A run that was killed goes on there.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Print model, connections, FLOPs and steps, then exit.",
        flag_values=values,
    )


def settings(values: flags.FlagValues = flags.FLAGS) -> Settings:
    """Makes the settings that the parsed flags ask for.

    Args:
        values: Parsed flags; absl's global ones by default.

    Raises:
        ValueError: If values break a rule.
    """
    return Settings(**_values(Settings, values))


def options(values: flags.FlagValues = flags.FLAGS) -> Options:
    """Makes the options that the parsed flags ask for.

    Args:
        values: Parsed flags; absl's global ones by default.

    Raises:
        ValueError: If a number is negative.
    """
    return Options(**_values(Options, values))


def to_arguments(*owners: Settings | Options) -> list[str]:
    """The command line of `python -m tf_rigl.experiments.runs`.

    Args:
        *owners: What the parsed flags shall give.

    Returns:
        A flag for each value that is not the default of its field.
    """
    return [
        _argument(field.name, getattr(owner, field.name))
        for owner in owners
        for field in dataclasses.fields(owner)
        if getattr(owner, field.name) != field.default
    ]


def _argument(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return f"--{name}={value}"


def _values(owner: Any, values: flags.FlagValues) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(owner):
        value = values[field.name].value
        if isinstance(field.default, tuple):
            value = _items(field.name, value)
        found[field.name] = value
    return found


def _items(name: str, texts: list[str]) -> tuple[Any, ...]:
    if name not in _NUMBERS:
        return tuple(texts)
    try:
        return tuple(map(float, texts))
    except ValueError as error:
        raise ValueError(
            f"`{name}` must be numbers, separated by commas. "
            f"Received: {name}={','.join(texts)!r}."
        ) from error


def _define_field(name: str, default: Any, values: flags.FlagValues) -> None:
    text = _HELP[name]
    if isinstance(default, tuple):
        texts = [f"{one:g}" if name in _NUMBERS else one for one in default]
        flags.DEFINE_list(name, texts, text, flag_values=values)
        return
    define_field(
        name,
        default,
        text,
        values,
        choices=_CHOICES.get(name),
        rule=rules.RULES.get(name),
    )
