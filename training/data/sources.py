"""The nodules that settings name, opened, and divided into those that train, validate and test."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m3net.config import M3NetConfig
from training.data import seeding
from training.data.augment import PRESETS
from training.data.crops import MANIFEST, CropFolder
from training.data.cutouts import CutoutFolder
from training.data.labels import Label
from training.data.nodules import Folder, Nodules, Subset, limited
from training.data.parts import parts_of
from training.data.settings import DataSettings, SettingsUnusable
from training.data.shown import ShownNodules
from training.data.splits import Part, SplitKind, voi_folds
from training.data.voi import CutoutsUnusable

ALL = "all"
"""The split of a folder that is only tested, or adapted to."""

TRAIN = "train"
"""The split of a folder that is only trained on."""

FOLDS = "folds"
"""The frozen five folds of the 791 cut-outs: one tested, the next for validation."""

FOUR_FOLDS = "four_folds"
"""The same, but four train and nothing validates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Disjoint nodules; no patient is in two of them, unless the split is by nodule."""

    train: Nodules
    validation: Nodules
    test: Nodules


def open_parts(settings: DataSettings, config: M3NetConfig, *, seed: int) -> Parts:
    """The nodules as a network of this config reads them; only training ones are ever augmented.

    Raises CutoutsUnusable, CropsUnusable, or SettingsUnusable if the split does not fit them.
    """
    every = ShownNodules(
        open_folder(settings.directory, slice_mm=settings.slice_mm),
        config=config,
        augmentation=PRESETS[settings.augmentation],
    )
    part_of = _part_of(settings, every.labels)

    def opened(part: Part) -> Nodules:
        chosen = [i for i, label in enumerate(every.labels) if part_of[label.name] is part]
        random = seeding.for_choice(seed)
        return limited(Subset(every, chosen), limit=settings.limit, random=random)

    return Parts(
        train=opened(Part.TRAIN), validation=opened(Part.VALIDATION), test=opened(Part.TEST)
    )


def open_folder(directory: Path, *, slice_mm: float = 0.0) -> Folder:
    """The nodules that `m3train prepare` left there, or cut-outs as they are.

    slice_mm : cut-outs are thickened to slices of this size first; 0: as they are

    Raises CropsUnusable, CutoutsUnusable if there is neither, and SettingsUnusable if crops were to
    be thickened.
    """
    if (directory / MANIFEST).is_file():
        if slice_mm:
            raise SettingsUnusable("slice_mm thickens cut-outs; prepared crops stay as they are")
        return CropFolder(directory)
    if not (directory / "labels.csv").is_file():
        raise CutoutsUnusable(
            f"{directory} holds neither prepared crops ({MANIFEST}) nor cut-outs (labels.csv, "
            "image/, mask/); m3train prepare makes crops of LIDC-IDRI or of annotated DICOM"
        )
    return CutoutFolder(directory, slice_mm=slice_mm)


def _part_of(settings: DataSettings, labels: Sequence[Label]) -> Mapping[str, Part]:
    """The part of each nodule, by name."""
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
