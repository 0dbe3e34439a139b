"""Chest CAD SR (PS3.3 A.35.7, PS3.16 TID 4100).

A Single Image Finding (TID 4104) marks something on one image; a Composite Feature (TID 4102) is
inferred from such findings, from the same nodule on several slices or at several times.  The
topmost composite that is a nodule makes one marking of all findings below it; a finding that no
such composite holds makes one of its own.  Images are named through the Image Library, by
reference.

What the device says is not to be rendered is skipped; so is what lies on another study's images
(a composite repeats the prior's findings) or on radiographs.
"""

import numpy as np
from pydicom import Dataset

from m3net.annotations.attributes import items, uid
from m3net.annotations.cad_features import Feature, features_of
from m3net.annotations.content_tree import ContentTree
from m3net.annotations.evidence import evidence_of
from m3net.annotations.image_references import class_of, is_of_ct
from m3net.annotations.meaning import Meaning
from m3net.annotations.reader import AnnotationReader, Scope
from m3net.annotations.regions import Extent, measure, read_region
from m3net.annotations.types import (
    Annotation,
    Drawn,
    Marking,
    Overlap,
    PassedOver,
    Planes,
    References,
)
from m3net.errors import NoduleUnusable
from m3net.nodule import AnnotationSource
from m3net.uids import FrameOfReferenceUID, SOPClassUID, SOPInstanceUID

LARGEST_NODULE_MM = 30.0
"""Centres of one feature's findings that lie further apart are not of one nodule (Fleischner)."""


def _references(dataset: Dataset) -> References:
    tree = ContentTree(dataset)
    evidence = evidence_of(dataset)
    nodules = [feature for feature in features_of(tree) if feature.is_nodule]
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


def _read(dataset: Dataset, planes: Planes) -> Annotation:
    tree = ContentTree(dataset)
    sop_instance_uid = SOPInstanceUID(str(dataset.SOPInstanceUID))
    markings, passed_over = [], []
    for feature in features_of(tree):
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
        markings=tuple(markings),
        passed_over=tuple(passed_over),
    )


def _marking(
    tree: ContentTree, feature: Feature, source: AnnotationSource, planes: Planes
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
    return Marking(
        source=source,
        tracking_uid=group.tracking_uid,
        tracking_id=group.tracking_id,
        frame_of_reference_uid=frame,
        contours_mm=extent.contours_mm,
        overlap=Overlap.UNITED,
        centre_mm=extent.centre_mm,
        stated_mm=group.diameter_mm(),
        drawn_mm=extent.diameter_mm,
        notes=_told(feature.certainty_percent),
    )


def _told(certainty_percent: float | None) -> tuple[str, ...]:
    if certainty_percent is None:
        return ()
    return (f"The device that found it gives its certainty as {certainty_percent:g} %.",)


def _extent(
    tree: ContentTree, feature: Feature, planes: Planes
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


CHEST_CAD_READER = AnnotationReader(
    kind="Chest CAD SR",
    scope=Scope(
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
    ),
    find_references=_references,
    find_marks=_read,
)
