"""The three nested contexts of the paper (Li et al. 2026, eq. 1), and how each is sampled."""

from dataclasses import dataclass
from enum import StrEnum


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
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextBox:
    """How far around the annotated extent a model may look; beyond it, all is as if not scanned.

    For models trained on cut-outs that end where the readers' contours end.

    margin_mm        : added on each side along z, y, x, rounded to whole voxels
    min_extent_mm    : the box is at least this long along z, y, x, margins included
    bare_diameter_mm : the extent assumed for a centre without a diameter
    """

    margin_mm: tuple[float, float, float]
    min_extent_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bare_diameter_mm: float = 8.0
