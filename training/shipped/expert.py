"""The experts (`m3net.expert`, `m3net.appearance`), fitted by kernel ridge regression.

They learn the soft target of the networks.  Sharpness and ridge are the pair that predicts best
among the training nodules themselves, patients held out in turn; whoever tests has no say.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from torch import Tensor

from m3net.appearance import Appearance
from m3net.efficientnet import EfficientNetLite0
from m3net.expert import LEVELS, KernelExpert

SHARPNESS = (0.05, 0.1, 0.2, 0.4)
RIDGE = (0.05, 0.1, 0.2, 0.4)
SHARPNESS_OF_LOOKS = (0.1, 0.2, 0.4, 0.8)
RIDGE_OF_LOOKS = (0.1, 0.2, 0.4, 0.8)
INNER_FOLDS = 5

Floats = NDArray[np.float32]


def fit_expert(
    descriptions: Floats,
    targets: Floats,
    patients: Sequence[str],
    *,
    sharpness: Sequence[float] = SHARPNESS,
    ridge: Sequence[float] = RIDGE,
) -> KernelExpert:
    """An expert that remembers all these nodules: (M, N) numbers, (M,) targets in [0, 1]."""
    numbers, target = torch.from_numpy(descriptions), torch.from_numpy(targets)
    pairs = list(product(sharpness, ridge))
    inner = list(GroupKFold(INNER_FOLDS).split(descriptions, groups=patients))
    error = dict.fromkeys(pairs, 0.0)
    for train, test in inner:
        for pair in pairs:
            expert = _fitted(numbers[train], target[train], *pair)
            found = expert.mean + expert.likeness(expert.standard(numbers[test])) @ expert.weights
            error[pair] += float(((found - target[test]) ** 2).sum())
    return _fitted(numbers, target, *min(pairs, key=error.__getitem__))


def fit_appearance(
    encoder: EfficientNetLite0, looks: Floats, targets: Floats, patients: Sequence[str]
) -> Appearance:
    """The expert on how nodules look: (M, 672) `Appearance.numbers` by this encoder."""
    fitted = Appearance(len(looks))
    fitted.encoder.load_state_dict(encoder.state_dict())
    fitted.expert = fit_expert(
        looks, targets, patients, sharpness=SHARPNESS_OF_LOOKS, ridge=RIDGE_OF_LOOKS
    )
    return fitted


def _fitted(numbers: Tensor, target: Tensor, sharpness: float, ridge: float) -> KernelExpert:
    expert = KernelExpert(len(numbers), numbers=numbers.shape[1])
    levels = torch.linspace(0, 1, LEVELS)
    expert.percentiles.copy_(torch.quantile(numbers, levels, dim=0).T)
    expert.sharpness.fill_(sharpness)
    expert.mean.copy_(target.mean())
    expert.centres.copy_(expert.standard(numbers))
    kernel = expert.likeness(expert.centres).double()
    kernel += ridge * torch.eye(len(numbers), dtype=torch.float64)
    expert.weights.copy_(torch.linalg.solve(kernel, (target - expert.mean).double()))
    return expert


def expert_out_of_fold(
    descriptions: Floats,
    targets: Floats,
    patients: Sequence[str],
    folds: NDArray[np.int_],
    *,
    asked: Floats | None = None,
) -> NDArray[np.float64]:
    """The margin of each nodule by the expert that did not see its fold: (N,).

    asked : (N, 66) as the nodules are told when they are asked about; None: as they were learnt
    """
    told = descriptions if asked is None else asked
    margins = np.full(len(folds), np.nan)
    for fold in np.unique(folds):
        test = folds == fold
        train = np.flatnonzero(~test)
        expert = fit_expert(
            descriptions[train], targets[train], [patients[i] for i in train.tolist()]
        )
        with torch.no_grad():
            margins[test] = expert(torch.from_numpy(told[test])).numpy()
    return margins
