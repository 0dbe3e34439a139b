from dataclasses import replace

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
from node.core.drawn import count_in_viewers, draw
from sr_templates.findings import Circle, Polyline
from sr_templates.pictures.panel import windowed

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"


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
        **values,
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
            header.SOPClassUID, header.SOPInstanceUID = CT_CLASS, uid
            header.InstanceNumber = 500 - k
            found[uid] = header
    return found


def test_the_finding_is_drawn_on_the_slice_nearest_to_the_centre() -> None:
    ct = volume()
    drawn = draw(masked(ct, (2, 4, 5), (5, 3, 4)), ct, max_slices=16)
    assert drawn.key == 4
    assert drawn.key_frame == FrameKey(SOPInstanceUID("2.25.104"))


def test_the_finding_is_never_drawn_on_a_slice_that_was_not_received() -> None:
    ct = volume(missing=frozenset({4}))
    drawn = draw(masked(ct, (2, 4, 5), (5, 3, 4)), ct, max_slices=16)
    assert drawn.key == 3
    assert 4 not in drawn.shown


def test_a_mask_is_drawn_as_its_outline_in_columns_and_rows() -> None:
    ct = volume()
    drawn = draw(masked(ct, (3, 4, 5), (1, 2, 3)), ct, max_slices=16)
    region = drawn.region(headers(ct)[SOPInstanceUID("2.25.103")])
    assert isinstance(region, Polyline)
    assert set(region.points) == {(5, 4), (8, 4), (8, 6), (5, 6)}
    assert region.points[0] == region.points[-1]


def test_a_bare_point_is_drawn_as_a_circle_of_five_millimetres() -> None:
    ct = volume()
    drawn = draw(nodule(ct, (5, 10, 15)), ct, max_slices=16)
    region = drawn.region(headers(ct)[SOPInstanceUID("2.25.105")])
    assert isinstance(region, Circle)
    assert region.centre == pytest.approx((15.5, 10.5))  # the middle of pixel 15 of row 10
    assert region.radius == pytest.approx(10)
    assert region.nominal


def test_a_circle_that_a_reader_drew_is_drawn_as_large_and_stands_for_no_point() -> None:
    ct = volume()
    drawn = draw(nodule(ct, (5, 10, 15), diameter_mm=6.0), ct, max_slices=16)
    region = drawn.region(headers(ct)[SOPInstanceUID("2.25.105")])
    assert isinstance(region, Circle)
    assert (region.radius, region.nominal) == (pytest.approx(6), False)


def test_a_capture_tells_what_was_drawn_from_what_stands_for_a_point() -> None:
    ct = volume()
    nothing = Prediction(probability=0.5, heat_maps={})
    marks = {
        "point": nodule(ct, (5, 10, 15)),
        "circle": nodule(ct, (5, 10, 15), diameter_mm=6.0),
        "outline": masked(ct, (4, 9, 14), (3, 3, 3)),
    }
    nominal = {
        what: draw(mark, ct, max_slices=16).view(nothing, headers(ct)).nominal
        for what, mark in marks.items()
    }
    assert nominal == {"point": True, "circle": False, "outline": False}


def test_a_reference_names_a_frame_only_of_an_image_of_several() -> None:
    ct = volume()
    header = headers(ct)[SOPInstanceUID("2.25.105")]
    single = draw(nodule(ct, (5, 10, 15)), ct, max_slices=16).region(header).image
    assert single.frame_number is None
    frames = [FrameKey(SOPInstanceUID("2.25.7"), 20 - z) for z in range(10)]
    multi_frame = replace(ct, frames=frames)
    header.SOPInstanceUID, header.NumberOfFrames = "2.25.7", 20
    drawn = draw(nodule(multi_frame, (5, 10, 15)), multi_frame, max_slices=16)
    assert drawn.images() == ["2.25.7"]
    assert drawn.region(header).image.frame_number == 15
    for count, frame_number in ((2, 15), (1, None), (None, None)):
        header.NumberOfFrames = count
        assert drawn.region(header).image.frame_number == frame_number


@pytest.mark.parametrize(
    ("number", "left_out", "count"),
    [(4, 0, 10), (7, 0, 10), (5, 0, None), (8, 0, None), (6, 2, 12), (9, 2, 12), (3, 2, None)],
)
def test_an_image_is_one_of_so_many_only_where_they_are_numbered_one_by_one(
    number: int, left_out: int, count: int | None
) -> None:
    ct = volume((10, 4, 4))
    other = {FrameKey(SOPInstanceUID(f"1.2.{n}")): "a scout" for n in range(left_out)}
    header = Dataset()
    header.InstanceNumber = number
    assert count_in_viewers(header, replace(ct, left_out=other), 3) == count


def test_an_image_without_a_number_is_one_of_nothing() -> None:
    assert count_in_viewers(Dataset(), volume((10, 4, 4)), 3) is None
    frames = Dataset()
    frames.NumberOfFrames, frames.InstanceNumber = 40, 1
    assert count_in_viewers(frames, volume((10, 4, 4)), 3) == 40


def test_the_capture_shows_the_ct_and_the_map_on_one_grid() -> None:
    ct = volume()
    affine = ct.affine.copy()
    affine[:3, 3] = ct.to_mm((1, 6, 11))
    values = np.zeros((8, 8, 8), np.float32)
    values[4, 4, 4] = 1
    heat = HeatMap(values=values, shown=np.ones_like(values, bool), affine=affine, has_depth=True)
    prediction = Prediction(probability=0.5, heat_maps={Scale.MICRO: heat})
    drawn = draw(masked(ct, (4, 9, 14), (3, 3, 3)), ct, max_slices=16)
    assert drawn.shown == (4, 5, 6)
    view = drawn.view(prediction, headers(ct))
    assert (view.row_direction, view.col_direction) == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert view.spacing_mm == (0.5, 0.5)
    assert view.slab_hu.shape == (3, 16, 16)  # eight pixels each way about (10, 15)
    assert view.slab_hu[1, 8, 8] == 510
    assert view.key == 1
    assert view.outline is not None
    assert view.outline.sum(axis=(1, 2)).tolist() == [9, 9, 9]
    hottest = np.unravel_index(np.nanargmax(view.maps["micro"]), view.slab_hu.shape)
    assert hottest == (1, 8, 8)  # slice 5, row 10, column 15
    assert np.isnan(view.maps["micro"][1, 0, 0])
    assert view.shown["micro"][1, 8, 8]
    assert not view.shown["micro"][1, 0, 0]


@pytest.mark.parametrize(("row_mm", "rows"), [(0.5, 40), (0.25, 80)])
def test_the_capture_reaches_as_far_as_the_largest_map_by_the_rows_spacing(
    row_mm: float, rows: int
) -> None:
    ct = replace(volume(), affine=volume().affine @ np.diag([1.0, row_mm / 0.5, 1.0, 1.0]))
    maps = {
        scale: HeatMap(
            values=np.zeros((2, size, size), np.float32),
            shown=np.ones((2, size, size), bool),
            affine=np.diag([2.5, mm, mm, 1.0])[[2, 1, 0, 3]],
            has_depth=scale is Scale.MICRO,
        )
        for scale, size, mm in ((Scale.MICRO, 8, 0.5), (Scale.MESO, 25, 0.8))  # 2 and 10 mm
    }
    drawn = draw(masked(ct, (4, 9, 14), (3, 3, 3)), ct, max_slices=16)
    view = drawn.view(Prediction(probability=0.5, heat_maps=maps), headers(ct))
    assert view.slab_hu.shape == (3, rows, rows)
    assert view.flat_scales == {"meso"}
    assert view.locator is not None
    assert view.locator.first == (10 - rows // 2, 15 - rows // 2)


def test_at_the_end_of_the_scan_its_last_slices_are_shown() -> None:
    ct = volume()
    assert draw(masked(ct, (9, 9, 14), (1, 3, 3)), ct, max_slices=16).shown == (7, 8, 9)
    assert draw(masked(ct, (0, 9, 14), (1, 3, 3)), ct, max_slices=16).shown == (0, 1, 2)


@pytest.mark.parametrize("first", [0, 9])
def test_a_mask_of_which_no_slice_was_received_is_drawn_as_a_circle_on_the_nearest(
    first: int,
) -> None:
    ct = volume(missing=frozenset({first}))
    drawn = draw(masked(ct, (first, 9, 14), (1, 3, 3)), ct, max_slices=16)
    assert drawn.key == abs(first - 1)
    assert isinstance(drawn.region(headers(ct)[drawn.key_frame.sop_instance_uid]), Circle)


def test_slices_come_as_viewers_page_by_image_number() -> None:
    ct = volume()
    nothing = Prediction(probability=0.5, heat_maps={})
    drawn = draw(masked(ct, (4, 9, 14), (3, 3, 3)), ct, max_slices=16)
    view = drawn.view(nothing, headers(ct))
    # the image numbers of this CT fall towards the head
    assert [s.image_number for s in view.slices] == [494, 495, 496]
    assert [s.position_mm for s in view.slices] == [215.0, 212.5, 210.0]
    assert view.slab_hu[0, 70, 70] == 610
    assert view.key == 1


def test_without_image_numbers_of_their_own_slices_come_by_position() -> None:
    ct = volume()
    same = headers(ct)
    for header in same.values():
        header.InstanceNumber = 1
    drawn = draw(masked(ct, (4, 9, 14), (3, 3, 3)), ct, max_slices=16)
    view = drawn.view(Prediction(probability=0.5, heat_maps={}), same)
    assert [s.position_mm for s in view.slices] == [210.0, 212.5, 215.0]


def test_a_scan_with_writing_in_its_pixels_is_not_shown_whole() -> None:
    ct = volume()
    written = headers(ct)
    drawn = draw(masked(ct, (4, 9, 14), (3, 3, 3)), ct, max_slices=16)
    nothing = Prediction(probability=0.5, heat_maps={})
    assert drawn.view(nothing, written).locator is not None
    for header in written.values():
        header.BurnedInAnnotation = "YES"
    assert drawn.view(nothing, written).locator is None


def test_beyond_the_scan_the_capture_is_black_and_not_the_grey_of_lung() -> None:
    ct = volume()
    flat = HeatMap(
        values=np.zeros((1, 16, 16), np.float32),
        shown=np.ones((1, 16, 16), bool),
        affine=ct.affine,
        has_depth=True,
    )
    drawn = draw(masked(ct, (4, 0, 0), (1, 2, 2)), ct, max_slices=1)
    view = drawn.view(Prediction(probability=0.5, heat_maps={Scale.MICRO: flat}), headers(ct))
    assert view.slab_hu.shape == (1, 16, 16)
    assert windowed(view.slab_hu)[0, 0, 0] == 0
    assert view.slab_hu[0, 15, 15] == 407
