"""The phantom keeps its word: what the annotations say of it is what its voxels show."""

from functools import cache

import numpy as np
import pytest
from pydicom.dataset import Dataset

from node.demo.annotations import measurement_report, segmentation
from node.demo.phantom import Margin, Phantom, Subject, chest_phantom


@cache
def small() -> Phantom:
    return chest_phantom(size=128, slices=60)


def hu_of(dataset: Dataset) -> np.ndarray:
    return dataset.pixel_array.astype(np.int32) + int(dataset.RescaleIntercept)


def voxel_mm(phantom: Phantom, index: np.ndarray) -> np.ndarray:
    """(z, y, x) -> LPS, by the slices' own attributes."""
    first, second = phantom.ct[0], phantom.ct[1]
    origin = np.array([float(v) for v in first.ImagePositionPatient])
    step = float(second.ImagePositionPatient[2]) - origin[2]
    row_mm, column_mm = (float(v) for v in first.PixelSpacing)
    return origin + np.array([index[2] * column_mm, index[1] * row_mm, index[0] * step])


def test_the_nodules_are_where_they_are_said_to_be():
    assert [n.centre_mm for n in small().nodules] == [
        (-72.0, -14.0, -80.0),
        (74.0, -22.0, -110.0),
        (-82.0, 34.0, -140.0),
        (84.0, 36.0, -185.0),
        (-78.0, -44.0, -170.0),
        (66.0, 79.0, -150.0),
    ]
    for nodule in small().nodules:
        voxels = np.argwhere(small().mask(nodule))
        centroid = voxel_mm(small(), voxels.mean(axis=0))
        assert centroid == pytest.approx(nodule.centre_mm, abs=0.6)


def test_a_nodule_has_the_volume_of_its_diameter():
    nodule = small().nodules[2]
    voxels = int(small().mask(nodule).sum())
    litre = voxels * 2.8125 * 2.8125 * 5.0
    assert (6 * litre / np.pi) ** (1 / 3) == pytest.approx(21.0, abs=0.5)


@pytest.mark.parametrize(
    ("margin", "low", "high"),
    [
        (Margin.LOBULATED, -60, 110),
        (Margin.SPICULATED, -60, 110),
        (Margin.GROUND_GLASS, -720, -450),
    ],
)
def test_a_nodule_has_the_density_of_its_kind(margin: Margin, low: int, high: int):
    nodule = next(n for n in small().nodules if n.margin is margin)
    mask = small().mask(nodule)
    k = int(np.argmax(mask.sum(axis=(1, 2))))
    assert low < float(np.median(hu_of(small().ct[k])[mask[k]])) < high


def test_the_chest_has_air_fat_muscle_lung_and_bone():
    hu = np.stack([hu_of(ds) for ds in small().ct])
    share = {
        "air": np.mean(hu < -960),
        "lung": np.mean((hu > -930) & (hu < -780)),
        "fat": np.mean((hu > -150) & (hu < -50)),
        "soft": np.mean((hu > 0) & (hu < 140)),
        "bone": np.mean(hu > 300),
    }
    assert share["air"] > 0.4
    assert 0.08 < share["lung"] < 0.3
    assert share["fat"] > 0.05
    assert share["soft"] > 0.05
    assert 0.005 < share["bone"] < 0.05


def test_the_same_phantom_is_the_same_to_the_byte():
    again = chest_phantom(size=128, slices=60)
    assert again.ct == small().ct
    assert segmentation(again) == segmentation(small())
    assert measurement_report(again) == measurement_report(small())


def test_another_study_shares_no_uid():
    other = chest_phantom(size=32, slices=4, subject=Subject(study="2"))
    first = chest_phantom(size=32, slices=4)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        ours = {ds[keyword].value for ds in first.ct}
        assert ours.isdisjoint(ds[keyword].value for ds in other.ct)
    assert {ds.FrameOfReferenceUID for ds in first.ct} == {first.subject.frame_of_reference_uid}


def test_four_nodules_are_segmented_three_measured_and_one_is_both():
    seg, report = segmentation(small()), measurement_report(small())
    segmented = {item.TrackingUID for item in seg.SegmentSequence}
    groups = report.ContentSequence[-1].ContentSequence
    measured = {
        item.UID
        for group in groups
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "112040"
    }
    uid = {n.tracking_id: n.tracking_uid for n in small().nodules}
    assert segmented == {uid[f"Nodule {i}"] for i in (1, 2, 3, 4)}
    assert measured == {uid[f"Nodule {i}"] for i in (1, 5, 6)}


def test_a_mark_in_the_report_is_a_circle_about_the_nodule():
    groups = measurement_report(small()).ContentSequence[-1].ContentSequence
    region = next(item for item in groups[0].ContentSequence if item.ValueType == "SCOORD")
    column, row, rim, _ = region.GraphicData
    # x = -72 mm lies 108 mm from the left edge of the 360 mm field, in pixels of 2.8125 mm.
    assert column == pytest.approx(108 / 2.8125, abs=0.001)
    assert row == pytest.approx(166 / 2.8125, abs=0.001)
    assert rim - column == pytest.approx(4.5 / 2.8125, abs=0.001)


def test_it_is_nobody():
    assert {(str(ds.PatientName), ds.PatientID) for ds in small().ct} == {
        ("PHANTOM^CHEST", "PHANTOM-1")
    }
