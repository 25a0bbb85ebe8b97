"""Convolutions by sparse kernels against float64 NumPy."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tests.native import cases
from tf_rigl.native import kernels
from tf_rigl.native import library
from tf_rigl.native.kernels import Convolution

pytestmark = [
    cases.needs_library,
    pytest.mark.usefixtures("level", "three_threads"),
]

SMALL = st.integers(1, 3)


@st.composite
def arguments(draw):
    """Arguments of `make`, of which some leave no output."""
    return {
        "size": (draw(st.integers(1, 20)), draw(st.integers(1, 40))),
        "window": (draw(st.integers(1, 5)), draw(st.integers(1, 5))),
        "strides": (draw(SMALL), draw(SMALL)),
        "dilations": (draw(SMALL), draw(SMALL)),
        "padding": draw(st.sampled_from(["same", "valid"])),
        "channels": draw(st.sampled_from([1, 3, 4, 5, 16, 20])),
        "outputs": draw(st.sampled_from([1, 7, 16, 33])),
        "batch": draw(st.sampled_from([0, 1, 2, 5, 9])),
        "density": draw(cases.DENSITIES),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "integers": draw(st.booleans()),
    }


def along(size, window, stride, dilation, padding):
    """Returns the outputs along an axis, and the zeros before it."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return (size - reach) // stride + 1, 0
    outputs = -(-size // stride)
    return outputs, max((outputs - 1) * stride + reach - size, 0) // 2


def make(
    size, window, strides, dilations, padding, channels, outputs, batch, **other
):
    """Returns a convolution and its data, or None without an output."""
    (height, top), (width, left) = (
        along(*axis, padding)
        for axis in zip(size, window, strides, dilations, strict=True)
    )
    if height < 1 or width < 1:
        return None

    shape = Convolution(
        *size, channels, *window, height, width, *strides, *dilations, top, left
    )
    inputs = window[0] * window[1] * channels
    case = cases.make((inputs, outputs), batch, **other)
    random = np.random.default_rng(other["seed"])

    def numbers(*size):
        found = random.integers(-4, 5, size).astype(np.float32)
        if other["integers"]:
            return found
        return found * random.random(size, np.float32)

    x = numbers(*shape.inputs_shape(batch))
    dy = numbers(*shape.outputs_shape(batch, outputs))
    return shape, case._replace(x=x, dy=dy)


def windows(shape):
    """Yields for each position of the window where outputs see the inputs."""
    for row in range(shape.window_height):
        for column in range(shape.window_width):
            rows = row * shape.row_dilation + shape.row_stride * np.arange(
                shape.out_height
            )
            columns = (
                column * shape.column_dilation
                + shape.column_stride * np.arange(shape.out_width)
            )
            yield np.ix_(rows, columns)


def padded(shape, x):
    """Returns the inputs with enough zeros around."""
    rows = (shape.out_height + 5) * shape.row_stride + 20
    columns = (shape.out_width + 5) * shape.column_stride + 20
    size = (len(x), x.shape[1] + rows, x.shape[2] + columns, x.shape[3])
    result = np.zeros(size)
    inner = result[:, shape.top :, shape.left :]
    inner[:, : x.shape[1], : x.shape[2]] = x
    return result


def patches(shape, x):
    """Returns what each output sees, [positions of all outputs, K]."""
    around = padded(shape, x)
    seen = [around[:, rows, columns] for rows, columns in windows(shape)]
    count = len(x) * shape.out_height * shape.out_width
    inputs = shape.channels * shape.window_height * shape.window_width
    return np.concatenate(seen, -1).reshape(count, inputs)


def gathered(shape, dpatches, x):
    """Returns the gradient of the inputs, given that of patches."""
    total = padded(shape, np.zeros_like(x))
    split = dpatches.reshape(
        len(x),
        shape.out_height,
        shape.out_width,
        shape.window_height * shape.window_width,
        shape.channels,
    )
    for number, (rows, columns) in enumerate(windows(shape)):
        total[:, rows, columns] += split[:, :, :, number]
    total = total[:, shape.top :, shape.left :]
    return total[:, : shape.height, : shape.width]


def assert_convolves(shape, case):
    x, dy, weight, bias = cases.doubles(
        patches(shape, case.x),
        case.dy.reshape(-1, case.mask.shape[1]),
        case.weight,
        case.bias,
    )
    inputs, outputs = weight.shape
    absolute = [np.abs(one) for one in (x, dy, weight, bias)]

    y = kernels.convolve(case.x, case.values, case.index, case.bias, shape)
    cases.assert_sums(
        y.reshape(-1, outputs),
        x @ weight + bias,
        absolute[0] @ absolute[2] + absolute[3],
        inputs + 1,
    )

    dx, dvalues, dbias = kernels.convolve_gradients(
        case.dy, case.x, case.values, case.index, shape
    )
    assert dx is not None
    positions = shape.window_height * shape.window_width
    cases.assert_sums(
        dx,
        gathered(shape, dy @ weight.T, case.x),
        gathered(shape, absolute[1] @ absolute[2].T, case.x),
        outputs * positions,
    )
    active = case.mask.T
    cases.assert_sums(
        dvalues,
        (x.T @ dy).T[active],
        (absolute[0].T @ absolute[1]).T[active],
        len(x),
    )
    cases.assert_sums(dbias, dy.sum(0), absolute[1].sum(0), len(x))
    nothing, *same = kernels.convolve_gradients(
        case.dy, case.x, case.values, case.index, shape, input_gradient=False
    )
    assert nothing is None
    assert np.array_equal(same[0], dvalues) and np.array_equal(same[1], dbias)


def assert_grows(shape, case, count):
    """Exactly as by sorting, for data whose sums are exact."""
    dy = case.dy.reshape(-1, case.mask.shape[1]).astype(np.float64)
    gradient = patches(shape, case.x).T @ dy
    expected = cases.best_inactive(np.abs(gradient), case.mask, count)
    found = kernels.convolve_grow(case.x, case.dy, case.index, count, shape)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


def assert_all(arguments):
    made = make(**arguments)
    if made is None:
        return
    shape, case = made
    assert_convolves(shape, case)
    if arguments["integers"]:
        for count in (0, len(case.values) // 3, len(case.values) + 5):
            assert_grows(shape, case, count)


@cases.examples(15)
@hypothesis.given(arguments())
def test_random_convolutions(arguments):
    assert_all(arguments)


@pytest.mark.slow
@cases.examples(1000)
@hypothesis.given(arguments())
def test_thousands_of_random_convolutions(arguments):
    assert_all(arguments)


# Several images in a group of planes, several groups, and one of an image.
SHAPES = {
    "groups": ((14, 14), 64, 32, 9),
    "image": ((40, 40), 100, 4, 2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_results_do_not_depend_on_the_number_of_threads(name):
    size, channels, outputs, batch = SHAPES[name]
    made = make(
        size,
        (3, 3),
        (1, 1),
        (1, 1),
        "same",
        channels,
        outputs,
        batch,
        density=0.2,
        seed=1,
        integers=True,
    )
    assert made is not None
    shape, case = made
    assert_convolves(shape, case)
    found = []
    for threads in (1, 2, 5):
        library.set_threads(threads)
        found.append(
            [
                kernels.convolve(
                    case.x, case.values, case.index, case.bias, shape
                ),
                *kernels.convolve_gradients(
                    case.dy, case.x, case.values, case.index, shape
                ),
                *kernels.convolve_grow(
                    case.x, case.dy, case.index, 1000, shape
                ),
            ]
        )
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert np.array_equal(one, same)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 4}, "inputs must be those"),
        ({"row_stride": 0}, "must be 1 to"),
        ({"top": -1}, "must be 1 to"),
        ({"out_width": 2**20, "column_stride": 2**19}, "fewer than 2"),
    ],
)
def test_convolutions_that_fit_nothing(changes, message):
    shape = Convolution(5, 5, 3, 2, 2, 4, 4)._replace(**changes)
    case = cases.make((12, 6), 2, 0.5)
    x = np.zeros(shape.inputs_shape(2), np.float32)
    dy = np.empty(shape.outputs_shape(2, 6), np.float32)
    calls = (
        lambda: kernels.convolve(x, case.values, case.index, case.bias, shape),
        lambda: kernels.convolve_gradients(
            dy, x, case.values, case.index, shape
        ),
        lambda: kernels.convolve_grow(x, dy, case.index, 3, shape),
    )
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
