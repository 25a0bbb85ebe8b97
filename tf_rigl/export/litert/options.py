"""Options that few users of `export_litert` need."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False)
class LiteRTOptions:
    """Options of `export_litert`.

    Attributes:
        sparse: whether weights may be stored sparse.
        int8_io: whether a `"full_int8"` file takes and gives int8, too.
        select_tf_ops: whether operations that LiteRT lacks may be
            TensorFlow's; few interpreters have them, so what uses them is
            not run before it is written.
        verification_data: a batch to compare on; None: four random examples,
            of strings "0" and "1", which many vocabularies lack.
        tolerance: the largest difference between an output of the file and of
            the model, as a share of the largest output. None: 0.001 for
            float32, 0.1 for float16, any for int8 (see the report).
        row_major: whether sparse weights are stored in the order of their
            dimensions, as TensorFlow's converter stores them. False: in
            whichever takes the fewest bytes, which LiteRT reads and OpenVINO
            does not.
    """

    sparse: bool = True
    int8_io: bool = False
    select_tf_ops: bool = False
    verification_data: Any = None
    tolerance: float | None = None
    row_major: bool = True


# The arguments that `export_litert` had before 0.2, and what to pass instead.
MOVED = {
    "sparse": "options=tf_rigl.LiteRTOptions(sparse=False)",
    "int8_io": "options=tf_rigl.LiteRTOptions(int8_io=True)",
    "select_tf_ops": "options=tf_rigl.LiteRTOptions(select_tf_ops=True)",
    "verification_data": "options=tf_rigl.LiteRTOptions(verification_data=...)",
    "tolerance": "options=tf_rigl.LiteRTOptions(tolerance=...)",
}
