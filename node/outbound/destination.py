"""What every kind of destination has in common; `connect` chooses the kind.

What a status means is said here once, for C-STORE and STOW-RS alike, since STOW-RS carries the
C-STORE statuses as its warning and failure reasons (PS3.18 10.5.3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom import Dataset

from node.core.errors import DestinationRefused, DestinationUnreachable, VariantRejected
from node.dicom.statuses import SOP_CLASS_NOT_SUPPORTED, STORED


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """One result object, ready to be sent."""

    artifact_id: int
    sop_class_uid: str
    sop_instance_uid: str
    path: Path


OnStored = Callable[[ArtifactFile, int], None]
"""Called with each object and its status as soon as the destination has confirmed it."""


class Destination(Protocol):
    """Something that keeps DICOM objects for others to read."""

    def send(self, artifacts: Sequence[ArtifactFile], on_stored: OnStored) -> None:
        """All artifacts are stored there, in this order.

        Raises VariantRejected if it does not take one of the storage classes (none of that class
        was sent), DestinationRefused if it will never take an object, DestinationUnreachable if
        another try may succeed.
        """
        ...

    def verify(self) -> None:
        """It answers; raises like `send`."""
        ...


def require_stored(status: int, artifact: ArtifactFile, *, said: str = "") -> None:
    """Nothing happens if the status means that the object is there; else the narrowest error.

    said : what the destination added in words, free of patient data
    """
    if status in STORED:
        return
    words = f"status {status:04X}" + (f" ({said})" if said else "")
    if status == SOP_CLASS_NOT_SUPPORTED:
        raise VariantRejected(
            f"does not take SOP class {artifact.sop_class_uid}: {words}",
            sop_class_uid=artifact.sop_class_uid,
        )
    if status & 0xFF00 == 0xA700:
        raise DestinationUnreachable(f"is out of resources: {words}")
    raise DestinationRefused(f"refused {artifact.sop_instance_uid}: {words}")


def without_identity(comment: str, dataset: Dataset) -> str:
    """The comment of a destination, unless it names the patient: it ends in logs and lists."""
    identifying = [
        *str(dataset.get("PatientName", "")).replace("=", "^").replace(" ", "^").split("^"),
        str(dataset.get("PatientID", "")),
        str(dataset.get("PatientBirthDate", "")),
        str(dataset.get("AccessionNumber", "")),
    ]
    if any(len(word) > 1 and word.casefold() in comment.casefold() for word in identifying):
        return "its comment names the patient and is withheld"
    return comment
