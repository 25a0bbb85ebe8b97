import gc
import os

# Before TensorFlow is imported: no start-up messages among those of tests.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from tests import support
from tf_rigl import native

_CHOICE_OF_KERAS = os.environ.get("TF_USE_LEGACY_KERAS")


# The whole suite without the native library: `TF_RIGL_NATIVE=0 bin/test`.
# Modules of tests ask whether it is there when they are imported.
if os.environ.get("TF_RIGL_NATIVE") == "0":
    native.use(False)

# All cases of the property tests, and graphs as users' programs rewrite them:
# `bin/test --hypothesis-profile=nightly`.
hypothesis.settings.register_profile("nightly", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Two logical processors, so that replicas are real.

    Grappler costs a fifth of what most tests take, once for each function, and
    they look at what a function computes. It rests but for tests that ask for
    `grappler` and for the nightly profile.
    """
    if config.getoption("--hypothesis-profile", None) != "nightly":
        rest_grappler(True)
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )


def rest_grappler(rests: bool) -> None:
    """Turns TensorFlow's rewriting of graphs off or on, for new functions."""
    options = {"disable_meta_optimizer": rests}
    tf.config.optimizer.set_experimental_options(options)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of both Kerases take turns, `-m slow` runs the other half.

    The two share nearly all code. Files differ, so those that read the files of
    earlier versions run with both.
    """
    cases: dict[str, dict[tuple[str, ...], list[pytest.Item]]] = {}
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or item.get_closest_marker("slow"):
            continue
        flavor = callspec.params.get("keras")
        parts = callspec.id.split("-")
        if flavor in parts and "compatibility" not in item.path.parts:
            parts.remove(flavor)
            case = (item.nodeid.partition("[")[0], *parts)
            own = cases.setdefault(str(item.path), {})
            own.setdefault(case, []).append(item)

    for own in cases.values():
        pairs = [some for some in own.values() if len(some) == 2]
        for place, pair in enumerate(pairs):
            pair[place % 2].add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def grappler():
    """Graphs are rewritten as in a user's program, for all of a module."""
    before = tf.config.optimizer.get_experimental_options()
    rest_grappler(False)
    yield
    rest_grappler(before.get("disable_meta_optimizer", False))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leaves what has been imported out of garbage collections.

    There are a million objects by then, which each collection would look at.
    """
    del session
    leave_what_there_is()


def leave_what_there_is() -> None:
    """Collects garbage, and never looks at the rest again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=support.FLAVORS)
def keras(request: pytest.FixtureRequest):
    """Each Keras in turn, with its global state cleared."""
    return support.fresh_keras(request.param)


@pytest.fixture(autouse=True)
def choice_of_keras():
    """Takes back the variable that importing TFMOT sets.

    TensorFlow reads it when it is imported, in processes that tests start.
    """
    restore_choice_of_keras()
    yield
    restore_choice_of_keras()


def restore_choice_of_keras() -> None:
    """Tests may import TFMOT while they are collected, too."""
    if _CHOICE_OF_KERAS is None:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
    else:
        os.environ["TF_USE_LEGACY_KERAS"] = _CHOICE_OF_KERAS


@pytest.fixture(scope="module", autouse=True)
def garbage_of_a_module():
    """Forgets the custom gradients that functions of a module registered.

    TensorFlow keeps each for good, and with it all graphs of the step that it
    is part of. Keras's optimizers have one in every step that they compile: a
    small model trained with RigL left 8 MB, and leaves 1. What is left all the
    same is left out of garbage collections, which took ten seconds each in the
    end.
    """
    registered = ops.gradient_registry._registry
    before = set(registered)
    yield
    for name in set(registered) - before:
        if name.startswith("CustomGradient-"):
            del registered[name]
    leave_what_there_is()


@pytest.fixture(scope="session")
def two_replicas():
    """A strategy over two logical processors, one for all tests.

    TensorFlow remembers the shapes that replicas sum by number, and every
    strategy counts from the same: a second one would meet those of the first.
    """
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
