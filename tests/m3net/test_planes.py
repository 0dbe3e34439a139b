"""Slices looked at one by one."""

import numpy as np
import pytest

from m3net.planes import block_means, with_holes


def test_blocks_of_unequal_sides_have_exact_means() -> None:
    planes = np.arange(2 * 4 * 6, dtype=np.int16).reshape(2, 4, 6)
    means = block_means(planes, rows=2, columns=3)
    assert means.tolist() == [[[4.0, 7.0], [16.0, 19.0]], [[28.0, 31.0], [40.0, 43.0]]]


def test_a_block_of_one_value_has_that_mean_and_no_other() -> None:
    """Or a threshold that a whole block stands at would be missed by rounding."""
    assert block_means(np.full((1, 3, 3), -930, np.int16), rows=3, columns=3).item() == -930.0
    dense = np.full((1, 512, 512), 30_710, np.int16)
    assert block_means(dense, rows=512, columns=512).item() == 30_710.0


@pytest.mark.parametrize("z", [0, 1])
def test_a_hole_is_filled_on_its_own_slice_and_a_bay_is_not(z: int) -> None:
    planes = np.ones((2, 5, 5), dtype=np.bool_)
    planes[:, 2, 2] = False  # open above and below: other slices do not matter
    planes[1 - z, 2, :] = False  # reaches the border
    filled = with_holes(planes)
    assert filled[z].all()
    assert np.array_equal(filled[1 - z], planes[1 - z])


def test_a_corner_lets_nothing_through() -> None:
    ring = np.array([[[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]], dtype=np.bool_)
    assert with_holes(ring)[0].tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]
