"""What the paper printed (Li et al. 2026), as data to stand beside what is measured here."""

import csv
from dataclasses import dataclass
from importlib.resources import files

from training.measure.metrics import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One row of a table of results with the confusion matrix that its figures imply.

    The matrices were solved from Acc, Pre and F1: 675 test nodules (512 + 163) on LIDC-IDRI, where
    the text speaks of 20 % of 2,625, and 184 (82 + 102) on USTC-FHLN.
    """

    dataset: str
    table: int
    model: str
    counts: Counts
    acc_percent: float
    pre_percent: float
    f1_percent: float
    bacc_percent: float | None


def published_rows() -> list[PublishedRow]:
    """Every row of Tables 2 to 8 whose confusion matrix could be solved."""
    text = files(__package__).joinpath("confusion_matrices.csv").read_text()
    return [
        PublishedRow(
            dataset=row["dataset"],
            table=int(row["table"]),
            model=row["model"],
            counts=Counts(**{cell: int(row[cell]) for cell in ("tn", "fp", "fn", "tp")}),
            acc_percent=float(row["acc_percent"]),
            pre_percent=float(row["pre_percent"]),
            f1_percent=float(row["f1_percent"]),
            bacc_percent=float(row["bacc_percent"]) if row["bacc_percent"] else None,
        )
        for row in csv.DictReader(text.splitlines())
    ]
