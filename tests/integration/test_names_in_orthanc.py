"""Orthanc reads in the results the name that the CT's sender wrote, in whatever character set.

It does not always read it in the CT itself; where it does, CT and results are one patient to it.
"""

from collections.abc import Iterator
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from tests.peers import Orthanc, orthanc
from tests.sr_templates.encoded_text import DEFINED_TERMS, Sample, ct_with, element, file_with
from tests.sr_templates.test_names_in_results import results

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:Unknown encoding"),  # pydicom does not know ISO-IR 203
]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.mark.parametrize("sample", DEFINED_TERMS, ids=lambda s: s.character_set or "none")
def test_a_name_of_every_defined_term(peer: Orthanc, sample: Sample) -> None:
    texts = {"PatientName": sample.encoded, "PatientID": b"P-1", "ReferringPhysicianName": b""}
    for result in results(ct_with(sample.character_set, **texts))[:2]:
        tags = held(peer, result)
        assert tags["PatientName"].rstrip("=") == sample.name
        assert tags["PatientID"] == "P-1"
        assert tags["ReferringPhysicianName"] == ""
        assert "PatientComments" not in tags


def test_what_stands_empty_in_the_ct_stands_empty_in_every_result(peer: Orthanc) -> None:
    texts = {"PatientName": b"Doe^Jane", "StudyDescription": b"", "PatientComments": b""}
    for result in results(ct_with("ISO_IR 100", **texts)):
        tags = held(peer, result)
        assert (tags["StudyDescription"], tags["PatientComments"]) == ("", "")
        assert (tags["PatientID"], tags["AccessionNumber"]) == ("", "")


def test_private_elements_of_the_ct_reach_no_result(peer: Orthanc) -> None:
    vendor = b"\x09\x00\x10\x00LO\x06\x00VENDOR" + b"\x09\x00\x01\x10PN\x04\x00Doe^"
    whole = file_with("ISO_IR 100", PatientName=b"Doe^Jane") + vendor
    for result in results(dcmread(BytesIO(whole + element(0x00321060, b"CT")))):
        assert not [name for name in held(peer, result) if name.startswith(("0009", "Private"))]


def held(peer: Orthanc, result: Dataset) -> dict[str, str]:
    """The attributes of the object as Orthanc lists them; it is gone again afterwards."""
    peer.add(result)
    tags = peer.tags(str(result.SOPInstanceUID))
    peer.clear()
    return tags
