"""All that the default weights and their comparison are made of, and where it lies.

cv/         of each fold the networks and the experts that did not see it
plain/      the same of the plain network that ours is compared with, if it is
final/      the networks and the experts that saw all nodules
looks.npy   what the expert on slices sees of each nodule

Each network is a run folder, as every training leaves one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from m3net.appearance import Appearance
from m3net.config import M3NetConfig
from m3net.efficientnet import EfficientNetLite0
from m3net.network import Committee
from training.data.cutouts import Cutouts
from training.data.shown import ShownNodules
from training.data.splits import voi_folds
from training.data.targets import target_of
from training.data.voi import Cutout
from training.shipped.asked import Committees
from training.shipped.committee import (
    CommitteeFiles,
    load_committee,
    out_of_fold_margins,
    save_expert,
)
from training.shipped.expert import fit_appearance, fit_expert
from training.shipped.recipe import FOLDS, Member, member_of_fold, plain

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DefaultWeights:
    """One run folder; nothing is done before it is asked for.

    voi, cutouts : the folder of the 791, and what lies in it
    encoder      : of the expert on slices
    seeds        : of the networks that decide together
    plain        : whether ours is compared with a plain network
    changes      : "section.key=value", laid over the config of all networks
    """

    voi: Path
    cutouts: Sequence[Cutout]
    directory: Path
    encoder: EfficientNetLite0
    seeds: Sequence[int]
    plain: bool = False
    changes: tuple[str, ...] = ()

    @property
    def members(self) -> list[Member]:
        """Every network that there is to train."""
        return [*chain(*self._ours.values()), *self._final, *chain(*self._plain.values())]

    @property
    def served(self) -> M3NetConfig:
        """Of a member, as it is served."""
        member = self._final[0].settings.network.config()
        # how many nodules the experts remember is as their files say
        return replace(member, mirrored=True, remembered=len(self.cutouts), appearance=True)

    def committees(self) -> Committees:
        """The trained committees, and what they say of the nodules that they did not see."""
        files = {
            fold: CommitteeFiles(
                members=[member.weights for member in members],
                expert=self._expert(
                    np.flatnonzero(self._folds != fold),
                    self.directory / "cv" / f"expert_fold{fold}.safetensors",
                ),
                appearance=self._appearance(
                    np.flatnonzero(self._folds != fold),
                    self.directory / "cv" / f"appearance_fold{fold}.safetensors",
                ),
            )
            for fold, members in self._ours.items()
        }
        return Committees(
            cutouts=self.cutouts,
            folds=self._folds,
            files=files,
            margins=self._margins(files, self.served),
            descriptions=self._descriptions,
            config=self.served,
        )

    def others(self, found: Committees) -> dict[str, Floats]:
        """The margins of each of ours alone, and of the plain network if there is one: (N,)."""
        experts = self._experts_alone(found)
        return {
            # all three count alike, and an outlined nodule always has its measurements and looks
            "networks_alone": 3 * found.margins - sum(experts.values()),
            **experts,
            **({"plain_resnet18": self._margins_of_plain()} if self.plain else {}),
        }

    def _margins_of_plain(self) -> Floats:
        files = {
            fold: CommitteeFiles(members=[member.weights for member in members])
            for fold, members in self._plain.items()
        }
        config = self._plain[0][0].settings.network.config()
        return self._margins(files, replace(config, mirrored=True))

    def _experts_alone(self, found: Committees) -> dict[str, Floats]:
        numbers = np.concatenate([self._descriptions, self._looks], axis=1)
        said = {"expert_alone": np.full(len(numbers), np.nan)}
        said["appearance_alone"] = said["expert_alone"].copy()
        for fold, files in found.files.items():
            test = np.flatnonzero(self._folds == fold)
            committee = load_committee(self.served, files)
            if isinstance(committee, Committee):
                margins = committee.margins(torch.from_numpy(numbers[test]))
                for key, margin in zip(said, margins, strict=True):
                    said[key][test] = margin.numpy()
        return said

    def final_files(self) -> CommitteeFiles:
        """What ships."""
        return CommitteeFiles(
            members=[member.weights for member in self._final],
            expert=self._expert(
                np.arange(len(self.cutouts)), self.directory / "final" / "expert.safetensors"
            ),
            appearance=self._appearance(
                np.arange(len(self.cutouts)), self.directory / "final" / "appearance.safetensors"
            ),
        )

    @cached_property
    def _folds(self) -> NDArray[np.int_]:
        """The frozen ones: (N,)."""
        where = voi_folds()
        return np.array([where[cutout.label.name] for cutout in self.cutouts])

    @cached_property
    def _ours(self) -> Mapping[int, Sequence[Member]]:
        return {
            fold: [self._member(fold, seed, self.directory / "cv") for seed in self.seeds]
            for fold in FOLDS
        }

    @cached_property
    def _plain(self) -> Mapping[int, Sequence[Member]]:
        folder = self.directory / "plain"
        return {
            fold: [plain(self._member(fold, 0, folder), folder)] for fold in FOLDS if self.plain
        }

    @cached_property
    def _final(self) -> Sequence[Member]:
        return [self._member(None, seed, self.directory / "final") for seed in self.seeds]

    def _member(self, fold: int | None, seed: int, directory: Path) -> Member:
        return member_of_fold(
            fold, seed=seed, voi=self.voi, changes=self.changes, directory=directory
        )

    @cached_property
    def _descriptions(self) -> NDArray[np.float32]:
        """(N, 66) of the nodules as served."""
        config = replace(self.served, appearance=False)
        nodules = ShownNodules(Cutouts(self.cutouts), config=config)
        indices = range(len(self.cutouts))
        return np.stack([nodules.item(i, None)["description"].numpy() for i in indices])

    @cached_property
    def _looks(self) -> NDArray[np.float32]:
        """(N, 672) of the nodules as served; minutes, so they are kept."""
        kept = self.directory / "looks.npy"
        if not kept.is_file():
            nodules = ShownNodules(Cutouts(self.cutouts), config=self.served)
            seer = Appearance(1)
            seer.encoder = self.encoder
            with torch.no_grad():
                looks = [
                    seer.numbers(nodules.item(i, None)["slices"][None])[0].numpy()
                    for i in range(len(self.cutouts))
                ]
            unfinished = kept.with_suffix(".part.npy")
            np.save(unfinished, np.stack(looks))
            unfinished.replace(kept)
        found: NDArray[np.float32] = np.load(kept)
        return found

    @cached_property
    def _targets(self) -> NDArray[np.float32]:
        """(N,), those of the networks."""
        kind = self._final[0].settings.data.target
        targets = [float(target_of(cutout.label.scores, kind)) for cutout in self.cutouts]
        return np.array(targets, np.float32)

    def _patients(self, train: NDArray[np.intp]) -> list[str]:
        return [self.cutouts[i].label.patient_id for i in train]

    def _expert(self, train: NDArray[np.intp], file: Path) -> Path:
        """Fitted anew each time: it takes seconds."""
        fitted = fit_expert(self._descriptions[train], self._targets[train], self._patients(train))
        save_expert(fitted, file)
        return file

    def _appearance(self, train: NDArray[np.intp], file: Path) -> Path:
        """Likewise."""
        fitted = fit_appearance(
            self.encoder, self._looks[train], self._targets[train], self._patients(train)
        )
        save_expert(fitted, file)
        return file

    def _margins(self, committees: Mapping[int, CommitteeFiles], config: M3NetConfig) -> Floats:
        nodules = ShownNodules(Cutouts(self.cutouts), config=config)
        return out_of_fold_margins(nodules, folds=self._folds, committees=committees, config=config)
