"""What a run is told of its nodules: the [data] and [target] sections of its config."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.data.augment import PRESETS as AUGMENTATIONS
from training.data.targets import TargetKind


class Section(BaseModel):
    """One table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Section):
    """Which nodules, and how they are shown.

    directory    : a folder of cut-outs (training.data.voi), or what `m3train prepare` wrote
    split        : "patient", "nodule" or "nodule_675" (`data.splits.SplitKind`); "folds": the
                   frozen folds of the 791 cut-outs, one tested, the next for validation, three
                   to train on; "four_folds": one tested, four to train on; "all": everything is
                   for testing; "train": everything is to train on; or a CSV file with the columns
                   name, part (train, validation, test)
    fold         : the one of the five that is tested
    augmentation : none, clinical, paper, readers or release (`data.augment.PRESETS`)
    slice_mm     : cut-outs are thickened to slices of this size first; 0: as they are
    limit        : so many nodules a part, both classes alike; 0: all
    """

    directory: Path = Path("../shared/data/lidc-voi")
    split: str = "folds"
    fold: int = Field(0, ge=0, le=4)
    augmentation: str = "paper"
    slice_mm: float = Field(0.0, ge=0)
    target: TargetKind = TargetKind.HARD
    limit: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.augmentation not in AUGMENTATIONS:
            raise ValueError(f"augmentation is one of {', '.join(AUGMENTATIONS)}")
        return self
