#!/usr/bin/env python3
"""Trains WRN-22-2 or another network on CIFAR-10, dense or sparse.

Examples:
    python bin/train_cifar.py --flagfile=configs/cifar10_wrn_22_2_rigl90.flags
    python bin/train_cifar.py --model=resnet_18 --method=set --epochs=10

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

from tf_rigl.experiments.commands import train
from tf_rigl.experiments.runs import flags

DEFAULTS = flags.base_settings("cifar10")

if __name__ == "__main__":
    train.start(DEFAULTS, "runs/cifar10", __doc__)
