"""The certificates that a port shows and judges by, as they are on disk now.

Files are looked at for each connection.  What cannot be used is said, and what was there before
goes on: a certificate is often replaced file by file, and a mistake must not shut anybody out.
"""

import logging
import ssl
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from node.core.errors import ConfigError
from node.dicom.tls import SOON, ClientCertificate, Version, accepting, own_certificate
from node.logs import event

_State = tuple[tuple[int, int, int, int] | None, ...]


class Certificates:
    """How connections are secured; any number of threads may ask.

    key       : of the configuration that names the files: "receiver.tls", "web"
    ca_file   : of the authorities that a client's certificate is judged by

    Raises ConfigError if it cannot be done with the files as they are.
    """

    def __init__(
        self,
        key: str,
        *,
        certificate_file: Path,
        key_file: Path | None,
        ca_file: Path | None = None,
        client_certificate: ClientCertificate = "none",
        minimum_version: Version = "1.2",
    ) -> None:
        self._key = key
        self._role = key.partition(".")[0]
        self._certificate_file, self._key_file = certificate_file, key_file
        self._accepting = partial(
            accepting,
            certificate_file=certificate_file,
            key_file=key_file,
            ca_file=ca_file,
            client_certificate=client_certificate,
            minimum_version=minimum_version,
        )
        named = (certificate_file, key_file, ca_file)
        self._files = [file for file in named if file is not None]
        self._lock = threading.Lock()
        self._state = self._look()
        self._context = self._read()

    def context(self) -> ssl.SSLContext:
        """What the files say, or said when they could last be used."""
        state = self._look()
        with self._lock:
            if state != self._state:
                self._state = state
                try:
                    self._context = self._read()
                except ConfigError as error:
                    event(f"{self._role}.certificates_unusable", level=logging.ERROR, error=error)
            return self._context

    def _look(self) -> _State:
        return tuple(_state_of(file) for file in self._files)

    def _read(self) -> ssl.SSLContext:
        try:
            context = self._accepting()
            own = own_certificate(self._certificate_file, self._key_file, of="server")
        except ConfigError as error:
            raise ConfigError(f"{self._key}: {error}") from error
        left = own.ends - datetime.now(UTC)
        event(
            f"{self._role}.certificate",
            level=logging.WARNING if left < SOON else logging.INFO,
            subject=own.subject,
            ends=own.ends.date().isoformat(),
            days_left=left.days,
        )
        return context


def _state_of(file: Path) -> tuple[int, int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
