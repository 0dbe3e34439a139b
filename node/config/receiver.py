"""The receiver: where it listens, whom it lets in, and how somebody whom it lets in calls it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.networks import IPvAnyNetwork

from node.config.destinations import DimseDestination
from node.config.section import AETitle, Host, Port, Seconds, Section, own_address
from sr_templates.character_sets import is_known


def _known_character_set(term: str) -> str:
    if not is_known(term):
        raise ValueError("no defined term of PS3.3 C.12.1.1.2, such as ISO_IR 100 or GB18030")
    return term


CharacterSet = Annotated[str, AfterValidator(_known_character_set)]


class ReceiverTLSConfig(Section):
    """DICOM over TLS, beside the plain port or instead of it. Without this table there is none. Its
    files are read again when they change."""

    port: Port = 2762
    """TCP port to listen on for TLS."""
    certificate_file: Path = Field(examples=["m3node-certificate.pem"])
    """PEM file of this node's certificate and those that sign it. `m3node health` calls as its
    holder, so it should be good for clients too."""
    key_file: Path | None = Field(default=None, examples=["m3node-key.pem"])
    """PEM file of its private key, without a passphrase; absent: in certificate_file."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign the senders' certificates, or of these themselves."""
    client_certificate: Literal["required", "optional", "none"] = "required"
    """Whether a sender has to show a certificate that ca_file vouches for. "optional": it need not,
    but one that it shows has to be good."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    """Oldest version of TLS that is accepted."""

    @model_validator(mode="after")
    def _can_judge_certificates(self) -> Self:
        if self.client_certificate != "none" and self.ca_file is None:
            raise ValueError(
                f'client_certificate = "{self.client_certificate}" needs a ca_file to judge it by; '
                'name one, or write client_certificate = "none"'
            )
        return self


class ReceiverConfig(Section):
    """The Storage SCP: what scanners and the PACS send to."""

    ae_title: AETitle = "M3NODE"
    """AE title under which this node answers; 16 characters at most."""
    host: Host = "127.0.0.1"
    """Address to listen on; 0.0.0.0 listens on every IPv4 interface."""
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    """TCP port to listen on; 0: none, where receiver.tls has one."""
    accept: Literal["all", "listed"] = "all"
    """Storage SOP classes to accept: "all" of the Standard, or only the "listed" ones that this
    node interprets (CONFORMANCE.md). A PACS that routes whole studies wants "all"."""
    allowed_called_ae_titles: tuple[AETitle, ...] | None = Field(
        default=None, examples=[["M3NODE"]]
    )
    """Called AE titles to answer to; absent: every title."""
    allowed_calling_ae_titles: tuple[AETitle, ...] | None = Field(
        default=None, examples=[["CT1", "PACS"]]
    )
    """Calling AE titles to accept; absent: everyone (`m3node check` warns)."""
    allowed_peers: tuple[IPvAnyNetwork, ...] | None = Field(
        default=None, examples=[["10.1.0.0/16", "192.168.7.12"]]
    )
    """Addresses or networks to accept; absent: everyone (`m3node check` warns)."""
    max_associations: Annotated[int, Field(ge=1)] = 32
    """Associations served at the same time; the next one is rejected as transient."""
    max_associations_of_one_peer: Annotated[int, Field(ge=1)] | None = Field(
        default=None, examples=[24]
    )
    """Of these, so many from one address at most, so that it cannot take them all; absent: three
    quarters. Where every sender is behind one address (NAT, a proxy), as many as max_associations.
    """
    max_pdu_bytes: Annotated[int, Field(ge=4096, le=1 << 24)] = 131072
    """Largest PDU that senders may use."""
    network_timeout_s: Seconds = 60.0
    """A sender that is silent for so long in the middle of an association is aborted."""
    max_object_mb: Annotated[int, Field(ge=1)] = 4096
    """Largest object that is taken, MiB; of a deflated one, what it inflates to."""
    assumed_character_set: CharacterSet | None = Field(default=None, examples=["ISO_IR 100"])
    """Specific Character Set of senders that declare none and yet send text outside ASCII; absent:
    such text is copied into results byte for byte, as undeclared as it came."""
    tls: ReceiverTLSConfig | None = None

    @property
    def most_of_one_peer(self) -> int:
        """Associations that one address may have open."""
        return self.max_associations_of_one_peer or -(-3 * self.max_associations // 4)

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on, by their keys."""
        plain = {"receiver.port": self.port} if self.port else {}
        secured = {"receiver.tls.port": self.tls.port} if self.tls is not None else {}
        return plain | secured

    @model_validator(mode="after")
    def _listens_somewhere(self) -> Self:
        if not self.ports:
            raise ValueError("port = 0 leaves no port to listen on, since there is no receiver.tls")
        if len(self.ports) > len(set(self.ports.values())):
            raise ValueError("port and tls.port are the same; choose two, or port = 0")
        return self


def as_destination(receiver: ReceiverConfig) -> DimseDestination:
    """This node's own receiver as a destination, called as somebody whom it lets in."""
    host = own_address(receiver.host)
    tls = None if receiver.port else receiver.tls
    asked = tls is not None and tls.client_certificate != "none"
    return DimseDestination(
        name="self",
        host=host,
        port=receiver.port if tls is None else tls.port,
        tls=tls is not None,
        ca_file=None if tls is None else tls.certificate_file,
        server_name=None if tls is None else "",
        certificate_file=tls.certificate_file if tls is not None and asked else None,
        key_file=tls.key_file if tls is not None and asked else None,
        ae_title=(receiver.allowed_called_ae_titles or (receiver.ae_title,))[0],
        calling_ae_title=(receiver.allowed_calling_ae_titles or (receiver.ae_title,))[0],
        timeout_s=10,
    )
