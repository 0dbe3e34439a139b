"""What every kind of destination has in common; `connect` chooses the kind.

What a status means is said here once, for C-STORE and STOW-RS alike, since STOW-RS carries the
C-STORE statuses as its warning and failure reasons (PS3.18 10.5.3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from pydicom import Dataset
from pydicom.uid import UID

from node.core.errors import (
    DestinationNotReady,
    DestinationRefused,
    DestinationUnreachable,
    VariantRejected,
)
from node.dicom.statuses import Meaning, meaning
from node.persistence.rows import SentObject


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingObject:
    """One result object, ready to be sent.

    transfer_syntax_uid : in which `read` gives it
    read                : the object, from disk
    path                : of the file that is this very object; None if it is derived
    """

    sent: SentObject
    transfer_syntax_uid: UID
    read: Callable[[], Dataset]
    path: Path | None = None

    @property
    def sop_class_uid(self) -> str:
        """The storage class."""
        return self.sent.sop_class_uid

    @property
    def sop_instance_uid(self) -> str:
        """Its own UID."""
        return self.sent.sop_instance_uid


OnBegun = Callable[[OutgoingObject], None]
"""Called with each object before its first byte goes out: from then on it may be there."""
OnStored = Callable[[OutgoingObject, int], None]
"""Called with each object and its status as soon as the destination has confirmed it."""


def nobody_asks(_begun: OutgoingObject) -> None:
    """Nothing is done about an object that is begun."""


class Destination(Protocol):
    """Something that keeps DICOM objects for others to read."""

    def send(
        self,
        objects: Sequence[OutgoingObject],
        on_stored: OnStored,
        *,
        on_begun: OnBegun = nobody_asks,
    ) -> None:
        """All objects are stored there, in this order, compressed where that is taken.

        Raises VariantRejected if it does not take one of the storage classes (none of that class
        was sent), DestinationRefused if it will never take an object, DestinationUnreachable if
        another try may succeed soon, DestinationNotReady if one may once somebody has seen to it.
        """
        ...

    def verify(self) -> None:
        """It answers; raises like `send`."""
        ...


def require_stored(status: int, sent: OutgoingObject, *, said: str = "") -> None:
    """Nothing happens if the status means that the object is there; else the narrowest error.

    said : what the destination added in words, free of patient data
    """
    words = f"status {status:04X}" + (f" ({said})" if said else "")
    uid = sent.sop_instance_uid
    match meaning(status):
        case Meaning.STORED:
            return
        case Meaning.CLASS_NOT_SUPPORTED:
            raise VariantRejected(
                f"does not take SOP class {sent.sop_class_uid}: {words}",
                sop_class_uid=sent.sop_class_uid,
            )
        case Meaning.NO_ROOM:
            raise DestinationUnreachable(f"is out of resources: {words}", not_kept=True)
        case Meaning.REFUSED:
            raise DestinationRefused(f"refused {uid}: {words}", sop_instance_uid=uid, not_kept=True)
        case Meaning.NOT_NOW:
            raise DestinationNotReady(
                f"did not take {uid}: {words}, which is often passing",
                sop_instance_uid=uid,
                not_kept=True,
            )
        case Meaning.NOT_KNOWN:
            raise DestinationNotReady(
                f"answered {uid} with a warning that says nothing of storage: {words}; whether it "
                "is stored is not known",
                sop_instance_uid=uid,
            )
        case unforeseen:
            assert_never(unforeseen)
