"""A folder of prepared crops as nodules to train on, cut by the functions that serve."""

from collections.abc import Sequence

import numpy as np

from m3net.config import M3NetConfig
from m3net.patches import Patches, context_box
from m3net.placed import PlacedNodule
from m3net.volume import transform
from training.data.augment import Augmentation, Warp, draw_warp
from training.data.crops import Crop, CropFolder, CropLabel, CropsUnusable
from training.data.nodules import Inputs, network_inputs
from training.data.warped import cut_warped


class CropNodules:
    """Some of a folder's nodules; nothing is kept in memory (the whole of LIDC-IDRI is 15 GB)."""

    def __init__(
        self,
        folder: CropFolder,
        labels: Sequence[CropLabel],
        *,
        config: M3NetConfig,
        augmentation: Augmentation,
    ) -> None:
        self._folder, self._labels = folder, list(labels)
        self._config, self._augmentation = config, augmentation

    @property
    def labels(self) -> Sequence[CropLabel]:
        """One per nodule."""
        return self._labels

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """The network's input, as served or augmented.

        Raises CropsUnusable if the blocks are too small for the model's patches.
        """
        crop = self._folder.read(self._labels[index])
        warp = Warp() if random is None else draw_warp(self._augmentation, random)
        patches = cut_warped(self._config, crop.volume, crop.nodule, warp)
        self._check_covered(crop, patches)
        return network_inputs(patches, self._config.preprocessing)

    def _check_covered(self, crop: Crop, patches: Patches) -> None:
        """A patch may reach beyond its block only where the scan itself ends.

        What a warp asks for from farther away is air, as in the published code, which warps
        patches.
        """
        context = self._config.preprocessing.context
        placed = PlacedNodule(nodule=crop.nodule, volume=crop.volume)
        limits = None if context is None else context_box(placed, context)
        for scale, patch in patches.scales.items():
            shape = np.array(patch.hu.shape)
            corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1)
            index = crop.volume.to_index(transform(patch.affine, corners))
            low, high = index.min(axis=0), index.max(axis=0)
            if limits is not None:
                low, high = np.maximum(low, limits[0]), np.minimum(high, limits[1])
            beyond = np.column_stack([low < -0.5, high > np.array(crop.volume.shape) - 0.5])
            if np.any(beyond & ~crop.ends):
                raise CropsUnusable(
                    f"{crop.label.name}: the {scale} patch reaches beyond its block of "
                    f"{' x '.join(map(str, crop.volume.shape))} voxels; prepare larger blocks"
                )
