"""The configuration of an experiment and the rules that it must meet."""

import dataclasses

from tf_rigl.training import flavours
from tf_rigl.training import methods
from tf_rigl.training import strategies
from tf_rigl.training.rules import AT_LEAST_ONE
from tf_rigl.training.rules import BELOW_ONE
from tf_rigl.training.rules import FRACTION
from tf_rigl.training.rules import NOT_NEGATIVE
from tf_rigl.training.rules import POSITIVE
from tf_rigl.training.rules import Rule
from tf_rigl.training.rules import check_fields
from tf_rigl.training.rules import one_of

DATA_SOURCES = {"mnist_small": "small", "mnist": "tfds"}
DISTRIBUTIONS = ("uniform", "er", "erk")


RULES: dict[str, Rule] = {
    "method": one_of(methods.METHODS),
    "sparsity": BELOW_ONE,
    "distribution": one_of(DISTRIBUTIONS),
    "keras": one_of(flavours.MODULES),
    "data": one_of(DATA_SOURCES),
    "epochs": AT_LEAST_ONE,
    "batch_size": AT_LEAST_ONE,
    "learning_rate": POSITIVE,
    "momentum": BELOW_ONE,
    "steps_per_execution": AT_LEAST_ONE,
    "seed": Rule(lambda value: 0 <= value < 2**31, "in [0, 2**31)"),
    "update_interval": AT_LEAST_ONE,
    "drop_fraction": FRACTION,
    "stop_fraction": FRACTION,
    "strategy": one_of(strategies.STRATEGIES),
    "devices": NOT_NEGATIVE,
}


@dataclasses.dataclass(frozen=True)
class Configuration:
    """Everything that decides the outcome of an experiment.

    Attributes:
        method: A key of `methods.METHODS`.
        sparsity: Fraction of the kernels' weights without a connection, in
            [0, 1). Without meaning when `method` is dense.
        distribution: How the connections are shared out over the layers.
        keras: A key of `flavours.MODULES`.
        data: A key of `DATA_SOURCES`.
        data_dir: Folder of prepared TFDS data; None for TFDS's default.
        download: Whether TFDS may download missing data.
        epochs: Passes over the training images.
        batch_size: Training images in a step.
        learning_rate: Peak learning rate; a cosine takes it to 0.
        momentum: Of SGD with Nesterov's momentum, in [0, 1).
        seed: Of initial weights, masks and batches.
        update_interval: Steps from one mask update to the next.
        drop_fraction: Fraction of the connections that the first mask update
            moves, in (0, 1].
        stop_fraction: Fraction of the steps after which the masks stay, in
            (0, 1].
        steps_per_execution: Steps in one call of the compiled function; it
            changes the speed, not the outcome.
        strategy: A key of `strategies.STRATEGIES`; where to train, which
            changes the order of sums, nothing else.
        devices: Replicas of the strategy `mirrored`; 0 for all devices.
        tpu: Name or address for the strategy `tpu`.
        compare_dense: Whether to train the dense network first and to report
            both.
    """

    method: str = "rigl"
    sparsity: float = 0.98
    distribution: str = "erk"
    keras: str = "keras3"
    data: str = "mnist_small"
    data_dir: str | None = None
    download: bool = False
    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 0.2
    momentum: float = 0.9
    seed: int = 0
    update_interval: int = 100
    drop_fraction: float = 0.3
    stop_fraction: float = 0.75
    steps_per_execution: int = 1
    strategy: str = "one_device"
    devices: int = 0
    tpu: str = ""
    compare_dense: bool = False

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
            ValueError: If a value breaks its rule or two values contradict
                each other.
        """
        check_fields(self, RULES)
        if self.compare_dense and self.method == "dense":
            raise ValueError(
                "`compare_dense` needs a sparse method to compare with. "
                "Received: compare_dense=True, method='dense'. Choose one of "
                f"{', '.join(_sparse_methods())}, or leave it out."
            )

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods to train, in order."""
        return ("dense", self.method) if self.compare_dense else (self.method,)


def _sparse_methods() -> tuple[str, ...]:
    return tuple(
        name for name, method in methods.METHODS.items() if method.is_sparse
    )
