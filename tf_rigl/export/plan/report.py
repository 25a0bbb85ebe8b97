"""Reports what a plan computes for each layer, and what a plan file holds."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.core import cells
from tf_rigl.core import text_table

# How a layer runs.
SPARSE = "sparse"  # zeros of its kernel are skipped
DENSE = "dense"  # its kernel has too few zeros to skip them
FOLDED = "folded"  # another layer's step computes it
PLAIN = "plain"  # it has no kernel
NOTHING = "nothing"  # it does nothing at inference
REFUSED = "refused"  # plans do not have it

# Names of kinds of steps in tables, where "dense" says how one runs.
SHOWN = {"dense": "product", "matrix_product": "matrix product"}

# So many layers are named in advice, and problems told.
_NAMED = 3
_HEADER = ("layer", "class", "runs", "weights", "kept", "MACs")
_FILE_HEADER = ("layer", "step", "weights", "nonzeros", "kept")


@dataclasses.dataclass(frozen=True)
class LayerCheck:
    """What a plan computes for one call of a layer."""

    path: str  # path of the layer in the model
    layer: str  # the name of its class
    runs: str  # "sparse", "dense", "folded", "plain", "nothing" or "refused"
    how: str  # the steps that compute it, or the layer that it is folded into
    weights: int  # elements of its kernels
    nonzeros: int  # those that are not 0
    macs: int  # multiply-accumulates of an example, without zeros
    dense_macs: int  # the same with zeros
    problem: str = ""  # why plans do not have it
    fix: str = ""  # what to do about it

    @property
    def could_be_sparse(self) -> bool:
        """True if it is dense, and not one of few weights for each output."""
        return self.runs == DENSE and not self.how.startswith("depthwise")


@dataclasses.dataclass(frozen=True)
class PlanCheck:
    """Result of `check_plan`; `str()` is a table, with what to do.

    Attributes:
        rows: one row for each call of a layer, in the order of calls.
    """

    rows: tuple[LayerCheck, ...]

    weights = text_table.RowSum("weights", "Elements of all kernels.")
    nonzeros = text_table.RowSum("nonzeros", "Those that are not 0.")
    macs = text_table.RowSum(
        "macs", "Multiply-accumulates of an example by kernels without zeros."
    )
    dense_macs = text_table.RowSum(
        "dense_macs", "Multiply-accumulates of an example, with zeros."
    )

    @property
    def fits(self) -> bool:
        """True if a plan can compute the whole model."""
        return not any(row.problem for row in self.rows)

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps the model from being a plan, once for layers alike."""
        alike: dict[tuple[str, str, str], list[str]] = {}
        for row in self.rows:
            if row.problem:
                key = (row.layer, row.problem, row.fix)
                alike.setdefault(key, []).append(row.path)
        return tuple(
            f"{_named(paths)} ({layer}): {problem}. {fix}"
            for (layer, problem, fix), paths in alike.items()
        )

    @property
    def advice(self) -> tuple[str, ...]:
        """What would make a plan of the model faster."""
        found = []
        dense = [row for row in self.rows if row.could_be_sparse]
        dense_macs = sum(row.macs for row in dense)
        if dense and 2 * dense_macs > self.macs:
            largest = sorted(dense, key=lambda row: -row.macs)[:_NAMED]
            named = ", ".join(
                f"{row.path} ({cells.share(row.macs, self.macs)})"
                for row in largest
            )
            found.append(
                "Most multiply-accumulates are by kernels with too few zeros "
                f"to skip: {named}. Sparsify them further; half of the "
                "weights must be 0, and ten times fewer connections are the "
                "aim."
            )

        alone = [
            row.path
            for row in self.rows
            if row.layer == "BatchNormalization" and row.runs == PLAIN
        ]
        if alone:
            found.append(
                "These BatchNormalization layers are steps of their own: "
                f"{_named(alone)}. Right behind a convolution, without an "
                "activation between, they cost nothing."
            )
        return tuple(found)

    def __str__(self) -> str:
        body = [
            (
                row.path,
                row.layer,
                row.runs if row.runs == FOLDED else f"{row.runs} {row.how}",
                cells.count(row.weights or None),
                cells.share(row.nonzeros, row.weights),
                cells.count(row.macs or None),
            )
            for row in self.rows
        ]
        total = (
            "all",
            "",
            "",
            cells.count(self.weights),
            cells.share(self.nonzeros, self.weights),
            cells.count(self.macs),
        )
        lines = text_table.aligned(_HEADER, body, total, text_columns=3)
        lines.append(
            "A plan can compute it."
            if self.fits
            else "A plan cannot compute it. What to change:"
        )
        lines += [
            text_table.paragraph(text, indent="  ")
            for text in (*self.problems, *self.advice)
        ]
        return "\n".join(lines)


def _named(paths: Sequence[str]) -> str:
    """Returns some of the paths as text, and how many more there are."""
    more = len(paths) - _NAMED
    named = ", ".join(paths[:_NAMED])
    return f"{named} and {more} more" if more > 0 else named


@dataclasses.dataclass(frozen=True)
class StepReport:
    """One step with a kernel."""

    name: str  # path of the layer
    kind: str  # "dense", "convolution", "recurrence", …
    shape: tuple[int, ...]  # of the kernel
    weights: int  # its elements
    nonzeros: int  # those that are not 0


@dataclasses.dataclass(frozen=True)
class PlanReport:
    """Result of `export_plan`; `str()` is a table.

    Attributes:
        path: the file.
        rows: one row for each step with a kernel.
        steps: number of all steps.
        precision: how weights are stored.
        file_bytes: bytes of the file.
        error: largest difference from the model's outputs on random inputs;
            None if the native library is not there to run the file.
        relative_error: the same as a fraction of the largest output.
    """

    path: str
    rows: tuple[StepReport, ...]
    steps: int
    precision: str
    file_bytes: int
    error: float | None
    relative_error: float | None

    weights = text_table.RowSum("weights", "Elements of all kernels.")
    nonzeros = text_table.RowSum("nonzeros", "Those that are not 0.")

    @property
    def density(self) -> float:
        """Fraction of the kernels' elements that are not 0."""
        return self.nonzeros / self.weights if self.weights else 1.0

    def __str__(self) -> str:
        body = [
            (
                row.name,
                f"{SHOWN.get(row.kind, row.kind)} {cells.shape(row.shape)}",
                *cells.counts(row.weights, row.nonzeros),
                cells.share(row.nonzeros, row.weights),
            )
            for row in self.rows
        ]
        total = (
            "all",
            "",
            *cells.totals(self.rows, "weights", "nonzeros"),
            cells.share(self.nonzeros, self.weights),
        )
        lines = text_table.aligned(_FILE_HEADER, body, total, text_columns=2)
        lines.append(
            f"{self.path}: {self.file_bytes:,} bytes, {self.steps} steps, "
            f"weights in {self.precision}"
        )
        if self.error is None or self.relative_error is None:
            lines.append(
                "Not compared with the model: the native library is not there."
            )
        else:
            lines.append(
                f"Largest difference from the model: {self.error:.2g} "
                f"({self.relative_error:.2g} of the largest output)"
            )
        return "\n".join(lines)
