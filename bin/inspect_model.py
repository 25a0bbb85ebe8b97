#!/usr/bin/env python3
"""Prints what a file of a model holds: `tf-rigl inspect`."""

from tf_rigl.experiments.commands import inspect

if __name__ == "__main__":
    inspect.main()
