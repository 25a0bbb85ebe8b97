"""What tests know of each method: rows that its oracle's file holds.

A file of `oracles` for each file of methods in the registry, with

- `CASES`: for `methods_test`, the method beside its oracle; or `IN_FIT`, for a
  method of layers that `network` has not, which a test of its own runs;
- `WRONG_ORACLES`: oracles that are a little off, by the name of a case;
- `ROWS`: for the tests of what all methods promise, in `tests/updating`;
- `REFUSED`: arguments that it must refuse, and what it says.
"""

import dataclasses
import importlib
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import tf_rigl
from tests import support
from tests.methods import conservation
from tests.methods.training import Oracle
from tf_rigl.algorithms import registry

STOP, INTERVAL, FRACTION = PLAN = 40, 4, 0.3
DYNAMIC = {
    "stop_step": STOP,
    "update_interval": INTERVAL,
    "drop_fraction": FRACTION,
}
SHORT = {"stop_step": 12, "update_interval": 3}
DENSE = {"start": "dense"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A method beside its oracle."""

    algorithm: tf_rigl.algorithms.Algorithm
    oracle: Callable[[], Oracle]  # has a state: one for each run
    # Asserts what holds of the masks after each step.
    conserves: Callable[..., None] = conservation.each
    sparsify: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    compiled: bool = True  # whether the library's step is a `tf.function`
    tolerance: float = 1e-10  # of values and momentum, relative


def from_dense(algorithm, oracle, conserves=conservation.each, **kwargs):
    return Case(algorithm, oracle, conserves, DENSE, **kwargs)


def alike(method, oracle, conserves=conservation.each, compiled=True):
    """Makes such cases of arguments that method and oracle take alike."""

    def make(*args, **kwargs):
        return from_dense(
            method(*args, **kwargs),
            lambda: oracle(*args, **kwargs),
            conserves,
            compiled=compiled,
        )

    return make


def constant(row, record, step):
    """As many connections as allotted, always."""
    del row, step
    return record.target


def dense_until(first_step):
    """All connections before a step has been taken, the target from then."""

    def expected(row, record, step):
        del row
        return record.target if step >= first_step else record.size

    return expected


def as_drawn(row, record, step):
    """Any number: whether each connection is there is drawn."""
    raise NotImplementedError


def updates_until(row, step):
    return sum(map(row.algorithm.schedule.is_update, range(step + 1)))


@dataclasses.dataclass(frozen=True)
class Row:
    """A method and what is to hold while it trains."""

    algorithm: Any
    sparsify: dict[str, Any] = dataclasses.field(default_factory=dict)
    # (row, record, step) -> connections of a weight after that step.
    connections: Callable[..., int] = constant
    over_all: bool = False  # only the sum over all weights is given
    moves: bool = True  # masks change after their first pruning, too
    variant: bool = False  # another row compiles what its option adds
    part: bool = False  # no update, or a part of what another row compiles
    # (keras, units) -> the network, of layers that the method needs.
    build: Callable[..., Any] = support.make_mlp


def oracle_module(name):
    return importlib.import_module(f"tests.methods.oracles.{name}")


def collect(attribute):
    collected = {}
    for name in registry.modules():
        rows = getattr(oracle_module(name), attribute, {})
        twice = collected.keys() & rows.keys()
        assert not twice, twice
        collected |= rows
    return collected
