#!/usr/bin/env python3
"""Trains LeNet-300-100 on MNIST, dense or sparse.

A subset of MNIST comes with the package; --data=mnist reads all of it.

Examples:
    python bin/train_mlp.py --method=rigl --sparsity=0.98 --compare_dense
    python bin/train_mlp.py --flagfile=configs/mnist_rigl98.flags

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

from tf_rigl.experiments.commands import train

DEFAULTS = {
    "model": "lenet_300_100",
    "data": "mnist_small",
    "sparsity": 0.98,
    "epochs": 20,
    "learning_rate": 0.2,
}

if __name__ == "__main__":
    train.start(DEFAULTS, "runs/mnist", __doc__)
