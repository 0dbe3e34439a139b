"""The nodules of a folder as a network is shown them: as served, or otherwise told and bent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from m3net.config import M3NetConfig
from m3net.patches import Patches, context_box
from m3net.placed import PlacedNodule
from m3net.scales import Scale
from m3net.volume import transform
from training.data.augment import PRESETS, Augmentation, Warp, draw_warp
from training.data.crops import Crop
from training.data.errors import CropsUnusable
from training.data.labels import Label
from training.data.nodules import Folder, Inputs, network_inputs
from training.data.told import told_by_another
from training.data.warped import cut_warped


class ShownNodules:
    """All nodules of a folder, for networks of one config.

    Nothing is kept in memory but what the folder keeps (the whole of LIDC-IDRI is 15 GB).
    """

    def __init__(
        self,
        folder: Folder,
        *,
        config: M3NetConfig,
        augmentation: Augmentation = PRESETS["none"],
    ) -> None:
        self._folder, self._config, self._augmentation = folder, config, augmentation
        self.labels: Sequence[Label] = folder.labels

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """The network's input, as served or augmented.

        Raises CropsUnusable if the blocks are too small for the model's patches.
        """
        crop = self._folder.read(self.labels[index])
        warp: Warp | Mapping[Scale, Warp] = Warp()
        if random is not None:
            if (other := self._augmentation.other_reader) is not None:
                nodule = told_by_another(crop.nodule, crop.volume, other, random)
                crop = replace(crop, nodule=nodule)
            if self._augmentation.per_scale:
                warp = {s: draw_warp(self._augmentation, random) for s in self._config.scales}
            else:
                warp = draw_warp(self._augmentation, random)
        patches = cut_warped(self._config, crop.volume, crop.nodule, warp)
        _check_covered(crop, patches, self._config)
        return network_inputs(patches, self._config.preprocessing)


def _check_covered(crop: Crop, patches: Patches, config: M3NetConfig) -> None:
    """A patch may reach beyond its block only where the scan itself ends.

    What a warp asks for from farther away is air, as in the published code, which warps patches.
    """
    context = config.preprocessing.context
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
