from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from m3net.ct.series import read_series_files
from m3net.errors import AnnotationUnusable
from node.inbound.lidc_xml import is_lidc_xml, segmentations_of
from tests import lidc, synthetic
from tests.m3net.annotations.scene import BOX_CENTRE_MM, found
from tests.m3net.annotations.test_lidc import found as found_in
from tests.m3net.annotations.test_lidc import listed_centres

CT = synthetic.ct_series()
AROUND_BOX = [(3, 2), (9, 2), (9, 8), (3, 8), (3, 2)]
"""The first pixels outside of the box, (column, row)."""


def roi(image: Dataset, points: Sequence[tuple[int, int]], inclusion: str = "TRUE") -> str:
    edges = "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points
    )
    return (
        f"<roi><imageZposition>0</imageZposition><imageSOP_UID>{image.SOPInstanceUID}"
        f"</imageSOP_UID><inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def nodule(*rois: str, malignancy: int | None = 4) -> str:
    scores = (
        ""
        if malignancy is None
        else f"<characteristics><malignancy>{malignancy}</malignancy></characteristics>"
    )
    return f"<unblindedReadNodule>{scores}{''.join(rois)}</unblindedReadNodule>"


def message(*sessions: str) -> str:
    inside = "".join(f"<readingSession>{session}</readingSession>" for session in sessions)
    return f'<LidcReadMessage uid="1.3" xmlns="http://www.nih.gov">{inside}</LidcReadMessage>'


def written(folder: Path, text: str, *, slices: Sequence[Dataset] = CT) -> Path:
    for number, image in enumerate(slices):
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    path = folder / "069.xml"
    path.write_text(text)
    return path


BOXED = nodule(*(roi(CT[z], AROUND_BOX) for z in (2, 3, 4)))


def test_each_reader_makes_a_segmentation_of_the_pixels_inside(tmp_path: Path) -> None:
    hole = nodule(roi(CT[3], AROUND_BOX), roi(CT[3], [(5, 4), (7, 4), (7, 6), (5, 6)], "FALSE"))
    path = written(tmp_path, message(BOXED, hole))
    assert is_lidc_xml(path)
    made = segmentations_of(path)
    first, second = (dcmread(BytesIO(each.encoded)) for each in made.objects)
    (got,) = found(CT, first).nodules
    assert got.centre_mm == pytest.approx(BOX_CENTRE_MM)
    assert got.mask is not None
    assert got.mask.voxels.sum() == 75
    (holed,) = found(CT, second).nodules
    assert holed.mask is not None
    assert holed.mask.voxels.sum() == 25 - 1
    assert made.left_out == 0


def test_the_same_file_makes_the_same_objects(tmp_path: Path) -> None:
    path = written(tmp_path, message(BOXED))
    assert segmentations_of(path) == segmentations_of(path)


def test_marks_without_an_outline_are_counted(tmp_path: Path) -> None:
    small = nodule(roi(CT[5], [(5, 5)]), malignancy=None)
    text = message(BOXED + small + "<nonNodule/>", small)
    made = segmentations_of(written(tmp_path, text))
    assert (len(made.objects), made.left_out) == (1, 3)


@pytest.mark.parametrize(
    ("text", "slices", "reason"),
    [
        (message(BOXED), CT[:3], "2 CT slices that the XML marks do not lie beside it"),
        (message(BOXED)[:-20], CT, "the XML is damaged"),
        (message(BOXED.replace("<xCoord>9", "<xCoord>x")), CT, "the XML is damaged"),
        (message(BOXED.replace("<xCoord>9", "<xCoord>999999999")), CT, "the XML is damaged"),
        (message(BOXED.replace("<xCoord>9", "<xCoord>" + "9" * 30)), CT, "the XML is damaged"),
        (message(BOXED.replace("<xCoord>9", "<xCoord>-9")), CT, "the XML is damaged"),
        ("<a>&lt;LidcReadMessage</a>", CT, "the XML is no LidcReadMessage"),
    ],
)
def test_what_is_no_whole_message_beside_its_ct_gives_a_reason(
    tmp_path: Path, text: str, slices: Sequence[Dataset], reason: str
) -> None:
    with pytest.raises(AnnotationUnusable, match=reason):
        segmentations_of(written(tmp_path, text, slices=slices))


def test_an_aim_file_is_refused_and_what_to_send_instead_is_said(tmp_path: Path) -> None:
    version = "gme://caCORE.caCORE/4.4/edu.northwestern.radiology.AIM"
    aim = tmp_path / "annotation.xml"
    aim.write_text(f'<?xml version="1.0"?><ImageAnnotationCollection xmlns="{version}"/>')
    with pytest.raises(AnnotationUnusable) as refused:
        is_lidc_xml(aim)
    assert str(refused.value) == (
        "an AIM file is not read; export its annotation as a DICOM Segmentation or a TID 1500 "
        "structured report"
    )


@pytest.mark.lidc
def test_the_four_readers_of_0001_mark_the_published_place(lidc_0001: lidc.LidcStudy) -> None:
    path = next(lidc_0001.ct[0].parent.glob("*.xml"))
    made = segmentations_of(path)
    assert len(made.objects) == 4
    volume = read_series_files(lidc_0001.ct)
    for each in made.objects:
        (nodule,) = found_in(lidc_0001, volume, dcmread(BytesIO(each.encoded))).nodules
        off = volume.to_index(nodule.centre_mm) - listed_centres("LIDC-IDRI-0001")[0]
        assert np.abs(off).max() < 1.0
