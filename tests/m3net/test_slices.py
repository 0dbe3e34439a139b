"""Ten slices of a nodule, from where its voxels lie."""

import numpy as np
import pytest

from m3net.slices import SIDE, slices_of

SPACING_MM = (2.0, 0.5, 0.8)


def _ball() -> tuple[np.ndarray, np.ndarray]:
    """HU that tells the place, 100 z + 10 y + x, and a ball of 9 mm about (8, 20, 14)."""
    z, y, x = np.indices((17, 40, 30))
    away = np.stack([(z - 8) * 2.0, (y - 20) * 0.5, (x - 14) * 0.8])
    return (100 * z + 10 * y + x).astype(np.int16), np.linalg.norm(away, axis=0) <= 4.5


def test_ten_slices_pass_through_the_nodule_along_the_three_planes() -> None:
    hu, mask = _ball()
    cut = slices_of(hu, mask, SPACING_MM)
    assert cut.shape == (10, 2, SIDE, SIDE)
    assert cut.dtype == np.float32
    middle = cut[:, 0, SIDE // 2 - 1 : SIDE // 2 + 1, SIDE // 2 - 1 : SIDE // 2 + 1].mean((1, 2))
    # of the five slices that are marked, the largest is slice 8; a quarter of five is 1.25 slices
    one_cube = [1014.0, 889.0, 1139.0, 1014.0, 1014.0]
    assert middle == pytest.approx(one_cube * 2, abs=0.01)


def test_a_cube_of_32_mm_and_one_of_twice_the_nodule() -> None:
    """Pixels of 0.2 mm; and of a nodule that is marked 10 mm along z, of 0.125 mm."""
    hu, mask = _ball()
    cut = slices_of(hu, mask, SPACING_MM)
    for first, pixel_mm in ((0, 0.2), (5, 0.125)):
        axial, coronal, sagittal = cut[first, 0], cut[first + 3, 0], cut[first + 4, 0]
        at = SIDE // 2
        assert axial[at + 8, at] - axial[at, at] == pytest.approx(8 * pixel_mm / 0.5 * 10, abs=0.01)
        assert axial[at, at + 8] - axial[at, at] == pytest.approx(8 * pixel_mm / 0.8, abs=0.01)
        down = coronal[at + 8, at] - coronal[at, at]
        assert down == pytest.approx(8 * pixel_mm / 2 * 100, abs=0.01)
        assert sagittal[at + 8, at] - sagittal[at, at] == pytest.approx(down, abs=0.01)
        assert sagittal[at, at + 8] - sagittal[at, at] == pytest.approx(
            8 * pixel_mm / 0.5 * 10, abs=0.01
        )


def test_beyond_what_may_be_seen_its_border_goes_on() -> None:
    hu, mask = _ball()
    axial = slices_of(hu, mask, SPACING_MM)[0]
    assert axial[0, 0, 0] == 800.0  # row and column 0 of slice 8
    assert axial[0, -1, -1] == 800 + 390 + 29
    assert not axial[1, 0].any()


def test_a_single_voxel_has_slices_too() -> None:
    hu, mask = _ball()
    alone = np.zeros_like(mask)
    alone[3, 30, 5] = True
    cut = slices_of(hu, alone, SPACING_MM)
    assert cut[0, 1].max() > 0.5
    assert np.isfinite(cut).all()
