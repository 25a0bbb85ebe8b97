#!/usr/bin/env python3
"""Compiles StableHLO for a TPU core, on a machine that has no TPU.

The compiler of Cloud TPU is in the package `libtpu` and is called by JAX.
Neither is among the requirements, and both are best installed into a separate
environment: `pip install jax libtpu` (tested with jax 0.10.2 and libtpu
0.0.51). This program needs nothing else. It prints a line of JSON for each
file, with the compiler's error if it fails.

Usage: python benchmarks/tpu_compiler.py --topology=v3:2x2 step.mlir
"""

import argparse
import importlib
import json
import os
import pathlib
import re
import time
from typing import Any

# Imported by name, since JAX is not among the requirements.
_JAX = (
    "jax.experimental.topologies",
    "jax._src.interpreters.mlir",
    "jaxlib.mlir.ir",
    "jaxlib._jax",
)
# Settings that libtpu would otherwise ask a TPU for.
_NO_TPU = {
    "JAX_PLATFORMS": "cpu",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
}
_ATTRIBUTES = re.compile(r"^(module @\S+) attributes \{.*\} \{$", re.M)
_COPY = re.compile(r'"?mhlo\.copy"?(?=[ (])')


def portable(text: str) -> str:
    """Removes from TensorFlow's StableHLO what only XLA understands.

    Drops the attributes of the module, such as which inputs may be reused, and
    replaces copies by conversions to the same type.
    """
    text = _ATTRIBUTES.sub(r"\1 {", text, count=1)
    return _COPY.sub(
        lambda found: found[0].replace("mhlo.copy", "stablehlo.convert"), text
    )


class Compiler:
    """The compiler for one core of a TPU.

    Args:
        topology: the TPU's topology, such as "v3:2x2" or "v4:2x2x1".

    Raises:
        ImportError: if JAX is not installed.
    """

    def __init__(self, topology: str) -> None:
        for name, value in _NO_TPU.items():
            os.environ.setdefault(name, value)
        topologies, self._mlir, self._ir, self._jax = map(
            importlib.import_module, _JAX
        )
        description = topologies.get_topology_desc(
            topology_name=topology, platform="tpu"
        )
        self._device = description.devices[0]

    def compile(self, text: str) -> dict[str, Any]:
        """Compiles a program; returns seconds and bytes, or the error."""
        context = self._mlir.make_ir_context()
        with context:
            module = self._ir.Module.parse(portable(text))

        options = self._jax.CompileOptions()
        options.num_replicas = options.num_partitions = 1
        start = time.perf_counter()
        try:
            program = self._device.client.compile(
                module, self._jax.DeviceList((self._device,)), options
            )
        except self._jax.JaxRuntimeError as error:
            return {"error": str(error).partition("\n")[0]}

        seconds = time.perf_counter() - start
        memory = program.get_compiled_memory_stats()
        return {
            "seconds": seconds,
            "arguments": memory.argument_size_in_bytes,
            "temporary": memory.temp_size_in_bytes,
            "code": memory.generated_code_size_in_bytes,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--topology", default="v3:2x2", help="of the TPU")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    compiler = Compiler(options.topology)
    for path in options.files:
        text = path.read_text(encoding="utf-8")
        print(json.dumps(compiler.compile(text)), flush=True)


if __name__ == "__main__":
    main()
