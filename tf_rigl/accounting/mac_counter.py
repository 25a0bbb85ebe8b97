"""Adds up the multiplications in the recorded calls of a model's layers."""

import collections
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from tf_rigl.accounting import factored_macs
from tf_rigl.accounting import mac_rules
from tf_rigl.accounting.call_recorder import LayerCall
from tf_rigl.accounting.call_recorder import is_recurrent
from tf_rigl.backend.flavor import Flavor

UNKNOWN_CLASS = "how the weights of its class are used is not known"
NOT_CALLED = "it is not called in a forward pass"
IN_RECURRENT = "it runs within the loop of an RNN layer"
IN_REPEATED = "it runs within a loop or a branch, any number of times"
COMPUTED = "what it multiplies is computed from its weights"


class MacCounter:
    """Counts multiplications, and collects what could not be counted."""

    def __init__(
        self, flavor: Flavor, layers: Sequence[Any], calls: Sequence[LayerCall]
    ) -> None:
        # By the id of a Keras variable, how often each element is used.
        self.times: collections.Counter[int] = collections.Counter()
        # By the id of a layer, multiplications of activations by activations.
        self.products: collections.Counter[int] = collections.Counter()
        # By the id of a layer, the reasons why it is not counted.
        self.problems: dict[int, list[str]] = collections.defaultdict(list)
        self.unsure: set[int] = set()  # ids of the variables of such layers

        self._weights = {
            id(layer): flavor.own_weights(layer) for layer in layers
        }
        self._variables = {
            id(weight) for own in self._weights.values() for weight in own
        }

        self._factored = factored_macs.FactoredMacs(layers)
        recurrent = [call.layer for call in calls if is_recurrent(call.layer)]
        # The cells whose uses the rule of their RNN layer counts.
        self._cells = {
            id(cell)
            for layer in recurrent
            for cell in mac_rules.recurrent_cells(layer)
        }

        for call in calls:
            self._add(call)

        called = {id(call.layer) for call in calls} | self._cells
        for layer in layers:
            self._check(layer, id(layer) in called)

    def _add(self, call: LayerCall) -> None:
        rule = mac_rules.rule_of(call.layer)
        if rule is None:
            if call.products:
                kinds = ", ".join(call.products)
                self._give_up(call.layer, f"it runs {kinds} of its own")
            return

        weights = rule.weights(call.layer)
        if call.recurrent and id(call.layer) in self._cells:
            # The trace holds one step; its RNN layer counts all of them.
            return

        try:
            times = rule.times(call)
            products = rule.products(call)
        except mac_rules.Uncountable as uncountable:
            self._give_up(call.layer, str(uncountable), weights)
            return

        if (times or products) and (call.recurrent or call.repeated):
            reason = IN_RECURRENT if call.recurrent else IN_REPEATED
            self._give_up(call.layer, reason, weights)
            return

        uses, of_kernels = self._factored.uses(call, weights, times)
        self.times.update(uses)
        self.products[id(call.layer)] += products + of_kernels

    def _check(self, layer: Any, called: bool) -> None:
        """Reports the weights of a layer that no rule has counted."""
        own = self._weights[id(layer)]
        rule = mac_rules.rule_of(layer)
        if rule is None:
            if own:
                self._give_up(layer, UNKNOWN_CLASS, own)
            return

        weights = rule.weights(layer)
        if any(id(weight) not in self._variables for weight in weights):
            self._give_up(layer, COMPUTED, own)
        elif own and weights and not called:
            self._give_up(layer, NOT_CALLED, weights)

    def _give_up(
        self, layer: Any, reason: str, weights: Iterable[Any] = ()
    ) -> None:
        if reason not in self.problems[id(layer)]:
            self.problems[id(layer)].append(reason)
        self.unsure.update(map(id, weights))
