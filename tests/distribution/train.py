"""Trains a small sparse model on strategies and writes what came out.

```shell
python -m tests.distribution.train --output=. mirrored:keras2:4
```

Each argument is a run, `strategy:keras:replicas`; the replicas are logical
processors, counted for `mirrored` only. Whatever the strategy, model, masks
and global batches are the same. Workers and parameter servers are started
with TF_CONFIG, as ever, and train with one strategy each.
"""

import importlib
import os
import pathlib
import time

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

import tf_rigl
from tests import support
from tests.distribution import exports
from tf_rigl.backend import platform_limits
from tf_rigl.experiments import cluster
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import strategies
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import replica_check

INPUTS, UNITS, OUTPUTS = 20, (64,), 10
EXAMPLES, BATCH = 256, 32
UPDATES, INTERVAL = 20, 2
STEPS = UPDATES * INTERVAL
ALGORITHMS = {
    "rigl": lambda epochs: tf_rigl.RigL(
        stop_step=STEPS * epochs, update_interval=INTERVAL
    ),
    "static": lambda epochs: tf_rigl.Static(),
    "none": lambda epochs: None,
}
# Instances of collectives that one strategy may number.
_KEYS = 100_000


def define_flags():
    flags.DEFINE_string("output", None, "Folder for the results.")
    flags.DEFINE_enum("algorithm", "rigl", list(ALGORITHMS), "The method.")
    flags.DEFINE_integer("epochs", 1, f"Of {STEPS} steps.")
    flags.DEFINE_bool("custom_loop", False, "Train without `fit`.")
    flags.DEFINE_bool("report_batches", False, "Print a line a batch.")
    flags.DEFINE_bool("export", False, "Export a normalized network, too.")
    flags.DEFINE_string("backup", "", "Folder to resume from.")
    flags.mark_flag_as_required("output")


def make_strategy(name, keras, replicas):
    # TensorFlow numbers the collectives of each strategy from this on, and
    # mistakes those of one for those of another; its own tests do the same.
    tf.distribute.MirroredStrategy._collective_key_base += _KEYS
    return strategies.make_strategy(
        name,
        None if flags.FLAGS.custom_loop else keras,
        devices=replicas if name == "mirrored" else None,
    )


def make_dataset(epochs):
    data = tf.data.Dataset.from_tensor_slices(
        support.make_data((INPUTS,), EXAMPLES, OUTPUTS)
    )
    options = tf.data.Options()
    # Workers share out each global batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return (
        data.batch(BATCH, drop_remainder=True)
        .repeat()
        .take(STEPS * epochs)
        .with_options(options)
    )


def make_model(keras):
    return tf_rigl.sparsify(
        support.make_mlp(keras, UNITS, OUTPUTS, INPUTS), 0.8, seed=7
    )


def make_optimizer(keras):
    return keras.optimizers.SGD(0.1, momentum=0.9)


def fit(keras, strategy, algorithm, epochs):
    with strategy.scope():
        model = make_model(keras)
        model.compile(make_optimizer(keras), support.crossentropy(keras))
    callbacks = [] if algorithm is None else [tf_rigl.UpdateMasks(algorithm)]
    if flags.FLAGS.backup:
        callbacks.append(keras.callbacks.BackupAndRestore(flags.FLAGS.backup))
    if flags.FLAGS.report_batches:
        callbacks.append(
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: print(f"epoch {epoch}"),
                on_train_batch_end=lambda batch, logs: print(batch, flush=True),
            )
        )
    model.fit(
        make_dataset(epochs),
        epochs=epochs,
        steps_per_epoch=STEPS,
        verbose=0,
        callbacks=callbacks,
    )
    return model


def custom_loop(keras, strategy, algorithm, epochs):
    """A training loop of one's own, with the gradient of the mean loss."""
    with strategy.scope():
        model = make_model(keras)
        optimizer = make_optimizer(keras)
        if algorithm is not None:
            tf_rigl.attach(optimizer, model, algorithm)
        optimizer.build(model.trainable_variables)
    summed = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="sum"
    )
    step = support.make_step(
        keras, model, optimizer, lambda *pair: summed(*pair) / BATCH
    )

    @tf.function
    def step_of_all(*batch):
        strategy.run(step, args=batch)

    for batch in strategy.experimental_distribute_dataset(make_dataset(epochs)):
        step_of_all(*batch)
    return model


def results(strategy, model):
    """Arrays by name; those of each local replica along the first axis."""
    found = {}
    for index, weight in enumerate(masked_weights(model)):
        values, mask = weight.storage.variables
        for name, variable in (
            ("mask", mask),
            ("counters", weight.counters),
            ("weight", values),
        ):
            copies = strategy.experimental_local_results(variable)
            found[f"{name}_{index}"] = np.stack([c.numpy() for c in copies])
    for index, variable in enumerate(model.trainable_weights):
        found[f"trainable_{index}"] = variable.numpy()
    return found


def disagreement(strategy, model, is_last_worker):
    check = replica_check.ReplicaCheck(model)
    check.check()
    weight = masked_weights(model)[-1]
    _, mask = weight.storage.variables
    copy = strategy.experimental_local_results(mask)[-1]
    if is_last_worker:
        copy.assign(np.logical_not(copy.numpy()))
    try:
        check.check()
    except RuntimeError as error:
        return str(error)
    return ""


def write(path, found):
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        np.savez(file, **found)
    draft.replace(path)


def leave(files):
    """Ends this process of a cluster once all workers have written theirs.

    Not before, as they receive from its server to the last; and at once, as
    TensorFlow might first wait for a thread that sleeps half a minute.
    """
    while not all(file.exists() for file in files):
        time.sleep(0.02)
    os._exit(0)


def main(arguments):
    settings = flags.FLAGS
    train = custom_loop if settings.custom_loop else fit
    for run in arguments[1:]:
        name, flavor, replicas = run.split(":")
        if cluster.is_server(name):
            cluster.serve()
        strategy = make_strategy(name, flavor, int(replicas))
        keras = importlib.import_module(keras_modules.MODULES[flavor])
        model = train(
            keras,
            strategy,
            ALGORITHMS[settings.algorithm](settings.epochs),
            settings.epochs,
        )
        found = results(strategy, model)
        worker, workers = 0, 1
        if name == "multi_worker":
            worker = strategy.cluster_resolver.task_id
            workers = platform_limits.platform_of(strategy).workers
        found["disagreement"] = np.array(
            disagreement(strategy, model, worker == workers - 1)
        )
        files = [
            pathlib.Path(settings.output, f"{run.replace(':', '-')}-{one}.npz")
            for one in range(workers)
        ]
        if settings.export and name != "one_device":
            folder = files[worker].with_suffix("")
            exports.export(keras, strategy, folder, worker, workers)
        write(files[worker], found)
        if strategy.cluster_resolver is not None:
            leave(files)


if __name__ == "__main__":
    define_flags()
    app.run(main)
