"""The phantom's nodules as a radiologist's workstation would mark them: a SEG and a TID 1500 SR.

Nodules 1 to 4 are segments of the SEG; nodule 1, 5 and 6 are measured in the SR, so the phantom has
one nodule in both objects under one tracking UID, and two that only the SR knows.
"""

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from node.demo.phantom import Phantom, PhantomNodule, phantom_uid

SEGMENTED = ("Nodule 1", "Nodule 2", "Nodule 3", "Nodule 4")
MEASURED = ("Nodule 1", "Nodule 5", "Nodule 6")
_READER = "Phantom reader"


def segmentation(phantom: Phantom, tracking_ids: Sequence[str] = SEGMENTED) -> Dataset:
    """A binary SEG, one segment a nodule, with tracking identifiers and UIDs."""
    nodules = _chosen(phantom, tracking_ids)
    algorithm = hd.AlgorithmIdentificationSequence(
        name=_READER, version="1", family=codes.DCM.ArtificialIntelligence
    )
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=nodule.tracking_id,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Nodule,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=nodule.tracking_uid,
            tracking_id=nodule.tracking_id,
            anatomic_regions=[codes.SCT.Lung],
        )
        for number, nodule in enumerate(nodules, start=1)
    ]
    series = phantom_uid(phantom.subject.study_instance_uid, "segmentation")
    seg = hd.seg.Segmentation(
        source_images=phantom.ct,
        pixel_array=np.stack([phantom.mask(nodule) for nodule in nodules], axis=-1),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=series,
        series_number=20,
        sop_instance_uid=phantom_uid(series, *tracking_ids, str(phantom.grid)),
        instance_number=1,
        manufacturer="m3node",
        manufacturer_model_name="Phantom workstation",
        software_versions="1",
        device_serial_number="1",
        content_label="NODULES",
        content_creator_name="PHANTOM^READER",
        series_description="Nodule segmentation",
    )
    return _pinned(seg, phantom)


def measurement_report(phantom: Phantom, tracking_ids: Sequence[str] = MEASURED) -> Dataset:
    """A TID 1500 report: the first nodule drawn as a circle, the others as outlines.

    All in image coordinates (SCOORD), each with its diameter.
    """
    nodules = _chosen(phantom, tracking_ids)
    groups = [_group(phantom, nodule, circle=i == 0) for i, nodule in enumerate(nodules)]
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_person_context=hd.sr.ObserverContext(
                observer_type=codes.DCM.Person,
                observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
                    name="PHANTOM^READER"
                ),
            )
        ),
        procedure_reported=CodedConcept("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    series = phantom_uid(phantom.subject.study_instance_uid, "report")
    report = hd.sr.ComprehensiveSR(
        evidence=[phantom.slice_nearest(nodule) for nodule in nodules],
        content=content,
        series_instance_uid=series,
        series_number=21,
        sop_instance_uid=phantom_uid(series, *tracking_ids, str(phantom.grid)),
        instance_number=1,
        manufacturer="m3node",
        manufacturer_model_name="Phantom workstation",
        series_description="Nodule measurements",
        is_complete=True,
        is_verified=False,
    )
    return _pinned(report, phantom)


def _chosen(phantom: Phantom, tracking_ids: Sequence[str]) -> list[PhantomNodule]:
    by_id = {nodule.tracking_id: nodule for nodule in phantom.nodules}
    return [by_id[tracking_id] for tracking_id in tracking_ids]


def _group(
    phantom: Phantom, nodule: PhantomNodule, *, circle: bool
) -> hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    image = phantom.slice_nearest(nodule)
    pixel = phantom.grid.pixel_mm
    # SCOORD counts from the corner of the first pixel; Image Position is that pixel's centre.
    column, row = (
        (nodule.centre_mm[i] - float(image.ImagePositionPatient[i])) / pixel + 0.5 for i in (0, 1)
    )
    radius = nodule.diameter_mm / 2 / pixel
    if circle:
        kind = hd.sr.GraphicTypeValues.CIRCLE
        points = np.array([[column, row], [column + radius, row]])
    else:
        kind = hd.sr.GraphicTypeValues.POLYLINE
        turn = np.linspace(0, 2 * np.pi, 33)
        points = np.stack([column + radius * np.cos(turn), row + radius * np.sin(turn)], axis=1)
        points[-1] = points[0]
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=nodule.tracking_uid, identifier=nodule.tracking_id
        ),
        referenced_region=hd.sr.ImageRegion(
            graphic_type=kind,
            graphic_data=points,
            source_image=hd.sr.SourceImageForRegion.from_source_image(image),
        ),
        finding_type=codes.SCT.Nodule,
        finding_sites=[hd.sr.FindingSite(anatomic_location=codes.SCT.Lung)],
        measurements=[
            hd.sr.Measurement(
                name=codes.SCT.Diameter, value=nodule.diameter_mm, unit=codes.UCUM.Millimeter
            )
        ],
    )


def _pinned(dataset: Dataset, phantom: Phantom) -> Dataset:
    """The same phantom has the same annotations, to the byte: nothing is of a clock or drawn."""
    date, time = phantom.subject.at.strftime("%Y%m%d"), phantom.subject.at.strftime("%H%M%S")
    for keyword in ("InstanceCreationDate", "ContentDate", "SeriesDate"):
        if keyword in dataset:
            setattr(dataset, keyword, date)
    for keyword in ("InstanceCreationTime", "ContentTime", "SeriesTime"):
        if keyword in dataset:
            setattr(dataset, keyword, time)
    for item in dataset.get("ContributingEquipmentSequence", []):
        item.ContributionDateTime = date + time
    for element in dataset.iterall():
        if element.keyword == "DimensionOrganizationUID":
            element.value = phantom_uid(dataset.SOPInstanceUID, "dimensions")
    dataset.StudyDescription = phantom.ct[0].StudyDescription
    return dataset
