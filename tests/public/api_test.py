"""No public name goes, and no signature changes, unseen."""

import ast
import difflib
import pathlib

import pytest

import tf_rigl
from tests.public import api
from tf_rigl import results

FROZEN = pathlib.Path(__file__).with_name("api.txt")


def test_public_names_and_signatures():
    frozen = FROZEN.read_text(encoding="utf-8").splitlines()
    changes = list(
        difflib.unified_diff(
            frozen, api.describe().splitlines(), "api.txt", "now", n=0
        )
    )
    assert not changes, "\n".join(["See tests/public/api.py.", *changes])


@pytest.mark.parametrize("module", [tf_rigl, results])
def test_type_checkers_see_the_names(module):
    """What is found when first used is also imported for type checkers."""
    tree = ast.parse(pathlib.Path(module.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If)
        and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {
        alias.asname: (node.module, alias.name)
        for node in block.body
        for alias in node.names
        if alias.name != "*"  # methods, which `tf_rigl.algorithms` lists
    }
    places = {
        name: (place, name)
        for name, place in module._NAMES.items()
        if place != "tf_rigl.algorithms"
    }
    namespaces = {
        name: ("tf_rigl", name)
        for name in set(module.__all__) - set(module._NAMES)
    }
    assert seen == places | namespaces


@pytest.mark.parametrize("module", [tf_rigl, results])
def test_names_of_a_module(module):
    assert set(module.__all__) <= set(dir(module))
    assert not {"ModelProfile", "from_tfmot"} & set(tf_rigl.__all__)
    with pytest.raises(
        AttributeError, match=f"{module.__name__}' has no.*gone"
    ):
        module.gone  # noqa: B018
