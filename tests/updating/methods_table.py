"""The rows that the tests of methods run, from `tests/methods/oracles`."""

from tests.methods import table

STEPS = 16
SPARSITY = 0.7

ROWS = table.collect("ROWS")
