import tf_rigl
from tests.methods import table
from tests.methods.training import Oracle

CASES = {"static": table.Case(tf_rigl.Static(), Oracle)}

ROWS = {"static": table.Row(tf_rigl.Static(), moves=False, part=True)}
