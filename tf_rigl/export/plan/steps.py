"""Networks while they are read and simplified: lists of steps that change."""

import collections
import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.native import plan_graph
from tf_rigl.native.plan_graph import Shape

# Steps with a kernel, whose zeros cost nothing.
KERNELS = ("dense", "convolution", "depthwise")
# The same, and those whose kernel nothing can be folded into.
WEIGHTED = (*KERNELS, "recurrence")
# Steps that can apply an activation to what they compute.
ACTIVATING = (*KERNELS, "affine", "add", "multiply")
# Stands for a layer that plans do not compute, for `check_plan` to go on.
UNKNOWN = "unknown"


@dataclasses.dataclass(eq=False)
class Step:
    """An operation of `native.plan_graph` that may still change."""

    kind: str
    name: str  # the path of the layer that it comes from
    inputs: list[int]  # numbers of values
    output: int
    attributes: dict[str, Any]
    arrays: dict[str, np.ndarray]
    into: "Step | None" = None  # the step that computes it now, if another

    @property
    def activation(self) -> str:
        """The activation that the step applies, "linear" if none."""
        return str(self.attributes.get("activation", "linear"))

    @property
    def first(self) -> int:
        """The first value that it reads, -1 if it reads none."""
        return self.inputs[0] if self.inputs else -1

    def last(self) -> "Step":
        """Returns the step that computes it in the end."""
        step = self
        while step.into is not None:
            step = step.into
        return step


class Network:
    """Values of known shapes, and the steps that make them, in their order."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.input_names: tuple[str, ...] = ()
        self.output_names: tuple[str, ...] = ()
        self.steps: list[Step] = []
        # Those of steps that make the same for each input.
        self.constants: dict[int, np.ndarray] = {}

    def value(self, shape: Sequence[int]) -> int:
        """Adds a value of a shape without the batch; returns its number."""
        self.shapes.append(tuple(int(size) for size in shape))
        return len(self.shapes) - 1

    def add(
        self,
        kind: str,
        name: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        attributes: Mapping[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> Step:
        """Adds a step, and a value of the given shape that it makes."""
        attributes = dict(attributes or {})
        if kind in ACTIVATING:
            attributes.setdefault("activation", "linear")
        step = Step(
            kind,
            name,
            list(inputs),
            self.value(shape),
            attributes,
            {
                key: np.ascontiguousarray(one, np.float32)
                for key, one in (arrays or {}).items()
            },
        )
        self.steps.append(step)
        return step

    def makers(self) -> dict[int, Step]:
        """Returns the step that makes each value."""
        return {step.output: step for step in self.steps}

    def uses(self) -> collections.Counter[int]:
        """Counts how often each value is read, as an output of all, too."""
        read = [value for step in self.steps for value in step.inputs]
        return collections.Counter([*read, *self.outputs])

    def replace(self, old: int, new: int) -> None:
        """Lets all that reads a value read another one."""
        for step in self.steps:
            step.inputs = [new if one == old else one for one in step.inputs]
        self.outputs = [new if one == old else one for one in self.outputs]

    def absorb(self, step: Step, into: Step) -> None:
        """Removes a step, which another one computes from now on.

        What reads its value reads that of the other.
        """
        self.steps.remove(step)
        self.replace(step.output, into.output)
        step.into = into

    def graph(self) -> plan_graph.Graph:
        """Returns the network as data, with the values that it needs."""
        used = {*self.inputs, *self.outputs}
        used.update(step.output for step in self.steps)
        numbers = {value: place for place, value in enumerate(sorted(used))}

        def numbered(values: Sequence[int]) -> tuple[int, ...]:
            return tuple(numbers[value] for value in values)

        return plan_graph.Graph(
            shapes=tuple(self.shapes[value] for value in sorted(used)),
            inputs=numbered(self.inputs),
            outputs=numbered(self.outputs),
            operations=tuple(
                plan_graph.Operation(
                    step.kind,
                    step.name,
                    numbered(step.inputs),
                    numbers[step.output],
                    dict(step.attributes),
                    dict(step.arrays),
                )
                for step in self.steps
            ),
            input_names=self.input_names,
            output_names=self.output_names,
        )
