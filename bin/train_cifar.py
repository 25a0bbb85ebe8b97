#!/usr/bin/env python3
"""Trains WRN-22-2 on CIFAR-10, dense or sparse, or another network there.

Examples:
    python bin/train_cifar.py --flagfile=configs/cifar10_wrn_22_2_rigl90.flags
    python bin/train_cifar.py --model=resnet_18 --method=set --epochs=10

`--dry_run` prints what would be trained; `--help` lists all flags. A run that
was killed goes on when the same command is given again.
"""

from tf_rigl.experiments.commands import train
from tf_rigl.experiments.runs import flags

DEFAULTS = flags.base_settings("cifar10")

if __name__ == "__main__":
    train.start(DEFAULTS, "runs/cifar10", __doc__)
