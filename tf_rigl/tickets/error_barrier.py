"""Linear mode connectivity: the error on the way between two networks."""

import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_rigl.backend import distribution
from tf_rigl.checkpointing import snapshot as snapshots
from tf_rigl.checkpointing.snapshot import Snapshot
from tf_rigl.core import text_table
from tf_rigl.tickets.moving_averages import MovingAverages

_FEWEST = 3  # both ends and one point between


@dataclasses.dataclass(frozen=True, eq=False)
class ErrorBarrier:
    """The errors on the line between two networks; `str()` tells the barrier.

    Attributes:
        alphas: fractions of the way from the first network, 0, to the second,
            1; float64 [points], equally spaced.
        errors: the error at each of them, in the unit of `evaluate`; float64
            [points].
    """

    alphas: np.ndarray
    errors: np.ndarray

    @property
    def height(self) -> float:
        """Highest error above the mean of both ends, in their unit."""
        ends = (self.errors[0] + self.errors[-1]) / 2
        return float(self.errors.max() - ends)

    @property
    def alpha(self) -> float:
        """Fraction of the way at which the error is highest, the first one."""
        return float(self.alphas[self.errors.argmax()])

    def __str__(self) -> str:
        body = [
            ("first", 0, self.errors[0]),
            ("highest", self.alpha, self.errors.max()),
            ("second", 1, self.errors[-1]),
        ]
        lines = [
            f"Error barrier: {self.height:.4g} above the mean of both ends",
            "",
            *text_table.aligned(
                ("", "of the way", "error"),
                [
                    (name, f"{at:.2f}", f"{error:.4g}")
                    for name, at, error in body
                ],
            ),
        ]
        return "\n".join(lines)


def error_barrier(
    model: Any,
    first: Snapshot,
    second: Snapshot,
    evaluate: Callable[[Any], float],
    points: int = 30,
    refresh: Iterable[Any] | None = None,
) -> ErrorBarrier:
    """Measures the error on the line between two networks of one model.

    Two networks are linearly connected, in one basin of the loss, if the error
    does not rise between them: Frankle et al. call a barrier below 2 points of
    error stable. They compare two trainings from one point that differ in the
    order of the data: where those are not stable, rewind to a later step.

    The weights at α are (1 − α) · first + α · second, computed in float64 and
    rounded to their dtype. What a snapshot holds is what counts, whatever masks
    the model has now: with equal masks both networks and all between them have
    these masks, with different ones the points between have the union. A
    snapshot of a dense network is seen through masks if it is first put into
    the model, `Snapshot.of(snapshot.restore(model))`. Integers and random
    generators are not interpolated; each point begins with those of the model.

    The model is evaluated in place and nothing is retraced for a point.
    Afterwards its values, masks and optimizer are as they were, also if
    `evaluate` raises.

    Args:
        model: a built model of either Keras, dense or sparse, of which the
            snapshots are.
        first: one network.
        second: the other one.
        evaluate: function that takes the model and returns its error as a
            number, such as 1 − accuracy on test data.
        points: number of points with both ends, at least 3.
        refresh: data by which the moving averages of BatchNormalization are
            computed at each point: batches as for `fit`, a `tf.data.Dataset` or
            a list, which are run in training mode. Averages become the means
            over these batches, each of which counts alike; of a layer that is
            called several times a batch, the last call counts. By default the
            averages are interpolated like weights; these are not the averages
            of the network in between, so that its error may be too high.

    Returns:
        `height`, the highest error above the mean of both ends; `alpha`, where
        it is; and the `errors` at all `alphas`. `str()` tells them.

    Raises:
        TypeError: if `model` is a model of neither Keras, one of the networks
            is no `Snapshot`, `evaluate` returns no number, or `refresh` is not
            made of batches.
        ValueError: if a snapshot is of another model, `points` is below 3, or
            `refresh` is empty, endless, or can be read only once.

    Example:
        >>> ends = []
        >>> for seed in (1, 2):
        ...     start.restore(model)
        ...     model.fit(data(seed), epochs=5)
        ...     ends.append(tf_rigl.Snapshot.of(model))
        >>> def error(model):
        ...     results = model.evaluate(test_data, return_dict=True)
        ...     return 1 - results["accuracy"]
        >>> print(tf_rigl.error_barrier(model, *ends, error))

    Reference: Frankle et al., "Linear Mode Connectivity and the Lottery Ticket
    Hypothesis", ICML 2020, arXiv:1912.05671, section 2.
    """
    _check_points(points)
    line = _Line(model, first, second)
    averages = None if refresh is None else MovingAverages(model, refresh)
    alphas = np.linspace(0.0, 1.0, points)
    errors = []
    with line.entered():
        for alpha in alphas:
            line.go_to(alpha)
            if averages is not None:
                values = averages.compute()
                # Training mode may have changed more than averages.
                line.go_to(alpha)
                averages.assign(values)
            errors.append(_error(evaluate(model)))
    return ErrorBarrier(alphas, np.array(errors))


class _Line:
    """A model that can be put anywhere on the line between two snapshots."""

    def __init__(self, model: Any, first: Snapshot, second: Snapshot) -> None:
        self._weights, state = snapshots.model_state(model)
        for name, one in (("first", first), ("second", second)):
            if not isinstance(one, Snapshot):
                raise TypeError(
                    f"`{name}` must be a tf_rigl.Snapshot. Received: {name} of "
                    f"type {type(one)}. Read files by `Snapshot.load(path)`."
                )
            snapshots.check_same(one, state, name)

        self._ends = list(
            zip(first.weights.values(), second.weights.values(), strict=True)
        )
        # Each with its values on all replicas of this worker.
        self._own = [_parts(variable) for variable in state.variables]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Opens the masks within a block; afterwards all is as before."""
        own_masks = [
            (weight.record, weight.record.mask.numpy(), ends)
            for weight, ends in zip(self._weights, self._ends, strict=True)
            if weight.record is not None
        ]
        try:
            for record, mask, (start, end) in own_masks:
                # With the model's own, so that no slot of the optimizer is
                # masked on the way.
                record.set_mask(mask | (start != 0) | (end != 0))
            yield
        finally:
            for record, mask, _ in own_masks:
                record.set_mask(mask)
            self._assign_own(0)

    def go_to(self, alpha: float) -> None:
        """Puts the model to a fraction of the way."""
        for weight, (start, end) in zip(self._weights, self._ends, strict=True):
            if weight.dtype.is_floating:
                weight.set_values(_between(start, end, alpha))
        self._assign_own(len(self._weights))

    def _assign_own(self, begin: int) -> None:
        """Gives variables their own values, from one of them on."""
        for parts in self._own[begin:]:
            for variable, value in parts:
                variable.assign(value)


def _parts(variable: Any) -> list[tuple[Any, np.ndarray]]:
    """Returns the components of a variable with their present values."""
    # Arrays of masked weights bring their masks along, unless copied.
    return [
        (one, np.array(one.numpy()))
        for one in distribution.components(variable)
    ]


def _between(start: np.ndarray, end: np.ndarray, alpha: float) -> np.ndarray:
    """Interpolates in float64; equal values stay as they are."""
    mixed = (1 - alpha) * start.astype(np.float64) + alpha * end.astype(
        np.float64
    )
    return np.where(start == end, start, mixed.astype(start.dtype))


def _check_points(points: Any) -> None:
    is_int = isinstance(points, int) and not isinstance(points, bool)
    if not is_int or points < _FEWEST:
        raise ValueError(
            "`points` must be a number of points, at least both ends and one "
            f"between. Received: points={points!r}. Frankle et al. take 30."
        )


def _error(result: Any) -> float:
    try:
        return float(result)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "`evaluate` must return the error as a number. Received: "
            f"{result!r}. Return 1 - accuracy, for instance, of what "
            "`model.evaluate` returns."
        ) from error
