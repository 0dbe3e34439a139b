"""A destination that takes results over DICOMweb (STOW-RS, PS3.18 10.5).

One object a request, over one connection, from the file as it lies in the spool: an object is
confirmed as soon as it is stored, and what one answer says is of one object.  That costs little: a
request of 10 kB and its answer take 8 ms on a busy machine, and 600 MB leave without a megabyte of
memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from io import SEEK_END, BytesIO
from typing import BinaryIO
from uuid import uuid4

from pydicom import Dataset, dcmwrite

from node.calling.http import Service
from node.calling.http_answer import failure
from node.config import DicomwebDestination
from node.core.errors import DestinationError, VariantRejected
from node.dicom.compression import plain
from node.outbound.destination import OnBegun, OnStored, OutgoingObject, nobody_asks
from node.outbound.stow_answer import status_in

_JSON = "application/dicom+json"
_NO_SEARCH_HERE = frozenset({405, 501})
_PIECE = 1 << 16


class DicomwebService:
    """One DICOMweb origin server."""

    def __init__(self, config: DicomwebDestination) -> None:
        self._config = config

    def send(
        self,
        objects: Sequence[OutgoingObject],
        on_stored: OnStored,
        *,
        on_begun: OnBegun = nobody_asks,
    ) -> None:
        """Store the objects one by one, each with its own answer read.

        Nothing is negotiated here: what is refused as it is stored is sent once more uncompressed,
        and so is then all that follows.
        """
        as_stored = self._config.compressed
        with Service(self._config) as service:
            for each in objects:
                on_begun(each)
                status = None
                if not each.transfer_syntax_uid.is_encapsulated:
                    status = self._store(service, each, _as_it_is(each))
                elif as_stored:
                    status = self._store_compressed(service, each)
                    as_stored = status is not None
                if status is None:
                    status = self._store(service, each, _encoded(plain(each.read())))
                on_stored(each, status)

    def verify(self) -> None:
        """A search for one study is answered; servers that only store may refuse to search."""
        with Service(self._config) as service:
            answer = service.ask(
                "GET", "/studies", params={"limit": "1"}, headers={"Accept": _JSON}
            )
        error = failure(answer, where=self._config.url)
        if error is not None and answer.status not in _NO_SEARCH_HERE:
            raise error

    def _store_compressed(self, service: Service, sent: OutgoingObject) -> int | None:
        """The status of the object; None if it may be its encoding that is not wanted."""
        try:
            return self._store(service, sent, _as_it_is(sent))
        except VariantRejected:
            raise
        except DestinationError as error:
            if error.sop_instance_uid is None:
                raise
            return None

    def _store(
        self, service: Service, sent: OutgoingObject, part10: AbstractContextManager[BinaryIO]
    ) -> int:
        with part10 as file:
            body = _OnePart(file)
            answer = service.ask(
                "POST",
                "/studies",
                headers={"Accept": _JSON, "Content-Type": body.content_type},
                body=body,
            )
        return status_in(answer, sent, where=self._config.url)


class _OnePart:
    """A multipart/related body (RFC 2387) of one file, read as it goes out."""

    def __init__(self, file: BinaryIO) -> None:
        boundary = uuid4().hex
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
        self._size = len(head) + file.seek(0, SEEK_END) + len(tail)
        file.seek(0)
        self._pieces: list[BinaryIO] = [BytesIO(head), file, BytesIO(tail)]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self.read, _PIECE), b"")

    def read(self, size: int = -1) -> bytes:
        """The next bytes, of one piece at a time; b"" at the end."""
        while self._pieces:
            read = self._pieces[0].read(size)
            if read:
                return read
            del self._pieces[0]
        return b""


def _as_it_is(sent: OutgoingObject) -> AbstractContextManager[BinaryIO]:
    """The object as a file: its own where it lies in the spool, else one in memory."""
    return _encoded(sent.read()) if sent.path is None else sent.path.open("rb")


def _encoded(dataset: Dataset) -> BinaryIO:
    file = BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file
