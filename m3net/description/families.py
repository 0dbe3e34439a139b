"""The numbers of a description as a radiologist would count them: what is one thing is one family.

Volume, equivalent diameter and longest axis are three numbers and one size.  A nodule with the
volume of one and the diameter of another exists nowhere, so what moved a judgement is asked of
whole families (`m3net.expert.KernelExpert.shares`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from m3net.description import NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Numbers that measure one thing, and the one of them that is told.

    words    : what they measure
    members  : of `NAMES`
    told     : the member that stands for them
    told_as  : what it is, in words
    unit     : of what is told; empty for a ratio or a count
    decimals : that it is told with
    """

    words: str
    members: tuple[str, ...]
    told: str
    told_as: str
    unit: str = ""
    decimals: int = 0
    factor: float = 1.0
    exponent: bool = False
    """Whether the member is the logarithm of what is told."""

    @property
    def indices(self) -> list[int]:
        """Of the members in `NAMES`."""
        return [NAMES.index(name) for name in self.members]

    def value(self, numbers: Sequence[float]) -> float:
        """What is told of these numbers, which are in the order of `NAMES`."""
        number = float(numbers[NAMES.index(self.told)])
        return self.factor * (math.exp(number) if self.exponent else number)


def _names(*beginnings: str) -> tuple[str, ...]:
    return tuple(name for name in NAMES if name.startswith(beginnings))


FAMILIES = (
    Family(
        words="size",
        members=(
            "log_volume_mm3",
            "equivalent_diameter_mm",
            "longest_axial_mm",
            "shortest_axial_mm",
            "height_mm",
            "log_slice_area_mm2",
        ),
        told="log_volume_mm3",
        told_as="volume",
        unit="mm³",
        exponent=True,
    ),
    Family(
        words="elongation",
        members=("axis_ratio_middle", "axis_ratio_short"),
        told="axis_ratio_short",
        told_as="short to long axis",
        decimals=2,
    ),
    Family(
        words="roundness",
        members=("sphericity", "solidity_in_box", "hull_roundness", "slice_roundness"),
        told="sphericity",
        told_as="sphericity",
        decimals=2,
    ),
    Family(
        words="lobes and spikes",
        members=("convexity", "slice_convexity", "slice_perimeter_to_hull"),
        told="slice_convexity",
        told_as="of its convex hull",
        unit="%",
        factor=100.0,
    ),
    Family(
        words="density",
        members=(
            "mean_hu",
            "hu_05",
            "hu_25",
            "hu_50",
            "hu_75",
            "fraction_below_minus_300",
            "fraction_above_-600_hu",
            "fraction_above_-400_hu",
            "fraction_above_-200_hu",
            "fraction_above_0_hu",
            "fraction_above_100_hu",
        ),
        told="mean_hu",
        told_as="mean",
        unit="HU",
    ),
    Family(
        words="densest part",
        members=(
            "hu_95",
            "fraction_above_200",
            "fraction_above_200_hu",
            "fraction_above_300_hu",
            "fraction_above_400_hu",
        ),
        told="hu_95",
        told_as="95th percentile",
        unit="HU",
    ),
    Family(
        words="unevenness",
        members=("sd_hu", "skewness"),
        told="sd_hu",
        told_as="standard deviation",
        unit="HU",
    ),
    Family(
        words="core against edge",
        members=("core_minus_edge_hu",),
        told="core_minus_edge_hu",
        told_as="denser by",
        unit="HU",
    ),
    Family(
        words="surroundings",
        members=("rim_mean_hu", "rim_sd_hu", "dense_beyond", *_names("near_fraction_above_")),
        told="rim_mean_hu",
        told_as="3 mm around",
        unit="HU",
    ),
    Family(
        words="attachments",
        members=("attachments", "largest_attachment"),
        told="attachments",
        told_as="vessels, pleura",
    ),
    Family(
        words="contrast",
        members=("contrast_hu",),
        told="contrast_hu",
        told_as="to 3 mm around",
        unit="HU",
    ),
    Family(
        words="edge",
        members=("edge_gradient_hu_per_mm", "edge_gradient_sd", *_names("edge_mean_", "edge_sd_")),
        told="edge_gradient_hu_per_mm",
        told_as="steepness",
        unit="HU/mm",
    ),
    Family(
        words="texture inside",
        members=_names("blob_"),
        told="blob_sd_1_mm",
        told_as="spread of 1 mm blobs",
        unit="HU",
    ),
    Family(
        words="texture around",
        members=_names("near_blob_", "near_edge_"),
        told="near_blob_sd_1_mm",
        told_as="spread of 1 mm blobs",
        unit="HU",
    ),
)
"""Every number of `NAMES` once."""
