#!/usr/bin/env python3
"""Prints what a network costs at a sparsity: `tf-rigl profile`."""

from tf_rigl.experiments.commands import profile

if __name__ == "__main__":
    profile.main()
