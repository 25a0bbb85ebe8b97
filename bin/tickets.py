#!/usr/bin/env python3
"""Searches for lottery tickets: `tf-rigl tickets`."""

from tf_rigl.experiments.commands import tickets

if __name__ == "__main__":
    tickets.main()
