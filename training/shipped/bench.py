"""All that the default weights and their comparison are made of, and where it lies.

recipe.json what all of it is made by; the folder goes on with that alone
variants/   every nodule in every variant
cv/         of each fold the networks and the expert that did not see it
plain/      the same of the plain network that ours is compared with
final/      the networks and the expert that saw all nodules
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from m3net.config import SMALL, M3NetConfig
from m3net.description import NAMES
from training.data.splits import voi_folds
from training.data.variants import Variants, Variation
from training.data.voi import Cutout
from training.shipped.committee import CommitteeFiles
from training.shipped.members import Member, members_of_folds
from training.shipped.recipe import PLAIN, Recipe, out_of_fold_margins, save_part, train_expert
from training.shipped.report import OutOfFold

SERVED = replace(SMALL, mirrored=True)
FINAL_SEED = 9
"""Of the members trained on all nodules; folds take 0 to 4."""

ByFold = Mapping[int, Sequence[Member]]


class OtherRecipe(Exception):
    """The run folder was begun with another recipe, or by another version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultBench:
    """One run folder; nothing is done before it is asked for.

    count : variants of each nodule
    """

    cutouts: Sequence[Cutout]
    directory: Path
    seeds: Sequence[int]
    recipe: Recipe
    variation: Variation
    count: int

    def begin(self) -> None:
        """The folder is there and says what it is made by.

        Raises OtherRecipe if it was begun otherwise: what lies there is not this run's.
        """
        made_by = {
            "recipe": repr(self.recipe),
            "variation": repr(self.variation),
            "variants": self.count,
            "nodules": len(self.cutouts),
            "numbers": list(NAMES),
            "ours": SMALL.to_json(),
            "plain": PLAIN.to_json(),
            "torch": torch.__version__,
        }
        text = json.dumps(made_by, indent=2) + "\n"
        file = self.directory / "recipe.json"
        if file.is_file() and file.read_text(encoding="utf-8") != text:
            raise OtherRecipe(f"{file} says that this folder was made otherwise; use another --out")
        if not file.is_file() and self.directory.is_dir() and any(self.directory.iterdir()):
            raise OtherRecipe(f"{self.directory} is not empty and has no recipe.json")
        self.directory.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    @property
    def variants(self) -> Path:
        """The folder of the variants."""
        return self.directory / "variants"

    @property
    def mean_scores(self) -> NDArray[np.float64]:
        """(N,)."""
        return np.array([cutout.label.mean_score for cutout in self.cutouts])

    @property
    def folds(self) -> NDArray[np.int_]:
        """The frozen ones: (N,)."""
        where = voi_folds()
        return np.array([where[cutout.label.name] for cutout in self.cutouts])

    @property
    def members(self) -> list[Member]:
        """Every network that there is to train."""
        return [*chain(*self._ours().values()), *self._final(), *chain(*self._plain().values())]

    def out_of_fold(self, drawn: Variants) -> OutOfFold:
        """What the trained committees say of the nodules that they did not see."""
        committees = {
            fold: CommitteeFiles(
                members=[member.file for member in members],
                expert=self._expert(
                    drawn,
                    train=np.flatnonzero(self.folds != fold),
                    file=self.directory / "cv" / f"expert_fold{fold}.safetensors",
                ),
            )
            for fold, members in self._ours().items()
        }
        return OutOfFold(
            cutouts=self.cutouts,
            folds=self.folds,
            committees=committees,
            margins=self._margins(drawn, committees, SERVED),
            config=SERVED,
        )

    def others(self, found: OutOfFold, drawn: Variants) -> dict[str, NDArray[np.float64]]:
        """The margins of a plain network, and of ours without the one or the other half: (N,)."""
        usual = {
            fold: CommitteeFiles(members=[member.file for member in members])
            for fold, members in self._plain().items()
        }
        networks = {
            fold: CommitteeFiles(members=files.members) for fold, files in found.committees.items()
        }
        alone = self._margins(drawn, networks, SERVED)
        return {
            "plain 3D ResNet-18": self._margins(drawn, usual, replace(PLAIN, mirrored=True)),
            "our networks alone": alone,
            # each half counts alike, and to an outline there is always a description
            "our expert alone": 2 * found.margins - alone,
        }

    def final_files(self, drawn: Variants) -> CommitteeFiles:
        """What ships."""
        return CommitteeFiles(
            members=[member.file for member in self._final()],
            expert=self._expert(
                drawn,
                train=np.arange(len(self.cutouts)),
                file=self.directory / "final" / "expert.safetensors",
            ),
        )

    def _ours(self) -> ByFold:
        return members_of_folds(
            self.folds, seeds=self.seeds, config=SMALL, directory=self.directory / "cv"
        )

    def _plain(self) -> ByFold:
        return members_of_folds(
            self.folds, seeds=[0], config=PLAIN, directory=self.directory / "plain"
        )

    def _final(self) -> list[Member]:
        (self.directory / "final").mkdir(parents=True, exist_ok=True)
        return [
            Member(
                config=SMALL,
                train=np.arange(len(self.cutouts)),
                seed=1000 * seed + FINAL_SEED,
                file=self.directory / "final" / f"seed{seed}.safetensors",
            )
            for seed in self.seeds
        ]

    def _expert(self, drawn: Variants, *, train: NDArray[np.intp], file: Path) -> Path:
        """Fitted anew each time: it takes seconds."""
        expert = train_expert(
            drawn,
            mean_scores=self.mean_scores,
            patients=np.array([cutout.label.patient_id for cutout in self.cutouts]),
            train=train,
            recipe=self.recipe,
        )
        save_part(expert, file)
        return file

    def _margins(
        self, drawn: Variants, committees: Mapping[int, CommitteeFiles], config: M3NetConfig
    ) -> NDArray[np.float64]:
        return out_of_fold_margins(drawn, folds=self.folds, committees=committees, config=config)
