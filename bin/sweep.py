#!/usr/bin/env python3
"""Trains by several methods, sparsities and seeds: `tf-rigl sweep`."""

from tf_rigl.experiments.commands import sweep

if __name__ == "__main__":
    sweep.main()
