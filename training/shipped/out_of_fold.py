"""What was said of each nodule by those that did not see it: one table, a row a nodule.

Every number of the default weights' card but those of the maps follows from this table alone
(`training.shipped.report`), without an image and without the networks.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataUnusable
from training.data.files import write_rows
from training.data.labels import is_malignant

Floats = NDArray[np.float64]

OURS = "ours"
"""The key of the shipped weights; `ours_...` are the same weights, told less or outlined anew."""

MOVED = "ours_slice_"
"""Before the keys of outlines that lost or gained a slice: less_first, less_last, more_first ..."""

SIZES_MM = (0.0, 6.0, 8.0, 10.0, 15.0)
"""Where the sizes begin by which something is told."""

_MARGIN = "margin_"
_KNOWN = ("name", "patient_id", "fold", "scores", "long_axis_mm")


class TableUnusable(DataUnusable):
    """A table of predictions out of fold is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """N nodules.

    folds        : (N,), by whose committee each was judged: the one that did not see this fold
    scores       : of each nodule every reader's malignancy
    long_axes_mm : (N,), on the slice where most of it is marked
    margins      : key -> (N,), logit of malignant minus that of benign before calibration; NaN
                   where a nodule was not asked about in that way
    """

    names: tuple[str, ...]
    patients: tuple[str, ...]
    folds: NDArray[np.int_]
    scores: tuple[tuple[int, ...], ...]
    long_axes_mm: Floats
    margins: Mapping[str, Floats]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """The paper's."""
        return np.array([is_malignant(scores) for scores in self.scores])

    @property
    def means(self) -> Floats:
        """Of every reader's malignancy: (N,)."""
        return np.array([np.mean(scores) for scores in self.scores])

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Those whose readers came out at exactly 3."""
        return np.array([sum(scores) == 3 * len(scores) for scores in self.scores])


def write_out_of_fold(found: OutOfFold, path: Path) -> None:
    """The table as CSV, whole or not at all."""
    rows = []
    for i, name in enumerate(found.names):
        margins = {
            f"{_MARGIN}{key}": "" if np.isnan(margin[i]) else f"{margin[i]:.6f}"
            for key, margin in found.margins.items()
        }
        known = (
            name,
            found.patients[i],
            found.folds[i],
            " ".join(map(str, found.scores[i])),
            f"{found.long_axes_mm[i]:.3f}",
        )
        rows.append({**dict(zip(_KNOWN, known, strict=True)), **margins})
    write_rows(path, rows)


def read_out_of_fold(path: Path) -> OutOfFold:
    """The table that `write_out_of_fold` wrote.

    Raises TableUnusable.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise TableUnusable(f"{path} cannot be read: {error}") from error
    columns = list(rows[0]) if rows else []
    if absent := {*_KNOWN, f"{_MARGIN}{OURS}"} - {*columns}:
        raise TableUnusable(
            f"{path} lacks {', '.join(sorted(absent))}; m3train default-weights writes such a table"
        )
    keys = [each.removeprefix(_MARGIN) for each in columns if each.startswith(_MARGIN)]
    try:
        return OutOfFold(
            names=tuple(row["name"] for row in rows),
            patients=tuple(row["patient_id"] for row in rows),
            folds=np.array([int(row["fold"]) for row in rows]),
            scores=tuple(tuple(map(int, row["scores"].split())) for row in rows),
            long_axes_mm=np.array([float(row["long_axis_mm"]) for row in rows]),
            margins={
                key: np.array([float(row[f"{_MARGIN}{key}"] or "nan") for row in rows])
                for key in keys
            },
        )
    except (ValueError, TypeError) as error:
        raise TableUnusable(f"{path}: {error}") from error
