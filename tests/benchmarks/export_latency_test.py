import numpy as np
import pytest
import tensorflow as tf

from benchmarks import export_latency
from tests.benchmarks import support


@pytest.mark.slow
def test_smoke(tmp_path):
    output, content = support.run(
        export_latency, "--network=lenet_300_100", cwd=tmp_path
    )
    saved_models = {"dense, by Keras", "dense", "bit_mask", "smallest"}
    found = {title: set(one) for title, one in content["results"].items()}
    assert found == {
        "Load": saved_models,
        "Call, batch 1": saved_models,
        "LiteRT, load": {"dense", "sparse"},
        "LiteRT, call, batch 1": {"dense", "sparse"},
    }
    assert all(title in output for title in found)


def test_other_outputs_are_an_error():
    class Loaded:
        def __init__(self, number):
            self.number = number

        def serve(self, inputs):
            return inputs + self.number

    loaded = {"dense, by Keras": Loaded(1), "dense": Loaded(1)}
    export_latency.check_same(loaded, tf.zeros(2))
    with pytest.raises(ValueError, match="'smallest' differ"):
        export_latency.check_same(
            {**loaded, "smallest": Loaded(np.float32(2))}, tf.zeros(2)
        )
