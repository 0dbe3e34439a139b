"""Stage 2 (Eq. 10, Sec. 4.3): the fusion learns on branches that stage 1 trained.

    L = fused CE_fused + alpha sum_s CE_s + beta L_align + attention L_attn-reg

The backbones stand still, or their lower layers, or nothing: `stage2.freeze`.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from training.data.errors import SettingsUnusable
from training.data.sources import open_parts
from training.learn.engine import FUSED
from training.learn.models import Freeze, Model
from training.learn.settings import Settings
from training.learn.stages import Stage, open_run, run_stage


def stage2(settings: Settings, directory: Path, *, resume: bool = False) -> dict[str, Any]:
    """The summary of the run in `directory`."""
    stage = joint_stage("stage2", settings, freeze=settings.stage2.freeze)
    with open_run(settings, directory, resume=resume) as run:
        parts = open_parts(settings.data, run.model.config)
        return run_stage(run, stage, parts)


def joint_stage(name: str, settings: Settings, *, freeze: Freeze) -> Stage:
    """A stage that trains the fused output.

    Raises SettingsUnusable for a network that has none.
    """
    fusion = None if settings.network.baseline else settings.network.config().fusion.kind
    if fusion in {None, "branch"}:
        raise SettingsUnusable(
            f"{name} trains the fusion of the scales, and this network has none; use stage1"
        )
    return Stage(
        name=name,
        weights=settings.loss.weights(),
        freeze=freeze,
        fused=True,
        decides=_decides,
    )


def _decides(model: Model) -> Mapping[str, Collection[str]]:
    """The fused output decides on everything."""
    return {FUSED: set(model.network.state_dict())}
