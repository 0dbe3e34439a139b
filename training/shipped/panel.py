"""The ranges of panels' mean ratings that the card holds (`m3net.panel`), and how often they hold.

Within each band of the probability the ends are conformal: of n nodules that the model had not seen
the ceil(0.95 (n + 1))-th of the means, counted from either side.  Of a nodule that comes as these
came, the mean of its panel lies within in nine of ten cases or more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from training.measure.bootstrap import Interval, patient_resamples
from training.shipped.out_of_fold import SIZES_MM, Floats

FROM = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Where the bands of the probability begin."""
EACH_SIDE = 0.95
LEAST, MOST = 1.0, 5.0
RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Share of nodules whose panel's mean lay within its range; of all, and from each size on."""

    all: Interval
    by_size: Mapping[float, float]
    width: float


def panel_bands(p: Floats, means: Floats) -> list[dict[str, float]]:
    """The bands as the card holds them.

    p, means : (N,), by a model that had not seen the nodule, and its panel's mean rating
    """
    found = []
    for start, band in zip(FROM, _bands(p), strict=True):
        own = np.sort(means[band])
        at = ceil(EACH_SIDE * (len(own) + 1)) - 1
        enough = at < len(own)
        found.append(
            {
                "from": start,
                "low": float(own[-1 - at]) if enough else LEAST,
                "middle": float(np.median(own)) if len(own) else (LEAST + MOST) / 2,
                "high": float(own[at]) if enough else MOST,
                "nodules": float(len(own)),
            }
        )
    return [{key: round(value, 2) for key, value in band.items()} for band in found]


def coverage(
    p: Floats,
    means: Floats,
    *,
    folds: NDArray[np.int_],
    patients: Sequence[str],
    long_axes_mm: Floats,
) -> Coverage:
    """How often the ranges hold for the nodules of each fold, if made from the other folds.

    All are (N,); the interval is over patients, 95 %.
    """
    within, width = np.zeros(len(means), dtype=bool), np.zeros(len(means))
    for fold in np.unique(folds):
        here = folds == fold
        bands = panel_bands(p[~here], means[~here])
        which = np.argmax(_bands(p[here]), axis=0)
        low, high = (np.array([band[end] for band in bands])[which] for end in ("low", "high"))
        # an end is rounded as the card has it
        within[here] = (means[here] >= low - 0.01) & (means[here] <= high + 0.01)
        width[here] = high - low
    drawn = [within[each].mean() for each in patient_resamples(patients, resamples=RESAMPLES)]
    low_end, high_end = np.quantile(drawn, (0.025, 0.975))
    size = np.digitize(long_axes_mm, SIZES_MM) - 1
    return Coverage(
        all=Interval(estimate=float(within.mean()), low=float(low_end), high=float(high_end)),
        by_size={
            start: float(within[size == number].mean())
            for number, start in enumerate(SIZES_MM)
            if (size == number).any()
        },
        width=float(width.mean()),
    )


def _bands(p: Floats) -> NDArray[np.bool_]:
    """In which band each is: (bands, N)."""
    number = np.digitize(p, FROM) - 1
    return np.asarray(np.arange(len(FROM))[:, None] == number)
