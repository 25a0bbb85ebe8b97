"""What decides the outcome of a training run, and the rules it must meet."""

import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any

from tf_rigl.core.distributions import Budget
from tf_rigl.data import registry as data_sets
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import methods
from tf_rigl.experiments import profiling
from tf_rigl.experiments import strategies
from tf_rigl.experiments.rules import AT_LEAST_ONE
from tf_rigl.experiments.rules import BELOW_ONE
from tf_rigl.experiments.rules import FRACTION
from tf_rigl.experiments.rules import NOT_NEGATIVE
from tf_rigl.experiments.rules import POSITIVE
from tf_rigl.experiments.rules import Rule
from tf_rigl.experiments.rules import check_fields
from tf_rigl.experiments.rules import one_of
from tf_rigl.models import registry as networks

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
OPTIMIZERS = ("sgd", "adam")
SCHEDULES = ("cosine", "step", "constant", "linear")

# Where a run reads and computes. It may go on with others of these.
MAY_DIFFER = (
    "data_dir",
    "download",
    "steps_per_execution",
    "evaluation_steps",
    "strategy",
    "devices",
    "tpu",
)

RULES: dict[str, Rule] = {
    "model": one_of(networks.BUILDERS),
    "width": POSITIVE,
    "data": one_of(data_sets.SOURCES),
    "image_size": AT_LEAST_ONE,
    "sequence_length": AT_LEAST_ONE,
    "vocabulary_size": Rule(lambda value: value >= 2, "at least 2"),
    "method": one_of(methods.METHODS),
    "sparsity": BELOW_ONE,
    "distribution": one_of(profiling.DISTRIBUTIONS),
    "budget": one_of(profiling.BUDGETS),
    "update_interval": AT_LEAST_ONE,
    "drop_fraction": FRACTION,
    "start_fraction": BELOW_ONE,
    "stop_fraction": FRACTION,
    "ablation_threshold": Rule(lambda value: 0 <= value <= 1, "in [0, 1]"),
    "keras": one_of(keras_modules.MODULES),
    "precision": one_of(PRECISIONS),
    "seed": Rule(lambda value: 0 <= value < 2**31, "in [0, 2**31)"),
    "epochs": AT_LEAST_ONE,
    "multiplier": POSITIVE,
    "batch_size": AT_LEAST_ONE,
    "optimizer": one_of(OPTIMIZERS),
    "learning_rate": POSITIVE,
    "schedule": one_of(SCHEDULES),
    "warmup_epochs": NOT_NEGATIVE,
    "decay_epochs": Rule(
        lambda epochs: all(
            first < second for first, second in itertools.pairwise((0, *epochs))
        ),
        "greater than 0 and rising",
    ),
    "decay_factor": Rule(lambda value: 0 < value < 1, "in (0, 1)"),
    "momentum": BELOW_ONE,
    "weight_decay": NOT_NEGATIVE,
    "clip_norm": NOT_NEGATIVE,
    "label_smoothing": BELOW_ONE,
    "steps_per_epoch": NOT_NEGATIVE,
    "steps_per_execution": AT_LEAST_ONE,
    "evaluation_steps": NOT_NEGATIVE,
    "strategy": one_of(strategies.STRATEGIES),
    "devices": NOT_NEGATIVE,
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that decides the outcome of a run.

    Attributes:
        model: A key of `models.by_name.BUILDERS`.
        width: What to multiply the widths of the network's layers by.
        data: A key of `data.by_name.SOURCES`.
        data_dir: Folder of prepared TFDS data, or of text files; None for
            TFDS's default.
        download: Whether TFDS may download missing data.
        image_size: Height and width of ImageNet's images, in pixels.
        sequence_length: Characters in a window of a text.
        vocabulary_size: At most how many characters are told apart.
        method: A key of `methods.METHODS`.
        sparsity: Fraction of the masked weights without a connection, in
            [0, 1). Without meaning when `method` is dense.
        distribution: How the connections are shared out over the layers.
        budget: Whether weights that stay dense count: see `tf_rigl.sparsify`.
        dense_layers: Names of layers that stay dense.
        update_interval: Steps from one mask update to the next.
        drop_fraction: Fraction of the connections that the first mask update
            moves, in (0, 1].
        start_fraction: Fraction of the steps before which nothing is pruned,
            in [0, 1) and smaller than `stop_fraction`. Without meaning but
            for the methods pruning, pruning_global and random_pruning.
        stop_fraction: Fraction of the steps after which the masks stay, in
            (0, 1].
        ablation_threshold: Fraction of the fan-in below which SRigL ablates a
            unit, in [0, 1]. Without meaning for other methods.
        keras: A key of `keras_modules.MODULES`.
        precision: What layers compute in; variables are float32 in any case.
        seed: Of initial weights, masks and batches.
        epochs: Passes over the training examples, before `multiplier`.
        multiplier: How much longer to train: multiplies `epochs` and
            `decay_epochs`. The paper's 5× runs have 5.
        batch_size: Examples in a step, of all replicas together.
        optimizer: One of `OPTIMIZERS`; momentum is Nesterov's.
        learning_rate: At its peak.
        schedule: One of `SCHEDULES`: `"cosine"` and `"linear"` take the
            learning rate to 0, `"step"` multiplies it by `decay_factor` at
            each of `decay_epochs`.
        warmup_epochs: Epochs in which the learning rate rises from 0.
        decay_epochs: Of the schedule `"step"`, before `multiplier`.
        decay_factor: Likewise.
        momentum: Of `"sgd"`, in [0, 1).
        weight_decay: Factor of half the squares of all kernels in the loss.
        clip_norm: Norm of all gradients together, those of weights without a
            connection among them, that longer ones are shortened to; 0 for
            none. With replicas, keras3 shortens the gradients of each, keras2
            their sum.
        label_smoothing: Share of a target that goes to all classes alike, in
            [0, 1).
        steps_per_epoch: Steps from one evaluation and checkpoint to the next;
            0 for a whole pass over the training examples.
        steps_per_execution: Steps in one call of the compiled function; it
            changes the speed, not the outcome.
        evaluation_steps: Batches to evaluate on; 0 for all.
        strategy: A key of `strategies.STRATEGIES`; where to train.
        devices: Replicas of the strategy `mirrored`; 0 for all devices.
        tpu: Name or address for the strategy `tpu`.
    """

    model: str = "wrn_22_2"
    width: float = 1.0
    data: str = "cifar10"
    data_dir: str | None = None
    download: bool = False
    image_size: int = 224
    sequence_length: int = 512
    vocabulary_size: int = 256
    method: str = "rigl"
    sparsity: float = 0.9
    distribution: str = "erk"
    budget: Budget = "global"
    dense_layers: tuple[str, ...] = ()
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_fraction: float = 0.0
    stop_fraction: float = 0.75
    ablation_threshold: float = 0.3
    keras: str = "keras3"
    precision: str = "float32"
    seed: int = 0
    epochs: int = 1
    multiplier: float = 1.0
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    schedule: str = "cosine"
    warmup_epochs: float = 0.0
    decay_epochs: tuple[float, ...] = ()
    decay_factor: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    steps_per_epoch: int = 0
    steps_per_execution: int = 1
    evaluation_steps: int = 0
    strategy: str = "one_device"
    devices: int = 0
    tpu: str = ""

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
            ValueError: If a value breaks its rule or two values contradict
                each other.
        """
        check_fields(self, RULES)
        self._check_schedule()
        self._check_pruning()

    @property
    def is_sparse(self) -> bool:
        """Whether the method trains a masked model."""
        return methods.METHODS[self.method].is_sparse

    @property
    def total_epochs(self) -> int:
        """Epochs of the whole run, at least 1."""
        return max(1, round(self.epochs * self.multiplier))

    @property
    def label(self) -> str:
        """The method with its sparsity, as in "RigL 90 %"."""
        return methods.label(self.method, self.sparsity)

    def _check_schedule(self) -> None:
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

    def _check_pruning(self) -> None:
        if self.start_fraction >= self.stop_fraction:
            raise ValueError(
                "`start_fraction` must be smaller than `stop_fraction`. "
                f"Received: start_fraction={self.start_fraction:g}, "
                f"stop_fraction={self.stop_fraction:g}. Begin earlier, or stop "
                "later."
            )


def to_json(settings: Settings) -> dict[str, Any]:
    """The settings as plain JSON values: lists in place of tuples."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def from_json(content: Mapping[str, Any]) -> Settings:
    """The settings of what `to_json` gave.

    Args:
        content: Values by field; those that are missing have their defaults.

    Raises:
        ValueError: If a field is unknown or a value breaks its rule.
    """
    known = {field.name for field in dataclasses.fields(Settings)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(
            "Settings must be fields of `Settings`. Received: "
            f"{', '.join(unknown)}."
        )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in content.items()
    }
    return Settings(**values)


def contradictions(
    stored: Mapping[str, Any], settings: Settings
) -> dict[str, tuple[Any, Any]]:
    """Fields that a run would have to change to go on with these settings.

    Args:
        stored: What `to_json` gave when the run began.
        settings: How it should go on.

    Returns:
        By field, the stored value and the other one.
    """
    defaults = to_json(Settings())
    return {
        name: (stored.get(name, defaults[name]), value)
        for name, value in to_json(settings).items()
        if name not in MAY_DIFFER and stored.get(name, defaults[name]) != value
    }
