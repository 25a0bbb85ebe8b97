#!/usr/bin/env python3
"""Exports a trained model: `tf-rigl export`."""

from tf_rigl.experiments.commands import export

if __name__ == "__main__":
    export.main()
