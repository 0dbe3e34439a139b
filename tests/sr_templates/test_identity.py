from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian

from sr_templates.character_sets import holds_raw, speak_ascii
from sr_templates.identity import IDENTITY_KEYWORDS, copy_identity, names_patient


def written_and_read(dataset: Dataset) -> Dataset:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.3"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.4"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг^Анна"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 126", "Διονυσιος"),
    ],
)
def test_a_name_is_equal_after_decoding_whatever_its_character_set(character_set, name):
    source = Dataset()
    source.SpecificCharacterSet = character_set
    source.PatientName = name
    source.PatientID = "P-1"
    other = Dataset()
    other.PatientID = "P-2"
    source.OtherPatientIDsSequence = [other]
    source = written_and_read(source)
    target = Dataset()
    copy_identity(source, target)
    result = written_and_read(target)
    assert str(result.PatientName) == str(source.PatientName) == name
    assert result.SpecificCharacterSet == "ISO_IR 192"
    assert result.OtherPatientIDsSequence[0].PatientID == "P-2"


def test_issuers_accession_and_request_are_copied_with_their_items():
    source = Dataset()
    source.PatientID, source.IssuerOfPatientID = "P-1", "CLINIC"
    source.AccessionNumber = "A-1"
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "RIS"
    source.IssuerOfAccessionNumberSequence = [issuer]
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP", "SPS"
    source.RequestAttributesSequence = [request]
    source.ReferringPhysicianName = "Doe^Jane\\Roe^Rick"
    target = Dataset()
    copy_identity(source, target)
    result = written_and_read(target)
    assert result.IssuerOfPatientID == "CLINIC"
    assert result.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS"
    assert result.RequestAttributesSequence[0].RequestedProcedureID == "RP"
    assert [str(name) for name in result.ReferringPhysicianName] == ["Doe^Jane", "Roe^Rick"]


def test_what_the_target_had_of_another_patient_is_gone():
    target = Dataset()
    target.PatientName, target.PatientComments, target.Modality = "Other", "of another", "SR"
    copy_identity(Dataset(), target)
    assert target.PatientName == ""
    assert "PatientComments" not in target
    assert target.Modality == "SR"


def test_required_attributes_are_present_though_empty():
    target = Dataset()
    copy_identity(Dataset(), target)
    assert {element.keyword for element in target} == {
        "SpecificCharacterSet",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
    }


def test_values_against_the_rules_stay_as_they_are():
    source = Dataset()
    source.add(DataElement("PatientID", "LO", "7" * 70, validation_mode=IGNORE))
    source.add(DataElement("PatientSex", "CS", "unknown", validation_mode=IGNORE))
    target = Dataset()
    copy_identity(source, target)
    assert target.PatientID == "7" * 70
    assert target.PatientSex == "unknown"


def test_a_number_that_is_none_is_left_out():
    source = Dataset()
    source[0x00101030] = RawDataElement(BaseTag(0x00101030), "DS", 4, b"1,75", 0, False, True, True)
    target = Dataset()
    copy_identity(source, target)
    assert "PatientWeight" not in target


def test_the_attributes_that_a_pacs_matches_by_are_in_the_list():
    assert {
        "PatientID",
        "IssuerOfPatientID",
        "OtherPatientIDsSequence",
        "AccessionNumber",
        "IssuerOfAccessionNumberSequence",
        "StudyInstanceUID",
        "RequestAttributesSequence",
    } <= set(IDENTITY_KEYWORDS)
    assert len(set(IDENTITY_KEYWORDS)) == len(IDENTITY_KEYWORDS)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Nodule 1", False),
        ("lesion of yamada", True),
        ("山田 RUL", True),
        ("P-0815 left", True),
        ("A-4711", True),
        ("ta 1", False),
    ],
)
def test_a_tracking_text_that_names_the_patient_is_noticed(text, named):
    source = Dataset()
    source.PatientName = "Yamada^Ta=山田^太郎"
    source.PatientID, source.AccessionNumber = "P-0815", "A-4711"
    assert names_patient(text, source) is named


ODD = st.sampled_from(
    [b"1,25 ", b"1\\2 ", b"M\xfcller", b"\x1b$)C\xfb\xf3", b"\0" * 8, b"", b"\xff" * 9]
)
VRS = ["UN", "LO", "DS", "IS", "SQ", "US", "OB", "UI", "PN", "FD", "ZZ", "DA"]


@pytest.mark.filterwarnings("ignore")  # pydicom warns of nonsense; here it is the point
@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(IDENTITY_KEYWORDS),
        st.tuples(ODD | st.binary(max_size=30), st.sampled_from(VRS)),
        max_size=5,
    ),
    st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 149", b"nonsense"]),
)
def test_whatever_a_ct_says_of_its_patient_a_result_can_be_written(changes, character_set):
    elements = {0x00080005: RawDataElement(_CS, "CS", 0, character_set, 0, False, True, True)}
    for keyword, (value, vr) in changes.items():
        tag = BaseTag(tag_for_keyword(keyword))
        elements[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True, True)
    source, target = Dataset(elements), Dataset()
    copy_identity(source, target)
    if holds_raw(target):
        speak_ascii(target)
    written_and_read(target)
    assert names_patient("Nodule 1", source) in (True, False)


_CS = BaseTag(0x00080005)
