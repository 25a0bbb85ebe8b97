r"""Trains a network on a data set, dense or sparse.

Examples:
    python -m tf_rigl.experiments.runs --model=lenet_300_100 --data=mnist_small
    python -m tf_rigl.experiments.runs \
        --flagfile=configs/cifar10_wrn_22_2_rigl90.flags

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

import os
import signal
import threading

from tf_rigl.experiments.commands import train

# Set by a sweep. When the sweep ends, the standard input of its runs closes,
# even if it is killed and cannot end them itself.
FOLLOWS_STDIN = "TF_RIGL_FOLLOWS_STDIN"


def follow_stdin() -> None:
    """Ends this process by SIGTERM once its standard input closes."""
    threading.Thread(target=_await_end, daemon=True).start()


def _await_end() -> None:
    # A thread that waits in `sys.stdin` would hold its lock at exit.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if os.environ.get(FOLLOWS_STDIN):
        follow_stdin()
    train.start({}, "runs/latest", __doc__)
