"""When two objects say the same: by content, never by encoding."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from m3net.uids import SeriesInstanceUID
from node.core.digest import (
    NO_PATIENT,
    analysis_id,
    annotation_digest,
    identity_digest,
    image_digest,
    inputs_digest,
    issuer_key,
    later_occurrences,
    next_occurrence,
    patient_key,
    question_digest,
)
from node.core.inputs import Intent, SeriesChoice, StudyInputs
from tests.encodings import item
from tests.node.core.facts_of import STUDY, THICK, THIN, ct_slice, segmentation
from tests.node.objects import ct_image
from tests.sr_templates.encoded_text import ct_with


def sent_as(dataset: Dataset, transfer_syntax: str) -> Dataset:
    """The object after a way through that encoding."""
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


PLAIN = image_digest(ct_image(0))


@pytest.mark.parametrize(
    "transfer_syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian],
)
def test_the_transfer_syntax_is_not_in_the_digest(transfer_syntax: str) -> None:
    image = sent_as(ct_image(0, PatientWeight="71.50"), transfer_syntax)
    assert image_digest(image) == image_digest(ct_image(0, PatientWeight="71.5"))
    annotation = sent_as(ct_image(0, PatientWeight="71.5"), transfer_syntax)
    assert annotation_digest(annotation) == annotation_digest(ct_image(0, PatientWeight="71.5"))


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "GB18030", "ISO_IR 100"])
def test_the_same_name_in_another_character_set_is_the_same_name(character_set: str) -> None:
    image = sent_as(
        ct_image(0, SpecificCharacterSet=character_set, PatientName="Müller^Jörg"),
        ExplicitVRLittleEndian,
    )
    assert image_digest(image) == PLAIN


def test_padding_and_trailing_separators_of_a_name_are_not_the_name() -> None:
    assert identity_digest(ct_image(0, PatientName="Müller^Jörg^^^")) == identity_digest(
        ct_image(0)
    )


def test_an_empty_attribute_says_as_much_as_an_absent_one() -> None:
    assert image_digest(ct_image(0, PatientSex="", OtherPatientIDs=None)) == PLAIN


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientName", "Müller^Jorg"),
        ("PatientID", "4712"),
        ("AccessionNumber", "A18"),
        ("IssuerOfPatientID", "Ward 7"),
        ("StudyDescription", "Thorax"),
        ("ImagePositionPatient", [-180, -180, -99]),
        ("PixelSpacing", [0.7, 0.71]),
        ("RescaleIntercept", 0),
        ("ConvolutionKernel", "B60f"),
        ("FrameOfReferenceUID", "1.2.3.8"),
        ("LossyImageCompression", "01"),
    ],
)
def test_whatever_reaches_a_result_is_in_the_digest(keyword: str, value: object) -> None:
    assert image_digest(ct_image(0, **{keyword: value})) != PLAIN


def test_what_reaches_no_result_is_not_in_it() -> None:
    assert image_digest(ct_image(0, InstitutionName="Elsewhere", WindowWidth=1500)) == PLAIN


def test_all_of_an_annotation_is_in_its_digest_and_private_elements_are_not() -> None:
    plain = annotation_digest(ct_image(0))
    assert annotation_digest(ct_image(0, ContentLabel="NODULE")) != plain
    assert annotation_digest(ct_image(0, ContentLabel="A")) != annotation_digest(
        ct_image(0, ContentLabel="B")
    )
    assert annotation_digest(ct_image(0, PixelData=bytes(32))) != plain
    private = ct_image(0)
    private.private_block(0x0041, "VENDOR", create=True).add_new(1, "LO", "anything")
    assert annotation_digest(private) == plain


def test_a_segmentation_sent_in_rle_is_the_same_segmentation() -> None:
    mask = Dataset()
    mask.update(ct_image(0))
    mask.file_meta = ct_image(0).file_meta
    mask.BitsAllocated = mask.BitsStored = 8
    mask.HighBit, mask.PixelRepresentation = 7, 0
    mask.NumberOfFrames = 2
    voxels = np.arange(32, dtype=np.uint8).reshape(2, 4, 4) % 2 * 255
    mask.PixelData = voxels.tobytes()
    native = annotation_digest(mask)
    mask.compress(RLELossless, voxels, generate_instance_uid=False)
    assert annotation_digest(mask) == native


def test_lengths_and_padding_of_an_encoding_are_no_content() -> None:
    plain = annotation_digest(ct_image(0))
    for tag, vr, value in ((0x00080000, "UL", 77), (0xFFFCFFFC, "OB", b"\0\0\1\1")):
        padded = ct_image(0)
        padded.add_new(tag, vr, value)
        assert annotation_digest(padded) == plain
    more = ct_image(0)
    more.add_new(0x00080001, "UL", 77)
    assert annotation_digest(more) != plain


def test_a_number_is_its_value_however_it_is_written() -> None:
    nothing = image_digest(ct_image(0, RescaleIntercept="0"))
    for written in ("-0", "0.0", "+0", "-0.00", "0e3"):
        assert image_digest(ct_image(0, RescaleIntercept=written)) == nothing
    assert image_digest(ct_image(0, RescaleIntercept="0.001")) != nothing
    assert image_digest(ct_image(0, RescaleIntercept="-1")) != image_digest(
        ct_image(0, RescaleIntercept="1")
    )


def test_a_name_of_digits_is_no_number() -> None:
    for keyword in ("AccessionNumber", "PatientID", "StudyID"):
        one, other = (ct_image(0, **{keyword: written}) for written in ("007", "7"))
        assert annotation_digest(one) != annotation_digest(other)


def test_inputs_that_come_back_have_the_next_key() -> None:
    first = next_occurrence("abc")
    assert (first, next_occurrence(first), next_occurrence("abc+41")) == (
        "abc+1",
        "abc+2",
        "abc+42",
    )
    assert later_occurrences("abc") == "abc+%"


def test_bits_behind_the_last_voxel_are_no_content() -> None:
    def mask(data: bytes) -> str:
        ds = ct_image(0, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
        ds.Rows = ds.Columns = 3
        ds.PixelData = data
        return annotation_digest(ds)

    assert mask(b"\x13\x00") == mask(b"\x13\xfe")
    assert mask(b"\x13\x00") != mask(b"\x13\x01")


def test_a_segmentation_that_cannot_be_decoded_goes_by_its_bytes() -> None:
    torn = ct_image(0, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
    torn.Rows, torn.PixelData = 4000, b"\1"
    other = ct_image(0, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
    other.Rows, other.PixelData = 4000, b"\2"
    assert annotation_digest(torn) != annotation_digest(other)


def test_patients_are_told_apart_by_id_and_issuer_alone() -> None:
    assert patient_key(ct_image(0, PatientName="Doe")) == patient_key(ct_image(0))
    assert patient_key(ct_image(0, PatientID="4712")) != patient_key(ct_image(0))
    assert patient_key(ct_image(0, PatientID="")) == NO_PATIENT
    nobody = ct_image(0)
    del nobody.PatientID
    assert patient_key(nobody) == NO_PATIENT
    assert issuer_key(ct_image(0)) == ""
    assert issuer_key(ct_image(0, IssuerOfPatientID="Ward 7")) not in {
        "",
        issuer_key(ct_image(0, IssuerOfPatientID="Ward 8")),
    }


_TEXT = st.text(
    st.characters(codec="iso8859-1", exclude_characters="\\^=", exclude_categories=["Cc", "Zs"]),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(family=_TEXT, weight=st.decimals(1, 200, places=2), accession=_TEXT)
def test_encoding_never_changes_a_digest_and_content_always_does(
    family: str, weight: object, accession: str
) -> None:
    def image(name: str, character_set: str) -> Dataset:
        return ct_image(
            0,
            SpecificCharacterSet=character_set,
            PatientName=name,
            PatientWeight=str(weight),
            AccessionNumber=accession[:16],
        )

    latin = image_digest(sent_as(image(family, "ISO_IR 100"), ImplicitVRLittleEndian))
    utf8 = image_digest(sent_as(image(family, "ISO_IR 192"), ExplicitVRLittleEndian))
    assert latin == utf8
    assert image_digest(image(f"{family}x", "ISO_IR 192")) != latin


def job(*slices: int, **changed: object) -> StudyInputs:
    values: dict[str, object] = {
        "study_instance_uid": STUDY,
        "intent": Intent.ANALYSE,
        "series": None,
        "ct": tuple(ct_slice(number) for number in slices),
        "annotations": (segmentation(),),
        **changed,
    }
    return StudyInputs(**values)


def test_the_order_of_slices_is_not_in_a_jobs_digest_and_a_late_slice_is() -> None:
    assert inputs_digest(job(0, 1, 2)) == inputs_digest(job(2, 0, 1))
    assert inputs_digest(job(0, 1, 2)) != inputs_digest(job(0, 1))


@pytest.mark.parametrize(
    "changed",
    [
        {"annotations": ()},
        {"reason": "no CT"},
        {"intent": Intent.REPORT_NOT_ANALYSED},
        {"missing": frozenset({"1.9"})},
        {"unread": ("RT Structure Set not supported yet.",)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_a_report_says_of_its_inputs_is_in_the_digest(changed: dict[str, object]) -> None:
    assert inputs_digest(job(0, 1, **changed)) != inputs_digest(job(0, 1))


def test_slices_that_come_ask_a_source_no_new_question_and_other_marks_or_another_series_do() -> (
    None
):
    def choice(series: SeriesInstanceUID, slices: int) -> SeriesChoice:
        return SeriesChoice(series_instance_uid=series, because=f"of its {slices} slices")

    asked = question_digest(job(0, series=choice(THICK, 1)))
    assert question_digest(job(0, 1, series=choice(THICK, 2))) == asked
    others = [
        question_digest(job(0, series=choice(THIN, 1))),
        question_digest(job(0, series=choice(THICK, 1), annotations=())),
        question_digest(job()),
    ]
    assert len({asked, *others}) == 4


def test_in_which_order_settings_are_written_makes_no_other_analysis() -> None:
    one, other = (
        analysis_id(fingerprint="weights", template_version="6", settings=settings)
        for settings in ({"language": "de", "slices": 16}, {"slices": 16, "language": "de"})
    )
    assert one == other


def test_weights_template_and_settings_each_make_another_analysis() -> None:
    ids = {
        analysis_id(fingerprint=weights, template_version=template, settings=how)
        for weights in ("a", "b")
        for template in ("1", "2")
        for how in ({"max_frames": 32}, {"max_frames": 64})
    }
    assert len(ids) == 8


PINYIN = b"Zhang^Xiao=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Zhang^Xiao=张^小".encode()),
        ("GB18030", "Zhang^Xiao=张^小".encode("gb18030")),
        ("GBK", "Zhang^Xiao=张^小=".encode("gbk")),
        ("\\ISO 2022 IR 58", PINYIN),
    ],
)
def test_one_name_in_two_character_sets_is_one_patient(character_set: str, name: bytes) -> None:
    one = ct_with("ISO_IR 192", PatientName="Zhang^Xiao=张^小".encode(), PatientID="张7".encode())
    ids = {"ISO_IR 192": "张7".encode(), "\\ISO 2022 IR 58": b"\x1b$)A\xd5\xc57"}
    other = ct_with(
        character_set, PatientName=name, PatientID=ids.get(character_set, "张7".encode("gbk"))
    )
    assert patient_key(other) == patient_key(one)
    assert identity_digest(other) == identity_digest(one)


@pytest.mark.parametrize("character_set", [None, "ISO_IR 192", "\\ISO 2022 IR 149"])
def test_two_names_that_nobody_can_decode_are_two_patients(character_set: str | None) -> None:
    ids = [b"\xd5\xc5", b"\xc0\xee", b"\xef\xbf", "\N{REPLACEMENT CHARACTER}?".encode()]
    keys = {patient_key(ct_with(character_set, PatientID=each)) for each in ids}
    assert len(keys) == 4
    same = {patient_key(ct_with(character_set, PatientID=b"\xd5\xc5")) for _ in range(2)}
    assert len(same) == 1


def test_undecodable_bytes_are_no_text_that_looks_like_them() -> None:
    latin = ct_with("ISO_IR 100", PatientID=b"\xd5\xc5")
    assert patient_key(ct_with(None, PatientID=b"\xd5\xc5")) != patient_key(latin)


def test_a_segmentation_that_claims_to_be_huge_is_not_unpacked() -> None:
    claim = ct_image(0, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
    claim.Rows = claim.Columns = 65535
    claim.NumberOfFrames, claim.PixelData = 1000, b"\1"
    assert annotation_digest(claim) == annotation_digest(claim)


@pytest.mark.parametrize(
    ("frames", "of_a_frame", "of_all", "unpacked"),
    [
        (None, 9, 9, True),
        (None, 8, 9, False),
        (None, 9, 8, False),
        (2, 9, 18, True),
        (2, 8, 18, False),
        (2, 9, 17, False),
    ],
)
def test_so_many_voxels_are_unpacked_and_no_more(
    frames: int | None,
    of_a_frame: int,
    of_all: int,
    unpacked: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.core.digest._MAX_FRAME", of_a_frame)
    monkeypatch.setattr("node.core.digest._MAX_VOXELS", of_all)
    digests = set()
    for behind in (0, 0xFC):  # bits behind the last voxel
        ds = ct_image(0, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0)
        ds.Rows = ds.Columns = 3
        if frames is None:
            ds.PixelData = bytes([0x13, behind])
        else:
            ds.NumberOfFrames = frames
            ds.PixelData = bytes([0x13, 0, behind, 0])
        digests.add(annotation_digest(ds))
    assert (len(digests) == 1) is unpacked


def test_a_digest_is_the_same_if_the_identity_is_known_already() -> None:
    image = ct_image(0)
    identity = identity_digest(image)
    assert image_digest(image, identity=identity) == image_digest(image)
    assert annotation_digest(image, identity=identity) == annotation_digest(image)


def test_what_stands_in_the_items_of_a_sequence_is_content() -> None:
    digests = {
        annotation_digest(ct_image(0, RequestAttributesSequence=items))
        for items in (
            [],
            [item(ScheduledProcedureStepID="1")],
            [item(ScheduledProcedureStepID="2")],
            [item(ScheduledProcedureStepID="1"), item(ScheduledProcedureStepID="2")],
            [item(ScheduledProtocolCodeSequence=[item(CodeValue="1")])],
            [item(ScheduledProtocolCodeSequence=[item(CodeValue="2")])],
        )
    }
    assert len(digests) == 6
