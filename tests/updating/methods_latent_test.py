import dataclasses

import numpy as np
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import MaskSchedule
from tf_rigl.algorithms import Requirements
from tf_rigl.algorithms import pruning
from tf_rigl.masking.masked_weight import masked_weights

RATE = 0.5


@dataclasses.dataclass(frozen=True)
class Supermask(Algorithm):
    """Trains scores, kept as changes of |w|; the weights stay."""

    name = "supermask"

    trains_connections_only: bool = False

    @property
    def requirements(self):
        return Requirements(
            start="dense",
            dense_gradient_steps="all",
            latent="score_change",
            initial_values=True,
        )

    @property
    def state(self):
        return {"score_change": tf.float32}

    @property
    def mask_schedule(self):
        return MaskSchedule.regular(1)

    def latent(self, weight):
        return weight.state["score_change"]

    def deployed(self, weight, latent):
        return weight.state["initial_values"]

    def trainable_mask(self, weight):
        return weight.mask if self.trains_connections_only else None

    def step_gradient(self, weight):
        return weight.gradient * weight.state["initial_values"]

    def update(self, weights, when):
        return pruning.keep_largest(
            weights,
            [
                tf.abs(weight.state["initial_values"])
                + weight.state["score_change"]
                for weight in weights
            ],
            [weight.target for weight in weights],
            "weight",
            allow_regrowth=True,
        )


# Structure, connections only, compiled: any two of them in all ways.
CASES = [
    (None, False, True),
    (tf_rigl.Block(2, 2), True, True),
    (None, True, False),
    (tf_rigl.Block(2, 2), False, False),
]


@support.keras_in_turn("case", CASES)
def test_scores_are_trained_and_weights_stay(keras, case):
    structure, only, compiled = case
    model = tf_rigl.sparsify(
        support.make_mlp(keras, (24,)),
        0.7,
        start="dense",
        structure=structure,
        options=tf_rigl.SparsifyOptions(keep_initial_values=True),
    )
    records = [w for w in masked_weights(model) if w.target < w.size]
    initial = [record.values().numpy() for record in records]
    optimizer = keras.optimizers.SGD(RATE)
    tf_rigl.attach(optimizer, model, Supermask(only))
    records = [w for w in masked_weights(model) if w.target < w.size]
    # Before the first batch the largest |w| are chosen.
    assert_deployed(records, initial)

    step = support.make_step(keras, model, optimizer)
    step = tf.function(step) if compiled else step
    expected = [np.zeros_like(value) for value in initial]
    for batch in support.batches()[:3]:
        gradients = gradients_of(keras, model, records, *batch)
        masks = [record.mask.numpy() for record in records]
        step(*batch)
        for index, (gradient, mask) in enumerate(
            zip(gradients, masks, strict=True)
        ):
            change = -RATE * gradient * initial[index]
            expected[index] += np.where(mask | (not only), change, 0)
            np.testing.assert_allclose(
                records[index].state["score_change"].numpy(),
                expected[index],
                rtol=1e-4,
                atol=1e-7,
            )
        assert_deployed(records, initial)
    if not only:
        assert support.moved(model) > 0


def assert_deployed(records, initial):
    """Exactly the initial values of the largest scores, and zeros."""
    for record, value in zip(records, initial, strict=True):
        mask = record.mask.numpy()
        assert mask.sum() == record.target
        np.testing.assert_array_equal(
            record.values().numpy(), np.where(mask, value, 0)
        )
        if record.layout is None:
            scores = np.abs(value) + record.state["score_change"].numpy()
            assert np.abs(scores[mask]).min() >= np.abs(scores[~mask]).max()


def gradients_of(keras, model, records, inputs, labels):
    variables = [record.storage.variable for record in records]
    with tf.GradientTape() as tape:
        loss = support.crossentropy(keras)(labels, model(inputs, training=True))
    return [one.numpy() for one in tape.gradient(loss, variables)]
