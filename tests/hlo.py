"""What a compiled function asks of XLA, read from its StableHLO.

This is the program before any backend has seen it: the same for a processor
and a TPU. What a backend makes of it, such as the calls of libraries on
processors, is not in it.
"""

import math
import re

import tensorflow as tf

# An operation stands at the beginning of its line, after its results.
_OPERATION = re.compile(
    r'^\s*(?:%[\w:#, %]+ = )?"?((?:stablehlo|mhlo|chlo|func)\.\w+)"?', re.M
)
_UNKNOWN_SIZE = re.compile(r"tensor<(?:\d+x)*\?")
_WINDOW = re.compile(
    r'"stablehlo\.reduce_window"\(.*?\}\) : \(([^)]*)\)', re.DOTALL
)
# The digits of a literal that is not the same number all over, and its sizes.
_LITERAL = re.compile(r'constant dense<"[^"]*"> : tensor<((?:\d+x)+)')
# Numbers that a literal may have.
_LONGEST = 1024
_64_BITS = re.compile(r"x(?:ui|i|f)64>")

# What leaves the program while it runs.
_LEAVES = {"custom_call", "infeed", "outfeed", "recv", "send"}
# What makes or reads a size that is known only then.
_DYNAMIC = {
    "dynamic_broadcast_in_dim",
    "dynamic_conv",
    "dynamic_gather",
    "dynamic_iota",
    "dynamic_pad",
    "dynamic_reshape",
    "get_dimension_size",
    "real_dynamic_slice",
    "set_dimension_size",
}
_SORTS = {"sort", "top_k"}


def stablehlo(function, *arguments):
    """The program of a function of tensors; variables are its inputs.

    Raises:
        ValueError: where XLA has no such operation, as for a call of Python.
    """
    compiled = tf.function(function, jit_compile=True, autograph=False)
    return compiled.experimental_get_compiler_ir(*arguments)(stage="stablehlo")


def kinds(text):
    return {name.split(".")[1] for name in _OPERATION.findall(text)} - {"func"}


def obstacles(text):
    """What of a program a TPU could not run by itself, or runs only slowly.

    Two things are among it that were seen to matter. A window sum of 64-bit
    numbers: the TPU's compiler has no fast form of it, and for 2,048 of them
    runs out of memory. A literal of many numbers, such as all indices of a
    weight: with ResNet-50's the program is two gigabytes.
    """
    found = kinds(text) & (_LEAVES | _DYNAMIC | _SORTS)
    if _UNKNOWN_SIZE.search(text):
        found.add("unknown size")
    for sizes in _LITERAL.findall(text):
        if math.prod(map(int, sizes.rstrip("x").split("x"))) > _LONGEST:
            found.add("long literal")
    if any(map(_64_BITS.search, _WINDOW.findall(text))):
        found.add("64-bit reduce_window")
    return found
