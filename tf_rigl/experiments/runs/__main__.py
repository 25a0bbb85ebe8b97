r"""Trains any network on any data, dense or sparse.

Examples:
    python -m tf_rigl.experiments.runs --model=lenet_300_100 --data=mnist_small
    python -m tf_rigl.experiments.runs \
        --flagfile=configs/cifar10_wrn_22_2_rigl90.flags

`--dry_run` prints what would be trained; `--help` lists all flags. A run that
was killed goes on when the same command is given again.
"""

import os
import signal
import threading

from tf_rigl.experiments.commands import train

# Set by a sweep, whose end closes the standard input of its runs: also when
# it is killed and can end nobody.
FOLLOWS_STDIN = "TF_RIGL_FOLLOWS_STDIN"


def follow_stdin() -> None:
    """Ends this process, with a checkpoint, once its standard input closes."""
    threading.Thread(target=_await_end, daemon=True).start()


def _await_end() -> None:
    # Not `sys.stdin`, whose lock a waiting thread would hold at exit.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if os.environ.get(FOLLOWS_STDIN):
        follow_stdin()
    train.start({}, "runs/latest", __doc__)
