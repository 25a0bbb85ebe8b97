"""Kills a training run again and again, and compares what comes out.

```shell
python -m tests.resume.harness --kills=50
```

For each Keras, by `fit` and by a custom loop: one run to the end, and one
that is killed by SIGKILL after a random number of batches, every other time
as soon as a file of a checkpoint is seen being written, and started again.
Both must end with the same weights, slots, masks and random state, bit for
bit. Prints how many kills were survived; exits with 1 if they differ.
"""

import itertools
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app
from absl import flags

from tests import support

VARIANTS = itertools.product(("keras3", "keras2"), ("fit", "custom"))
# Batches from one start to the kill, on average.
STEPS_A_LIFE = 20
STEPS_PER_EPOCH = 50

_DRAFT = re.compile(r"\.draft-|_temp|\.tempstate|\.tmp")
_PATIENCE = 300  # seconds


def start(keras, loop, directory, result, steps):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.resume.program",
            f"--keras={keras}",
            f"--loop={loop}",
            f"--directory={directory}",
            f"--result={result}",
            f"--steps={steps}",
        ],
        cwd=support.ROOT,
        env=support.child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_to_the_end(process):
    """Waits for the program; raises where it fails."""
    _, errors = process.communicate(timeout=_PATIENCE)
    if process.returncode:
        raise RuntimeError(errors)


def kill_after(process, batches, directory, while_writing):
    """Kills the program once it has trained so many batches.

    Returns whether it had to be killed, and whether a file was being written.
    """
    try:
        for _ in range(batches):
            if not process.stdout.readline():
                run_to_the_end(process)
                return False, False
        writing = while_writing and await_draft(process, directory)
        if not while_writing:
            time.sleep(random.uniform(0, 0.02))
        if process.poll() is not None:
            run_to_the_end(process)
            return False, False
        return True, writing
    finally:
        process.kill()
        process.communicate()


def await_draft(process, directory):
    """Waits until a file is being written; false where the program ends."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and process.poll() is None:
        if directory.is_dir():
            for folder, _, names in os.walk(directory):
                if any(_DRAFT.search(f"{folder}/{name}") for name in names):
                    return True
    return False


def survive(keras, loop, kills, folder, seed=0):
    """Runs one variant.

    Returns the number of kills that were survived, of them those while a file
    was being written, and whether all values are equal in the end.
    """
    random.seed(f"{keras}/{loop}/{seed}")
    steps = -(-kills * STEPS_A_LIFE * 3 // (2 * STEPS_PER_EPOCH)) + 1
    steps *= STEPS_PER_EPOCH
    expected, result = folder / "expected.npz", folder / "result.npz"
    run_to_the_end(
        start(keras, loop, folder / "uninterrupted", expected, steps)
    )
    survived = writing = 0
    directory = folder / "interrupted"
    while not result.exists():
        process = start(keras, loop, directory, result, steps)
        if survived == kills:
            run_to_the_end(process)
            break
        was_killed, was_writing = kill_after(
            process,
            random.randint(1, 2 * STEPS_A_LIFE),
            directory,
            while_writing=survived % 2 == 1,
        )
        survived += was_killed
        writing += was_writing
    return survived, writing, equal(expected, result)


def equal(expected, result):
    with np.load(expected) as one, np.load(result) as other:
        return one.files == other.files and all(
            one[name].dtype == other[name].dtype
            and one[name].tobytes() == other[name].tobytes()
            for name in one.files
        )


def main(arguments):
    del arguments
    ok = True
    for keras, loop in VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            survived, writing, same = survive(
                keras, loop, flags.FLAGS.kills, pathlib.Path(folder)
            )
        print(
            f"{keras}, {loop}: {survived} kills survived, {writing} of them "
            f"while a file was written; {'equal' if same else 'DIFFERENT'}",
            flush=True,
        )
        ok = ok and same and survived == flags.FLAGS.kills
    return 0 if ok else 1


if __name__ == "__main__":
    flags.DEFINE_integer("kills", 50, "Kills of each variant.", lower_bound=1)
    app.run(main)
