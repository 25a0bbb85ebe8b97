#!/usr/bin/env python3
"""Writes the page of a training run: `tf-rigl report`."""

from tf_rigl.experiments.commands import report

if __name__ == "__main__":
    report.main()
