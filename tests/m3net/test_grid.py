import numpy as np

from m3net.grid import GridBox, grid_points


def test_the_points_of_a_grid_are_its_indices_mapped() -> None:
    affine = np.array([[0, 0, 0.5, -100], [0, 0.5, 0, -50], [2.5, 0, 0, 200], [0, 0, 0, 1.0]])
    points = grid_points(affine, (2, 3, 4))
    assert points.shape == (2, 3, 4, 3)
    assert points[1, 2, 3].tolist() == [-98.5, -49.0, 202.5]


def test_the_box_about_points_holds_them() -> None:
    assert GridBox.about([(0.2, -1.5, 3), (2.0, 4.1, 3)]) == GridBox(
        first=(0, -2, 3), shape=(3, 8, 1)
    )


def test_what_lies_in_a_box_is_cut_out_and_the_rest_is_filled() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    box = GridBox(first=(1, -1, 2), shape=(2, 2, 3))
    cut = box.cut(array, of=GridBox.whole(array), fill=-1)
    assert cut.tolist() == [[[-1, -1, -1], [14, 15, -1]], [[-1, -1, -1], [-1, -1, -1]]]


def test_a_box_that_misses_the_array_holds_nothing_of_it() -> None:
    array = np.ones((2, 3, 4), dtype=bool)
    box = GridBox(first=(5, 0, 0), shape=(2, 2, 2))
    assert not box.cut(array, of=GridBox.whole(array), fill=False).any()
