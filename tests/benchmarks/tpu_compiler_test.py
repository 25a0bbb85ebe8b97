import pytest
import tensorflow as tf

from benchmarks import networks
from benchmarks import tpu_compile
from benchmarks import tpu_compiler
from tests import hlo

WRITTEN = """\
module @step attributes {mhlo.is_dynamic = false, a = {b}} {
  func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {
    %0 = mhlo.copy %arg0 : tensor<2xf32>
    %1 = "mhlo.copy"(%0) : (tensor<2xf32>) -> tensor<2xf32>
    return %1 : tensor<2xf32>
  }
}
"""
PORTABLE = """\
module @step {
  func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {
    %0 = stablehlo.convert %arg0 : tensor<2xf32>
    %1 = "stablehlo.convert"(%0) : (tensor<2xf32>) -> tensor<2xf32>
    return %1 : tensor<2xf32>
  }
}
"""


def test_portable():
    assert tpu_compiler.portable(WRITTEN) == PORTABLE


def test_what_tensorflow_writes_is_made_portable():
    variable = tf.Variable(tf.zeros(2))
    text = hlo.stablehlo(lambda x: variable.assign_add(x), tf.ones(2))
    assert "mhlo." in text
    assert "mhlo." not in tpu_compiler.portable(text)


@pytest.mark.slow
def test_lowers_the_step_with_mask_updates():
    network = networks.NETWORKS["lenet_300_100"]
    dense, sparse = (
        hlo.kinds(tpu_compile.lower(name, network))
        for name in ("keras/dense", "keras/tf_rigl")
    )
    assert "dot" in dense or "dot_general" in dense
    assert {"if", "bitcast_convert"} <= sparse - dense


def test_table_shows_what_fails():
    programs = {"dense": "a" * 1000, "sparse": "b" * 2000}
    compiled = {
        "dense": {"seconds": 1, "arguments": 4, "temporary": 5, "code": 6000},
        "sparse": {"error": "RESOURCE_EXHAUSTED"},
    }
    assert tpu_compile.table(programs, compiled) == [
        ["dense", "1,000", "1.0", "4", "5", "6,000"],
        ["sparse", "2,000", "fails", "", "", ""],
    ]
