"""What an annotation object says, before it is laid over a CT.

Readers turn one kind of DICOM object each into these values.  They need no pixels of the CT: a 2D
reader is given the planes of the study's slices by object and frame.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from m3net.ct.acquisitions import NO_TRAITS, Traits
from m3net.nodule import AnnotationSource, Mask, Point, Site
from m3net.uids import (
    FrameKey,
    FrameOfReferenceUID,
    FrameReference,
    SeriesInstanceUID,
    SOPClassUID,
    SOPInstanceUID,
    uid_in_words,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlane:
    """Where one CT slice lies (PS3.3 C.7.6.2).

    position_mm    : LPS of the centre of the first voxel (Image Position (Patient))
    row_direction  : unit vector of growing column index (first three of Image Orientation)
    col_direction  : unit vector of growing row index (last three)
    spacing_mm     : (between rows, between columns), Pixel Spacing
    traits         : what it says of how it was taken
    """

    series_instance_uid: SeriesInstanceUID
    frame_of_reference_uid: FrameOfReferenceUID
    position_mm: Point
    row_direction: Point
    col_direction: Point
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    traits: Traits = NO_TRAITS

    @property
    def names_frame_of_reference(self) -> bool:
        """False of an image without one: it has a frame of its own, named by its series' UID."""
        return str(self.frame_of_reference_uid) != str(self.series_instance_uid)

    def to_mm(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) as (column, row), (0, 0) being the outer corner of the first pixel -> (N, 3) LPS.

        PS3.3 C.7.6.2.1.1 from the first pixel's centre, which is (0.5, 0.5) here.
        """
        columns, rows = points[:, :1] - 0.5, points[:, 1:] - 0.5
        placed: NDArray[np.float64] = (
            np.asarray(self.position_mm)
            + columns * self.spacing_mm[1] * np.asarray(self.row_direction)
            + rows * self.spacing_mm[0] * np.asarray(self.col_direction)
        )
        return placed

    def distance_mm(self, points_mm: NDArray[np.float64]) -> float:
        """How far the farthest of the points, (N, 3) LPS, lies from the plane."""
        normal = np.cross(self.row_direction, self.col_direction)
        return float(np.abs((points_mm - np.asarray(self.position_mm)) @ normal).max())


class Planes(Mapping[FrameKey, SlicePlane]):
    """The planes of a study's CT slices, by object and frame.

    scouts : its scouts and projections, which have no plane here: where a mark on one lies in depth
             is unknown
    """

    def __init__(
        self,
        planes: Mapping[FrameKey, SlicePlane],
        *,
        scouts: Collection[SOPInstanceUID] = (),
    ) -> None:
        self._planes = dict(planes)
        self._scouts = frozenset(scouts)
        self._of: dict[SOPInstanceUID, list[FrameKey]] = {}
        for key in self._planes:
            self._of.setdefault(key.sop_instance_uid, []).append(key)

    def __getitem__(self, key: FrameKey) -> SlicePlane:
        return self._planes[key]

    def __iter__(self) -> Iterator[FrameKey]:
        return iter(self._planes)

    def __len__(self) -> int:
        return len(self._planes)

    def named(self, reference: FrameReference) -> dict[FrameKey, SlicePlane]:
        """The planes that a reference names: one, all of an image, or none of this study."""
        return {
            key: self._planes[key]
            for key in self._of.get(reference.sop_instance_uid, ())
            if reference.names(key)
        }

    def why_not(self, reference: FrameReference) -> str:
        """Why the reference names no plane, as what is said of a mark that is drawn there."""
        if reference.sop_instance_uid in self._scouts:
            return "it is drawn on a scout or a projection, which does not tell how deep it lies"
        frame = f"frame {reference.frame} of " if reference.frame > 0 else ""
        if reference.frame < 0:
            frame = "what is no frame number of "
        return (
            f"it is drawn on {frame}image {uid_in_words(reference.sop_instance_uid)}, "
            "which is not a CT slice of this study"
        )


NO_PLANES = Planes({})
"""For what an object says of itself, before any CT is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What an annotation refers to; read from the object alone.

    sop_instance_uids : every image that it refers to; the study waits for them
    marked            : those of them on which something is drawn, by frame where one is named
    centres_mm        : LPS centres of its marks, where the object itself knows them (SEG, SCOORD3D)
    nodules           : whether anything in it was read as a nodule
    image_classes     : SOP Classes of the images that it refers to; empty: it does not tell
    """

    frame_of_reference_uid: FrameOfReferenceUID | None
    series_instance_uids: frozenset[SeriesInstanceUID]
    sop_instance_uids: frozenset[SOPInstanceUID]
    marked: frozenset[FrameReference]
    centres_mm: tuple[Point, ...] = ()
    nodules: bool = True
    image_classes: frozenset[SOPClassUID] = frozenset()

    @property
    def marked_images(self) -> frozenset[SOPInstanceUID]:
        """The images on which something is drawn."""
        return frozenset(reference.sop_instance_uid for reference in self.marked)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameGrid:
    """The grid of a segmentation's whole frames, before its masks were cropped.

    affine : (4, 4), index (z, y, x) -> LPS mm
    """

    rows: int
    columns: int
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReference:
    """A segment of another object, which holds the mask that a report speaks of."""

    sop_instance_uid: SOPInstanceUID
    segment_number: int

    @property
    def place(self) -> str:
        """As the segmentation's own `AnnotationSource.place` names it."""
        return f"segment {self.segment_number}"


class Overlap(StrEnum):
    """What several outlines on one slice come to."""

    UNITED = "united"
    """Each is a piece of the nodule: reports and presentation states."""
    EXCLUSIVE = "exclusive"
    """An outline inside another one is a hole, one inside a hole a piece: structure sets, which
    have no other way to draw a hole than this and the keyhole (PS3.3 C.8.8.6.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """One thing that an annotation marks: a mask, or contours, or a sphere, or a bare point.

    Exactly one of `mask`, `contours_mm`, `centre_mm`, `segment` is given, or `refused`: the reason
    why this mark cannot be trusted.

    stated_mm      : the diameter that is written as a measurement
    drawn_mm       : the diameter that is drawn, as of a circle; it yields to a mask's own
    unchecked_grid : of a mask whose frames name no slice of this study that would vouch for them
    """

    source: AnnotationSource
    tracking_uid: str | None
    tracking_id: str | None
    frame_of_reference_uid: FrameOfReferenceUID | None
    """Of a mark drawn on an image: that image's.  None only where a segment or nothing is given."""
    mask: Mask | None = None
    contours_mm: tuple[NDArray[np.float64], ...] = ()
    """Closed planar outlines, (N, 3) LPS each, one slice each."""
    overlap: Overlap = Overlap.UNITED
    centre_mm: Point | None = None
    segment: SegmentReference | None = None
    stated_mm: float | None = None
    drawn_mm: float | None = None
    also_in: tuple[AnnotationSource, ...] = ()
    """Other places that speak of the same mark, such as a report's group about a segment."""
    unchecked_grid: FrameGrid | None = None
    notes: tuple[str, ...] = ()
    """Sentences for the report about how the mark was read."""
    site: Site | None = None
    """Where in the lungs its codes say that it is."""
    refused: str | None = None


class Drawn(StrEnum):
    """What people call a thing that an annotation draws."""

    SEGMENT = "segment"
    MEASUREMENT = "measurement"
    REGION = "region"
    GRAPHIC = "graphic"
    ROI = "ROI"
    FINDING = "CAD finding"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Something drawn that was not read as a nodule.

    place     : inside the object, as `AnnotationSource.place`: "segment 2"
    says      : what it is instead, in a code's or the table's words; empty if nothing says that
    unsaid    : nothing says that it is something else: a measurement without a finding, "ROI-1"
    marking   : of an unsaid mark, for another object that says that it is a nodule
    may_count : a bidirectional or arrow mark, which a site may have judged without a finding
    """

    drawn: Drawn
    place: str
    unsaid: bool
    says: str = ""
    marking: Marking | None = None
    may_count: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation object, read: its marks, and what it holds that is no nodule."""

    sop_instance_uid: SOPInstanceUID
    markings: tuple[Marking, ...]
    passed_over: tuple[PassedOver, ...] = ()
    """What it draws beside them."""
    ignored: tuple[str, ...] = ()
    """One sentence each, for the report, on what is not drawn: "Segment 2 is empty"."""
