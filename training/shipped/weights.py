"""All that the default weights and their comparison are made of, and where it lies.

cv/         of each fold the networks and the expert that did not see it
plain/      the same of the plain network that ours is compared with
final/      the networks and the expert that saw all nodules

Each network is a run folder, as every training leaves one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from m3net.config import M3NetConfig
from training.data.cutouts import Cutouts
from training.data.shown import ShownNodules
from training.data.splits import voi_folds
from training.data.targets import target_of
from training.data.voi import Cutout
from training.shipped.asked import Committees
from training.shipped.committee import CommitteeFiles, out_of_fold_margins, save_expert
from training.shipped.expert import fit_expert
from training.shipped.recipe import FOLDS, Member, member_of_fold, plain

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DefaultWeights:
    """One run folder; nothing is done before it is asked for.

    voi, cutouts : the folder of the 791, and what lies in it
    seeds        : of the networks that decide together
    changes      : "section.key=value", laid over the config of all networks
    """

    voi: Path
    cutouts: Sequence[Cutout]
    directory: Path
    seeds: Sequence[int]
    changes: tuple[str, ...] = ()

    @property
    def members(self) -> list[Member]:
        """Every network that there is to train."""
        return [*chain(*self._ours.values()), *self._final, *chain(*self._plain.values())]

    @property
    def served(self) -> M3NetConfig:
        """Of a member, as it is served."""
        return replace(self._final[0].settings.network.config(), mirrored=True)

    def committees(self) -> Committees:
        """The trained committees, and what they say of the nodules that they did not see."""
        files = {
            fold: CommitteeFiles(
                members=[member.weights for member in members],
                expert=self._expert(
                    np.flatnonzero(self._folds != fold),
                    self.directory / "cv" / f"expert_fold{fold}.safetensors",
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
        """The margins of a plain network, and of ours without the one or the other half: (N,)."""
        usual = {
            fold: CommitteeFiles(members=[member.weights for member in members])
            for fold, members in self._plain.items()
        }
        config = self._plain[0][0].settings.network.config()
        networks = {
            fold: CommitteeFiles(members=files.members) for fold, files in found.files.items()
        }
        alone = self._margins(networks, self.served)
        return {
            "plain_resnet18": self._margins(usual, replace(config, mirrored=True)),
            "networks_alone": alone,
            # each half counts alike, and an outlined nodule always has its measurements
            "expert_alone": 2 * found.margins - alone,
        }

    def final_files(self) -> CommitteeFiles:
        """What ships."""
        return CommitteeFiles(
            members=[member.weights for member in self._final],
            expert=self._expert(
                np.arange(len(self.cutouts)), self.directory / "final" / "expert.safetensors"
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
        return {fold: [plain(self._member(fold, 0, folder), folder)] for fold in FOLDS}

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
        nodules = ShownNodules(Cutouts(self.cutouts), config=self.served)
        indices = range(len(self.cutouts))
        return np.stack([nodules.item(i, None)["description"].numpy() for i in indices])

    def _expert(self, train: NDArray[np.intp], file: Path) -> Path:
        """Fitted anew each time on the same target as the networks: it takes seconds."""
        kind = self._final[0].settings.data.target
        targets = [float(target_of(cutout.label.scores, kind)) for cutout in self.cutouts]
        expert = fit_expert(
            self._descriptions[train],
            np.array(targets, np.float32)[train],
            [self.cutouts[i].label.patient_id for i in train],
        )
        save_expert(expert, file)
        return file

    def _margins(self, committees: Mapping[int, CommitteeFiles], config: M3NetConfig) -> Floats:
        nodules = ShownNodules(Cutouts(self.cutouts), config=config)
        return out_of_fold_margins(nodules, folds=self._folds, committees=committees, config=config)
