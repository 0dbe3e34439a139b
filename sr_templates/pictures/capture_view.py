"""What one visual explanation shows, before it is drawn.

Nothing here can hold a patient's name, ID, birth date or accession number: the pictures are drawn
from these values alone, so none of it can get into the pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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

BEYOND_HU = -32768
"""Where the image has ended: black in every window.  Air would be the grey of lung."""
SCALE_NAMES = ("macro", "meso", "micro")
"""The panels in the order in which they are drawn: from the whole to the detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSlice:
    """One slice of the CT, as the picture names it.

    position_mm  : along the slice normal, LPS (the z of an axial slice)
    image_number : by which a viewer finds it: Instance Number, or number of the frame; None where
                   the CT has none
    """

    source: ImageReference
    position_mm: float
    image_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator:
    """The nodule in the whole patient.

    slice_hu   : (H, W), HU, the whole key slice as acquired
    first      : (row, column) of the slab's first pixel in it
    coronal_hu : (N, N), HU, the coronal plane through the nodule's centre: the patient's right on
                 the left, head at the top, square pixels; NaN where nothing was scanned
    coronal_mm : side of such a pixel
    centre     : the nodule in `coronal_hu`, (row, column), where pixel i reaches from i to i + 1
    """

    slice_hu: NDArray[np.int16]
    first: tuple[int, int]
    coronal_hu: NDArray[np.float32]
    coronal_mm: float
    centre: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleView:
    """One nodule's slices, cropped about it.

    slab_hu       : (N, H, W) int16, HU, as acquired; a square region of about the macro patch;
                    BEYOND_HU where the image has ended
    spacing_mm    : (between rows, between columns)
    row_direction : LPS unit vector of growing column index; col_direction : of growing row index
    outline       : (N, H, W) bool, the nodule on the same grid; None: nothing is outlined
    nominal       : nobody drew the outline: it is a circle that stands for a bare point
    maps          : per scale (N, H, W) float32 in [0, 1] on the same grid, NaN outside the patch
    shown         : per scale (N, H, W) bool, where the network was shown the scan
    flat_scales   : scales whose map has no depth axis and is the same on every slice
    slices        : N of them, in the order of the slab, which is the one in which viewers page
    key           : index into the slab of the slice on which the finding is drawn
    locator       : None where the scan's own pixels may name the patient
    """

    slab_hu: NDArray[np.int16]
    spacing_mm: tuple[float, float]
    row_direction: Direction
    col_direction: Direction
    outline: NDArray[np.bool_] | None
    maps: Mapping[str, NDArray[np.float32]]
    shown: Mapping[str, NDArray[np.bool_]]
    slices: Sequence[CaptureSlice]
    key: int
    locator: Locator | None = None
    flat_scales: frozenset[str] = frozenset()
    nominal: bool = False

    def __post_init__(self) -> None:
        shape = self.slab_hu.shape
        on_grid: dict[str, NDArray[np.generic]] = {
            **self.maps,
            **{f"what is shown of {name}": mask for name, mask in self.shown.items()},
            **({} if self.outline is None else {"outline": self.outline}),
        }
        for name, array in on_grid.items():
            if array.shape != shape:
                raise ValueError(f"{name} is {array.shape}, the slab {shape}: lay it on its grid")
        if set(self.shown) != set(self.maps):
            raise ValueError(f"maps of {sorted(self.maps)}, shown: {sorted(self.shown)}")
        if len(self.slices) != shape[0] or not 0 <= self.key < shape[0]:
            raise ValueError(
                f"{len(self.slices)} slices and key {self.key} for a slab of {shape[0]}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One measurement, and by how much it moved the estimate that measurements alone give.

    words  : what was measured, such as "size"
    detail : the number with its unit, and what is usual
    effect : in p, signed; no cause
    """

    words: str
    detail: str
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What the probability rests on, beside where the network looked.

    images, measurements : log odds that add up to the probability's, with
    appearance           : those of how it looks on slices, of which no map tells; None: not judged
    bars                 : the strongest first; none where nothing was measured
    estimate, of_usual   : p by the measurements alone, and of a nodule with all of them usual
    of_part              : they are of the part of the nodule that was imaged
    """

    images: float
    measurements: float
    appearance: float | None = None
    bars: Sequence[Bar] = ()
    estimate: float | None = None
    of_usual: float | None = None
    of_part: bool = False


class MapStyle(StrEnum):
    """How a heat map is laid over the CT."""

    OVERLAY = "overlay"
    """Colours over a dimmed CT: every shade of it is seen."""
    CONTOUR = "contour"
    """Lines at a quarter, half and three quarters: the nodule's margin is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """What stands beside the pictures.

    tracking_id : must not hold a part of the patient's identity (`identity.names_patient`)
    probability : of malignancy, in [0, 1]
    band        : in which the probability is indeterminate; None: the model states no threshold
    meaning     : what the probability means, in a few words
    method      : how the maps were made
    revision    : of the study's results, and when it was made
    measurements: from the mark, in the CT
    location    : side, and where a viewer finds the key slice
    limits      : what the number must be read with; stand before the notes
    grounds     : None: nothing is known of what it rests on
    notes       : further short sentences about this picture
    """

    tracking_id: str
    probability: float
    band: Band | None
    diameter_mm: float | None
    model_name: str
    model_version: str
    trained: bool
    meaning: str = ""
    method: str = "Grad-CAM"
    revision: int = 1
    at: datetime | None = None
    measurements: Measurements = NOT_MEASURED
    location: Location = PLACE_UNKNOWN
    limits: Sequence[str] = ()
    grounds: Grounds | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFrame:
    """One picture.

    rgb     : (rows, columns, 3) uint8
    label   : Frame Label Vector, such as "Im 43"
    sources : the images that it was made of
    key     : whether it is the page of the key slice
    """

    rgb: NDArray[np.uint8]
    label: str
    sources: tuple[ImageReference, ...]
    key: bool = False


def choose_slices(
    *, first: int, last: int, key: int, total: int, at_least: int = 3, at_most: int = 6
) -> list[int]:
    """Slice indices to show for a nodule that reaches from `first` to `last` (inclusive, 0-based).

    A small nodule gets neighbours on both sides up to `at_least` slices, as far as the scan goes;
    of a large one the middles of `at_most` equal parts are shown, and not its poles, which show
    least.  The key slice is always among them.
    """
    first, last = max(0, min(first, key)), min(total - 1, max(last, key))
    while last - first + 1 < min(at_least, total):
        if first > 0:
            first -= 1
        if last < total - 1 and last - first + 1 < min(at_least, total):
            last += 1
    count = last - first + 1
    parts = min(at_most, count)
    middles = first - 0.5 + (np.arange(parts) + 0.5) * count / parts
    chosen = np.unique(middles.round().astype(int))
    nearest = int(np.argmin(np.abs(chosen - key)))
    chosen[nearest] = key
    return [int(index) for index in chosen]
