"""Coarse targets: one for a package, one for a folder of tests."""

load("@rules_python//python:defs.bzl", "py_library", "py_test")

def library(deps = [], data = []):
    """Defines a package, with the folders below it, by its own name.

    Args:
        deps: what it imports.
        data: what it reads.
    """
    py_library(
        name = native.package_name().split("/")[-1],
        srcs = native.glob(["**/*.py"]),
        data = data,
        visibility = ["//visibility:public"],
        deps = deps,
    )

def pytest_folder(deps = [], helpers = [], data = []):
    """Defines `:support`, what the tests share, and `:tests`.

    Args:
        deps: what both import, beyond `//tests:support`.
        helpers: `:support` of other folders, for the tests only: two folders
            may use each other's.
        data: what tests read beyond Python files.
    """
    if native.package_name() != "tests":
        deps = deps + ["//tests:support"]
    tests = native.glob(["**/*_test.py"], allow_empty = True)

    py_library(
        name = "support",
        testonly = True,
        srcs = native.glob(["**/*.py"], exclude = tests, allow_empty = True),
        visibility = ["//visibility:public"],
        deps = deps,
    )

    if tests:
        py_test(
            name = "tests",
            size = "enormous",
            srcs = tests + ["//tools:pytest_main.py"],
            args = [native.package_name()],
            data = data + ["//:pyproject.toml"],
            main = "//tools:pytest_main.py",
            deps = [":support"] + helpers,
        )
