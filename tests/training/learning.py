"""Nodules made of numbers and networks of a few channels, to train in seconds."""

import csv
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from m3net.card import ModelCard
from m3net.config import M3NetConfig
from m3net.network import build
from m3net.scales import Scale
from tests.m3net.toys import narrow
from training.data.nodules import Inputs
from training.data.targets import TargetKind
from training.data.voi import CutoutLabel
from training.learn.distributed import Processes
from training.learn.engine import Engine, Experiment
from training.learn.losses import Criterion, LossWeights
from training.learn.models import M3NetModel
from training.learn.run_folder import RunFolder
from training.learn.settings import RunSettings, Settings

ALONE = Processes(rank=0, count=1, device=torch.device("cpu"))
CARD = ModelCard(
    name="Ruler",
    version="1",
    preset="none",
    trained=True,
    threshold=0.5,
    meaning="",
    preprocessing="",
    training_data="",
    licence="",
)
"""Of a model that is a formula."""


def config(*, dropout: float = 0.2, norm: str = "group") -> M3NetConfig:
    """The narrow `small`, without the description, and with such a norm in its encoders."""
    toy = narrow("small")
    branches = {
        s: replace(toy.branch(s), encoder=replace(toy.branch(s).encoder, norm=norm)) for s in Scale
    }
    return replace(
        toy,
        micro=branches[Scale.MICRO],
        meso=branches[Scale.MESO],
        macro=branches[Scale.MACRO],
        fusion=replace(toy.fusion, dropout=dropout, head_dropout=dropout),
        preprocessing=replace(toy.preprocessing, description=False, mask=False, context=None),
    )


class NumberNodules:
    """Noise that follows from the index; malignant ones have a brighter middle."""

    def __init__(self, of: M3NetConfig, *, count: int = 16, spoilt: int | None = None) -> None:
        """spoilt : the index of a nodule whose patches are not numbers."""
        self._config, self._count, self._spoilt = of, count, spoilt

    @property
    def labels(self) -> Sequence[CutoutLabel]:
        """Benign, malignant, benign ... ; two nodules a patient."""
        return [
            CutoutLabel(file=f"n{i}", patient_id=f"P{i // 2}", scores=(1, 5)[i % 2 : i % 2 + 1])
            for i in range(self._count)
        ]

    def item(self, index: int, random: np.random.Generator | None) -> Inputs:
        """(C, D, H, W) per scale; augmented by noise."""
        own = torch.Generator().manual_seed(index)
        noise = 0.0 if random is None else random.normal(0, 0.1)
        patches: dict[str, torch.Tensor] = {}
        for scale in self._config.scales:
            channels, size = (
                self._config.preprocessing.channels,
                self._config.branch(scale).patch.size,
            )
            x = torch.randn((channels, *size), generator=own) + float(noise)
            x[0, 2:6, 2:6, 2:6] += 2.0 * (index % 2)
            patches[scale] = x * torch.nan if index == self._spoilt else x
        return patches


def engine(
    of: M3NetConfig | None = None,
    *,
    run: RunFolder | None = None,
    weights: LossWeights | None = None,
    freeze: str = "none",
    nodules: NumberNodules | None = None,
    validation: NumberNodules | None = None,
    target: TargetKind = TargetKind.HARD,
    fused: bool = True,
    decides: Callable[[M3NetModel], Mapping[str, Collection[str]]] | None = None,
    **settings: object,
) -> Engine:
    """An engine of this process alone."""
    of = of or config()
    model = M3NetModel(build(of, seed=0))
    given: dict[str, object] = {
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "device": "cpu",
    }
    experiment = Experiment(
        model=model,
        criterion=Criterion(weights or LossWeights()),
        settings=RunSettings.model_validate(given | settings),
        train=nodules or NumberNodules(of),
        target=target,
        validation=validation,
        freeze=freeze,
        fused=fused,
        decides={"fused": set(model.network.state_dict())} if decides is None else decides(model),
    )
    return Engine(experiment, run=run, processes=ALONE)


def folder(directory: Path, **settings: object) -> RunFolder:
    """A new run folder."""
    return RunFolder(directory, Settings.model_validate(settings), resume=False)


def write_cutouts(directory: Path, *, nodules: int = 24, place: str = "P") -> Path:
    """Spheres in lung, the malignant ones larger; two nodules a patient, and split.csv.

    place : what patients are called, and, but for P, nodules
    """
    stem = "n" if place == "P" else place
    rows, parts = ["file,patient_id,malignancy_scores"], ["name,part"]
    z, y, x = np.ogrid[:10, :20, :20]
    for kind in ("image", "mask"):
        (directory / kind).mkdir(parents=True)
    for i in range(nodules):
        malignant = i % 2 == 1
        radius = 4.5 if malignant else 2.5
        mask = (z - 5) ** 2 + (y - 10) ** 2 + (x - 10) ** 2 <= radius**2
        random = np.random.default_rng(i)
        hu = np.where(mask, 30, -850) + random.normal(0, 40, mask.shape)
        for kind, voxels in (("image", hu.astype(np.int16)), ("mask", mask.astype(np.uint8))):
            image = sitk.GetImageFromArray(voxels)
            image.SetSpacing((0.7, 0.7, 1.25))
            sitk.WriteImage(image, str(directory / kind / f"{stem}{i}.nii.gz"))
        rows.append(f"{stem}{i}.nii.gz,{place}{i // 2},{'5 4 4' if malignant else '1 2 3'}")
        part = ("train", "train", "train", "train", "validation", "test")[i // 2 % 6]
        parts.append(f"{stem}{i},{part}")
    (directory / "labels.csv").write_text("\n".join(rows) + "\n")
    (directory / "split.csv").write_text("\n".join(parts) + "\n")
    return directory


def write_config(path: Path, cutouts: Path, **sections: dict[str, object]) -> Path:
    """A config file of the narrow network on these cut-outs."""
    changes = config().to_json()
    content = {
        "run": {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "device": "cpu"},
        "network": {"preset": "small", "changes": changes},
        "data": {"directory": str(cutouts), "split": str(cutouts / "split.csv")},
    }
    for name, section in sections.items():
        content[name] = {**content.get(name, {}), **section}
    path.write_text(json.dumps(content))
    return path


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(path.read_text().splitlines()))
