"""Kernels against float64 NumPy, at each level that the machine has."""

import hypothesis
import numpy as np
import pytest

from tests.native import cases
from tf_rigl.native import kernels
from tf_rigl.native import library

pytestmark = [
    cases.needs_library,
    pytest.mark.usefixtures("level", "three_threads"),
]


def assert_all(arguments):
    case = cases.make(**arguments)
    cases.assert_index(case)
    cases.assert_products(case)
    if arguments["integers"]:
        connections = len(case.values)
        for count in (0, connections // 3, connections + 5):
            cases.assert_growth(case, count)


@cases.examples(25)
@hypothesis.given(cases.arguments())
def test_random_shapes(arguments):
    assert_all(arguments)


@pytest.mark.slow
@cases.examples(1000)
@hypothesis.given(cases.arguments())
def test_thousands_of_random_shapes(arguments):
    assert_all(arguments)


@pytest.mark.parametrize("batch", [1, 40, 128])
def test_results_do_not_depend_on_the_number_of_threads(batch):
    case = cases.make((700, 500), batch, 0.2)
    found = []
    for threads in (1, 2, 5):
        library.set_threads(threads)
        assert library.threads() == threads
        found.append(
            [
                kernels.spmm(case.x, case.values, case.index, case.bias),
                *kernels.spmm_gradients(
                    case.dy, case.x, case.values, case.index
                ),
                *kernels.grow(case.x, case.dy, case.index, 10_000),
            ]
        )
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert np.array_equal(one, same)


def test_growth_guesses_a_threshold_and_corrects_it():
    """The gradient is larger where the sample is taken."""
    case = cases.make((400, 300), 50, 0.1, seed=3, integers=True)
    x = case.x.copy()
    # The sample has every sixth group of four blocks of six inputs.
    inputs = np.arange(400)
    x[:, inputs // 24 % 6 == 0] *= 100
    case = case._replace(x=x)
    for count in (100, 40_000, 90_000):
        cases.assert_growth(case, count)


def test_growth_of_a_large_batch_is_blocked():
    case = cases.make((50, 70), 1500, 0.1, integers=True)
    cases.assert_growth(case, 500)
    cases.assert_products(case)


def test_growth_puts_what_is_not_finite_first():
    case = cases.make((300, 300), 8, 0.1, integers=True)
    x, dy = case.x.copy(), case.dy.copy()
    x[0, 7], dy[:, 11] = np.inf, np.nan
    positions, scores = kernels.grow(x, dy, case.index, 1000)
    outside = ~case.mask
    assert np.isnan(scores[positions % 300 == 11]).all()
    assert (positions % 300 == 11).sum() == outside[:, 11].sum()
    row = positions // 300 == 7
    # 0 · ∞ is not a number.
    assert (~np.isfinite(scores[row])).sum() == outside[7].sum()


def test_more_than_65536_inputs():
    case = cases.make((66_000, 3), 5, 0.01)
    assert case.index.cols.dtype == np.int32
    assert case.index.t_cols.dtype == np.uint16
    cases.assert_index(case)
    cases.assert_products(case)
    with pytest.raises(ValueError, match="below 2\\^32"):
        index = kernels.empty_index(2**16, 2**16, 0)
        kernels.grow(np.zeros((0, 2**16)), np.zeros((0, 2**16)), index, 1)


def test_positions_beyond_32_bits():
    size = 70_000
    random = np.random.default_rng(0)
    positions = np.unique(random.integers(0, size**2, 5000))
    index, order = kernels.reindex(random.permutation(positions), size, size)
    kernels.check_index(index)
    assert np.array_equal(kernels.positions_of(index), positions)
    assert sorted(order) == list(range(len(positions)))


def damaged(case):
    """What is wrong, and an index with it."""
    index = case.index

    def changed(name, place, value):
        array = getattr(index, name).copy()
        array[place] = value
        return index._replace(**{name: array})

    inputs, outputs = case.mask.shape
    for name, size in (("row_ptr", outputs), ("t_ptr", inputs)):
        yield f"{name} must", changed(name, 0, -1)
        yield f"{name} must", changed(name, size, len(index.cols) + 1)
        yield f"{name} must", changed(name, size // 2, len(index.cols) + 9)
    yield "cols must be below", changed("cols", -1, inputs)
    yield "cols must be below", changed("cols", 5, 60_000)
    yield "t_cols must be below", changed("t_cols", 3, outputs)
    yield "t_perm must be below", changed("t_perm", 0, len(index.cols))
    yield "t_perm must be below", changed("t_perm", 2, -1)


def test_damaged_indexes_are_errors():
    case = cases.make((40, 30), 20, 0.3)
    found = set()
    for message, index in damaged(case):
        with pytest.raises(ValueError, match=message):
            kernels.check_index(index)
        calls = (
            lambda i: kernels.spmm(case.x, case.values, i, case.bias),
            lambda i: kernels.spmm_gradients(case.dy, case.x, case.values, i),
            lambda i: kernels.grow(case.x, case.dy, i, 5),
            kernels.positions_of,
            lambda i: kernels.drop_and_grow(
                case.values, case.values, i, [], [], 0
            ),
        )
        for number, call in enumerate(calls):
            # Each reads a part of the index only.
            try:
                call(index)
            except ValueError as error:
                assert message in str(error)
                found.add((number, message))
    assert {number for number, _ in found} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("half", ["cols", "t_cols", "t_perm"])
def test_halves_that_disagree_are_errors(half):
    case = cases.make((40, 30), 20, 0.3)
    array = getattr(case.index, half).copy()
    array[:2] = array[1::-1]
    with pytest.raises(ValueError, match=r"ascend within|must transpose"):
        kernels.check_index(case.index._replace(**{half: array}))


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([3, 5, 3], "distinct"),
        ([3, 3, 5], "distinct"),
        ([-1, 2], "not negative"),
        ([2, 100], "below inputs"),
    ],
)
def test_positions_that_are_no_index(positions, message):
    with pytest.raises(ValueError, match=message):
        kernels.reindex(np.array(positions), 10, 10)


def test_arguments_of_other_shapes_are_errors():
    case = cases.make((40, 30), 20, 0.3)
    with pytest.raises(ValueError, match=r"Received: shape=\(20, 39\)"):
        kernels.spmm(case.x[:, 1:], case.values, case.index, case.bias)
    index = case.index._replace(cols=case.index.cols.astype(np.int64))
    with pytest.raises(TypeError, match="uint16 or int32"):
        kernels.check_index(index)
    index = case.index._replace(t_cols=case.index.t_cols[1:])
    with pytest.raises(ValueError, match="as many connections"):
        kernels.check_index(index)
