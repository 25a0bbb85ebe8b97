#!/usr/bin/env python3
"""Searches for weight agnostic networks: `tf-rigl wann`."""

from tf_rigl.experiments.commands import wann

if __name__ == "__main__":
    wann.main()
