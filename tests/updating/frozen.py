"""Models of which a part is trained, and a check of all that is frozen."""

import numpy as np

import tf_rigl
from tests import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import slots

STEPS = 8
DECAY = {"weight_decay": 0.1}
AVERAGES = {"use_ema": True, "ema_momentum": 0.7}
# Those that move a weight without a gradient, or mix positions, among them.
OPTIMIZERS = {
    "momentum": lambda keras: keras.optimizers.SGD(0.1, 0.9, **DECAY),
    "adamw": lambda keras: keras.optimizers.AdamW(0.01, **DECAY),
    "averages": lambda keras: keras.optimizers.Adam(0.01, **AVERAGES),
    "overwritten": lambda keras: keras.optimizers.SGD(
        0.1, 0.9, ema_overwrite_frequency=3, **AVERAGES, **DECAY
    ),
    "ftrl": lambda keras: keras.optimizers.Ftrl(
        0.1, l1_regularization_strength=0.01
    ),
    "clipped": lambda keras: keras.optimizers.Adam(0.01, global_clipnorm=0.1),
}
MODES = {
    "graph": {},
    "eager": {"run_eagerly": True},
    "xla": {"jit_compile": True},
    "several_steps": {"steps_per_execution": 3},
}


def make_model(keras, seed=0, **arguments):
    model = support.make_mlp(keras, (16,))
    arguments = {"start": "dense", **arguments}
    return tf_rigl.sparsify(model, 0.0, seed=seed, **arguments)


def make_masks(model, density=0.4, seed=0):
    generator = np.random.default_rng(seed)
    return {
        path: generator.random(mask.shape) < density
        for path, mask in tf_rigl.masks(model).items()
    }


def make_values(model, masks, seed=1):
    """Values of which a fifth is zero, as those of treatments."""
    generator = np.random.default_rng(seed)
    return {
        path: np.where(
            generator.random(mask.shape) < 0.2,
            0,
            generator.normal(size=mask.shape),
        ).astype("float32")
        for path, mask in masks.items()
    }


def trainable_values(model):
    return [np.array(value) for value in model.trainable_variables]


class AfterEachBatch:
    """Checks what is frozen, bit for bit, and the slots beside it."""

    def __init__(self, keras, model, masks, values):
        self.seen = 0

        class Check(keras.callbacks.Callback):
            def on_train_batch_end(_, batch, logs=None):
                self.check(model, masks, values)

            def on_epoch_end(_, epoch, logs=None):
                self.check(model, masks, values)

        self.callback = Check()

    def check(self, model, masks, values):
        self.seen += 1
        flavor, optimizer = flavor_of(model), model.optimizer
        for record in masked_weights(model):
            frozen = ~masks[record.path]
            expected = values[record.path][frozen]
            found = record.values().numpy()[frozen]
            assert found.tobytes() == expected.tobytes(), record.path
            averages = list(slots.average_of(flavor, optimizer, record))
            for slot in slots.slots_of(flavor, optimizer, record):
                is_average = any(slot is one for one in averages)
                rests = expected if is_average else 0
                np.testing.assert_array_equal(np.asarray(slot)[frozen], rests)
