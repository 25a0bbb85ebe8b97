#!/usr/bin/env python3
"""Asks whether weights mattered in pruned networks: `tf-rigl compress`."""

from tf_rigl.experiments.commands import compress

if __name__ == "__main__":
    compress.main()
