"""Which object it is, seen in its first bytes."""

import pytest
from pydicom import Dataset
from pydicom.dataset import DataElement
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from node.inbound.identifiers import leading_identifiers

LOOKS_LIKE_A_PATIENT_ID = {True: b"\x10\0\x20\0", False: b"\0\x10\0\x20"}
"""Two values of Hounsfield, 16 and 32, or the tag (0010,0020)."""


def leading(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> str | None:
    little = syntax != ExplicitVRBigEndian
    encoded = encode(dataset, is_implicit_vr=False, is_little_endian=little)
    assert encoded is not None
    found = leading_identifiers(memoryview(encoded), syntax=syntax, assumed_character_set=None)
    return None if found is None else found.identity.patient_id


def image(*, little: bool = True) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.PatientID = "P-1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.1", "1.2.2"
    dataset.Rows, dataset.Columns = 2, 4
    dataset.add(DataElement(0x7FE00010, "OW", 4 * LOOKS_LIKE_A_PATIENT_ID[little]))
    return dataset


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_pixels_that_look_like_a_patient_id_are_pixels(syntax: str) -> None:
    assert leading(image(little=syntax != ExplicitVRBigEndian), syntax) == "P-1"


def test_a_second_patient_id_before_the_pixels_is_left_to_whoever_reads_all() -> None:
    of_old = Dataset()
    of_old.PatientID = "P-0"
    twice = image()
    twice.OtherPatientIDsSequence = [of_old]
    assert leading(twice) is None


def test_a_second_patient_id_is_seen_where_no_pixels_have_come_yet() -> None:
    of_old = Dataset()
    of_old.PatientID = "P-0"
    twice = image()
    del twice[0x7FE00010]
    twice.RequestAttributesSequence = [of_old]
    assert leading(twice) is None
