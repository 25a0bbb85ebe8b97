"""Reports which operators of a model XNNPACK runs sparse."""

import dataclasses
import textwrap

from tf_rigl.core import cells
from tf_rigl.core import text_table

# The table fits 80 columns with it.
_NAME_WIDTH = 33
# Layers that are named where zeros are missing.
_LISTED = 3
_NO_CONVOLUTION = (
    "No layer is a convolution of images. XNNPACK skips zeros of 1×1 "
    "convolutions only, so this model is as fast sparse as dense. For speed "
    "export it with quantization='full_int8', or cut out units by "
    "tf_rigl.shrink(model) first."
)
_HEADER = ("layer", "operation", "sparse", "weights", "zeros")


@dataclasses.dataclass(frozen=True)
class OperatorCheck:
    """One operator of the graph."""

    # Name of its layer in the Keras model, with those of the models around it;
    # "behind" the layer before where the converter has lost it. For a file,
    # what the converter has made of it.
    name: str
    tensor: str  # name of its output in the graph
    operation: str  # its kind in LiteRT, such as "CONV_2D"
    # Whether it is part of the region that is run sparse. If there are problems
    # elsewhere, the region is the one that there would be without them.
    in_region: bool
    # Number of its weights if they could be sparse: if it is a 1×1 convolution
    # or a fully connected layer of the region. Otherwise 0.
    weights: int
    zeros: int  # number of these weights that are 0
    problem: str = ""  # the rule that it breaks, "" if none
    fix: str = ""  # what to change in the model, "" without a problem

    def __str__(self) -> str:
        return f"{self.name} ({self.operation}): {self.problem}. {self.fix}"


@dataclasses.dataclass(frozen=True)
class XNNPACKReport:
    """Result of `check_xnnpack`; `str()` is a table.

    Attributes:
        rows: the operators, in the order in which they run.
        stored_sparse: whether the file stores weights of floats sparse; if not,
            XNNPACK does not look for zeros. True for a Keras model, which has
            not been exported yet.
    """

    rows: tuple[OperatorCheck, ...]
    stored_sparse: bool

    weights = text_table.RowSum(
        "weights", "Number of weights in the region that could be sparse."
    )
    zeros = text_table.RowSum("zeros", "Number of these weights that are 0.")

    @property
    def problems(self) -> tuple[str, ...]:
        """All rules that the model breaks, and what to do about each.

        They are in the order of the graph.
        """
        broken = [row for row in self.rows if row.problem]
        # A layer that reads a shape to reshape is told about the latter only,
        # and of a problem of several of its operators once.
        reshaping = {row.name for row in broken if row.operation == "RESHAPE"}
        texts = {
            (row.name, row.problem): str(row)
            for row in broken
            if row.operation != "SHAPE" or row.name not in reshaping
        }
        found = list(texts.values())
        if not any(row.in_region for row in self.rows):
            found.append(_NO_CONVOLUTION)
        elif not any(row.weights for row in self.rows):
            found.append(
                "No layer has weights that can be skipped. Use "
                "Conv2D(filters, 1) behind the first convolution."
            )
        elif not self.sparse_enough:
            found.append(self._too_few_zeros())

        if not self.stored_sparse:
            found.append(
                "No float weight is stored sparse. Export a sparse model by "
                "`export_litert` with quantization='float32' or 'float16', "
                "and not with LiteRTOptions(sparse=False)."
            )
        return tuple(found)

    def _too_few_zeros(self) -> str:
        """Says which weights lack zeros, and how to get more."""
        counts = (
            f"Of the weights that can be skipped {self.zeros:,} of "
            f"{self.weights:,} are zero; more than two thirds must be. "
        )
        if not self.zeros:
            return counts + (
                "Train the model sparse: tf_rigl.sparsify(model, 0.8, "
                "'uniform')."
            )

        by_active = sorted(self.rows, key=lambda row: row.zeros - row.weights)
        largest = ", ".join(
            f"{row.name} ({row.weights - row.zeros:,} of {row.weights:,})"
            for row in by_active[:_LISTED]
            if row.weights > row.zeros
        )
        return counts + (
            f"Most of the others are in {largest}. Sparsify them further: by a "
            "higher sparsity, or tf_rigl.sparsify(model, 0.8, 'uniform') and "
            "none of them in `dense`."
        )

    @property
    def first_problem(self) -> str | None:
        """The first of the problems; None if there is none."""
        return next(iter(self.problems), None)

    @property
    def fits(self) -> bool:
        """True if the operators follow the rules, whatever the sparsity."""
        return self.weights > 0 and not any(row.problem for row in self.rows)

    @property
    def sparse_enough(self) -> bool:
        """True if more than two thirds of the counted weights are 0."""
        return 3 * self.zeros > 2 * self.weights

    @property
    def runs_sparse(self) -> bool:
        """True if XNNPACK runs the model sparse on processors without AVX."""
        return self.fits and self.sparse_enough and self.stored_sparse

    def __str__(self) -> str:
        body = [
            (
                # Names may be long paths, which differ at the end.
                row.name[-_NAME_WIDTH:],
                row.operation,
                # Blank outside of the region, where no sparsity is expected.
                "no" if row.problem else "yes" if row.in_region else "",
                # Blank instead of 0 for operators without weights.
                cells.count(row.weights or None),
                cells.share(row.zeros, row.weights),
            )
            for row in self.rows
        ]

        total = (
            "all",
            "",
            "",
            cells.count(self.weights),
            cells.share(self.zeros, self.weights),
        )

        lines = text_table.aligned(_HEADER, body, total, text_columns=3)
        verdict = "yes" if self.runs_sparse else "no"
        lines.append(f"XNNPACK runs it sparse: {verdict}")
        if self.problems:
            lines.append("What to change:")
        lines += [
            textwrap.fill(problem, 80, subsequent_indent="  ")
            for problem in self.problems
        ]
        return "\n".join(lines)
