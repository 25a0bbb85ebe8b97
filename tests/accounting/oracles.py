"""Other ways to count multiply-accumulates."""

import numpy as np
import tensorflow as tf

# The operations whose floating point operations TensorFlow's profiler knows.
PRODUCTS = ["Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul"]


def sum_of_ones(model, shape):
    """Sums the outputs where all inputs and kept connections are 1.

    Each multiply-accumulate of a linear layer without bias then adds 1.
    """
    model.set_weights(
        [np.not_equal(w, 0).astype(w.dtype) for w in model.get_weights()]
    )
    return int(np.sum(model(np.ones((1, *shape), np.float32))))


def profiler_flops(model, shape):
    """Asks TensorFlow's profiler about the model's graph."""

    @tf.function
    def predict(inputs):
        return model(inputs, training=False)

    specification = tf.TensorSpec((1, *shape))
    graph = predict.get_concrete_function(specification).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    options["account_type_regexes"] = PRODUCTS
    found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    return found.total_float_ops
