"""Few-shot adaptation with replay (Sec. 4.3): a trained network meets another centre's nodules.

It learns from 20 malignant and 20 benign nodules of the new place and as many of the old training
part, so that what it knew is not lost.  Both places are measured before and after; no nodule that
was learnt from is tested.  A baseline, and a network of one branch, learn whole: they have no
fusion that could learn alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.data import seeding
from training.data.errors import SettingsUnusable
from training.data.labels import Label
from training.data.nodules import Joined, Nodules, Subset, choose_pairs
from training.data.sources import open_parts
from training.learn.engine import Engine
from training.learn.settings import FewShotSettings, Settings
from training.learn.stage1 import branch_stage
from training.learn.stage2 import joint_stage
from training.learn.stages import OpenRun, measure, open_run, write_outcome


def few_shot(settings: Settings, directory: Path, *, resume: bool = False) -> dict[str, Any]:
    """The summary of the run in `directory`: both places, before and after.

    [target] names the new place: its test part is divided into what is learnt from and the rest.

    Raises SettingsUnusable without a target or weights to start from.
    """
    if settings.target is None:
        raise SettingsUnusable("few-shot adapts to the nodules of [target], and there is none")
    if not settings.run.init:
        raise SettingsUnusable("few-shot adapts trained weights; give them with --init")
    shots = settings.few_shot
    if settings.network.baseline or settings.network.config().fusion.kind == "branch":
        stage = branch_stage("few-shot", settings)
    else:
        stage = joint_stage("few-shot", settings, freeze=shots.freeze)
    with open_run(settings, directory, resume=resume) as run:
        seed = settings.run.seed
        old = open_parts(settings.data, run.model.config)
        new = open_parts(settings.target, run.model.config).test
        if shared := {x.name for x in new.labels} & {x.name for x in old.train.labels}:
            raise SettingsUnusable(
                f"{len(shared)} nodules of [target] are in the training part of [data], first "
                f"{min(shared)}; divide them by the same split"
            )
        learnt, tested = divide(new, shots, random=seeding.for_choice(seed))
        replayed = replay(old.train, shots, random=seeding.for_choice(seed))
        # the new place may be the old one in another guise: same patients, thicker slices
        kept = without(old.test, learnt, shots)
        engine = run.engine(stage, train=Joined(learnt, replayed), validation=None)
        before = _both(engine, tested, kept, when="before") if run.last is None else None
        _write_shots(run, learnt, replayed)
        engine.train(last=run.last)
        after = _both(engine, tested, kept, when="after")
        if run.folder is not None and before is None:
            before = run.folder.read_json("before.json")
        summary = {"stage": stage.name, "before": before, "after": after, "test": after["new"]}
        note = f"adapted to {settings.target.directory.name} with {shots.pairs} pairs"
        write_outcome(run, stage, summary, note=note)
        return summary


def divide(
    nodules: Nodules, settings: FewShotSettings, *, random: np.random.Generator
) -> tuple[Subset, Subset]:
    """What is learnt from, and what is tested: disjoint, by patient unless told otherwise."""
    learnt = Subset(nodules, choose_pairs(nodules.labels, pairs=settings.pairs, random=random))
    return learnt, without(nodules, learnt, settings)


def without(nodules: Nodules, learnt: Nodules, settings: FewShotSettings) -> Subset:
    """Those of whose patient (or of which, as told) nothing was learnt."""
    used = {_owner(label, settings) for label in learnt.labels}
    tested = [i for i, label in enumerate(nodules.labels) if _owner(label, settings) not in used]
    return Subset(nodules, tested)


def replay(train: Nodules, settings: FewShotSettings, *, random: np.random.Generator) -> Subset:
    """Pairs of the old training part."""
    chosen = choose_pairs(train.labels, pairs=settings.replay_pairs, random=random)
    return Subset(train, chosen)


def _owner(label: Label, settings: FewShotSettings) -> str:
    return label.patient_id if settings.by == "patient" else label.name


def _both(engine: Engine, new: Nodules, old: Nodules, *, when: str) -> dict[str, Any]:
    """The new place and the old one; kept in a file, for a run that is killed after this."""
    found = {
        "new": measure(engine, new, table=f"new_{when}.csv"),
        "old": measure(engine, old, table=f"old_{when}.csv"),
    }
    if engine.run is not None:
        engine.run.write_json(f"{when}.json", found)
    return found


def _write_shots(run: OpenRun, learnt: Nodules, replayed: Nodules) -> None:
    if run.folder is None:
        return
    sources: Sequence[tuple[str, Nodules]] = [("new", learnt), ("old", replayed)]
    run.folder.write_table(
        "shots.csv",
        [
            {"name": x.name, "patient_id": x.patient_id, "malignant": int(x.malignant), "of": place}
            for place, nodules in sources
            for x in nodules.labels
        ],
    )
