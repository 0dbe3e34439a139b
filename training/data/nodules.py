"""What a trainer needs of nodules, wherever they lie: cut-outs, prepared crops, another place's."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from m3net.config import Preprocessing
from m3net.patches import Patches
from m3net.preprocessing import inputs_of
from training.data import seeding
from training.data.crops import Crop
from training.data.errors import SettingsUnusable
from training.data.labels import Label
from training.data.targets import TargetKind, target_of

Inputs = Mapping[str, Tensor]
"""What a network reads of one nodule, or of a batch with (B, ...) before each shape.

micro, meso, macro : (C, D, H, W) float32, of the scales that the network reads
description        : (66,) float32, for a network that takes one
slices             : (10, 2, 160, 160) float32 `m3net.slices`, for a committee that takes them
"""


class Folder(Protocol):
    """A folder of nodules, however they lie in it."""

    @property
    def labels(self) -> Sequence[Label]:
        """One per nodule, in order."""

    def read(self, label: Label) -> Crop:
        """The nodule of this name with the CT about it."""


class Nodules(Protocol):
    """Nodules that can be shown to a network."""

    @property
    def labels(self) -> Sequence[Label]:
        """One per nodule, in order."""

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """One nodule as the network's input; augmented by what `random` draws, None: as served."""


def network_inputs(patches: Patches, preprocessing: Preprocessing) -> Inputs:
    """The patches as the node would feed them, without the batch's axis."""
    inputs: dict[str, Tensor] = {
        scale.value: x[0] for scale, x in inputs_of(patches, preprocessing).items()
    }
    if patches.description is not None:
        inputs["description"] = torch.from_numpy(patches.description).float()
    if patches.slices is not None:
        inputs["slices"] = torch.from_numpy(patches.slices)
    return inputs


class Subset:
    """Some of the nodules, in the order given."""

    def __init__(self, nodules: Nodules, indices: Sequence[int]) -> None:
        self._nodules, self._indices = nodules, list(indices)

    @property
    def labels(self) -> Sequence[Label]:
        """One per nodule."""
        every = self._nodules.labels
        return [every[i] for i in self._indices]

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """Of the nodules that were chosen."""
        return self._nodules.item(self._indices[index], random)


class Kept:
    """The same nodules, cut once: as served they are the same in every epoch.

    Those that come after so many bytes are cut anew each time.
    """

    def __init__(self, nodules: Nodules, *, bytes_at_most: int = 2**29) -> None:
        self._nodules, self._left = nodules, bytes_at_most
        self._kept: dict[int, Inputs] = {}

    @property
    def labels(self) -> Sequence[Label]:
        """One per nodule."""
        return self._nodules.labels

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """As it was cut before; an augmented one is never kept."""
        if random is not None:
            return self._nodules.item(index, random)
        if index in self._kept:
            return self._kept[index]
        inputs = self._nodules.item(index, None)
        size = sum(x.nbytes for x in inputs.values())
        if size <= self._left:
            self._left -= size
            self._kept[index] = inputs
        return inputs


class Joined:
    """The nodules of several sources, one after the other."""

    def __init__(self, *sources: Nodules) -> None:
        self._where = [(source, i) for source in sources for i in range(len(source.labels))]

    @property
    def labels(self) -> Sequence[Label]:
        """One per nodule."""
        return [source.labels[i] for source, i in self._where]

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """From the source that has it."""
        source, i = self._where[index]
        return source.item(i, random)


class Epoch(Dataset[tuple[dict[str, Tensor], Tensor]]):
    """Nodules as torch's loader wants them, as one epoch shows them."""

    def __init__(self, nodules: Nodules, *, target: TargetKind, seed: int, epoch: int) -> None:
        self._nodules, self._target = nodules, target
        self._labels = nodules.labels
        self._seed, self._epoch = seed, epoch

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[dict[str, Tensor], Tensor]:
        random = seeding.for_sample(seed=self._seed, epoch=self._epoch, index=index)
        inputs = dict(self._nodules.item(index, random))
        return inputs, target_of(self._labels[index].scores, self._target)


def choose_pairs(labels: Sequence[Label], *, pairs: int, random: np.random.Generator) -> list[int]:
    """The indices of `pairs` malignant and `pairs` benign nodules, in ascending order.

    Raises SettingsUnusable if there are too few of either.
    """
    chosen: list[int] = []
    for malignant, word in ((True, "malignant"), (False, "benign")):
        having = [i for i, label in enumerate(labels) if label.malignant is malignant]
        if len(having) < pairs:
            raise SettingsUnusable(
                f"{pairs} {word} nodules are wanted, found {len(having)}; use more nodules, "
                "or lower few_shot.pairs or data.limit"
            )
        chosen += [int(i) for i in random.choice(having, pairs, replace=False)]
    return sorted(chosen)


def limited(nodules: Nodules, *, limit: int, random: np.random.Generator) -> Nodules:
    """At most `limit` of them, half of each class; all for 0."""
    if not limit or limit >= len(nodules.labels):
        return nodules
    return Subset(nodules, choose_pairs(nodules.labels, pairs=limit // 2, random=random))
