"""RT Structure Sets (PS3.3 A.19, C.8.8.5, C.8.8.6, C.8.8.8).

Each ROI that may be a nodule becomes one marking: its closed contours, or its one point.  What an
ROI is lies in its name (`roi_names`); an interpreted type is often empty, and "ORGAN" for every ROI
of some viewers.  Several contours on one plane are pieces and holes.  An ROI lies in the frame of
reference that it names itself; the object's own is absent from most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.attributes import integer, items, points, text, uid
from m3net.annotations.image_references import class_of, frames_named, is_of_ct
from m3net.annotations.incomplete import incomplete_is_unusable
from m3net.annotations.meaning import Meaning, Reading, first_code
from m3net.annotations.roi_names import meaning_of_roi
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
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.nodule import AnnotationSource, Point
from m3net.uids import (
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
)

CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
NEAR_MM = 5.0
"""Further than this from the slice that it names, a contour is elsewhere; some name a neighbour."""
MOST_POINTS = 250_000
"""Of one ROI's contours; a nodule of 100 mm drawn twice as fine as the CT has some 60,000."""


class StructureSetReader:
    """Reads an RT Structure Set."""

    kind = "RT Structure Set"
    scope = Scope(
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
    )

    def recognises(self, dataset: Dataset) -> bool:  # noqa: ARG002  (the class says it)
        """Always: every structure set holds regions."""
        return True

    def references(self, dataset: Dataset) -> References:
        """What the structure set refers to.

        Raises AnnotationUnusable if the object lacks what every structure set has.
        """
        with incomplete_is_unusable(self.kind):
            return _references(dataset)

    def read(self, dataset: Dataset, planes: Planes) -> Annotation:
        """One marking per ROI that may be a nodule.

        Raises AnnotationUnusable if the object lacks what every structure set has.
        """
        with incomplete_is_unusable(self.kind):
            return _read(dataset, planes, kind=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ROI:
    """One ROI: what is said of it, and its contours, not yet read."""

    number: int
    reading: Reading
    frame_of_reference_uid: FrameOfReferenceUID
    contours: Sequence[Dataset]

    @property
    def place(self) -> str:
        return f"ROI {self.number}"


def _rois(dataset: Dataset) -> list[_ROI]:
    contours: dict[int | None, list[Dataset]] = {}
    for drawn in items(dataset, "ROIContourSequence"):
        number = integer(drawn, "ReferencedROINumber")
        contours.setdefault(number, []).extend(items(drawn, "ContourSequence"))
    observed: dict[int | None, Dataset] = {}
    for observation in items(dataset, "RTROIObservationsSequence"):
        observed.setdefault(integer(observation, "ReferencedROINumber"), observation)
    found = []
    for roi in items(dataset, "StructureSetROISequence"):
        number = integer(roi, "ROINumber")
        if number is None:
            raise AnnotationUnusable("an ROI of the structure set has no ROI Number")
        found.append(
            _ROI(
                number=number,
                reading=_meaning(roi, observed.get(number, Dataset())),
                frame_of_reference_uid=_frame_of(roi, dataset),
                contours=contours.get(number, ()),
            )
        )
    numbers = [roi.number for roi in found]
    if len(set(numbers)) < len(numbers):
        raise AnnotationUnusable("two ROIs of the structure set have one ROI Number")
    return found


def _contoured(dataset: Dataset) -> set[int]:
    """The numbers of the ROIs that are drawn."""
    return {
        number
        for drawn in items(dataset, "ROIContourSequence")
        if (number := integer(drawn, "ReferencedROINumber")) is not None
        and items(drawn, "ContourSequence")
    }


def _meaning(roi: Dataset, observation: Dataset) -> Reading:
    return meaning_of_roi(
        text(roi, "ROIName"),
        code=first_code(observation, "RTROIIdentificationCodeSequence"),
        interpreted_type=text(observation, "RTROIInterpretedType"),
        others=(text(observation, "ROIObservationLabel"), text(roi, "ROIDescription")),
    )


def _frame_of(roi: Dataset, dataset: Dataset) -> FrameOfReferenceUID:
    """The ROI's own frame of reference; else the only one that the object names; else none."""
    own = uid(roi, "ReferencedFrameOfReferenceUID")
    if own:
        return FrameOfReferenceUID(own)
    named = {
        uid(frame, "FrameOfReferenceUID")
        for frame in items(dataset, "ReferencedFrameOfReferenceSequence")
    }
    named = named or {uid(dataset, "FrameOfReferenceUID")}
    return FrameOfReferenceUID(named.pop() if len(named) == 1 else "")


def _references(dataset: Dataset) -> References:
    taken = [roi for roi in _rois(dataset) if roi.reading.meaning is Meaning.NODULE]
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
            centres.append(_middle(_drawn(roi)))
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


def _read(dataset: Dataset, planes: Planes, *, kind: str) -> Annotation:
    sop_instance_uid = SOPInstanceUID(str(dataset.SOPInstanceUID))
    rois = _rois(dataset)
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
    for number in sorted(_contoured(dataset) - {roi.number for roi in rois}):
        says = "not described in Structure Set ROI Sequence"
        passed_over.append(
            PassedOver(drawn=Drawn.ROI, place=f"ROI {number}", says=says, unsaid=True)
        )
    return Annotation(
        sop_instance_uid=sop_instance_uid,
        kind=kind,
        markings=tuple(markings),
        passed_over=tuple(passed_over),
        ignored=tuple(ignored),
    )


def _marking(roi: _ROI, source: AnnotationSource, planes: Planes) -> Marking:
    try:
        drawn = _drawn(roi)
        frame, notes = _where(roi, planes)
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
        centre_mm=_middle(drawn) if is_point else None,
        notes=notes,
    )


def _where(roi: _ROI, planes: Planes) -> tuple[FrameOfReferenceUID, tuple[str, ...]]:
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
        all_named = all_named and bool(named)
        if not named:
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


def _drawn(roi: _ROI) -> list[NDArray[np.float64]]:
    """The ROI's closed contours, (N, 3) LPS each, none of them twice; else its one point, (1, 3).

    Raises NoduleUnusable if it has neither.
    """
    closed: list[NDArray[np.float64]] = []
    alone: list[NDArray[np.float64]] = []
    open_ones = 0
    for contour in roi.contours:
        shape = text(contour, "ContourGeometricType").upper()
        at = points(contour, "ContourData", width=3)
        if len(at) == 0:
            continue
        if shape in CLOSED:
            closed.append(at)
        elif shape == "POINT":
            alone.append(at)
        else:
            open_ones += 1
        if sum(map(len, closed)) > MOST_POINTS:
            raise NoduleUnusable(f"its contours have more than {MOST_POINTS:,} points")
    areas = [contour for contour in closed if len(contour) > 2]
    if areas:
        return _once(areas)
    alone += closed  # a "closed contour" of one or two points encloses nothing
    together = np.unique(np.concatenate(alone), axis=0) if alone else np.zeros((0, 3))
    if len(together) == 1:
        return [together]
    if len(together) > 1:
        raise NoduleUnusable(
            f"it is marked by {len(together)} points, and which is its centre is not said"
        )
    if open_ones:
        raise NoduleUnusable("it is drawn as open lines, which enclose nothing")
    raise NoduleUnusable("it has no contours")


def _once(contours: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Without copies: one contour written twice is no hole in itself."""
    return list({contour.tobytes(): contour for contour in contours}.values())


def _middle(drawn: Sequence[NDArray[np.float64]]) -> Point:
    x, y, z = np.concatenate(drawn).mean(axis=0).tolist()
    return x, y, z
