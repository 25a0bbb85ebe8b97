"""Masks do not depend on how many devices train, weights hardly do.

After 20 mask updates on the same global batches: one device, two and four
replicas in a process, two processes. Each is a real run of `train.py`.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.distribution import exports
from tests.distribution import launch
from tf_rigl.export.litert.run import Runner
from tf_rigl.export.saved_model.packed_file import read_weights

REFERENCE = "one_device:keras3:1"
# By number of replicas: processors are made for the first. Two replicas are
# in all tests of `tests/updating` that have `two_replicas`.
QUICK = ("mirrored:keras3:4", REFERENCE)
FULL = (
    "mirrored:keras3:4",
    "mirrored:keras2:4",
    "mirrored:keras3:2",
    "mirrored:keras2:2",
    "one_device:keras2:1",
    REFERENCE,
)
WORKERS = "multi_worker:keras2:1"
# `fit` of Keras 3 fails there; a loop of one's own does not.
WORKERS_3 = "multi_worker:keras3:1"
# Sums of float32 in another order: of 32 gradients, 40 times, while weights
# are below 2. Seen: 6e-8.
TOLERANCE = 2e-6


def load(folder, run, workers):
    """The results of a run, those of all workers put together."""
    files = [
        np.load(folder / f"{run.replace(':', '-')}-{worker}.npz")
        for worker in range(workers)
    ]
    return {
        name: (
            np.concatenate([file[name] for file in files])
            if name.startswith(("mask", "counters", "weight"))
            else files[0][name]
        )
        for name in files[0].files
    }


def train(folder, in_process, in_workers, *options):
    """Runs of one process and those of two workers, at the same time."""
    options = [f"--output={folder}", *options]
    with launch.started() as processes:
        processes.append(launch.Process([*options, *in_process]))
        for run in in_workers:
            processes += launch.start_workers([*options, run])
        launch.wait_for(processes)


@pytest.fixture(scope="module")
def quick_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quick")
    train(folder, QUICK, [WORKERS], "--export")
    return folder


@pytest.fixture(scope="module")
def quick(quick_folder):
    return functools.partial(load, quick_folder)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    train(folder, FULL, [WORKERS])
    return functools.partial(load, folder)


@pytest.fixture(scope="module")
def full_in_loops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loops")
    train(folder, FULL, [WORKERS], "--custom_loop")
    train(folder, ["one_device:keras2:1"], [WORKERS_3], "--custom_loop")
    return functools.partial(load, folder)


def check(results, run, replicas):
    """Every replica has the masks of one device, and nearly its weights."""
    expected = results(REFERENCE, 1)
    found = results(run, 2 if run.startswith("multi_worker") else 1)
    assert found["mask_0"].shape[0] == replicas
    assert found.keys() == expected.keys()
    for name, values in found.items():
        if name.startswith(("mask", "counters")):
            same = np.broadcast_to(expected[name], values.shape)
            np.testing.assert_array_equal(values, same, name)
        elif name.startswith(("weight", "trainable")):
            difference = np.abs(values - expected[name]).max()
            assert difference < TOLERANCE, name
    for index in (0, 1):
        updates, moved, left_out = expected[f"counters_{index}"][0]
        assert (updates, left_out) == (20, 0)
        assert moved > 100
        zeros = ~found[f"mask_{index}"]
        assert not np.any(found[f"weight_{index}"][zeros])


def replicas_of(run):
    return 2 if run.startswith("multi_worker") else int(run[-1])


@pytest.mark.parametrize("run", [*QUICK[:-1], WORKERS])
def test_few_runs(quick, run):
    check(quick, run, replicas_of(run))


@pytest.mark.slow
@pytest.mark.parametrize("run", [*FULL[:-1], WORKERS])
def test_fit(full, run):
    check(full, run, replicas_of(run))


@pytest.mark.slow
@pytest.mark.parametrize("run", [*FULL[:-1], WORKERS, WORKERS_3])
def test_custom_loops(full_in_loops, run):
    check(full_in_loops, run, replicas_of(run))


@pytest.mark.parametrize("run", [*QUICK[:-1], WORKERS])
def test_a_replica_that_differs_is_found(quick, run):
    """The last one's mask was changed after training."""
    message = str(quick(run, 1)["disagreement"])
    last = replicas_of(run) - 1
    assert f"replicas {list(range(last))} against [{last}]" in message


@pytest.mark.parametrize("run", [*QUICK[:-1], WORKERS])
def test_exports_of_a_normalized_network(quick_folder, run):
    """Every worker's artifacts hold the averages of all replicas."""
    for worker in range(2 if run == WORKERS else 1):
        place = quick_folder / f"{run.replace(':', '-')}-{worker}"
        check_exports(place)
        refusal = str(np.load(place / exports.FOUND)["refusal"])
        assert ("Pass the tf.function itself" in refusal) == (run == WORKERS)


def check_exports(folder):
    found = np.load(folder / exports.FOUND)
    expected = found["sparse"]
    inputs = exports.examples()
    for name in ("in_scope", *map(str, exports.COMPRESSIONS)):
        loaded = tf.saved_model.load(str(folder / name))
        outputs = loaded.serve(tf.constant(inputs))
        np.testing.assert_allclose(outputs, expected, atol=1e-6)

    content = (folder / "model.tflite").read_bytes()
    runner = Runner(content)
    (outputs,) = runner(dict.fromkeys(runner.inputs, inputs)).values()
    np.testing.assert_allclose(outputs, expected, atol=1e-5)

    (average,) = [
        one.array()
        for one in read_weights(folder / "smallest")
        if one.spec.path == "normal/moving_mean"
    ]
    np.testing.assert_array_equal(average, found["average"])
    np.testing.assert_array_equal(found["stripped"], expected)
    assert found["macs"] == 4 * 4 * 27 * 16 + 256 * 4
