"""The content of a file of a model, weight by weight."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

import numpy as np

from tf_rigl.core import text_table
from tf_rigl.experiments.stored_weights import StoredWeight
from tf_rigl.experiments.stored_weights import read_stored_weights
from tf_rigl.export.folders import folder_bytes

BARS = "▁▂▃▄▅▆▇█"
BINS = 15
_HEADER = (
    "weight",
    "shape",
    "dtype",
    "stored",
    "values kept",
    "elements",
    "kept",
    "sparsity",
    "bytes",
)
_TEXT_COLUMNS = 5


@dataclasses.dataclass(frozen=True)
class FileReport:
    """A file of a model; `str()` is a table."""

    path: str
    weights: tuple[StoredWeight, ...]
    file_bytes: int  # of a folder, those of all files in it

    @property
    def elements(self) -> int:
        """Number of elements of all weights."""
        return sum(weight.array.size for weight in self.weights)

    @property
    def nonzeros(self) -> int:
        """Number of elements that are kept."""
        return sum(int(weight.kept.sum()) for weight in self.weights)

    def __str__(self) -> str:
        body = [_cells(weight) for weight in self.weights]

        size = sum(weight.bytes for weight in self.weights)
        total = (
            "all",
            *[""] * (_TEXT_COLUMNS - 1),
            f"{self.elements:,}",
            f"{self.nonzeros:,}",
            _sparsity(self.nonzeros, self.elements),
            f"{size:,}",
        )
        lines = text_table.aligned(_HEADER, body, total, _TEXT_COLUMNS)
        lines.append(f"{self.path}: {self.file_bytes:,} bytes in all")
        return "\n".join(lines)


def inspect_file(
    path: str | os.PathLike[str], imports: Iterable[str] = ()
) -> FileReport:
    """Reads the weights of a file of a model; see `read_stored_weights`."""
    weights = tuple(read_stored_weights(path, imports))
    file = pathlib.Path(path)
    size = file.stat().st_size if file.is_file() else folder_bytes(file)
    return FileReport(os.fspath(path), weights, size)


def histogram(weight: StoredWeight, bins: int = BINS) -> np.ndarray:
    """Counts the kept values of a weight between their largest magnitudes.

    Args:
        weight: of any dtype.
        bins: how many; an odd number has one around 0.

    Returns:
        int64 [bins], from the most negative to the most positive.
    """
    values = weight.array[weight.kept].astype(np.float64)
    values = values[np.isfinite(values)]
    largest = np.abs(values).max(initial=0) or 1.0
    return np.histogram(values, bins, (-largest, largest))[0]


def sparkline(counts: np.ndarray) -> str:
    """Draws counts as bars: blank for none, the highest for the largest.

    >>> sparkline(np.array([0, 1, 50, 100]))
    ' ▁▅█'
    """
    heights = np.ceil(counts * len(BARS) / max(counts.max(initial=0), 1))
    return "".join(f" {BARS}"[int(height)] for height in heights)


def _cells(weight: StoredWeight) -> tuple[str, ...]:
    kept = int(weight.kept.sum())
    return (
        weight.path,
        "×".join(map(str, weight.array.shape)) or "scalar",
        weight.array.dtype.name,
        weight.encoding,
        sparkline(histogram(weight)),
        f"{weight.array.size:,}",
        f"{kept:,}",
        _sparsity(kept, weight.array.size),
        f"{weight.bytes:,}",
    )


def _sparsity(kept: int, elements: int) -> str:
    return f"{1 - kept / elements:.2%}" if elements else ""
