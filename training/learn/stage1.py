"""Stage 1 (Eq. 3, 9): each branch learns alone, from its own cross-entropy.

All branches of a network may be trained at once: no branch's loss reaches another's parameters, so
each learns what it would learn alone from the same nodules.  Each keeps its own best epoch.
A baseline is one such branch.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from m3net.scales import Scale
from training.data.sources import open_parts
from training.learn.models import M3NetModel, Model, branch_tensors
from training.learn.settings import Settings
from training.learn.stages import Stage, open_run, run_stage


def stage1(settings: Settings, directory: Path, *, resume: bool = False) -> dict[str, Any]:
    """The summary of the run in `directory`; the [loss] section has no say here."""
    stage = branch_stage("stage1", settings)
    with open_run(settings, directory, resume=resume) as run:
        parts = open_parts(settings.data, run.model.config)
        return run_stage(run, stage, parts)


def branch_stage(name: str, settings: Settings) -> Stage:
    """A stage that trains every branch, or a baseline, whole and alone."""
    weights = replace(settings.loss.weights(), fused=0.0, alpha=1.0, beta=0.0, attention=0.0)
    return Stage(name=name, weights=weights, freeze="none", fused=False, decides=decides)


def decides(model: Model) -> Mapping[str, Collection[str]]:
    """Each branch its own encoder, projection and head."""
    if not isinstance(model, M3NetModel):
        return {Scale.MESO: set(model.network.state_dict())}
    return {scale: branch_tensors(model.network, scale) for scale in model.config.scales}
