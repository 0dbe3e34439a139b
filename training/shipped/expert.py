"""The expert on descriptions (`m3net.expert`), fitted: kernel ridge regression on the soft target.

Sharpness and ridge are the pair that predicts best among the training nodules themselves, patients
held out in turn; whoever tests has no say.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from torch import Tensor

from m3net.expert import LEVELS, KernelExpert

SHARPNESS = (0.05, 0.1, 0.2, 0.4)
RIDGE = (0.05, 0.1, 0.2, 0.4)
INNER_FOLDS = 5

Floats = NDArray[np.float32]


def fit_expert(descriptions: Floats, targets: Floats, patients: Sequence[str]) -> KernelExpert:
    """An expert that remembers all these nodules: (M, N) numbers, (M,) targets in [0, 1]."""
    numbers, target = torch.from_numpy(descriptions), torch.from_numpy(targets)
    pairs = list(product(SHARPNESS, RIDGE))
    inner = list(GroupKFold(INNER_FOLDS).split(descriptions, groups=patients))
    error = dict.fromkeys(pairs, 0.0)
    for train, test in inner:
        for pair in pairs:
            expert = _fitted(numbers[train], target[train], *pair)
            found = expert.mean + expert.likeness(expert.standard(numbers[test])) @ expert.weights
            error[pair] += float(((found - target[test]) ** 2).sum())
    return _fitted(numbers, target, *min(pairs, key=error.__getitem__))


def _fitted(numbers: Tensor, target: Tensor, sharpness: float, ridge: float) -> KernelExpert:
    expert = KernelExpert(len(numbers))
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
