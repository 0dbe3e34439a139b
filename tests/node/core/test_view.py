import numpy as np
import pytest
from pydicom import Dataset

from m3net.nodule import AnnotationSource, Mask, Nodule
from m3net.prediction import HeatMap, Prediction
from m3net.scales import Scale
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
    StudyInstanceUID,
)
from m3net.volume import CTVolume
from node.core.view import (
    Box,
    key_slice,
    nodule_on_ct,
    nodule_view,
    region_of,
    slices_shown,
)
from sr_templates.findings import Circle, ImageReference, Polyline

IMAGE = ImageReference(sop_class_uid="1.2.840.10008.5.1.4.1.1.2", sop_instance_uid="2.25.1")


def volume(
    shape: tuple[int, int, int] = (10, 20, 30), *, missing: frozenset[int] = frozenset()
) -> CTVolume:
    """2.5 mm slices, 0.5 mm pixels, first voxel at LPS (-100, -50, 200); HU = 100 z + y."""
    affine = np.array([[0, 0, 0.5, -100], [0, 0.5, 0, -50], [2.5, 0, 0, 200], [0, 0, 0, 1.0]])
    z, y, _ = np.indices(shape)
    return CTVolume(
        hu=(100 * z + y).astype(np.int16),
        affine=affine,
        study_instance_uid=StudyInstanceUID("2.25.10"),
        series_instance_uid=SeriesInstanceUID("2.25.11"),
        frame_of_reference_uid=FrameOfReferenceUID("2.25.12"),
        frames=[
            None if k in missing else FrameKey(SOPInstanceUID(f"2.25.{100 + k}"))
            for k in range(shape[0])
        ],
        missing=missing,
    )


def nodule(ct: CTVolume, centre_index: tuple[float, float, float], **extent: object) -> Nodule:
    x, y, z = (float(v) for v in ct.to_mm(centre_index))
    values = {"mask": None, "diameter_mm": None, **extent}
    return Nodule(
        centre_mm=(x, y, z),
        tracking_uid="2.25.20",
        tracking_id="Nodule 1",
        sources=(
            AnnotationSource(
                sop_class_uid=SOPClassUID("1"), sop_instance_uid=SOPInstanceUID("2"), place="x"
            ),
        ),
        **values,  # type: ignore[arg-type]
    )


def masked(ct: CTVolume, first: tuple[int, int, int], shape: tuple[int, int, int]) -> Nodule:
    affine = ct.affine.copy()
    affine[:3, 3] = ct.to_mm(first)
    centre = tuple(f + (n - 1) / 2 for f, n in zip(first, shape, strict=True))
    return nodule(ct, centre, mask=Mask(voxels=np.ones(shape, bool), affine=affine))


def headers(ct: CTVolume) -> dict[SOPInstanceUID, Dataset]:
    found = {}
    for k, frame in enumerate(ct.frames):
        if frame is not None:
            uid = frame.sop_instance_uid
            header = Dataset()
            header.SOPClassUID, header.SOPInstanceUID = IMAGE.sop_class_uid, uid
            header.InstanceNumber = 500 - k
            found[uid] = header
    return found


def test_a_masks_voxels_lie_where_they_lay() -> None:
    ct = volume()
    box, voxels = nodule_on_ct(masked(ct, (3, 4, 5), (2, 3, 4)), ct)
    found = np.argwhere(voxels) + box.first
    assert found.min(axis=0).tolist() == [3, 4, 5]
    assert found.max(axis=0).tolist() == [4, 6, 8]


def test_a_diameter_is_a_sphere_in_millimetres() -> None:
    ct = volume()
    box, voxels = nodule_on_ct(nodule(ct, (5, 10, 15), diameter_mm=5.0), ct)
    found = np.argwhere(voxels) + box.first
    assert found.min(axis=0).tolist() == [4, 5, 10]  # 2.5 mm is one slice, five pixels
    assert found.max(axis=0).tolist() == [6, 15, 20]


def test_a_nodule_smaller_than_a_voxel_keeps_the_voxel_of_its_centre() -> None:
    ct = volume()
    box, voxels = nodule_on_ct(nodule(ct, (5.4, 10.4, 15.4), diameter_mm=0.1), ct)
    assert (np.argwhere(voxels) + box.first).tolist() == [[5, 10, 15]]


def test_the_finding_is_drawn_on_the_slice_nearest_to_the_centre() -> None:
    ct = volume()
    mark = masked(ct, (2, 4, 5), (5, 3, 4))
    box, voxels = nodule_on_ct(mark, ct)
    assert key_slice(mark, ct, box, voxels) == 4


def test_the_finding_is_never_drawn_on_a_slice_that_was_not_received() -> None:
    ct = volume(missing=frozenset({4}))
    mark = masked(ct, (2, 4, 5), (5, 3, 4))
    box, voxels = nodule_on_ct(mark, ct)
    assert key_slice(mark, ct, box, voxels) == 3


def test_a_mask_is_drawn_as_its_outline_in_columns_and_rows() -> None:
    ct = volume()
    mark = masked(ct, (3, 4, 5), (1, 2, 3))
    box, voxels = nodule_on_ct(mark, ct)
    region = region_of(mark, ct, box=box, voxels=voxels, key=3, image=IMAGE)
    assert isinstance(region, Polyline)
    assert set(region.points) == {(5, 4), (8, 4), (8, 6), (5, 6)}
    assert region.points[0] == region.points[-1]


def test_a_bare_point_is_drawn_as_a_circle_of_five_millimetres() -> None:
    ct = volume()
    mark = nodule(ct, (5, 10, 15))
    box, voxels = nodule_on_ct(mark, ct)
    region = region_of(mark, ct, box=box, voxels=voxels, key=5, image=IMAGE)
    assert isinstance(region, Circle)
    assert region.centre == pytest.approx((15.5, 10.5))  # the middle of pixel 15 of row 10
    assert region.radius == pytest.approx(10)


def test_the_capture_shows_the_ct_and_the_map_on_one_grid() -> None:
    ct = volume()
    mark = masked(ct, (4, 9, 14), (3, 3, 3))
    affine = ct.affine.copy()
    affine[:3, 3] = ct.to_mm((1, 6, 11))
    values = np.zeros((8, 8, 8), np.float32)
    values[4, 4, 4] = 1
    heat = HeatMap(values=values, affine=affine, has_depth=True)
    prediction = Prediction(probability=0.5, heat_maps={Scale.MICRO: heat})
    box, voxels = nodule_on_ct(mark, ct)
    shown = slices_shown(ct, box=box, voxels=voxels, key=5, max_frames=16)
    assert shown == [3, 4, 5, 6, 7]
    view = nodule_view(
        mark, prediction, ct, box=box, voxels=voxels, shown=shown, key=5, headers=headers(ct)
    )
    assert view.slab_hu.shape == (5, 16, 16)  # eight pixels each way about (10, 15)
    assert view.slab_hu[2, 8, 8] == 510
    assert view.key == 2
    assert view.outline is not None
    assert view.outline.sum(axis=(1, 2)).tolist() == [0, 9, 9, 9, 0]
    hottest = np.unravel_index(np.nanargmax(view.maps["micro"]), view.slab_hu.shape)
    assert hottest == (2, 8, 8)  # slice 5, row 10, column 15
    assert np.isnan(view.maps["micro"][2, 0, 0])
    assert [s.number for s in view.slices] == [4, 5, 6, 7, 8]
    assert [s.position_mm for s in view.slices] == [207.5, 210.0, 212.5, 215.0, 217.5]
    assert view.slices[0].instance_number == 497


def test_beyond_the_scan_the_capture_shows_air() -> None:
    ct = volume()
    mark = masked(ct, (4, 0, 0), (1, 2, 2))
    box, voxels = nodule_on_ct(mark, ct)
    shown = slices_shown(ct, box=box, voxels=voxels, key=4, max_frames=1)
    flat = HeatMap(values=np.zeros((1, 16, 16), np.float32), affine=ct.affine, has_depth=True)
    view = nodule_view(
        mark,
        Prediction(probability=0.5, heat_maps={Scale.MICRO: flat}),
        ct,
        box=box,
        voxels=voxels,
        shown=shown,
        key=4,
        headers=headers(ct),
    )
    assert view.slab_hu.shape == (1, 16, 16)
    assert view.slab_hu[0, 0, 0] == -1000
    assert view.slab_hu[0, 15, 15] == 407


def test_a_box_has_the_affine_of_its_first_voxel() -> None:
    affine = Box(first=(1, 2, 3), shape=(1, 1, 1)).affine(volume())
    assert affine[:3, 3].tolist() == [-98.5, -49.0, 202.5]
