"""Terms of the loss whose gradients an update rule adds itself."""

import abc
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class Penalty(abc.ABC):
    """A term of the loss that depends on variables of the model alone.

    Its gradient is added to that of the loss inside of the optimizer's update
    rule, right before the optimizer's own step. There it passes through
    momentum as any gradient does, and is added once for each step: replicas do
    not multiply it, accumulation does not repeat it and loss scaling does not
    scale it. Clipping by norm happens before and does not see it. A term in the
    model's loss would need care for each of these.

    Penalties are immutable, and equal ones are exchangeable: a frozen dataclass
    is both. Pass them to `UpdateMasks(..., penalties=[...])` or `attach`; a
    method brings its own by `Algorithm.penalties`.

    Attributes:
        decoupled: whether the learning rate times the gradient is subtracted
            from the variables themselves, before the optimizer's step and
            without passing through it.
        replaces_weight_decay: whether the optimizer's own weight decay leaves
            out these variables.
    """

    decoupled: bool = False
    replaces_weight_decay: bool = False

    @abc.abstractmethod
    def groups(self, layers: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
        """Returns the variables that the term depends on, group by group.

        Called once, when the variables exist. The term is a sum over groups,
        each of one or more Keras variables. Masked or not, a variable may be
        in several groups. One that is not trained has no step to add to, but
        its value counts for the others of its group.

        Args:
            layers: all layers of the model by path, parents first; the model
                itself has the path `""`.

        Raises:
            ValueError: if the model has none of the variables.
        """

    @abc.abstractmethod
    def gradients(self, values: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """Computes the gradient of the term with respect to a group.

        Args:
            values: float tensors, the variables before the step, in the order
                of the group. Those of masked weights have their zeros.

        Returns:
            A tensor for each of them, of its shape. Where a weight is masked,
            it is ignored.
        """
