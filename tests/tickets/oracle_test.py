"""A whole search against one in NumPy: masks and values, bit for bit.

Training is a function that both know, so that all between two trainings can be
compared: pruning, rewinding, new values, treatments, controls' draws. Of the
library the oracle takes the random permutations alone.
"""

import fractions
import itertools
import math
import zlib

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.methods import ranking
from tf_rigl.core import random_masks
from tf_rigl.masking.masked_weight import masked_weights

ROUNDS = 3
RATES = {"first/kernel": 0.25, "second/kernel": 0.25, "logits/kernel": 0.1}
ACTIONS = ("rewind", "reinit", "reshuffle", "constant", "tickets")
TREATMENTS = (
    "initial",
    "movement",
    "movement_all",
    "reshuffled_movement",
    "reverse_movement",
)
CRITERIA = (
    "large_final",
    "movement",
    "large_final_same_sign",
    "small_init",
    "magnitude_increase",
)
SCOPES = ("weight", "global")
DEFAULT = {
    "action": "rewind",
    "keep_sign": False,
    "treatment": "zero",
    "criterion": "large_final",
    "scope": "weight",
    "seed": 5,
}


ACTIONS_AND_SIGNS = (
    ("rewind", False),
    *itertools.product(ACTIONS[1:], (False, True)),
)


def mixed_cases():
    """Each action with and without its sign; all else goes round with it."""
    cycles = {
        "treatment": itertools.cycle(("zero", *TREATMENTS)),
        "criterion": itertools.cycle(CRITERIA),
        "scope": itertools.cycle(SCOPES),
    }
    for action, keep_sign in ACTIONS_AND_SIGNS:
        yield {
            **DEFAULT,
            **{name: next(cycle) for name, cycle in cycles.items()},
            "action": action,
            "keep_sign": keep_sign,
        }


def single_cases():
    """Each choice by itself, under both scopes."""
    choices = [
        *({"action": a, "keep_sign": s} for a, s in ACTIONS_AND_SIGNS),
        *({"treatment": treatment} for treatment in TREATMENTS),
        *({"criterion": criterion} for criterion in CRITERIA[1:]),
    ]
    for choice, scope in itertools.product(choices, SCOPES):
        yield {**DEFAULT, "seed": 6, **choice, "scope": scope}


MIXED, SINGLE = list(mixed_cases()), list(single_cases())


def drawn(shape, *seed):
    """Values on a grid, so that some are zero or tie; exact in float32."""
    number = zlib.crc32(repr(seed).encode())
    integers = np.random.default_rng(number).integers(-40, 41, shape)
    return (integers / 64).astype("float32")


def initializer(shape, dtype=None):
    return tf.constant(drawn(tuple(shape), "initializer"), dtype or "float32")


def make_model(keras):
    layers = [
        keras.layers.Dense(
            units, kernel_initializer=initializer, use_bias=True, name=name
        )
        for units, name in ((12, "first"), (8, "second"), (6, "logits"))
    ]
    model = keras.Sequential([keras.Input((10,)), *layers])
    tf_rigl.sparsify(model, 0.0, start="dense")
    for path, values in initial_values(model).items():
        variables(model)[path].assign(values)
    model.compile(keras.optimizers.SGD(0.1, 0.9), support.crossentropy(keras))
    return model


def variables(model):
    return {
        f"{layer.name}/{name}": getattr(layer, name)
        for layer in model.layers
        for name in ("kernel", "bias")
    }


def initial_values(model):
    return {
        path: drawn(tuple(variable.shape), "initial", path)
        for path, variable in variables(model).items()
    }


def trained(values, masks, level):
    """What a level makes of its values; those outside its masks rest."""
    after = {}
    for path, value in values.items():
        moved = value * np.float32(0.5) + drawn(value.shape, level, path)
        after[path] = np.where(masks.get(path, True), moved, value)
    return after


def scores(criterion, initial, final):
    """Scores, raised above zero: the selection compares magnitudes."""
    increase = np.abs(final) - np.abs(initial)
    same_sign = np.sign(initial) == np.sign(final)
    found = {
        "large_final": np.abs(final),
        "movement": np.abs(final - initial),
        "large_final_same_sign": np.where(same_sign, np.abs(final), 0),
        "small_init": -np.abs(initial),
        "magnitude_increase": increase,
    }[criterion]
    return found.astype(np.float64) + 100


def left(number, rate):
    return number - math.floor(number * fractions.Fraction(str(rate)))


def pruned(case, initial, final, masks):
    """Each weight by itself, or those without a rate of their own together."""
    groups = [[path] for path in masks]
    if case["scope"] == "global":
        groups = [["first/kernel", "second/kernel"], ["logits/kernel"]]
    kept = {}
    for paths in groups:
        of_paths = [
            scores(case["criterion"], initial[path], final[path])
            for path in paths
        ]
        candidates = [masks[path] for path in paths]
        count = sum(int(one.sum()) for one in candidates)
        marked = ranking.largest_of_all(
            of_paths, candidates, left(count, RATES[paths[0]])
        )
        kept.update(zip(paths, marked, strict=True))
    return {path: kept[path] for path in masks}


def seed_of(case, name, path):
    number = zlib.crc32(f"{case['seed']}/{name}".encode()) >> 1
    return random_masks.stateless_seed(number, case["keys"][path])


def redrawn(case, name, path, initial, mask):
    """New values of the kept places, and zero elsewhere."""
    action, kept = case["action"], initial[mask]
    if action == "rewind":
        return np.where(mask, initial, 0)
    if action == "reinit":
        values = drawn(initial.shape, "initializer")[mask]
    elif action == "reshuffle":
        values = shuffled(case, name, path, kept)
    elif action == "constant":
        deviation = np.std(initial, dtype=np.float64)
        signs = np.where(kept < 0, -1.0, 1.0)
        values = deviation * shuffled(case, name, path, signs)
    else:
        indices = tf.random.stateless_uniform(
            kept.shape,
            seed_of(case, name, path),
            0,
            kept.size,
            tf.int32,
            alg="philox",
        )
        values = kept[indices.numpy()]
    if case["keep_sign"]:
        values = np.abs(values) * np.where(kept < 0, -1, 1)
    found = np.zeros_like(initial)
    found[mask] = values
    return found


def shuffled(case, name, path, values):
    seed = seed_of(case, name, path)
    return random_masks.shuffle(tf.constant(values), seed).numpy()


def treated(case, name, path, weights, start):
    """`start` at the kept places; of those pruned now, zero or as begun."""
    initial, final, before, mask = weights
    shrank = np.abs(final) < np.abs(initial)
    values = np.where(before, np.where(mask, start, initial), final)
    now = before & ~mask
    zeros = {
        "zero": ~mask,
        "initial": np.zeros_like(mask),
        "movement": now & shrank,
        "movement_all": before & shrank,
        "reverse_movement": now & (np.abs(final) > np.abs(initial)),
    }.get(case["treatment"])
    if zeros is None:
        zeros = np.zeros_like(mask)
        zeros[now] = shuffled(case, f"{name}/treatment", path, shrank[now])
    return np.where(zeros, 0, values)


def search_in_numpy(case, initial):
    """Yields masks, first values and last values of each level."""
    masks = {
        path: np.ones(value.shape, bool)
        for path, value in initial.items()
        if path.endswith("kernel")
    }
    values = initial
    for level in range(ROUNDS + 1):
        final = trained(values, masks, level)
        yield masks, values, final

        kept = pruned(case, initial, final, masks)
        name = f"level_{level + 1:02d}"
        values = dict(initial)
        if case["action"] == "reinit":
            values = {path: np.zeros_like(one) for path, one in initial.items()}
        for path, mask in kept.items():
            start = redrawn(case, name, path, initial[path], mask)
            weights = initial[path], final[path], masks[path], mask
            values[path] = treated(case, name, path, weights, start)
        masks = kept


@support.keras_in_turn("case", [*MIXED, *SINGLE], lambda case: case in SINGLE)
def test_a_search(keras, tmp_path, case):
    check_search(keras, tmp_path, case)


@pytest.mark.parametrize(
    ("scope", "treatment"), [("weight", "movement_all"), ("global", "zero")]
)
@support.one_keras("keras")
def test_a_search_on_two_replicas(
    keras, tmp_path, two_replicas, scope, treatment
):
    """The same oracle, so the masks are those of one replica."""
    case = {**DEFAULT, "scope": scope, "treatment": treatment}
    with two_replicas.scope():
        check_search(keras, tmp_path, case)


def check_search(keras, directory, case):
    model = make_model(keras)
    initial = initial_values(model)
    search = tf_rigl.TicketSearch(
        model,
        directory,
        rounds=ROUNDS,
        rate=0.25,
        rates={"logits": 0.1},
        **case,
    )
    keys = {record.path: record.key for record in masked_weights(model)}
    expected = list(search_in_numpy({**case, "keys": keys}, initial))
    counts = []
    for level in search:
        masks, first, last = expected[level.number]
        support.assert_same_masks(search.masks(level.number), masks)
        assert_values(model, first)
        for path, variable in variables(model).items():
            variable.assign(last[path])
        level.done({"accuracy": 0.5})
        counts.append(sum(int(mask.sum()) for mask in masks.values()))
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == ROUNDS + 1

    for number, (masks, _, last) in enumerate(expected):
        search.restore(number)
        assert_values(model, last)
        for path, mask in masks.items():
            if number:
                assert not np.any(mask & ~expected[number - 1][0][path])


def assert_values(model, expected):
    for path, variable in variables(model).items():
        np.testing.assert_array_equal(
            np.array(variable), expected[path], err_msg=path
        )
