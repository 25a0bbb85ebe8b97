"""Sparse training sums over replicas what dense training does, no more."""

import collections
import importlib
import re

import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.updating.methods_table import ROWS
from tests.updating.methods_table import SPARSITY

# What TensorFlow moves or adds up between devices and processes.
BETWEEN_DEVICES = re.compile(
    "^(Collective|Nccl|CrossReplica|AddN|AllReduce|Xla(AllReduce|Replica))"
)
OPTIMIZERS = {
    "sgd": lambda keras: keras.optimizers.SGD(0.1, momentum=0.9),
    # Both leave the replica context.
    "adamw": lambda keras: keras.optimizers.AdamW(
        0.01, weight_decay=0.1, use_ema=True
    ),
}


def count_in_train_step(keras, strategy, make_optimizer, row=None):
    """Operations between devices of what `fit` runs, by their kind.

    Those of the graph and of all functions in it, branches included.
    """
    data = tf.data.Dataset.from_tensor_slices(support.make_data((20,), 64))
    with strategy.scope():
        model = support.make_mlp(keras, (16,))
        optimizer = make_optimizer(keras)
        if row is not None:
            tf_rigl.sparsify(
                model, **{"sparsity": SPARSITY, "seed": 7, **row.sparsify}
            )
        if row is not None and row.algorithm is not None:
            tf_rigl.attach(optimizer, model, row.algorithm)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer, support.crossentropy(keras))
    model.make_train_function()
    step = tf.function(lambda batch: model.train_function(iter([batch])))
    batches = strategy.experimental_distribute_dataset(data.batch(32))
    graph = step.get_concrete_function(next(iter(batches))).graph.as_graph_def()
    kinds = [node.op for node in graph.node]
    for function in graph.library.function:
        kinds += [node.op for node in function.node_def]
    return collections.Counter(filter(BETWEEN_DEVICES.match, kinds))


@pytest.mark.parametrize(
    "optimizer", ["sgd", pytest.param("adamw", marks=pytest.mark.slow)]
)
def test_rigl_sums_what_dense_training_does(keras, two_replicas, optimizer):
    arguments = (keras, two_replicas, OPTIMIZERS[optimizer])
    dense = count_in_train_step(*arguments)
    # All gradients together, once a replica.
    assert dense["CollectiveReduceV2"] == 2
    assert count_in_train_step(*arguments, ROWS["rigl"]) == dense


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_every_method_sums_what_dense_training_does(two_replicas, name):
    turn = list(ROWS).index(name) % 2
    keras = importlib.import_module(support.FLAVORS[turn])
    arguments = (keras, two_replicas, OPTIMIZERS["sgd"])
    dense = count_in_train_step(*arguments)
    sparse = count_in_train_step(*arguments, ROWS[name])
    # Methods that look at all weights at once add counts up, in a replica.
    del dense["AddN"], sparse["AddN"]
    assert sparse == dense
