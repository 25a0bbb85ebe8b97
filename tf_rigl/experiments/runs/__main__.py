r"""Trains any network on any data, dense or sparse.

Examples:
    python -m tf_rigl.experiments.runs --model=lenet_300_100 --data=mnist_small
    python -m tf_rigl.experiments.runs \
        --flagfile=configs/cifar10_wrn_22_2_rigl90.flags

`--dry_run` prints what would be trained; `--help` lists all flags. A run that
was killed goes on when the same command is given again.
"""

from tf_rigl.experiments.runs import program

if __name__ == "__main__":
    program.start({}, "runs/latest")
