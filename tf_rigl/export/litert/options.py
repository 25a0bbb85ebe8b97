"""Options that few users of `export_litert` need."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False)
class LiteRTOptions:
    """Options of `export_litert`.

    Attributes:
        sparse: whether weights may be stored sparse. If False, all are dense.
        int8_io: whether inputs and outputs of a `"full_int8"` file are int8,
            too.
        select_tf_ops: whether the file may use TensorFlow's own operations
            where LiteRT has none. Few interpreters include them. A file that
            uses them cannot be run in Python, so it is written without being
            compared with the model.
        verification_data: a batch on which the file is compared with the model.
            None uses up to 16 of the representative examples or, without them,
            four random ones; strings among these are "0" and "1", which many
            vocabularies lack.
        tolerance: the largest difference allowed between an output of the file
            and of the model, as a fraction of the largest output. None allows
            0.001 for float32, 0.1 for float16 and any difference for int8; the
            report tells it.
        row_major: whether sparse weights are stored in the order of their
            dimensions, like those of TensorFlow's converter. If False, the
            order is the one that takes the fewest bytes, which LiteRT reads and
            OpenVINO does not.
    """

    sparse: bool = True
    int8_io: bool = False
    select_tf_ops: bool = False
    verification_data: Any = None
    tolerance: float | None = None
    row_major: bool = True


# The arguments that `export_litert` had before release 0.2, with their
# replacements.
MOVED = {
    "sparse": "options=tf_rigl.LiteRTOptions(sparse=False)",
    "int8_io": "options=tf_rigl.LiteRTOptions(int8_io=True)",
    "select_tf_ops": "options=tf_rigl.LiteRTOptions(select_tf_ops=True)",
    "verification_data": "options=tf_rigl.LiteRTOptions(verification_data=...)",
    "tolerance": "options=tf_rigl.LiteRTOptions(tolerance=...)",
}
