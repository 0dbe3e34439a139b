"""A nodule as an annotation marks it, in the patient's frame (LPS mm)."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from m3net.uids import SOPClassUID, SOPInstanceUID

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A nodule's voxels on a grid of their own.

    voxels : (Z, Y, X) bool, cropped to the nodule
    affine : (4, 4), index (z, y, x) of `voxels` -> LPS mm
    """

    voxels: NDArray[np.bool_]
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSource:
    """Where a nodule was read: the object, and a person's name for the place inside it."""

    sop_class_uid: SOPClassUID
    sop_instance_uid: SOPInstanceUID
    place: str
    """For example "segment 2" or "measurement group 1"."""


class Side(StrEnum):
    """A lung: the patient's left or right."""

    LEFT = "left"
    RIGHT = "right"


class Lobe(StrEnum):
    """Of either lung; the left has no middle lobe."""

    UPPER = "upper lobe"
    MIDDLE = "middle lobe"
    LOWER = "lower lobe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where in the lungs an annotation says that a nodule lies, as far as its codes say it."""

    side: Side | None = None
    lobe: Lobe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodule:
    """One nodule.

    centre_mm   : LPS; the centroid of the mask's voxels, or the point that was marked
    mask        : None for a bare point or a circle
    diameter_mm : None where the annotation gives no extent
    site        : as annotated; None where it is not coded, or coded in two ways
    tracking_uid: copied from the input, else derived from it; never drawn
    """

    centre_mm: Point
    mask: Mask | None
    diameter_mm: float | None
    tracking_uid: str
    tracking_id: str
    sources: tuple[AnnotationSource, ...]
    notes: tuple[str, ...] = ()
    site: Site | None = None

    @property
    def is_bare(self) -> bool:
        """Whether a place is all that is marked, without an extent."""
        return self.mask is None and self.diameter_mm is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedNodule:
    """A marked nodule that cannot be analysed, and the one reason why."""

    tracking_uid: str
    tracking_id: str
    sources: tuple[AnnotationSource, ...]
    reason: str
