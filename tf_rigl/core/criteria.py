"""Registry of criteria, which score the connections of a weight for pruning.

A criterion scores every position of a weight; those with the highest scores are
kept. `tf_rigl.prune` accepts a registered name or a `Criterion`; methods that
prune during training accept the criteria that need no data.
"""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core import mask_criteria
from tf_rigl.core.checks import check_choice
from tf_rigl.core.random_masks import random_scores

# The public names; everything else may change.
__all__ = ["Criterion", "Evidence", "register"]


class Evidence(NamedTuple):
    """Tensors that a criterion may use, each of the weight's shape."""

    final: tf.Tensor  # the present values
    initial: tf.Tensor | None = None  # if the criterion needs them
    gradient: tf.Tensor | None = None  # float32, of the mean loss over data
    # float32, the Hessian of the mean loss times its gradient.
    hessian_gradient: tf.Tensor | None = None
    # Makes the random seed of the weight and the step, int64 of shape [2].
    seed: Callable[[], tf.Tensor] | None = None
    # bool, the positions that compete; None for all of them.
    candidates: tf.Tensor | None = None


Score = Callable[[Evidence], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A score function together with the inputs that it needs.

    Attributes:
        score: function that takes an `Evidence` and returns a float tensor of
            the weight's shape.
        derivative: derivative of the loss over data that the score uses, or
            `"none"`.
        needs_initial: whether the score uses initial values, which
            `SparsifyOptions(keep_initial_values=True)` must have kept or the
            caller of `tf_rigl.prune` must pass.
        scope: how weights compete by default in `tf_rigl.prune`: `"weight"`
            ranks the positions of each weight separately, `"global"` ranks all
            weights against one threshold.
        signed: whether the highest scores are kept; if false, the scores of
            largest magnitude are kept.
        ranked: whether scores compare within one tensor only, as ranks do.
            Under the global scope all weights are then scored as one flat
            tensor.
    """

    score: Score
    derivative: Literal["none", "gradient", "hessian_gradient"] = "none"
    needs_initial: bool = False
    scope: Literal["weight", "global"] = "weight"
    signed: bool = True
    ranked: bool = False

    def __post_init__(self) -> None:
        check_choice(
            "derivative",
            self.derivative,
            ("none", "gradient", "hessian_gradient"),
        )
        check_choice("scope", self.scope, ("weight", "global"))

    @property
    def needs_data(self) -> bool:
        """True if the score needs derivatives of a loss over data."""
        return self.derivative != "none"


def magnitude(evidence: Evidence) -> tf.Tensor:
    """Returns w; the criterion compares scores by |w|."""
    return evidence.final


def normalized_magnitude(evidence: Evidence) -> tf.Tensor:
    """Returns w / ‖w‖₂; the criterion compares scores by magnitude.

    The normalization removes a weight's scale, which mostly depends on its
    fan-in, so that weights of different scales can share one threshold. In a
    weight of n elements of similar size each score is about 1 / √n, so large
    weights lose more connections than small ones.

    Reference: Lee et al., "JaxPruner: A Concise Library for Sparsity Research",
    arXiv:2304.14082, global magnitude pruning.
    """
    values = tf.cast(evidence.final, tf.float64)
    norm = tf.sqrt(tf.reduce_sum(tf.square(values)))
    # Devices add in different orders; rounding removes the difference.
    norm = tf.cast(tf.cast(norm, tf.float32), tf.float64)
    return tf.cast(tf.math.divide_no_nan(values, norm), tf.float32)


def random(evidence: Evidence) -> tf.Tensor:
    """Returns random scores, which rank all positions in a uniform order."""
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
    """Returns θ · H g: the loss of gradient flow if a connection is removed.

    The paper's S(-θ) is the negative, and the largest S(-θ) are removed.

    Reference: Wang et al., "Picking Winning Tickets Before Training by
    Preserving Gradient Flow", ICLR 2020, arXiv:2002.07376, equation 8 and
    algorithm 1.
    """
    product = tf.cast(evidence.hessian_gradient, tf.float32)
    return tf.cast(evidence.final, tf.float32) * product


def _of_values(
    score: mask_criteria.MaskCriterion, evidence: Evidence
) -> tf.Tensor:
    """Returns the scores of a mask criterion, which sees no other evidence."""
    final = tf.cast(evidence.final, tf.float32)
    initial, candidates = evidence.initial, evidence.candidates
    if candidates is None:
        candidates = tf.ones(final.shape, tf.bool)
    initial = final if initial is None else tf.cast(initial, tf.float32)
    return score(initial, final, candidates)


_CRITERIA: dict[str, Criterion] = {
    "magnitude": Criterion(magnitude, signed=False),
    # Within a single weight the ranking equals that of `magnitude`.
    "normalized_magnitude": Criterion(
        normalized_magnitude, scope="global", signed=False
    ),
    "random": Criterion(random, signed=False),
    # In both papers all weights compete with each other.
    "snip": Criterion(sensitivity, "gradient", scope="global", signed=False),
    "grasp": Criterion(gradient_flow, "hessian_gradient", scope="global"),
    **{
        name: Criterion(
            functools.partial(_of_values, score),
            needs_initial=name not in mask_criteria.OF_FINAL_VALUES,
            # Ranks are not negative; as signed scores, large ones would tie.
            signed=name not in mask_criteria.RANKED,
            ranked=name in mask_criteria.RANKED,
        )
        for name, score in mask_criteria.MASK_CRITERIA.items()
    },
}
# A read-only view of the registry.
CRITERIA: Mapping[str, Criterion] = MappingProxyType(_CRITERIA)


def register(name: str, criterion: Criterion | Score) -> None:
    """Registers a criterion, or a score function that needs no data.

    Raises:
        ValueError: if the name is taken, or `criterion` is neither a criterion
            nor a function.

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
    """Returns the names of the criteria that use only present values."""
    return tuple(
        name
        for name, criterion in CRITERIA.items()
        if not criterion.needs_data and not criterion.needs_initial
    )


def ranks(scores: tf.Tensor) -> tf.Tensor:
    """Converts signed scores to float64 whose magnitudes rank alike.

    Selection compares magnitudes. A float64 holds the place of each float32 in
    the order of all of them, so neighboring scores stay distinct; scores of
    float64 are rounded to float32. Scores must be finite; minus zero is zero.
    """
    bits = tf.bitcast(tf.cast(scores, tf.float32), tf.int32)
    magnitudes = tf.bitwise.bitwise_and(bits, tf.int32.max)
    places = tf.where(bits < 0, -magnitudes, magnitudes)
    return tf.cast(places, tf.float64) + float(2**31)
