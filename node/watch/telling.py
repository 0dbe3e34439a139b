"""Who is told: a webhook, by one JSON object in a POST, and people, by mail.

Whoever is told may be slow, or never answer: every exchange has an end.
"""

import json
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol

from node.calling.guard import Guard, allowed_s
from node.calling.http import Service
from node.config import AlertsConfig
from node.config.watch import MailConfig, WebhookConfig
from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.dicom import tls
from node.watch.alert import Alert

_SLOWEST_KB_S = 20.0


class Tells(Protocol):
    """A way to tell; `name` is what is remembered of it."""

    @property
    def name(self) -> str:
        """What tells it from others."""
        ...

    def tell(self, alert: Alert) -> None:
        """It has been heard.  Raises DestinationError."""
        ...


def tellers(config: AlertsConfig) -> list[Tells]:
    """Everybody who is told under this configuration."""
    found: list[Tells] = []
    if config.webhook is not None:
        found.append(Webhook(config.webhook, timeout_s=config.timeout_s))
    if config.mail is not None:
        found.append(Mail(config.mail, timeout_s=config.timeout_s))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    """What `Service` asks of a configuration."""

    url: str
    headers_file: Path | None
    ca_file: Path | None
    timeout_s: float
    slowest_kb_s: float = _SLOWEST_KB_S


class Webhook:
    """A service that takes JSON.  A redirect is no answer."""

    name = "webhook"

    def __init__(self, config: WebhookConfig, *, timeout_s: float) -> None:
        self._called = _Called(
            url=config.url,
            headers_file=config.headers_file,
            ca_file=config.ca_file,
            timeout_s=timeout_s,
        )

    def tell(self, alert: Alert) -> None:
        """It has answered that it took it."""
        body = json.dumps(dict(alert.as_json()), ensure_ascii=False).encode()
        try:
            with Service(self._called) as service:
                answer = service.ask(
                    "POST", "", headers={"Content-Type": "application/json"}, body=body
                )
        except DestinationError as error:
            # The address of a webhook is often its password.
            words = str(error).replace(self._called.url, "the webhook")
            raise DestinationUnreachable(f"{words}; see alerts.webhook") from None
        if not 200 <= answer.status < 300:
            raise DestinationNotReady(
                f"the webhook answered {answer.status} where 2xx was expected; see alerts.webhook"
            )


class Mail:
    """A mail server."""

    name = "mail"

    def __init__(self, config: MailConfig, *, timeout_s: float) -> None:
        self._config = config
        self._timeout_s = timeout_s

    def tell(self, alert: Alert) -> None:
        """The server has taken the mail."""
        config = self._config
        where = f"the mail server {config.host}:{config.port}"
        guard = Guard()
        message = _mail(alert, config)
        seconds = allowed_s(10_000, timeout_s=self._timeout_s, slowest_kb_s=_SLOWEST_KB_S)
        try:
            with guard.within(seconds):
                self._send(message, guard)
        except ssl.SSLError as error:
            raise DestinationUnreachable(f"{where}: {tls.why(error)}; see alerts.mail") from error
        except smtplib.SMTPAuthenticationError as error:
            raise DestinationNotReady(
                f"{where} does not know alerts.mail.user with that password"
            ) from error
        except smtplib.SMTPResponseException as error:
            raise DestinationNotReady(
                f"{where} answered {error.smtp_code}; see alerts.mail"
            ) from error
        except smtplib.SMTPRecipientsRefused as error:
            raise DestinationNotReady(f"{where} takes no mail for alerts.mail.to") from error
        except smtplib.SMTPNotSupportedError as error:
            raise DestinationNotReady(
                f"{where} does not offer what is asked of it; see alerts.mail.security and user"
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            said = "was too slow" if guard.expired else "does not answer as a mail server"
            raise DestinationUnreachable(f"{where} {said}; see alerts.mail") from error
        finally:
            guard.close()

    def _send(self, message: EmailMessage, guard: Guard) -> None:
        config = self._config
        trust = tls.calling(
            ca_file=config.ca_file, certificate_file=None, key_file=None, compares_name=True
        )
        client: smtplib.SMTP
        if config.security == "tls":
            client = _WatchedFromTheStart(guard, config.host, trust, timeout=self._timeout_s)
        else:
            client = _Watched(guard, config.host, timeout=self._timeout_s)
        with client:
            client.connect(config.host, config.port)
            if config.security == "starttls":
                client.starttls(context=trust)
            if config.user is not None and config.password_file is not None:
                client.login(config.user, _first_line(config.password_file))
            refused = client.send_message(message)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)


class _Watched(smtplib.SMTP):
    """A connection that the guard knows."""

    def __init__(self, guard: Guard, host: str, *, timeout: float) -> None:
        self._guard = guard
        super().__init__(timeout=timeout, local_hostname="m3node")
        self._host = host  # whose certificate STARTTLS has to show

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._guard.watch(plain)
        return plain


class _WatchedFromTheStart(_Watched):
    """One that speaks TLS from the first byte."""

    def __init__(self, guard: Guard, host: str, trust: ssl.SSLContext, *, timeout: float) -> None:
        self._trust = trust
        super().__init__(guard, host, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = super()._get_socket(host, port, timeout)
        return self._trust.wrap_socket(plain, server_hostname=host)


def _mail(alert: Alert, config: MailConfig) -> EmailMessage:
    message = EmailMessage()
    message["From"] = config.sender
    message["To"] = ", ".join(config.to)
    message["Subject"] = alert.title
    message["Date"] = format_datetime(alert.at)
    message["Message-ID"] = f"<{alert.identifier}@{config.sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it
    message.set_content(f"{alert.text}\n")
    return message


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise DestinationUnreachable(f"alerts.mail.password_file {path} cannot be read") from error
