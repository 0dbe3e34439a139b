"""Table 1: what the nodules at hand are, beside what the paper says of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.labels import Label
from training.data.sources import open_folder
from training.tables.paper import printed_characteristics

READERS = "mean score above 3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """One line of Table 1."""

    attribution: str
    ours: str
    paper: str


def characteristics(
    data: Path, *, limit: int = 0, on_nodule: Callable[[], None] = lambda: None
) -> list[Characteristic]:
    """Of a folder of prepared crops or of cut-outs; limit: of the first so many alone, 0: all.

    Raises CropsUnusable, CutoutsUnusable.
    """
    folder = open_folder(data)
    labels = folder.labels[: limit or None]
    spacings, series = [], set()
    for label in labels:
        volume = folder.read(label).volume
        spacings.append(volume.spacing_mm)
        series.add(volume.series_instance_uid)
        on_nodule()
    named = series - {""}
    scans = f"{len(named):,} series" if named else "cut-outs do not name their series"
    return _table(labels, np.array(spacings), scans)


def _table(labels: Sequence[Label], spacing_mm: np.ndarray, scans: str) -> list[Characteristic]:
    paper = printed_characteristics()
    patients = len({label.patient_id for label in labels})
    malignant = sum(label.malignant for label in labels)
    readers = np.array([len(label.scores) for label in labels])
    z, in_plane = spacing_mm[:, 0], spacing_mm[:, 2]
    ours = {
        "CT numbers": f"{scans} (from {patients:,} subjects with a nodule)",
        "Nodules": (
            f"{len(labels):,} ({len(labels) - malignant:,} benign, {malignant:,} malignant: "
            f"{READERS})"
        ),
        "Readers per nodule": f"{readers.min()} to {readers.max()} (mean {readers.mean():.2f})",
        "Slice thickness": (
            f"distance of slices {z.min():.2f} to {z.max():.2f} mm (mean {z.mean():.2f} mm over "
            "nodules)"
        ),
        "Slice resolution": f"{in_plane.min():.2f} to {in_plane.max():.2f} mm per pixel",
        "Disease type": "not known: readers' suspicion, not histology",
    }
    return [
        Characteristic(attribution=name, ours=value, paper=paper.get(name, "-"))
        for name, value in ours.items()
    ]
