"""The frozen splits: what they hold, and that no patient leaks."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from training.data.splits import Part, SplitKind, lidc_split, nodule_id, voi_folds
from training.data.splits.make import five_folds, split_by_nodule, split_by_patient, split_lidc
from training.data.voi import read_labels

LABELS = [False] * 60 + [True] * 40
PATIENTS = [f"P{number // 3}" for number in range(100)]


def _patient(nodule: str) -> str:
    return nodule.split("/")[0].split("_R_")[0]


def test_the_patient_split_has_no_patient_in_two_parts() -> None:
    parts = defaultdict(set)
    for nodule, part in lidc_split().items():
        parts[_patient(nodule)].add(part)
    assert len(parts) == 875
    assert all(len(found) == 1 for found in parts.values())


def test_the_published_split_has_286_patients_in_training_and_test() -> None:
    parts = defaultdict(set)
    for nodule, part in lidc_split(SplitKind.NODULE).items():
        parts[_patient(nodule)].add(part)
    assert sum({Part.TRAIN, Part.TEST} <= found for found in parts.values()) == 286


@pytest.mark.parametrize(
    ("kind", "train", "validation", "test"),
    [
        (SplitKind.PATIENT, 1838, 262, 525),
        (SplitKind.NODULE, 1838, 262, 525),
        (SplitKind.NODULE_675, 1688, 262, 675),
    ],
)
def test_the_parts_have_the_published_sizes(
    kind: SplitKind, train: int, validation: int, test: int
) -> None:
    assert Counter(lidc_split(kind).values()) == {
        Part.TRAIN: train,
        Part.VALIDATION: validation,
        Part.TEST: test,
    }


def test_the_five_folds_hold_791_cutouts_and_share_no_patient() -> None:
    folds = defaultdict(set)
    for name, fold in voi_folds().items():
        folds[_patient(name)].add(fold)
    assert Counter(voi_folds().values()) == {0: 159, 1: 159, 2: 157, 3: 158, 4: 158}
    assert len(folds) == 430
    assert all(len(found) == 1 for found in folds.values())


def test_a_split_by_patient_keeps_patients_whole_and_classes_in_proportion() -> None:
    parts = split_by_patient(PATIENTS, LABELS)
    owner = dict(zip(PATIENTS, parts, strict=True))
    assert [owner[patient] for patient in PATIENTS] == parts
    test = [label for label, part in zip(LABELS, parts, strict=True) if part is Part.TEST]
    assert 17 <= len(test) <= 23
    assert 6 <= sum(test) <= 10


def test_a_split_by_nodule_is_stratified_to_the_nodule() -> None:
    parts = zip(LABELS, split_by_nodule(LABELS), strict=True)
    assert Counter(parts)[(True, Part.TEST)] == 8
    assert split_by_nodule(LABELS) == split_by_nodule(LABELS)
    assert split_by_nodule(LABELS) != split_by_nodule(LABELS, seed=1)


@pytest.mark.lidc
def test_the_frozen_parts_are_what_seed_0_gives_on_the_2625_nodules(data_directory: Path) -> None:
    with (data_directory / "lidc_nodules_2625.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    made = split_lidc(rows)
    for column, kind in enumerate(SplitKind, start=1):
        assert {row[0]: row[column] for row in made} == lidc_split(kind)
    labels = {nodule_id(row["patient_id"], int(row["cluster_index"])): row["label"] for row in rows}
    test = [key for key, part in lidc_split(SplitKind.NODULE_675).items() if part is Part.TEST]
    assert Counter(labels[key] for key in test) == {"0": 512, "1": 163}


@pytest.mark.lidc
def test_the_frozen_folds_are_of_the_791_cutouts_and_stratified(data_directory: Path) -> None:
    labels = read_labels(data_directory / "lidc-voi")
    folds = voi_folds()
    assert {label.name for label in labels} == set(folds)
    malignant = Counter(folds[label.name] for label in labels if label.malignant)
    assert sum(malignant.values()) == 318
    assert max(malignant.values()) - min(malignant.values()) <= 2
    pytest.importorskip("sklearn")
    assert [folds[label.name] for label in labels] == five_folds(labels)
