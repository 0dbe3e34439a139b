"""What all sections have in common, and the types of keys that several of them have."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)


def formed(pattern: str, words: str) -> AfterValidator:
    """The whole text has that form; else it is said in words what it has to be."""
    form = re.compile(pattern)

    def _has_it(text: str) -> str:
        if form.fullmatch(text) is None:
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(_has_it)


AETitle = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=16),
    formed(r"[\x20-\x5b\x5d-\x7e]+", "ASCII without a backslash or control characters"),
]


def _is_name(text: str) -> bool:
    """Whether it may be a name in DNS: what ends in a number is an address with a mistake in it."""
    try:
        text.encode("idna")  # so does whoever asks DNS
    except UnicodeError:
        return False
    name = re.fullmatch(r"\w[\w.-]{0,252}", text)
    return name is not None and not text.rpartition(".")[2].isdecimal()


def _host(text: str) -> str:
    """It is one, and nothing beside it, which DNS would be asked for in vain."""
    try:
        ip_address(text)
    except ValueError:
        if not _is_name(text):
            raise ValueError(
                "must be a host name or an address alone, such as pacs.example or 10.1.2.3; a port "
                "has a key of its own"
            ) from None
    return text


Host = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_host)]


def own_address(host: str) -> str:
    """Where this machine reaches what listens there."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _with_a_host(address: str) -> str:
    """What is no address at all is not quoted, as urlsplit() would: a password may stand in it."""
    try:
        parts = urlsplit(address)
        _host(parts.hostname or "")
        _ = parts.port
    except ValueError:
        raise ValueError("must name a host, and a port as a number if one at all") from None
    return address


def _without_secrets(address: str) -> str:
    """No password stands in it, nor a token: addresses are said in errors, logs and the diary."""
    parts = urlsplit(address)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "must be an address alone, without a user, a password or a query: whatever lets this "
            "node in belongs into headers_file, as Authorization: Basic ... or Bearer ..."
        )
    return address


WebAddress = Annotated[
    str,
    formed(r"https?://\S+", "an address such as https://pacs.example/dicom-web"),
    AfterValidator(_with_a_host),
    AfterValidator(_without_secrets),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Lease = Annotated[float, Field(gt=0, le=60)]
Attempts = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Frozen; an unknown key is an error; a path is relative to the file that it stands in.

    The validation context is that file's folder; without one, paths stay as they are.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )

    @field_validator("*")
    @classmethod
    def _beside_the_file(cls, value: object, info: ValidationInfo) -> object:
        return _beside(info.context, value)


def written_out(path: Path) -> Path:
    """The path, in which nothing waits to be replaced: it would become a folder of that name."""
    if any(part.startswith("$") for part in path.parts) or str(path).startswith("~"):
        raise ValueError(f"must be written out: nothing is put in place of what {path} begins with")
    return path


def _beside(folder: object, value: object) -> object:
    """The value with its relative paths put into the folder, whichever key it is of."""
    match folder, value:
        case Path(), Path():
            return folder / written_out(value)
        case Path(), tuple():
            return tuple(_beside(folder, item) for item in value)
        case _:
            return value
