#!/usr/bin/env python3
"""Measures latency and memory of models: `tf-rigl benchmark`."""

from tf_rigl.experiments.commands import benchmark

if __name__ == "__main__":
    benchmark.main()
