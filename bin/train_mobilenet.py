#!/usr/bin/env python3
"""Trains MobileNet v1, or v2 with --model=mobilenet_v2, dense or sparse.

Examples:
    python bin/train_mobilenet.py \
        --flagfile=configs/imagenet_mobilenet_v1_rigl90_erk.flags
    python bin/train_mobilenet.py --data=cifar10 --width=0.5 --epochs=10 \
        --batch_size=128 --learning_rate=0.05 --schedule=cosine \
        --warmup_epochs=1

`--dry_run` prints what would be trained; `--help` lists all flags. A run that
was killed goes on when the same command is given again.
"""

from tf_rigl.experiments.runs import program

DEFAULTS = {
    "model": "mobilenet_v1",
    "data": "imagenet2012",
    "epochs": 100,
    "batch_size": 4096,
    "learning_rate": 1.6,
    "schedule": "step",
    "warmup_epochs": 8.0,
    "decay_epochs": (40.0, 75.0, 95.0),
    "weight_decay": 1e-4,
    "label_smoothing": 0.1,
}

if __name__ == "__main__":
    program.start(DEFAULTS, "runs/mobilenet")
