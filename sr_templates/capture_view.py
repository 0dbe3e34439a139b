"""What one visual explanation shows, before it is drawn.

Nothing here can hold a patient's name, ID, birth date or accession number: the pictures are drawn
from these values alone, so none of it can get into the pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sr_templates.band import Band
from sr_templates.findings import (
    NOT_MEASURED,
    PLACE_UNKNOWN,
    ImageReference,
    Location,
    Measurements,
)

Direction = tuple[float, float, float]

SCALE_NAMES = ("macro", "meso", "micro")
"""The panels in the order in which they are drawn: from the whole to the detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSlice:
    """One axial slice of the CT, as the picture names it.

    number          : 1-based, counted along the slice normal
    position_mm     : along the slice normal, LPS (the z of an axial slice)
    instance_number : the CT's Instance Number, by which a viewer finds the slice
    """

    source: ImageReference
    number: int
    position_mm: float
    instance_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleView:
    """One nodule's slices, cropped about it.

    slab_hu       : (N, H, W) int16, HU, as acquired; a square region of about the macro patch
    spacing_mm    : (between rows, between columns)
    row_direction : LPS unit vector of growing column index; col_direction : of growing row index
    outline       : (N, H, W) bool, the nodule on the same grid; None: nothing is outlined
    maps          : per scale (N, H, W) float32 in [0, 1] on the same grid, NaN outside the patch
    flat_scales   : scales whose map has no depth axis and is the same on every slice
    slices        : N of them, in the order of the slab
    total_slices  : of the whole series
    key           : index into the slab of the slice on which the finding is drawn
    """

    slab_hu: NDArray[np.int16]
    spacing_mm: tuple[float, float]
    row_direction: Direction
    col_direction: Direction
    outline: NDArray[np.bool_] | None
    maps: Mapping[str, NDArray[np.float32]]
    slices: Sequence[CaptureSlice]
    total_slices: int
    key: int
    flat_scales: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        shape = self.slab_hu.shape
        others = {**self.maps, **({} if self.outline is None else {"outline": self.outline})}
        for name, array in others.items():
            if array.shape != shape:
                raise ValueError(f"{name} is {array.shape}, the slab {shape}: lay it on its grid")
        if len(self.slices) != shape[0] or not 0 <= self.key < shape[0]:
            raise ValueError(
                f"{len(self.slices)} slices and key {self.key} for a slab of {shape[0]}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """What stands beside the pictures.

    tracking_id : must not hold a part of the patient's identity (`identity.names_patient`)
    probability : of malignancy, in [0, 1]
    band        : in which the probability is indeterminate; None: the model states no threshold
    measurements: from the mark, in the CT
    location    : side, and where a viewer finds the key slice
    limits      : what the number must be read with; stand before the notes
    notes       : further short sentences about this picture
    """

    tracking_id: str
    probability: float
    band: Band | None
    diameter_mm: float | None
    model_name: str
    model_version: str
    trained: bool
    measurements: Measurements = NOT_MEASURED
    location: Location = PLACE_UNKNOWN
    limits: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFrame:
    """One picture.

    rgb   : (rows, columns, 3) uint8
    label : Frame Label Vector, such as "slice 90"
    key   : whether it shows the key slice
    """

    rgb: NDArray[np.uint8]
    label: str
    source: ImageReference
    key: bool


def choose_slices(
    *, first: int, last: int, key: int, total: int, at_least: int = 5, at_most: int = 16
) -> list[int]:
    """Slice indices to show for a nodule that reaches from `first` to `last` (inclusive, 0-based).

    A small nodule gets neighbours on both sides up to `at_least` slices, as far as the scan goes;
    a large one is thinned evenly to `at_most`.  The key slice is always among them.
    """
    first, last = max(0, min(first, key)), min(total - 1, max(last, key))
    while last - first + 1 < min(at_least, total):
        if first > 0:
            first -= 1
        if last < total - 1 and last - first + 1 < min(at_least, total):
            last += 1
    chosen = np.unique(np.linspace(first, last, min(at_most, last - first + 1)).round().astype(int))
    nearest = int(np.argmin(np.abs(chosen - key)))
    chosen[nearest] = key
    return [int(index) for index in chosen]
