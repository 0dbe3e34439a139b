"""What is said of every peer that this node calls, whatever it is called for."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from node.config.section import AETitle, Host, Port, Seconds, Section, WebAddress, formed


class Peer(Section):
    """Somebody who is called."""

    name: Annotated[
        str,
        formed(
            r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
            'letters, digits, ".", "_" and "-", 64 at most, a letter or a digit first',
        ),
    ]
    """Name in commands, logs and the diary; must differ from the others'."""
    timeout_s: Seconds = 30.0
    """Longest wait for the answer to one message."""
    slowest_kb_s: Annotated[float, Field(gt=0)] = 20.0
    """Slowest pace, in kilobytes a second: the transfer of one object is broken off after its size
    at that pace, and timeout_s for each of request and answer."""


class HostPeer(Peer):
    """Somebody who is called at a TCP port, in the clear or over TLS."""

    host: Host = Field(examples=["pacs.example"])
    """Host name or address."""
    port: Port = Field(examples=[104])
    """TCP port."""
    tls: bool = Field(default=False, examples=[True])
    """Whether it is called over TLS; false where it is left out."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign its certificate, or of that itself; absent: the
    system's."""
    certificate_file: Path | None = Field(default=None, examples=["m3node-certificate.pem"])
    """PEM file of the certificate that is shown to it, and those that sign it; absent: none is."""
    key_file: Path | None = Field(default=None, examples=["m3node-key.pem"])
    """PEM file of its private key, without a passphrase; absent: in certificate_file."""
    server_name: Literal[""] | Host | None = Field(default=None, examples=["pacs.example"])
    """The name that its certificate has to be of; absent: host; "": any, for a ca_file that vouches
    for nobody else."""

    @model_validator(mode="after")
    def _is_meant_to_be_secured(self) -> Self:
        keys = ("ca_file", "certificate_file", "key_file", "server_name")
        idle = [key for key in keys if getattr(self, key) is not None]
        if idle and not self.tls:
            raise ValueError(f"{idle[0]} is of no use without tls = true")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file is of no use without certificate_file")
        return self


class DimsePeer(HostPeer):
    """An application entity."""

    kind: Literal["dimse"] = "dimse"
    """Over DICOM's own protocol."""
    ae_title: AETitle = Field(examples=["PACS"])
    """Its AE title."""
    calling_ae_title: AETitle = "M3NODE"
    """The title under which this node calls; where it is left out, receiver.ae_title."""


class WebPeer(Peer):
    """An origin server of DICOMweb."""

    kind: Literal["dicomweb"] = "dicomweb"
    """Over HTTP."""
    url: WebAddress = Field(examples=["https://pacs.example/dicom-web"])
    """Base URL of the service; /studies is appended."""
    headers_file: Path | None = Field(default=None, examples=["pacs-headers"])
    """File of "Name: value" lines that are sent with each request, such as Authorization."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign its certificate; absent: the system's."""
