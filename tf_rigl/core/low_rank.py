"""Factors of matrices: balanced ones by the SVD, and how large they may be."""

import numpy as np

# Elements of a kernel up to which two thin products have been no faster than
# one on a CPU, for a batch of 1; see `benchmarks/factorize_latency.py`.
SMALL = 256 * 256


def balanced_factors(
    matrix: np.ndarray, rank: int, depth: int = 2, seed: int = 0
) -> list[np.ndarray]:
    """Returns factors whose product is the best matrix of a rank.

    With the SVD A Σ Bᵀ they are A_r √Σ_r and √Σ_r B_rᵀ, for a depth of 3 with
    the identity between them. They are balanced, that is both have the Gram
    matrix Σ_r, and the squared error is the tail of Σ² (Eckart and Young).

    Above the full rank the product is the matrix itself, and the factors are
    turned by a random matrix Q with orthonormal rows: A √Σ Q and Qᵀ √Σ Bᵀ.
    Zeros would serve as well, but gradient descent could never leave them.

    Args:
        matrix: float [rows, columns].
        rank: the inner size, at least 1.
        depth: the number of factors, 2 or 3.
        seed: the seed of Q, which a rank up to the full one does not need.

    Returns:
        Factors [rows, rank], for a depth of 3 [rank, rank], and
        [rank, columns], float64.
    """
    matrix = np.asarray(matrix, np.float64)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(values)
    first, last = (left * root)[:, :rank], (root[:, None] * right)[:rank]

    if rank > len(values):
        random = np.random.default_rng(seed).normal(size=(rank, len(values)))
        turn = np.linalg.qr(random)[0].T
        first, last = first @ turn, turn.T @ last
    middle = [np.eye(rank)] if depth == 3 else []
    return [first, *middle, last]


def rank_of_energy(matrix: np.ndarray, energy: float) -> int:
    """Returns the least rank that keeps a share of the squared norm.

    Args:
        matrix: float [rows, columns].
        energy: the share of Σσ² to keep, in (0, 1].
    """
    values = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
    kept = np.cumsum(values**2)
    # A share of 1 of a sum is that sum, also where it is rounded otherwise.
    reached = kept >= energy * kept[-1] * (1 - 1e-12)
    return int(np.argmax(reached)) + 1


def num_weights(rows: int, columns: int, rank: int, depth: int = 2) -> int:
    """Returns the number of elements of all factors of a matrix."""
    return rank * (rows + columns) + (depth - 2) * rank * rank


def scaled_rank(scale: float, full: int) -> int:
    """Returns the rank that is a multiple of a full one, at least 1.

    Halves are rounded to even, as Python and the published code do.
    """
    return max(1, round(scale * full))
