"""When something is wrong, and who is told."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from node.config.section import AETitle, Host, Port, Seconds, Section, WebAddress, formed

MailAddress = Annotated[
    str, formed(r"[^\s@<>,;]+@[^\s@<>,;]+", "an address such as pacs@site.example")
]


class WatchConfig(Section):
    """From when on something counts as wrong: in `m3node health`, on the page, in /metrics and in
    alerts alike."""

    frozen_after_s: Annotated[float, Field(ge=1)] = 30.0
    """A process that has not said for so long that it runs is frozen or gone."""
    stuck_after_s: Seconds = 900.0
    """A process that is busy with one thing, and gets on with nothing, for so long is stuck; an
    analysis gets on with each nodule."""
    unclaimed_after_s: Seconds = 60.0
    """Work that is due and that nobody has taken for so long, while nobody is busy."""
    tick_late_after_s: Seconds = 60.0
    """A scheduler that has looked at no study for so long is late."""
    destination_down_after_s: Seconds = 900.0
    """A destination that has taken nothing for so long, though there is something for it."""
    unread_after_s: Seconds = 600.0
    """Stored objects that nobody has read for so long."""
    certificate_days: Annotated[int, Field(ge=0)] = 30
    """A certificate that ends within so many days is to be renewed."""
    expect_ct_from: tuple[AETitle, ...] = ()
    """Calling AE titles that send a CT every day, such as "CT1"."""
    expect_ct_within_h: Annotated[float, Field(gt=0)] = 24.0
    """After so many hours without a CT from one of them something is wrong."""
    expect_annotations: bool = False
    """Whether every CT that comes is to be annotated: then those that have expired without, during
    the last day, are told of. Where whole lists are routed here, most expire, and none is."""


class WebhookConfig(Section):
    """A service that gets one JSON object by POST for each alert."""

    url: WebAddress = Field(examples=["https://chat.example/hooks/m3node"])
    """Its address."""
    headers_file: Path | None = Field(default=None, examples=["webhook-headers"])
    """File of "Name: value" lines that are sent with it, such as Authorization."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign its certificate; absent: the system's."""


class MailConfig(Section):
    """A mail server that takes one mail for each alert."""

    host: Host = Field(examples=["smtp.example"])
    """Host name or address."""
    port: Port = 587
    """TCP port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """"starttls", "tls" from the first byte, or "none" in the clear."""
    ca_file: Path | None = Field(default=None, examples=["hospital-ca.pem"])
    """PEM file of the authorities that sign its certificate; absent: the system's."""
    user: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, examples=["m3node"]
    )
    """Who logs in there; absent: nobody."""
    password_file: Path | None = Field(default=None, examples=["mail-password"])
    """File whose first line is the password, so that no secret stands here."""
    sender: MailAddress = Field(examples=["m3node@site.example"])
    """Who the mail is from."""
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1)] = Field(
        examples=[["pacs@site.example"]]
    )
    """Who gets it."""

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together")
        if self.user is not None and self.security == "none":
            raise ValueError('user needs security = "starttls" or "tls"')
        return self


class AlertsConfig(Section):
    """Who is told of what is wrong: once when it begins, once when it is over; no patient is named.
    `m3node alert test` tries it."""

    least: Literal["warning", "error"] = "warning"
    """"warning" tells of everything; "error" only of what keeps the node from its work."""
    settle_s: Annotated[float, Field(ge=0)] = 30.0
    """What is over again within so long is not told, and what comes back within so long has not
    been over."""
    timeout_s: Seconds = 10.0
    """Longest silence of whoever is told."""
    retry_cap_s: Seconds = 600.0
    """Longest pause between two attempts to tell."""
    webhook: WebhookConfig | None = None
    """Told by HTTP."""
    mail: MailConfig | None = None
    """Told by mail."""
