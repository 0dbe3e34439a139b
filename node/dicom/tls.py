"""TLS as DICOM wants it: BCP 195 (RFC 8996, RFC 9325), the profile of PS3.15 B.12.

TLS 1.3, or 1.2 with keys of its own for each connection and authenticated encryption; nothing
older, no renegotiation, no resumption: each connection shows its certificates.  A certificate that
stands in a file of authorities is trusted itself, whether it is an authority's or a peer's own.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from node.core.errors import ConfigError

Version = Literal["1.2", "1.3"]
ClientCertificate = Literal["required", "optional", "none"]
SOON = timedelta(days=30)
"""A certificate that ends within so long is to be renewed."""

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all as good (RFC 9325 4.2)
_MODES = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME, which Python does not name


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says.

    subject : its distinguished name, "CN=..., O=..."; empty if nobody showed one
    ends    : when it ends
    """

    subject: str
    ends: datetime


def accepting(
    *,
    certificate_file: Path,
    key_file: Path | None,
    ca_file: Path | None,
    client_certificate: ClientCertificate,
    minimum_version: Version,
) -> ssl.SSLContext:
    """How whoever is called speaks TLS.  Raises ConfigError that names the file."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, minimum_version)
    context.num_tickets = 0
    _load_chain(context, certificate_file, key_file)
    if ca_file is not None:
        _load_authorities(context, ca_file)
    context.verify_mode = _MODES[client_certificate]
    return context


def calling(
    *,
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    compares_name: bool,
) -> ssl.SSLContext:
    """How whoever calls speaks TLS.  Raises ConfigError that names the file.

    ca_file       : None for the authorities of the system
    compares_name : whether the certificate has to be of the name that is called
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, "1.2")
    context.check_hostname = compares_name
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_authorities(context, ca_file)
    if certificate_file is not None:
        _load_chain(context, certificate_file, key_file)
    return context


def failures_of(context: ssl.SSLContext) -> list[str]:
    """Why connections of the context fail, in words, as they do; for a library that says nothing.

    A certificate that a peer refuses is known of only when something is read (TLS 1.3).
    """
    failures: list[str] = []

    class Telling(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            try:
                super().do_handshake(block)
            except OSError as error:
                failures.append(why(error))
                raise

        def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
            try:
                return super().recv(buflen, flags)
            except ssl.SSLError as error:
                failures.append(why(error))
                raise

    context.sslsocket_class = Telling
    return failures


def _context(protocol: int, minimum_version: Version) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = _VERSIONS[minimum_version]
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _load_chain(context: ssl.SSLContext, certificate_file: Path, key_file: Path | None) -> None:
    key_file = key_file or certificate_file
    for path in (certificate_file, key_file):
        _require_readable(path)
    try:
        # A key with a passphrase would otherwise ask for it on the terminal.
        context.load_cert_chain(certificate_file, key_file, password="")
    except ssl.SSLError as error:
        match error.reason:
            case "KEY_VALUES_MISMATCH" | "KEY_TYPE_MISMATCH" | "NO_CERTIFICATE_ASSIGNED":
                words = f"the key in {key_file} is not of the certificate in {certificate_file}"
            case "NO_START_LINE" | None:
                words = _no_pair(certificate_file, key_file)
            case reason:
                words = f"{certificate_file} with {key_file} cannot be used ({_spoken(reason)})"
        raise ConfigError(words) from error


def _no_pair(certificate_file: Path, key_file: Path) -> str:
    """What the two files are, if not a certificate and its key."""
    if b"PRIVATE KEY" in certificate_file.read_bytes() and (
        b"CERTIFICATE" in key_file.read_bytes() and key_file != certificate_file
    ):
        return f"{certificate_file} holds a key and {key_file} a certificate: they are swapped"
    if b"ENCRYPTED" in key_file.read_bytes():
        return f"the key in {key_file} has a passphrase; write it without one"
    return f"{certificate_file} and {key_file} have to hold a certificate and its key in PEM"


def _load_authorities(context: ssl.SSLContext, ca_file: Path) -> None:
    _require_readable(ca_file)
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"{ca_file} holds no certificate in PEM") from error


def _require_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def own_certificate(
    certificate_file: Path, key_file: Path | None, *, of: Literal["server", "client"]
) -> Certificate:
    """What the certificate says, learnt in a handshake in memory with somebody who trusts it.

    Raises ConfigError that names the file, also if it may not be shown by such a one.
    """
    server, client = (
        _context(ssl.PROTOCOL_TLS_SERVER, "1.2"),
        _context(ssl.PROTOCOL_TLS_CLIENT, "1.2"),
    )
    client.check_hostname = False
    for each in (server, client):
        _load_chain(each, certificate_file, key_file)
        _load_authorities(each, certificate_file)
        each.verify_flags |= _NO_CHECK_TIME
    server.verify_mode = ssl.CERT_REQUIRED if of == "client" else ssl.CERT_NONE
    client.verify_mode = ssl.CERT_REQUIRED if of == "server" else ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    called = server.wrap_bio(to_server, to_client, server_side=True)
    caller = client.wrap_bio(to_client, to_server)
    try:
        for each_in_turn in (caller, called, caller, called):
            try:
                each_in_turn.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLError as error:
        raise ConfigError(
            f"{certificate_file} cannot be shown as a {of}'s certificate: {why(error)}"
        ) from error
    return certificate_of(called if of == "client" else caller)


def authorities(ca_file: Path) -> list[Certificate]:
    """The authorities in the file.  Raises ConfigError."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, "1.2")
    _load_authorities(context, ca_file)
    return [_certificate(each) for each in context.get_ca_certs()]


def certificate_of(peer: ssl.SSLObject | ssl.SSLSocket) -> Certificate:
    """What the certificate says that the peer showed, and that was verified."""
    return _certificate(peer.getpeercert() or {})


def _certificate(said: dict[str, Any]) -> Certificate:
    names = [
        f"{_SHORT.get(key, key)}={value}" for part in said.get("subject", ()) for key, value in part
    ]
    ends = said.get("notAfter")
    return Certificate(
        subject=", ".join(names),
        ends=datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
        if ends
        else datetime.max.replace(tzinfo=UTC),
    )


_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
}


def why(error: OSError) -> str:
    """What was wrong with TLS, in words."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message.rstrip('.')})"
        case ssl.SSLError(reason=str(reason)):
            alert = reason.partition("_ALERT_")[2]
            return f"it says: {_spoken(alert)}" if alert else _WORDS.get(reason) or _spoken(reason)
        case _:
            return _BROKEN_OFF


_BROKEN_OFF = "it broke off the handshake; is TLS spoken there?"
_WORDS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "UNSUPPORTED_PROTOCOL": "it speaks no version of TLS that is accepted",
    "VERSION_TOO_LOW": "it speaks no version of TLS that is accepted",
    "NO_SHARED_CIPHER": "it offers no cipher suite that is accepted",
    "WRONG_VERSION_NUMBER": "what came is no TLS",
    "UNEXPECTED_EOF_WHILE_READING": _BROKEN_OFF,
}


def _spoken(reason: str) -> str:
    return reason.replace("_", " ").lower()
