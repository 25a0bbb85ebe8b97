"""The oracle of DNW, which is that of the straight-through estimator."""

import tf_rigl
from tests.methods import table
from tests.methods.oracles.ste import STE

CASES = {"dnw": table.from_dense(tf_rigl.DNW(), STE)}

ROWS = {"dnw": table.Row(tf_rigl.DNW(), table.DENSE, variant=True)}
