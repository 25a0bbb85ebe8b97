"""Imports go one way: from programs down to the pure core."""

import ast
import pathlib
import re

import pytest

from tests import python_source

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "tf_rigl"

# A package may import those of a lower rank and itself. `models` and `data`
# stand beside the ladder: programs and `experiments` may use them.
RANKS = {
    "version": 0,
    "_deprecations": 0,
    "_lazy": 1,
    "core": 1,
    "native": 1,
    "algorithms": 2,
    "backend": 3,
    "masking": 4,
    "accounting": 5,
    "checkpointing": 5,
    "diagnostics": 5,
    "tfmot": 5,
    "updating": 6,
    "surgery": 7,
    "export": 8,
    "tickets": 8,
    "wann": 8,
    "models": 8,
    "data": 8,
    "results": 9,
    "__init__": 10,
    "experiments": 11,
    "__main__": 12,
    "bin": 12,
}
INDEPENDENT = ("models", "data")
# They name, for type checkers, what they import when it is first used.
FACADES = ("__init__", "results")
KERAS_BINDINGS = {
    "keras": "tf_rigl/masking/bindings/keras3.py",
    "tf_keras": "tf_rigl/masking/bindings/keras2.py",
}

pytestmark = pytest.mark.source_tree


def library_files():
    return sorted(PACKAGE.rglob("*.py"))


def program_files():
    return sorted((ROOT / "bin").glob("*.py"))


def layer_of(path):
    """The folder below tf_rigl, a module directly in it, or `bin`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "tf_rigl" else parts[0]


def own_imports(path):
    for imported in python_source.find_imports(path, ROOT):
        target = python_source.resolve_module(imported.name, ROOT)
        if target is not None:
            yield imported, target


def is_upward(source, target):
    if source == target:
        return False
    if source in INDEPENDENT:
        return True
    return RANKS[target] >= RANKS[source]


@pytest.mark.parametrize(
    ("source", "target", "upward"),
    [
        ("masking", "backend", False),
        ("backend", "masking", True),
        ("core", "core", False),
        ("core", "algorithms", True),
        ("diagnostics", "updating", True),
        ("accounting", "tfmot", True),
        ("updating", "surgery", True),
        ("surgery", "models", True),
        ("models", "core", True),
        ("data", "models", True),
        ("export", "__init__", True),
        ("experiments", "__init__", False),
        ("bin", "experiments", False),
        ("experiments", "bin", True),
    ],
)
def test_is_upward(source, target, upward):
    assert is_upward(source, target) == upward


def test_every_file_has_a_layer():
    files = library_files()
    assert files
    unknown = {layer_of(path) for path in files} - set(RANKS)
    assert not unknown, f"not in RANKS: {sorted(unknown)}"


def test_imports_go_down():
    upward = [
        f"{path.relative_to(ROOT)}:{imported.line} imports {imported.name}"
        for path in library_files() + program_files()
        for imported, target in own_imports(path)
        if is_upward(layer_of(path), layer_of(target))
        and not (imported.typing_only and layer_of(path) in FACADES)
    ]
    assert not upward, "\n".join(upward)


def test_no_module_imports_itself_through_others():
    files = [*library_files(), *program_files()]
    graph = {
        path: {
            target
            for imported, target in own_imports(path)
            if not imported.typing_only and target != path
        }
        for path in files
    }
    # Whatever imports nothing that is left may go; a circle stays.
    while leaves := [path for path in graph if not graph[path] & set(graph)]:
        for path in leaves:
            del graph[path]
    assert not graph, [str(path.relative_to(ROOT)) for path in graph]


def test_files_hold_one_concept():
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in library_files() + program_files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    ]
    assert not long, "\n".join(long)


def test_every_package_says_what_happens_in_it():
    silent = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("__init__.py")
        if not ast.get_docstring(python_source.parse(path))
    ]
    assert not silent, silent


def test_only_the_bindings_import_keras():
    misplaced = [
        f"{path.relative_to(ROOT)}:{imported.line} imports {imported.name}"
        for path in library_files() + program_files()
        for imported in python_source.find_imports(path, ROOT)
        if not may_import(path, imported.name)
    ]
    assert not misplaced, "\n".join(misplaced)


def may_import(path, name):
    top = name.split(".")[0]
    if name.startswith("tensorflow.keras"):
        return False
    binding = KERAS_BINDINGS.get(top)
    return binding in (None, path.relative_to(ROOT).as_posix())


def test_tf_keras_by_attribute_is_not_used():
    # Which Keras `tf.keras` is depends on an environment variable.
    used = places(
        library_files() + program_files(),
        lambda node: (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("tf.keras", "tensorflow.keras")
        ),
    )
    assert not used, "\n".join(used)


def places(paths, is_wanted):
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path in paths
        for node in ast.walk(python_source.parse(path))
        if is_wanted(node)
    ]


def test_only_masking_reads_variables_of_masked_weights():
    """Others ask the storage, which may keep only the non-zeros one day."""
    found = places(
        above_masking(),
        lambda node: (
            isinstance(node, ast.Attribute)
            and node.attr == "raw"
            and "flavor" not in ast.unparse(node.value)
        ),
    )
    assert not found, "\n".join(found)


def test_masks_are_set_by_their_storage():
    """`MaskedWeight.set_mask` is the one door to a mask."""
    found = places(
        above_masking(),
        lambda node: (
            isinstance(node, ast.Call) and assigns_to_a_mask(node.func)
        ),
    )
    assert not found, "\n".join(found)


def above_masking():
    files = [*library_files(), *program_files()]
    return [p for p in files if RANKS[layer_of(p)] > RANKS["masking"]]


def assigns_to_a_mask(function):
    if not isinstance(function, ast.Attribute):
        return False
    variable = ast.unparse(function.value).lower()
    return function.attr.startswith(("assign", "scatter")) and (
        re.search(r"(^|[._])(masks?(\[.*\])?|storage\.variable)$", variable)
        is not None
    )


@pytest.mark.parametrize(
    ("call", "is_one"),
    [
        ("record.mask.assign", True),
        ("store.masks['kernel'].assign", True),
        ("weight.storage._mask.assign_add", True),
        ("mask.scatter_nd_update", True),
        ("record.storage.variable.assign", True),
        ("record.counters.assign_add", False),
        ("record.set_mask", False),
        ("assign_masked", False),
    ],
)
def test_assigns_to_a_mask(call, is_one):
    assert assigns_to_a_mask(ast.parse(call, mode="eval").body) == is_one
