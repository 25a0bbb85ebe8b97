import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core import kernel_layout


@pytest.mark.parametrize(
    ("shape", "inputs", "units", "permutation", "view"),
    [
        # Dense.
        ((5, 7), [0], [1], (0, 1), (1, 5, 7)),
        # Convolution.
        ((3, 2, 5, 7), [2], [3], (0, 1, 2, 3), (6, 5, 7)),
        # Transposed convolution.
        ((3, 2, 5, 7), [3], [2], (0, 1, 3, 2), (6, 7, 5)),
        # An einsum that sums over the middle axis.
        ((4, 5, 6), [1], [0, 2], (1, 0, 2), (1, 5, 24)),
        ((4, 5, 6), [0, 1], [2], (0, 1, 2), (1, 20, 6)),
        # A vector, a scalar, a depthwise convolution.
        ((5,), [0], [], (0,), (1, 5, 1)),
        ((), [], [], (), (1, 1, 1)),
        ((3, 2, 5, 7), [], [2, 3], (0, 1, 2, 3), (6, 1, 35)),
    ],
)
def test_golden_layouts(shape, inputs, units, permutation, view):
    layout = kernel_layout.axes_layout(shape, inputs, units)
    assert layout == kernel_layout.KernelLayout(permutation, view, shape)


@strategies.examples(40)
@given(data=st.data())
def test_there_and_back(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), max_size=5)))
    kinds = data.draw(
        st.lists(
            st.sampled_from("piu"), min_size=len(shape), max_size=len(shape)
        )
    )
    axes = {
        kind: [a for a, k in enumerate(kinds) if k == kind] for kind in "piu"
    }
    layout = kernel_layout.axes_layout(shape, axes["i"], axes["u"])
    kernel = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    view = layout.view(tf.constant(kernel)).numpy()

    assert view.shape == layout.shape
    np.testing.assert_array_equal(layout.unview(tf.constant(view)), kernel)
    # Element by element: the flat index along each kind's axes.
    for index in np.ndindex(*shape):
        place = tuple(
            np.ravel_multi_index(
                [index[a] for a in axes[kind]], [shape[a] for a in axes[kind]]
            )
            if axes[kind]
            else 0
            for kind in "piu"
        )
        assert view[place] == kernel[index]


@pytest.mark.parametrize("dtype", [tf.bool, tf.bfloat16, tf.int32], ids=str)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_any_dtype_in_compiled_functions(dtype, jit_compile):
    layout = kernel_layout.axes_layout((3, 2, 5, 7), [3], [2])

    @tf.function(jit_compile=jit_compile, autograph=False)
    def there_and_back(kernel):
        return layout.unview(layout.view(kernel))

    kernel = tf.cast(np.arange(210).reshape(3, 2, 5, 7) % 2, dtype)
    assert there_and_back(kernel).dtype == dtype
    np.testing.assert_array_equal(there_and_back(kernel), kernel)


def operations(layout, method, shape):
    function = tf.function(getattr(layout, method), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec(shape)).graph
    return {operation.type for operation in graph.get_operations()}


def test_no_transpose_where_axes_are_in_order():
    in_order = kernel_layout.axes_layout((3, 3, 5, 7), [2], [3])
    assert "Transpose" not in operations(in_order, "view", (3, 3, 5, 7))
    assert "Transpose" not in operations(in_order, "unview", (9, 5, 7))
    swapped = kernel_layout.axes_layout((3, 3, 5, 7), [3], [2])
    assert "Transpose" in operations(swapped, "view", (3, 3, 5, 7))
    assert "Transpose" in operations(swapped, "unview", (9, 7, 5))


@pytest.mark.parametrize(
    ("inputs", "units"), [([1], [1]), ([0, 0], [1]), ([2], [1])]
)
def test_each_axis_once(inputs, units):
    with pytest.raises(
        ValueError,
        match=r"must name each axis of the kernel once\. "
        r"Received: permutation=\(.*\) for kernel_shape=\(5, 7\)\.",
    ):
        kernel_layout.axes_layout((5, 7), inputs, units)


def test_as_many_elements():
    with pytest.raises(
        ValueError,
        match=r"as many elements as the kernel\. "
        r"Received: shape=\(1, 5, 6\) for kernel_shape=\(5, 7\)\.",
    ):
        kernel_layout.KernelLayout((0, 1), (1, 5, 6), (5, 7))
