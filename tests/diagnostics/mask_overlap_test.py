"""Overlap of masks, and that of random ones, by counting all of them."""

import itertools
import re

import numpy as np
import pytest

import tf_rigl
from tests import support


def mask(*places, size=6):
    found = np.zeros(size, bool)
    found[list(places)] = True
    return found


def test_counts():
    first = {"a": mask(0, 1, 2), "b": mask(0).reshape(2, 3)}
    second = {"b": mask(0, 5).reshape(2, 3), "a": mask(2, 3, 4, 5)}
    result = tf_rigl.mask_overlap(first, second)

    a, b = result.rows
    assert (a.path, a.size, a.first, a.second, a.both) == ("a", 6, 3, 4, 1)
    assert (a.overlap, a.jaccard) == (1 / 3, 1 / 6)
    assert (b.path, b.overlap, b.jaccard) == ("b", 1.0, 0.5)
    total = result.total
    assert (total.first, total.second, total.both) == (4, 6, 2)
    assert (total.overlap, total.jaccard) == (0.5, 0.25)


@pytest.mark.parametrize(("first", "second"), [(2, 3), (1, 5), (4, 4)])
def test_random_masks(first, second):
    """All pairs of masks with these counts, each as likely."""
    places = [
        [mask(*one) for one in itertools.combinations(range(6), count)]
        for count in (first, second)
    ]
    common = [
        int((one & other).sum()) for one, other in itertools.product(*places)
    ]
    result = tf_rigl.mask_overlap(
        {"a": mask(*range(first)), "b": mask(*range(first))},
        {"a": mask(*range(second)), "b": mask(*range(6 - second, 6))},
    )

    row, total = result.rows[0], result.total
    assert row.expected_both == pytest.approx(np.mean(common))
    assert row.variance_of_both == pytest.approx(np.var(common))
    assert row.expected_overlap == pytest.approx(np.mean(common) / first)
    assert row.deviations == pytest.approx(
        (row.both - np.mean(common)) / np.std(common)
    )
    # Of two independent weights.
    assert total.expected_both == pytest.approx(2 * np.mean(common))
    assert total.variance_of_both == pytest.approx(2 * np.var(common))


def test_masks_without_a_choice():
    full = {"a": mask(*range(6))}
    total = tf_rigl.mask_overlap(full, {"a": mask(1, 4)}).total
    assert (total.overlap, total.expected_overlap) == (1 / 3, 1 / 3)
    assert (total.jaccard, total.expected_jaccard) == (1 / 3, 1 / 3)
    assert total.deviations is None
    empty = {"a": mask()}
    total = tf_rigl.mask_overlap(empty, empty).total
    assert (total.overlap, total.jaccard, total.deviations) == (0, 0, None)


@support.one_keras("keras")
def test_masks_of_models(keras):
    """Two random starts share what chance lets them; a table shows it."""
    masks = [
        tf_rigl.masks(
            tf_rigl.sparsify(
                support.make_mlp(keras, units=(300,), inputs=100),
                0.8,
                seed=seed,
            )
        )
        for seed in (1, 2)
    ]
    masks[1] = dict(zip(masks[0], masks[1].values(), strict=True))

    result = tf_rigl.mask_overlap(*masks)

    assert result.total.first == result.total.second
    assert result.total.overlap == pytest.approx(
        result.total.expected_overlap, rel=0.05
    )
    assert abs(result.total.deviations) < 4
    assert tf_rigl.mask_overlap(masks[0], masks[0]).total.jaccard == 1
    assert tf_rigl.mask_overlap(masks[0], masks[0]).total.deviations > 50
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert f"{100 * result.total.overlap:.2f} %" in str(result)
    assert "standard deviations from random masks" in lines[-1]


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        ([mask()], {"a": mask()}, TypeError, "`first` must map the paths"),
        ({"a": mask()}, None, TypeError, "`second` must map the paths"),
        ({}, {}, ValueError, "at least one. Received: 0 and 0 masks"),
        (
            {"a": mask()},
            {"b": mask()},
            ValueError,
            "only in the first: ['a'], only in the second: ['b']",
        ),
        (
            {"a": mask()},
            {"a": mask(size=5)},
            ValueError,
            "for 'a' bool[6] and bool[5]",
        ),
        (
            {"a": mask()},
            {"a": np.ones(6)},
            ValueError,
            "`array != 0` is the mask of an array",
        ),
    ],
)
def test_errors(first, second, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tf_rigl.mask_overlap(first, second)
