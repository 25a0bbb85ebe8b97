import numpy as np
import pytest

from tf_rigl.core import low_rank


def draw(rows=9, columns=6):
    return np.random.default_rng(1).normal(size=(rows, columns))


@pytest.mark.parametrize("rank", [1, 4, 6])
def test_factors_are_balanced_and_the_best_of_their_rank(rank):
    matrix = draw()
    singular = np.linalg.svd(matrix, compute_uv=False)
    first, last = low_rank.balanced_factors(matrix, rank)
    assert first.shape == (9, rank) and last.shape == (rank, 6)
    np.testing.assert_allclose(
        first.T @ first, np.diag(singular[:rank]), atol=1e-12
    )
    np.testing.assert_allclose(
        last @ last.T, np.diag(singular[:rank]), atol=1e-12
    )
    error = np.sum((matrix - first @ last) ** 2)
    assert error == pytest.approx(np.sum(singular[rank:] ** 2), abs=1e-12)


def test_a_third_factor_is_the_identity():
    first, middle, last = low_rank.balanced_factors(draw(), 4, depth=3)
    np.testing.assert_array_equal(middle, np.eye(4))
    np.testing.assert_array_equal(
        first @ last, np.linalg.multi_dot(low_rank.balanced_factors(draw(), 4))
    )


def test_overcomplete_factors_are_the_matrix_and_have_no_dead_ranks():
    first, last = low_rank.balanced_factors(draw(), 10)
    np.testing.assert_allclose(first @ last, draw(), atol=1e-12)
    np.testing.assert_allclose(first.T @ first, last @ last.T, atol=1e-12)
    assert np.abs(first).max(0).min() > 1e-3
    assert np.abs(last).max(1).min() > 1e-3


@pytest.mark.parametrize(
    ("energy", "rank"), [(0.5, 1), (0.8, 1), (0.81, 2), (0.99, 3), (1.0, 3)]
)
def test_rank_of_energy_is_the_least(energy, rank):
    # Σσ² is 80, 18, 2 and 0 of 100.
    matrix = np.diag(np.sqrt([80, 18, 2, 0]))
    assert low_rank.rank_of_energy(matrix, energy) == rank


@pytest.mark.parametrize(
    ("scale", "full", "rank"), [(0.111, 48, 5), (0.111, 4, 1), (0.5, 5, 2)]
)
def test_scaled_rank_rounds_as_published_and_is_no_less_than_1(
    scale, full, rank
):
    assert low_rank.scaled_rank(scale, full) == rank
