"""One request to store: its parts one after the other through the intake, as an association's.

It is a sender: from its first object to its end no study is quiet that it brought something to.
Everything here waits for disk and database, so it runs in a thread, one call at a time.  While one
object is being kept - its file and its row are synced - the bytes of the next are written already.
Objects are kept one after the other, in their order: the last of two versions is the current one.
"""

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from http import HTTPStatus
from typing import Literal

from pydicom.uid import UID
from sqlalchemy.exc import SQLAlchemyError

from node.core.errors import CANNOT_UNDERSTAND, SOP_CLASS_MISMATCH, NotNow, Refused, TooLarge
from node.core.sender import Sender, SenderKind
from node.dicom.content_type import content_type
from node.dicom.header_text import is_uid
from node.dicom.limits import MOST_PARTS
from node.dicom.sop_classes import is_accepted
from node.dicom.transfer_syntaxes import is_keepable
from node.inbound.identifiers import Identifiers
from node.inbound.intake import Intake
from node.inbound.senders import Senders
from node.inbound.streamed import StreamedFile
from node.logs import event
from node.web.dicomweb.outcome import (
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    TRANSFER_SYNTAX_NOT_SUPPORTED,
    Failed,
    Outcome,
)

DICOM = "application/dicom"
_TAKEN = frozenset({DICOM, "application/octet-stream"})
"""Media types of a part that is looked into; what is in it says what it is."""


class CutShort(Exception):
    """The rest of the body is not read; `status` says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class Transaction:
    """Takes parts (`node.dicom.multipart.TakesParts`); then `finish` it, and in any case `close`.

    outcome   : what became of the objects, once it is finished or closed
    keeper    : has a thread for this transaction to keep an object on
    decodable : transfer syntaxes whose pixels are decoded here
    study     : the Study Instance UID that every object has to have; None for any
    """

    def __init__(
        self,
        *,
        intake: Intake,
        keeper: Executor,
        senders: Senders,
        peer: str,
        accept: Literal["all", "listed"],
        decodable: Collection[str],
        max_object_bytes: int,
        study: str | None,
    ) -> None:
        self.outcome = Outcome()
        self._intake = intake
        self._keeper = keeper
        self._keeping: Future[None] | None = None
        self._senders = senders
        self.peer = peer
        self._accept = accept
        self._decodable = decodable
        self._most_bytes = 2 * max_object_bytes
        self._study = study
        self._row: int | None = None
        self._parts = 0
        self._part: StreamedFile | Refused | None = None
        self._part_bytes = 0

    def begin(self, header: Mapping[str, str]) -> None:
        """An object begins.  Raises CutShort if there were more than anybody sends."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise CutShort(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._part_bytes = 0
        said = content_type(header.get("content-type") or DICOM)
        if said is None or said.type not in _TAKEN:
            self._part = Refused(CANNOT_UNDERSTAND, "the part is not of type application/dicom")
            return
        syntax = said.parameters.get("transfer-syntax", "")
        self._part = StreamedFile(
            self._intake, self._judge, syntax=syntax if is_uid(syntax) else ""
        )

    def data(self, data: memoryview) -> None:
        """Its next bytes.  Raises CutShort if the part goes on long after it is lost."""
        self._part_bytes += len(data)
        part = self._part
        if isinstance(part, StreamedFile):
            part.write(data)
            if self._part_bytes > self._most_bytes:
                self._settle()
                self._failed(TooLarge("the object is larger than receiver.max_object_mb"), part.ids)
                raise CutShort(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._part_bytes > self._most_bytes:
            raise CutShort(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def end(self) -> None:
        """The object will be kept, or it is known why not.  Raises CutShort as `finish` does."""
        part, self._part = self._part, None
        try:
            self._settle()
        except CutShort:
            if isinstance(part, StreamedFile):
                part.close()
            raise
        if isinstance(part, StreamedFile):
            self._keeping = self._keeper.submit(self._keep, part, self._part_bytes)
        elif part is not None:
            self._failed(part)

    def finish(self) -> None:
        """Every object is kept, or it is known why not.

        Raises CutShort if one could not be kept just now.
        """
        self._settle()

    def close(self) -> None:
        """What has not come whole is gone, and the sender has ended."""
        part, self._part = self._part, None
        if isinstance(part, StreamedFile):
            event("dicomweb.lost", level=logging.WARNING, peer=self.peer)
            part.close()
        with suppress(CutShort):
            self._settle()
        if self._row is not None:
            self._senders.close(self._row)

    def _settle(self) -> None:
        """No object is being kept."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.result()

    def _keep(self, part: StreamedFile, size: int) -> None:
        with part:
            self._try_to_keep(part, size)

    def _try_to_keep(self, part: StreamedFile, size: int) -> None:
        try:
            if not size:
                raise Refused(CANNOT_UNDERSTAND, "the part is empty")
            ids = part.finish()
            part.keep(self._row_of_this())
            self.outcome.stored.append(ids)
        except Refused as refused:
            self._failed(refused, part.ids)
        except (OSError, SQLAlchemyError) as error:
            # Each of many objects would wait as long for it once more.
            self._failed(NotNow(error), part.ids)
            raise CutShort(HTTPStatus.SERVICE_UNAVAILABLE) from error
        except Exception as error:
            # An outer loop: the client is answered, and its other objects are taken.
            event("store.failed", level=logging.ERROR, error=error, peer=self.peer)
            self._failed(Refused(PROCESSING_FAILURE, "unexpected error in this node"), part.ids)

    def _failed(self, refused: Refused, ids: Identifiers | None = None) -> None:
        self.outcome.failed.append(Failed(ids=ids, refused=refused))
        event(
            "store.refused",
            level=logging.WARNING,
            status=f"{refused.status:04X}",
            comment=refused.comment,
            sop_instance_uid=ids.sop_instance_uid if ids else "(not read)",
            peer=self.peer,
        )

    def _judge(self, ids: Identifiers, syntax: str) -> None:
        """What a presentation context, or the address that was posted to, decides."""
        if not is_accepted(UID(ids.sop_class_uid), self._accept):
            raise Refused(SOP_CLASS_NOT_SUPPORTED, "this SOP class is not accepted")
        if not (syntax in self._decodable or is_keepable(UID(syntax))):
            raise Refused(TRANSFER_SYNTAX_NOT_SUPPORTED, "this transfer syntax is not accepted")
        if self._study is not None and ids.study_instance_uid != self._study:
            raise Refused(SOP_CLASS_MISMATCH, "it is of another study than the address names")

    def _row_of_this(self) -> int:
        if self._row is None:
            sender = Sender(kind=SenderKind.DICOMWEB, name="STOW-RS", peer=self.peer)
            self._row = self._senders.open(sender)
            event("dicomweb.delivers", transaction=self._row, peer=self.peer)
        return self._row
