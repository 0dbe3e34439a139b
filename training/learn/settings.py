"""What a training run is told: one TOML file, `--set section.key=value`, a budget.

Every default stands here and nowhere else.  `paper` says which value the paper gives; where it
gives none, the choice is ours.  A run writes what it was told, whole, into its folder.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from m3net.config import PRESETS, M3NetConfig
from m3net.scales import Scale
from training.data.errors import SettingsUnusable
from training.data.settings import DataSettings, Section
from training.learn.losses import Form, LossWeights

Budget = Literal["full", "smoke"]


class RunSettings(Section):
    """How long and how it is optimised.

    batch_size     : nodules a step, over all processes and accumulated micro-batches
    accumulate     : micro-batches a step; L_align compares the nodules of one micro-batch
    decay          : what weight decay is of: all parameters, or matrices and kernels alone
    warmup_steps   : the learning rate rises for so long, then falls as a cosine to 0 at the end
    clip_norm      : the gradient's norm is cut down to this; 0: never
    amp            : of the encoders; "auto": bf16 on a GPU that has it, else fp16; "off" on a CPU
    select         : the weights kept: of the last epoch, or of the one with the lowest
                     cross-entropy on validation
    checkpoint_every_steps : of the run, however many an epoch has; and at the end of each epoch
    init           : files to start from, "FILE" or "SCALE=FILE" (`models.initialise_from`)
    """

    seed: int = 0
    epochs: int = Field(200, ge=1)
    batch_size: int = Field(32, ge=2)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(1e-5, ge=0)
    decay: Literal["all", "matrices"] = "all"
    warmup_steps: int = Field(0, ge=0)
    clip_norm: float = Field(0.0, ge=0)
    amp: Literal["auto", "off", "bf16", "fp16"] = "auto"
    device: str = "auto"
    workers: int = Field(0, ge=0)
    select: Literal["last", "best"] = "last"
    checkpoint_every_steps: int = Field(100, ge=1)
    init: tuple[str, ...] = ()


class NetworkSettings(Section):
    """Which network: a preset with any of its fields changed, or a baseline of Table 3.

    changes  : laid over the preset's own, as deep as they go: {"fusion": {"dim": 64}}
    baseline : a name of `training.baselines`; it reads the meso patch alone
    narrow   : a baseline with a few channels, for smoke runs
    """

    preset: str = "paper"
    changes: dict[str, Any] = Field(default_factory=dict)
    baseline: str | None = None
    narrow: bool = False

    def config(self) -> M3NetConfig:
        """The network's config, changes laid over it.

        Raises SettingsUnusable if there is no such network.
        """
        if self.preset not in PRESETS:
            raise SettingsUnusable(f"no preset {self.preset!r}; there are {', '.join(PRESETS)}")
        changed = merged(PRESETS[self.preset].to_json(), self.changes)
        try:
            config = M3NetConfig.from_json(changed)
        except ValueError as error:
            raise SettingsUnusable(f"[network]: {error}") from error
        if config.members != 1 or config.mirrored or config.remembered:
            raise SettingsUnusable(
                "one run trains one network and measures it as it is: omit members, mirrored and "
                "remembered (m3train export makes one model of several runs)"
            )
        return config


class LossSettings(Section):
    """`LossWeights`, key for key; nce : one number, or one per pair, {"micro-meso": 1.0}."""

    form: Form = "normalised"
    fused: float = 1.0
    alpha: float = 0.3
    beta: float = 0.1
    nce: float | dict[str, float] = 1.0
    cov: float = 1.0
    orth: float = 1.0
    nuc: float = 0.1
    attention: float = 0.0
    tau: float = 0.07
    learn_tau: bool = False

    def weights(self) -> LossWeights:
        """For the criterion."""
        pairs = list(combinations(Scale, 2))
        names = {f"{first}-{second}" for first, second in pairs}
        nce = self.nce if isinstance(self.nce, dict) else dict.fromkeys(names, self.nce)
        if unknown := set(nce) - names:
            raise SettingsUnusable(
                f"loss.nce: no pair {', '.join(sorted(unknown))}; there are "
                f"{', '.join(sorted(names))}"
            )
        given = self.model_dump() | {"nce": {(a, b): nce.get(f"{a}-{b}", 0.0) for a, b in pairs}}
        return LossWeights(**given)


class Stage2Settings(Section):
    """What stands still in stage 2.

    freeze : all of each backbone (Sec. 4.3), its lower layers (Sec. 3.2), or none (Eq. 10);
             "all_but_head": all but the head of the fusion, as in the published code
    """

    freeze: Literal["all", "lower", "all_but_head", "none"] = "all"


class FewShotSettings(Section):
    """Sec. 4.3: 20 pairs of the new place, 20 pairs of the old training data.

    pairs, replay_pairs : malignant and benign nodules, so many of each
    by                  : "patient": no other nodule of a patient who was learnt from is tested;
                          "nodule": as published
    """

    pairs: int = Field(20, ge=1)
    replay_pairs: int = Field(20, ge=0)
    by: Literal["patient", "nodule"] = "patient"
    freeze: Literal["all", "lower", "none"] = "all"


class Settings(Section):
    """The whole file.  target : the new place's nodules, for few-shot alone."""

    run: RunSettings = RunSettings()
    network: NetworkSettings = NetworkSettings()
    data: DataSettings = DataSettings()
    loss: LossSettings = LossSettings()
    stage2: Stage2Settings = Stage2Settings()
    few_shot: FewShotSettings = FewShotSettings()
    target: DataSettings | None = None


def load_settings(
    file: Path | None, *, changes: Iterable[str] = (), budget: Budget = "full"
) -> Settings:
    """The settings of a .toml (or a run's config.json), what was set by hand laid over it.

    changes : "section.key=value", the value as TOML writes it; a word needs no quotes
    """
    content: dict[str, Any] = {}
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
            content = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise SettingsUnusable(f"{file} cannot be read: {error}") from error
    if budget == "smoke":
        content = merged(content, _smoke(content))
    for change in changes:
        content = merged(content, _nested(change))
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise SettingsUnusable(f"{file or 'settings'}: {where}") from error


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, table by table."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]  # both are
    return result


def _nested(change: str) -> dict[str, Any]:
    """ "a.b=1" -> {"a": {"b": 1}}."""
    path, equals, text = change.partition("=")
    *sections, key = path.strip().split(".")
    if not equals or not sections:
        raise SettingsUnusable(f"--set {change}: expected section.key=value")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    nested: dict[str, Any] = {key: value}
    for section in reversed(sections):
        nested = {section: nested}
    return nested


def _smoke(content: Mapping[str, Any]) -> dict[str, Any]:
    """Everything end to end within a minute on a CPU: narrow, few nodules, two epochs."""
    preset = content.get("network", {}).get("preset", "paper")
    encoders: dict[str, dict[str, Any]] = {
        "convnext2d": {"depths": [1, 1, 1, 1], "widths": [8, 8, 16, 16]},
        "resnet3d": {"depths": [1, 1, 1, 1], "widths": [8, 8, 16, 16]},
    }
    changes: dict[str, Any] = {}
    for scale in Scale:
        branch = PRESETS.get(preset, PRESETS["paper"]).branch(scale)
        patch = {"size": [16, *branch.patch.size[1:]]}
        changes[scale] = {"encoder": encoders[branch.encoder.kind], "patch": patch}
    smoke: dict[str, Any] = {
        "run": {"epochs": 2, "batch_size": 4, "workers": 0},
        "network": {"changes": changes, "narrow": True},
        "data": {"limit": 16},
        "few_shot": {"pairs": 2, "replay_pairs": 2},
    }
    if "target" in content:
        smoke["target"] = {"limit": 16}
    return smoke
