"""Real chest CT with annotations made from its readers' outlines."""

import csv

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from m3net.annotations.nodules import Found, find_nodules
from m3net.annotations.readers import reader_for
from m3net.annotations.segmentation import SEGMENTATION_READER
from m3net.config import SMALL
from m3net.ct.series import read_series_files
from m3net.preprocessing import box_for
from m3net.uids import SOPClassUID
from m3net.volume import CTVolume, why_not_whole
from tests import lidc
from tests.m3net.annotations.scene import planes_of

pytestmark = pytest.mark.lidc


def found(study: lidc.LidcStudy, volume: CTVolume, *objects: Dataset) -> Found:
    planes = planes_of(study.headers)
    annotations = []
    for ds in objects:
        reader = reader_for(SOPClassUID(str(ds.SOPClassUID)))
        assert reader is not None
        annotations.append(reader.read(ds, planes))
    return find_nodules(annotations, volume)


def listed_centres(patient: str) -> list[tuple[float, float, float]]:
    """(z, row, column) of the published list of 2,625 nodules."""
    with (lidc.data_directory() / "lidc_nodules_2625.csv").open() as file:
        return [
            (
                float(row["centroid_k_slice"]),
                float(row["centroid_i_row"]),
                float(row["centroid_j_col"]),
            )
            for row in csv.DictReader(file)
            if row["patient_id"] == patient
        ]


@pytest.fixture(scope="module")
def volume_0001(lidc_0001: lidc.LidcStudy) -> CTVolume:
    return read_series_files(lidc_0001.ct[::-1])


@pytest.fixture(scope="module")
def volume_0003(lidc_0003: lidc.LidcStudy) -> CTVolume:
    return read_series_files(lidc_0003.ct)


@pytest.fixture(scope="module")
def seg_0001(lidc_0001: lidc.LidcStudy) -> Dataset:
    return lidc.segmentation(lidc_0001)


def test_the_outlines_read_here_are_those_of_the_published_list(
    lidc_0001: lidc.LidcStudy, lidc_0003: lidc.LidcStudy
) -> None:
    for study in (lidc_0001, lidc_0003):
        ours = [nodule.centre_index for nodule in study.nodules]
        assert np.allclose(ours, listed_centres(study.name), atol=0.01)
    assert [[r.malignancy for r in n.readings] for n in lidc_0003.nodules] == [
        [2],
        [5, 5, 3, 4],
        [4, 4, 3, 2],
        [4, 5, 3, 2],
    ]


def test_the_real_series_is_one_volume(volume_0001: CTVolume) -> None:
    assert volume_0001.shape == (133, 512, 512)
    assert volume_0001.spacing_mm == pytest.approx((2.5, 0.703125, 0.703125))
    assert volume_0001.to_mm([0, 0, 0]) == pytest.approx([-166.0, -171.699997, -340.0])
    assert volume_0001.missing == frozenset()
    # The nodule is denser than the lung above it.
    assert volume_0001.hu[90, 367, 316] > -100


def test_the_nodule_of_0001_is_where_its_segmentation_and_its_readers_say(
    lidc_0001: lidc.LidcStudy, volume_0001: CTVolume, seg_0001: Dataset
) -> None:
    result = found(lidc_0001, volume_0001, seg_0001)
    assert (result.refused, result.ignored) == ((), ())
    (nodule,) = result.nodules
    centre = volume_0001.to_index(nodule.centre_mm)
    own = np.argwhere(lidc_0001.mask(lidc_0001.nodules[0])).mean(axis=0)
    assert centre == pytest.approx(own, abs=1e-4)
    assert centre == pytest.approx([89.66, 366.80, 315.98], abs=1.0)
    assert nodule.tracking_uid == lidc_0001.nodules[0].tracking_uid
    assert nodule.notes == ()


@pytest.mark.parametrize("form", ["scoord", "scoord3d"])
def test_the_four_nodules_of_0003_are_where_their_readers_say(
    lidc_0003: lidc.LidcStudy, volume_0003: CTVolume, form: str
) -> None:
    report = lidc.measurement_report(lidc_0003, form=form)
    result = found(lidc_0003, volume_0003, report)
    assert result.refused == ()
    centres = [volume_0003.to_index(n.centre_mm) for n in result.nodules]
    assert np.abs(np.array(centres) - listed_centres("LIDC-IDRI-0003")).max() < 1.0
    assert [n.tracking_uid for n in result.nodules] == [n.tracking_uid for n in lidc_0003.nodules]


def test_a_report_about_segments_speaks_of_their_masks(
    lidc_0001: lidc.LidcStudy, volume_0001: CTVolume, seg_0001: Dataset
) -> None:
    report = lidc.measurement_report(lidc_0001, form="segments", segmentation=seg_0001)
    result = found(lidc_0001, volume_0001, seg_0001, report)
    assert result.refused == ()
    (nodule,) = result.nodules
    assert [s.place for s in nodule.sources] == ["segment 1", "measurement group 1"]


def test_a_segmentation_and_a_report_of_one_nodule_are_one(
    lidc_0001: lidc.LidcStudy, volume_0001: CTVolume, seg_0001: Dataset
) -> None:
    report = lidc.measurement_report(lidc_0001)
    alone = found(lidc_0001, volume_0001, seg_0001).nodules[0]
    (nodule,) = found(lidc_0001, volume_0001, seg_0001, report).nodules
    assert nodule.centre_mm == alone.centre_mm


def test_the_segmentation_whose_geometry_lies_is_refused(
    lidc_0001: lidc.LidcStudy, volume_0001: CTVolume
) -> None:
    lying = dcmread(lidc.lying_segmentation())
    result = found(lidc_0001, volume_0001, lying)
    assert result.nodules == ()
    assert [r.reason for r in result.refused] == [
        "its centre (221.8, 257.8, 106.0) mm lies outside the CT, which spans "
        "(-166.0, -171.7, -340.0) to (193.3, 187.6, -10.0) mm"
    ]


def test_a_lie_that_lands_inside_the_ct_is_refused_as_well(
    lidc_0001: lidc.LidcStudy, volume_0001: CTVolume
) -> None:
    lying = dcmread(lidc.lying_segmentation())
    for frame in lying.PerFrameFunctionalGroupsSequence:
        plane = frame.PlanePositionSequence[0]
        x, y, z = (float(v) for v in plane.ImagePositionPatient)
        plane.ImagePositionPatient = [x - 100, y - 100, z - 200]
    (refusal,) = found(lidc_0001, volume_0001, lying).refused
    assert "has the CT's matrix of 512 x 512 pixels, but its frames stand at" in refusal.reason


def test_three_slices_lost_in_the_nodule_are_noticed(
    lidc_0001: lidc.LidcStudy, seg_0001: Dataset
) -> None:
    volume = read_series_files(lidc.without_slices(lidc_0001, 3))
    assert volume.shape == (133, 512, 512)
    assert volume.missing == {89, 90, 91}
    (nodule,) = found(lidc_0001, volume, seg_0001).nodules
    reason = why_not_whole(volume, box_for(SMALL, volume, nodule).slices, nodule.centre_mm)
    assert reason is not None
    assert "CT slices about the nodule are missing, the nearest" in reason


def test_a_segmentation_names_the_slices_it_was_drawn_on(
    lidc_0001: lidc.LidcStudy, seg_0001: Dataset
) -> None:
    references = SEGMENTATION_READER.references(seg_0001)
    drawn = np.flatnonzero(lidc_0001.mask(lidc_0001.nodules[0]).any(axis=(1, 2)))
    assert references.marked_images == {lidc_0001.headers[z].SOPInstanceUID for z in drawn}
    assert len(references.sop_instance_uids) == 133


def test_a_truncated_series_is_still_a_volume() -> None:
    volume = read_series_files(lidc.study("LIDC-IDRI-0023").ct)
    assert volume.shape == (101, 512, 512)
    assert volume.missing == frozenset()
