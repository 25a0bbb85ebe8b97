import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.backend import platform_limits
from tf_rigl.backend.platform_limits import Platform

ONE = Platform("other")
MIRRORED = Platform("mirrored", replicas=4, workers=1, on_cpu=True)
WORKERS = Platform("multi_worker", replicas=2, workers=2, on_cpu=True)
SERVER = Platform("parameter_server", replicas=1, workers=1, on_cpu=True)
ACCELERATORS = Platform("mirrored", replicas=8, workers=1, on_cpu=False)


@pytest.mark.parametrize("keras", ["keras3", "keras2"])
@pytest.mark.parametrize(
    ("platform", "arguments"),
    [
        (ONE, {"steps_per_execution": 4, "jit_compile": True}),
        (MIRRORED, {}),
        (MIRRORED._replace(replicas=1), {"steps_per_execution": 4}),
        (MIRRORED._replace(replicas=1), {"jit_compile": True}),
        (WORKERS._replace(workers=1), {"steps_per_execution": 4}),
        (ACCELERATORS, {"jit_compile": True}),
    ],
)
def test_what_works_passes(platform, keras, arguments):
    platform_limits.check_fit(platform, keras, **arguments)


@pytest.mark.parametrize(
    ("platform", "arguments", "message"),
    [
        (WORKERS, {}, "MultiWorkerMirroredStrategy.* 2 workers"),
        (SERVER, {}, "ParameterServerStrategy"),
        (MIRRORED, {"steps_per_execution": 3}, "execution=3 with 4 replicas"),
        (ACCELERATORS, {"steps_per_execution": 3}, "with 8 replicas"),
    ],
)
def test_keras_2_does_what_keras_3_does_not(platform, arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Use tf_keras"):
        platform_limits.check_fit(platform, "keras3", **arguments)
    platform_limits.check_fit(platform, "keras2", **arguments)


@pytest.mark.parametrize("keras", ["keras3", "keras2"])
@pytest.mark.parametrize("platform", [MIRRORED, WORKERS])
def test_several_processors_are_not_compiled(platform, keras):
    if keras == "keras3":
        platform = platform._replace(kind="mirrored")
    with pytest.raises(ValueError, match="with jit_compile=False"):
        platform_limits.check_fit(platform, keras, jit_compile=True)


def test_masks_move_with_one_worker_of_a_parameter_server():
    for platform in (ONE, MIRRORED, WORKERS, SERVER):
        platform_limits.check_mask_updates(platform)
    with pytest.raises(ValueError, match=r"3 workers\. Use MultiWorker"):
        platform_limits.check_mask_updates(SERVER._replace(workers=3))


def test_compiled_models_are_checked(keras, two_replicas):
    flavor = {"keras": "keras3", "tf_keras": "keras2"}[keras.__name__]
    with two_replicas.scope():
        model = support.make_mlp(keras, (4,))
        model.compile("sgd", "mse", steps_per_execution=3)
    if flavor == "keras3":
        with pytest.raises(ValueError, match="execution=3 with 2 replicas"):
            platform_limits.check_fit_of(model, flavor)
    else:
        platform_limits.check_fit_of(model, flavor)
    model.compile("sgd", "mse", jit_compile=True)
    with pytest.raises(ValueError, match="with jit_compile=False"):
        platform_limits.check_fit_of(model, flavor)
    model.compile("sgd", "mse")
    platform_limits.check_fit_of(model, flavor)


def test_fit_says_it_before_the_first_batch(two_replicas):
    import keras

    with two_replicas.scope():
        model = tf_rigl.sparsify(support.make_mlp(keras, (4,)), 0.5)
        optimizer = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match="execution=3 with 2 replicas"):
        support.train(
            keras,
            model,
            tf_rigl.Static(),
            optimizer=optimizer,
            steps_per_execution=3,
        )


def test_weights_in_pieces_are_refused(keras):
    kernel = support.make_mlp(keras, (4,)).weights[0]
    platform_limits.check_in_one_piece(kernel, "dense/kernel")
    sharded = tf.__internal__.distribute.ShardedVariable(
        [tf.Variable(tf.zeros((2, 3))), tf.Variable(tf.zeros((1, 3)))]
    )
    with pytest.raises(ValueError, match="'dense/kernel', cut into 2"):
        platform_limits.check_in_one_piece(sharded, "dense/kernel")


def test_strategies_are_known(two_replicas):
    assert platform_limits.platform_of(two_replicas) == Platform(
        "mirrored", replicas=2, workers=1, on_cpu=True
    )
    one_device = tf.distribute.OneDeviceStrategy("CPU:0")
    for strategy in (one_device, tf.distribute.get_strategy()):
        assert platform_limits.platform_of(strategy) == ONE
