"""How the frozen split files came about.

python -m training.data.splits.make ../shared/data
"""

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.splits import Part, nodule_id
from training.data.voi import CutoutLabel, read_labels

SEED = 0
SHARES: Mapping[Part, float] = {Part.TRAIN: 0.7, Part.VALIDATION: 0.1, Part.TEST: 0.2}


def split_by_nodule(
    labels: Sequence[bool], *, test_of_each_class: tuple[int, int] | None = None, seed: int = SEED
) -> list[Part]:
    """70 / 10 / 20 of each class, patients ignored; or so many benign and malignant to test."""
    truth = np.asarray(labels, dtype=bool)
    random = np.random.default_rng(seed)
    parts = np.full(len(truth), Part.TRAIN, dtype=object)
    for malignant in (False, True):
        members = random.permutation(np.flatnonzero(truth == malignant))
        if test_of_each_class is None:
            test = round(SHARES[Part.TEST] * len(members))
        else:
            test = test_of_each_class[malignant]
        validation = round(SHARES[Part.VALIDATION] * len(members))
        parts[members[:test]] = Part.TEST
        parts[members[test : test + validation]] = Part.VALIDATION
    return list(parts)


def split_by_patient(
    patients: Sequence[str], labels: Sequence[bool], *, seed: int = SEED
) -> list[Part]:
    """About 70 / 10 / 20 of the nodules and of each class, no patient in two parts.

    Patients are dealt in random order, those with most nodules first, each to the part whose benign
    and malignant shares it brings closest to what they should be.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    counts = np.zeros((len(names), 2))
    np.add.at(counts, (owner, np.asarray(labels, dtype=int)), 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    parts = list(SHARES)
    wanted = np.outer(list(SHARES.values()), counts.sum(axis=0))
    held = np.zeros_like(wanted)
    chosen = np.zeros(len(names), dtype=int)
    for patient in order:
        chosen[patient] = _best_part(counts[patient], held, wanted)
        held[chosen[patient]] += counts[patient]
    return [parts[chosen[each]] for each in owner]


def _best_part(
    nodules: NDArray[np.float64], held: NDArray[np.float64], wanted: NDArray[np.float64]
) -> int:
    """The part whose filling, as a share of what it should hold, lags most once it has these."""
    filling = (held + nodules) / wanted
    return int(np.argmin(filling.max(axis=1)))


def five_folds(labels: Sequence[CutoutLabel], *, seed: int = SEED) -> list[int]:
    """Five stratified folds of cut-outs, a patient's nodules together (scikit-learn's)."""
    from sklearn.model_selection import StratifiedGroupKFold

    truth = np.array([label.malignant for label in labels])
    patients = np.array([label.patient_id for label in labels])
    folds = np.zeros(len(labels), dtype=int)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(splitter.split(truth, truth, patients)):
        folds[test] = number
    return [int(fold) for fold in folds]


def split_lidc(rows: Sequence[Mapping[str, str]]) -> list[tuple[str, Part, Part, Part]]:
    """Id and the three parts of each row of the list of 2,625 nodules."""
    labels = [row["label"] == "1" for row in rows]
    patients = [row["patient_id"] for row in rows]
    ids = [nodule_id(row["patient_id"], int(row["cluster_index"])) for row in rows]
    return list(
        zip(
            ids,
            split_by_patient(patients, labels),
            split_by_nodule(labels),
            split_by_nodule(labels, test_of_each_class=(512, 163)),
            strict=True,
        )
    )


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(data: Path) -> None:
    """Write both files beside this one."""
    here = Path(__file__).parent
    with (data / "lidc_nodules_2625.csv").open(newline="") as file:
        nodules = list(csv.DictReader(file))
    header = ("nodule", "by_patient", "by_nodule", "by_nodule_675")
    _write(here / "lidc_2625.csv", header, split_lidc(nodules))
    labels = read_labels(data / "lidc-voi")
    folds = zip((label.name for label in labels), five_folds(labels), strict=True)
    _write(here / "lidc_voi_folds.csv", ("name", "fold"), folds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
