#!/usr/bin/env python3
"""Size on disk of sparse networks as SavedModels.

Sparsifies each network (ERK, random weights) and exports it in each format; the
size is that of all files in the folder. For comparison:

* dense: a plain SavedModel, and its files compressed by gzip and zstd,
* LiteRT: the file with sparse weights, in row-major order and in the order that
  takes the fewest bytes, and the converter's with dense weights,
* bounds: 32 bits for each active connection and each element of a dense weight,
  and for the n positions of each sparse weight, n bits (as in a bit mask) or
  n · H(density) bits.

Usage: python benchmarks/export_size.py [--network=NAME] [--sparsity=0.9]
"""

import math
import pathlib
import sys
import tempfile
import zlib
from collections.abc import Callable
from typing import Any

import keras
import zstandard
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.export.litert.export import export_litert
from tf_rigl.export.litert.options import LiteRTOptions
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.models import mlp
from tf_rigl.models import mobilenet
from tf_rigl.models import resnet

NETWORKS = {
    "resnet50": lambda: resnet.resnet(keras),
    "mobilenet": lambda: mobilenet.mobilenet_v1(keras),
    "lenet_300_100": lambda: mlp.lenet_300_100(keras, (28, 28), 10),
}
_LARGE = ["resnet50", "mobilenet"]
# Arguments of `export_saved_model`.
EXPORTS: dict[str, dict[str, Any]] = {
    "bit_mask": {"compression": "bit_mask"},
    "gaps": {"compression": "gaps"},
    "smallest": {},
    "smallest, float16": {"values": "float16"},
    "smallest, int8": {"values": "int8"},
    "smallest, seed": {"values": "seed"},
}
_CHUNK = 1 << 20
# Compressors at their default levels.
_COMPRESSORS: dict[str, Callable[[], Any]] = {
    "dense, gzip": lambda: zlib.compressobj(wbits=31),
    "dense, zstd": lambda: zstandard.ZstdCompressor().compressobj(),
}


def define_flags() -> None:
    flags.DEFINE_multi_enum(
        "network", _LARGE, [*NETWORKS], "Network to export."
    )
    flags.DEFINE_multi_float(
        "sparsity", [0.8, 0.9, 0.95, 0.98, 0.99], "Sparsity."
    )


def measure_network(network: str, sparsity: float) -> dict[str, int]:
    """Counts the bytes of each artifact and of the bounds."""
    keras.backend.clear_session()
    model = tf_rigl.sparsify(NETWORKS[network](), sparsity)
    tf_rigl.reinitialize(model, "kaiming_normal")
    _scale_by_one(model)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        plain = folder / "plain"
        sizes = {
            "dense": export_saved_model(model, plain, None).folder_bytes,
            **{
                method: _compressed_bytes(plain, make())
                for method, make in _COMPRESSORS.items()
            },
        }

        for number, (method, arguments) in enumerate(EXPORTS.items()):
            report = export_saved_model(
                model, folder / str(number), **arguments
            )
            sizes[method] = report.folder_bytes
        sizes.update(_litert_bytes(model, folder))
    sizes["bound, bit_mask"] = _bound(model, lambda density: 1.0)
    sizes["bound, float32"] = _bound(model, _entropy)
    return sizes


def _scale_by_one(model: Any) -> None:
    """Sets the scales of normalizations to 1, so that they are not zero.

    The last ones of ResNet's blocks are initialized with 0, and LiteRT would
    fold that into kernels of zeros.
    """
    for layer in model.layers:
        if hasattr(layer, "gamma"):
            layer.gamma.assign(keras.ops.ones_like(layer.gamma))


def _litert_bytes(model: Any, folder: pathlib.Path) -> dict[str, int]:
    sizes = {}
    for quantization in ("float32", "float16", "dynamic_int8"):
        path = folder / f"{quantization}.tflite"
        report = export_litert(model, path, quantization)
        if quantization == "float32":
            sizes["LiteRT, dense"] = report.dense_file_bytes
        sizes[f"LiteRT, {quantization}"] = report.file_bytes
    path = folder / "any_order.tflite"
    options = LiteRTOptions(row_major=False)
    report = export_litert(model, path, options=options)
    sizes["LiteRT, float32, any order"] = report.file_bytes
    return sizes


def _compressed_bytes(folder: pathlib.Path, compressor: Any) -> int:
    """Counts the bytes of all files in a folder, compressed together."""
    size = 0
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as opened:
                while chunk := opened.read(_CHUNK):
                    size += len(compressor.compress(chunk))
    return size + len(compressor.flush())


def _bound(model: Any, position_bits: Callable[[float], float]) -> int:
    """Returns the bound in bytes, with 32 bits for each value.

    `position_bits` gives the bits per element for positions at a density.
    """
    bits = 0.0
    for row in tf_rigl.profile(model).rows:
        bits += 32 * row.nonzeros
        if 0 < row.nonzeros < row.parameters:
            density = row.nonzeros / row.parameters
            bits += row.parameters * position_bits(density)
    return math.ceil(bits / 8)


def _entropy(density: float) -> float:
    return -(
        density * math.log2(density) + (1 - density) * math.log2(1 - density)
    )


def report(network: str, sizes: dict[float, dict[str, int]]) -> None:
    first = next(iter(sizes.values()))
    rows = []
    for method in first:
        row = [method]
        for one in sizes.values():
            share = one[method] / one["dense"]
            row += [f"{one[method] / 1e6:,.3f}", f"{share:.1%}"]
        rows.append(row)
    header = [""]
    for sparsity in sizes:
        header += [f"{sparsity:.0%} sparse, MB", "of dense"]
    measure.print_table(network, header, rows)


def main() -> dict[str, dict[float, dict[str, int]]]:
    results = {}
    for network in flags.FLAGS.network:
        results[network] = {
            sparsity: measure_network(network, sparsity)
            for sparsity in flags.FLAGS.sparsity
        }
        report(network, results[network])
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=1)
