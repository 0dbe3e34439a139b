"""Who trains and who tests: frozen in files, by patient unless the published split is asked for.

    lidc_voi_folds.csv  name, fold          five patient-grouped folds of the 791 cut-outs
    lidc_2625.csv       nodule, by_patient, by_nodule, by_nodule_675    parts of the 2,625 nodules

The files are the truth; `make.py` beside them is how they came about.  They hold ids only: the
label of a nodule is read from the data.  A nodule's id is its patient and its number among that
scan's clusters, "LIDC-IDRI-0001/0".
"""

import csv
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files


class Part(StrEnum):
    """What a nodule is used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class SplitKind(StrEnum):
    """How the 2,625 nodules are divided, 70 / 10 / 20 and stratified, seed 0."""

    PATIENT = "patient"
    """No patient on two sides: the sound one, and the default."""
    NODULE = "nodule"
    """As published: by nodule, so a patient can be on both sides."""
    NODULE_675 = "nodule_675"
    """As the published results imply: 675 test nodules, 512 benign and 163 malignant."""


def nodule_id(patient_id: str, cluster_index: int) -> str:
    """The id of a LIDC-IDRI nodule in the split files."""
    return f"{patient_id}/{cluster_index}"


def lidc_split(kind: SplitKind = SplitKind.PATIENT) -> Mapping[str, Part]:
    """The part of each of the 2,625 nodules, by nodule id."""
    return {row["nodule"]: Part(row[f"by_{kind}"]) for row in _rows("lidc_2625.csv")}


def voi_folds() -> Mapping[str, int]:
    """The fold, 0 to 4, in which each of the 791 cut-outs is tested, by cut-out name."""
    return {row["name"]: int(row["fold"]) for row in _rows("lidc_voi_folds.csv")}


def _rows(file: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(file).read_text()
    return list(csv.DictReader(text.splitlines()))
