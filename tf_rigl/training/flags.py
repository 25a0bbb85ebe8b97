"""The command-line flags of an experiment.

Flags, defaults and rules come from `configuration.Configuration`, so that a
program and a Python caller get the same checks. Programs call `define` once
before absl parses the command line and `configuration` after it:

```python
from absl import app
from tf_rigl.training import flags as training_flags

training_flags.define()


def main(arguments):
    settings = training_flags.configuration()
```
"""

import dataclasses

from absl import flags

from tf_rigl.training import configuration as configurations
from tf_rigl.training import flavours
from tf_rigl.training import methods
from tf_rigl.training import strategies
from tf_rigl.training.flag_fields import define_field

DEFAULT_OUTPUT_DIR = "runs/mnist"

_HELP = {
    "method": "How to train.",
    "sparsity": "Fraction of each network's weights without a connection.",
    "distribution": "How the connections are shared out over the layers.",
    "keras": "keras3 is the package keras, keras2 is tf_keras.",
    "data": "mnist_small comes with the package; mnist is read with TFDS.",
    "data_dir": "Folder of prepared TFDS data; TFDS's default if unset.",
    "download": "Let TFDS download and prepare data that is missing.",
    "epochs": "Passes over the training images.",
    "batch_size": "Training images in a step.",
    "learning_rate": "Peak learning rate; a cosine takes it to 0.",
    "momentum": "Momentum (Nesterov) of SGD.",
    "seed": "Seed of initial weights, masks and batches.",
    "update_interval": "Steps from one mask update to the next.",
    "drop_fraction": "Fraction of connections that the first update moves.",
    "stop_fraction": "Fraction of the steps after which the masks stay.",
    "steps_per_execution": "Steps in one call of the compiled function.",
    "strategy": "Where to train; see docs/distribution.md.",
    "devices": "Replicas of --strategy=mirrored; 0 for all devices.",
    "tpu": "Name or address for --strategy=tpu; local on its own machine.",
    "compare_dense": "Train the dense network first and report both.",
}
_CHOICES = {
    "method": list(methods.METHODS),
    "distribution": list(configurations.DISTRIBUTIONS),
    "keras": list(flavours.MODULES),
    "data": list(configurations.DATA_SOURCES),
    "strategy": list(strategies.STRATEGIES),
}


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each field of the configuration, and two more.

    The two are `--output_dir` and `--dry_run`, which have no influence on the
    outcome of an experiment.

    Args:
        values: Where to define them; absl's global flags by default.
    """
    for field in dataclasses.fields(configurations.Configuration):
        define_field(
            field.name,
            field.default,
            _HELP[field.name],
            values,
            choices=_CHOICES.get(field.name),
            rule=configurations.RULES.get(field.name),
        )
    flags.DEFINE_string(
        "output_dir",
        DEFAULT_OUTPUT_DIR,
        "Folder for checkpoints, SavedModels, pictures and results.json.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Print model, connections, FLOPs and steps, then exit.",
        flag_values=values,
    )
    # Checked here too, so that a contradiction stops the program like any
    # other illegal flag.
    flags.register_multi_flags_validator(
        ["method", "compare_dense"],
        lambda chosen: (
            not (chosen["compare_dense"] and chosen["method"] == "dense")
        ),
        message="--compare_dense needs a sparse --method to compare with",
        flag_values=values,
    )


def configuration(
    values: flags.FlagValues = flags.FLAGS,
) -> configurations.Configuration:
    """Makes the configuration that the parsed flags ask for.

    Args:
        values: Parsed flags; absl's global ones by default.

    Returns:
        The configuration, checked.

    Raises:
        ValueError: If values break a rule.
    """
    fields = dataclasses.fields(configurations.Configuration)
    return configurations.Configuration(
        **{field.name: values[field.name].value for field in fields}
    )
