"""Runs pytest on a folder of tests: their entry point under Bazel."""

import sys

import pytest

if __name__ == "__main__":
    # The runfiles are read-only, so there is no place for the cache, and they
    # are not the checkout, which some tests read.
    options = ["-p", "no:cacheprovider", "-m", "not slow and not source_tree"]
    sys.exit(pytest.main([*options, *sys.argv[1:]]))
