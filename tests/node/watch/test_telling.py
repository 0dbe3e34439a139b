"""Telling, over real sockets: what is said, and that nobody is waited for without end."""

import ssl
import time
from pathlib import Path

import pytest

from node.config.watch import MailConfig, WebhookConfig
from node.core.errors import DestinationError, DestinationNotReady, DestinationUnreachable
from node.watch.alert import Alert
from node.watch.telling import Mail, Webhook
from tests.certificates import authority
from tests.node.persistence.filling import NOON, at
from tests.node.watch.listeners import mail_server, webhook

DOWN = Alert(
    node="M3NODE at host-a",
    name="destination_down",
    subject="pacs",
    severity="error",
    says="pacs has taken nothing",
    over=False,
    since=NOON,
    at=at(60),
)


def test_a_webhook_gets_one_json_object_and_the_secret_headers(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer abc\n")
    with webhook() as heard:
        config = WebhookConfig(url=heard.url, headers_file=tmp_path / "headers")
        Webhook(config, timeout_s=5).tell(DOWN)
    (body,) = heard.bodies
    assert body.pop("id") == DOWN.identifier
    assert body.pop("text").startswith("M3NODE at host-a: destination_down pacs\nSince ")
    assert body == {
        "event": "begun",
        "node": "M3NODE at host-a",
        "name": "destination_down",
        "subject": "pacs",
        "severity": "error",
        "says": "pacs has taken nothing",
        "since": "2026-03-01T12:00:00+00:00",
        "at": "2026-03-01T12:01:00+00:00",
    }
    assert heard.headers[0]["Authorization"] == "Bearer abc"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_no_success_has_not_been_heard_and_a_redirect_is_not_followed(status: int) -> None:
    with webhook() as heard:
        heard.answer = status
        with pytest.raises(DestinationNotReady, match=f"answered {status} where 2xx"):
            Webhook(WebhookConfig(url=heard.url), timeout_s=5).tell(DOWN)
    assert heard.bodies == []


def test_a_webhook_that_never_answers_is_left_alone_in_time() -> None:
    with webhook() as heard:
        heard.answer = 0
        began = time.monotonic()
        with pytest.raises(DestinationUnreachable) as late:
            Webhook(WebhookConfig(url=heard.url), timeout_s=0.2).tell(DOWN)
        assert time.monotonic() - began < 3
        assert "/hook" not in str(late.value)


def test_the_address_of_a_webhook_that_is_not_there_is_quoted_nowhere() -> None:
    with pytest.raises(DestinationUnreachable, match="the webhook") as away:
        Webhook(WebhookConfig(url="http://127.0.0.1:9/T0/secret"), timeout_s=2).tell(DOWN)
    assert "secret" not in str(away.value)


def mail(port: int, **changed: object) -> MailConfig:
    keys = {"host": "127.0.0.1", "sender": "m3node@site.example", "to": ["a@site.example"]}
    return MailConfig.model_validate({**keys, "port": port, "security": "none", **changed})


def test_a_mail_names_the_sign_and_says_since_when() -> None:
    with mail_server() as mailed:
        Mail(mail(mailed.port), timeout_s=5).tell(DOWN)
    (said,) = mailed.mails
    assert "Subject: M3NODE at host-a: destination_down pacs\r\n" in said
    assert f"Message-ID: <{DOWN.identifier}@site.example>\r\n" in said
    assert "Auto-Submitted: auto-generated\r\n" in said
    assert ": pacs has taken nothing.\r\n" in said


def test_a_password_goes_over_tls_only(tmp_path: Path) -> None:
    hospital = authority(tmp_path)
    holder = hospital.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(holder.certificate_file, holder.key_file)
    (tmp_path / "password").write_text("secret\n")
    keys = {
        "security": "starttls",
        "ca_file": hospital.ca_file,
        "user": "m3node",
        "password_file": tmp_path / "password",
    }
    with mail_server(context) as mailed:
        Mail(mail(mailed.port, **keys), timeout_s=5).tell(DOWN)
    assert len(mailed.mails) == 1
    before_tls = mailed.lines[: mailed.lines.index("STARTTLS")]
    assert not [line for line in before_tls if line.startswith("AUTH")]
    assert [line for line in mailed.lines if line.startswith("AUTH PLAIN")]
    with mail_server() as plain, pytest.raises(DestinationNotReady, match=r"mail\.security"):
        Mail(mail(plain.port, **keys), timeout_s=5).tell(DOWN)
    assert plain.mails == []


def test_a_mail_server_that_drips_is_left_alone_in_time() -> None:
    with mail_server() as mailed:
        mailed.drips = True
        began = time.monotonic()
        with pytest.raises(DestinationError, match="was too slow"):
            Mail(mail(mailed.port), timeout_s=0.3).tell(DOWN)
        assert time.monotonic() - began < 5


def test_a_password_in_the_clear_is_refused_by_the_configuration() -> None:
    with pytest.raises(ValueError, match='user needs security = "starttls" or "tls"'):
        mail(25, user="m3node", password_file="x")
