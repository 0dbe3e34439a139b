"""RT Structure Sets (PS3.3 A.19, C.8.8.5, C.8.8.6, C.8.8.8).

Each ROI that may be a nodule becomes one marking: its closed contours, or its one point.  What an
ROI is lies in its name (`roi_names`); an interpreted type is often empty, and "ORGAN" for every ROI
of some viewers.  Several contours on one plane are pieces and holes.  An ROI lies in the frame of
reference that it names itself; the object's own is absent from most.
"""

from pydicom import Dataset

from m3net.annotations.attributes import items, points, uid
from m3net.annotations.image_classes import said_of_other_images
from m3net.annotations.image_references import class_of, frames_named, is_of_ct
from m3net.annotations.meaning import Meaning
from m3net.annotations.reader import AnnotationReader, Scope
from m3net.annotations.rois import ROI, contoured, drawn_of, middle_of, rois_of
from m3net.annotations.types import (
    Annotation,
    Drawn,
    Marking,
    Overlap,
    PassedOver,
    Planes,
    References,
)
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.nodule import AnnotationSource, Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
)

NEAR_MM = 5.0
"""Further than this from the slice that it names, a contour is elsewhere; some name a neighbour."""


def _references(dataset: Dataset) -> References:
    taken = [roi for roi in rois_of(dataset) if roi.reading.meaning is Meaning.NODULE]
    marked: set[FrameReference] = set()
    classes: set[SOPClassUID] = set()
    centres: list[Point] = []
    for roi in taken:
        for contour in roi.contours:
            for image in items(contour, "ContourImageSequence"):
                classes.add(class_of(image))
                if is_of_ct(image):
                    marked.update(frames_named(image))
        try:
            centres.append(middle_of(drawn_of(roi)))
        except (AnnotationUnusable, NoduleUnusable):  # said when the study is analysed
            continue
    named = {reference.sop_instance_uid for reference in marked}
    series: set[SeriesInstanceUID] = set()
    here = uid(dataset, "StudyInstanceUID")
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            if uid(study, "ReferencedSOPInstanceUID") not in ("", here):
                continue  # another study's images will not come with this one's
            for each in items(study, "RTReferencedSeriesSequence"):
                series.add(SeriesInstanceUID(uid(each, "SeriesInstanceUID")))
                for image in items(each, "ContourImageSequence"):
                    classes.add(class_of(image))
                    if is_of_ct(image):
                        named.add(SOPInstanceUID(uid(image, "ReferencedSOPInstanceUID")))
    frames = {roi.frame_of_reference_uid for roi in taken}
    return References(
        frame_of_reference_uid=frames.pop() if len(frames) == 1 else None,
        series_instance_uids=frozenset(series),
        sop_instance_uids=frozenset(named - {SOPInstanceUID("")}),
        marked=frozenset(marked),
        centres_mm=tuple(centres),
        nodules=bool(taken),
        image_classes=frozenset(classes) - {SOPClassUID("")},
    )


def _read(dataset: Dataset, planes: Planes) -> Annotation:
    sop_instance_uid = SOPInstanceUID(str(dataset.SOPInstanceUID))
    rois = rois_of(dataset)
    passed_over = []
    ignored = []
    markings = []
    for roi in rois:
        if roi.reading.meaning is not Meaning.NODULE:
            if roi.contours:
                passed_over.append(
                    PassedOver(
                        drawn=Drawn.ROI,
                        place=roi.place,
                        says=roi.reading.says,
                        unsaid=roi.reading.meaning is Meaning.UNSAID,
                    )
                )
            else:
                ignored.append(f"{roi.place} of the structure set is empty.")
            continue
        source = AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=sop_instance_uid,
            place=roi.place,
        )
        markings.append(_marking(roi, source, planes))
    for number in sorted(contoured(dataset) - {roi.number for roi in rois}):
        says = "not described in Structure Set ROI Sequence"
        passed_over.append(
            PassedOver(drawn=Drawn.ROI, place=f"ROI {number}", says=says, unsaid=True)
        )
    return Annotation(
        sop_instance_uid=sop_instance_uid,
        markings=tuple(markings),
        passed_over=tuple(passed_over),
        ignored=tuple(ignored),
    )


def _marking(roi: ROI, source: AnnotationSource, planes: Planes) -> Marking:
    try:
        drawn = drawn_of(roi)
        frame, notes = _where(roi, planes)
        images = [
            image for contour in roi.contours for image in items(contour, "ContourImageSequence")
        ]
    except (AnnotationUnusable, NoduleUnusable) as error:
        return Marking(
            source=source,
            tracking_uid=None,
            tracking_id=None,
            frame_of_reference_uid=None,
            refused=str(error),
        )
    is_point = len(drawn[0]) == 1
    return Marking(
        source=source,
        tracking_uid=None,
        tracking_id=None,
        frame_of_reference_uid=frame,
        contours_mm=() if is_point else tuple(drawn),
        overlap=Overlap.EXCLUSIVE,
        centre_mm=middle_of(drawn) if is_point else None,
        notes=(*notes, *said_of_other_images(map(class_of, images))),
    )


def _where(roi: ROI, planes: Planes) -> tuple[FrameOfReferenceUID, tuple[str, ...]]:
    """The frame of reference of the ROI's points, and what is to be said of it.

    A contour that names a CT slice must lie near it.  If every contour does, and the ROI's frame of
    reference is none of the slices', its points are in the slices' frame all the same.

    Raises NoduleUnusable if a contour lies elsewhere than the slice that it names.
    """
    frames: set[FrameOfReferenceUID] = set()
    all_named = True
    for contour in roi.contours:
        named = [
            plane
            for image in items(contour, "ContourImageSequence")
            for reference in frames_named(image)
            for plane in planes.named(reference).values()
        ]
        at = points(contour, "ContourData", width=3)
        if not len(at):
            continue
        if not named:
            all_named = False
            continue
        off = min(plane.distance_mm(at) for plane in named)
        if off > NEAR_MM:
            raise NoduleUnusable(
                "its geometry contradicts its references: a contour lies "
                f"{off:.1f} mm from the CT slice that it names"
            )
        frames.update(plane.frame_of_reference_uid for plane in named)
    if roi.frame_of_reference_uid in frames or not all_named or len(frames) != 1:
        return roi.frame_of_reference_uid, ()
    return frames.pop(), (
        "The ROI is in a frame of reference of its own; it was read in that of the CT slices that "
        "its contours name and lie on.",
    )


STRUCTURE_SET_READER = AnnotationReader(
    kind="RT Structure Set",
    scope=Scope(
        read=(
            (
                "ROIs whose name, code, label or description says nodule, lesion, tumour, mass, "
                "metastasis or GTV, or of type GTV: closed planar contours, several on a plane "
                "as pieces and holes; a single POINT"
            ),
        ),
        listed=(
            (
                "other ROIs: organs, lymph nodes, CTV, PTV, ITV and what is derived from them; "
                "types such as EXTERNAL, AVOIDANCE, ISOCENTER, MARKER, SUPPORT, DOSE_REGION; "
                "names that say nothing"
            ),
        ),
        refused=(
            (
                "a nodule of open lines, of several points, without contours, or of more than "
                "250,000 points"
            ),
            "a contour more than 5 mm from the slice that it names",
        ),
    ),
    find_references=_references,
    find_marks=_read,
)
