"""Runs plans: whole networks that were exported to one file."""

import ctypes
import os
import weakref
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.native import library

_DIMENSIONS = 3  # RIGL_PLAN_DIMENSIONS in rigl_plan.h
_NO_MEMORY = b"The memory is not enough."  # plan/api.cc


class Port(NamedTuple):
    """An input or output of a plan.

    All are float32, images with their channels last, token ids as whole
    numbers, of which float32 has all up to 2²⁴.
    """

    name: str
    shape: tuple[int, ...]  # without the batch
    rows: int = 0  # of what embedding it is numbers, 0 if of none


class Plan:
    """A network that is ready to run, without TensorFlow.

        plan = tf_rigl.native.Plan("model.plan")
        probabilities = plan(images)

    The file is mapped into memory and checked as a whole. Any number of threads
    may call one plan at the same time.

    Args:
        path: a file that `tf_rigl.export_plan` wrote; or its content, as bytes.
        threads: how many threads a call may use; 0 for as many as there are
            cores. No result depends on it.
        tuning: the `tuning` of a plan of the same file that has been called on
            the same kind of processor; nothing is then measured in the first
            call.

    Raises:
        FileNotFoundError: if there is no such file.
        RuntimeError: if the native library is not there.
        ValueError: if the file cannot be read, is damaged, or is of another
            version, or if the tuning is of another file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | bytes,
        *,
        threads: int = 0,
        tuning: str | None = None,
    ) -> None:
        self._library = _declared()
        self.threads = threads
        handle = ctypes.c_void_p()
        if isinstance(path, bytes):
            self._path = f"{len(path)} bytes"
            error = self._library.rigl_plan_open_memory(
                path, len(path), ctypes.byref(handle)
            )
        else:
            self._path = os.fspath(path)
            if not os.path.isfile(self._path):
                raise FileNotFoundError(
                    "`path` must be a file that `tf_rigl.export_plan` wrote. "
                    f"Received: path={self._path!r}, where there is none."
                )
            error = self._library.rigl_plan_open(
                os.fsencode(path), ctypes.byref(handle)
            )
        if error:
            raise ValueError(
                f"{error.decode(errors='replace')} Received: {self._path}"
            )
        self._handle = handle
        weakref.finalize(self, self._library.rigl_plan_close, handle)
        if tuning is not None:
            self._tune(tuning)
        self.inputs = self._ports("input")
        self.outputs = self._ports("output")
        # To make the types takes as long as a product of a small layer.
        self._input_pointers = ctypes.c_void_p * len(self.inputs)
        self._output_pointers = ctypes.c_void_p * len(self.outputs)

    def __call__(self, *inputs: Any) -> Any:
        """Computes the outputs of a batch.

        Args:
            *inputs: an array `[batch, *shape]` for each of `inputs`, of float32
                or what NumPy converts to it safely, such as integers.

        Returns:
            An array `[batch, *shape]` of float32; of several outputs, a tuple
            of them.

        Raises:
            ValueError: if the arrays are not of these shapes, or what an
                embedding reads is not the number of one of its rows.
            TypeError: if they are of other types.
        """
        arrays = self._checked(inputs)
        batch = len(arrays[0])
        results = tuple(
            np.empty((batch, *port.shape), np.float32) for port in self.outputs
        )
        error = self._library.rigl_plan_run(
            self._handle,
            self._input_pointers(*[one.ctypes.data for one in arrays]),
            self._output_pointers(*[one.ctypes.data for one in results]),
            batch,
            self.threads,
        )
        if error:
            kind = MemoryError if error == _NO_MEMORY else ValueError
            raise kind(error.decode(errors="replace"))
        return results if len(results) > 1 else results[0]

    @property
    def buffer_bytes(self) -> int:
        """Bytes of memory that a batch of one needs, beside the file."""
        return int(self._library.rigl_plan_buffer_bytes(self._handle))

    @property
    def tuning(self) -> str:
        """How the first call on one example has laid kernels out, to be stored.

        A character for each; `"-"` where nothing has been chosen. It changes
        times alone, and is of this file and this kind of processor.
        """
        length = self._library.rigl_plan_tuning(self._handle, None, 0)
        found = ctypes.create_string_buffer(length + 1)
        self._library.rigl_plan_tuning(self._handle, found, length + 1)
        return found.value.decode()

    def _tune(self, tuning: str) -> None:
        error = self._library.rigl_plan_tune(
            self._handle, tuning.encode(errors="replace")
        )
        if error:
            raise ValueError(
                f"{error.decode()} It must be the `tuning` of a plan of the "
                f"same file. Received: tuning={tuning!r} for {self._path}"
            )

    def __repr__(self) -> str:
        def listed(ports: tuple[Port, ...]) -> str:
            return ", ".join(
                f"{port.name} [{', '.join(map(str, ('batch', *port.shape)))}]"
                for port in ports
            )

        return (
            f"<Plan {self._path}: {listed(self.inputs)} "
            f"to {listed(self.outputs)}>"
        )

    def _ports(self, kind: str) -> tuple[Port, ...]:
        def called(name: str) -> Callable[..., Any]:
            return getattr(self._library, f"rigl_plan_{kind}{name}")

        ports = []
        is_input = kind == "input"
        for number in range(called("s")(self._handle)):
            shape = (ctypes.c_int32 * _DIMENSIONS)()
            rank = called("_shape")(self._handle, number, shape)
            name = called("_name")(self._handle, number)
            rows = called("_rows")(self._handle, number) if is_input else 0
            ports.append(
                Port(name.decode(errors="replace"), tuple(shape[:rank]), rows)
            )
        return tuple(ports)

    def _checked(self, inputs: tuple[Any, ...]) -> list[np.ndarray]:
        if len(inputs) != len(self.inputs):
            raise ValueError(
                f"There must be {len(self.inputs)} arrays, for "
                f"{', '.join(port.name for port in self.inputs)}. "
                f"Received: {len(inputs)} arrays"
            )
        arrays = []
        for port, given in zip(self.inputs, inputs, strict=True):
            array = np.asarray(given)
            if not np.can_cast(array.dtype, np.float32, "same_kind"):
                raise TypeError(
                    f"{port.name} must be of floats or integers. "
                    f"Received: dtype={array.dtype}"
                )
            if array.shape[1:] != port.shape or array.ndim == 0:
                raise ValueError(
                    f"{port.name} must be of shape (batch, "
                    f"{', '.join(map(str, port.shape))}). "
                    f"Received: shape={array.shape}"
                )
            arrays.append(np.ascontiguousarray(array, np.float32))
        if len({len(array) for array in arrays}) != 1:
            raise ValueError(
                "All arrays must be of the same batch. Received: "
                f"{', '.join(str(len(array)) for array in arrays)} examples"
            )
        return arrays


def _declared() -> ctypes.CDLL:
    """Returns the library with the types of the functions of `rigl_plan.h`."""
    found = library.find()
    pointer, number = ctypes.c_void_p, ctypes.c_int32
    text = ctypes.c_char_p
    shape = ctypes.POINTER(number)
    types: dict[str, tuple[Any, list[Any]]] = {
        "open": (text, [text, pointer]),
        "open_memory": (text, [text, ctypes.c_size_t, pointer]),
        "close": (None, [pointer]),
        "inputs": (number, [pointer]),
        "outputs": (number, [pointer]),
        "input_name": (text, [pointer, number]),
        "output_name": (text, [pointer, number]),
        "input_shape": (number, [pointer, number, shape]),
        "input_rows": (number, [pointer, number]),
        "output_shape": (number, [pointer, number, shape]),
        "buffer_bytes": (ctypes.c_int64, [pointer]),
        "tuning": (ctypes.c_size_t, [pointer, text, ctypes.c_size_t]),
        "tune": (text, [pointer, text]),
        "run": (text, [pointer, pointer, pointer, ctypes.c_int64, number]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(found, f"rigl_plan_{name}")
        function.restype = result
        function.argtypes = arguments
    return found
