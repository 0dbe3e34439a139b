"""Small CT series, segmentations and reports with a chosen geometry, for fast tests.

Everything is valid DICOM that can be written with `dataset.save_as(path)`; UIDs are derived from
names, so two calls with the same arguments give the same objects.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

import highdicom as hd
import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ALTERED = hd.sr.CodedConcept("49755003", "SCT", "Morphologically Altered Structure")
AT = datetime(2026, 1, 2, 3, 4, 5)


def uid(*name: object) -> str:
    """A UID derived from a name."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, repr(name)).int}"


def ct_series(
    *,
    shape: tuple[int, int, int] = (8, 16, 20),
    spacing_mm: tuple[float, float, float] = (2.5, 0.7, 0.8),
    origin_mm: Sequence[float] = (-10.0, -20.0, -100.0),
    orientation: Sequence[float] = AXIAL,
    step_mm: Sequence[float] | None = None,
    hu: ArrayLike | None = None,
    study: str = "study",
    series: str = "series",
    frame_of_reference: str = "frame",
    patient_id: str = "SYN-1",
    patient_name: str = "Phantom^Small",
    accession: str = "A1",
) -> list[Dataset]:
    """The slices of one CT series, ascending along the normal.

    shape      : (slices, rows, columns)
    spacing_mm : (between slices, between rows, between columns)
    step_mm    : LPS vector from slice to slice; default: spacing along the normal (no tilt)
    hu         : (slices, rows, columns); default: values of lung, neighbours each of its own, and
                 among them a third of soft tissue, so that a nodule can be marked anywhere
    """
    if hu is None:
        count = int(np.prod(shape))
        order = np.arange(count).reshape(shape)
        hu = (order * 7) % 390 - 900 + 450 * (order % 3 == 0)
    voxels = np.asarray(hu)
    if step_mm is None:
        step_mm = np.cross(orientation[:3], orientation[3:]) * spacing_mm[0]
    slices = []
    for number, plane in enumerate(voxels):
        position = np.asarray(origin_mm) + number * np.asarray(step_mm)
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.SOPClassUID = CTImageStorage
        ds.SOPInstanceUID = uid(study, series, number)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20260102"
        ds.StudyTime = ds.SeriesTime = ds.ContentTime = "030405"
        ds.AccessionNumber = accession
        ds.Modality = "CT"
        ds.Manufacturer = "m3node tests"
        ds.ReferringPhysicianName = ""
        ds.StudyDescription = "CT chest"
        ds.SeriesDescription = "axial"
        ds.PatientName = patient_name
        ds.PatientID = patient_id
        ds.PatientBirthDate = "19500101"
        ds.PatientSex = "O"
        ds.BodyPartExamined = "CHEST"
        ds.KVP = "120"
        ds.SliceThickness = spacing_mm[0]
        ds.ConvolutionKernel = "STANDARD"
        ds.PatientPosition = "HFS"
        ds.StudyInstanceUID = uid(study)
        ds.SeriesInstanceUID = uid(study, series)
        ds.StudyID = "1"
        ds.SeriesNumber = 2
        ds.AcquisitionNumber = 1
        ds.InstanceNumber = number + 1
        ds.ImagePositionPatient = [round(float(value), 6) for value in position]
        ds.ImageOrientationPatient = [round(float(value), 9) for value in orientation]
        ds.FrameOfReferenceUID = uid(frame_of_reference)
        ds.PositionReferenceIndicator = ""
        ds.SamplesPerPixel = 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.Rows, ds.Columns = plane.shape
        ds.PixelSpacing = [spacing_mm[1], spacing_mm[2]]
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit = 15
        ds.PixelRepresentation = 1
        ds.RescaleIntercept = -1024
        ds.RescaleSlope = 1
        ds.RescaleType = "HU"
        ds.PixelData = (plane + 1024).astype("<i2").tobytes()
        slices.append(ds)
    return slices


def segmentation(
    ct: Sequence[Dataset],
    masks: Sequence[ArrayLike],
    *,
    name: str = "seg",
    tracking_uids: Sequence[str | None] | None = None,
    fractional: bool = False,
    labelmap: bool = False,
    property_category: hd.sr.CodedConcept | None = None,
    property_type: hd.sr.CodedConcept | None = None,
) -> Dataset:
    """A SEG over the whole series; one segment per (slices, rows, columns) mask.

    Segment n has the tracking identifier "Nodule n" and, by default, a tracking UID of its own;
    None in `tracking_uids` leaves both out.
    """
    layers = np.stack([np.asarray(mask) for mask in masks], axis=-1)
    uids = tracking_uids or [uid(name, "tracking", n) for n in range(len(masks))]
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Nodule {number}",
            segmented_property_category=property_category or ALTERED,
            segmented_property_type=property_type or codes.SCT.Nodule,
            algorithm_type="MANUAL",
            tracking_uid=tracking_uid,
            tracking_id=f"Nodule {number}" if tracking_uid else None,
        )
        for number, tracking_uid in enumerate(uids, start=1)
    ]
    kind = "FRACTIONAL" if fractional else "LABELMAP" if labelmap else "BINARY"
    pixels: NDArray[np.generic] = layers if fractional else layers.astype(np.uint8)
    return hd.seg.Segmentation(
        source_images=list(ct),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=segments,
        series_instance_uid=uid(name, "series"),
        series_number=9,
        sop_instance_uid=uid(name),
        instance_number=1,
        manufacturer="m3node tests",
        manufacturer_model_name="synthetic",
        software_versions="1",
        device_serial_number="1",
        content_label="NODULES",
    )


def scoord(image: Dataset, graphic_type: str, points: ArrayLike) -> hd.sr.ImageRegion:
    """A region on one slice; (N, 2) as (column, row), the first pixel's centre is (0.5, 0.5)."""
    return hd.sr.ImageRegion(
        graphic_type=graphic_type,
        graphic_data=np.asarray(points, dtype=np.float64),
        source_image=hd.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
    )


def measurement_group(
    regions: Sequence[hd.sr.ContentItem],
    *,
    tracking_id: str,
    tracking_uid: str,
    diameter_mm: float | None = None,
    finding: hd.sr.CodedConcept | None = None,
) -> hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    """One TID 1410 (one region) or TID 1411 (several) group about a nodule."""
    measurements = []
    if diameter_mm is not None:
        measurements.append(
            hd.sr.Measurement(
                name=codes.SCT.Diameter, value=diameter_mm, unit=codes.UCUM.Millimeter
            )
        )
    shared = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=tracking_uid, identifier=tracking_id),
        "finding_type": finding or codes.SCT.Nodule,
        "measurements": measurements or None,
    }
    if len(regions) == 1:
        return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=regions[0], **shared
        )
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_regions=list(regions), **shared
    )


def measurement_report(
    ct: Sequence[Dataset],
    groups: Sequence[hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations],
    *,
    name: str = "sr",
    evidence: Sequence[Dataset] | None = None,
) -> Dataset:
    """A TID 1500 Comprehensive 3D SR with these measurement groups."""
    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=uid("device")
        ),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=hd.sr.CodedConcept("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=list(groups),
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = hd.sr.Comprehensive3DSR(
        evidence=list(ct if evidence is None else evidence),
        content=content[0],
        series_instance_uid=uid(name, "series"),
        series_number=10,
        sop_instance_uid=uid(name),
        instance_number=1,
        manufacturer="m3node tests",
        is_complete=True,
    )
    report.ContentDate, report.ContentTime = AT.strftime("%Y%m%d"), AT.strftime("%H%M%S")
    return report
