#!/usr/bin/env python3
"""Evaluates a trained or exported network: `tf-rigl evaluate`."""

from tf_rigl.experiments.commands import evaluate

if __name__ == "__main__":
    evaluate.main()
