"""The settings of an export, known before TensorFlow is imported."""

import dataclasses
import math
from typing import Any

from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import field

FORMATS = ("saved_model", "litert", "plan", "keras")
# Those of `tf_rigl.export` and `tf_rigl.core.packing`, which a test compares.
COMPRESSIONS = ("smallest", "bit_mask", "gaps", "block_mask", "n_by_m", "dense")
PLAIN = "none"  # a flag cannot be None
VALUES = ("float32", "float16", "bfloat16", "int8", "seed")
_EXACT = ("float32", "seed")
RUNTIMES = ("tensorflow", "native")
QUANTIZATIONS = ("float32", "float16", "dynamic_int8", "full_int8")

# Default tolerances if values are not rounded, as shares of the largest output.
_TOLERANCE = 1e-5
_TOLERANCE_SHRUNK = 1e-4


@fields.documented
@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Format, rounding and limits of an export."""

    format: str = field("saved_model", "File format.", fields.one_of(FORMATS))
    compression: str = field(
        "smallest",
        "Encoding of positions in a SavedModel; none: a plain SavedModel, "
        "which OpenVINO and the converter of TensorFlow.js read, too.",
        fields.one_of((*COMPRESSIONS, PLAIN)),
    )
    values: Any = field(
        "float32",
        "Encoding of values in a SavedModel or, but for bfloat16 and seed, in "
        "a plan; seed: none, for a model of which only masks were trained.",
        fields.one_of(VALUES),
    )
    runtime: str = field(
        "tensorflow",
        "What runs a SavedModel; native: one operation of this library, which "
        "skips zeros.",
        fields.one_of(RUNTIMES),
    )
    quantization: str = field(
        "float32", "LiteRT quantization.", fields.one_of(QUANTIZATIONS)
    )
    shrink: bool = field(False, "Remove dead units before the export.")
    tolerance: float | None = field(
        None,
        "Largest difference of an output, as a share of the largest output; by "
        "default 1e-5 (1e-4 with --shrink), or no limit if values are rounded.",
        fields.NOT_NEGATIVE,
    )
    overwrite: bool = field(False, "Replace an existing file or folder.")

    def __post_init__(self) -> None:
        fields.check(self)

    @property
    def largest_difference(self) -> float:
        """The tolerance: infinite by default if values are rounded."""
        if self.tolerance is not None:
            return self.tolerance
        kind = {
            "saved_model": self.values,
            "plan": self.values,
            "litert": self.quantization,
        }
        if kind.get(self.format, "float32") not in _EXACT:
            return math.inf
        return _TOLERANCE_SHRUNK if self.shrink else _TOLERANCE
