"""TID 1500 measurement reports: Enhanced, Comprehensive and Comprehensive 3D SR.

Each measurement group that may be about a nodule becomes one marking: what its SCOORD or SCOORD3D
outlines, or the segment that it refers to.  Coordinates may stand in the group or under one of its
measurements.
"""

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from m3net.annotations.content_tree import ContentTree, is_named
from m3net.annotations.image_references import frames_named
from m3net.annotations.incomplete import incomplete_is_unusable
from m3net.annotations.meaning import first_code, why_no_nodule
from m3net.annotations.regions import images_of, is_label_position, measure, read_region
from m3net.annotations.types import (
    NO_PLANES,
    Annotation,
    Marking,
    Planes,
    References,
    SegmentReference,
)
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource, Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
)

SEGMENTATION_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
TITLE = Code("126000", "DCM", "Imaging Measurement Report")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
GROUP = Code("125007", "DCM", "Measurement Group")
TRACKING_ID = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
FINDING = Code("121071", "DCM", "Finding")
FINDING_CATEGORY = Code("276214006", "SCT", "Finding category")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
DIAMETERS = (
    Code("81827009", "SCT", "Diameter"),
    Code("103339001", "SCT", "Long Axis"),
    codes.SCT.Length,
)
"""In this order: a diameter is preferred to a long axis, and that to a mere length."""
MM_PER = {"mm": 1.0, "cm": 10.0}


def is_measurement_report(dataset: Dataset) -> bool:
    """Whether an SR follows TID 1500: by its template, title, or measurements' container."""
    for template in dataset.get("ContentTemplateSequence") or []:
        if str(template.get("TemplateIdentifier")) == "1500":
            return True
    tree = ContentTree(dataset)
    return is_named(dataset, TITLE) or bool(tree.named(dataset, IMAGING_MEASUREMENTS))


class MeasurementReportReader:
    """Reads a TID 1500 report."""

    kind = "Measurement report"

    def recognises(self, dataset: Dataset) -> bool:
        """Whether the SR follows TID 1500."""
        return is_measurement_report(dataset)

    def references(self, dataset: Dataset) -> References:
        """What the report refers to.

        Raises AnnotationUnusable if the object lacks what every report has.
        """
        with incomplete_is_unusable(self.kind):
            return _references(dataset)

    def read(self, dataset: Dataset, planes: Planes) -> Annotation:
        """One marking per measurement group that may be about a nodule.

        Raises AnnotationUnusable if the object lacks what every report has.
        """
        with incomplete_is_unusable(self.kind):
            return _read(dataset, planes, kind=self.kind)


def _references(dataset: Dataset) -> References:
    tree = ContentTree(dataset)
    named: set[SOPInstanceUID] = set()
    marked: set[FrameReference] = set()
    frames: set[FrameOfReferenceUID] = set()
    centres: list[Point] = []
    for item in tree.below(dataset):
        kind = item.get("ValueType")
        if kind == "IMAGE":
            named.update(
                SOPInstanceUID(str(reference.ReferencedSOPInstanceUID))
                for reference in item.get("ReferencedSOPSequence") or []
            )
    for group in _groups(tree):
        if _why_other(tree, group) is not None:
            continue
        for item in _coordinates(tree, group):
            marked.update(images_of(tree, item))
            if item.ValueType == "SCOORD3D":
                frames.add(FrameOfReferenceUID(str(item.get("ReferencedFrameOfReferenceUID"))))
                centres.extend(_known_centre(tree, item))
        for source in tree.named(group, codes.DCM.SourceImageForSegmentation):
            for reference in source.get("ReferencedSOPSequence") or []:
                marked.update(frames_named(reference))
    elsewhere, series_of = _evidence(dataset)
    named -= elsewhere
    drawn_on = {reference.sop_instance_uid for reference in marked}
    series = {series_of[uid] for uid in drawn_on or named if uid in series_of}
    return References(
        frame_of_reference_uid=frames.pop() if len(frames) == 1 else None,
        series_instance_uids=frozenset(series),
        sop_instance_uids=frozenset(named),
        marked=frozenset(marked),
        centres_mm=tuple(centres),
    )


def _read(dataset: Dataset, planes: Planes, *, kind: str) -> Annotation:
    tree = ContentTree(dataset)
    markings: list[Marking] = []
    ignored: list[str] = []
    for number, group in enumerate(_groups(tree), start=1):
        other = _why_other(tree, group)
        if other is not None:
            ignored.append(f"Measurement group {number} is about no lung nodule: {other}.")
            continue
        if not _coordinates(tree, group) and _segment(tree, group) is None:
            ignored.append(f"Measurement group {number} marks no place.")
            continue
        source = AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
            place=f"measurement group {number}",
        )
        markings.append(_marking(tree, group, source, planes))
    return Annotation(
        sop_instance_uid=SOPInstanceUID(str(dataset.SOPInstanceUID)),
        kind=kind,
        markings=tuple(markings),
        ignored=tuple(ignored),
    )


def _marking(
    tree: ContentTree,
    group: Dataset,
    source: AnnotationSource,
    planes: Planes,
) -> Marking:
    tracking_uid = _first_value(tree, group, TRACKING_UID, "UID")
    tracking_id = _first_value(tree, group, TRACKING_ID, "TextValue")
    items = _coordinates(tree, group)
    stated = _diameter(tree, group)
    if not items:
        return Marking(
            source=source,
            tracking_uid=tracking_uid,
            tracking_id=tracking_id,
            frame_of_reference_uid=None,
            segment=_segment(tree, group),
            diameter_mm=stated,
            diameter_stated=stated is not None,
        )
    try:
        regions = [read_region(tree, item, planes) for item in items]
        frames = {region.frame_of_reference_uid for region in regions}
        if len(frames) > 1:
            raise NoduleUnusable(f"it is marked in {len(frames)} frames of reference")
        extent = measure(regions)
    except NoduleUnusable as error:
        return Marking(
            source=source,
            tracking_uid=tracking_uid,
            tracking_id=tracking_id,
            frame_of_reference_uid=None,
            refused=str(error),
        )
    return Marking(
        source=source,
        tracking_uid=tracking_uid,
        tracking_id=tracking_id,
        frame_of_reference_uid=frames.pop(),
        contours_mm=extent.contours_mm,
        centre_mm=extent.centre_mm,
        diameter_mm=stated if stated is not None else extent.diameter_mm,
        diameter_stated=stated is not None,
    )


def _groups(tree: ContentTree) -> list[Dataset]:
    return [item for item in tree.below(tree.root) if is_named(item, GROUP)]


def _why_other(tree: ContentTree, group: Dataset) -> str | None:
    values = {
        name: first_code(items[0], "ConceptCodeSequence")
        for name in (FINDING, FINDING_CATEGORY, FINDING_SITE)
        if (items := tree.named(group, name))
    }
    return why_no_nodule(
        category=values.get(FINDING_CATEGORY),
        kind=values.get(FINDING),
        site=values.get(FINDING_SITE),
    )


def _coordinates(tree: ContentTree, group: Dataset) -> list[Dataset]:
    """The group's own SCOORD and SCOORD3D, and those of its measurements; each once."""
    found: dict[int, Dataset] = {}
    for item in tree.children(group):
        for candidate in (item, *(tree.children(item) if item.get("ValueType") == "NUM" else ())):
            if candidate.get("ValueType") in ("SCOORD", "SCOORD3D"):
                found[id(candidate)] = candidate
    return [item for item in found.values() if not is_label_position(item)]


def _segment(tree: ContentTree, group: Dataset) -> SegmentReference | None:
    """The segment that the group speaks of: concept 121191 or 121214, or any reference to a SEG."""
    for item in tree.children(group):
        for reference in item.get("ReferencedSOPSequence") or []:
            numbers = reference.get("ReferencedSegmentNumber")
            if str(reference.ReferencedSOPClassUID) in SEGMENTATION_CLASSES and numbers is not None:
                number = numbers if isinstance(numbers, int) else numbers[0]
                return SegmentReference(
                    sop_instance_uid=SOPInstanceUID(str(reference.ReferencedSOPInstanceUID)),
                    segment_number=int(number),
                )
    return None


def _first_value(tree: ContentTree, group: Dataset, name: Code, keyword: str) -> str | None:
    for item in tree.named(group, name):
        text = str(item.get(keyword) or "").strip()
        if text:
            return text
    return None


def _diameter(tree: ContentTree, group: Dataset) -> float | None:
    """The stated diameter in mm; the longest if several are stated under one name."""
    for name in DIAMETERS:
        found = []
        for item in tree.named(group, name):
            for value in item.get("MeasuredValueSequence") or []:
                unit = first_code(value, "MeasurementUnitsCodeSequence")
                number = value.get("NumericValue")
                if number is not None and unit is not None and unit.value in MM_PER:
                    found.append(float(number) * MM_PER[unit.value])
        positive = [diameter for diameter in found if diameter > 0]
        if positive:
            return max(positive)
    return None


def _known_centre(tree: ContentTree, item: Dataset) -> list[Point]:
    try:
        x, y, z = read_region(tree, item, NO_PLANES).points_mm.mean(axis=0).tolist()
    except NoduleUnusable:
        return []
    return [(x, y, z)]


def _evidence(
    dataset: Dataset,
) -> tuple[set[SOPInstanceUID], dict[SOPInstanceUID, SeriesInstanceUID]]:
    """Instances of other studies (they will not come), and the series of this study's."""
    elsewhere: set[SOPInstanceUID] = set()
    series_of: dict[SOPInstanceUID, SeriesInstanceUID] = {}
    for keyword in (
        "CurrentRequestedProcedureEvidenceSequence",
        "PertinentOtherEvidenceSequence",
    ):
        for study in dataset.get(keyword) or []:
            here = str(study.StudyInstanceUID) == str(dataset.StudyInstanceUID)
            for series in study.get("ReferencedSeriesSequence") or []:
                for reference in series.get("ReferencedSOPSequence") or []:
                    uid = SOPInstanceUID(str(reference.ReferencedSOPInstanceUID))
                    if here:
                        series_of[uid] = SeriesInstanceUID(str(series.SeriesInstanceUID))
                    else:
                        elsewhere.add(uid)
    return elsewhere, series_of
