"""`Checkpoints` of processes that are killed or asked to end."""

import os
import signal

import pytest

import tf_rigl
from tests import support
from tests.checkpointing import checkpoints_test

KILLED = """
import os, signal, sys
import keras
import tf_rigl
from tests import conftest
from tests.checkpointing import checkpoints_test

conftest.rest_grappler(True)  # as here: it rounds otherwise
rename = os.replace

def rename_or_die(draft, path):
    if path.endswith("14.npz"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(draft, path)

os.replace = rename_or_die
keras.utils.set_random_seed(1)
checkpoints_test.fit(
    checkpoints_test.make_model(keras),
    tf_rigl.Checkpoints(sys.argv[1], save_every=2),
)
"""


@support.one_keras("keras")
def test_a_killed_process(keras, tmp_path):
    """SIGKILL while a file is written, in the middle of the second epoch.

    `tests.resume.harness` kills at any moment.
    """
    killed = support.start_python("-c", KILLED, tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert any(name.startswith(".draft-") for name in os.listdir(tmp_path))

    checkpoints = tf_rigl.Checkpoints(tmp_path, save_every=2)
    assert checkpoints.step == 12
    model = checkpoints_test.make_model(keras)
    checkpoints_test.fit(model, checkpoints)
    support.assert_all_equal(
        checkpoints_test.values(model), checkpoints_test.uninterrupted(keras)
    )
    # What the killed process left is gone, too.
    names = [f"step-{step:012}.npz" for step in checkpoints.steps]
    assert sorted(os.listdir(tmp_path)) == names


def test_termination_saves_and_exits(keras, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    # Behind `Checkpoints`, which sees it after the next batch.
    terminate = checkpoints_test.after(
        keras, 3, lambda model: os.kill(os.getpid(), signal.SIGTERM)
    )
    checkpoints = tf_rigl.Checkpoints(tmp_path, save_every=100)
    with pytest.raises(SystemExit) as ended:
        checkpoints_test.fit(
            checkpoints_test.make_model(keras),
            checkpoints,
            callbacks=[terminate],
        )
    assert ended.value.code == 128 + signal.SIGTERM
    assert checkpoints.steps == [4]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_kills():
    """The short version of what `python -m tests.resume.harness` does."""
    printed = support.run_python("-m", "tests.resume.harness", "--kills=2")
    assert printed.count("2 kills survived") == 4
