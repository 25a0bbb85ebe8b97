"""Gradients of penalties, added to those of one step of a replica."""

import collections
import functools
from collections.abc import Collection
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Penalty
from tf_rigl.backend.flavor import Flavor
from tf_rigl.factors import decay_watch
from tf_rigl.masking import deferred
from tf_rigl.masking import tree
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.masking.storage import masked
from tf_rigl.updating.pending_updates import PendingUpdate


class _Group(NamedTuple):
    """Variables of a term that depends on all of them together."""

    penalty: Penalty
    variables: tuple[Any, ...]
    keys: tuple[str, ...]  # identities of the variables, as of updates
    watches: tuple[decay_watch.DecayWatch, ...]


class StepPenalties:
    """The penalties of a model's variables in the steps of one optimizer."""

    def __init__(
        self,
        flavor: Flavor,
        optimizer: Any,
        model: Any,
        penalties: Sequence[Penalty],
    ) -> None:
        self.penalties = tuple(penalties)
        self._flavor = flavor
        self._optimizer = optimizer
        self._model = model

    def check(self, algorithm: Algorithm, updated: Collection[str]) -> None:
        """Checks that the penalized variables that exist are stepped.

        Args:
            algorithm: the method that trains the model.
            updated: keys of the weights whose latent values it may train.

        Raises:
            ValueError: if the model has nothing that a penalty applies to, all
                of it is frozen, or the method trains something else in its
                place.
        """
        if not self.penalties or not deferred.has_weights(self._model):
            return
        needs = algorithm.requirements
        latent = needs.latent is not None and set(self._by_key) & set(updated)
        if latent or needs.freezes_others:
            raise ValueError(
                "Penalties are added to the gradients of the weights "
                f"themselves. Received: penalties={list(self.penalties)} with "
                f"{type(algorithm).__name__}, which trains other values in "
                "their place or freezes them. Choose a method that trains the "
                "weights."
            )
        if self._by_key and self._are_frozen():
            raise ValueError(
                "Penalties are added to the gradients of weights that are "
                f"trained. Received: penalties={list(self.penalties)} for "
                f"{self._model.name!r}, in which all that they apply to is "
                "frozen. Set `trainable` of these layers and compile again, "
                "or leave the penalties out."
            )

    def gradients(
        self, updates: Sequence[PendingUpdate], together: bool
    ) -> list[Any]:
        """Returns the updates' gradients with those of the penalties added.

        Args:
            updates: the updates of a replica, none of them taken yet.
            together: whether they are all that the optimizer takes in a step.

        Raises:
            ValueError: if an optimizer takes the steps of a group's variables
                one by one, so that their values would be of different steps.
        """
        gradients = [update.gradient for update in updates]
        if not self.penalties:
            return gradients

        places = {update.key: place for place, update in enumerate(updates)}
        # Of the values before the step, also where some are decoupled.
        steps: list[tuple[int, tf.Tensor]] = []
        seen: set[int] = set()
        for update in updates:
            for group in self._by_key.get(update.key, ()):
                if id(group) in seen:
                    continue
                seen.add(id(group))
                if not together:
                    self._check_alone(group)
                for place, gradient in self._of(group, updates, places):
                    if group.penalty.decoupled:
                        steps.append((place, gradient))
                        continue
                    own = tf.convert_to_tensor(gradients[place])
                    gradients[place] = own + tf.cast(gradient, own.dtype)

        for place, gradient in steps:
            self._subtract(updates[place], gradient)
        return gradients

    def without_weight_decay(self, variables: Sequence[Any]) -> list[Any]:
        """Returns the variables that the optimizer itself is to decay."""
        replaced = {
            key
            for key, groups in self._by_key.items()
            if any(one.penalty.replaces_weight_decay for one in groups)
        }
        return [one for one in variables if self._key(one) not in replaced]

    def _of(
        self,
        group: _Group,
        updates: Sequence[PendingUpdate],
        places: dict[str, int],
    ) -> list[tuple[int, tf.Tensor]]:
        """Returns the gradients of a group by the places of their updates."""
        variables = [
            updates[places[key]].variable if key in places else variable
            for key, variable in zip(group.keys, group.variables, strict=True)
        ]
        values = [tf.convert_to_tensor(variable) for variable in variables]
        added = group.penalty.gradients(values)
        return [
            (places[key], gradient)
            for key, gradient in zip(group.keys, added, strict=True)
            if key in places  # others are not trained
        ]

    def _are_frozen(self) -> bool:
        """Returns whether no penalized variable is trained."""
        trained = {self._key(one) for one in self._model.trainable_variables}
        # Those of other storage have variables of their own.
        trained |= {
            key
            for key, record in self._records.items()
            if record.storage.is_compressed
        }
        return trained.isdisjoint(self._by_key)

    def _subtract(self, update: PendingUpdate, gradient: tf.Tensor) -> None:
        """Takes a decoupled step, which masked values do not take part in."""
        record = self._records.get(update.key)
        if record is not None:
            gradient = masked(gradient, record.mask)
        rate = tf.cast(self._optimizer.learning_rate, gradient.dtype)
        update.variable.assign_sub(
            tf.cast(rate * gradient, update.variable.dtype)
        )

    def _check_alone(self, group: _Group) -> None:
        if len(group.keys) > 1:
            raise ValueError(
                "A penalty of several variables needs an optimizer that "
                "applies all gradients together. Received: "
                f"{type(self._optimizer).__name__}, which calls `update_step` "
                f"by itself. Call `{self._flavor.apply_all_method}` from it."
            )

    @functools.cached_property
    def _by_key(self) -> dict[str, list[_Group]]:
        """The groups by the key of each of their variables."""
        layers = {
            "/".join(node.path): node.layer
            for node in tree.walk(self._flavor, self._model)
        }
        found: dict[str, list[_Group]] = collections.defaultdict(list)
        for penalty in self.penalties:
            for members in penalty.groups(layers):
                keys = tuple(map(self._key, members))
                raw = tuple(map(self._flavor.raw, members))
                watches = filter(None, map(decay_watch.watch_of, members))
                group = _Group(penalty, raw, keys, tuple(watches))
                for key in dict.fromkeys(keys):
                    found[key].append(group)
        return dict(found)

    @functools.cached_property
    def watches(self) -> list[decay_watch.DecayWatch]:
        """Those on factors whose decay these penalties are."""
        found = {
            id(one): one
            for groups in self._by_key.values()
            for group in groups
            for one in group.watches
        }
        return list(found.values())

    @functools.cached_property
    def _records(self) -> dict[str, MaskedWeight]:
        """The masked weights by the keys of their variables."""
        return {
            self._key(record.variable): record
            for record in masked_weights(self._model)
        }

    def _key(self, variable: Any) -> str:
        return self._flavor.variable_key(self._optimizer, variable)
