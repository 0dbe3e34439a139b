"""Softcopy presentation states with graphics (PS3.3 A.33, C.10.5).

A graphic becomes a marking if the text beside it names a nodule and it encloses an area or is one
point.  Graphics of one text that stand over one another on neighbouring slices are one nodule.
What no text names is listed, and so is what a region-of-interest tool printed: a mean, an area.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.attributes import items, uid
from m3net.annotations.graphics import Graphic, graphics_of, texts_without_place
from m3net.annotations.image_classes import CT
from m3net.annotations.meaning import Meaning, Reading, Said, meaning_of
from m3net.annotations.reader import AnnotationReader, Scope
from m3net.annotations.regions import Region, measure
from m3net.annotations.types import (
    NO_PLANES,
    Annotation,
    Drawn,
    Marking,
    Overlap,
    PassedOver,
    Planes,
    References,
)
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.nodule import AnnotationSource
from m3net.uids import SeriesInstanceUID, SOPClassUID, SOPInstanceUID

STATISTICS = re.compile(
    r"\b(mean|avg|average|min|max|std|stdev|s\.?d|dev|deviation|median|area|perimeter|volume|sum"
    r"|count|mittel(wert)?|fläche|umfang|moyenne|moy|écart|ecart|aire|surface|périmètre|media|desv"
    r"|área|perímetro|deviazione|superficie)\b\.?[^\d\n]{0,24}\d[\d.,]*\s*(h[ue]|[mc]m[²2³3]?|px)?",
    re.IGNORECASE,
)
"""What a region-of-interest tool prints beside what it measured."""

NEIGHBOURS_MM = 10.0
"""Graphics of one text further apart along the slices' normal are two nodules."""
MOST_MARKS = 500
"""Graphics that texts name nodules; each is held against each."""
NEARLY_CLOSED = 0.05
"""Of a line's length: ends that lie closer to each other enclose an area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A graphic that is a nodule's, in LPS mm; normal of its slice."""

    graphic: Graphic
    region: Region
    normal: NDArray[np.float64]

    def centre(self) -> NDArray[np.float64]:
        """A circle's is its first point; else the mean."""
        points_mm = self.region.points_mm
        middle: NDArray[np.float64] = (
            points_mm[0] if self.region.shape == "CIRCLE" else points_mm.mean(axis=0)
        )
        return middle

    def reach_mm(self) -> float:
        """From the centre to the farthest point."""
        return float(np.linalg.norm(self.region.points_mm - self.centre(), axis=1).max())

    def is_over(self, other: "_Mark") -> bool:
        """Whether both overlap in the plane and lie on neighbouring slices."""
        if self.region.frame_of_reference_uid != other.region.frame_of_reference_uid:
            return False
        apart = other.centre() - self.centre()
        along = float(apart @ self.normal)
        across = float(np.linalg.norm(apart - along * self.normal))
        return abs(along) <= NEIGHBOURS_MM and across <= max(self.reach_mm(), other.reach_mm())


def _meaning(graphic: Graphic) -> Reading:
    """By its texts without what a tool measured: "Nodule 1, mean 35 HU" names a nodule."""
    said = " ".join(graphic.texts)
    words = STATISTICS.sub(" ", said)
    named = meaning_of(Said(texts=(words,)))
    if named.meaning is Meaning.UNSAID and words != said:
        return Reading(meaning=Meaning.OTHER, says="a measurement of pixel values or size")
    if named.meaning is Meaning.UNSAID:
        return Reading(meaning=Meaning.UNSAID, says="graphics without meaning")
    return named


def _recognises(dataset: Dataset) -> bool:
    """Whether it draws something on a CT, or names a nodule; most only set window and zoom."""
    return bool(graphics_of(dataset, NO_PLANES)) or _placeless(dataset) > 0


def _placeless(dataset: Dataset) -> int:
    """How many texts name a nodule and mark no place."""
    texts = texts_without_place(dataset)
    return sum(meaning_of(Said(texts=(each,))).meaning is Meaning.NODULE for each in texts)


def _references(dataset: Dataset) -> References:
    graphics = graphics_of(dataset, NO_PLANES)
    nodules = [each for each in graphics if _meaning(each).meaning is Meaning.NODULE]
    return References(
        frame_of_reference_uid=None,
        series_instance_uids=frozenset(
            SeriesInstanceUID(uid(series, "SeriesInstanceUID"))
            for series in items(dataset, "ReferencedSeriesSequence")
        ),
        sop_instance_uids=frozenset(
            image.sop_instance_uid for each in graphics for image in each.images
        ),
        marked=frozenset(image for each in nodules for image in each.images),
        nodules=bool(nodules),
        image_classes=CT,
    )


def _read(dataset: Dataset, planes: Planes) -> Annotation:
    sop_instance_uid = SOPInstanceUID(str(dataset.SOPInstanceUID))
    passed_over: list[PassedOver] = []
    marks: dict[str, list[_Mark]] = {}
    markings: list[Marking] = []

    def source(graphic: Graphic) -> AnnotationSource:
        return AnnotationSource(
            sop_class_uid=SOPClassUID(str(dataset.SOPClassUID)),
            sop_instance_uid=sop_instance_uid,
            place=graphic.place,
        )

    for graphic in graphics_of(dataset, planes):
        reading = _meaning(graphic)
        if reading.meaning is not Meaning.NODULE:
            passed_over.append(
                PassedOver(
                    drawn=Drawn.GRAPHIC,
                    place=graphic.place,
                    says=reading.says,
                    unsaid=reading.meaning is Meaning.UNSAID,
                )
            )
            continue
        try:
            mark = _mark(graphic, planes)
        except (AnnotationUnusable, NoduleUnusable) as error:
            markings.append(_refused(source(graphic), str(error)))
            continue
        marks.setdefault(" ".join(graphic.texts).lower(), []).append(mark)
    count = sum(map(len, marks.values()))
    if count > MOST_MARKS:
        raise AnnotationUnusable(
            f"the presentation state names {count} graphics a nodule, expected at most {MOST_MARKS}"
        )
    for named in marks.values():
        for together in _nodules(named):
            first, *rest = (source(mark.graphic) for mark in together)
            markings.append(_marking(first, rest, [mark.region for mark in together]))
    return Annotation(
        sop_instance_uid=sop_instance_uid,
        markings=tuple(markings),
        passed_over=tuple(passed_over),
        ignored=("A text of the presentation state names a nodule and marks no place.",)
        * _placeless(dataset),
    )


def _marking(
    source: AnnotationSource, also_in: Sequence[AnnotationSource], regions: Sequence[Region]
) -> Marking:
    try:
        extent = measure(regions)
    except NoduleUnusable as error:
        return _refused(source, str(error))
    return Marking(
        source=source,
        tracking_uid=None,
        tracking_id=None,
        frame_of_reference_uid=regions[0].frame_of_reference_uid,
        contours_mm=extent.contours_mm,
        overlap=Overlap.UNITED,
        centre_mm=extent.centre_mm,
        drawn_mm=extent.diameter_mm,
        also_in=tuple(also_in),
    )


def _refused(source: AnnotationSource, reason: str) -> Marking:
    return Marking(
        source=source,
        tracking_uid=None,
        tracking_id=None,
        frame_of_reference_uid=None,
        refused=reason,
    )


def _mark(graphic: Graphic, planes: Planes) -> _Mark:
    """The graphic in LPS mm.

    Raises NoduleUnusable if it lies on no one slice, or neither encloses an area nor is a point.
    """
    found = {key: plane for image in graphic.images for key, plane in planes.named(image).items()}
    if not found:
        raise NoduleUnusable(planes.why_not(graphic.images[0]))
    if len(found) > 1:
        raise NoduleUnusable(
            f"it is drawn on {len(found)} slices at once, and which of them holds the nodule is "
            "not said"
        )
    (plane,) = found.values()
    pixels = graphic.pixels()
    shape = graphic.shape
    if shape in ("POLYLINE", "INTERPOLATED"):
        _require_area(pixels, is_filled=graphic.is_filled)
        shape = "POLYLINE"
        pixels = np.concatenate([pixels, pixels[:1]])
    elif len(pixels) != {"POINT": 1, "CIRCLE": 2, "ELLIPSE": 4}.get(shape):
        raise NoduleUnusable(f"it is a graphic of {len(pixels)} points that is no known shape")
    return _Mark(
        graphic=graphic,
        region=Region(
            shape=shape,
            points_mm=plane.to_mm(pixels),
            frame_of_reference_uid=plane.frame_of_reference_uid,
        ),
        normal=np.cross(plane.row_direction, plane.col_direction),
    )


def _require_area(pixels: NDArray[np.float64], *, is_filled: bool) -> None:
    """Raises NoduleUnusable for an open line and for a triangle, an arrow's head."""
    length = float(np.linalg.norm(np.diff(pixels, axis=0), axis=1).sum())
    gap = float(np.linalg.norm(pixels[-1] - pixels[0])) if len(pixels) else np.inf
    if not (is_filled or gap <= max(1.0, NEARLY_CLOSED * length)):
        raise NoduleUnusable("it is drawn as an open line, which encloses nothing")
    if len(np.unique(pixels, axis=0)) < 4:
        raise NoduleUnusable("it is drawn as a triangle or less, which outlines no nodule")


def _nodules(marks: Sequence[_Mark]) -> list[list[_Mark]]:
    """Parts marks of one text into nodules: those that stand over one another are one."""
    groups: list[list[_Mark]] = []
    for mark in marks:
        grown: list[list[_Mark]] = []
        apart: list[list[_Mark]] = []
        for group in groups:
            (grown if any(mark.is_over(other) for other in group) else apart).append(group)
        groups = [*apart, [*(member for group in grown for member in group), mark]]
    return groups


def _on_no_image(_dataset: Dataset, _planes: Planes) -> Annotation:
    raise AnnotationUnusable(
        "the presentation state draws on a view of the volume, not on its slices; "
        "mark the nodule on a slice"
    )


PRESENTATION_STATE_READER = AnnotationReader(
    kind="Presentation state",
    scope=Scope(
        read=(
            (
                "closed POLYLINE and INTERPOLATED, CIRCLE, ELLIPSE and POINT on one CT slice, "
                "in PIXEL or DISPLAY units, that a text beside them calls a nodule; the anchor "
                "of such a text that stands alone"
            ),
        ),
        listed=("graphics without such a text; means, areas and other measurements",),
        refused=(
            (
                "named open lines and triangles (arrows); graphics on several slices at once; a "
                "displayed area that contradicts its rotation or flip"
            ),
            "volumetric presentation states, whose graphics are on no image",
        ),
    ),
    recognises=_recognises,
    find_references=_references,
    find_marks=_read,
)
VOLUMETRIC_PRESENTATION_STATE_READER = replace(PRESENTATION_STATE_READER, find_marks=_on_no_image)
