"""Enhanced CT objects made of single-frame slices, so that both can be compared.

enhanced_ct(synthetic.ct_series())                     # one stack, geometry in every frame
enhanced_ct([*one, *other], per_frame=lambda n: ...)   # several volumes in one object
"""

from collections.abc import Callable, Sequence
from copy import deepcopy

import numpy as np
from highdicom.legacy import LegacyConvertedEnhancedCTImage
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests import synthetic

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ORDINARY = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
PATIENT_AND_STUDY = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)


def item(**attributes: object) -> list[Dataset]:
    """A sequence of one item."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return [dataset]


def enhanced_ct(
    slices: Sequence[Dataset],
    *,
    name: str = "enhanced",
    order: Sequence[int] | None = None,
    shared: Sequence[str] = ("PlaneOrientationSequence", "PixelMeasuresSequence"),
    image_type: Sequence[str] = ORDINARY,
    rescale_type: str = "HU",
    sources: bool = False,
    change: Callable[[int, Dataset], None] | None = None,
) -> Dataset:
    """The slices as the frames of one object.

    order   : index of the slice that each frame is, the first frame's first; default: as given
    shared  : functional groups that stand once for all frames
    sources : whether each frame names the slice that it was made of
    change  : of frame 1, 2, ... its own functional groups
    """
    first = slices[0]
    ordered = [slices[index] for index in (range(len(slices)) if order is None else order)]
    ds = Dataset()
    for keyword in PATIENT_AND_STUDY:
        if keyword in first:
            ds[keyword] = deepcopy(first[keyword])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = ENHANCED_CT
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = synthetic.uid(name)
    ds.SeriesInstanceUID = synthetic.uid(name, "series")
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 5, 1
    ds.SeriesDate = ds.ContentDate = "20260102"
    ds.SeriesTime = ds.ContentTime = "030405"
    ds.AcquisitionDateTime = "20260102030405"
    ds.Manufacturer = ds.ManufacturerModelName = "m3node tests"
    ds.DeviceSerialNumber = ds.SoftwareVersions = "1"
    ds.ImageType = list(image_type)
    ds.PixelPresentation = "MONOCHROME"
    ds.VolumetricProperties = "VOLUME"
    ds.VolumeBasedCalculationTechnique = "NONE"
    ds.ContentQualification, ds.PresentationLUTShape = "RESEARCH", "IDENTITY"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    for keyword in (
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
    ):
        ds[keyword] = deepcopy(first[keyword])
    groups = [
        _groups(each, number, image_type, rescale_type, sources)
        for number, each in enumerate(ordered, start=1)
    ]
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    for sequence in shared:
        ds.SharedFunctionalGroupsSequence[0][sequence] = groups[0][sequence]
        for group in groups:
            del group[sequence]
    for number, group in enumerate(groups, start=1):
        if change is not None:
            change(number, group)
    ds.PerFrameFunctionalGroupsSequence = groups
    ds.NumberOfFrames = len(groups)
    ds.PixelData = b"".join(each.PixelData for each in ordered)
    return ds


def _groups(
    source: Dataset, number: int, image_type: Sequence[str], rescale_type: str, sources: bool
) -> Dataset:
    group = Dataset()
    group.FrameContentSequence = item(
        StackID="1",
        InStackPositionNumber=number,
        FrameAcquisitionNumber=1,
        FrameAcquisitionDateTime="20260102030405",
        FrameAcquisitionDuration=0.5,
        FrameReferenceDateTime="20260102030405",
    )
    group.CTImageFrameTypeSequence = item(
        FrameType=list(image_type),
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    group.PlanePositionSequence = item(ImagePositionPatient=source.ImagePositionPatient)
    group.PlaneOrientationSequence = item(ImageOrientationPatient=source.ImageOrientationPatient)
    group.PixelMeasuresSequence = item(
        PixelSpacing=source.PixelSpacing, SliceThickness=source.SliceThickness
    )
    group.PixelValueTransformationSequence = item(
        RescaleIntercept=source.RescaleIntercept,
        RescaleSlope=source.RescaleSlope,
        RescaleType=rescale_type,
    )
    if sources:
        group.ConversionSourceAttributesSequence = item(
            ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID
        )
    return group


def legacy_converted(slices: Sequence[Dataset], *, name: str = "legacy") -> Dataset:
    """The same by highdicom, as a Legacy Converted Enhanced CT."""
    return LegacyConvertedEnhancedCTImage(
        legacy_datasets=list(slices),
        series_instance_uid=synthetic.uid(name, "series"),
        series_number=5,
        sop_instance_uid=synthetic.uid(name),
        instance_number=1,
    )


def descending(count: int) -> list[int]:
    """Frames against the stack."""
    return list(reversed(range(count)))


def shuffled(count: int) -> list[int]:
    """Frames in no order."""
    return [int(index) for index in np.random.default_rng(7).permutation(count)]


def claiming(dataset: Dataset, frames: int) -> Dataset:
    """The object with another Number of Frames than it has."""
    lying = deepcopy(dataset)
    lying.NumberOfFrames = frames
    return lying


def cite_frames(
    marks: Dataset, slices: Sequence[Dataset], enhanced: Dataset, frame_of: dict[int, int]
) -> None:
    """Whatever refers to one of the slices refers to the frame that it became.

    frame_of : index of a slice -> number of its frame
    """
    number = {str(ds.SOPInstanceUID): frame_of[z] for z, ds in enumerate(slices)}

    def walk(dataset: Dataset) -> None:
        frame = number.get(str(dataset.get("ReferencedSOPInstanceUID")))
        if frame is not None:
            dataset.ReferencedFrameNumber = frame
            dataset.ReferencedSOPInstanceUID = enhanced.SOPInstanceUID
            dataset.ReferencedSOPClassUID = enhanced.SOPClassUID
        if str(dataset.get("SeriesInstanceUID")) == str(slices[0].SeriesInstanceUID):
            dataset.SeriesInstanceUID = enhanced.SeriesInstanceUID
        for element in dataset:
            if element.VR == "SQ":
                for inner in element.value:
                    walk(inner)

    walk(marks)
