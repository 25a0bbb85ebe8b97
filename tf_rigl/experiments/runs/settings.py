"""The settings of a training run, and their rules."""

import dataclasses
import json
import operator
from collections.abc import Mapping
from typing import Any

from tf_rigl.core import distribution_types
from tf_rigl.data import registry as data_sets
from tf_rigl.experiments import fields
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import methods
from tf_rigl.experiments.fields import AT_LEAST_ONE
from tf_rigl.experiments.fields import BELOW_ONE
from tf_rigl.experiments.fields import FRACTION
from tf_rigl.experiments.fields import NOT_NEGATIVE
from tf_rigl.experiments.fields import POSITIVE
from tf_rigl.experiments.fields import FieldRule
from tf_rigl.experiments.fields import field
from tf_rigl.experiments.fields import one_of
from tf_rigl.experiments.runs import choices
from tf_rigl.experiments.user_code import or_reference
from tf_rigl.models import registry as networks


@fields.documented
@dataclasses.dataclass(frozen=True)
class RunSettings:
    """The settings that determine the outcome of a run.

    Raises:
        ValueError: if a value violates its rule or two values contradict each
            other.
    """

    # Network and data.
    model: str = field(
        "wrn_22_2",
        "Network, or package.module:function, which returns a model.",
        or_reference(one_of(networks.BUILDERS)),
    )
    width: float = field(
        1.0, "Multiplier of the widths of the network's layers.", POSITIVE
    )
    dropout: float | None = field(
        None, "Dropout rate; the network's own if unset.", BELOW_ONE
    )
    kernel_initializer: str | None = field(
        None,
        "Distribution of the initial kernels, of Keras or by "
        "tf_rigl.reinitialize; the network's own if unset.",
        one_of((*networks.INITIALIZERS, *choices.REPRODUCIBLE)),
    )
    data: str = field(
        "cifar10",
        "Data set, or package.module:function, which returns arrays: (inputs, "
        "labels), (inputs, labels).",
        or_reference(one_of(data_sets.SOURCES)),
    )
    data_dir: str | None = field(
        None,
        "Folder of prepared TFDS data, or of the text files train.txt and "
        "valid.txt (or wiki.train.raw, ...); TFDS's default if unset.",
    )
    download: bool = field(
        False, "Let TFDS download and prepare data that is missing."
    )
    augment: bool = field(True, "Crop and flip CIFAR's training images.")
    validation_examples: int = field(
        0,
        "Training examples to hold out, and to evaluate on after epochs in "
        "place of the test data, on which a run still ends.",
        NOT_NEGATIVE,
    )
    image_size: int = field(
        224, "Height and width of ImageNet's images, in pixels.", AT_LEAST_ONE
    )
    sequence_length: int = field(
        512, "Characters in a window of a text.", AT_LEAST_ONE
    )
    vocabulary_size: int = field(
        256,
        "Largest number of distinct characters.",
        FieldRule(lambda value: value >= 2, "at least 2"),
    )

    # Sparsity and method.
    method: str = field("rigl", "Training method.", one_of(methods.METHODS))
    sparsity: float = field(
        0.9,
        "Fraction of zeros in the masked weights; dense ignores it.",
        BELOW_ONE,
    )
    distribution: str = field(
        "erk",
        "Distribution of the sparsity over the layers.",
        one_of(choices.DISTRIBUTIONS),
    )
    budget: distribution_types.Budget = field(
        "global",
        "global: the sparsity is that over all kernels; reference: without "
        "dense layers, as in published repositories.",
        one_of(distribution_types.BUDGETS),
    )
    dense_layers: tuple[str, ...] = field(
        (), "Layers that stay dense, by name."
    )
    storage: str = field(
        "masked",
        "compressed: connections alone, on one CPU; auto: where it pays.",
        one_of(choices.STORAGES),
    )
    update_interval: int = field(
        100, "Steps from one mask update to the next.", AT_LEAST_ONE
    )
    drop_fraction: float = field(
        0.3, "Fraction of connections that the first update drops.", FRACTION
    )
    start_fraction: float = field(
        0.0,
        "Fraction of the steps before which nothing is pruned, smaller than "
        "--stop_fraction; for pruning, pruning_global and random_pruning.",
        BELOW_ONE,
    )
    stop_fraction: float = field(
        0.75, "Fraction of the steps after which masks stay fixed.", FRACTION
    )
    ablation_threshold: float = field(
        0.3,
        "Fraction of the fan-in below which srigl ablates a unit.",
        FieldRule(lambda value: 0 <= value <= 1, "in [0, 1]"),
    )
    slimming_strength: float = field(
        1e-4, "Weight of slimming's L1 penalty on scales.", NOT_NEGATIVE
    )

    # Factors.
    rank_scale: float = field(
        0.0,
        "Ranks of the factors of kernels, relative to full ranks; 0 for "
        "kernels. Layers of --dense_layers have none.",
        NOT_NEGATIVE,
    )
    frobenius_decay: float = field(
        0.0,
        "Factor of the penalty of products of factors, half the sum of "
        "squares; it takes the place of their weight decay.",
        NOT_NEGATIVE,
    )

    # Training of the weights.
    keras: str = field(
        "keras3",
        "keras3 is the package keras, keras2 is tf_keras.",
        one_of(keras_modules.MODULES),
    )
    precision: str = field(
        "float32",
        "Precision in which layers compute; weights are float32.",
        one_of(choices.PRECISIONS),
    )
    seed: int = field(
        0,
        "Seed of initial weights, masks and batches.",
        FieldRule(lambda value: 0 <= value < 2**31, "in [0, 2**31)"),
    )
    epochs: int = field(
        1,
        "Passes over the training examples, before --multiplier.",
        AT_LEAST_ONE,
    )
    multiplier: float = field(
        1.0,
        "Multiplier of epochs and decay_epochs; 5 for the paper's 5× runs.",
        POSITIVE,
    )
    batch_size: int = field(
        128, "Examples in a step, over all replicas.", AT_LEAST_ONE
    )
    optimizer: str = field(
        "sgd",
        "Optimizer; the momentum of sgd is Nesterov's.",
        one_of(choices.OPTIMIZERS),
    )
    learning_rate: float = field(0.1, "Learning rate at its peak.", POSITIVE)
    schedule: str = field(
        "cosine",
        "Learning rate after the warm-up: cosine and linear decay to 0, step "
        "multiplies it by --decay_factor at each of --decay_epochs.",
        one_of(choices.SCHEDULES),
    )
    warmup_epochs: float = field(
        0.0, "Epochs in which the learning rate rises.", NOT_NEGATIVE
    )
    decay_epochs: tuple[float, ...] = field(
        (),
        "Epochs at which --schedule=step lowers the learning rate, before "
        "--multiplier.",
        FieldRule(
            lambda epochs: all(map(operator.lt, (0, *epochs), epochs)),
            "greater than 0 and rising",
        ),
    )
    decay_factor: float = field(
        0.1,
        "Factor by which --schedule=step multiplies the learning rate.",
        FieldRule(lambda value: 0 < value < 1, "in (0, 1)"),
    )
    momentum: float = field(0.9, "Momentum of sgd.", BELOW_ONE)
    weight_decay: float = field(
        0.0,
        "Factor of the L2 penalty, half the sum of squares of all kernels.",
        NOT_NEGATIVE,
    )
    clip_norm: float = field(
        0.0,
        "Largest global norm of the gradients, inactive connections included; "
        "0 to not clip them. With replicas, keras3 clips the gradients of "
        "each, keras2 their sum.",
        NOT_NEGATIVE,
    )
    label_smoothing: float = field(
        0.0, "Share of a target spread evenly over all classes.", BELOW_ONE
    )
    steps_per_epoch: int = field(
        0,
        "Steps from one evaluation and checkpoint to the next; 0 for a pass "
        "over the training examples.",
        NOT_NEGATIVE,
    )

    # Execution and devices.
    steps_per_execution: int = field(
        1,
        "Steps in one call of the compiled function; changes the speed, not "
        "the outcome.",
        AT_LEAST_ONE,
    )
    evaluation_steps: int = field(
        0, "Batches to evaluate on; 0 for all.", NOT_NEGATIVE
    )
    strategy: str = field(
        "one_device",
        "Where to train; see docs/distribution.md.",
        one_of(choices.STRATEGIES),
    )
    devices: int = field(
        0, "Replicas of --strategy=mirrored; 0 for all devices.", NOT_NEGATIVE
    )
    tpu: str = field(
        "", "Name or address for --strategy=tpu; local on its own machine."
    )

    def __post_init__(self) -> None:
        fields.check(self)
        if self.schedule == "step" and not self.decay_epochs:
            raise ValueError(
                "The schedule 'step' needs `decay_epochs`. Received: "
                "schedule='step', decay_epochs=(). Name the epochs, or choose "
                "another schedule."
            )

        if self.warmup_epochs >= self.total_epochs and self.warmup_epochs:
            raise ValueError(
                "`warmup_epochs` must be fewer than the epochs of the run. "
                f"Received: warmup_epochs={self.warmup_epochs:g} of "
                f"{self.total_epochs}. Train longer, or leave them out."
            )

        if self.frobenius_decay and not self.rank_scale:
            raise ValueError(
                "`frobenius_decay` is that of factors. Received: "
                f"frobenius_decay={self.frobenius_decay:g} with rank_scale=0. "
                "Set rank_scale, or weight_decay for kernels."
            )

        if self.start_fraction >= self.stop_fraction:
            raise ValueError(
                "`start_fraction` must be smaller than `stop_fraction`. "
                f"Received: start_fraction={self.start_fraction:g}, "
                f"stop_fraction={self.stop_fraction:g}. Begin earlier, or stop "
                "later."
            )

    @property
    def is_sparse(self) -> bool:
        """Returns whether the method trains a masked model."""
        return methods.METHODS[self.method].is_sparse

    @property
    def total_epochs(self) -> int:
        """Epochs of the whole run, at least 1."""
        return max(1, round(self.epochs * self.multiplier))

    @property
    def label(self) -> str:
        """The method with its sparsity, as in "RigL 90 %"."""
        return methods.label(self.method, self.sparsity)


@fields.documented
@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options that do not affect the outcome of a run.

    Raises:
        ValueError: if a number is negative.
    """

    output_dir: str = field(
        "runs/latest",
        "Folder of the run: configuration, checkpoints, metrics, results and "
        "models. A run that was killed is resumed there.",
    )
    dry_run: bool = field(
        False, "Print model, connections, FLOPs and steps, then exit."
    )
    checkpoint_every: int = field(
        0,
        "Batches from one checkpoint to the next; 0 for one at the end of "
        "each epoch.",
        NOT_NEGATIVE,
    )
    evaluate_every: int = field(
        1,
        "Epochs from one evaluation to the next; 0 to evaluate only at the "
        "end.",
        NOT_NEGATIVE,
    )
    metrics_every: int = field(
        100,
        "Steps from one line of steps.jsonl, and point of TensorBoard's step_ "
        "curves, to the next; 0 for metrics by epochs only.",
        NOT_NEGATIVE,
    )
    tensorboard: bool = field(
        True, "Write logs for TensorBoard, if it is installed."
    )
    export: bool = field(
        True, "Write the trained model: model.keras and saved_model."
    )
    compare_dense: bool = field(
        False,
        "Train the dense network first, in the folder dense of output_dir, "
        "and compare.",
    )
    report: bool = field(
        False, "Write report.html, a page of curves, masks and sizes."
    )

    def __post_init__(self) -> None:
        fields.check(self)


def to_json(settings: RunSettings) -> dict[str, Any]:
    """Converts settings to plain JSON values, tuples to lists."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def from_json(content: Mapping[str, Any]) -> RunSettings:
    """Converts the result of `to_json` back to settings.

    Missing fields get their defaults.

    Raises:
        ValueError: if a field is unknown or a value violates its rule.
    """
    known = {one.name for one in dataclasses.fields(RunSettings)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(
            "Settings must be fields of `RunSettings`. Received: "
            f"{', '.join(unknown)}."
        )

    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in content.items()
    }
    return RunSettings(**values)


def contradictions(
    stored: Mapping[str, Any], settings: RunSettings
) -> dict[str, tuple[Any, Any]]:
    """Returns the differences that forbid to resume a run with new settings.

    `stored` is the result of `to_json` when the run began. Fields that have
    been added since have their defaults.

    Returns:
        The stored and the new value, by field.
    """
    before = {**to_json(RunSettings()), **stored}
    return {
        name: (before[name], value)
        for name, value in to_json(settings).items()
        if name not in choices.MAY_DIFFER and before[name] != value
    }
