"""A folder of cut-outs as nodules to train on, cut by the functions that serve."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from m3net.config import M3NetConfig
from training.data.as_served import nodule_of, volume_of
from training.data.augment import Augmentation, Warp, draw_warp
from training.data.nodules import Inputs, network_inputs
from training.data.thicken import thicken
from training.data.voi import Cutout, CutoutLabel, read_cutout
from training.data.warped import cut_warped


class CutoutNodules:
    """Some of a folder's nodules; each is read once and kept (791 of LIDC-IDRI: 60 MB)."""

    def __init__(
        self,
        directory: Path,
        labels: Sequence[CutoutLabel],
        *,
        config: M3NetConfig,
        augmentation: Augmentation,
        slice_mm: float = 0.0,
    ) -> None:
        """slice_mm : cut-outs are thickened to slices of this size first; 0: as they are."""
        self._directory, self._labels = directory, list(labels)
        self._config, self._augmentation = config, augmentation
        self._slice_mm = slice_mm
        self._read: dict[int, Cutout] = {}

    @property
    def labels(self) -> Sequence[CutoutLabel]:
        """One per nodule."""
        return self._labels

    def cutout(self, index: int) -> Cutout:
        """As it lies on disk, or thickened."""
        if index not in self._read:
            cutout = read_cutout(self._directory, self._labels[index])
            self._read[index] = thicken(cutout, self._slice_mm) if self._slice_mm else cutout
        return self._read[index]

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """As `training.data.nodules.Inputs` says."""
        cutout = self.cutout(index)
        warp = Warp() if random is None else draw_warp(self._augmentation, random)
        patches = cut_warped(self._config, volume_of(cutout), nodule_of(cutout), warp)
        return network_inputs(patches, self._config.preprocessing)
