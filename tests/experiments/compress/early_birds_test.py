"""Tickets that are kept while the large network is trained."""

import os
import signal

import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests.experiments.compress import support
from tests.tickets import early_bird_test as networks
from tf_rigl.experiments.compress import early_birds
from tf_rigl.experiments.compress import files

# With any masks, the first epoch at which a queue of five is full, and the
# batches before it.
EPOCH, STEP = 4, 16


def fit(keras, model, path, *others, **options):
    """Trains for five epochs of four batches with the program's callbacks."""
    (target,) = support.ask().targets
    folder = files.CompressionFolder(path)
    found = early_birds.callbacks(folder, target, threshold=1.0)
    callbacks = [*others, *found, tf_rigl.Checkpoints(path / "checkpoints")]
    networks.fit(keras, model, callbacks, EPOCH + 1, **options)
    assert found[0].epoch == EPOCH
    return tf_rigl.Snapshot.load(folder.early_values(target))


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@training.one_keras("keras")
def test_a_ticket_is_kept_if_the_process_ends_before_it(keras, tmp_path):
    """At the end of the epoch before, whose end it does not see."""
    model = networks.make_model(keras)
    ending = networks.act_at(keras, EPOCH - 1, batch=3, act=terminate)
    with pytest.raises(SystemExit):
        fit(keras, model, tmp_path, ending)
    kept = fit(keras, networks.make_model(keras), tmp_path, initial_epoch=EPOCH)
    assert kept.step == STEP
    expected = tf_rigl.Snapshot.of(model).weights
    assert kept.weights.keys() == expected.keys()
    for path, values in expected.items():
        np.testing.assert_array_equal(kept.weights[path], values)
