"""What a run said of its nodules: the tables in its folder, a row a nodule."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.labels import Label

TEST_TABLE = "test.csv"
VALIDATION_TABLE = "validation.csv"


class PredictionsUnusable(Exception):
    """There are no predictions where they were looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """One output of one run on one part.

    truth : (N,) bool; p : (N,) probability of malignant
    """

    names: tuple[str, ...]
    patients: tuple[str, ...]
    truth: NDArray[np.bool_]
    p: NDArray[np.float64]


def prediction_rows(
    labels: Sequence[Label], found: Mapping[str, NDArray[np.float64]]
) -> list[dict[str, object]]:
    """The rows of such a table.  found : output -> p(malignant) of each nodule, (N,)."""
    return [
        {
            "name": label.name,
            "patient_id": label.patient_id,
            "malignant": int(label.malignant),
            **{f"p_{output}": p[i] for output, p in found.items()},
        }
        for i, label in enumerate(labels)
    ]


def outputs_in(run: Path) -> list[str]:
    """What the run predicts: "fused" first, if it does, then its branches."""
    return [key.removeprefix("p_") for key in _rows(run / TEST_TABLE)[0] if key.startswith("p_")]


def read_predictions(run: Path, output: str, *, table: str = TEST_TABLE) -> Predictions:
    """One output in a table of the run folder.

    Raises PredictionsUnusable if the folder has none of it.
    """
    rows = _rows(run / table)
    if f"p_{output}" not in rows[0]:
        raise PredictionsUnusable(
            f"{run / table} has no output {output}; there are {', '.join(outputs_in(run))}"
        )
    return Predictions(
        names=tuple(row["name"] for row in rows),
        patients=tuple(row["patient_id"] for row in rows),
        truth=np.array([row["malignant"] == "1" for row in rows]),
        p=np.array([float(row[f"p_{output}"]) for row in rows]),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise PredictionsUnusable(
            f"{path.parent} holds no finished run: {path.name} is missing"
        ) from error
    if not rows:
        raise PredictionsUnusable(f"{path} is empty: the run had no nodules in that part")
    return rows
