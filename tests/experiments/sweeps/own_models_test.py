import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.experiments.sweeps import own
from tf_rigl.algorithms.registry import UpdatePlan
from tf_rigl.experiments.sweeps.own_models import OwnMethod
from tf_rigl.experiments.sweeps.own_models import OwnModels

BATCH = np.zeros((4, 20), "float32"), np.zeros(4, "int64")
PLAN = UpdatePlan(stop_step=9, update_interval=2, drop_fraction=0.2, seed=5)


def models_of(keras, build=None, **arguments):
    return OwnModels(build or own.builder(keras), BATCH, arguments)


@support.keras_in_turn(
    "method",
    [
        OwnMethod("static"),
        OwnMethod("pruning"),
        OwnMethod("own", tf_rigl.GradualPruning()),
        OwnMethod("srigl"),
        OwnMethod("own", tf_rigl.SRigL()),
        OwnMethod("set"),
        OwnMethod("own", tf_rigl.SET(drop_fraction=0.4)),
    ],
)
def test_models_begin_as_their_method_asks(keras, method):
    models = models_of(keras, distribution="uniform", start="magnitude")
    model, again = (models.make(method, 0.5, seed=5) for _ in range(2))
    support.assert_all_equal(model.get_weights(), again.get_weights())
    other = models.make(method, 0.5, seed=6)
    assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])

    algorithm = method.make_algorithm(model, PLAN)
    starts_dense = algorithm.requirements.start == "dense"
    first, *_ = tf_rigl.masks(model).values()
    assert first.mean() == (1.0 if starts_dense else 0.5)
    if method.algorithm is not None and hasattr(algorithm, "seed"):
        assert algorithm.seed == 5
    if isinstance(algorithm, tf_rigl.SRigL):
        assert len(set(first.sum(axis=0))) == 1  # constant fan-in
    if method.name == "srigl":
        assert algorithm.never_ablate == ("dense_1/kernel",)
    if method.name == "set":
        assert algorithm.drop_fraction == 0.2


@support.one_keras("keras")
def test_small_dense(keras):
    models = models_of(keras)
    small = models.make(OwnMethod("small_dense"), 0.5, seed=1)
    assert not tf_rigl.masks(small)
    budget = models.profile(models.make(OwnMethod("static"), 0.5, 1)).nonzeros
    assert 0.9 * budget < models.profile(small).nonzeros <= budget


@support.one_keras("tf_keras")
def test_subclassed_models_are_built(keras):
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

    def build():
        model = Mine()
        model.compile("sgd", support.crossentropy(keras))
        return model

    models = models_of(keras, build)
    model = models.make(OwnMethod("rigl"), 0.5, seed=0)
    assert list(support.counts(model).values()) == [30]
    assert models.profile(model).dense_macs == 60


@pytest.mark.parametrize("flavor", support.FLAVORS)
def test_descriptions_tell_models_apart(flavor):
    keras = support.fresh_keras(flavor)
    one, again = (models_of(keras).description for _ in range(2))
    assert one == again
    assert one["keras"] == flavor
    assert "0x" not in str(one)
    rate = models_of(keras, own.builder(keras, rate=0.2)).description
    assert {name for name in one if one[name] != rate[name]} == {
        "optimizer.learning_rate"
    }
    assert one["optimizer"] == "SGD"
    assert rate["optimizer.learning_rate"] == 0.2
    assert one["loss.from_logits"] is True
