"""Certificates as `m3node check` sees them: ours, those of our peers, and of whom we trust."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from node.config import (
    DicomwebDestination,
    DicomwebSource,
    FhirDestination,
    ReceiverTLSConfig,
)
from node.config.peers import HostPeer
from node.core.errors import ConfigError
from node.dicom import tls
from node.dicom.tls import Certificate
from node.operator.findings import Finding, Status, fail, ok, warn


def receiver_tls(config: ReceiverTLSConfig) -> Iterator[Finding]:
    """What the receiver shows, and whom it trusts."""
    what = "receiver.tls"
    tls.accepting(
        certificate_file=config.certificate_file,
        key_file=config.key_file,
        ca_file=config.ca_file,
        client_certificate=config.client_certificate,
        minimum_version=config.minimum_version,
    )
    yield valid(
        what,
        str(config.certificate_file),
        tls.own_certificate(config.certificate_file, config.key_file, of="server"),
    )
    if config.client_certificate == "none":
        yield warn(what, 'client_certificate = "none": whoever reaches the port may send')
        return
    try:
        tls.own_certificate(config.certificate_file, config.key_file, of="client")
    except ConfigError as error:
        yield warn(what, f"m3node health cannot call this port: {error}")
    yield from _authorities(what, config.ca_file)


def host_tls(what: str, config: HostPeer) -> Iterator[Finding]:
    """What this node shows to a peer at a TCP port and trusts; then what that shows."""
    if not config.tls:
        return
    if config.certificate_file is not None:
        yield valid(
            what,
            str(config.certificate_file),
            tls.own_certificate(config.certificate_file, config.key_file, of="client"),
        )
    yield from _authorities(what, config.ca_file)
    name = config.host if config.server_name is None else config.server_name
    context = tls.calling(
        ca_file=config.ca_file,
        certificate_file=config.certificate_file,
        key_file=config.key_file,
        compares_name=bool(name),
    )
    yield _shown(what, (config.host, config.port), context, name, timeout_s=config.timeout_s)


def https(
    what: str, config: DicomwebDestination | DicomwebSource | FhirDestination
) -> Iterator[Finding]:
    """What a peer that is a URL shows."""
    url = urlsplit(config.url)
    if url.scheme != "https":
        yield warn(what, "is reached over http: objects and headers travel in the clear")
        return
    yield from _authorities(what, config.ca_file)
    context = ssl.create_default_context(cafile=config.ca_file)
    host = url.hostname or ""
    yield _shown(what, (host, url.port or 443), context, host, timeout_s=config.timeout_s)


def _authorities(what: str, ca_file: Path | None) -> Iterator[Finding]:
    for each in () if ca_file is None else tls.authorities(ca_file):
        found = valid(what, f"{ca_file}: {each.subject}", each)
        if found.status is not Status.OK:
            yield found


def valid(what: str, whose: str, certificate: Certificate) -> Finding:
    """Whether it is valid, and for how long."""
    left = certificate.ends - datetime.now(UTC)
    if left < timedelta():
        return fail(
            what, f"{whose} ended on {certificate.ends:%Y-%m-%d}: nobody trusts it any more"
        )
    says = f"{whose} is valid until {certificate.ends:%Y-%m-%d}"
    return warn(what, f"{says}, {left.days} days") if left < tls.SOON else ok(what, says)


def _shown(
    what: str, address: tuple[str, int], context: ssl.SSLContext, name: str, *, timeout_s: float
) -> Finding:
    """What the certificate of whoever listens there says."""
    try:
        with (
            socket.create_connection(address, timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=name or None) as secured,
        ):
            return valid(what, "its certificate", tls.certificate_of(secured))
    except ssl.SSLError as error:
        return fail(what, f"cannot be reached over TLS: {tls.why(error)}")
