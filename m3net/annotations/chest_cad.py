"""Chest CAD SR (PS3.3 A.35.7, PS3.16 TID 4100).

A Single Image Finding (TID 4104) marks something on one image; a Composite Feature (TID 4102) is
inferred from such findings, from the same nodule on several slices or at several times.  The
topmost composite that is a nodule makes one marking of all findings below it; a finding that no
such composite holds makes one of its own.  Images are named through the Image Library, by
reference.

What the device says is not to be rendered is skipped; so is what lies on another study's images
(a composite repeats the prior's findings) or on radiographs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.sr.coding import Code

from m3net.annotations.attributes import items, text, uid
from m3net.annotations.coding import decisive_site, first_code
from m3net.annotations.content_tree import ContentTree, is_named
from m3net.annotations.evidence import evidence_of
from m3net.annotations.image_references import class_of, frames_named, is_of_ct
from m3net.annotations.incomplete import incomplete_is_unusable
from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of
from m3net.annotations.measurement_group import MeasurementGroup
from m3net.annotations.regions import Extent, measure, read_region
from m3net.annotations.types import (
    Annotation,
    Drawn,
    Marking,
    Overlap,
    PassedOver,
    Planes,
    References,
    Scope,
)
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource
from m3net.uids import FrameOfReferenceUID, FrameReference, SOPClassUID, SOPInstanceUID

COMPOSITE_FEATURE = Code("111015", "DCM", "Composite Feature")
SINGLE_IMAGE_FINDING = Code("111059", "DCM", "Single Image Finding")
MODIFIERS = (
    Code("112023", "DCM", "Composite Feature Modifier"),
    Code("112024", "DCM", "Single Image Finding Modifier"),
)
SITES = (
    Code("363698007", "SCT", "Finding Site"),
    Code("112013", "DCM", "Location in Chest"),
)
RENDERING_INTENT = Code("111056", "DCM", "Rendering Intent")
NOT_FOR_PRESENTATION = Code("111152", "DCM", "Not for Presentation")
CENTRE = Code("111010", "DCM", "Center")
OUTLINE = Code("111041", "DCM", "Outline")
CERTAINTIES = (
    Code("111012", "DCM", "Certainty of Finding"),
    Code("111011", "DCM", "Certainty of Feature"),
)

LARGEST_NODULE_MM = 30.0
"""Centres of one feature's findings that lie further apart are not of one nodule (Fleischner)."""


class ChestCADReader:
    """Reads a Chest CAD SR."""

    kind = "Chest CAD SR"
    scope = Scope(
        read=(
            (
                "Single Image Findings and Composite Features (nested, by value or by "
                "reference) of nodule type, by their outlines, else their centres; the "
                "certainty is told"
            ),
        ),
        listed=(
            (
                "findings of another type or in another organ; not to be rendered; on images of "
                "another study or that are no CT"
            ),
        ),
        refused=(
            "centres of one feature that lie more than 30 mm apart; references that never end",
        ),
    )

    def recognises(self, dataset: Dataset) -> bool:  # noqa: ARG002  (the class says it)
        """Always: every such report lists findings, or that there are none."""
        return True

    def references(self, dataset: Dataset) -> References:
        """What the report refers to.

        Raises AnnotationUnusable if the object lacks what every report has.
        """
        with incomplete_is_unusable(self.kind):
            return _references(dataset)

    def read(self, dataset: Dataset, planes: Planes) -> Annotation:
        """One marking per nodule on this study's CT.

        Raises AnnotationUnusable if the object lacks what every report has.
        """
        with incomplete_is_unusable(self.kind):
            return _read(dataset, planes, kind=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    """One SCOORD of a finding, and the images that it is selected from."""

    item: Dataset
    is_outline: bool
    images: tuple[FrameReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Feature:
    """A feature that stands on its own: a composite with all below it, or a single finding.

    number  : from 1, in the order of the report
    spots   : where it is on this study's CT
    skipped : why there are none, if there are none
    """

    number: int
    group: MeasurementGroup
    reading: Reading
    certainty_percent: float | None
    spots: Sequence[_Spot]
    skipped: str

    @property
    def place(self) -> str:
        return f"CAD finding {self.number}"

    @property
    def is_nodule(self) -> bool:
        return self.reading.meaning is Meaning.NODULE and not self.skipped


def _features(tree: ContentTree) -> list[_Feature]:
    every = [item for item in tree.below(tree.root) if _is_feature(item)]
    composites = [item for item in every if is_named(item, COMPOSITE_FEATURE)]
    elsewhere = evidence_of(tree.root).elsewhere
    found: list[_Feature] = []
    taken: set[int] = set()
    for item in (*composites, *every):
        if id(item) in taken:
            continue
        reading = _meaning(tree, item)
        if is_named(item, COMPOSITE_FEATURE) and reading.meaning is Meaning.UNSAID:
            continue  # what it holds is read on its own
        together = [item, *filter(_is_feature, tree.below(item))]
        findings = {id(each) for each in together if is_named(each, SINGLE_IMAGE_FINDING)}
        if findings and findings <= taken:
            continue  # another way to what a composite above has taken
        spots, skipped = _spots(tree, together, elsewhere)
        number = len(found) + 1
        found.append(
            _Feature(
                number=number,
                group=MeasurementGroup(tree, item, number),
                reading=reading,
                certainty_percent=_certainty(tree, item),
                spots=spots,
                skipped=skipped,
            )
        )
        taken.update(id(each) for each in together)
    return found


def _is_feature(item: Dataset) -> bool:
    return is_named(item, COMPOSITE_FEATURE, SINGLE_IMAGE_FINDING)


def _meaning(tree: ContentTree, item: Dataset) -> Reading:
    """By its modifiers, else its own code: "abnormal opacity" with the modifier "nodule" is one."""
    own = first_code(item, "ConceptCodeSequence")
    site = decisive_site(_codes(tree, item, *SITES))
    kinds = [*_codes(tree, item, *MODIFIERS), *([own] if own else [])]
    readings = [meaning_of(Said(kind=kind, site=site)) for kind in kinds]
    for wanted in (Meaning.NODULE, Meaning.OTHER):
        for reading in readings:
            if reading.meaning is wanted:
                return reading
    return readings[-1] if readings else Reading(meaning=Meaning.UNSAID, says="")


def _codes(tree: ContentTree, item: Dataset, *names: Code) -> list[Code]:
    found = (first_code(each, "ConceptCodeSequence") for each in tree.named(item, *names))
    return [code for code in found if code is not None]


def _certainty(tree: ContentTree, item: Dataset) -> float | None:
    """In percent; None if it is not given, or no number from 0 to 100."""
    for each in tree.named(item, *CERTAINTIES):
        for measured in items(each, "MeasuredValueSequence"):
            try:
                value = float(text(measured, "NumericValue"))
            except ValueError:
                continue
            if 0 <= value <= 100:
                return value
    return None


def _spots(
    tree: ContentTree, features: Sequence[Dataset], elsewhere: frozenset[SOPInstanceUID]
) -> tuple[list[_Spot], str]:
    """The outlines and centres on this study's CT; why there are none, if there are none."""
    spots = []
    why = "it marks no place"
    for feature in features:
        if NOT_FOR_PRESENTATION in _codes(tree, feature, RENDERING_INTENT):
            why = "the device says that it is not to be rendered"
            continue
        for item in tree.named(feature, CENTRE, OUTLINE):
            if item.get("ValueType") not in ("SCOORD", "SCOORD3D"):
                continue
            images = [
                image
                for child in tree.children(item)
                for image in items(child, "ReferencedSOPSequence")
            ]
            if not all(map(is_of_ct, images)):
                why = "it is on an image that is no CT"
                continue
            named = tuple(frame for image in images for frame in frames_named(image))
            if any(frame.sop_instance_uid in elsewhere for frame in named):
                why = "it is on an image of another study"
                continue
            spots.append(_Spot(item=item, is_outline=is_named(item, OUTLINE), images=named))
    return spots, "" if spots else why


def _references(dataset: Dataset) -> References:
    tree = ContentTree(dataset)
    evidence = evidence_of(dataset)
    nodules = [feature for feature in _features(tree) if feature.is_nodule]
    marked = {frame for feature in nodules for spot in feature.spots for frame in spot.images}
    images = [
        image
        for item in tree.below(dataset)
        if item.get("ValueType") == "IMAGE"
        for image in items(item, "ReferencedSOPSequence")
    ]
    named = {
        SOPInstanceUID(uid(image, "ReferencedSOPInstanceUID")) for image in filter(is_of_ct, images)
    } - evidence.elsewhere
    series = {evidence.series_of[each] for each in named if each in evidence.series_of}
    return References(
        frame_of_reference_uid=None,
        series_instance_uids=frozenset(series),
        sop_instance_uids=frozenset(named),
        marked=frozenset(marked),
        nodules=bool(nodules),
        image_classes=frozenset(map(class_of, images)) - {SOPClassUID("")},
    )


def _read(dataset: Dataset, planes: Planes, *, kind: str) -> Annotation:
    tree = ContentTree(dataset)
    sop_instance_uid = SOPInstanceUID(str(dataset.SOPInstanceUID))
    markings, passed_over = [], []
    for feature in _features(tree):
        if not feature.is_nodule:
            passed_over.append(
                PassedOver(
                    drawn=Drawn.FINDING,
                    place=feature.place,
                    says=feature.skipped or feature.reading.says,
                    unsaid=not feature.skipped and feature.reading.meaning is Meaning.UNSAID,
                )
            )
            continue
        source = AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=sop_instance_uid,
            place=feature.place,
        )
        markings.append(_marking(tree, feature, source, planes))
    return Annotation(
        sop_instance_uid=sop_instance_uid,
        kind=kind,
        markings=tuple(markings),
        passed_over=tuple(passed_over),
    )


def _marking(
    tree: ContentTree, feature: _Feature, source: AnnotationSource, planes: Planes
) -> Marking:
    group = feature.group
    try:
        frame, extent = _extent(tree, feature, planes)
    except NoduleUnusable as error:
        return Marking(
            source=source,
            tracking_uid=group.tracking_uid,
            tracking_id=group.tracking_id,
            frame_of_reference_uid=None,
            refused=str(error),
        )
    stated = group.diameter_mm()
    return Marking(
        source=source,
        tracking_uid=group.tracking_uid,
        tracking_id=group.tracking_id,
        frame_of_reference_uid=frame,
        contours_mm=extent.contours_mm,
        overlap=Overlap.UNITED,
        centre_mm=extent.centre_mm,
        diameter_mm=extent.diameter_mm if stated is None else stated,
        diameter_stated=stated is not None,
        notes=_told(feature.certainty_percent),
    )


def _told(certainty_percent: float | None) -> tuple[str, ...]:
    if certainty_percent is None:
        return ()
    return (f"The device that found it gives its certainty as {certainty_percent:g} %.",)


def _extent(
    tree: ContentTree, feature: _Feature, planes: Planes
) -> tuple[FrameOfReferenceUID, Extent]:
    """The outlines of all slices; without any, the middle of the centres.

    Raises NoduleUnusable.
    """
    outlines = [spot for spot in feature.spots if spot.is_outline]
    regions = [
        read_region(tree, spot.item, planes, encloses=spot.is_outline)
        for spot in outlines or feature.spots
    ]
    frames = {region.frame_of_reference_uid for region in regions}
    if len(frames) > 1:
        raise NoduleUnusable(f"it is marked in {len(frames)} frames of reference")
    if outlines:
        return frames.pop(), measure(regions)
    centres = np.concatenate([region.points_mm for region in regions])
    spread = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max())
    if 2 * spread > LARGEST_NODULE_MM:
        raise NoduleUnusable(
            f"its {len(centres)} centres lie up to {2 * spread:.0f} mm apart, which is no nodule"
        )
    x, y, z = centres.mean(axis=0).tolist()
    return frames.pop(), Extent(centre_mm=(x, y, z))
