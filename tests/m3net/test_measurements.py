"""What is measured of bodies whose size is known."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from m3net.borders import Border
from m3net.consistency import Consistency
from m3net.measurements import NOT_MEASURED, Measured, measure
from m3net.nodule import Mask, Nodule, Point
from m3net.placed import PlacedNodule
from m3net.uids import FrameKey, SOPInstanceUID
from m3net.volume import CTVolume, transform

LUNG_HU, GLASS_HU, SOLID_HU = -850, -550, 30
TILT = np.radians(20)
AXIAL = np.eye(3)
OBLIQUE = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])


def body(
    axes_mm: Point,
    *,
    spacing_mm: Point = (1.0, 0.7, 0.7),
    turn: NDArray[np.float64] = AXIAL,
    slices: int | None = None,
    core_mm: float = 0.0,
    hu: int = SOLID_HU,
    centre_slice: float | None = None,
) -> PlacedNodule:
    """An ellipsoid of full axes (x, y, z) in lung, blurred over 1 mm, with a core if wanted.

    turn : LPS axes of the grid's x, y and z
    """
    spacing = np.array(spacing_mm)
    shape = np.ceil(np.array([axes_mm[2], axes_mm[1], axes_mm[0]]) * 1.5 / spacing).astype(int) + 9
    shape[0] = slices or shape[0]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = (
        turn[:, 2] * spacing[0],
        turn[:, 1] * spacing[1],
        turn[:, 0] * spacing[2],
    )
    middle = (shape - 1) / 2 + np.array([0.2, 0.3, -0.1])
    if centre_slice is not None:
        middle[0] = centre_slice
    affine[:3, 3] = -transform(affine, middle)  # the centre lies at (0, 0, 0)
    points = transform(affine, np.moveaxis(np.indices(shape), 0, -1)) @ turn  # x, y, z of the grid
    away_mm = np.linalg.norm(points, axis=-1)
    scaled = np.linalg.norm(2 * points / np.array(axes_mm), axis=-1)
    radius_mm = min(axes_mm) / 2
    edge = np.clip(0.5 + (1 - scaled) * radius_mm, 0, 1)
    values = LUNG_HU + edge * (hu - LUNG_HU)
    core = np.clip(0.5 + core_mm / 2 - away_mm, 0, 1)
    values += core * (SOLID_HU - hu)
    inside = scaled <= 1
    ct = CTVolume(
        hu=values.round().astype(np.int16),
        affine=affine,
        study_instance_uid="1",
        series_instance_uid="2",
        frame_of_reference_uid="3",
        frames=[FrameKey(SOPInstanceUID(f"2.25.{z}")) for z in range(len(values))],
    )
    return PlacedNodule(
        nodule=Nodule(
            centre_mm=(0.0, 0.0, 0.0),
            mask=Mask(voxels=inside, affine=affine),
            diameter_mm=None,
            tracking_uid="1",
            tracking_id="Nodule",
            sources=(),
        ),
        volume=ct,
    )


@pytest.mark.parametrize("turn", [AXIAL, OBLIQUE])
@pytest.mark.parametrize(
    "spacing_mm", [(0.6, 0.5, 0.5), (1.0, 0.7, 0.7), (2.5, 0.8, 0.8), (1.25, 0.6, 0.9)]
)
@pytest.mark.parametrize("axes_mm", [(8.0, 6.0, 9.0), (20.0, 14.0, 16.0), (31.0, 30.0, 25.0)])
def test_an_ellipsoid_has_its_own_axes_and_volume(
    axes_mm: Point, spacing_mm: Point, turn: NDArray[np.float64]
) -> None:
    measured = measure(body(axes_mm, spacing_mm=spacing_mm, turn=turn), thickness_mm=None)
    pixel_mm = max(spacing_mm[1:])
    assert measured.long_axis_mm == pytest.approx(axes_mm[0], abs=pixel_mm)
    assert measured.short_axis_mm == pytest.approx(axes_mm[1], abs=pixel_mm)
    volume_mm3 = np.pi / 6 * np.prod(axes_mm)
    assert measured.volume_mm3 == pytest.approx(volume_mm3, rel=0.1)


def test_a_ball_of_nine_millimetres() -> None:
    """To a pixel of 0.7 mm, and to 2 % of the volume: 4/3 pi 4.5^3 = 381.7 mm3."""
    measured = measure(body((9.0, 9.0, 9.0)), thickness_mm=1.0)
    assert measured.long_axis_mm == pytest.approx(9.0, abs=0.7)
    assert measured.short_axis_mm == pytest.approx(9.0, abs=0.7)
    assert measured.volume_mm3 == pytest.approx(381.7, rel=0.02)
    assert measured.mean_hu == pytest.approx(-100, abs=60)  # its blurred edge is in it
    assert measured.consistency is Consistency.SOLID


def test_nothing_is_measured_of_a_circle_or_a_point() -> None:
    ball = body((9.0, 9.0, 9.0))
    for diameter_mm in (None, 9.0):
        bare = replace(ball, nodule=replace(ball.nodule, mask=None, diameter_mm=diameter_mm))
        assert measure(bare, thickness_mm=1.0) == NOT_MEASURED


def test_no_axes_are_said_below_three_millimetres() -> None:
    measured = measure(body((2.4, 2.4, 2.4), spacing_mm=(0.6, 0.5, 0.5)), thickness_mm=0.6)
    assert measured.long_axis_mm is measured.short_axis_mm is None


def test_no_volume_is_said_of_a_mask_on_two_slices() -> None:
    measured = measure(body((9.0, 8.0, 9.0), spacing_mm=(5.0, 0.7, 0.7)), thickness_mm=5.0)
    assert measured.volume_mm3 is None
    assert measured.long_axis_mm == pytest.approx(9.0, abs=0.7)


@pytest.mark.parametrize(("centre_slice", "at_least_mm"), [(2.0, 9.0), (-3.0, 6.7)])
def test_where_the_scan_ends_in_the_nodule_is_said_how_long_it_is_at_least(
    centre_slice: float, at_least_mm: float
) -> None:
    cut = measure(body((9.0, 9.0, 9.0), slices=20, centre_slice=centre_slice), thickness_mm=1.0)
    assert cut.at_least_mm == pytest.approx(at_least_mm, abs=0.7)
    assert cut == Measured(cut_by=frozenset({Border.SCAN}), at_least_mm=cut.at_least_mm)


def test_nothing_is_measured_across_a_missing_slice() -> None:
    ball = body((9.0, 9.0, 9.0))
    frames = list(ball.volume.frames)
    frames[len(frames) // 2 + 2] = None
    assert (
        measure(replace(ball, volume=replace(ball.volume, frames=frames)), thickness_mm=1.0)
        == NOT_MEASURED
    )


@pytest.mark.parametrize(("columns", "at_least_mm"), [(12, 9.0), (18, 6.9)])
def test_where_the_image_ends_in_the_nodule_is_said_how_long_it_is_at_least(
    columns: int, at_least_mm: float
) -> None:
    """What an outline adds beyond the image was seen by nobody.  The ball begins in column 8."""
    ball = body((9.0, 9.0, 9.0))
    affine = ball.volume.affine.copy()
    affine[:3, 3] = ball.volume.to_mm((0, 0, columns))
    cut = replace(ball.volume, hu=ball.volume.hu[:, :, columns:], affine=affine)
    measured = measure(replace(ball, volume=cut), thickness_mm=1.0)
    assert measured.at_least_mm == pytest.approx(at_least_mm, abs=0.7)
    assert measured == Measured(cut_by=frozenset({Border.IMAGE}), at_least_mm=measured.at_least_mm)


def test_padding_ends_the_image_as_its_columns_do() -> None:
    """A round field of view: the ball lies half outside of it."""
    ball = body((9.0, 9.0, 9.0))
    padding = np.zeros(ball.volume.shape, bool)
    padding[..., :14] = True
    packed = np.packbits(padding, axis=2)
    padded = replace(ball.volume, padding=packed)
    measured = measure(replace(ball, volume=padded), thickness_mm=1.0)
    assert measured.cut_by == {Border.IMAGE}
    assert measured.volume_mm3 is None


@pytest.mark.parametrize(
    ("hu", "core_mm", "consistency"),
    [
        (SOLID_HU, 0.0, Consistency.SOLID),
        (GLASS_HU, 0.0, Consistency.GROUND_GLASS),
        (GLASS_HU, 4.0, Consistency.GROUND_GLASS),  # one vessel is no solid part
        (GLASS_HU, 9.0, None),  # a twentieth is neither
        (GLASS_HU, 15.0, Consistency.PART_SOLID),
    ],
)
def test_density_is_told_in_thin_slices(
    hu: int, core_mm: float, consistency: Consistency | None
) -> None:
    nodule = body((25.0, 25.0, 25.0), hu=hu, core_mm=core_mm)
    assert measure(nodule, thickness_mm=1.0).consistency is consistency


@pytest.mark.parametrize("thickness_mm", [2.0, 5.0])
def test_density_is_not_told_in_thick_slices(thickness_mm: float) -> None:
    nodule = body((14.0, 14.0, 14.0))
    assert measure(nodule, thickness_mm=thickness_mm).consistency is None


def test_density_is_not_told_of_a_tiny_nodule() -> None:
    assert measure(body((5.0, 5.0, 5.0)), thickness_mm=1.0).consistency is None


def test_density_is_not_told_of_a_mark_that_is_mostly_lung() -> None:
    wide = body((14.0, 14.0, 14.0))
    points = transform(wide.volume.affine, np.moveaxis(np.indices(wide.volume.shape), 0, -1))
    small = np.where(np.linalg.norm(points, axis=-1) <= 4, SOLID_HU, LUNG_HU).astype(np.int16)
    marked = replace(wide, volume=replace(wide.volume, hu=small))
    assert measure(marked, thickness_mm=1.0).consistency is None


@pytest.mark.parametrize("lung_hu", [-740, -700, -650])
def test_a_generous_outline_in_lung_that_was_not_inhaled_makes_nothing_part_solid(
    lung_hu: int,
) -> None:
    """4 mm of it all around are as dense as ground glass, and are lung."""
    wide = body((18.0, 18.0, 18.0))
    points = transform(wide.volume.affine, np.moveaxis(np.indices(wide.volume.shape), 0, -1))
    share = np.clip(0.5 + 5 - np.linalg.norm(points, axis=-1), 0, 1)
    hu = (lung_hu + share * (SOLID_HU - lung_hu)).astype(np.int16)
    marked = replace(wide, volume=replace(wide.volume, hu=hu))
    assert measure(marked, thickness_mm=1.0).consistency is None


def test_a_solid_nodule_in_such_lung_is_solid_where_it_is_outlined_closely() -> None:
    ball = body((14.0, 14.0, 14.0))
    hu = np.where(ball.volume.hu < -700, -700, ball.volume.hu).astype(np.int16)
    marked = replace(ball, volume=replace(ball.volume, hu=hu))
    assert measure(marked, thickness_mm=1.0).consistency is Consistency.SOLID
