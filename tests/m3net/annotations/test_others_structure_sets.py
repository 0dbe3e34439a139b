"""Structure sets that other programs wrote, and what each of their regions is read as."""

from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from m3net.annotations.readers import recognise
from m3net.annotations.structure_set import STRUCTURE_SET_READER
from m3net.annotations.types import NO_PLANES
from tests import lidc
from tests.required import unavailable

pytestmark = pytest.mark.lidc

UNSAID = [f"ROI {number}: unsaid" for number in (1, 2, 3, 4)]
VERDICTS = {
    "rtstruct/rt-utils__rt.dcm": UNSAID[:1],
    "rtstruct/rt-utils__invalid_reference_rt.dcm": UNSAID,
    "rtstruct/rt-utils__dummy_rt.dcm": UNSAID,
    "rtstruct/pydicom__rtstruct.dcm": [
        "ROI 1: of type EXTERNAL",
        "ROI 2: of type ISOCENTER",
        "ROI 3: of type ISOCENTER",
    ],
    "ct_rtutils/rt-utils__rt.dcm": UNSAID[:1],
    "ct_rtutils/rt-utils__invalid_reference_rt.dcm": UNSAID,
    "ct_rtutils/rt-utils__non_existent_reference_rt.dcm": UNSAID,
}
"""No one of them marks a nodule; all are listed, none makes a report without its CT."""


def others(name: str) -> Dataset:
    path = lidc.data_directory() / "others" / Path(name)
    if not path.exists():
        unavailable(f"{name} is not in {path.parent}: set TESTS_LIDC to the data's folder")
    return dcmread(path, force=True)  # two have no File Meta


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom, of the files' own faults
@pytest.mark.parametrize("name", VERDICTS)
def test_each_region_has_its_verdict(name: str) -> None:
    ds = others(name)
    assert recognise(ds) is STRUCTURE_SET_READER
    annotation = STRUCTURE_SET_READER.read(ds, NO_PLANES)
    assert annotation.markings == ()
    said = [f"{each.place}: {each.says or 'unsaid'}" for each in annotation.passed_over]
    assert said == VERDICTS[name]
    references = STRUCTURE_SET_READER.references(ds)
    assert not references.nodules
    assert references.marked == frozenset()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("name", "contours"),
    [
        ("rtstruct/rt-utils__rt.dcm", [4, 8]),
        ("rtstruct/rt-utils__dummy_rt.dcm", [55, 130, 171]),
        ("ct_rtutils/rt-utils__non_existent_reference_rt.dcm", [55, 130, 171]),
    ],
)
def test_their_contours_are_read_once_they_are_named(name: str, contours: list[int]) -> None:
    ds = others(name)
    ds.StructureSetROISequence[0].ROIName = "Nodule"
    (marking,) = STRUCTURE_SET_READER.read(ds, NO_PLANES).markings
    assert marking.refused is None
    assert [len(contour) for contour in marking.contours_mm] == contours
    frame = ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    assert marking.frame_of_reference_uid == frame
    assert STRUCTURE_SET_READER.references(ds).marked
