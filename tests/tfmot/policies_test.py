import pytest

import tf_rigl
from tests import support
from tests.tfmot import takeover
from tf_rigl.masking.masked_weight import masked_weights


def mobile(keras):
    """The smallest network that XNNPACK's sparse kernels accept."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    hidden = layers.ZeroPadding2D(1)(inputs)
    hidden = layers.Conv2D(8, 3, 2, "valid", name="stem")(hidden)
    hidden = layers.Conv2D(16, 1, name="first")(hidden)
    hidden = layers.DepthwiseConv2D(3, padding="same", name="deep")(hidden)
    hidden = layers.Conv2D(24, 1, name="second")(hidden)
    hidden = layers.GlobalAveragePooling2D(keepdims=True)(hidden)
    outputs = layers.Flatten()(layers.Conv2D(10, 1, name="head")(hidden))
    return keras.Model(inputs, layers.Dense(3, name="dense")(outputs))


def test_policy_of_tfmot(tfmot, keras2):
    policy = tfmot.policy()
    model = mobile(keras2)
    tf_rigl.sparsify(
        model, 0.5, dense=tf_rigl.tfmot.dense_layers(policy, model)
    )
    theirs = tfmot.prune(
        mobile(keras2), tfmot.constant(0.5, 0), pruning_policy=policy
    )
    theirs_pruned = {w.layer.name for w in takeover.wrappers(theirs)}
    ours = {r.owner.name for r in masked_weights(model) if r.target < r.size}
    assert ours == theirs_pruned == {"first", "second", "head"}
    like = tf_rigl.tfmot.prepare(mobile(keras2), tfmot.constant(0.5, 0), policy)
    targets = {r.owner.name: r.target for r in masked_weights(like)}
    assert targets["first"] == 64 and targets["stem"] == 216


def test_policy_speaks_of_whole_layers_in_nested_models(keras):
    class Policy:
        def allow_pruning(self, layer):
            return isinstance(layer, keras.layers.Dense)

        def ensure_model_supports_pruning(self, model):
            assert model.name == "outer"

    recurrent = keras.Sequential(
        [keras.Input((5, 4)), keras.layers.LSTM(6), keras.layers.Dense(5)]
    )
    inputs = keras.Input((5, 4))
    model = keras.Model(
        inputs,
        keras.layers.Dense(3, name="out")(recurrent(inputs)),
        name="outer",
    )
    dense = tf_rigl.tfmot.dense_layers(Policy(), model)
    tf_rigl.sparsify(model, 0.1, dense=dense)
    sparse = {
        type(r.owner).__name__: r.target < r.size for r in masked_weights(model)
    }
    assert sparse == {"Dense": True, "LSTMCell": False}


def test_policy_errors(tfmot, keras2):
    import keras as keras3

    policy = tfmot.policy()
    with pytest.raises(ValueError, match=r"tf_keras only\. Received: policy="):
        tf_rigl.tfmot.dense_layers(policy, mobile(keras3))
    with pytest.raises(ValueError, match="Could not find"):
        tf_rigl.tfmot.dense_layers(policy, takeover.sequential(keras2))
    with pytest.raises(TypeError, match="`policy` must be an object with"):
        tf_rigl.tfmot.dense_layers("xnnpack", takeover.sequential(keras2))


PROGRAM = """
import os, sys
before = dict(os.environ)
import tf_rigl
import tf_keras
schedule = {
    "class_name": "ConstantSparsity",
    "config": {
        "target_sparsity": 0.5, "begin_step": 1, "end_step": -1, "frequency": 1
    },
}
model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(4)])
tf_rigl.tfmot.prepare(model, schedule)
print(sum(int(m.sum()) for m in tf_rigl.masks(model).values()))
try:
    tf_rigl.tfmot.convert(model)
except ValueError:
    print("ValueError")
changed = {k for k, v in os.environ.items() if before.get(k) != v}
print(sorted(k for k in changed if "KERAS" in k))
print("tensorflow_model_optimization" in sys.modules)
"""


@pytest.mark.slow
def test_environment_stays_as_it_is():
    """In a process of its own: TFMOT is never imported by this library."""
    printed = support.run_python("-c", PROGRAM).splitlines()
    assert printed == ["8", "ValueError", "[]", "False"]
