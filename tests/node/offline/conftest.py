"""Folders of studies, and the call that judges them with weights that know nothing."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset

from node.config import NodeConfig
from node.offline import Analysis, analyse_paths
from tests.acceptance import studies

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UNTRAINED = NodeConfig.model_validate(
    {"model": {"weights": "untrained", "device": "cpu"}, "results": {"max_frames": 2}}
)

Call = Callable[..., Analysis]


def write(folder: Path, datasets: Iterable[Dataset]) -> Path:
    """The objects as files whose names say nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{number:04d}", enforce_file_format=True)
    return folder


@pytest.fixture(scope="session")
def marked() -> list[Dataset]:
    """A CT of 40 slices with one marked nodule."""
    return studies.marked(studies.phantom("offline", slices=40))


@pytest.fixture
def study(tmp_path: Path, marked: list[Dataset]) -> Path:
    return write(tmp_path / "in", marked)


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """`analyse_paths` into `tmp_path / "out"`."""

    def analyse(*paths: Path) -> Analysis:
        return analyse_paths(
            paths, out=tmp_path / "out", config=UNTRAINED, device="cpu", clock=lambda: NOW
        )

    return analyse
