#!/usr/bin/env python3
"""Trains MobileNet v1, or v2 with --model=mobilenet_v2, dense or sparse.

Examples:
    python bin/train_mobilenet.py \
        --flagfile=configs/imagenet_mobilenet_v1_rigl90_erk.flags
    python bin/train_mobilenet.py --data=cifar10 --width=0.5 --epochs=10 \
        --batch_size=128 --learning_rate=0.05 --schedule=cosine \
        --warmup_epochs=1

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

from tf_rigl.experiments.commands import train
from tf_rigl.experiments.runs import flags

DEFAULTS = flags.base_settings("mobilenet_v1")

if __name__ == "__main__":
    train.start(DEFAULTS, "runs/mobilenet", __doc__)
