import numpy as np

from m3net.outline import outline


def drawn(picture: str) -> np.ndarray:
    return np.array([[c == "#" for c in line] for line in picture.split()])


def test_one_pixel_is_outlined_along_its_borders() -> None:
    assert outline(drawn("... .#. ...")) == ((1, 1), (2, 1), (2, 2), (1, 2), (1, 1))


def test_straight_runs_have_no_vertices_in_the_middle() -> None:
    assert set(outline(drawn("##### ##### #####"))) == {(0, 0), (5, 0), (5, 3), (0, 3)}


def test_a_hole_is_not_the_outline() -> None:
    assert set(outline(drawn("### #.# ###"))) == {(0, 0), (3, 0), (3, 3), (0, 3)}


def test_pixels_that_touch_at_a_corner_share_one_outline() -> None:
    points = outline(drawn("#. .#"))
    assert set(points) == {(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (0, 1)}
    assert points[0] == points[-1]


def test_of_two_regions_the_longer_outline_is_taken() -> None:
    assert set(outline(drawn("#.... ..### ..###"))) == {(2, 1), (5, 1), (5, 3), (2, 3)}
