"""A small PACS for the demo and the tests: it takes what it is sent and writes it to a folder."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from pydicom import Dataset, dcmread
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
_DEFERRED_BYTES = 1 << 16


class ReceivingSCP:
    """A Storage SCP on loopback that keeps everything, within a `with` block.

    directory  : one file an arrival, 0001.dcm, 0002.dcm ... in order
    refuse_next: so many C-STOREs are answered with A700 from now on
    """

    def __init__(self, directory: Path, *, ae_title: str = "DEMO_PACS", port: int = 0) -> None:
        self.directory = directory
        self.ae_title = ae_title
        self.refuse_next = 0
        self._arrived: list[Path] = []
        self._lock = threading.Lock()
        self._ae = AE(ae_title=ae_title)
        self._ae.supported_contexts = AllStoragePresentationContexts
        for context in self._ae.supported_contexts:
            context.transfer_syntax = list(ALL_TRANSFER_SYNTAXES)
        self._ae.add_supported_context("1.2.840.10008.1.1")  # Verification
        self._wanted_port = port
        self.port = port

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        server = self._ae.start_server(
            ("127.0.0.1", self._wanted_port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, _echo)],
        )
        if server is None or server.socket is None:
            raise OSError(f"no Storage SCP on port {self._wanted_port}")
        self.port = server.socket.getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ae.shutdown()

    def files(self) -> list[Path]:
        """Every arrival, the same object twice included, oldest first."""
        with self._lock:
            return list(self._arrived)

    def received(self, modality: str | None = None) -> list[Dataset]:
        """The arrivals; only those of one modality if it is given; pixels are read when used."""
        datasets = [dcmread(path, defer_size=_DEFERRED_BYTES) for path in self.files()]
        return [ds for ds in datasets if modality is None or ds.Modality == modality]

    def _store(self, event: Event) -> int:
        with self._lock:
            if self.refuse_next > 0:
                self.refuse_next -= 1
                return OUT_OF_RESOURCES
            # Numbered: a UID from the network never becomes a path.
            path = self.directory / f"{len(self._arrived) + 1:04d}.dcm"
            path.write_bytes(event.encoded_dataset())
            self._arrived.append(path)
        return SUCCESS


def _echo(event: Event) -> int:
    del event
    return SUCCESS
