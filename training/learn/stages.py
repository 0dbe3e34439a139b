"""What every stage does around the loop: set up, train, measure on the test part, write it down."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from m3net.card import ModelCard
from m3net.config import M3NetConfig
from m3net.predict import choose_device
from m3net.scales import Scale
from m3net.weights import save_weights
from training.data.errors import SettingsUnusable
from training.data.nodules import Kept, Nodules
from training.data.sources import Parts
from training.learn import checkpoint
from training.learn.distributed import Processes, processes
from training.learn.engine import FUSED, Engine, Experiment, predict
from training.learn.init_weights import WITHOUT
from training.learn.losses import Criterion, LossWeights
from training.learn.models import (
    Freeze,
    M3NetModel,
    Model,
    build_model,
    fit_description,
    initialise_all,
)
from training.learn.run_folder import RunFolder
from training.learn.settings import Settings
from training.measure.evaluate import assess
from training.measure.predictions import TEST_TABLE, VALIDATION_TABLE, prediction_rows

MEANING = (
    "probability that radiologists would rate the nodule above 3 of 5 for suspicion of malignancy "
    "on average; not histology"
)
ATTRIBUTION = "LIDC-IDRI: Armato et al. 2011, TCIA, doi 10.7937/K9/TCIA.2015.LO9QL9SX, CC BY 3.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What tells one stage from another.

    fused   : whether the fused output is trained and measured, or the branches' own alone
    decides : as in `Experiment`
    """

    name: str
    weights: LossWeights
    freeze: Freeze
    fused: bool
    decides: Callable[[Model], Mapping[str, Collection[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that is set up: the model has its initial weights, the folder is there.

    at_random : scales whose backbone no file was given for
    folder    : None in all processes but the first
    last      : the checkpoint that the run goes on from; None for a new one
    """

    settings: Settings
    model: Model
    at_random: Sequence[Scale]
    folder: RunFolder | None
    last: dict[str, Any] | None
    processes: Processes

    def engine(self, stage: Stage, *, train: Nodules, validation: Nodules | None) -> Engine:
        """The loop for a stage on these nodules.

        Raises SettingsUnusable if there is nothing to train on, or if random backbones would stand
        still.
        """
        if not train.labels:
            data = self.settings.data
            raise SettingsUnusable(
                f"{stage.name} has nothing to train on: data.split = {data.split!r} puts no nodule "
                f"of {data.directory} into the training part; use another split"
            )
        if stage.freeze != "none" and self.last is None and self.at_random:
            raise SettingsUnusable(
                f"{stage.name} would freeze random backbones ({', '.join(self.at_random)}): give "
                f"trained ones with --init FILE, as stage 1 leaves them, or train all of them with "
                f"--set {stage.name.replace('-', '_')}.freeze=none"
            )
        if validation is not None and not validation.labels:
            validation = None
        if validation is not None:
            validation = Kept(validation)
        experiment = Experiment(
            model=self.model,
            criterion=Criterion(stage.weights),
            settings=self.settings.run,
            train=train,
            target=self.settings.data.target,
            validation=validation,
            freeze=stage.freeze,
            fused=stage.fused,
            decides=stage.decides(self.model),
        )
        return Engine(experiment, run=self.folder, processes=self.processes)


@contextmanager
def open_run(settings: Settings, directory: Path, *, resume: bool) -> Iterator[OpenRun]:
    """Everything but the nodules, ready; after it, all files are closed.

    Raises SettingsUnusable, WeightsError, InferenceError (no such device).
    """
    with processes(choose_device(settings.run.device)) as mine:
        model = build_model(settings.network, seed=settings.run.seed)
        path = directory / "checkpoints" / "last.pt"
        last = checkpoint.read(path) if resume and path.exists() else None
        starts, at_random = initialise_all(model, settings.run.init if last is None else ())
        run = OpenRun(
            settings=settings,
            model=model,
            at_random=at_random,
            folder=None,
            last=last,
            processes=mine,
        )
        if not mine.first:
            yield run
            return
        with RunFolder(directory, settings, resume=resume) as folder:
            if last is None:
                facts = {
                    "seed": settings.run.seed,
                    "device": str(mine.device),
                    "processes": mine.count,
                    "started_from": starts or [WITHOUT],
                }
                folder.write_environment(facts)
            yield replace(run, folder=folder)


def run_stage(run: OpenRun, stage: Stage, parts: Parts, *, note: str = "") -> dict[str, Any]:
    """Trained on one part, followed on another, measured on the third; the summary."""
    if stage.fused and run.last is None:
        fit_description(run.model, parts.train, run.processes)
    engine = run.engine(stage, train=parts.train, validation=parts.validation)
    engine.train(last=run.last)
    measured = measure(engine, parts.test, table=TEST_TABLE)
    if parts.validation.labels:
        measure(engine, parts.validation, table=VALIDATION_TABLE)
    summary = {"stage": stage.name, "test": measured, "train_nodules": len(parts.train.labels)}
    write_outcome(run, stage, summary, note=note)
    return summary


def measure(engine: Engine, nodules: Nodules, *, table: str) -> dict[str, Any]:
    """Each output on these nodules, as `m3train evaluate` says it; each nodule goes to `table`."""
    if not nodules.labels:
        return {}
    found = predict(nodules, engine=engine)
    if engine.run is None:
        return {}
    engine.run.write_table(table, prediction_rows(nodules.labels, found))
    return {output: assess(nodules.labels, p) for output, p in found.items()}


def write_outcome(run: OpenRun, stage: Stage, summary: Mapping[str, Any], *, note: str) -> None:
    """The weights with a card that says what they are, and summary.json."""
    if run.folder is None:
        return
    if isinstance(run.model, M3NetModel):
        card = _card(run.model.config, run.settings, stage, summary, note=note)
        save_weights(run.model.network, card, run.folder.directory / "weights.safetensors")
    else:
        # of a baseline: to start from, with --init; it has no card, since no node loads it
        tensors = {n: t.contiguous() for n, t in run.model.network.state_dict().items()}
        save_file(tensors, run.folder.directory / "weights.safetensors")
    # last: where it is, the run is finished
    run.folder.write_json("summary.json", summary)


def _card(
    config: M3NetConfig, settings: Settings, stage: Stage, summary: Mapping[str, Any], *, note: str
) -> ModelCard:
    """Weights whose deciding output was never trained say so: a node makes no calls with them."""
    decided = stage.fused or config.fusion.kind == "branch"
    output = FUSED if stage.fused else config.scales[0].value
    test = summary["test"].get(output, {}) if decided else {}
    words = f"{settings.data.directory.name}, split {settings.data.split}, {stage.name}"
    metrics = {key: float(test[key]) for key in ("auc", "accuracy", "ece") if key in test}
    return ModelCard(
        name=f"M3Net {config.preset}",
        version=f"{stage.name}-seed{settings.run.seed}",
        preset=config.preset,
        trained=decided,
        threshold=0.5 if decided else None,
        meaning=MEANING if decided else "branches alone: the fusion was not trained yet",
        preprocessing=config.preprocessing.in_words(),
        training_data=f"{words}; {note}" if note else words,
        licence="Apache-2.0",
        metrics={k: v for k, v in metrics.items() if np.isfinite(v)},
        attribution=ATTRIBUTION,
    )
