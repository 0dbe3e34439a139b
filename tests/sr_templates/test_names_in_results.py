"""Every result names the patient exactly as the CT does, in whatever character set."""

import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pynetdicom.dsutils import encode

from sr_templates.character_sets import UNICODE, character_set_of, decode, write_raw_as_it_is
from sr_templates.findings import PredecessorReference
from sr_templates.objects.key_objects import KeyImage, build_key_objects
from sr_templates.objects.measurement_report import build_report
from sr_templates.objects.parametric_map import HeatVolume, build_parametric_map
from sr_templates.objects.presentation_state import Drawn, KeySlice, build_presentation_state
from sr_templates.objects.rejection_note import build_rejection_note
from sr_templates.objects.secondary_capture import build_capture
from sr_templates.pdf.document import build_encapsulated_pdf
from sr_templates.pictures.overlay import render_capture
from tests.required import require_binary
from tests.sr_templates.encoded_text import (
    DEFINED_TERMS,
    Sample,
    ct_with,
    element,
    file_with,
    sequence,
)
from tests.sr_templates.examples import (
    ALGORITHM,
    COMPREHENSIVE_3D,
    FULL,
    ROUND,
    SLICE,
    identity,
    legend,
    view,
)

FRAMES = render_capture(view(side=8), legend())[:1]
NAMES = ("PatientName", "PatientID", "StudyDescription", "PatientComments")
GB = "王^小东".encode("gb18030")
UNDECODABLE = [
    (None, "Müller^Jörg".encode()),
    (None, "Müller^Jörg".encode("latin-1")),
    (None, GB),
    ("", GB),
    ("ISO_IR 192", "Müller^Jörg".encode("latin-1")),
    ("ISO_IR 100\\ISO 2022 IR 87", "Müller".encode("latin-1") + b"\x1b$)C\xfb\xf3"),
    ("\\ISO 2022 IR 149", "洪^吉洞".encode("euc_kr")),
    ("GB18030", b"\xfe\xff^\xff\xff"),
]


def read_back(dataset: Dataset) -> Dataset:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return dcmread(BytesIO(buffer.getvalue()))


def results(subject: Dataset) -> list[Dataset]:
    """The report, a capture and what stands beside them, written and read."""
    report = build_report(
        content=FULL,
        evidence=[SLICE],
        subject=subject,
        algorithm=ALGORITHM,
        identity=identity(),
        sop_class_uid=COMPREHENSIVE_3D,
        captures={},
        predecessor=None,
        tracking_uid_of_study="2.25.74",
    )
    capture = build_capture(
        frames=FRAMES,
        subject=subject,
        identity=identity(1, uid="2.25.90", series="2.25.61"),
        algorithm=ALGORITHM,
        shows="HiResCAM",
        tracking_id="Nodule 1",
        patient_orientation=("L", "P"),
    )
    return [read_back(each) for each in (report, capture, *companions(subject))]


def companions(subject: Dataset) -> list[Dataset]:
    """One of each kind, and a rejection note."""
    ours = {"subject": subject, "algorithm": ALGORITHM, "identity": identity()}
    key = KeySlice(header=SLICE, rescale=(1.0, -1024.0), spacing_mm=(0.8, 0.8))
    heat = HeatVolume(
        name="Nodule 1",
        scale="meso",
        method="HiResCAM",
        values=np.zeros((2, 4, 4), np.float32),
        affine=np.diag([1.0, 1, 1, 1])[[2, 1, 0, 3]],
        frame_of_reference_uid=str(SLICE.FrameOfReferenceUID),
        has_depth=True,
    )
    return [
        build_presentation_state([Drawn(finding=ROUND, name="Nodule 1", slice=key)], **ours),
        build_key_objects([KeyImage(finding=ROUND, name="Nodule 1", header=SLICE)], **ours),
        build_encapsulated_pdf(
            content=FULL, names={}, pictures={}, sources=[SLICE], band=None, revision="", **ours
        ),
        build_parametric_map(heat, sources=[SLICE], **ours),
        build_rejection_note([EARLIER], **ours),
    ]


EARLIER = PredecessorReference(
    study_instance_uid=str(SLICE.StudyInstanceUID),
    series_instance_uid="2.25.60",
    sop_class_uid=COMPREHENSIVE_3D,
    sop_instance_uid="2.25.59",
)


def raw(dataset: Dataset, keyword: str) -> bytes:
    value = dataset.get_item(keyword).value
    assert isinstance(value, bytes)
    return value.rstrip(b" ")


@pytest.mark.filterwarnings("ignore:Unknown encoding")  # pydicom does not know ISO-IR 203
@pytest.mark.parametrize("sample", DEFINED_TERMS, ids=lambda s: s.character_set or "none")
def test_text_of_every_defined_term_is_equal_after_decoding(sample: Sample) -> None:
    family = sample.encoded.partition(b"=")[0].partition(b"^")[0]
    texts = {"PatientID": family, "StudyDescription": family, "PatientComments": family}
    subject = ct_with(sample.character_set, PatientName=sample.encoded, **texts)
    for result in results(subject):
        assert result.SpecificCharacterSet == UNICODE
        assert result.PatientName == sample.name
        decoded = decode(family, tuple(sample.character_set.split("\\")), vr="LO")
        assert [result.PatientID, result.StudyDescription, result.PatientComments] == [decoded] * 3


@pytest.mark.peers
@pytest.mark.parametrize(
    "sample",
    [sample for sample in DEFINED_TERMS if not sample.character_set.endswith(("203", "87", "159"))],
    ids=lambda s: s.character_set or "none",
)
def test_dcmtk_reads_one_name_in_the_ct_and_in_its_results(sample: Sample, tmp_path: Path) -> None:
    family = sample.encoded.partition(b"^")[0]
    texts = dict.fromkeys(NAMES[1:], family)
    file = file_with(sample.character_set, PatientName=sample.encoded, **texts)
    (tmp_path / "ct.dcm").write_bytes(file)
    said = {"ct": as_dcmtk_says(tmp_path / "ct.dcm")}
    for number, result in enumerate(results(dcmread(BytesIO(file)))):
        result.save_as(tmp_path / f"{number}.dcm")
        said[str(number)] = as_dcmtk_says(tmp_path / f"{number}.dcm")
    assert set(said.values()) == {said["ct"]}
    assert sample.name in said["ct"]


def as_dcmtk_says(path: Path) -> str:
    wanted = [word for name in NAMES for word in ("+P", name)]
    said = subprocess.run(
        [require_binary("dcmdump", "dcmtk"), "+U8", "+L", "-M", *wanted, path],
        capture_output=True,
        check=True,
    ).stdout.decode()
    return "\n".join(line.partition("#")[0].rstrip(" =]") for line in said.splitlines())


@pytest.mark.filterwarnings("ignore:Failed to decode")  # pydicom, when a test looks at a name
@pytest.mark.parametrize(("character_set", "name"), UNDECODABLE)
def test_what_is_undecodable_is_carried_byte_for_byte_under_the_same_declaration(
    character_set: str | None, name: bytes
) -> None:
    texts = {"PatientID": b"P-1", "StudyDescription": name.replace(b"^", b" ")}
    subject = ct_with(character_set, PatientName=name, **texts)
    for result in results(subject):
        assert character_set_of(result) == character_set_of(subject)
        assert raw(result, "PatientName") == name
        assert raw(result, "StudyDescription") == texts["StudyDescription"]
        assert result.PatientID == "P-1"


def test_beside_undecodable_text_our_own_is_ascii() -> None:
    subject = ct_with(None, PatientName=GB)
    report, capture, *others = results(subject)
    assert capture.SeriesDescription == "AI nodule pictures (research use)"
    assert report.ContentSequence[0].TextValue == "2 of 3 nodules analysed; Nodule 3 was not"
    for result in (report, *others):
        assert result.SeriesDescription.isascii()


def test_undecodable_text_in_a_request_is_carried_too_and_its_declaration_with_it() -> None:
    request = element(0x00400007, b"CT Th\xf6rax") + element(0x00401001, b"RP-1")
    own = element(0x00080005, b"ISO_IR 100") + element(0x00321060, b"Th\xf6rax")
    file = file_with(None, PatientName=GB, PatientID=b"P-1") + sequence(0x00400275, request, own)
    report, capture, _, key_objects, *_ = results(dcmread(BytesIO(file)))
    first, second = capture.RequestAttributesSequence
    assert raw(first, "ScheduledProcedureStepDescription") == b"CT Th\xf6rax"
    assert second.RequestedProcedureDescription == "Thörax"
    for document in (report, key_objects):
        first, second = document.ReferencedRequestSequence
        assert first.RequestedProcedureID == "RP-1"
        assert second.RequestedProcedureDescription == "Thörax"


def test_a_request_in_a_character_set_of_its_own_is_decoded() -> None:
    own = element(0x00080005, b"ISO_IR 144") + element(0x00321060, "Грудь".encode("iso8859_5"))
    file = file_with("ISO_IR 100", PatientName=b"M\xfcller") + sequence(0x00400275, own)
    report, *_ = results(dcmread(BytesIO(file)))
    assert report.PatientName == "Müller"
    assert report.ReferencedRequestSequence[0].RequestedProcedureDescription == "Грудь"


@pytest.mark.parametrize(("character_set", "name"), UNDECODABLE)
def test_sent_in_implicit_vr_the_bytes_are_still_the_same(
    character_set: str | None, name: bytes
) -> None:
    report, *_ = results(ct_with(character_set, PatientName=name))
    write_raw_as_it_is(report, implicit_vr=True)
    sent = encode(report, is_implicit_vr=True, is_little_endian=True)
    assert sent is not None
    assert name in sent


def test_private_elements_of_the_ct_stay_behind() -> None:
    file = file_with("ISO_IR 100", PatientName=b"M\xfcller") + element_of_vendor()
    for result in results(dcmread(BytesIO(file))):
        assert not any(tag.is_private for tag in result.keys())  # noqa: SIM118  # converts nothing
        assert result.PatientName == "Müller"


def element_of_vendor() -> bytes:
    return b"\x09\x00\x10\x00LO\x06\x00VEND\xd6R\x09\x00\x01\x10PN\x04\x00M\xfcll"
