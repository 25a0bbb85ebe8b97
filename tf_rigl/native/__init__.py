"""Sparse kernels in C++ for CPUs, callable with NumPy arrays.

`build` compiles the library with the machine's compiler; `setup.py` calls it at
installation. `library` loads it, and says why it could not. `kernels` calls
the bare kernels with NumPy arrays; the operations of TensorFlow that are made
of them are in `tf_rigl.backend.native_ops`.

In `src`, `kernels.cc` is compiled once for each level of vector instructions
(SSE2, AVX2, AVX-512 or NEON), and `dispatch.cc` chooses one when it is first
needed. `rigl.h` is all that other languages see; `src/tensorflow`, a second
and small shared object, passes tensors to it through the stable C API of
TensorFlow, so that one binary serves all releases.

`Plan` runs a whole network from a file that `plan_file` writes of a
`plan_graph.Graph`. `src/rigl_plan.h` is its interface; in `src/plan`,
`reader.cc` checks files, `layout.cc` decides where values are in memory,
`run.cc` runs the steps that the other files make, and `plan_kernels.cc` is
compiled for each level. `linking` tells programs in C where header and library
are.
"""

from tf_rigl.native.library import available as available
from tf_rigl.native.library import use as use
from tf_rigl.native.library import why_unavailable as why_unavailable
from tf_rigl.native.linking import get_include as get_include
from tf_rigl.native.linking import get_library as get_library
from tf_rigl.native.plan import Plan as Plan
