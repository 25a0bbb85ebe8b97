"""Random recurrent layers for plans."""

import math

import numpy as np

from tf_rigl.native import plan_recurrence
from tf_rigl.native.plan_graph import ACTIVATIONS

GATE_FUNCTIONS = ("sigmoid", "sigmoid", "hard_sigmoid")
CANDIDATE_FUNCTIONS = ("tanh",) * 10 + ACTIVATIONS[:-1]


def add_recurrence(network):
    """Products with the inputs first, and with those of some states."""
    cell = network.choose(*plan_recurrence.GATES)
    units = network.integer(1, 40)
    gates = plan_recurrence.GATES[cell] * units
    value = matrix(network)
    steps, inputs = network.shapes[value]
    arrays = {"kernel": network.kernel(inputs, gates, fan=inputs)}
    if network.random.random() < 0.7:
        arrays["bias"] = network.floats(gates)
    read = [network.add("dense", (value,), (steps, gates), {}, arrays)]
    if network.random.random() < 0.4:
        for _ in range(plan_recurrence.count_states(cell)):
            read.append(state(network, units))

    # Half of it, so that nothing grows from step to step.
    arrays = {"kernel": network.kernel(units, gates, fan=4 * units)}
    if network.random.random() < 0.5:
        arrays["bias"] = network.floats(gates)
    returns = network.choose("sequence", *plan_recurrence.RETURNS)
    count = plan_recurrence.count_states(cell)
    shape = {
        "sequence": (steps, units),
        "last": (units,),
        "states": (count * units,),
    }[returns]
    given = {
        "cell": cell,
        "direction": network.choose(*plan_recurrence.DIRECTIONS),
        "returns": returns,
        "gate": function(network, *GATE_FUNCTIONS),
        "candidate": function(network, *CANDIDATE_FUNCTIONS),
    }
    return network.add("recurrence", read, shape, given, arrays)


def matrix(network):
    """A value with two dimensions."""
    good = [i for i, shape in enumerate(network.shapes) if len(shape) == 2]
    if good:
        return network.choose(*good)
    value = network.value()
    count = math.prod(network.shapes[value])
    steps = network.choose(*[d for d in range(1, 21) if count % d == 0])
    return network.add("reshape", (value,), (steps, count // steps))


def state(network, units):
    """A vector of so many elements."""
    value = network.value()
    count = math.prod(network.shapes[value])
    if len(network.shapes[value]) > 1:
        value = network.add("reshape", (value,), (count,))
    arrays = {"kernel": network.kernel(count, units, fan=count)}
    return network.add("dense", (value,), (units,), {}, arrays)


def function(network, *names):
    """A function of a cell."""
    name = network.choose(*names)
    if network.random.random() < 0.7:
        return plan_recurrence.GateFunction(name)
    terms = network.random.uniform(0.2, 0.9, 3).astype(np.float32)
    return plan_recurrence.GateFunction(name, 0.1, *terms.tolist())
