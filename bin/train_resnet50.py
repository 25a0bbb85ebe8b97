#!/usr/bin/env python3
"""Trains ResNet-50 or another network for images, dense or sparse.

Examples:
    python bin/train_resnet50.py \
        --flagfile=configs/imagenet_resnet50_rigl80_erk.flags
    python bin/train_resnet50.py --data=cifar10 --width=0.25 --epochs=10

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

from tf_rigl.experiments.commands import train
from tf_rigl.experiments.runs import flags

DEFAULTS = flags.base_settings("resnet50")

if __name__ == "__main__":
    train.start(DEFAULTS, "runs/resnet50", __doc__)
