"""Objects kept as if they had come, for tests of what is handed out."""

from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset

from tests.node.web.serving import Served


def keep(served: Served, datasets: Sequence[Dataset], folder: Path) -> None:
    """They are stored, each in the transfer syntax of its File Meta."""
    for number, dataset in enumerate(datasets):
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        keep_file(served, path)


def keep_file(served: Served, path: Path) -> None:
    """The file is stored as it is."""
    served.services.intake.accept_file(path, sender_id=None)


def address(dataset: Dataset, level: str = "instance") -> str:
    """The path of the study, series or instance, from the root of the server."""
    path = f"/dicom-web/studies/{dataset.StudyInstanceUID}"
    if level != "study":
        path += f"/series/{dataset.SeriesInstanceUID}"
    if level == "instance":
        path += f"/instances/{dataset.SOPInstanceUID}"
    return path
