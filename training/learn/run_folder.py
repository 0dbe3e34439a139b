"""The folder of one run.

config.json        all settings, defaults included; `--config` takes it
environment.json   versions, device, processes, and where the weights came from
losses.csv         a row per step: the learning rate and every weighted term of the loss
metrics.csv        a row per epoch: the terms' means, and each output on the validation part
tensorboard/       the same as curves
checkpoints/       last.pt: to go on; best.pt: the best tensors so far
weights.safetensors, weights.json   the trained network with its card
test.csv           name, patient, label and probabilities of the test part
validation.csv     the same of the validation part: what `m3train export` calibrates by
summary.json       what came of it
"""

import csv
import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from training.data.errors import SettingsUnusable
from training.data.files import replace_text, write_rows
from training.learn.settings import Settings

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Row = Mapping[str, float]
PACKAGES = ("m3node", "torch", "numpy", "scipy", "SimpleITK", "pydantic")


class RunFolder:
    """Where a run writes; the other processes of a run hold None."""

    def __init__(self, directory: Path, settings: Settings, *, resume: bool) -> None:
        """A new folder, or one that goes on with the settings that it was begun with.

        One in which no step was taken yet, since what was asked for could not be run, is new.

        Raises SettingsUnusable if it holds a run and `resume` was not asked for, or another run.
        """
        self.directory = directory
        config = directory / "config.json"
        begun = config.exists() and (directory / "losses.csv").exists()
        if begun and not resume:
            raise SettingsUnusable(f"{directory} holds a run; use --resume, or another --out")
        if begun and (differing := _differences(config, settings)):
            raise SettingsUnusable(
                f"{directory} was begun with other settings: {', '.join(differing)} differ; leave "
                f"them as they are in {config}, or use another --out"
            )
        for each in (directory, self.checkpoints, directory / "tensorboard"):
            each.mkdir(parents=True, exist_ok=True)
        replace_text(directory / "config.json", settings.model_dump_json(indent=2))
        self._board: SummaryWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._board is not None:
            self._board.close()

    @property
    def checkpoints(self) -> Path:
        """The folder of both checkpoints."""
        return self.directory / "checkpoints"

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """Versions and machine, and `facts`."""
        versions = {}
        for package in PACKAGES:
            try:
                versions[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                versions[package] = "not installed as a package"
        machine = {"python": platform.python_version(), "system": platform.platform()}
        self.write_json("environment.json", {**machine, "packages": versions, **facts})

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """A JSON file, whole or not at all."""
        replace_text(self.directory / name, json.dumps(content, indent=2, default=str))

    def read_json(self, name: str) -> dict[str, Any]:
        """What `write_json` wrote."""
        content: dict[str, Any] = json.loads((self.directory / name).read_text(encoding="utf-8"))
        return content

    def write_table(self, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        """A CSV file, whole or not at all; the first row names the columns."""
        write_rows(self.directory / name, list(rows))

    def append(self, name: str, row: Row, *, step: int) -> None:
        """One more row of losses.csv or metrics.csv, and of its curves at this step of the run."""
        path = self.directory / name
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        for key, value in row.items():
            if key not in {"epoch", "step"}:
                self._curves(step).add_scalar(f"{path.stem}/{key}", value, step)

    def rows(self, name: str) -> list[dict[str, float]]:
        """What was appended."""
        path = self.directory / name
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]

    def forget_after(self, *, epoch: int, step: int) -> None:
        """Rows written after the checkpoint that the run goes on from are gone.

        A line cut off by a crash is among them: the checkpoint is younger than every whole one.
        """
        for name in ("losses.csv", "metrics.csv"):
            path = self.directory / name
            if not path.exists():
                continue
            header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            (columns,) = csv.reader([header])
            kept = [line for line in lines if _is_before(line, columns, epoch=epoch, step=step)]
            replace_text(path, header + "".join(kept))

    def _curves(self, step: int) -> "SummaryWriter":
        if self._board is None:
            # Imported here: it takes seconds, and reading a run needs none of it.
            from torch.utils.tensorboard import SummaryWriter

            where = str(self.directory / "tensorboard")
            self._board = SummaryWriter(where, purge_step=step)
        return self._board


def _is_before(line: str, columns: list[str], *, epoch: int, step: int) -> bool:
    """Whether a row was written when `step` steps of `epoch` were done; metrics end an epoch."""
    (cells,) = csv.reader([line])
    if not line.endswith("\n") or len(cells) != len(columns):
        return False
    row = dict(zip(columns, cells, strict=True))
    at = int(row["epoch"])
    return at < epoch or (at == epoch and "step" in row and int(row["step"]) < step)


def _differences(config: Path, settings: Settings) -> list[str]:
    """ "section.key" of what a run's config says otherwise."""
    old, new = json.loads(config.read_text(encoding="utf-8")), settings.model_dump(mode="json")
    differing = []
    for section in sorted({*old, *new}):
        one, other = old.get(section), new.get(section)
        if isinstance(one, dict) and isinstance(other, dict):
            keys = sorted({*one, *other})
            differing += [f"{section}.{k}" for k in keys if one.get(k) != other.get(k)]
        elif one != other:
            differing.append(section)
    return differing
