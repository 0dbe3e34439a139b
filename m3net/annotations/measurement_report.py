"""TID 1500 measurement reports, in whatever SR class: what their groups mark.

Each measurement group that is about a nodule becomes one marking: what its SCOORD or SCOORD3D
outlines, or the segment that it refers to.  A group without a finding is listed.
"""

from collections.abc import Mapping
from contextlib import suppress

from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.content_tree import ContentTree, is_named
from m3net.annotations.evidence import Evidence, evidence_of
from m3net.annotations.image_classes import is_needed
from m3net.annotations.image_references import frames_named
from m3net.annotations.meaning import Meaning, Reading
from m3net.annotations.measurement_group import GROUP, MeasurementGroup, groups_of
from m3net.annotations.reader import AnnotationReader, Scope
from m3net.annotations.regions import images_of, measure, read_region
from m3net.annotations.types import (
    NO_PLANES,
    Annotation,
    Drawn,
    Marking,
    PassedOver,
    Planes,
    References,
)
from m3net.attributes import PARSER_ERRORS
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.nodule import AnnotationSource, Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SOPClassUID,
    SOPInstanceUID,
)

TITLE = Code("126000", "DCM", "Imaging Measurement Report")
_OF_ONE_GROUP: tuple[type[Exception], ...] = (*PARSER_ERRORS, AnnotationUnusable)
"""What reading one group may raise."""
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")


def is_measurement_report(dataset: Dataset) -> bool:
    """Whether an SR follows TID 1500: by its template, title, or measurements' container; or
    is a Measurement Group as a whole, as dwv 0.34 writes it."""
    for template in dataset.get("ContentTemplateSequence") or []:
        if str(template.get("TemplateIdentifier")) == "1500":
            return True
    tree = ContentTree(dataset)
    return is_named(dataset, TITLE, GROUP) or bool(tree.named(dataset, IMAGING_MEASUREMENTS))


def _references(dataset: Dataset) -> References:
    tree = ContentTree(dataset)
    named: dict[SOPInstanceUID, SOPClassUID] = {}
    for item in tree.below(dataset):
        if item.get("ValueType") == "IMAGE":
            for reference in item.get("ReferencedSOPSequence") or []:
                uid = SOPInstanceUID(str(reference.ReferencedSOPInstanceUID))
                named[uid] = SOPClassUID(str(reference.get("ReferencedSOPClassUID") or ""))
    by_meaning: dict[Meaning, list[MeasurementGroup]] = {}
    for group in groups_of(tree):
        with suppress(*_OF_ONE_GROUP):  # said when the study is analysed
            by_meaning.setdefault(group.reading().meaning, []).append(group)
    nodules = by_meaning.get(Meaning.NODULE, [])
    marked: set[FrameReference] = set()
    frames: set[FrameOfReferenceUID] = set()
    centres: list[Point] = []
    for group in nodules or by_meaning.get(Meaning.UNSAID, []):
        for each in group.coordinates():
            marked.update(images_of(tree, each.item))
            if each.item.ValueType == "SCOORD3D":
                frames.add(FrameOfReferenceUID(str(each.item.get("ReferencedFrameOfReferenceUID"))))
                centres.extend(_known_centre(tree, each.item))
        for reference in group.sources_of_segment():
            marked.update(frames_named(reference))
    evidence = evidence_of(dataset)
    series_of = evidence.series_of
    here = {uid for uid, kind in named.items() if is_needed(kind)} - evidence.elsewhere
    drawn_on = {reference.sop_instance_uid for reference in marked}
    series = {series_of[uid] for uid in drawn_on or here if uid in series_of}
    return References(
        frame_of_reference_uid=frames.pop() if len(frames) == 1 else None,
        series_instance_uids=frozenset(series),
        sop_instance_uids=frozenset(here),
        marked=frozenset(marked),
        centres_mm=tuple(centres),
        nodules=bool(nodules),
        image_classes=_image_classes(named, drawn_on, evidence),
    )


def _image_classes(
    named: Mapping[SOPInstanceUID, SOPClassUID], drawn_on: set[SOPInstanceUID], evidence: Evidence
) -> frozenset[SOPClassUID]:
    """Of the images that it draws on; else of those that it names; else of its evidence."""
    for of in (
        {named[uid] for uid in drawn_on if uid in named},
        set(named.values()),
        evidence.classes,
    ):
        told = frozenset(of) - {SOPClassUID("")}
        if told:
            return told
    return frozenset()


def _read(dataset: Dataset, planes: Planes) -> Annotation:
    tree = ContentTree(dataset)
    markings: list[Marking] = []
    passed_over: list[PassedOver] = []
    ignored: list[str] = []
    for group in groups_of(tree):
        source = AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
            place=group.place,
        )
        try:
            read = _group(tree, group, source, planes)
        except _OF_ONE_GROUP:  # the others stand
            read = _refused(source, "its measurement group holds a value that it cannot have")
        match read:
            case Marking():
                markings.append(read)
            case PassedOver():
                passed_over.append(read)
            case str():
                ignored.append(read)
    return Annotation(
        sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
        markings=tuple(markings),
        passed_over=tuple(passed_over),
        ignored=tuple(ignored),
    )


def _group(
    tree: ContentTree, group: MeasurementGroup, source: AnnotationSource, planes: Planes
) -> Marking | PassedOver | str:
    """What the group marks, or what it draws instead, or a sentence if it draws nothing."""
    reading = group.reading()
    if not group.coordinates() and group.segment() is None:
        return _placeless(group, reading)
    match reading.meaning:
        case Meaning.NODULE:
            return _marking(tree, group, source, planes)
        case Meaning.OTHER:
            return PassedOver(
                drawn=Drawn.MEASUREMENT, place=group.place, unsaid=False, says=reading.says
            )
        case Meaning.UNSAID:
            return PassedOver(
                drawn=Drawn.MEASUREMENT,
                place=group.place,
                says=reading.says,
                unsaid=True,
                marking=_marking(tree, group, source, planes),
                may_count=group.is_bidirectional_or_arrow(),
            )


def _refused(source: AnnotationSource, reason: str) -> Marking:
    return Marking(
        source=source,
        tracking_uid=None,
        tracking_id=None,
        frame_of_reference_uid=None,
        refused=reason,
    )


def _placeless(group: MeasurementGroup, reading: Reading) -> str:
    place = group.place.capitalize()
    if reading.meaning is Meaning.OTHER:
        return f"{place} is about no lung nodule, and marks no place: {reading.says}."
    return f"{place} marks no place."


def _marking(
    tree: ContentTree,
    group: MeasurementGroup,
    source: AnnotationSource,
    planes: Planes,
) -> Marking:
    coordinates = group.coordinates()
    if not coordinates:
        return Marking(
            source=source,
            tracking_uid=group.tracking_uid,
            tracking_id=group.tracking_id,
            frame_of_reference_uid=None,
            segment=group.segment(),
            stated_mm=group.diameter_mm(),
            site=group.site(),
        )
    try:
        if group.is_on_a_view():
            raise NoduleUnusable(
                "it is drawn on a viewer's own view of the CT; mark the nodule on a slice"
            )
        lines = [each for each in coordinates if not each.of_angle]
        if not lines:
            raise NoduleUnusable("what is drawn is an angle, which is no nodule's outline")
        regions = [read_region(tree, each.item, planes, encloses=each.of_area) for each in lines]
        frames = {region.frame_of_reference_uid for region in regions}
        if len(frames) > 1:
            raise NoduleUnusable(f"it is marked in {len(frames)} frames of reference")
        extent = measure(regions)
    except NoduleUnusable as error:
        return Marking(
            source=source,
            tracking_uid=group.tracking_uid,
            tracking_id=group.tracking_id,
            frame_of_reference_uid=None,
            refused=str(error),
        )
    return Marking(
        source=source,
        tracking_uid=group.tracking_uid,
        tracking_id=group.tracking_id,
        frame_of_reference_uid=frames.pop(),
        contours_mm=extent.contours_mm,
        centre_mm=extent.centre_mm,
        stated_mm=group.diameter_mm(),
        drawn_mm=extent.diameter_mm,
        site=group.site(),
    )


def _known_centre(tree: ContentTree, item: Dataset) -> list[Point]:
    try:
        x, y, z = read_region(tree, item, NO_PLANES).points_mm.mean(axis=0).tolist()
    except NoduleUnusable:
        return []
    return [(x, y, z)]


MEASUREMENT_REPORT_READER = AnnotationReader(
    kind="Measurement report",
    scope=Scope(
        read=(
            (
                "TID 1500 groups with a finding, label, comment or tracking text that says "
                "nodule: SCOORD, SCOORD3D, bidirectional lines, or the segment that they refer "
                "to"
            ),
        ),
        listed=(
            "groups without a finding, or about something else",
            "groups that mark no place",
        ),
        refused=(
            "angles and open lines as outlines; several points",
            "regions on images that are no CT slices of the study",
        ),
    ),
    recognises=is_measurement_report,
    find_references=_references,
    find_marks=_read,
)
