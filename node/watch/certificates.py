"""Which of the certificates that this node shows or trusts have ended, or end soon."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from node.config import FhirDestination, NodeConfig
from node.config.peers import HostPeer, Peer, WebPeer
from node.core.errors import ConfigError
from node.dicom import tls
from node.watch.sign import Name, Sign, error, warning


def ending(config: NodeConfig, *, now: datetime, days: int) -> Iterator[Sign]:
    """A sign for each file that somebody has to renew, or that cannot be read."""
    for key, certificate_file, key_file, of in _own(config):
        try:
            shown = tls.own_certificate(certificate_file, key_file, of=of)
        except ConfigError as unusable:
            yield error(Name.CERTIFICATE, f"{key}: {unusable}", subject=key)
        else:
            yield from _ends(key, certificate_file, shown.ends, now, days)
    for key, ca_file in _trusted(config):
        try:
            for each in tls.authorities(ca_file):
                yield from _ends(key, ca_file, each.ends, now, days)
        except ConfigError as unusable:
            yield error(Name.CERTIFICATE, f"{key}: {unusable}", subject=key)


def _own(
    config: NodeConfig,
) -> Iterator[tuple[str, Path, Path | None, Literal["server", "client"]]]:
    receiver, web = config.receiver.tls, config.web
    if receiver is not None:
        yield "receiver.tls", receiver.certificate_file, receiver.key_file, "server"
    if web.certificate_file is not None:
        yield "web", web.certificate_file, web.key_file, "server"
    for key, peer in _peers(config):
        match peer:
            case HostPeer(certificate_file=Path() as certificate_file, key_file=key_file):
                yield key, certificate_file, key_file, "client"


def _trusted(config: NodeConfig) -> Iterator[tuple[str, Path]]:
    receiver = config.receiver.tls
    if receiver is not None and receiver.ca_file is not None:
        yield "receiver.tls.ca_file", receiver.ca_file
    for key, peer in _peers(config):
        match peer:
            case HostPeer(ca_file=Path() as ca_file) | WebPeer(ca_file=Path() as ca_file):
                yield f"{key} ca_file", ca_file
            case FhirDestination(ca_file=Path() as ca_file):
                yield f"{key} ca_file", ca_file


def _peers(config: NodeConfig) -> Iterator[tuple[str, Peer]]:
    for destination in config.destinations:
        yield f"destination {destination.name}", destination
    for source in config.sources:
        yield f"source {source.name}", source


def _ends(key: str, file: Path, ends: datetime, now: datetime, days: int) -> Iterator[Sign]:
    left = ends - now
    if left < timedelta():
        says = f"the certificate in {file} ended on {ends:%Y-%m-%d}: nobody trusts it; renew it"
        yield error(Name.CERTIFICATE, says, subject=key, since=ends)
    elif left < timedelta(days=days):
        says = f"the certificate in {file} ends on {ends:%Y-%m-%d}, in {left.days} days; renew it"
        yield warning(Name.CERTIFICATE, says, subject=key)
