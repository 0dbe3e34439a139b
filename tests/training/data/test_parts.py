"""Prepared nodules are where the frozen lists have them; others are divided by the same rule."""

from collections import Counter
from pathlib import Path

import pytest

from training.data.crops import CropLabel
from training.data.parts import parts_of
from training.data.splits import Part, SplitKind, lidc_split
from training.data.voi import read_labels


def _labels(*names: str) -> list[CropLabel]:
    """Every third is malignant."""
    return [
        CropLabel(name=n, patient_id=n.split("/")[0], scores=(2, 3 + 2 * (i % 3 == 0)))
        for i, n in enumerate(names)
    ]


@pytest.mark.parametrize("kind", list(SplitKind))
def test_nodules_of_lidc_are_where_the_frozen_list_has_them(kind: SplitKind) -> None:
    frozen = lidc_split(kind)
    parts = parts_of(_labels(*frozen), kind)
    assert {label.name: part for part, some in parts.items() for label in some} == frozen


def test_a_nodule_that_could_not_be_prepared_moves_no_other() -> None:
    frozen = lidc_split()
    parts = parts_of(_labels(*list(frozen)[::2]))
    assert all(frozen[label.name] is part for part in Part for label in parts[part])


@pytest.mark.lidc
def test_cutouts_are_where_their_patient_is(data_directory: Path) -> None:
    parts = parts_of(read_labels(data_directory / "lidc-voi"))
    assert sum(len(some) for some in parts.values()) == 791
    patients = [{label.patient_id for label in some} for some in parts.values()]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    of_patient = {name.split("/")[0]: part for name, part in lidc_split().items()}
    assert all(of_patient[label.patient_id] is part for part in Part for label in parts[part])


def test_nodules_of_another_place_are_divided_by_patient() -> None:
    labels = _labels(*(f"{patient}/{number}" for patient in "ABCDEFGHIJ" for number in range(10)))
    parts = parts_of(labels)
    owners = Counter(patient for some in parts.values() for patient in {x.patient_id for x in some})
    assert set(owners.values()) == {1}
    assert [len(parts[part]) for part in Part] == [70, 10, 20]
    shuffled = parts_of(labels[::-1])
    assert all(sorted(map(str, shuffled[p])) == sorted(map(str, parts[p])) for p in Part)


def test_a_mixture_and_a_wrong_list_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 nodules are not in the frozen list"):
        parts_of(_labels("LIDC-IDRI-0001/0", "elsewhere/1"))
    with pytest.raises(ValueError, match="not in the frozen list by nodule"):
        parts_of(_labels("LIDC-IDRI-0001_R_1"), SplitKind.NODULE)
    with pytest.raises(ValueError, match="both classes"):
        parts_of(_labels("elsewhere/1"))
    with pytest.raises(ValueError, match="of LIDC-IDRI alone"):
        parts_of(_labels("elsewhere/1", "elsewhere/2"), SplitKind.NODULE_675)
