import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from tf_rigl.wann import ranking


def dominates(one, other):
    return all(a >= b for a, b in zip(one, other, strict=True)) and any(
        a > b for a, b in zip(one, other, strict=True)
    )


def fronts_by_definition(points):
    """Takes away, again and again, all that nothing left dominates."""
    left, number, found = set(range(len(points))), 0, [None] * len(points)
    while left:
        front = {
            one
            for one in left
            if not any(dominates(points[two], points[one]) for two in left)
        }
        for one in front:
            found[one] = number
        left -= front
        number += 1
    return found


def crowding_by_definition(points):
    """NSGA-II: the sides of the box between a point's two neighbors."""
    total = [0.0] * len(points)
    for column in zip(*points, strict=True):
        order = sorted(range(len(points)), key=lambda place: column[place])
        span = column[order[-1]] - column[order[0]]
        for rank, place in enumerate(order):
            if rank in (0, len(order) - 1):
                total[place] = float("inf")
            elif span > 0:
                gap = column[order[rank + 1]] - column[order[rank - 1]]
                total[place] += gap / span
    return total


# Few values, so that many points agree in an objective or in both.
POINTS = strategies.lists(
    strategies.tuples(strategies.integers(0, 6), strategies.integers(0, 6)),
    min_size=1,
    max_size=25,
)


@hypothesis.given(POINTS)
@hypothesis.settings(max_examples=80, deadline=None)
def test_fronts_and_crowding_equal_the_definition(points):
    array = np.array(points, float)
    found = ranking.fronts(array)
    assert found.tolist() == fronts_by_definition(points)
    for number in range(found.max() + 1):
        there = [
            point
            for point, at in zip(points, found, strict=True)
            if at == number
        ]
        np.testing.assert_allclose(
            ranking.crowding(np.array(there, float)),
            crowding_by_definition(there),
        )


def test_fronts_equal_those_of_moocore():
    moocore = pytest.importorskip("moocore")
    random = np.random.default_rng(0)
    for points in (
        random.normal(size=(300, 2)),
        random.integers(0, 9, (300, 3)).astype(float),
    ):
        # It minimizes.
        expected = moocore.pareto_rank(-points)
        np.testing.assert_array_equal(ranking.fronts(points), expected)


# Points with their crowding distances by pymoo 0.6.2, the mean over objectives
# of `calc_crowding_distance`. Three come twice; the last objective is constant.
CROWDED = np.array(
    [
        (3, 5, 4, 0.101851851852),
        (0, 12, 4, np.inf),
        (7, 1, 4, 0.203703703704),
        (3, 5, 4, 0.027777777778),
        (1, 8, 4, 0.203703703704),
        (9, 0, 4, np.inf),
        (0, 12, 4, np.inf),
        (5, 2, 4, 0.194444444444),
        (4, 4, 4, 0.157407407407),
        (9, 0, 4, np.inf),
        (3, 6, 4, 0.064814814815),
        (1, 6, 4, 0.129629629630),
    ]
)


def check_crowded(points, expected):
    found = ranking.crowding(points) / 3
    np.testing.assert_allclose(found[1:-1], expected[1:-1], rtol=1e-9)
    # Of equal values, too, the first and the last are ends here, as in the
    # published code. In pymoo a constant objective has none.
    assert np.all(np.isinf(found[[0, -1]]))
    varying = ranking.crowding(points[:, :2]) / 3
    np.testing.assert_allclose(varying, expected, rtol=1e-9)


def test_crowding_equals_what_pymoo_gave():
    check_crowded(CROWDED[:, :3], CROWDED[:, 3])


def test_crowding_equals_that_of_pymoo():
    metrics = pytest.importorskip(
        "pymoo.operators.survival.rank_and_crowding.metrics"
    )
    random = np.random.default_rng(0)
    first = np.sort(random.normal(size=40))
    front = np.stack([first, -np.sort(random.normal(size=40))], axis=1)
    front = front[random.permutation(40)]
    expected = metrics.calc_crowding_distance(-front)
    # It takes the mean over the objectives.
    found = ranking.crowding(front) / 2
    np.testing.assert_allclose(found, expected)
    points = CROWDED[:, :3]
    check_crowded(points, metrics.calc_crowding_distance(points))


def test_the_scale_of_the_published_code():
    """|1 / max − min|, where 1 / (max − min) is meant: another order."""
    front = np.array([[1.0, 8.0], [2.0, 7.0], [4.0, 6.9], [5.0, 1.0]])
    right = ranking.crowding(front)
    published = ranking.crowding(front, "reference")
    np.testing.assert_allclose(right[1:3], [3 / 4 + 1.1 / 7, 3 / 4 + 6 / 7])
    np.testing.assert_allclose(
        published[1:3],
        [3 * abs(1 / 5 - 1) + 1.1 * abs(1 / 8 - 1), 3 * 0.8 + 6 * 0.875],
    )
    random = np.random.default_rng(0)
    differ = 0
    for _ in range(50):
        ordered = np.sort(random.uniform(0, 800, 12))
        front = np.stack([ordered, 1 / np.arange(5, 17)], axis=1)
        orders = [
            np.argsort(-ranking.crowding(front, preset), kind="stable")
            for preset in ranking.PRESETS
        ]
        differ += not np.array_equal(*orders)
    assert differ > 40


def test_the_best_of_the_first_objective_is_first():
    random = np.random.default_rng(0)
    for _ in range(30):
        points = random.integers(0, 5, (20, 2)).astype(float)
        best = ranking.order(points)[0]
        assert points[best, 0] == points[:, 0].max()
        front = ranking.fronts(points)
        assert np.all(np.diff(front[ranking.order(points)]) >= 0)


def test_objectives():
    means, maxima = np.array([1.0, 2.0]), np.array([3.0, 2.5])
    connections = np.array([0, 4])
    np.testing.assert_array_equal(
        ranking.objectives(means, maxima, connections, True),
        [[1.0, 1.0], [2.0, 0.25]],
    )
    np.testing.assert_array_equal(
        ranking.objectives(means, maxima, connections, False),
        [[1.0, 3.0], [2.0, 2.5]],
    )
