"""Small but true result objects, as this version leaves them and as one before did."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from node.core.results import Artifact, ArtifactKind, CaptureVariant, ReportVariant

SR_3D = UID("1.2.840.10008.5.1.4.1.1.88.34")
SR = UID("1.2.840.10008.5.1.4.1.1.88.33")
SC_MULTI = UID("1.2.840.10008.5.1.4.1.1.7.4")
SC_SINGLE = UID("1.2.840.10008.5.1.4.1.1.7")
_CT = UID("1.2.840.10008.5.1.4.1.1.2")
STUDY_UID = "2.25.1001"
_CAPTURE_CLASS = {CaptureVariant.MULTI_FRAME: SC_MULTI, CaptureVariant.SINGLE_FRAME: SC_SINGLE}
_REPORT_CLASS = {ReportVariant.COMPREHENSIVE_3D: SR_3D, ReportVariant.COMPREHENSIVE: SR}
_FRAMES = 3
_KEY_FRAME = 2

RICHEST = (ReportVariant.COMPREHENSIVE_3D, CaptureVariant.MULTI_FRAME)
_REPORT_UIDS = {
    "comprehensive_3d, multi_frame": "2.25.343",
    "comprehensive_3d, single_frame": "2.25.246419142595664152257201445226714573208",
    "comprehensive, multi_frame": "2.25.214198753014576808432910324628207817700",
    "comprehensive, single_frame": "2.25.219728611798919117037019811111837768549",
}
_CAPTURE_UIDS = {
    CaptureVariant.MULTI_FRAME: ("2.25.2301",),
    CaptureVariant.SINGLE_FRAME: (
        "2.25.193422560635148613744829612092392729025",
        "2.25.181241407670153234225864751091185248243",
    ),
}


def capture_uid(captures: CaptureVariant, number: int = 1) -> str:
    """The UID of a capture of `one_set`, as it is stored or as it is derived."""
    return _CAPTURE_UIDS[captures][number - 1]


def report_uid(report: ReportVariant, captures: CaptureVariant) -> str:
    """The UID of the report of `one_set`, as it is stored or as it is derived."""
    return _REPORT_UIDS[f"{report}, {captures}"]


def one_set(*, follows: str | None = None) -> list[Artifact]:
    """What a job leaves behind: a capture of three frames, the second the key, and its report.

    follows : SOP Instance UID of the Comprehensive 3D SR that the report replaces
    """
    report = _report(*RICHEST, report_uid(*RICHEST), capture_uid(RICHEST[1]))
    if follows is not None:
        series, study = Dataset(), Dataset()
        series.SeriesInstanceUID = "2.25.1003"
        series.ReferencedSOPSequence = [_reference(SR_3D, follows)]
        study.StudyInstanceUID, study.ReferencedSeriesSequence = STUDY_UID, [series]
        report.PredecessorDocumentsSequence = [study]
    return [
        Artifact(
            kind=ArtifactKind.CAPTURE,
            dataset=_capture(CaptureVariant.MULTI_FRAME, capture_uid(RICHEST[1])),
        ),
        Artifact(kind=ArtifactKind.REPORT, dataset=report),
    ]


def companion(kind: ArtifactKind, sop_class_uid: str, number: int) -> Artifact:
    """Something beside the report; its content is nobody's business here."""
    dataset = _object(UID(sop_class_uid), f"2.25.40{number}")
    dataset.Modality, dataset.SeriesInstanceUID = "OT", f"2.25.41{number}"
    return Artifact(kind=kind, dataset=dataset)


@dataclass(frozen=True, kw_only=True)
class OldArtifact:
    """An object as a version before this one left it, uncompressed."""

    kind: ArtifactKind
    report_variant: ReportVariant | None
    capture_variant: CaptureVariant
    dataset: Dataset


def every_variant() -> list[OldArtifact]:
    """What a version before left behind: every form, under UIDs of its own."""
    singles = ("2.25.211", "2.25.212")
    captures = {CaptureVariant.MULTI_FRAME: ("2.25.210",), CaptureVariant.SINGLE_FRAME: singles}
    return [
        *(
            OldArtifact(
                kind=ArtifactKind.CAPTURE,
                report_variant=None,
                capture_variant=form,
                dataset=_capture(form, uid),
            )
            for form, uids in captures.items()
            for uid in uids
        ),
        *(
            OldArtifact(
                kind=ArtifactKind.REPORT,
                report_variant=report,
                capture_variant=form,
                dataset=_report(report, form, old_report_uid(report, form), uids[0]),
            )
            for report in ReportVariant
            for form, uids in captures.items()
        ),
    ]


def old_report_uid(report: ReportVariant, captures: CaptureVariant) -> str:
    """The UID of a report of `every_variant`."""
    return f"2.25.22{_REPORT_CLASS[report][-1]}{_CAPTURE_CLASS[captures][-1]}"


def write(dataset: Dataset, path: Path) -> Path:
    """The object as a DICOM file."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def _capture(captures: CaptureVariant, uid: str) -> Dataset:
    dataset = _object(_CAPTURE_CLASS[captures], uid)
    frames = _FRAMES if captures is CaptureVariant.MULTI_FRAME else 1
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.SeriesInstanceUID = "2.25.1002"
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.ImageComments = "Nodule 1"
    dataset.SourceImageSequence = [_reference(_CT, f"2.25.50{z}") for z in (2, 1, 3)]
    if captures is CaptureVariant.MULTI_FRAME:
        dataset.NumberOfFrames = frames
        dataset.FrameIncrementPointer = 0x00182002
        dataset.FrameLabelVector = [f"slice {z}" for z in range(1, frames + 1)]
        dataset.RepresentativeFrameNumber = _KEY_FRAME
    dataset.PixelData = pixels(frames).tobytes()
    dataset["PixelData"].VR = "OB"
    return dataset


def pixels(frames: int = _FRAMES) -> NDArray[np.uint8]:
    """The pixels of a capture, (frames, 16, 16, 3): no two frames are alike."""
    return (np.arange(frames * 16 * 16 * 3) * 7 % 251).astype(np.uint8).reshape(frames, 16, 16, 3)


def _report(report: ReportVariant, captures: CaptureVariant, uid: str, capture: str) -> Dataset:
    dataset = _object(_REPORT_CLASS[report], uid)
    dataset.Modality = "SR"
    dataset.Manufacturer = dataset.ManufacturerModelName = "m3node"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "1", "0.1.0"
    equipment = Dataset()
    equipment.DeviceUID = "2.25.1004"
    dataset.ContributingEquipmentSequence = [equipment]
    dataset.ContentDate, dataset.ContentTime = "20260102", "120000.000000"
    dataset.TimezoneOffsetFromUTC = "+0100"
    dataset.SeriesInstanceUID = "2.25.1003"
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.ValueType = "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "126000", "DCM"
    title.CodeMeaning = "Imaging Measurement Report"
    dataset.ConceptNameCodeSequence = [title]
    image = Dataset()
    image.RelationshipType, image.ValueType = "CONTAINS", "IMAGE"
    image.ReferencedSOPSequence = [_reference(_CAPTURE_CLASS[captures], capture)]
    dataset.ContentSequence = [image]
    return dataset


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = UID(sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(sop_instance_uid)
    return item


def _object(sop_class_uid: UID, sop_instance_uid: str) -> Dataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class_uid
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = sop_instance_uid
    dataset.StudyInstanceUID = STUDY_UID
    dataset.PatientName = "Müller^Anna"
    dataset.PatientID = "P-1234"
    dataset.PatientBirthDate = "19500101"
    dataset.PatientSex = "F"
    dataset.StudyDate, dataset.StudyTime = "20260101", "120000"
    dataset.AccessionNumber = "ACC-77"
    dataset.StudyID = "1"
    dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    return dataset
