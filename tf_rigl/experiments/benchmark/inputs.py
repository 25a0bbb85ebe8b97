"""The arrays that models are called on."""

import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Arrays of a file, by name; those of a .npy file are one array without a name.
Data = Mapping[str, np.ndarray]

STRING = "string"


class InputSpec(NamedTuple):
    """What a model takes as one of its inputs."""

    name: str
    # None where any size will do; the first dimension is the batch.
    shape: tuple[int | None, ...]
    dtype: str  # a name of NumPy's, or `STRING`


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the arrays of a .npz file by name, or that of a .npy file.

    Raises:
        ValueError: if it is neither of them.
    """
    try:
        content = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            "`input` must be a .npy or .npz file of arrays. Received: "
            f"input={os.fspath(path)!r}; {error}"
        ) from error
    if isinstance(content, np.lib.npyio.NpzFile):
        with content:
            return {name: content[name] for name in content.files}
    return {"": content}


def positions(
    specs: Sequence[InputSpec], of: Sequence[InputSpec]
) -> list[int] | None:
    """Finds the inputs of one model among those of another one.

    They are the same by their names or, as formats name them differently, by
    their order.

    Returns:
        For each of `specs`, the position of the same input in `of`; None if
        the models do not take the same inputs.
    """
    names = [spec.name for spec in of]
    if len(specs) != len(of):
        return None
    if {spec.name for spec in specs} == set(names):
        found = [names.index(spec.name) for spec in specs]
    else:
        found = list(range(len(specs)))
    agree = (_agree(a, of[b]) for a, b in zip(specs, found, strict=True))
    return found if all(agree) else None


def draw(
    specs: Sequence[InputSpec], batch: int, open_size: int, seed: int
) -> list[np.ndarray]:
    """Draws an array for each input.

    Floats are standard normal, integers 0 or 1 and strings "0" or "1".

    Args:
        specs: the inputs.
        batch: number of examples.
        open_size: the size of other open dimensions.
        seed: of the random numbers.
    """
    arrays: list[np.ndarray] = []
    for place, spec in enumerate(specs):
        random = np.random.default_rng([seed, place])
        shape = [open_size if size is None else size for size in spec.shape]
        if shape:
            shape[0] = batch
        if spec.dtype == STRING:
            arrays.append(random.integers(0, 2, shape).astype(np.bytes_))
        elif _is_float(spec):
            # In which precision a model computes is its own business.
            arrays.append(random.standard_normal(shape, np.float32))
        else:
            arrays.append(random.integers(0, 2, shape).astype(spec.dtype))
    return arrays


def choose(
    data: Data, specs: Sequence[InputSpec], batch: int
) -> list[np.ndarray]:
    """Chooses the arrays of a model and repeats or cuts them to a batch.

    Raises:
        ValueError: if the arrays are not those that the model takes.
    """
    names = [spec.name for spec in specs]
    if set(names) <= set(data):
        arrays = [data[name] for name in names]
    elif len(data) == len(specs):
        arrays = list(data.values())
    else:
        raise ValueError(
            f"`input` must have the arrays {names}. Received: {sorted(data)}."
        )

    for spec, array in zip(specs, arrays, strict=True):
        _check_shape(spec, array)
    return [
        np.take(array, np.arange(batch) % len(array), axis=0)
        if array.ndim
        else array
        for array in arrays
    ]


def plain(array: np.ndarray) -> np.ndarray:
    """Converts an output to a dtype that files have and that compares."""
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        return array.astype(np.bytes_)
    # As bfloat16, which is no dtype of NumPy's own.
    is_native = array.dtype.kind in "biufc"
    return array if is_native else array.astype(np.float32)


def _check_shape(spec: InputSpec, array: np.ndarray) -> None:
    fits = array.ndim == len(spec.shape) and all(
        expected in (None, size)
        for size, expected in zip(array.shape[1:], spec.shape[1:], strict=True)
    )
    if not fits or (array.ndim and not len(array)):
        raise ValueError(
            f"`input` must have the shape {spec.shape} for {spec.name!r}. "
            f"Received: {array.shape}."
        )


def _agree(one: InputSpec, other: InputSpec) -> bool:
    if len(one.shape) != len(other.shape):
        return False
    sizes = zip(one.shape[1:], other.shape[1:], strict=True)
    same_kind = one.dtype == other.dtype or any(
        is_one(one) and is_one(other) for is_one in (_is_float, _is_integer)
    )
    return same_kind and all(a is None or b is None or a == b for a, b in sizes)


def _is_integer(spec: InputSpec) -> bool:
    return spec.dtype.startswith(("int", "uint"))


def _is_float(spec: InputSpec) -> bool:
    # Of ml_dtypes, too, which NumPy does not know by name.
    return spec.dtype.startswith(("float", "bfloat"))
