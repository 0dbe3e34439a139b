"""A place in one CT is found again in another one of the same chest, or is said not to be."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import m3net.registration
from m3net.errors import NoduleUnusable
from m3net.nodule import Nodule, Point
from m3net.placed import PlacedNodule
from m3net.registration import Registration
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    SeriesInstanceUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from m3net.volume import CTVolume
from node.demo.anatomy import add_noise, chest_hu
from node.demo.grid import FIELD_MM, Grid
from node.demo.phantom import NODULES, PhantomNodule

GRID = Grid(size=128, slices=60)
NODULE = NODULES[1]


def in_volume(hu: NDArray[np.float32]) -> CTVolume:
    """Those HU on the phantom's grid."""
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = (GRID.slice_mm, GRID.pixel_mm, GRID.pixel_mm)
    corner = -FIELD_MM / 2 + GRID.pixel_mm / 2
    affine[:, 3] = (corner, corner, GRID.z_mm[0], 1)
    return CTVolume(
        hu=np.rint(hu).astype(np.int16),
        affine=affine,
        study_instance_uid=StudyInstanceUID("1"),
        series_instance_uid=SeriesInstanceUID("1.1"),
        frame_of_reference_uid=FrameOfReferenceUID("1.2"),
        frames=[FrameKey(SOPInstanceUID(f"1.1.{z}")) for z in range(GRID.slices)],
    )


@cache
def chest() -> CTVolume:
    clean = chest_hu(GRID, (NODULE,), 1)
    return in_volume(add_noise(clean, GRID, deviation_hu=20.0, sharp=True, seed=1))


def placed(nodule: PhantomNodule, volume: CTVolume) -> PlacedNodule:
    return PlacedNodule(
        nodule=Nodule(
            centre_mm=nodule.centre_mm,
            mask=None,
            diameter_mm=nodule.diameter_mm,
            tracking_uid=nodule.tracking_uid,
            tracking_id=nodule.tracking_id,
            sources=(),
        ),
        volume=volume,
    )


def moved(
    volume: CTVolume, *, turned_deg: float, shift_mm: Sequence[float]
) -> tuple[CTVolume, NDArray[np.float64]]:
    """The same chest as it lies on the table another time, on another grid; (4, 4) from here."""
    angle = np.deg2rad(turned_deg)
    there = np.eye(4)
    there[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    there[:3, 3] = shift_mm
    affine = volume.affine @ np.diag([1.2, 0.9, 0.9, 1.0])
    affine[:3, 3] += np.add(shift_mm, (7.3, 11.1, -4.7))
    back = np.linalg.inv(volume.affine) @ np.linalg.inv(there) @ affine
    hu = ndimage.affine_transform(
        volume.hu.astype(np.float32),
        back[:3, :3],
        offset=back[:3, 3],
        output_shape=(50, 140, 140),
        order=1,
        cval=-1000,
    )
    return replace(volume, hu=np.rint(hu).astype(np.int16), affine=affine), there


def away_mm(found: Point, nodule: PhantomNodule, there: NDArray[np.float64]) -> float:
    expected = there[:3, :3] @ nodule.centre_mm + there[:3, 3]
    return float(np.linalg.norm(np.subtract(found, expected)))


def without(nodule: PhantomNodule, volume: CTVolume) -> CTVolume:
    """The same chest before the nodule was in it."""
    inside = placed(nodule, volume).voxels()
    hu = volume.hu.copy()
    hu[tuple(slice(n, n + k) for n, k in zip(inside.box.first, inside.box.shape, strict=True))][
        inside.inside
    ] = -850
    return replace(volume, hu=hu)


def test_a_place_is_found_turned_and_a_hand_away_also_where_no_nodule_was_yet() -> None:
    now, nodule = chest(), NODULE
    then, there = moved(without(nodule, now), turned_deg=8.0, shift_mm=(31.0, -22.0, 140.0))
    registration = Registration(now, then)
    found = registration.place_of(placed(nodule, now))
    assert away_mm(found, nodule, there) < 1.0
    assert registration.place_of(placed(nodule, now)) == found


@pytest.mark.parametrize("then", ["nobody", "a scan that ends above", "somebody else"])
def test_a_place_that_the_other_scan_does_not_show_is_none(then: str) -> None:
    now = chest()
    other = {
        "nobody": in_volume(np.full(now.shape, -1000, np.float32)),
        "a scan that ends above": replace(
            now, hu=now.hu[40:], affine=_from_slice(now, 40), frames=now.frames[40:]
        ),
        "somebody else": replace(now, hu=np.ascontiguousarray(now.hu[:, :, ::-1])),
    }[then]
    with pytest.raises(NoduleUnusable):
        Registration(now, other).place_of(placed(NODULE, now))


def _from_slice(volume: CTVolume, z: int) -> NDArray[np.float64]:
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_mm((z, 0, 0))
    return affine


def test_what_no_lung_surrounds_has_no_place() -> None:
    now = chest()
    between = replace(NODULE, centre_mm=(0.0, -10.0, -200.0))
    with pytest.raises(NoduleUnusable, match="too little lung about it"):
        Registration(now, now).place_of(placed(between, now))


def test_a_chest_in_which_nothing_is_seen_has_no_place() -> None:
    flat = in_volume(np.full(chest().shape, -850, np.float32))
    with pytest.raises(NoduleUnusable):
        Registration(flat, flat).place_of(placed(NODULE, flat))


def test_scans_that_cannot_be_laid_over_each_other_are_tried_once_for_all_nodules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[CTVolume] = []
    measured = m3net.registration._whole

    def counted(volume: CTVolume) -> Any:
        tried.append(volume)
        return measured(volume)

    monkeypatch.setattr(m3net.registration, "_whole", counted)
    nothing = in_volume(np.full((GRID.slices, GRID.size, GRID.size), -2000, dtype=np.float32))
    registration = Registration(chest(), nothing)
    for _ in range(2):
        with pytest.raises(NoduleUnusable, match="one of both scans shows nothing"):
            registration.place_of(placed(NODULE, chest()))
    assert len(tried) == 2, "each scan once"
