import numpy as np
import pytest

from tf_rigl.core import channel_scores


def kernels(channels=6, elements=9):
    random = np.random.default_rng(0)
    return random.normal(size=(channels, elements)).astype("float32")


def test_norms():
    slices = kernels()
    rows = [[float(x) for x in row] for row in slices]
    np.testing.assert_allclose(
        channel_scores.l1(slices), [sum(map(abs, row)) for row in rows]
    )
    np.testing.assert_allclose(
        channel_scores.l2(slices),
        [sum(x * x for x in row) ** 0.5 for row in rows],
    )


def test_distances_to_all_others():
    slices = kernels()
    slices[4] = slices[1]
    expected = [
        sum(np.linalg.norm(np.float64(one) - other) for other in slices)
        for one in slices
    ]
    np.testing.assert_allclose(channel_scores.fpgm(slices), expected, rtol=1e-6)


def test_equal_kernels_have_no_distance():
    assert not channel_scores.fpgm(np.full((5, 7), 0.3, "float32")).any()


def test_loss_change_is_the_square_of_one_sum():
    scale, shift = np.array([[2.0], [0.5]]), np.array([[1.0], [3.0]])
    scores = channel_scores.loss_change(
        [(scale, np.array([[3.0], [1.0]])), (shift, np.array([[-2.0], [0.5]]))]
    )
    np.testing.assert_allclose(scores, [(6 - 2) ** 2, (0.5 + 1.5) ** 2])


@pytest.mark.parametrize(
    ("reduce", "normalize", "expected"),
    [
        ("mean", False, [3.5, 2.0, 5.0]),
        ("sum", False, [7.0, 4.0, 10.0]),
        ("max", False, [6.0, 3.0, 6.0]),
        # Means are 2 and 5.
        ("sum", True, [0.5 + 1.2, 0.5 + 0.6, 2 + 1.2]),
    ],
)
def test_members_become_one_score(reduce, normalize, expected):
    members = [np.array([1.0, 1.0, 4.0]), np.array([6.0, 3.0, 6.0])]
    for order in (members, members[::-1]):
        np.testing.assert_allclose(
            channel_scores.combine(order, reduce, normalize), expected
        )


def test_order_of_members_changes_no_bit():
    members = list(np.random.default_rng(0).random((7, 50)))
    forwards = channel_scores.combine(members, "mean", True)
    backwards = channel_scores.combine(members[::-1], "mean", True)
    np.testing.assert_array_equal(forwards, backwards)


def test_scores_of_zero_have_no_mean_to_be_divided_by():
    combined = channel_scores.combine([np.zeros(3)], "mean", True)
    np.testing.assert_array_equal(combined, np.zeros(3))
