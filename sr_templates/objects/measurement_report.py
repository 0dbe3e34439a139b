"""The report of one study: a TID 1500 Imaging Measurement Report (PS3.16).

::

    CONTAINER (126000, DCM, Imaging Measurement Report)
              without any nodule (126001, DCM, Oncology Measurement Report)
      TEXT Summary                 the headline: what happened, in one line, before all else
      TEXT Summary                 of a revised report, which revision it is and what it replaces
      TEXT Summary                 of several nodules one each, by risk
      CODE Language | Observer: device | CODE Procedure reported
      TEXT Comment                 for research use
      CONTAINER Image Library      the slices that the tree refers to
      CONTAINER Imaging Measurements
        CONTAINER Measurement Group    per nodule (TID 1410): probability, call, region, explanation
        CONTAINER Measurement Group    only without any nodule (TID 1501): the headline again
      CONTAINER Qualitative Evaluations
        CODE Finding = Not Evaluated   per refused nodule: its tracking, "Not analysed: reason"
        TEXT Comment                   per remark

OHIF draws each nodule's region with its NUMs, whose first is "UNTRAINED, NOT A RESULT" where it is
one; a report without any nodule it shows as text.  The root is an extensible template, which is why
the headline may stand in front.  Refused nodules have no group of their own, because a group
without a region beside one with a region is an error to pixelmed's validator.
"""

from collections.abc import Mapping, Sequence

import highdicom as hd
from highdicom.sr import RelationshipTypeValues as Relation
from pydicom import Dataset

from sr_templates import codes
from sr_templates.envelope import RESEARCH_USE, evidence_items, finish, long_string, new_object
from sr_templates.findings import (
    Algorithm,
    ObjectIdentity,
    Outcome,
    PredecessorReference,
    ReportContent,
)
from sr_templates.objects.documents import (
    device_observer,
    header_of,
    identifiers,
    refer_to_requests,
)
from sr_templates.objects.measurement_groups import (
    Group,
    image,
    nodule_group,
    not_evaluated_group,
    refused_nodule,
    text,
)
from sr_templates.probability import UNTRAINED

SERIES_DESCRIPTIONS = {
    Outcome.ANALYSED: "AI nodule report (research use)",
    Outcome.PARTLY_ANALYSED: "AI report: NOT ALL ANALYSED (research use)",
    Outcome.NOTHING_MARKED: "AI report: NO NODULE MARKED (research use)",
    Outcome.NOT_ANNOTATED: "AI report: NOT ANNOTATED (research use)",
    Outcome.NOT_ANALYSED: "AI report: NOT ANALYSED (research use)",
    Outcome.TECHNICAL_FAILURE: "AI report: TECHNICAL FAILURE (research use)",
}
"""What the list of a PACS shows of a report that nobody has opened; 51 letters at most, so that
", revision 12345" fits."""

_COMPLETE = frozenset({Outcome.ANALYSED, Outcome.NOTHING_MARKED})


def build_report(
    *,
    content: ReportContent,
    evidence: Sequence[Dataset],
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
    sop_class_uid: str,
    captures: Mapping[str, Sequence[Dataset]],
    predecessor: PredecessorReference | None,
    tracking_uid_of_study: str,
) -> Dataset:
    """The report as a dataset with its file meta information; the same arguments, the same bytes.

    evidence      : headers of the slices that findings are drawn on; else one slice of the CT;
                    else the annotation
    subject       : header whose patient and study identity is copied
    sop_class_uid : Comprehensive 3D SR, or Comprehensive SR with the same tree
    captures      : per tracking UID the secondary captures that explain the nodule
    """
    report = new_object(
        sop_class_uid=sop_class_uid,
        modality="SR",
        series_description=SERIES_DESCRIPTIONS[content.outcome],
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
    headline = first_line(content, algorithm)
    complete = content.outcome in _COMPLETE
    report.CompletionFlag = "COMPLETE" if complete else "PARTIAL"
    report.CompletionFlagDescription = long_string(headline)
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []
    report.ReferencedPerformedProcedureStepSequence = []
    refer_to_requests(report)
    if content.nodules:
        report.CodingSchemeIdentificationSequence = [_private_scheme()]
    if predecessor is not None:
        report.PredecessorDocumentsSequence = evidence_items([header_of(predecessor)])

    explained = [captures.get(nodule.tracking_uid, ()) for nodule in content.nodules]
    groups: list[Group] = [
        nodule_group(nodule, algorithm, pictures)
        for nodule, pictures in zip(content.nodules, explained, strict=True)
    ]
    if not content.nodules:
        groups.append(not_evaluated_group("Study", tracking_uid_of_study, headline))
    pictures = [capture for group in explained for capture in group]
    report.CurrentRequestedProcedureEvidenceSequence = evidence_items([*evidence, *pictures])
    if earlier := _earlier_images(content):
        report.PertinentOtherEvidenceSequence = evidence_items(earlier)
    root = _root(content, headline, algorithm, groups, evidence)
    for element in root:
        report.add(element)
    finish(report)
    return report


def _earlier_images(content: ReportContent) -> list[Dataset]:
    """The slices of another study that the tree refers to (PS3.3 C.17.2.3), each once."""
    images = {
        each.earlier.image.sop_instance_uid: each.earlier
        for each in content.nodules
        if each.earlier is not None
    }
    return [
        identifiers(
            study_instance_uid=each.study_instance_uid,
            series_instance_uid=each.series_instance_uid,
            sop_class_uid=each.image.sop_class_uid,
            sop_instance_uid=each.image.sop_instance_uid,
        )
        for each in images.values()
    ]


def first_line(content: ReportContent, algorithm: Algorithm) -> str:
    """The headline, and in front of it the warning if untrained weights gave a probability."""
    if algorithm.trained or not content.nodules or content.headline.startswith(UNTRAINED):
        return content.headline
    return f"{UNTRAINED}: {content.headline}"


def _root(
    content: ReportContent,
    headline: str,
    algorithm: Algorithm,
    groups: Sequence[Group],
    evidence: Sequence[Dataset],
) -> Dataset:
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_device_context=device_observer(algorithm)
        ),
        procedure_reported=codes.PROCEDURE,
        title=codes.DRAWN_REPORT if content.nodules else codes.TOLD_REPORT,
        imaging_measurements=groups,
    )
    root: Dataset = report[0]
    *context, measurements = root.ContentSequence
    images = [dataset for dataset in evidence if "Rows" in dataset or dataset.Modality == "CT"]
    root.ContentSequence = [
        text(codes.SUMMARY, headline),
        *(text(codes.SUMMARY, line) for line in (content.revision, *content.summary) if line),
        *context,
        text(codes.COMMENT, f"{RESEARCH_USE}."),
        *([_image_library(images, content)] if images else []),
        measurements,
        *_evaluations(content),
    ]
    return root


def _evaluations(content: ReportContent) -> list[Dataset]:
    """Rows 12 to 14 of TID 1500, if there is anything to say."""
    items = [
        *(refused_nodule(refused) for refused in content.refused),
        *(text(codes.COMMENT, remark) for remark in content.remarks),
    ]
    if not items:
        return []
    container = hd.sr.ContainerContentItem(
        codes.QUALITATIVE_EVALUATIONS, relationship_type=Relation.CONTAINS
    )
    container.ContentSequence = hd.sr.ContentSequence(items)
    return [container]


def _image_library(images: Sequence[Dataset], content: ReportContent) -> hd.sr.ContainerContentItem:
    """TID 1600, of its descriptors the region alone: who shows the report has the headers."""
    group = hd.sr.ContainerContentItem(
        codes.IMAGE_LIBRARY_GROUP, relationship_type=Relation.CONTAINS
    )
    drawn_on = {nodule.region.image for nodule in content.nodules}
    frames = {
        uid: sorted(
            each.frame_number
            for each in drawn_on
            if each.sop_instance_uid == uid and each.frame_number is not None
        )
        for uid in (str(one.SOPInstanceUID) for one in images)
    }
    region = hd.sr.CodeContentItem(
        codes.TARGET_REGION, codes.CHEST, relationship_type=Relation.HAS_ACQ_CONTEXT
    )
    group.ContentSequence = hd.sr.ContentSequence(
        [region, *(image(codes.SOURCE, one, frames[str(one.SOPInstanceUID)]) for one in images)]
    )
    library = hd.sr.ContainerContentItem(codes.IMAGE_LIBRARY, relationship_type=Relation.CONTAINS)
    library.ContentSequence = hd.sr.ContentSequence([group])
    return library


def _private_scheme() -> Dataset:
    scheme = Dataset()
    scheme.CodingSchemeDesignator = codes.PRIVATE_SCHEME
    scheme.CodingSchemeName = "m3node: what no public scheme has"
    return scheme
