"""How the networks that ship are trained: `configs/default.toml`, by the engine that trains all.

One network a seed and fold, and a seed on all nodules.  Within a run nothing is chosen: settings
stand in the file, epochs are fixed, and nothing validates.  How the settings came to be what they
are is another matter, and training/README.md says it ("What was chosen, and on what").
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from m3net.config import ResNet3D
from m3net.scales import Scale
from training.data.parts import TRAIN
from training.learn.settings import Settings, load_settings, merged
from training.learn.stage1 import stage1
from training.learn.stage2 import stage2

CONFIG = Path(__file__).parents[1] / "configs" / "default.toml"
FOLDS = range(5)
FINAL_SEED = 9
"""Of the members trained on all nodules; folds take 0 to 4."""

PLAIN = {
    "preset": "plain 3D ResNet-18",
    "scales": [Scale.MESO.value],
    "meso": {
        "encoder": asdict(ResNet3D(depths=(2, 2, 2, 2), stem_stride=(2, 2, 2), explained_stage=2))
    },
    "fusion": {"kind": "branch"},
    "preprocessing": {"description": False},
}
"""What ours is compared with: the usual network, on the same meso cube, outline included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One network to train, and its run folder."""

    settings: Settings
    directory: Path

    @property
    def weights(self) -> Path:
        """Its tensors, once it is trained."""
        return self.directory / "weights.safetensors"

    @property
    def trained(self) -> bool:
        """Whether its run is finished; one that was cut off goes on."""
        return (self.directory / "summary.json").is_file()


def member_of_fold(
    fold: int | None, *, seed: int, voi: Path, changes: Sequence[str], directory: Path
) -> Member:
    """The network of this seed that does not see a fold; None: one that sees all nodules.

    changes : "section.key=value", laid over the config
    """
    where = f"data.split={TRAIN}" if fold is None else f"data.fold={fold}"
    given = [
        *changes,
        where,
        f"data.directory={json.dumps(str(voi.resolve()))}",
        f"run.seed={1000 * seed + (FINAL_SEED if fold is None else fold)}",
    ]
    name = f"seed{seed}" if fold is None else f"seed{seed}_fold{fold}"
    return Member(settings=load_settings(CONFIG, changes=given), directory=directory / name)


def plain(member: Member, directory: Path) -> Member:
    """The plain network in the member's place."""
    changed = merged(member.settings.model_dump(), {"network": {"changes": PLAIN}})
    return Member(
        settings=Settings.model_validate(changed), directory=directory / member.directory.name
    )


def train_members(
    members: Iterable[Member], *, jobs: int = 1, on_member: Callable[[], None] = lambda: None
) -> None:
    """Every member is trained; one that was trained already is left as it is.

    jobs : processes, of one thread each

    Raises SettingsUnusable if a member's folder was begun with other settings.
    """
    # spawned: a fork would share torch's threads
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = []
        for member in members:
            if member.trained:
                on_member()
            else:
                waiting.append(pool.submit(_train, member))
        try:
            for each in as_completed(waiting):
                each.result()
                on_member()
        finally:
            pool.shutdown(cancel_futures=True)


def _train(member: Member) -> None:
    torch.set_num_threads(1)
    alone = member.settings.network.config().fusion.kind == "branch"
    (stage1 if alone else stage2)(member.settings, member.directory, resume=True)
