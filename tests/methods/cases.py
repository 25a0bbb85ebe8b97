"""The methods beside their oracles, from the files of `oracles`."""

from tests.methods import table

CASES = table.collect("CASES")

# Oracles that are a little off: each must be told apart from the method.
WRONG_ORACLES = table.collect("WRONG_ORACLES")
