"""The three nested contexts of the paper (Li et al. 2026, eq. 1), and how each is sampled."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Scale(StrEnum):
    """How much of the lung a patch shows around the nodule's centre."""

    MICRO = "micro"
    """X32: margin and internal structure."""
    MESO = "meso"
    """X64: vessels and pleura nearby."""
    MACRO = "macro"
    """X96: global context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSpec:
    """The grid of one scale's patch.

    size       : (D, H, W) voxels along z, y, x
    spacing_mm : None: the CT's own voxels, however large they are, as the paper does it;
                 else (z, y, x) in millimetres: a grid along the CT's axes, made rectangular where
                 a tilted gantry sheared them, sampled linearly
    border     : near the border of what may be seen: "pad" keeps the nodule in the middle and fills
                 with air; "shift" moves the window inwards, as the published code does, and pads
                 only along an axis that is shorter than the patch; on the CT's own voxels alone
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    border: Literal["pad", "shift"] = "pad"

    def __post_init__(self) -> None:
        if self.border == "shift" and self.spacing_mm is not None:
            raise ValueError("border 'shift' is for the CT's own voxels: omit spacing_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextBox:
    """How far around the annotated extent a model may look; beyond it, all is as if not scanned.

    For models trained on cut-outs that end where the readers' contours end.  Counted in the CT's
    voxels along z, y, x, the same number on both sides of the extent.

    margin_share      : of the extent, rounded down
    min_extent_voxels : where the box would be shorter, margins grow until it is this long, or one
                        voxel shorter, so that both are equal
    bare_diameter_mm  : the extent assumed for a centre without a diameter
    """

    margin_share: tuple[float, float, float] = (0.0, 0.0, 0.0)
    min_extent_voxels: tuple[int, int, int] = (0, 0, 0)
    bare_diameter_mm: float = 8.0
