#!/usr/bin/env python3
r"""Trains by several methods, at several sparsities, with several seeds.

Gives a table with mean and spread, and plots against sparsity and FLOPs.

Examples:
    python bin/sweep.py --flagfile=configs/sweeps/mnist_lenet.flags
    python bin/sweep.py --model=resnet_18 --methods=dense,set,rigl \
        --sparsities=0.8,0.9 --seeds=5 --epochs=10

`--dry_run` prints what would be trained; `--help` lists all flags. A sweep
that was interrupted goes on when the same command is given again; one with
more methods, sparsities or seeds trains only what is not there yet.
"""

from tf_rigl.experiments.sweeps import program

if __name__ == "__main__":
    program.start("runs/sweep")
