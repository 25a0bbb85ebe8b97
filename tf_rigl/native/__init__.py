"""Sparse kernels in C++ for CPUs, callable with NumPy arrays.

`build` compiles the library with the machine's compiler; `setup.py` calls it at
installation. `library` loads it, and says why it could not. `kernels` calls
the bare kernels with NumPy arrays; the operations of TensorFlow that are made
of them are in `tf_rigl.backend.native_ops`.

In `src`, `kernels.cc` is compiled once for each level of vector instructions
(SSE2, AVX2, AVX-512 or NEON), and `dispatch.cc` chooses one when it is first
needed. `rigl.h` is all that other languages see; `tensorflow_ops.cc`, a second
and small shared object, passes tensors to it through the stable C API of
TensorFlow, so that one binary serves all releases.
"""

from tf_rigl.native.library import available as available
from tf_rigl.native.library import use as use
from tf_rigl.native.library import why_unavailable as why_unavailable
