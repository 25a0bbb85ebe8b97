"""Parameters and multiply-accumulates that are left without some channels."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.accounting.mac_rules import UNKNOWN_SIZE
from tf_rigl.accounting.model_profile import FLOPS_PER_MAC
from tf_rigl.accounting.model_profile import ModelProfile
from tf_rigl.accounting.profile import profile
from tf_rigl.masking.model_weights import model_weights
from tf_rigl.masking.model_weights import walk_model
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis


class _Weight(NamedTuple):
    shape: tuple[int, ...]
    axes: Axes  # the channels along each axis that may shrink
    times: Fraction  # multiply-accumulates for each element

    def left(self, removed: np.ndarray) -> int:
        """Returns the number of elements without removed channels."""
        sizes = list(self.shape)
        for axis, channels in self.axes.items():
            sizes[axis] = int(np.count_nonzero(~removed[channels]))
        return math.prod(sizes)


class ChannelCosts:
    """The costs of a model as a function of its removed channels.

    They are those of the model that will be made, but for a bias that is
    added to take up constants.
    """

    def __init__(self, model: Any, plans: ChannelAnalysis) -> None:
        """Takes a model and its plans.

        Raises:
            ValueError: if the model cannot be called without more inputs.
        """
        found = profile(model)
        # Layers that are not counted, since sizes of images or numbers of time
        # steps are open.
        self.open_layers = [
            one.path for one in found.uncounted if one.reason == UNKNOWN_SIZE
        ]
        self._weights = list(_weights(model, plans, found))
        self._products = list(_products(plans, found))

    def parameters(self, removed: np.ndarray) -> int:
        """Returns the elements of all weights; `removed` is [channels]."""
        return sum(one.left(removed) for one in self._weights)

    def macs(self, removed: np.ndarray) -> int:
        """Returns the multiply-accumulates of one example."""
        parts = self._weights + self._products
        return int(sum(one.times * one.left(removed) for one in parts))

    def flops(self, removed: np.ndarray) -> int:
        """Returns the FLOPs of one example, two for each MAC."""
        return FLOPS_PER_MAC * self.macs(removed)


def _products(plans: ChannelAnalysis, found: ModelProfile) -> Iterator[_Weight]:
    """Yields the products of attention layers, as weights [heads]."""
    none = np.zeros(0, np.int64)
    inner = {plan.path: plan.inner for plan in plans.of.values()}
    weightless = (row for row in found.rows if not row.parameters)
    for row in weightless:
        heads = inner.get(row.path.rpartition("/")[0], none)
        times = Fraction(row.dense_macs, max(1, len(heads)))
        if len(heads):
            yield _Weight((len(heads),), {0: heads}, times)
        else:
            yield _Weight((1,), {}, times)


def _weights(
    model: Any, plans: ChannelAnalysis, found: ModelProfile
) -> Iterator[_Weight]:
    macs = {row.path: row.dense_macs for row in found.rows}
    axes = {
        id(variable): plan.axes[name]
        for plan in plans.of.values()
        for name, variable in plans.weights(plan.layer).items()
    }
    for weight in model_weights(walk_model(model)):
        times = Fraction(macs[weight.path], max(1, math.prod(weight.shape)))
        own = axes.get(id(weight.variable), {})
        yield _Weight(tuple(weight.shape), own, times)
