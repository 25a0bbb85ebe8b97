"""One row a method: what follows from it is there, once and complete."""

import pathlib

import pytest

import tf_rigl
from tests import support
from tests.methods import table
from tests.support import ROOT
from tf_rigl import algorithms
from tf_rigl.accounting.training_flops import method_names
from tf_rigl.algorithms import registry
from tf_rigl.experiments import methods
from tools import marked
from tools import methods_table

ALGORITHMS = pathlib.Path(algorithms.__file__).parent


@pytest.mark.parametrize("name", registry.modules())
def test_every_method_has_an_oracle_and_rows(name):
    oracle = table.oracle_module(name)
    cases = oracle.CASES if hasattr(oracle, "CASES") else oracle.IN_FIT
    assert cases
    assert oracle.ROWS
    methods_of_file = {
        row.algorithm for row in registry.ROWS if row.module == name
    }
    for one in [*cases.values(), *oracle.ROWS.values()]:
        assert type(one.algorithm) in methods_of_file


def test_every_file_of_a_method_has_a_row():
    """But `tfmot_pruning`, which is made from a schedule of TFMOT's."""
    methods_found = {
        path.stem
        for path in ALGORITHMS.glob("*.py")
        if "Algorithm):" in path.read_text(encoding="utf-8")
    }
    assert methods_found == {*registry.modules(), "tfmot_pruning"}


def test_names_are_told_apart():
    for names in (
        [name for row in registry.ROWS for name in row.commands],
        [method.label for method in methods.METHODS.values()],
        [getattr(algorithms, name).name for name in registry.class_names()],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", registry.class_names())
def test_methods_are_found_by_name(name):
    method = getattr(algorithms, name)
    assert method.__name__ == name
    assert issubclass(method, algorithms.Algorithm)
    assert name in dir(algorithms)
    assert getattr(tf_rigl, name) is method


def test_there_is_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'RigI'"):
        _ = algorithms.RigI


@pytest.mark.parametrize("name", methods.METHODS)
def test_command_line(name):
    """A plan makes the method, its masks can be made, FLOPs have its name."""
    method = methods.METHODS[name]
    assert name in method_names()
    if method.algorithm is None:
        assert not method.is_sparse
        assert method.sparsify == {}
        return
    plan = registry.UpdatePlan(30, 5, 0.3)
    algorithm = method.algorithm(plan)

    assert isinstance(algorithm, algorithms.Algorithm)
    start = algorithm.requirements.start
    assert start in ("any", method.sparsify.get("start", "random"))
    structures = algorithm.requirements.structures
    structure = method.sparsify.get("structure")
    if structure is not None:
        assert structure.name in structures
    elif structures is not None:
        assert "unstructured" in structures


@pytest.mark.parametrize(
    ("name", "recipe"),
    [("rigl_itop", algorithms.rigl_itop), ("set_itop", algorithms.set_itop)],
)
def test_recipes_of_itop_have_names(name, recipe):
    plan = registry.UpdatePlan(30, 5, 0.3)
    make = methods.METHODS[name].algorithm
    assert make(plan) == recipe(30, 5)
    assert make(plan._replace(stop_step=20, total_steps=30)) == recipe(30, 5)
    assert recipe(None).stop_step is None
    assert recipe("never", decay="constant").schedule.is_update(4000 * 1500)

    for steps in (-1, 0, 100, 1500):
        with pytest.raises(
            ValueError, match=rf"before the end.*: steps={steps}, update_inter"
        ):
            recipe(steps)
    with pytest.raises(TypeError, match=r"`steps` must be an integer.*=9\.5"):
        recipe(9.5)


def test_readme_table():
    assert f"`{registry.class_names()[0]}()`" in methods_table.render()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = marked.find(readme, methods_table.MARK)
    assert found == methods_table.render()


def test_readme_without_its_marks():
    with pytest.raises(ValueError, match="must mark the table"):
        marked.find("| method |", methods_table.MARK)


def test_the_registry_needs_no_tensorflow():
    code = (
        "import sys\n"
        "import tf_rigl.algorithms.registry\n"
        "print('tensorflow' in sys.modules)\n"
    )
    # Not by way of the package, which registers the bindings of Keras.
    stub = (
        "import sys, types\n"
        "package = types.ModuleType('tf_rigl')\n"
        f"package.__path__ = [{str(ROOT / 'tf_rigl')!r}]\n"
        "sys.modules['tf_rigl'] = package\n"
    )
    assert support.run_python("-c", stub + code) == "False\n"
