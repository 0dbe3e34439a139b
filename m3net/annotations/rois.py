"""The ROIs of a structure set: what each is said to be, and what is drawn of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.attributes import integer, items, points, text, uid
from m3net.annotations.coding import first_code
from m3net.annotations.meaning import Reading
from m3net.annotations.roi_names import meaning_of_roi
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.nodule import Point
from m3net.uids import FrameOfReferenceUID

CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
MOST_POINTS = 250_000
"""Of one ROI's contours; a nodule of 100 mm drawn twice as fine as the CT has some 60,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ROI:
    """One ROI: what is said of it, and its contours, not yet read."""

    number: int
    reading: Reading
    frame_of_reference_uid: FrameOfReferenceUID
    contours: Sequence[Dataset]

    @property
    def place(self) -> str:
        """For people, and to tell it from the others."""
        return f"ROI {self.number}"


def rois_of(dataset: Dataset) -> list[ROI]:
    """Every ROI that the structure set describes.

    Raises AnnotationUnusable if one has no number, or two have the same.
    """
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
            ROI(
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


def contoured(dataset: Dataset) -> set[int]:
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


def drawn_of(roi: ROI) -> list[NDArray[np.float64]]:
    """The ROI's closed contours, (N, 3) LPS each, none of them twice; else its one point, (1, 3).

    Raises NoduleUnusable if it has neither.
    """
    closed: list[NDArray[np.float64]] = []
    alone: list[NDArray[np.float64]] = []
    lines: list[NDArray[np.float64]] = []
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
            lines.append(at)
        if sum(map(len, closed)) > MOST_POINTS:
            raise NoduleUnusable(f"its contours have more than {MOST_POINTS:,} points")
    areas = [contour for contour in closed if len(contour) > 2]
    if areas:
        return _once(areas)
    alone += closed  # a "closed contour" of one or two points encloses nothing
    together = np.unique(np.concatenate(alone), axis=0) if alone else np.zeros((0, 3))
    if len(together) == 1:
        return [together]
    if len(together):
        raise NoduleUnusable(
            f"it is marked by {len(together)} points, and which is its centre is not said"
        )
    if lines:
        raise NoduleUnusable("it is drawn as open lines, which enclose nothing")
    raise NoduleUnusable("it has no contours")


def _once(contours: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Without copies: one contour written twice is no hole in itself."""
    return list({contour.tobytes(): contour for contour in contours}.values())


def middle_of(drawn: Sequence[NDArray[np.float64]]) -> Point:
    """The mean of the points, LPS mm."""
    x, y, z = np.concatenate(drawn).mean(axis=0).tolist()
    return x, y, z
