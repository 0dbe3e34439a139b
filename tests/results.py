"""Small but true result objects, one set in every variant, for tests of delivery."""

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from node.core.results import ArtifactKind, CaptureVariant, ReportVariant

SR_3D = UID("1.2.840.10008.5.1.4.1.1.88.34")
SR = UID("1.2.840.10008.5.1.4.1.1.88.33")
SC_MULTI = UID("1.2.840.10008.5.1.4.1.1.7.4")
SC_SINGLE = UID("1.2.840.10008.5.1.4.1.1.7")
STUDY_UID = "2.25.1001"
_FRAMES = {CaptureVariant.MULTI_FRAME: 3, CaptureVariant.SINGLE_FRAME: 1}
_CAPTURE_CLASS = {CaptureVariant.MULTI_FRAME: SC_MULTI, CaptureVariant.SINGLE_FRAME: SC_SINGLE}
_REPORT_CLASS = {ReportVariant.COMPREHENSIVE_3D: SR_3D, ReportVariant.COMPREHENSIVE: SR}


def capture_uid(captures: CaptureVariant, number: int = 1) -> str:
    """The UID of a capture of `every_variant`."""
    return f"2.25.2{_FRAMES[captures]}0{number}"


def report_uid(report: ReportVariant, captures: CaptureVariant) -> str:
    """The UID of a report of `every_variant`."""
    return f"2.25.3{_REPORT_CLASS[report][-1]}{_FRAMES[captures]}"


def every_variant() -> list[tuple[ArtifactKind, ReportVariant | None, CaptureVariant, Dataset]]:
    """One multi-frame capture, two single frames, and four reports, each with its own set."""
    multi, single = CaptureVariant.MULTI_FRAME, CaptureVariant.SINGLE_FRAME
    captures = [_capture(multi, 1), _capture(single, 1), _capture(single, 2)]
    reports = [(report, variant) for report in ReportVariant for variant in CaptureVariant]
    return [
        *((ArtifactKind.CAPTURE, None, *each) for each in captures),
        *((ArtifactKind.REPORT, r, c, _report(r, c)) for r, c in reports),
    ]


def write(dataset: Dataset, path: Path) -> Path:
    """The object as a DICOM file."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def _capture(captures: CaptureVariant, number: int) -> tuple[CaptureVariant, Dataset]:
    dataset = _object(_CAPTURE_CLASS[captures], capture_uid(captures, number))
    frames = _FRAMES[captures]
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
    if captures is CaptureVariant.MULTI_FRAME:
        dataset.NumberOfFrames = frames
    pixels = np.arange(frames * 16 * 16 * 3, dtype=np.uint8) + number
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB"
    return captures, dataset


def _report(report: ReportVariant, captures: CaptureVariant) -> Dataset:
    dataset = _object(_REPORT_CLASS[report], report_uid(report, captures))
    dataset.Modality = "SR"
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
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = _CAPTURE_CLASS[captures]
    referenced.ReferencedSOPInstanceUID = capture_uid(captures)
    image.ReferencedSOPSequence = [referenced]
    dataset.ContentSequence = [image]
    return dataset


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
