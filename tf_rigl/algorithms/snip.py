"""SNIP: prune before training by connection sensitivity."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.core import checks
from tf_rigl.core import criteria
from tf_rigl.core.drop_and_grow import changed
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class SNIP(algorithm.Algorithm):
    """Single-shot network pruning.

    Training must begin dense: `sparsify(..., start="dense")`. The first
    `batches` steps do not change any weight. Then the connections with the
    largest sensitivity |g · w| are kept, where g is the gradient summed over
    these batches, and the masks stay fixed.

    Attributes:
        batches: number of steps whose gradients are summed; 1 in the paper.
            More than 1 takes as many bytes as the weight in float32.
        scope: `"global"` ranks all weights against one threshold, as in the
            paper; `"weight"` prunes each to the number of connections that
            `sparsify` allotted to it, as in Evci et al. (arXiv:1911.11134).

    Errors are those of `Algorithm`.

    Reference: Lee et al., "SNIP: Single-shot Network Pruning based on
    Connection Sensitivity", ICLR 2019, arXiv:1810.02340, equations 3 and 5,
    algorithm 1. Its normalization by the sum does not change the ranking.
    """

    name = "snip"

    batches: int = 1
    scope: str = "global"

    def __post_init__(self) -> None:
        checks.check_choice("scope", self.scope, pruning.SCOPES)
        checks.check_at_least("batches", self.batches, 1)

    @property
    def requirements(self) -> Requirements:
        """Skips the weight updates until it has pruned.

        Nothing is masked until then, so it needs no gradient outside masks.
        """
        return pruning.requirements(self.scope, skips_step=True)

    @property
    def mask_schedule(self) -> UpdateSchedule:
        """Updates after each of the first `batches` steps."""
        return UpdateSchedule(0, self.batches, 1)

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Sum of gradients if there are several batches."""
        return {"gradient_sum": tf.float32} if self.batches > 1 else {}

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Accumulates gradients and prunes at the last batch."""
        sums = [self._gradient_sum(weight) for weight in weights]
        scores = [
            criteria.sensitivity(
                criteria.Evidence(weight.values, gradient=total)
            )
            for weight, total in zip(weights, sums, strict=True)
        ]
        pruned = pruning.keep_largest(weights, scores, scope=self.scope)
        if self.batches == 1:
            return pruned

        # The masks stay full until the last batch.
        last = tf.equal(when.update, self.batches - 1)
        return [
            algorithm.WeightUpdate(
                changed(
                    weight.mask, tf.where(last, new.masks.mask, weight.mask)
                ),
                state={"gradient_sum": total},
            )
            for weight, total, new in zip(weights, sums, pruned, strict=True)
        ]

    def _gradient_sum(self, weight: algorithm.WeightView) -> tf.Tensor:
        gradient = tf.cast(weight.gradient, tf.float32)
        if self.batches == 1:
            return gradient
        return weight.state["gradient_sum"] + gradient
