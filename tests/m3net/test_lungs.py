"""The side of a nodule: said where both lungs are there, and never wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.ct.series import read_series_files
from m3net.lungs import Side, find_lungs
from m3net.volume import CTVolume
from node.demo.phantom import chest_phantom
from tests import lidc

AIR, LUNG, TISSUE = -1000, -850, 40
Shape = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]


def lung_at(x_mm: float, *, half_mm: float = 55.0) -> Shape:
    return lambda x, y, z: (
        (np.abs(x - x_mm) / half_mm) ** 2 + (np.abs(y) / 80) ** 2 + (z / 130) ** 2 < 1
    )


BOTH = (lung_at(-75.0), lung_at(75.0))


def chest(
    *holes: Shape,
    field_mm: float = 360.0,
    height_mm: float = 300.0,
    middle_mm: float = 0.0,
    body_mm: float = 160.0,
    spacing_mm: tuple[float, float, float] = (5.0, 3.0, 3.0),
) -> CTVolume:
    """A body, an elliptical cylinder about x = 0, with holes of lung; LPS, axial."""
    shape = np.round(np.array([height_mm, field_mm, field_mm]) / spacing_mm).astype(int)
    z, y, x = ((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing_mm, strict=True))
    z, y, x = np.meshgrid(z, y, x + middle_mm, indexing="ij")
    hu = np.full(z.shape, AIR, dtype=np.int16)
    hu[(x / body_mm) ** 2 + (y / 110) ** 2 < 1] = TISSUE
    for hole in holes:
        hu[hole(x, y, z) & (hu == TISSUE)] = LUNG
    affine = np.array(
        [
            [0.0, 0.0, spacing_mm[2], x.min()],
            [0.0, spacing_mm[1], 0.0, y.min()],
            [spacing_mm[0], 0.0, 0.0, z.min()],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    return volume(hu, affine)


def volume(hu: NDArray[np.int16], affine: NDArray[np.float64]) -> CTVolume:
    return CTVolume(
        hu=hu,
        affine=affine,
        study_instance_uid="1",
        series_instance_uid="2",
        frame_of_reference_uid="3",
        frames=(None,) * len(hu),
    )


def side(ct: CTVolume, x_mm: float, y_mm: float = 0.0, z_mm: float = 0.0) -> Side | None:
    lungs = find_lungs(ct)
    return None if lungs is None else lungs.side_of((x_mm, y_mm, z_mm))


def test_x_of_lps_grows_to_the_patients_left() -> None:
    ct = chest(*BOTH)
    assert side(ct, -75.0) is Side.RIGHT
    assert side(ct, 75.0) is Side.LEFT


def test_between_the_lungs_no_side_is_said() -> None:
    assert side(chest(*BOTH), 0.0) is None


def test_in_the_arm_or_the_belly_no_side_is_said() -> None:
    assert side(chest(*BOTH), 170.0, 60.0) is None
    assert side(chest(*BOTH, height_mm=500.0), 75.0, 0.0, -220.0) is None


def test_a_patient_who_lies_otherwise_has_the_same_sides() -> None:
    """The same voxels stored in another order, as of a prone or feet-first patient."""
    ct = chest(*BOTH, lambda x, y, z: (np.abs(x + 75) < 40) & (np.abs(y - 60) < 15))
    for axes in ((1, 2), (0, 2), (0, 1)):
        affine = ct.affine.copy()
        for axis in axes:
            last = np.zeros(3)
            last[axis] = ct.shape[axis] - 1
            affine[:3, 3] += ct.affine[:3, :3] @ last
            affine[:3, axis] *= -1
        flipped = volume(np.ascontiguousarray(np.flip(ct.hu, axes)), affine)
        assert side(flipped, -75.0) is Side.RIGHT
        assert side(flipped, 75.0) is Side.LEFT


def test_lungs_that_touch_in_front_are_told_apart() -> None:
    seam: Shape = lambda x, y, z: (np.abs(x) < 40) & (np.abs(y + 40) < 6) & (np.abs(z) < 60)  # noqa: E731
    airway: Shape = lambda x, y, z: np.hypot(y, z) * 1.0 < 8  # noqa: E731
    ct = chest(*BOTH, seam, lambda x, y, z: airway(x, y, z) & (np.abs(x) < 75))
    assert side(ct, 75.0) is Side.LEFT


@pytest.mark.parametrize(
    "ct",
    [
        pytest.param(chest(lung_at(75.0)), id="one lung"),
        pytest.param(chest(lung_at(75.0), lung_at(-75.0, half_mm=20)), id="a small second one"),
        pytest.param(chest(lung_at(30.0, half_mm=90)), id="one lung across the middle"),
        pytest.param(chest(*BOTH, height_mm=20.0), id="a few slices"),
        pytest.param(chest(*BOTH, field_mm=150.0), id="a tiny field of view"),
        pytest.param(chest(*BOTH, field_mm=240.0), id="a field of view that cuts the lungs"),
        pytest.param(
            chest(*BOTH, field_mm=220.0, middle_mm=75.0), id="a field of view about one lung"
        ),
        pytest.param(
            chest(
                lambda x, y, z: lung_at(75.0)(x, y, z) & (z > 15),
                lambda x, y, z: lung_at(75.0)(x, y, z) & (z < -15),
            ),
            id="one lung in two parts",
        ),
        pytest.param(
            chest(lung_at(10.0, half_mm=38), lung_at(105.0, half_mm=38)),
            id="two parts of one side",
        ),
        pytest.param(chest(), id="no lung at all"),
    ],
)
def test_without_both_lungs_no_side_is_said(ct: CTVolume) -> None:
    assert side(ct, 75.0) is None


def test_the_phantoms_nodules_lie_where_they_were_put(tmp_path: Path) -> None:
    phantom = chest_phantom(size=128, slices=60)
    paths = []
    for number, dataset in enumerate(phantom.ct):
        paths.append(tmp_path / str(number))
        dataset.save_as(paths[-1], enforce_file_format=True)
    ct = read_series_files(paths)
    assert [side(ct, *nodule.centre_mm) for nodule in phantom.nodules] == [
        Side.RIGHT,
        Side.LEFT,
        Side.RIGHT,
        Side.LEFT,
        Side.RIGHT,
        Side.LEFT,
    ]


@pytest.mark.lidc
def test_the_nodules_of_real_chests_have_their_sides() -> None:
    found = []
    for name in ("LIDC-IDRI-0001", "LIDC-IDRI-0003"):
        study = lidc.study(name)
        ct = read_series_files(study.ct)
        lungs = find_lungs(ct)
        assert lungs is not None
        found += [lungs.side_of(ct.to_mm(each.centre_index)) for each in study.nodules]
    assert found == [Side.LEFT, Side.LEFT, Side.LEFT, Side.LEFT, Side.RIGHT]
