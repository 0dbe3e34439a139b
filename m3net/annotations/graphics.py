"""The graphics of a presentation state, each with its texts (PS3.3 C.10.5).

PIXEL units count from the outer corner of the first pixel, as a report's SCOORD does.  DISPLAY
units are shares of the displayed area.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from m3net.annotations.attributes import integer, items, points, text, uid
from m3net.annotations.displayed_area import DisplayedArea, displayed_area
from m3net.annotations.image_references import frames_named, is_of_ct
from m3net.annotations.types import Planes
from m3net.errors import AnnotationUnusable, NoduleUnusable
from m3net.uids import FrameReference

_INPUTS = (
    "BlendingSequence",
    "AdvancedBlendingSequence",
    "VolumetricPresentationStateInputSequence",
)
"""Where blending and volumetric states name their images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphic:
    """One graphic object, or the anchor point of a text that stands alone.

    number : from 1, in the order of the object
    images : the CT images that it is drawn on
    item   : the Graphic Object, or the Text Object whose anchor it is
    texts  : what stands beside it; a user's words
    """

    number: int
    images: tuple[FrameReference, ...]
    item: Dataset
    is_anchor: bool
    area: DisplayedArea | None
    texts: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """For people, and to tell it from the others."""
        return f"graphic {self.number}"

    @property
    def shape(self) -> str:
        """The Standard's graphic type; an anchor is a POINT."""
        return "POINT" if self.is_anchor else text(self.item, "GraphicType").upper()

    @property
    def is_filled(self) -> bool:
        """Whether it is drawn as a filled, so closed, shape."""
        return text(self.item, "GraphicFilled").upper() == "Y"

    def pixels(self) -> NDArray[np.float64]:
        """(N, 2) as (column, row), (0, 0) being the outer corner of the first pixel.

        Raises AnnotationUnusable or NoduleUnusable if its data or units are nonsense.
        """
        data, units = (
            ("AnchorPoint", "AnchorPointAnnotationUnits")
            if self.is_anchor
            else ("GraphicData", "GraphicAnnotationUnits")
        )
        return _in_pixels(points(self.item, data, width=2), text(self.item, units), self.area)


def graphics_of(dataset: Dataset, planes: Planes) -> list[Graphic]:
    """Every graphic that stands on a CT image, or on what does not say its kind.

    planes : of the study's CT slices, for their size alone

    Raises AnnotationUnusable if the object's sequences are none.
    """
    found: list[Graphic] = []
    annotations = items(dataset, "GraphicAnnotationSequence")
    numbers = 0
    for annotation in annotations:
        drawn = items(annotation, "GraphicObjectSequence")
        words = items(annotation, "TextObjectSequence")
        anchors = [] if drawn else [each for each in words if "AnchorPoint" in each]
        numbers += len(drawn) + len(anchors)
        images = _images(annotation, dataset)
        if not images:
            continue
        area = displayed_area(dataset, images, planes)
        beside = words or _texts_alone(annotation, annotations, dataset)
        first = numbers - len(drawn) - len(anchors) + 1
        mine = [
            Graphic(
                number=number,
                images=images,
                item=each,
                is_anchor=not drawn,
                area=area,
                texts=() if drawn else (text(each, "UnformattedTextValue"),),
            )
            for number, each in enumerate((*drawn, *anchors), start=first)
        ]
        found += _with_texts(mine, beside, area) if drawn else mine
    return found


def texts_without_place(dataset: Dataset) -> list[str]:
    """Texts on CT images that mark no place: they stand beside no graphic and have no anchor."""
    annotations = items(dataset, "GraphicAnnotationSequence")
    drawn_on = {
        image
        for each in annotations
        if items(each, "GraphicObjectSequence")
        for image in _images(each, dataset)
    }
    return [
        text(words, "UnformattedTextValue")
        for each in annotations
        if (images := _images(each, dataset)) and drawn_on.isdisjoint(images)
        for words in items(each, "TextObjectSequence")
        if "AnchorPoint" not in words
    ]


def _images(annotation: Dataset, dataset: Dataset) -> tuple[FrameReference, ...]:
    """The CT images that an annotation is on: its own, else all of the presentation state's."""
    named = items(annotation, "ReferencedImageSequence") or [
        image
        for part in (dataset, *(each for key in _INPUTS for each in items(dataset, key)))
        for image in (
            *items(part, "ReferencedImageSequence"),
            *(
                each
                for series in items(part, "ReferencedSeriesSequence")
                for each in items(series, "ReferencedImageSequence")
            ),
        )
    ]
    return tuple(
        dict.fromkeys(
            frame
            for image in named
            if is_of_ct(image) and uid(image, "ReferencedSOPInstanceUID")
            for frame in frames_named(image)
        )
    )


def _texts_alone(
    annotation: Dataset, annotations: Sequence[Dataset], dataset: Dataset
) -> list[Dataset]:
    """Texts of annotations that hold nothing but texts, on the same images and layer."""
    images, layer = _images(annotation, dataset), text(annotation, "GraphicLayer")
    return [
        each
        for other in annotations
        if not items(other, "GraphicObjectSequence")
        and text(other, "GraphicLayer") == layer
        and _images(other, dataset) == images
        for each in items(other, "TextObjectSequence")
    ]


def _with_texts(
    graphics: Sequence[Graphic], texts: Sequence[Dataset], area: DisplayedArea | None
) -> list[Graphic]:
    """Each text goes to the graphic of its group, else to the nearest one."""
    words: dict[int, list[str]] = {graphic.number: [] for graphic in graphics}
    for each in texts:
        graphic = _nearest(graphics, each, area)
        if graphic is not None:
            words[graphic.number].append(text(each, "UnformattedTextValue"))
    return [replace(graphic, texts=tuple(words[graphic.number])) for graphic in graphics]


def _nearest(
    graphics: Sequence[Graphic], words: Dataset, area: DisplayedArea | None
) -> Graphic | None:
    if len(graphics) == 1:
        return graphics[0]
    group = integer(words, "GraphicGroupID")
    grouped = [each for each in graphics if integer(each.item, "GraphicGroupID") == group]
    if group is not None and grouped:
        return grouped[0]
    try:
        at = _place_of_text(words, area)
    except (AnnotationUnusable, NoduleUnusable):
        return None
    distances: dict[int, float] = {}
    for graphic in graphics:
        try:
            apart = np.linalg.norm(graphic.pixels() - at, axis=1)
        except (AnnotationUnusable, NoduleUnusable):  # said when it is read itself
            continue
        if len(apart):
            distances[graphic.number] = float(apart.min())
    chosen = min(distances, key=distances.__getitem__, default=None)
    return next((graphic for graphic in graphics if graphic.number == chosen), None)


def _place_of_text(words: Dataset, area: DisplayedArea | None) -> NDArray[np.float64]:
    """Its anchor point, else the middle of its box; (2,) as (column, row)."""
    anchor = points(words, "AnchorPoint", width=2)
    if len(anchor):
        place: NDArray[np.float64] = _in_pixels(
            anchor, text(words, "AnchorPointAnnotationUnits"), area
        )[0]
        return place
    corners = np.concatenate(
        [
            points(words, "BoundingBoxTopLeftHandCorner", width=2),
            points(words, "BoundingBoxBottomRightHandCorner", width=2),
        ]
    )
    if not len(corners):
        raise NoduleUnusable("the text has no place")
    middle: NDArray[np.float64] = _in_pixels(
        corners, text(words, "BoundingBoxAnnotationUnits"), area
    ).mean(axis=0)
    return middle


def _in_pixels(
    at: NDArray[np.float64], units: str, area: DisplayedArea | None
) -> NDArray[np.float64]:
    kind = units.upper()
    if kind == "PIXEL":
        return at
    if kind == "DISPLAY":
        if area is None:
            raise NoduleUnusable("it is drawn in units of a displayed area that is not given")
        return area.to_pixels(at)
    raise NoduleUnusable("it is drawn in units that are neither PIXEL nor DISPLAY")
