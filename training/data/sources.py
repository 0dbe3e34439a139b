"""The nodules that settings name, opened, and divided into those that train, validate and test."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from m3net.config import M3NetConfig
from training import seeding
from training.data.augment import PRESETS
from training.data.crop_nodules import CropNodules
from training.data.crops import MANIFEST, CropFolder
from training.data.cutout_nodules import CutoutNodules
from training.data.nodules import Label, Nodules, Subset, limited
from training.data.parts import parts_of
from training.data.splits import Part, SplitKind, voi_folds
from training.data.voi import read_labels
from training.learn.settings import DataSettings, SettingsUnusable

ALL = "all"
"""The split of a folder that is only tested, or adapted to."""

FOLDS = "folds"
"""The frozen five folds of the 791 cut-outs."""


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
    prepared = (settings.directory / MANIFEST).is_file()
    if prepared and settings.slice_mm:
        raise SettingsUnusable("slice_mm thickens cut-outs; prepared crops stay as they are")
    every = _crops(settings, config) if prepared else _cutouts(settings, config)
    part_of = _part_of(settings, every.labels)

    def opened(part: Part) -> Nodules:
        chosen = [i for i, label in enumerate(every.labels) if part_of[label.name] is part]
        random = seeding.for_choice(seed)
        return limited(Subset(every, chosen), limit=settings.limit, random=random)

    return Parts(
        train=opened(Part.TRAIN), validation=opened(Part.VALIDATION), test=opened(Part.TEST)
    )


def _crops(settings: DataSettings, config: M3NetConfig) -> Nodules:
    folder = CropFolder(settings.directory)
    augmentation = PRESETS[settings.augmentation]
    return CropNodules(folder, folder.labels, config=config, augmentation=augmentation)


def _cutouts(settings: DataSettings, config: M3NetConfig) -> Nodules:
    return CutoutNodules(
        settings.directory,
        read_labels(settings.directory),
        config=config,
        augmentation=PRESETS[settings.augmentation],
        slice_mm=settings.slice_mm,
    )


def _part_of(settings: DataSettings, labels: Sequence[Label]) -> Mapping[str, Part]:
    """The part of each nodule, by name."""
    if settings.split == ALL:
        return {label.name: Part.TEST for label in labels}
    if settings.split in set(SplitKind):
        try:
            divided = parts_of(labels, SplitKind(settings.split))
        except ValueError as error:
            raise SettingsUnusable(f"split {settings.split!r}: {error}") from error
        return {label.name: part for part, members in divided.items() for label in members}
    known = _folds(settings.fold) if settings.split == FOLDS else _read_split(Path(settings.split))
    if missing := [label.name for label in labels if label.name not in known]:
        raise SettingsUnusable(
            f"the split {settings.split!r} lacks {len(missing)} of the {len(labels)} nodules of "
            f"{settings.directory}, first {missing[0]}; give a file with the columns name, part, "
            f'or "{SplitKind.PATIENT}", or "{ALL}" for a folder that is only tested'
        )
    return known


def _folds(tested: int) -> Mapping[str, Part]:
    """One fold is tested, the next is for validation, three train."""
    roles = {tested: Part.TEST, (tested + 1) % 5: Part.VALIDATION}
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
