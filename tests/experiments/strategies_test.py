import pytest
import tensorflow as tf

from tests import support
from tests.experiments import cluster_test
from tf_rigl.experiments import strategies

on_processors = pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="has accelerators"
)

IN_A_NEW_PROCESS = """
from tf_rigl.experiments import strategies
mirrored = strategies.make_strategy('mirrored', devices=3)
print(mirrored.num_replicas_in_sync)
try:
    strategies.make_strategy('tpu', tpu='local')
except ValueError as error:
    print(error)
"""


def test_one_device():
    strategy = strategies.make_strategy("one_device", "keras3")
    assert strategy is tf.distribute.get_strategy()


@on_processors
def test_mirrored_on_processors():
    """Two that the tests have made already; others come too late."""
    strategy = strategies.make_strategy("mirrored", "keras3", devices=2)
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == 2
    assert strategies.make_strategy("mirrored").num_replicas_in_sync == 2
    with pytest.raises(ValueError, match="devices=3 when it has already"):
        strategies.make_strategy("mirrored", devices=3)


def test_without_a_tpu():
    with pytest.raises(ValueError, match=r"tpu=''.*TPU Name.* 'one_device'"):
        strategies.make_strategy("tpu")


@pytest.mark.slow
def test_new_processors_and_a_tpu_that_is_not_there(tmp_path, monkeypatch):
    # Where TensorFlow has not run yet.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    printed = support.run_python("-c", IN_A_NEW_PROCESS, cwd=tmp_path)
    assert printed.startswith("3\n")
    assert "tpu='local' (TPUs not found" in printed
    assert "choose 'mirrored' or 'one_device'" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "horovod"}, "one of one_device, mirrored.*'horovod'"),
        ({"name": "one_device", "devices": 2}, "devices=2"),
        ({"name": "mirrored", "devices": 0}, "at least 1"),
        ({"name": "mirrored", "tpu": "local"}, "tpu='local'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        strategies.make_strategy(**arguments)


def test_servers_do_not_train(monkeypatch):
    cluster_test.configure(monkeypatch, cluster_test.SERVERS, "ps")
    with pytest.raises(ValueError, match=r"'ps' in TF_CONFIG.*serve"):
        strategies.make_strategy("parameter_server", "keras2")


@on_processors
def test_limits_are_told_before_anything_is_made(monkeypatch):
    with pytest.raises(ValueError, match="with 4 replicas"):
        strategies.make_strategy(
            "mirrored", "keras3", devices=4, steps_per_execution=2
        )
    with pytest.raises(ValueError, match="with 4 replicas on processors"):
        strategies.make_strategy(
            "mirrored", "keras2", devices=4, jit_compile=True
        )
    cluster_test.configure(monkeypatch, cluster_test.WORKERS)
    with pytest.raises(ValueError, match=r"Received: 2 workers\. Use tf_keras"):
        strategies.make_strategy("multi_worker", "keras3")
    cluster_test.configure(monkeypatch, cluster_test.SERVERS, "chief")
    with pytest.raises(ValueError, match="Use tf_keras"):
        strategies.make_strategy("parameter_server", "keras3")
