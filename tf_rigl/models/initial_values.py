"""Initial values that published experiments gave whole networks."""

from types import ModuleType
from typing import Any
from typing import NamedTuple

INITIALIZATIONS = ("slimming",)


class InitialValues(NamedTuple):
    """The initializers of a network; None for the network's own.

    They are names or configurations, of which each layer makes an initializer
    of its own: one that layers share would give kernels of equal shapes the
    same values.
    """

    kernels: Any = None
    logits: Any = None  # of the kernel of the last layer
    scales: Any = "ones"  # of BatchNormalization


def slimming(keras: ModuleType) -> InitialValues:
    """Returns the initial values of network slimming.

    Kernels are normal with variance 2 / (k² · filters), that of the last layer
    has a standard deviation of 0.01, and all scales of BatchNormalization begin
    at 0.5, so that L1 regularization has less of them to take away.

    Reference: Liu et al., "Learning Efficient Convolutional Networks through
    Network Slimming", arXiv:1708.06519, section 4.3, and the authors' code.
    """
    initializers = keras.initializers
    values = (
        initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        initializers.RandomNormal(stddev=0.01),
        initializers.Constant(0.5),
    )
    return InitialValues(*map(initializers.serialize, values))


def choose(
    keras: ModuleType, initialization: str | None, kernels: str | None = None
) -> InitialValues:
    """Returns the initial values by name, or those of all kernels by Keras's.

    Raises:
        ValueError: if `initialization` is unknown, or both are given.
    """
    if initialization is None:
        return InitialValues(kernels, kernels)
    if initialization not in INITIALIZATIONS:
        raise ValueError(
            f"`initialization` must be one of {INITIALIZATIONS} or None. "
            f"Received: initialization={initialization!r}."
        )
    if kernels is not None:
        raise ValueError(
            "`kernel_initializer` and `initialization` exclude each other. "
            f"Received: kernel_initializer={kernels!r}, "
            f"initialization={initialization!r}. Leave one out."
        )
    return slimming(keras)
