import numpy as np
import pytest
import tensorflow as tf

from benchmarks import export_latency


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
