"""Replicas that differ are found; those that agree are left alone."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import replica_check


def make_model(keras):
    return tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.8, seed=7)


def other_mask(mask):
    mask = mask.copy().ravel()
    mask[np.flatnonzero(mask)[0]] = False
    mask[np.flatnonzero(~mask)[-1]] = True
    return mask


@pytest.fixture
def replicated(keras, two_replicas):
    with two_replicas.scope():
        return make_model(keras)


def set_on_second_replica(weight, mask):
    _, variable = weight.storage.variables
    variable.values[1].assign(mask)


def test_equal_replicas_pass(replicated):
    replica_check.check_replicas(replicated)


def test_a_mask_that_differs_is_named(replicated):
    first, second = masked_weights(replicated)
    check = replica_check.ReplicaCheck(replicated)
    check.check()
    mask = second.mask.numpy()
    set_on_second_replica(second, other_mask(mask).reshape(mask.shape))
    with pytest.raises(RuntimeError) as error:
        check.check()
    message = str(error.value)
    assert f"mask of {second.path!r}: replicas [0] against [1]" in message
    assert first.path not in message
    assert "counters" not in message
    second.set_mask(mask)
    check.check()


def test_counters_that_differ_are_named(replicated):
    weight = masked_weights(replicated)[0]
    weight.counters.values[0].assign([1, 2, 3])
    expected = rf"counters of mask updates of '{weight.path}'.*\[0\].*\[1\]"
    with pytest.raises(RuntimeError, match=expected):
        replica_check.check_replicas(replicated)


ALGORITHM = tf_rigl.RigL(stop_step=12, update_interval=3)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_fit_compares_after_updates(keras, two_replicas, steps_per_execution):
    """A mask that is changed in the second epoch is found in its update."""
    if keras.__name__ == "keras" and steps_per_execution > 1:
        pytest.skip("a limit of Keras 3 with several replicas")
    with two_replicas.scope():
        model = make_model(keras)
        optimizer = keras.optimizers.SGD(0.1)
    weight = masked_weights(model)[0]

    def disturb(epoch, logs):
        if epoch == 1:
            mask = weight.mask.numpy()
            set_on_second_replica(weight, other_mask(mask).reshape(mask.shape))

    seen = []
    callbacks = [
        tf_rigl.UpdateMasks(ALGORITHM, check_replicas=True),
        keras.callbacks.LambdaCallback(
            on_epoch_begin=disturb,
            on_train_batch_begin=lambda batch, logs: seen.append(batch),
        ),
    ]
    model.compile(
        optimizer,
        support.crossentropy(keras),
        steps_per_execution=steps_per_execution,
    )
    data = support.make_data((20,), 256)
    with pytest.raises(RuntimeError, match=r"mask of .*replicas"):
        support.fit(model, data, callbacks=callbacks, epochs=3)
    # Eight batches, then those up to the update of batch 9, the tenth.
    assert len(seen) == (8 + 2 if steps_per_execution == 1 else 2 + 1)


def test_one_device_has_nothing_to_compare(keras):
    replica_check.check_replicas(make_model(keras))


def test_dense_models_are_refused(keras):
    with pytest.raises(ValueError, match="which is dense"):
        replica_check.check_replicas(support.make_mlp(keras, (24,)))


def test_within_a_replica_it_is_refused(replicated, two_replicas):
    check = replica_check.ReplicaCheck(replicated)

    @tf.function
    def step():
        two_replicas.run(check.check)

    with pytest.raises(ValueError, match=r"outside of `strategy\.run`"):
        step()


@pytest.mark.parametrize("steps_per_execution", [1, 3, 100])
@pytest.mark.parametrize("taken", [0, 5])
@pytest.mark.parametrize("accumulation", [1, 4])
def test_updates_are_told_from_batches(
    steps_per_execution, taken, accumulation
):
    """Executions with an update are told, and without accumulation no other.

    Three epochs of 20 batches, which steps per execution do not divide.
    """
    schedule = UpdateSchedule(start_step=2, stop_step=40, interval=4)
    watch = replica_check.UpdateWatch(schedule, taken, accumulation)
    step = 0
    for _ in range(3):
        watch.begin_epoch()
        for start in range(0, 20, steps_per_execution):
            batches = range(start, min(start + steps_per_execution, 20))
            happened = False
            for _ in batches:
                step += 1
                if step % accumulation == 0:
                    update = taken + step // accumulation - 1
                    happened |= schedule.is_update(update)
            told = watch.updated(batches[-1])
            assert told == happened if accumulation == 1 else told >= happened


def test_no_schedule_no_updates():
    watch = replica_check.UpdateWatch(None, 0)
    watch.begin_epoch()
    assert not any(watch.updated(batch) for batch in range(50))
