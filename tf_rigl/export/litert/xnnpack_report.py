"""Reports which operators of a model XNNPACK runs sparse."""

import dataclasses

from tf_rigl.core import cells
from tf_rigl.core import text_table

_HEADER = ("layer", "operation", "sparse", "weights", "zeros")


@dataclasses.dataclass(frozen=True)
class OperatorCheck:
    """One operator of the graph."""

    name: str  # name of its output, which contains the layer's name
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
        """All rules that the model breaks, in the order of the graph."""
        found = [str(row) for row in self.rows if row.problem]
        if not any(row.weights for row in self.rows):
            found.append("There is no 1×1 convolution in the region.")
        elif not self.sparse_enough:
            found.append(
                f"Of the weights that can be skipped {self.zeros:,} of "
                f"{self.weights:,} are zero; more than two thirds must be. "
                "Sparsify them further."
            )

        if not self.stored_sparse:
            found.append(
                "No float weight is stored sparse. Export the model with "
                "`export_litert` as float32 or float16."
            )
        return tuple(found)

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
                row.name[-60:],
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
        return "\n".join(
            [*lines, f"XNNPACK runs it sparse: {verdict}", *self.problems]
        )
