"""How a peer at a TCP port is called over TLS, whatever is spoken to it then."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from node.core.errors import ConfigError, DestinationUnreachable
from node.dicom.tls import calling


class CalledHost(Protocol):
    """What the sections of all peers that are called at a TCP port say alike."""

    @property
    def host(self) -> str:
        """Host name or address."""
        ...

    @property
    def port(self) -> int:
        """TCP port."""
        ...

    @property
    def tls(self) -> bool:
        """Whether it is called over TLS."""
        ...

    @property
    def ca_file(self) -> Path | None:
        """Who signs its certificate."""
        ...

    @property
    def certificate_file(self) -> Path | None:
        """The certificate that is shown to it."""
        ...

    @property
    def key_file(self) -> Path | None:
        """The private key of that."""
        ...

    @property
    def server_name(self) -> str | None:
        """The name that its certificate has to be of."""
        ...

    @property
    def timeout_s(self) -> float:
        """Longest silence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """What `ssl` needs for it.

    name : that the certificate has to be of; None: any
    """

    context: ssl.SSLContext
    name: str | None


def secured(config: CalledHost) -> Secured | None:
    """How it is called over TLS, the files read anew, since they change; None: in the clear.

    Raises DestinationUnreachable if they cannot be used: they may be about to be replaced.
    """
    if not config.tls:
        return None
    name = (config.host if config.server_name is None else config.server_name) or None
    try:
        context = calling(
            ca_file=config.ca_file,
            certificate_file=config.certificate_file,
            key_file=config.key_file,
            compares_name=name is not None,
        )
    except ConfigError as error:
        raise DestinationUnreachable(f"cannot be called over TLS: {error}") from error
    return Secured(context=context, name=name)
