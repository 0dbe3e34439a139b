"""Chance, derived: whatever is drawn follows from (seed, epoch, index or step) and nothing else.

So there is no random state to save.  A run that was killed and goes on, one with more workers or
more processes, one whose nodules arrive in another order: each draws the same.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import torch

from training.data.errors import SettingsUnusable


class _Use(IntEnum):
    """Keeps draws of different use apart, where the other numbers are equal."""

    SAMPLE = 0
    ORDER = 1
    STEP = 2
    CHOICE = 3


def for_sample(*, seed: int, epoch: int, index: int) -> np.random.Generator:
    """What augments one nodule in one epoch."""
    return np.random.default_rng([seed, _Use.SAMPLE, epoch, index])


def for_choice(seed: int) -> np.random.Generator:
    """What chooses nodules: subsets, few-shot pairs."""
    return np.random.default_rng([seed, _Use.CHOICE])


def seed_step(*, seed: int, epoch: int, step: int) -> None:
    """Torch's generators (dropout) stand where they stand in this step of any such run."""
    state = np.random.SeedSequence([seed, _Use.STEP, epoch, step]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) >> 1)


def batches(*, nodules: int, batch_size: int, seed: int, epoch: int) -> Sequence[Sequence[int]]:
    """The indices of each step of an epoch, shuffled; what is left over waits for another epoch.

    Raises SettingsUnusable if there is not one whole batch.
    """
    if nodules < batch_size:
        raise SettingsUnusable(
            f"{nodules} nodules to train on and batches of {batch_size}; lower run.batch_size"
        )
    order = np.random.default_rng([seed, _Use.ORDER, epoch]).permutation(nodules)
    whole = nodules // batch_size * batch_size
    return [[int(i) for i in batch] for batch in order[:whole].reshape(-1, batch_size)]
