#!/usr/bin/env python3
"""Trains ResNet-50, dense or sparse, as it does any network that reads images.

Examples:
    python bin/train_resnet50.py \
        --flagfile=configs/imagenet_resnet50_rigl80_erk.flags
    python bin/train_resnet50.py --data=cifar10 --width=0.25 --epochs=10

`--dry_run` prints what would be trained; `--help` lists all flags. A run that
was killed goes on when the same command is given again.
"""

from tf_rigl.experiments.runs import program

DEFAULTS = {
    "model": "resnet_50",
    "data": "imagenet2012",
    "epochs": 100,
    "batch_size": 4096,
    "learning_rate": 1.6,
    "schedule": "step",
    "warmup_epochs": 5.0,
    "decay_epochs": (30.0, 70.0, 90.0),
    "weight_decay": 1e-4,
    "label_smoothing": 0.1,
}

if __name__ == "__main__":
    program.start(DEFAULTS, "runs/resnet50")
