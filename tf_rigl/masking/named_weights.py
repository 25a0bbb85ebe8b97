"""Look-up of a model's weights by the names that users give."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import find_class_flavor
from tf_rigl.masking import tree
from tf_rigl.masking.options import Targets


@dataclasses.dataclass(frozen=True)
class NamedWeights:
    """The weights of a model that a user may refer to."""

    flavor: Flavor
    model: Any
    sites: list[tree.Site]

    def select(self, argument: str, targets: Targets) -> set[str]:
        """Returns the paths of the weights that an argument refers to.

        Args:
            argument: name of the argument, for errors.
            targets: a target of `paths_of`, an iterable of targets, or a
                function of a layer that returns whether to select its weights.

        Raises:
            ValueError: if no weight matches a target.
        """
        is_layer = find_class_flavor(type(targets)) is not None
        if isinstance(targets, str) or is_layer:
            targets = [targets]
        if not isinstance(targets, Iterable):
            return {site.path for site in self.sites if targets(site.owner)}
        return {
            path
            for target in targets
            for path in self.paths_of(argument, target)
        }

    def paths_of(self, argument: str, target: Any) -> set[str]:
        """Returns the paths of the weights that one target refers to.

        A target is a layer, a layer's name or path, a weight, a weight's path,
        or the name that Keras gives it.

        Raises:
            ValueError: if no weight matches.
        """
        found = {site.path for site in self.sites if site.variable is target}
        if isinstance(target, str):
            found = self._paths_of_name(target)
        elif not found and find_class_flavor(type(target)) is self.flavor:
            below = {id(node.layer) for node in tree.walk(self.flavor, target)}
            found = {
                site.path for site in self.sites if id(site.owner) in below
            }

        if not found:
            raise ValueError(
                f"`{argument}` must name layers or weights of this model that "
                f"may be sparse. Received: {target!r}. Known weights: "
                f"{[site.path for site in self.sites]}."
            )
        return found

    def _paths_of_name(self, name: str) -> set[str]:
        """Returns the paths of weights below a path; without any, by name."""
        exact = {
            site.path
            for site in self.sites
            if site.path == name or site.path.startswith(f"{name}/")
        }
        return exact or {
            site.path
            for site in self.sites
            if name in (site.owner.name, *_keras_names(site.variable))
        }


def _keras_names(variable: Any) -> tuple[str, ...]:
    """Returns a weight's names in Keras, which start with the model's."""
    name = getattr(variable, "path", None) or variable.name
    return name, name.partition(":")[0]
