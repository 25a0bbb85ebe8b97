import numpy as np
import pytest

import tf_rigl
from benchmarks import contenders
from benchmarks import measure
from benchmarks import networks

LENET = networks.NETWORKS["lenet_300_100"]


def masks_of(training):
    pruned = [
        mask.numpy()
        for layer in training.model.layers
        for _, mask, _ in getattr(layer, "pruning_vars", ())
    ]
    return pruned or list(tf_rigl.masks(training.model).values())


@pytest.mark.parametrize(
    "contender", [name for name in measure.CONTENDERS if "dense" not in name]
)
def test_update_steps_update(contender):
    training = contenders.start_training(contender, LENET)
    before = masks_of(training)
    training.go_to_update()
    training.run(1)
    updated = masks_of(training)
    training.run(2)
    last = masks_of(training)
    assert not all(map(np.array_equal, before, updated))
    assert all(map(np.array_equal, updated, last))
    assert 0.89 < 1 - np.mean(np.concatenate([m.ravel() for m in last])) < 0.91


def test_dense_has_no_masks():
    training = contenders.start_training("keras/dense", LENET)
    assert contenders.masked_elements(training) == 0
    # 266,610 weights and as many momenta, the step, the learning rate and
    # what the mean of the loss needs.
    assert 0 <= contenders.variable_bytes(training) - 8 * 266_610 < 64


@pytest.mark.parametrize("keras", ["keras", "tf_keras"])
def test_masks_and_diagnostics_take_nine_bits_an_element(keras):
    dense, sparse = (
        contenders.start_training(f"{keras}/{method}", LENET)
        for method in ("dense", "tf_rigl")
    )
    assert contenders.masked_elements(sparse) == 266_200
    more = contenders.variable_bytes(sparse) - contenders.variable_bytes(dense)
    # One bit an element in words of eight bytes; three counters and four
    # numbers of eight bytes for each of the weights.
    words = sum(-(-size // 64) for size in (235_200, 30_000, 1_000))
    assert more == 266_200 + 8 * words + 3 * (3 + 4) * 8


def test_averaged_gradients_take_four_bytes_an_element():
    plain, steady = (
        contenders.start_training(f"keras/{method}", LENET)
        for method in ("tf_rigl", "steady")
    )
    more = contenders.variable_bytes(steady) - contenders.variable_bytes(plain)
    # At 90 % the last weight has all of its connections, and no sum.
    assert more == 4 * (266_200 - 1_000)
    assert steady.averaged_steps == 19
