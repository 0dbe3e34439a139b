"""Who brought something: an application entity over DIMSE, a DICOMweb client, a disk, a source."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SenderKind(StrEnum):
    """The way on which it came."""

    DIMSE = "dimse"
    DICOMWEB = "dicomweb"
    FILE = "file"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One sender for as long as it sends: an association, a DICOMweb transaction,
    one run of `m3node ingest`, or a source that was asked.

    name   : the calling AE title; the source's name; else what took them in
    called : the called AE title; None where nobody is called
    peer   : the address that it sends from; None on this machine
    """

    kind: SenderKind
    name: str
    called: str | None = None
    peer: str | None = None

    def told(self) -> Mapping[str, Any]:
        """What the diary holds of it, in the words of its kind."""
        match self.kind:
            case SenderKind.DIMSE:
                return {"calling_ae": self.name, "called_ae": self.called, "peer": self.peer}
            case SenderKind.DICOMWEB:
                return {"name": self.name, "peer": self.peer}
            case SenderKind.FILE | SenderKind.SOURCE:
                return {"name": self.name}
