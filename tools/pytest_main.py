"""Runs pytest on the files given: the entry point of tests under Bazel."""

import sys

import pytest

if __name__ == "__main__":
    # The runfiles are read-only, so there is no place for the cache.
    sys.exit(pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]]))
