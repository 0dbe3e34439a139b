"""The nodules that settings name, opened, and divided into those that train, validate and test."""

from dataclasses import dataclass
from pathlib import Path

from m3net.config import M3NetConfig
from training.data import seeding
from training.data.augment import PRESETS
from training.data.crops import MANIFEST, CropFolder
from training.data.cutouts import CutoutFolder
from training.data.errors import CutoutsUnusable, SettingsUnusable
from training.data.nodules import Folder, Nodules, Subset, limited
from training.data.parts import division_of
from training.data.settings import DataSettings
from training.data.shown import ShownNodules
from training.data.splits import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Disjoint nodules; no patient is in two of them, unless the split is by nodule."""

    train: Nodules
    validation: Nodules
    test: Nodules


def open_parts(settings: DataSettings, config: M3NetConfig) -> Parts:
    """The nodules as a network of this config reads them; only training ones are ever augmented.

    Runs that differ in their seeds have the same nodules, those of `limit` too.

    Raises CutoutsUnusable, CropsUnusable, or SettingsUnusable if the split does not fit them.
    """
    every = ShownNodules(
        open_folder(settings.directory, slice_mm=settings.slice_mm),
        config=config,
        augmentation=PRESETS[settings.augmentation],
    )
    part_of = division_of(settings, every.labels)

    def opened(part: Part) -> Nodules:
        chosen = [i for i, label in enumerate(every.labels) if part_of[label.name] is part]
        random = seeding.for_choice(0)
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
