"""The networks of committees: what is to be trained from which seed, and in how many processes."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from m3net.config import M3NetConfig
from training.data.variants import load_variants
from training.shipped.recipe import Recipe, save_part, train_member


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One network, and the file that its tensors go to.

    train : indices of the nodules that it learns from
    """

    config: M3NetConfig
    train: NDArray[np.intp]
    seed: int
    file: Path


def members_of_folds(
    folds: NDArray[np.int_], *, seeds: Iterable[int], config: M3NetConfig, directory: Path
) -> dict[int, list[Member]]:
    """For each fold the networks that do not see it, one a seed."""
    directory.mkdir(parents=True, exist_ok=True)
    return {
        fold: [
            Member(
                config=config,
                train=np.flatnonzero(folds != fold),
                seed=1000 * seed + fold,
                file=directory / f"seed{seed}_fold{fold}.safetensors",
            )
            for seed in seeds
        ]
        for fold in np.unique(folds).tolist()
    }


def train_members(
    members: Sequence[Member],
    *,
    variants: Path,
    mean_scores: NDArray[np.float64],
    recipe: Recipe,
    jobs: int = 1,
    on_member: Callable[[], None] = lambda: None,
) -> None:
    """Every member's file is there; one that was there already is not trained again.

    variants : the folder that `draw_variants` filled
    jobs     : processes, of one thread each
    """
    # spawned: a fork would share torch's threads
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = []
        for member in members:
            if member.file.is_file():
                on_member()
            else:
                waiting.append(pool.submit(_train, member, variants, mean_scores, recipe))
        try:
            for each in as_completed(waiting):
                each.result()
                on_member()
        finally:
            pool.shutdown(cancel_futures=True)


def _train(
    member: Member, variants: Path, mean_scores: NDArray[np.float64], recipe: Recipe
) -> None:
    torch.set_num_threads(1)
    network = train_member(
        load_variants(variants, member.config),
        mean_scores=mean_scores,
        train=member.train,
        recipe=recipe,
        seed=member.seed,
        config=member.config,
    )
    save_part(network, member.file)
