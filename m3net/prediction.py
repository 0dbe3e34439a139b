"""What the model says of one nodule, and who the model is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from m3net.card import ModelCard
from m3net.evidence import Evidence
from m3net.grid import GridBox
from m3net.nodule import Nodule
from m3net.scales import Scale
from m3net.volume import CTVolume


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Grad-CAM of one scale on its patch's grid.

    values    : (D, H, W) float32 in [0, 1], scaled by the patch's own maximum; 0 where the network
                was shown nothing
    shown     : (D, H, W) bool, where it was shown the scan
    affine    : (4, 4), index (z, y, x) -> LPS mm
    has_depth : False where the branch has no depth axis, so that every slice shows the same map
    """

    values: NDArray[np.float32]
    shown: NDArray[np.bool_]
    affine: NDArray[np.float64]
    has_depth: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Probability of malignancy in [0, 1], where the networks looked, and what it rests on.

    evidence : None of a model that takes no measurements
    """

    probability: float
    heat_maps: Mapping[Scale, HeatMap]
    evidence: Evidence | None = None
    notes: tuple[str, ...] = ()
    """Stated in the report, for example how a nodule without a mask was treated."""


class Classifier(Protocol):
    """A loaded model: what `node` needs of it, and nothing else."""

    @property
    def card(self) -> ModelCard:
        """The model card."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hex sha256 over the weights, the network's config and every setting that changes p."""
        ...

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        """The voxels that the model looks at to judge it, and those that the nodule reaches.

        Where the scan ends within what the model would look at, they lie beyond it.
        """
        ...

    def classify(
        self,
        volume: CTVolume,
        nodules: Sequence[Nodule],
        *,
        on_nodule: Callable[[int], None] | None = None,
    ) -> list[Prediction]:
        """One prediction per nodule, in order; `on_nodule(i)` is called after each."""
        ...
