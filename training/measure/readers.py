"""The fair ceiling: a model against readers, beside other readers against the same ones.

Of nodules that four readers scored, each reader is left out in turn, and all such pairs count: a
nodule gives four.  LIDC-IDRI's readers have no names, so the first score of one nodule and that of
the next are of different people; whoever is left out stands for any reader.

three judge      truth is whether the other three's mean is above 3; the one left out against it
one judges       truth is whether the one left out scored above 3; the other three's mean against it
two judge        truth is whether two's mean is above 3; the other two's mean against it
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from training.measure.bootstrap import Difference, Interval, patient_resamples
from training.measure.metrics import roc_auc

Floats = NDArray[np.float64]
READERS = 4
UNDECIDED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstReaders:
    """AUC of readers and of the model against the same truth, with 95 % intervals over patients.

    pairs      : nodules times the ways of choosing who judges
    difference : model minus readers
    """

    truth: str
    pairs: int
    positive: int
    readers: Interval
    model: Interval
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """All of it.

    icc_single, icc_mean : Shrout and Fleiss (1979), ICC(1,1) and ICC(1,4): of one reader's score,
                           and of the mean of four
    """

    nodules: int
    patients: int
    icc_single: Interval
    icc_mean: Interval
    against: tuple[AgainstReaders, ...]


def ceiling(
    scores: Sequence[Sequence[int]],
    p: Floats,
    patients: Sequence[str],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Ceiling:
    """The model's p (N,) of these nodules against their readers; those of four readers count.

    Raises ValueError if no nodule has four.
    """
    here = np.array([len(each) == READERS for each in scores])
    if not here.any():
        raise ValueError(f"no nodule has {READERS} readers")
    table = np.array([each for each in scores if len(each) == READERS], dtype=np.float64)  # (M, 4)
    own, owners = p[here], [patient for patient, kept in zip(patients, here, strict=True) if kept]
    draws = list(patient_resamples(owners, resamples=resamples, seed=seed))

    def icc(mean: bool) -> Interval:
        found = np.array([_icc(table[drawn], mean=mean) for drawn in draws])
        low, high = np.quantile(found, [0.025, 0.975])
        return Interval(estimate=_icc(table, mean=mean), low=float(low), high=float(high))

    return Ceiling(
        nodules=len(table),
        patients=len({*owners}),
        icc_single=icc(False),
        icc_mean=icc(True),
        against=tuple(
            _against(words, table, own, judges=judges, draws=draws)
            for words, judges in (("three judge", 3), ("one judges", 1), ("two judge", 2))
        ),
    )


def _against(
    words: str,
    table: Floats,
    p: Floats,
    *,
    judges: int,
    draws: Sequence[NDArray[np.intp]],
) -> AgainstReaders:
    truth, theirs = _judged(table, judges)  # (M, W) both
    ours = np.broadcast_to(p[:, None], truth.shape)  # (M, W)

    def aucs(drawn: NDArray[np.intp] | slice) -> tuple[float, float]:
        labels = truth[drawn].ravel()
        return tuple(roc_auc(labels, x[drawn].ravel()) for x in (theirs, ours))  # type: ignore[return-value]  # two of them

    of_draws = np.array([aucs(drawn) for drawn in draws])  # (R, 2)
    readers, model = aucs(slice(None))
    moved = of_draws[:, 1] - of_draws[:, 0]
    (low, high), (model_low, model_high), (least, most) = (
        np.quantile(x, [0.025, 0.975]) for x in (of_draws[:, 0], of_draws[:, 1], moved)
    )
    one_side = min((moved <= 0).mean(), (moved >= 0).mean())
    return AgainstReaders(
        truth=words,
        pairs=truth.size,
        positive=int(truth.sum()),
        readers=Interval(estimate=readers, low=float(low), high=float(high)),
        model=Interval(estimate=model, low=float(model_low), high=float(model_high)),
        difference=Difference(
            estimate=model - readers,
            low=float(least),
            high=float(most),
            p_value=float(min(1.0, 2 * one_side)),
        ),
    )


def _judged(table: Floats, judges: int) -> tuple[NDArray[np.bool_], Floats]:
    """For each choice of judges whether they call it malignant, and the others' mean: (M, W)."""
    truth, others = [], []
    for chosen in _choices(judges):
        rest = [i for i in range(READERS) if i not in chosen]
        truth.append(table[:, chosen].mean(axis=1) > UNDECIDED)
        others.append(table[:, rest].mean(axis=1))
    return np.stack(truth, axis=1), np.stack(others, axis=1)


def _choices(judges: int) -> Iterator[list[int]]:
    return (list(each) for each in combinations(range(READERS), judges))


def _icc(table: Floats, *, mean: bool) -> float:
    """One-way random effects (Shrout and Fleiss 1979): (M, k) scores."""
    nodules, readers = table.shape
    means = table.mean(axis=1)
    between = readers * ((means - table.mean()) ** 2).sum() / (nodules - 1)
    within = ((table - means[:, None]) ** 2).sum() / (nodules * (readers - 1))
    spread = between if mean else between + (readers - 1) * within
    return float((between - within) / spread)
