"""The loop that all stages share.

for each epoch            cosine from the first step of the run to its last
    for each step         a batch over all processes, in one or more micro-batches
        encoders          autocast on a GPU
        loss              of the whole batch, in fp32; a term that is not finite ends the run
        AdamW             gradients summed over processes
    validation            cross-entropy, AUC and accuracy of each output, on the paper's label
    checkpoint            also every so many steps: a killed run goes on from the last one
    a line on stderr      what the epoch gave
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from m3net.network import Outputs
from m3net.scales import Scale
from training.data import seeding
from training.data.errors import SettingsUnusable
from training.data.nodules import Epoch, Inputs, Nodules
from training.data.targets import TargetKind
from training.learn import checkpoint
from training.learn.distributed import Processes, WholeBatchDropout
from training.learn.losses import Criterion, NonFiniteLoss
from training.learn.models import Freeze, Model, frozen_parts, set_training
from training.learn.run_folder import RunFolder
from training.learn.settings import RunSettings
from training.measure import metrics

FUSED = "fused"
"""The name of the whole network's output beside those of its scales."""

Probabilities = Mapping[str, NDArray[np.float64]]
"""p(malignant), (N,), of each output: FUSED and the scales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is trained, on what, to what end.

    train, validation : validation may be absent; then the last weights are kept
    freeze            : what of the backbones stands still
    fused             : whether the fused output is trained; else the branches' own alone are
    decides           : for each output that is followed, the tensors that its best epoch decides
    """

    model: Model
    criterion: Criterion
    settings: RunSettings
    train: Nodules
    target: TargetKind
    validation: Nodules | None
    freeze: Freeze
    fused: bool
    decides: Mapping[str, Collection[str]]


@dataclass(slots=True, kw_only=True)
class _Standing:
    """Where a run is: `step` steps of `epoch` are done.  best : lowest cross-entropy per output."""

    epoch: int = 0
    step: int = 0
    best: dict[str, float] = field(default_factory=dict)


def learning_rate(step: int, *, steps: int, settings: RunSettings) -> float:
    """Of one step of the run: up from 0 for the warm-up, then half a cosine down to 0."""
    warm = settings.warmup_steps
    if step < warm:
        return settings.learning_rate * (step + 1) / (warm + 1)
    done = (step - warm) / max(1, steps - warm)
    return settings.learning_rate * (1 + math.cos(math.pi * done)) / 2


def precision(settings: RunSettings, device: torch.device) -> torch.dtype | None:
    """What autocast computes in; None: no autocast.

    Raises SettingsUnusable for less than fp32 on a CPU: in 2 runs of 6 oneDNN (torch 2.13,
    AVX512-BF16) gave a gradient of a 3D convolution that was not finite, of finite inputs.
    """
    if device.type == "cpu" and settings.amp in {"bf16", "fp16"}:
        raise SettingsUnusable(f"run.amp {settings.amp} is for GPUs; use auto or off on a CPU")
    match settings.amp:
        case "off":
            return None
        case "bf16":
            return torch.bfloat16
        case "fp16":
            return torch.float16
        case "auto":
            if device.type == "cpu":
                return None
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


class Engine:
    """One experiment in one run folder, on however many processes."""

    def __init__(
        self, experiment: Experiment, *, run: RunFolder | None, processes: Processes
    ) -> None:
        """`run` is None in all processes but the first."""
        settings = experiment.settings
        parts = settings.accumulate * processes.count
        if settings.batch_size % parts or settings.batch_size // settings.accumulate < 2:
            raise SettingsUnusable(
                f"a batch of {settings.batch_size} cannot be shared by {processes.count} processes "
                f"in {settings.accumulate} micro-batches of two nodules or more; change "
                "run.batch_size or run.accumulate"
            )
        self.experiment, self.run, self.processes = experiment, run, processes
        self.model = experiment.model.to(processes.device)
        if processes.device.type == "cpu":
            for layer in self.model.modules():
                if isinstance(layer, nn.Conv3d):
                    # a step of `small` takes a fifth less; not measured on a GPU
                    layer.weight.data = layer.weight.to(memory_format=torch.channels_last_3d)
        self.criterion = experiment.criterion.to(processes.device)
        if processes.shares_norms:
            self.model = nn.SyncBatchNorm.convert_sync_batchnorm(self.model)  # type: ignore[no-untyped-call]  # torch
        # only now: a norm that was just replaced must be among what stands still
        self.frozen = frozen_parts(self.model, experiment.freeze)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self._groups(settings.decay),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.dtype = precision(settings, processes.device)
        self.scaler = torch.amp.GradScaler(
            processes.device.type, enabled=self.dtype is torch.float16
        )
        self.steps_per_epoch = len(self._batches(0))
        self.standing = _Standing()

    def _groups(self, decay: Literal["all", "matrices"]) -> list[dict[str, Any]]:
        """What the optimiser moves; the loss's own parameters never decay."""
        decaying = [p for p in self.trained if decay == "all" or p.ndim > 1]
        other = [p for p in self.trained if decay != "all" and p.ndim <= 1]
        other += [p for p in self.criterion.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [{"params": decaying}]
        return [*groups, {"params": other, "weight_decay": 0.0}] if other else groups

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.steps_per_epoch * self.experiment.settings.epochs

    def train(self, *, last: dict[str, Any] | None = None) -> Model:
        """The model with the weights that the settings select.

        last : the content of checkpoints/last.pt, to go on from there

        Raises NonFiniteLoss.
        """
        settings = self.experiment.settings
        if last is not None:
            self._go_on(last)
        while self.standing.epoch < settings.epochs:
            self._epoch()
            self.processes.average_buffers(self.model)
            self._finish_epoch()
        if settings.select == "best" and self.experiment.validation is not None:
            self._take_best()
        return self.experiment.model

    # one epoch

    def _epoch(self) -> None:
        set_training(self.model, self.frozen)
        standing, every = self.standing, self.experiment.settings.checkpoint_every_steps
        label = f"epoch {standing.epoch + 1}/{self.experiment.settings.epochs}"
        with self._progress() as progress:
            task = progress.add_task(label, total=self.steps_per_epoch, completed=standing.step)
            for micro_batches in self._load(standing.epoch, first=standing.step):
                terms = self._step(micro_batches)
                self._record(terms)
                standing.step += 1
                progress.advance(task)
                if self._at() % every == 0 and standing.step < self.steps_per_epoch:
                    self._write_last()

    def _step(self, micro_batches: Sequence[tuple[Inputs, Tensor]]) -> dict[str, float]:
        """One step of the optimiser; every term of the loss, mean over micro-batches."""
        experiment, standing = self.experiment, self.standing
        seed = experiment.settings.seed
        seeding.seed_step(seed=seed, epoch=standing.epoch, step=standing.step)
        rate = learning_rate(self._at(), steps=self.steps, settings=experiment.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for inputs, target in micro_batches:
            terms = self._loss(inputs, target)
            share = terms["total"] / len(micro_batches)
            self.scaler.scale(share).backward()  # type: ignore[no-untyped-call]  # torch
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item() / len(micro_batches)
        self.processes.sum_gradients(self.trained)
        self.scaler.unscale_(self.optimizer)
        self._check_gradients(clip=experiment.settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return {"learning_rate": rate, **sums}

    def _loss(self, inputs: Inputs, target: Tensor) -> dict[str, Tensor]:
        """Of the whole batch, whichever process asks."""
        gather, device = self.processes.gather, self.processes.device
        outputs = self._forward(inputs)
        fused = outputs.logits if self.experiment.fused else None
        wants_attention = fused is not None and self.criterion.weights.attention
        attention = list(outputs.attention.values()) if wants_attention else []
        terms: dict[str, Tensor] = self.criterion(
            target=gather(target.to(device)),
            fused_logits=None if fused is None else gather(fused),
            branch_logits={s: gather(x) for s, x in outputs.branch_logits.items()},
            latent={s: gather(z) for s, z in outputs.latents.items()},
            attention=[gather(weights) for weights in attention],
        )
        return terms

    def _forward(self, inputs: Inputs) -> Outputs:
        device = self.processes.device
        on_device = {name: x.to(device, non_blocking=True) for name, x in inputs.items()}
        with self._autocast(), WholeBatchDropout(self.processes):
            outputs: Outputs = self.model(on_device)
        return outputs

    def _autocast(self) -> AbstractContextManager[object]:
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.processes.device.type, dtype=self.dtype)

    def _check_gradients(self, *, clip: float) -> None:
        """Finite, or the run ends; fp16's scaler looks itself, and skips such a step."""
        norm = nn.utils.clip_grad_norm_(self.trained, clip or math.inf)
        if not self.scaler.is_enabled() and not bool(torch.isfinite(norm)):
            named = self.model.named_parameters()
            name = next(n for n, p in named if p.grad is not None and not p.grad.isfinite().all())
            raise NonFiniteLoss(
                f"the gradient of {name} is not finite though the loss is; lower the learning rate "
                "or set run.clip_norm"
            )

    # data

    def _batches(self, epoch: int) -> Sequence[Sequence[int]]:
        settings = self.experiment.settings
        return seeding.batches(
            nodules=len(self.experiment.train.labels),
            batch_size=settings.batch_size,
            seed=settings.seed,
            epoch=epoch,
        )

    def _load(self, epoch: int, *, first: int) -> Iterator[list[tuple[Inputs, Tensor]]]:
        """This process's micro-batches of each step from `first` on."""
        settings, processes = self.experiment.settings, self.processes
        size = settings.batch_size // settings.accumulate // processes.count
        mine: list[list[int]] = []
        for batch in self._batches(epoch)[first:]:
            for part in range(settings.accumulate):
                start = (part * processes.count + processes.rank) * size
                mine.append(list(batch[start : start + size]))
        shown = Epoch(
            self.experiment.train, target=self.experiment.target, seed=settings.seed, epoch=epoch
        )
        loader = DataLoader(shown, batch_sampler=mine, num_workers=settings.workers)
        loaded = iter(loader)
        for _ in range(len(mine) // settings.accumulate):
            yield [next(loaded) for _ in range(settings.accumulate)]

    # the end of an epoch

    def _finish_epoch(self) -> None:
        """Validated, recorded, and the checkpoint says that the next epoch begins."""
        experiment, standing = self.experiment, self.standing
        found: dict[str, float] = {}
        if experiment.validation is not None:
            found = self._validate(experiment.validation)
        if self.run is not None:
            rows = [r for r in self.run.rows("losses.csv") if int(r["epoch"]) == standing.epoch]
            means = {
                name: float(np.mean([row[name] for row in rows]))
                for name in rows[0]
                if name not in {"epoch", "step", "learning_rate"}
            }
            row = {"epoch": standing.epoch, **means, **found}
            self.run.append("metrics.csv", row, step=self._at())
            self._say(means["total"], found)
        standing.epoch, standing.step = standing.epoch + 1, 0
        self._write_last()

    def _validate(self, nodules: Nodules) -> dict[str, float]:
        truth = np.array([label.malignant for label in nodules.labels])
        found: dict[str, float] = {}
        for output, p in predict(nodules, engine=self).items():
            own = np.clip(np.where(truth, p, 1 - p), 1e-7, None)
            entropy = float(-np.log(own).mean())
            found[f"validation_{output}_ce"] = entropy
            found[f"validation_{output}_auc"] = metrics.roc_auc(truth, p)
            found[f"validation_{output}_accuracy"] = float(((p >= 0.5) == truth).mean())
            if output in self.experiment.decides and entropy < self.standing.best.get(
                output, math.inf
            ):
                self.standing.best[output] = entropy
                self._write_best(output)
        return found

    # checkpoints

    def _write_last(self) -> None:
        if self.run is None:
            return
        standing = self.standing
        content = {
            "epoch": standing.epoch,
            "step": standing.step,
            "best": dict(standing.best),
            "model": self.experiment.model.state_dict(),
            "criterion": self.criterion.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        checkpoint.write(self.run.checkpoints / "last.pt", content)

    def _write_best(self, output: str) -> None:
        """The tensors that this output decides, beside those that others decided before."""
        if self.run is None or self.experiment.settings.select != "best":
            return
        path, decides = self.run.checkpoints / "best.pt", self.experiment.decides[output]
        state = self.experiment.model.network.state_dict()
        kept = checkpoint.read(path) if path.exists() else dict(state)
        kept |= {name: state[name] for name in decides}
        checkpoint.write(path, kept)

    def _take_best(self) -> None:
        path = [self.run.checkpoints / "best.pt" if self.run is not None else None]
        (found,) = [each for each in self.processes.gather_objects(path[0]) if each is not None]
        self.experiment.model.network.load_state_dict(checkpoint.read(found))

    def _go_on(self, last: dict[str, Any]) -> None:
        self.standing = _Standing(epoch=last["epoch"], step=last["step"], best=dict(last["best"]))
        self.experiment.model.load_state_dict(last["model"])
        self.criterion.load_state_dict(last["criterion"])
        self.optimizer.load_state_dict(last["optimizer"])
        self.scaler.load_state_dict(last["scaler"])
        if self.run is not None:
            self.run.forget_after(epoch=self.standing.epoch, step=self.standing.step)

    # what is seen

    def _at(self) -> int:
        """Steps of the run that are done."""
        return self.standing.epoch * self.steps_per_epoch + self.standing.step

    def _record(self, terms: Mapping[str, float]) -> None:
        if self.run is not None:
            row = {"epoch": self.standing.epoch, "step": self.standing.step, **terms}
            self.run.append("losses.csv", row, step=self._at())

    def _say(self, loss: float, found: Mapping[str, float]) -> None:
        """A line an epoch, for whoever watches and for the log."""
        assert self.run is not None  # noqa: S101
        epoch = f"epoch {self.standing.epoch + 1}/{self.experiment.settings.epochs}"
        words = [f"{self.run.directory.name}: {epoch}", f"loss {loss:.4f}"]
        words += [
            f"{key.removeprefix('validation_').removesuffix('_auc')} AUC {value:.3f}"
            for key, value in found.items()
            if key.endswith("_auc")
        ]
        Console(stderr=True).print("  ".join(words), highlight=False, soft_wrap=True)

    def _progress(self) -> Progress:
        """A bar where a terminal watches the first process."""
        console = Console(stderr=True)
        unseen = self.run is None or not console.is_terminal
        return Progress(console=console, disable=unseen, transient=True)


class AsServed(Dataset[dict[str, Tensor]]):
    """Nodules as torch's loader wants them, as they are served."""

    def __init__(self, nodules: Nodules) -> None:
        self._nodules = nodules

    def __len__(self) -> int:
        return len(self._nodules.labels)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return dict(self._nodules.item(index, None))


def predict(nodules: Nodules, *, engine: Engine) -> Probabilities:
    """p(malignant) of every nodule as served, each process taking its share, in batches."""
    processes, settings = engine.processes, engine.experiment.settings
    mine = range(processes.rank, len(nodules.labels), processes.count)
    size = settings.batch_size // settings.accumulate // processes.count
    batches = [list(mine[start : start + size]) for start in range(0, len(mine), size)]
    loader = DataLoader(AsServed(nodules), batch_sampler=batches, num_workers=settings.workers)
    found: list[tuple[int, dict[str, float]]] = []
    engine.model.eval()
    with torch.no_grad():
        for indices, inputs in zip(batches, loader, strict=True):
            outputs = engine._forward(inputs)
            logits: dict[str, Tensor] = {s.value: x for s, x in outputs.branch_logits.items()}
            if engine.experiment.fused:
                logits[FUSED] = outputs.logits
            p = {o: functional.softmax(x.float(), dim=1)[:, 1] for o, x in logits.items()}  # (B,)
            each = {o: values.cpu().tolist() for o, values in p.items()}
            found += [(i, {o: each[o][n] for o in each}) for n, i in enumerate(indices)]
    everyone = sorted(
        (pair for share in processes.gather_objects(found) for pair in share),
        key=lambda pair: pair[0],
    )
    outputs_named = [FUSED] if engine.experiment.fused else []
    outputs_named += [s for s in Scale if everyone and s in everyone[0][1]]
    return {o: np.array([p[o] for _, p in everyone]) for o in outputs_named}
