"""Measures of models, whatever their outputs are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.experiments.runs import evaluation
from tf_rigl.experiments.runs import tasks

LOGITS = np.random.default_rng(0).normal(size=(3, 8, 5)).astype(np.float32)
TARGETS = np.random.default_rng(1).integers(0, 5, (3, 8))


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float16, np.int8], ids=["32", "16", "8"]
)
def test_a_softmax_at_the_end_changes_nothing(dtype):
    """Also if its outputs were rounded, as those of exported files are."""
    task = tasks.Task(tasks.IMAGES, 5, (4,))
    measures = []
    for final in (tf.identity, tf.nn.softmax):
        outputs = final(LOGITS).numpy()
        if final is tf.nn.softmax and dtype == np.int8:
            outputs = np.round(outputs * 256) / 256
        elif dtype == np.float16:
            outputs = outputs.astype(dtype)
        batches = iter(outputs)
        _, found = evaluation.evaluate(
            keras,
            lambda inputs, batches=batches: next(batches),
            [(targets, tf.constant(targets)) for targets in TARGETS],
            task,
        )
        measures.append(found)
    tolerance = {np.float32: 1e-5, np.float16: 2e-3, np.int8: 3e-2}[dtype]
    assert measures[0]["accuracy"] == pytest.approx(
        measures[1]["accuracy"], abs=0.05
    )
    assert measures[0]["cross_entropy"] == pytest.approx(
        measures[1]["cross_entropy"], rel=tolerance
    )
