"""What our SR documents and key object selections share: who observed, for whom, what is meant."""

import highdicom as hd
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag
from pydicom.uid import UID

from sr_templates import codes
from sr_templates.findings import Algorithm, PredecessorReference


def device_observer(algorithm: Algorithm) -> hd.sr.ObserverContext:
    """TID 1002: the device that observed."""
    return hd.sr.ObserverContext(
        observer_type=codes.DEVICE,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=algorithm.device_uid,
            name=algorithm.device_model,
            manufacturer_name=algorithm.manufacturer,
            model_name=algorithm.device_model,
            serial_number=algorithm.device_serial,
        ),
    )


def header_of(reference: PredecessorReference) -> Dataset:
    """The identifiers of the report that is replaced, as `evidence_items` takes them."""
    return identifiers(
        study_instance_uid=reference.study_instance_uid,
        series_instance_uid=reference.series_instance_uid,
        sop_class_uid=reference.sop_class_uid,
        sop_instance_uid=reference.sop_instance_uid,
    )


def identifiers(
    *,
    study_instance_uid: str,
    series_instance_uid: str,
    sop_class_uid: str,
    sop_instance_uid: str,
) -> Dataset:
    """The identifiers of an object that is not at hand, as `evidence_items` takes them."""
    header = Dataset()
    header.StudyInstanceUID = UID(study_instance_uid)
    header.SeriesInstanceUID = UID(series_instance_uid)
    header.SOPClassUID = UID(sop_class_uid)
    header.SOPInstanceUID = UID(sop_instance_uid)
    return header


def refer_to_requests(report: Dataset) -> None:
    """The CT's request attributes as an SR document states them, each once (PS3.3 C.17.2).

    The CT has an item for every scheduled step, of which a requested procedure may have several.
    """
    requests = report.get("RequestAttributesSequence") or []
    if "RequestAttributesSequence" in report:
        del report.RequestAttributesSequence
    items: list[Dataset] = []
    told = []
    for request in requests:
        item = Dataset()
        item.StudyInstanceUID = request.get("StudyInstanceUID") or report.StudyInstanceUID
        item.ReferencedStudySequence = request.get("ReferencedStudySequence") or []
        for source in (report, request):
            _carry(source, item, "AccessionNumber")
        for keyword in ("SpecificCharacterSet", *_REQUEST_KEYWORDS, *_OPTIONAL_REQUEST_KEYWORDS):
            _carry(request, item, keyword)
        for keyword in _REQUEST_KEYWORDS:
            if keyword not in item:
                setattr(item, keyword, None)
        said = {tag: item.get_item(tag).value for tag in item.keys()}  # noqa: SIM118
        if said not in told:
            told.append(said)
            items.append(item)
    if items:
        report.ReferencedRequestSequence = items


def _carry(source: Dataset, item: Dataset, keyword: str) -> None:
    """The element as it is, raw if it is raw; an empty one changes nothing."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    if tag in source and source.get_item(tag).value:
        item[tag] = source.get_item(tag)


_REQUEST_KEYWORDS = (  # Type 2
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)
_OPTIONAL_REQUEST_KEYWORDS = (
    "IssuerOfAccessionNumberSequence",
    "OrderPlacerIdentifierSequence",
    "OrderFillerIdentifierSequence",
    "ReasonForTheRequestedProcedure",
    "ReasonForRequestedProcedureCodeSequence",
)
