"""How far p moves when the same nodule is acquired otherwise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.acquired import Acquire
from training.data.cutouts import crop_of
from training.data.voi import Cutout
from training.measure.evaluate import Predictor, predict

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Of one way of acquiring: the change of p, acquired otherwise minus as it was.

    nodules   : that could be acquired so
    median, percentile_90, most : of its absolute value
    mean      : with its sign
    flipped   : share of nodules whose call at the threshold is another
    """

    nodules: int
    median: float
    percentile_90: float
    most: float
    mean: float
    flipped: float


def measure_robustness(
    model: Predictor,
    cutouts: Sequence[Cutout],
    ways: Mapping[str, Acquire],
    *,
    threshold: float = 0.5,
    seed: int = 0,
    on_nodule: Callable[[], None] = lambda: None,
) -> dict[str, Moved]:
    """Way -> how far p moves; a way that no nodule could be acquired in is absent.

    A nodule that ends with its cut-out keeps doing so: what lies beyond is not invented.
    """
    before: list[float] = []
    after: dict[str, list[float]] = {name: [] for name in ways}
    for number, cutout in enumerate(cutouts):
        (p,) = predict(model, [crop_of(cutout)])
        before.append(float(p))
        for name, acquire in ways.items():
            acquired = acquire(cutout, np.random.default_rng([seed, number]))
            if acquired is cutout:
                after[name].append(np.nan)
                continue
            (p,) = predict(model, [crop_of(acquired)])
            after[name].append(float(p))
        on_nodule()
    return {
        name: _moved(np.array(before), np.array(of_way), threshold=threshold)
        for name, of_way in after.items()
        if not np.isnan(of_way).all()
    }


def _moved(before: Floats, after: Floats, *, threshold: float) -> Moved:
    asked = ~np.isnan(after)
    change = after[asked] - before[asked]
    flipped = (after[asked] >= threshold) != (before[asked] >= threshold)
    return Moved(
        nodules=int(asked.sum()),
        median=float(np.median(abs(change))),
        percentile_90=float(np.percentile(abs(change), 90)),
        most=float(abs(change).max()),
        mean=float(change.mean()),
        flipped=float(flipped.mean()),
    )
