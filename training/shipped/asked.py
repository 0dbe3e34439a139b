"""The committees of the folds, asked about the nodules that they did not see, in every way."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray

from m3net.axes import axes_mm
from m3net.config import M3NetConfig
from training.baselines import classical
from training.data.cutouts import Cutouts
from training.data.shown import ShownNodules
from training.data.told import ToldAs
from training.data.voi import Cutout
from training.shipped.committee import CommitteeFiles, out_of_fold_margins
from training.shipped.out_of_fold import MOVED, OURS, Floats, OutOfFold

LESS = {"centre_and_diameter": ToldAs.DIAMETER, "centre": ToldAs.CENTRE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Committees:
    """The members of each fold and the nodules.

    files       : per fold, the networks that did not see it, and their expert
    margins     : (N,) of each nodule, by its committee
    descriptions: (N, 66) `m3net.description.NAMES`
    config      : of a member, as it is served
    """

    cutouts: Sequence[Cutout]
    folds: NDArray[np.int_]
    files: Mapping[int, CommitteeFiles]
    margins: Floats
    descriptions: NDArray[np.float32]
    config: M3NetConfig


def ask(
    asked: Committees,
    *,
    others: Mapping[str, Floats],
    outlines: Mapping[str, Sequence[Cutout]],
    jobs: int = 1,
    on_asked: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """The table of all that they say.

    others   : key -> (N,) margins of what ours is compared with
    outlines : what `ours_outline_of_...` is called -> the same nodules, so outlined
    jobs     : processes, of one thread each
    on_asked : called whenever all have been asked in one more way, of `ways_of(outlines)`
    """
    cutouts = asked.cutouts
    labels = np.array([cutout.label.malignant for cutout in cutouts])
    theirs = {
        name: classical.out_of_fold_logits(
            name,
            features=asked.descriptions.astype(np.float64),
            labels=labels,
            folds=asked.folds,
        )
        for name in classical.BASELINES
    }
    # spawned: a fork would share torch's threads
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_alone) as pool:
        waiting = {
            f"{OURS}_{name}": pool.submit(_say, asked, cutouts, marking)
            for name, marking in LESS.items()
        }
        for name, outlined in outlines.items():
            waiting[f"{OURS}_outline_of_{name}"] = pool.submit(_say, asked, outlined)
        for change, redrawn in (("less", one_slice_less), ("more", one_slice_more)):
            for end in ("first", "last"):
                key = f"{MOVED}{change}_{end}"
                waiting[key] = pool.submit(_redrawn, asked, redrawn, first=end == "first")
        for said in as_completed(waiting.values()):
            said.result()
            on_asked()
        ours = {key: said.result() for key, said in waiting.items()}
    return OutOfFold(
        names=tuple(cutout.label.name for cutout in cutouts),
        patients=tuple(cutout.label.patient_id for cutout in cutouts),
        folds=asked.folds,
        scores=tuple(cutout.label.scores for cutout in cutouts),
        long_axes_mm=np.array([long_axis_mm(cutout) for cutout in cutouts]),
        margins={OURS: asked.margins, **ours, **theirs, **others},
    )


def ways_of(outlines: Mapping[str, Sequence[Cutout]]) -> int:
    """In how many ways `ask` asks: told less, outlined so, a slice less or more at either end."""
    return len(LESS) + len(outlines) + 4


def _alone() -> None:
    torch.set_num_threads(1)


def _say(asked: Committees, cutouts: Sequence[Cutout], marking: ToldAs = ToldAs.MASK) -> Floats:
    """The margin of each nodule by the committee that did not see it: (N,)."""
    nodules = ShownNodules(Cutouts(cutouts, marking), config=asked.config)
    return out_of_fold_margins(
        nodules, folds=asked.folds, committees=asked.files, config=asked.config
    )


def _redrawn(asked: Committees, redrawn: Callable[..., Cutout], *, first: bool) -> Floats:
    """Of the outlines that can be redrawn so; NaN for the others: (N,)."""
    cutouts = [redrawn(cutout, first=first) for cutout in asked.cutouts]
    same = np.array([a is b for a, b in zip(cutouts, asked.cutouts, strict=True)])
    return np.where(same, np.nan, _say(asked, cutouts))


def one_slice_less(cutout: Cutout, *, first: bool) -> Cutout:
    """The outline without its first or last slice; as it is if no other slice were left."""
    (slices,) = np.nonzero(cutout.mask.any(axis=(1, 2)))
    if len(slices) < 2:
        return cutout
    mask = cutout.mask.copy()
    mask[slices[0 if first else -1]] = False
    return replace(cutout, mask=mask)


def one_slice_more(cutout: Cutout, *, first: bool) -> Cutout:
    """The outline with its first or last slice once more beyond it; as it is where none is cut."""
    (slices,) = np.nonzero(cutout.mask.any(axis=(1, 2)))
    edge, beyond = (slices[0], slices[0] - 1) if first else (slices[-1], slices[-1] + 1)
    if not 0 <= beyond < len(cutout.mask):
        return cutout
    mask = cutout.mask.copy()
    mask[beyond] = mask[edge]
    return replace(cutout, mask=mask)


def long_axis_mm(cutout: Cutout) -> float:
    """On the slice where most of it is marked."""
    widest = int(np.argmax(cutout.mask.sum(axis=(1, 2))))
    return axes_mm(cutout.mask[widest], cutout.spacing_mm[1:])[0]
