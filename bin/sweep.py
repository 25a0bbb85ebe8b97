#!/usr/bin/env python3
r"""Trains a network by several methods, sparsities and seeds.

Writes a table with means and deviations, and plots over sparsity and FLOPs.

Examples:
    python bin/sweep.py --flagfile=configs/sweeps/mnist_lenet.flags
    python bin/sweep.py --model=resnet_18 --methods=dense,set,rigl \
        --sparsities=0.8,0.9 --seeds=5 --epochs=10

`--dry_run` describes the sweep without training; `--help` lists all flags. The
same command resumes a sweep that was interrupted. With more methods,
sparsities or seeds, it trains only the missing runs.
"""

from tf_rigl.experiments.sweeps import program

if __name__ == "__main__":
    program.start("runs/sweep")
