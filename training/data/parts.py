"""Who of some nodules trains and who tests: by the frozen lists as far as they are of LIDC-IDRI."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from training.data.errors import SettingsUnusable
from training.data.labels import Label
from training.data.settings import DataSettings
from training.data.splits import Part, SplitKind, lidc_split, voi_folds
from training.data.splits.make import split_by_nodule, split_by_patient

ALL = "all"
"""The split of a folder that is only tested, or adapted to."""

TRAIN = "train"
"""The split of a folder that is only trained on."""

FOLDS = "folds"
"""The frozen five folds of the 791 cut-outs: one tested, the next for validation."""

FOUR_FOLDS = "four_folds"
"""The same, but four train and nothing validates."""

AnyLabel = TypeVar("AnyLabel", bound=Label)


def division_of(settings: DataSettings, labels: Sequence[Label]) -> Mapping[str, Part]:
    """The part of each nodule, by name, as `data.split` says.

    Raises SettingsUnusable if the split does not fit them.
    """
    whole = {ALL: Part.TEST, TRAIN: Part.TRAIN}
    if settings.split in whole:
        return {label.name: whole[settings.split] for label in labels}
    if settings.split in set(SplitKind):
        try:
            divided = parts_of(labels, SplitKind(settings.split))
        except ValueError as error:
            raise SettingsUnusable(f"split {settings.split!r}: {error}") from error
        return {label.name: part for part, members in divided.items() for label in members}
    known = _named_split(settings)
    if missing := [label.name for label in labels if label.name not in known]:
        raise SettingsUnusable(
            f"the split {settings.split!r} lacks {len(missing)} of the {len(labels)} nodules of "
            f"{settings.directory}, first {missing[0]}; give a file with the columns name, part, "
            f'or "{SplitKind.PATIENT}", or "{ALL}" for a folder that is only tested'
        )
    return known


def _named_split(settings: DataSettings) -> Mapping[str, Part]:
    """The frozen folds, or a file's."""
    if settings.split not in {FOLDS, FOUR_FOLDS}:
        return _read_split(Path(settings.split))
    roles = {settings.fold: Part.TEST}
    if settings.split == FOLDS:
        roles[(settings.fold + 1) % 5] = Part.VALIDATION
    return {name: roles.get(fold, Part.TRAIN) for name, fold in voi_folds().items()}


def _read_split(path: Path) -> Mapping[str, Part]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["name"]: Part(row["part"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise SettingsUnusable(
            f"{path} is no split: {error}; expected the columns name and part, which is one of "
            f"{', '.join(Part)}"
        ) from error


def parts_of(
    labels: Sequence[AnyLabel], kind: SplitKind = SplitKind.PATIENT
) -> Mapping[Part, Sequence[AnyLabel]]:
    """The labels of each part, in order.

    Nodules of LIDC-IDRI are where the frozen list has them; by patient, so are cut-outs of its
    patients.  Nodules of other places are divided 70 / 10 / 20 with seed 0, in the order of names.

    Raises ValueError if the list by nodule is asked for and some have other names, if nodules of
    LIDC-IDRI are mixed with others, or if what is to be divided is of one class.
    """
    frozen = lidc_split(kind)
    if kind is SplitKind.PATIENT:
        of_patient = {nodule.split("/")[0]: part for nodule, part in frozen.items()}
        known = [of_patient.get(label.patient_id) for label in labels]
    else:
        known = [frozen.get(label.name) for label in labels]
    if not any(known):
        known = list(_divided(labels, kind))
    elif not all(known):
        raise ValueError(
            f"{known.count(None)} of {len(labels)} nodules are not in the frozen list by {kind}"
        )
    return {
        part: [label for label, own in zip(labels, known, strict=True) if own is part]
        for part in Part
    }


def _divided(labels: Sequence[Label], kind: SplitKind) -> Sequence[Part]:
    if any(label.patient_id.startswith("LIDC-IDRI-") for label in labels):
        raise ValueError(f"these nodules of LIDC-IDRI are not in the frozen list by {kind}")
    if len({label.malignant for label in labels}) < 2:
        raise ValueError("a division needs nodules of both classes")
    order = sorted(range(len(labels)), key=lambda i: labels[i].name)
    truth = [labels[i].malignant for i in order]
    if kind is SplitKind.PATIENT:
        divided = split_by_patient([labels[i].patient_id for i in order], truth)
    elif kind is SplitKind.NODULE:
        divided = split_by_nodule(truth)
    else:
        raise ValueError("the split of 675 test nodules is of LIDC-IDRI alone")
    parts = dict(zip(order, divided, strict=True))
    return [parts[i] for i in range(len(labels))]
