"""The nodules drawn on the CT for viewers that draw no report: a GSPS (PS3.3 A.33.1).

Each nodule's outline or circle lies on its key slice with its number beside it.  What is drawn is
what the report's SCOORDs say, in the same frame: (0, 0) is the upper left corner of the first pixel
(PS3.3 C.10.5.1.2).  A state is of one series and of one rescale, so a study may need several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from sr_templates.envelope import RESEARCH_USE, finish, long_string, new_object
from sr_templates.findings import Algorithm, Circle, NoduleFinding, ObjectIdentity, Polyline
from sr_templates.probability import UNTRAINED, percent_text

SERIES_DESCRIPTION = "AI nodule outlines (research use)"
LAYER = "AI_NODULES"
NOMINAL = " (nominal circle)"
LUNG_WINDOW_HU = (-600.0, 1500.0)
"""Centre and width."""

_AMBER_CIELAB = (52428, 37779, 51914)
"""L* 80, a* 19, b* 74, which is RGB (255, 184, 46), as PS3.3 C.10.7.1.1 encodes it."""
_DASHES = 12
_LABEL_GAP = 4.0
"""Pixels between a nodule and what is written beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySlice:
    """A CT image on which nodules are drawn, and how it is shown.

    header     : of the image
    rescale    : (slope, intercept) from stored values to HU
    spacing_mm : (between rows, between columns)
    """

    header: Dataset
    rescale: tuple[float, float]
    spacing_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One nodule on its key slice.

    name : its tracking identifier, or what stands for one that names the patient
    """

    finding: NoduleFinding
    name: str
    slice: KeySlice


def split_by_state(drawn: Sequence[Drawn]) -> list[list[Drawn]]:
    """The nodules, those together that one presentation state can hold, in the order given."""
    groups: dict[tuple[str, tuple[float, float]], list[Drawn]] = {}
    for each in drawn:
        series = str(each.slice.header.SeriesInstanceUID)
        groups.setdefault((series, each.slice.rescale), []).append(each)
    return list(groups.values())


def build_presentation_state(
    drawn: Sequence[Drawn],
    *,
    subject: Dataset,
    algorithm: Algorithm,
    identity: ObjectIdentity,
) -> Dataset:
    """One state of nodules of one series and one rescale; the same arguments, the same bytes.

    Raises ValueError if there is no nodule, or they are not of one state (`split_by_state`).
    """
    if len(split_by_state(drawn)) != 1:
        raise ValueError("a presentation state is of one series with one rescale")
    state = new_object(
        sop_class_uid=GrayscaleSoftcopyPresentationStateStorage,
        modality="PR",
        series_description=SERIES_DESCRIPTION,
        subject=subject,
        algorithm=algorithm,
        identity=identity,
    )
    del state.ContentDate, state.ContentTime
    state.PresentationCreationDate = state.InstanceCreationDate
    state.PresentationCreationTime = state.InstanceCreationTime
    state.ContentLabel = LAYER
    warning = "" if algorithm.trained else f"{UNTRAINED}. "
    state.ContentDescription = long_string(f"{warning}{RESEARCH_USE}")
    state.ContentCreatorName = f"{algorithm.device_model}^"
    # Or dciodvfy asks for Laterality, which a chest CT's slices have not.
    state.BodyPartExamined = "CHEST"
    by_image = _by_image(drawn)
    state.ReferencedSeriesSequence = [_referenced_series(by_image)]
    state.GraphicAnnotationSequence = [_annotation(each, algorithm) for each in drawn]
    state.DisplayedAreaSelectionSequence = [_displayed(group) for group in by_image.values()]
    state.GraphicLayerSequence = [_layer()]
    slope, intercept = drawn[0].slice.rescale
    state.RescaleIntercept, state.RescaleSlope = f"{intercept:.10g}", f"{slope:.10g}"
    state.RescaleType = "HU"
    state.SoftcopyVOILUTSequence = [_lung_window()]
    state.PresentationLUTShape = "IDENTITY"
    finish(state)
    return state


Image = tuple[str, int | None]
"""SOP Instance UID and frame."""


def _by_image(drawn: Sequence[Drawn]) -> Mapping[Image, list[Drawn]]:
    groups: dict[Image, list[Drawn]] = {}
    for each in drawn:
        image = each.finding.region.image
        groups.setdefault((image.sop_instance_uid, image.frame_number), []).append(each)
    return groups


def _referenced_series(by_image: Mapping[Image, Sequence[Drawn]]) -> Dataset:
    """Presentation State Relationship (PS3.3 C.11.11): each image once, with its frames."""
    frames: dict[str, list[int]] = {}
    first: dict[str, Drawn] = {}
    for (uid, frame), group in by_image.items():
        first.setdefault(uid, group[0])
        frames.setdefault(uid, []).extend([] if frame is None else [frame])
    item = Dataset()
    item.SeriesInstanceUID = next(iter(first.values())).slice.header.SeriesInstanceUID
    item.ReferencedImageSequence = [
        _reference(first[uid], sorted(numbers)) for uid, numbers in frames.items()
    ]
    return item


def _reference(drawn: Drawn, frames: Sequence[int]) -> Dataset:
    image = drawn.finding.region.image
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class_uid
    item.ReferencedSOPInstanceUID = image.sop_instance_uid
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def _of_its_image(drawn: Drawn) -> Dataset:
    frame = drawn.finding.region.image.frame_number
    return _reference(drawn, () if frame is None else (frame,))


def _displayed(group: Sequence[Drawn]) -> Dataset:
    """Displayed Area (PS3.3 C.10.4): the whole image."""
    header, (between_rows, between_columns) = group[0].slice.header, group[0].slice.spacing_mm
    area = Dataset()
    area.ReferencedImageSequence = [_of_its_image(group[0])]
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [int(header.Columns), int(header.Rows)]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = [f"{between_rows:.10g}", f"{between_columns:.10g}"]
    return area


def _annotation(drawn: Drawn, algorithm: Algorithm) -> Dataset:
    """Graphic Annotation (PS3.3 C.10.5)."""
    item = Dataset()
    item.ReferencedImageSequence = [_of_its_image(drawn)]
    item.GraphicLayer = LAYER
    item.GraphicObjectSequence = _graphics(drawn)
    item.TextObjectSequence = [_text(drawn, algorithm)]
    return item


Point = tuple[float, float]
"""(column, row)."""


def _graphics(drawn: Drawn) -> list[Dataset]:
    """Its outline or circle; of a nominal circle the point that was marked, and dashes."""
    region, header = drawn.finding.region, drawn.slice.header
    if isinstance(region, Circle):
        if not region.nominal:
            return [_graphic("CIRCLE", [region.centre, _on_rim(region, header)])]
        dashes = [
            _graphic("POLYLINE", dash)
            for dash in _dashes(region)
            if all(point == _within(point, header) for point in dash)
        ]
        return [_graphic("POINT", [region.centre]), *dashes]
    closed = region.points[:1] if region.points[0] != region.points[-1] else ()
    points = [_within(point, header) for point in (*region.points, *closed)]
    return [_graphic("POLYLINE", points)]


def _dashes(circle: Circle) -> list[list[Point]]:
    """A dashed circle as arcs: a Line Dashing Style (0070,0254) is heeded by few viewers."""
    (column, row), arc = circle.centre, np.linspace(0, np.pi / _DASHES, 4)
    turns = [arc + 2 * np.pi * number / _DASHES for number in range(_DASHES)]
    return [
        [
            (float(column + circle.radius * x), float(row + circle.radius * y))
            for x, y in zip(np.cos(turn), np.sin(turn), strict=True)
        ]
        for turn in turns
    ]


def _graphic(kind: str, points: Sequence[Point]) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits = "PIXEL"
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(points)
    item.GraphicData = [float(value) for point in points for value in point]
    item.GraphicType = kind
    item.GraphicFilled = "N"
    return item


def _text(drawn: Drawn, algorithm: Algorithm) -> Dataset:
    said = percent_text(drawn.finding.probability) if algorithm.trained else UNTRAINED
    item = Dataset()
    item.AnchorPointAnnotationUnits = "PIXEL"
    region = drawn.finding.region
    nominal = isinstance(region, Circle) and region.nominal
    item.UnformattedTextValue = f"{drawn.name}: {said}{NOMINAL if nominal else ''}"
    item.AnchorPoint = list(_beside(drawn.finding.region, drawn.slice.header))
    item.AnchorPointVisibility = "N"
    return item


def _beside(region: Circle | Polyline, header: Dataset) -> tuple[float, float]:
    """To the right of the nodule, at its upper edge; below it where the image ends before that."""
    left, top, right, bottom = _bounds(region)
    if right + _LABEL_GAP < int(header.Columns):
        return _within((right + _LABEL_GAP, top), header)
    return _within((left, bottom + _LABEL_GAP), header)


def _bounds(region: Circle | Polyline) -> tuple[float, float, float, float]:
    if isinstance(region, Circle):
        (column, row), radius = region.centre, region.radius
        return column - radius, row - radius, column + radius, row + radius
    columns, rows = zip(*region.points, strict=True)
    return min(columns), min(rows), max(columns), max(rows)


def _on_rim(circle: Circle, header: Dataset) -> tuple[float, float]:
    """A point of the circle that lies on the image, if there is any in the four directions."""
    (column, row), radius = circle.centre, circle.radius
    rim = [
        (column + radius, row),
        (column - radius, row),
        (column, row + radius),
        (column, row - radius),
    ]
    return next((point for point in rim if point == _within(point, header)), rim[0])


def _within(point: tuple[float, float], header: Dataset) -> tuple[float, float]:
    column, row = point
    return min(max(column, 0.0), float(header.Columns)), min(max(row, 0.0), float(header.Rows))


def _layer() -> Dataset:
    item = Dataset()
    item.GraphicLayer = LAYER
    item.GraphicLayerOrder = 1
    item.GraphicLayerRecommendedDisplayGrayscaleValue = 65535
    item.GraphicLayerRecommendedDisplayCIELabValue = list(_AMBER_CIELAB)
    item.GraphicLayerDescription = "Nodules and their probabilities"
    return item


def _lung_window() -> Dataset:
    centre, width = LUNG_WINDOW_HU
    item = Dataset()
    item.WindowCenter, item.WindowWidth = f"{centre:g}", f"{width:g}"
    item.WindowCenterWidthExplanation = "LUNG"
    return item
