"""Criteria by which connections are kept: a registry of score functions.

A criterion looks at one weight and scores its positions; of those that
compete the highest stay. `tf_rigl.prune` takes its name, or the criterion
itself; methods that prune while they train take those that need no data.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core.checks import check_choice
from tf_rigl.core.random_masks import random_scores

# For users; the rest may change.
__all__ = ["Criterion", "Evidence", "register"]


class Evidence(NamedTuple):
    """Tensors of one weight's shape that a criterion can look at."""

    final: tf.Tensor  # the present values
    initial: tf.Tensor | None = None  # where `sparsify` has kept them
    gradient: tf.Tensor | None = None  # float32, of the mean loss over data
    # float32, the Hessian of the mean loss times its gradient.
    hessian_gradient: tf.Tensor | None = None
    # Makes the random seed of the weight and the step, int64 of shape [2].
    seed: Callable[[], tf.Tensor] | None = None


Score = Callable[[Evidence], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A score function and what it needs.

    Attributes:
        score: function of an `Evidence`, returns a float tensor of the
            weight's shape.
        derivative: which of the loss's derivatives over data it looks at.
        needs_initial: whether it looks at initial values, which
            `SparsifyOptions(keep_initial_values=True)` must have kept.
        scope: how weights compete by default in `tf_rigl.prune`: `"weight"`,
            each by itself; or `"global"`, all against one threshold.
        signed: whether the highest scores stay; if not, those of largest
            magnitude.
    """

    score: Score
    derivative: Literal["none", "gradient", "hessian_gradient"] = "none"
    needs_initial: bool = False
    scope: Literal["weight", "global"] = "weight"
    signed: bool = True

    def __post_init__(self) -> None:
        """Checks the choices."""
        check_choice(
            "derivative",
            self.derivative,
            ("none", "gradient", "hessian_gradient"),
        )
        check_choice("scope", self.scope, ("weight", "global"))

    @property
    def needs_data(self) -> bool:
        """True if a loss over data must be differentiated."""
        return self.derivative != "none"


def magnitude(evidence: Evidence) -> tf.Tensor:
    """Returns w, compared by |w|."""
    return evidence.final


def normalized_magnitude(evidence: Evidence) -> tf.Tensor:
    """Returns w / ‖w‖₂, compared by magnitude: in units of its own weight.

    Against one threshold the scale of a weight does not count, which its
    fan-in decides as a rule. Of n elements of one scale each has about 1 / √n,
    so that large weights lose more than small ones.

    Reference: Lee et al., "JaxPruner: A Concise Library for Sparsity
    Research", arXiv:2304.14082, its global magnitude pruning.
    """
    values = tf.cast(evidence.final, tf.float64)
    norm = tf.sqrt(tf.reduce_sum(tf.square(values)))
    # Rounded, because the order of a sum differs between devices.
    norm = tf.cast(tf.cast(norm, tf.float32), tf.float64)
    return tf.cast(tf.math.divide_no_nan(values, norm), tf.float32)


def random(evidence: Evidence) -> tf.Tensor:
    """Returns scores in a uniformly random order."""
    if evidence.seed is None:
        raise ValueError(
            "Random scores need a seed. Received: seed=None. Pass "
            "`Evidence(..., seed=lambda: stateless_seed(seed, key))`."
        )
    return random_scores(evidence.final.shape, evidence.seed())


def sensitivity(evidence: Evidence) -> tf.Tensor:
    """Returns g · w, compared by magnitude: the connection sensitivity.

    Reference: Lee et al., "SNIP: Single-shot Network Pruning based on
    Connection Sensitivity", ICLR 2019, arXiv:1810.02340, equation 3.
    """
    gradient = tf.cast(evidence.gradient, tf.float32)
    return tf.cast(evidence.final, tf.float32) * gradient


def gradient_flow(evidence: Evidence) -> tf.Tensor:
    """Returns θ · H g: how much the gradient flow falls without a connection.

    The paper's S(-θ) = -θ · H g with the opposite sign, of which the largest
    go.

    Reference: Wang et al., "Picking Winning Tickets Before Training by
    Preserving Gradient Flow", ICLR 2020, arXiv:2002.07376, equation 8 and
    algorithm 1.
    """
    product = tf.cast(evidence.hessian_gradient, tf.float32)
    return tf.cast(evidence.final, tf.float32) * product


_CRITERIA: dict[str, Criterion] = {
    "magnitude": Criterion(magnitude, signed=False),
    # Within one weight it orders as the magnitude does.
    "normalized_magnitude": Criterion(
        normalized_magnitude, scope="global", signed=False
    ),
    "random": Criterion(random, signed=False),
    # As in their papers all weights compete with each other.
    "snip": Criterion(sensitivity, "gradient", scope="global", signed=False),
    "grasp": Criterion(gradient_flow, "hessian_gradient", scope="global"),
}
# The registry, to read.
CRITERIA: Mapping[str, Criterion] = MappingProxyType(_CRITERIA)


def register(name: str, criterion: Criterion | Score) -> None:
    """Gives a criterion, or a score function without data, a new name.

    Raises:
        ValueError: if the name is taken, or `criterion` is neither.

    Example:
        >>> def movement(evidence):
        ...     return abs(evidence.final) - abs(evidence.initial)
        >>> register("movement", Criterion(movement, needs_initial=True))
    """
    if name in _CRITERIA:
        raise ValueError(
            "A criterion needs a name of its own. "
            f"Received: name={name!r}, which is taken. Choose another."
        )
    _CRITERIA[name] = as_criterion(criterion)


def as_criterion(criterion: "str | Criterion | Score") -> Criterion:
    """Returns the criterion of a name, or one of a plain score function.

    Raises:
        ValueError: if it is neither a known name, criterion nor function.
    """
    if isinstance(criterion, Criterion):
        return criterion
    if callable(criterion):
        return Criterion(criterion)
    check_choice("criterion", criterion, CRITERIA)
    return CRITERIA[criterion]


def names_without_data() -> tuple[str, ...]:
    """Returns the names of criteria that look at present values only."""
    return tuple(
        name
        for name, criterion in CRITERIA.items()
        if not criterion.needs_data and not criterion.needs_initial
    )


def ranks(scores: tf.Tensor) -> tf.Tensor:
    """Returns float32 scores to select by magnitude as `scores` by value.

    Signed floats are ranked by their bits: those below zero, turned around,
    come before those above. `scores` must be finite.
    """
    # Half the range of positive floats for each sign; the lowest bit of a
    # magnitude is given up to have room for it.
    bits = tf.bitcast(tf.cast(scores, tf.float32) + 0.0, tf.int32)
    magnitudes = tf.bitwise.right_shift(
        tf.bitwise.bitwise_and(bits, tf.int32.max), 1
    )
    middle = tf.constant(0x3FC00000, tf.int32)
    return tf.bitcast(
        tf.where(bits < 0, middle - magnitudes, middle + magnitudes), tf.float32
    )
