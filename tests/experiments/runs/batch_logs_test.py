"""The metrics of a batch, as Keras gives them on various devices."""

import types

import keras
import tensorflow as tf

from tf_rigl.experiments.runs import batch_logs


def test_values_are_numbers():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    logs = {"loss": tf.constant(2.5), "accuracy": 0.25}
    assert batch_logs.batch_means(model, logs) == {
        "loss": 2.5,
        "accuracy": 0.25,
    }


def test_promises_and_nothing_are_left_out():
    assert batch_logs.batch_means(None, None) == {}
    assert batch_logs.batch_means(None, object()) == {}


def test_the_sum_over_workers_is_a_mean_again(monkeypatch):
    class Workers:
        """Three workers of two replicas each."""

        num_replicas_in_sync = 6
        extended = types.SimpleNamespace(worker_devices=("0", "1"))

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", Workers)
    model = types.SimpleNamespace(distribute_strategy=Workers())
    for flavor, loss in (("keras2", 2.0), ("keras3", 6.0)):
        monkeypatch.setattr(
            batch_logs,
            "model_flavor",
            lambda _, flavor=flavor: types.SimpleNamespace(name=flavor),
        )
        assert batch_logs.batch_means(model, {"loss": 6.0}) == {"loss": loss}
