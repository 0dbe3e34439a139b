"""`m3node user` and `m3node token`, and what `check` and `serve` make of them."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.app import open_database
from node.config import WebConfig, load_config
from node.core.errors import ConfigError
from node.core.people import Role
from node.credentials import TOKEN_PURPOSE, digest_of, is_password
from node.operator.findings import Finding
from node.operator.people import people, require_users
from node.persistence.people import AccountKind
from node.persistence.store import Store, open_store
from tests.node.cli.conftest import Cli
from tests.node.persistence.filling import NOON
from tests.peers import free_port

PASSWORD = "correct horse battery"


Typed = Callable[[str | bytes], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Puts text on standard input, which is no terminal."""

    def put(text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


def kept(config_file: Path) -> Store:
    return open_database(load_config(config_file, {}).database)


def test_users_are_added_listed_given_another_password_and_removed(
    cli: Cli, config_file: Path, typed: Typed
) -> None:
    at = ("--config", config_file)
    typed(PASSWORD + "\r\nanother line\n")
    added = cli("user", "add", "Anna", "--role", "operator", *at)
    assert (added.status, added.out) == (0, "Anna may log in as operator\n")
    assert cli("user", "add", "zoë", "--role", "viewer", "--no-password", *at).status == 0
    assert [
        (row["name"], row["role"], row["login"])
        for row in cli("user", "list", "--json", *at).json()
    ] == [("Anna", "operator", "password"), ("zoë", "viewer", "proxy")]
    assert "$argon2" not in cli("user", "list", *at).out
    store = kept(config_file)
    anna = store.user_of_name("anna")
    assert anna is not None
    assert is_password(PASSWORD, anna.secret)
    typed("another long one")
    assert cli("user", "passwd", "ANNA", *at).status == 0
    again = store.user_of_name("anna")
    assert again is not None
    assert is_password("another long one", again.secret)
    changed = cli("user", "role", "anna", "viewer", *at)
    assert changed.out == "anna is viewer now, and is logged in nowhere\n"
    assert changed.err == "none is an operator now: nobody can act on the page\n"
    assert cli("user", "role", "anna", "viewer", *at).out.endswith("nothing has changed\n")
    assert cli("user", "role", "anna", "root", *at).status == 2
    assert cli("user", "role", "bob", "viewer", *at).status == 1
    assert cli("user", "role", "anna", "operator", *at).err == ""
    assert "none is an operator" in cli("user", "remove", "anna", *at).err
    history = cli("user", "history", "--json", *at).json()
    assert [(row["name"], row["did"]) for row in history][:2] == [
        ("Anna", "removed"),
        ("Anna", "new role"),
    ]
    assert history[0]["by"].endswith("(command line)")
    last = cli("user", "remove", "zoë", *at)
    assert "there is no user left" in last.err
    assert not store.has_users()
    store.close()


def test_what_is_no_user_is_said_and_nothing_is_made_of_it(
    cli: Cli, config_file: Path, typed: Typed
) -> None:
    at = ("--config", config_file)
    typed("short")
    short = cli("user", "add", "anna", "--role", "viewer", *at)
    assert (short.status, short.out) == (1, "")
    assert "a password has 12 to 1024 characters" in short.err
    for text, says in (("", "there is no password"), (b"\xff" * 20, "no UTF-8")):
        typed(text)
        assert says in cli("user", "add", "anna", "--role", "viewer", *at).err
    typed(PASSWORD)
    assert "letters, digits" in cli("user", "add", "a\nb", "--role", "viewer", *at).err
    assert cli("user", "add", "anna", "--role", "root", *at).status == 2
    assert cli("user", "add", "anna", *at).status == 2
    # no option takes a password: others could read it in the list of processes
    assert cli("user", "add", "anna", PASSWORD, "--role", "viewer", *at).status == 2
    assert cli("user", "add", "anna", "--role", "viewer", "--password", "x", *at).status == 2
    typed(PASSWORD)
    assert cli("user", "add", "anna", "--role", "viewer", *at).status == 0
    typed(PASSWORD)
    twice = cli("user", "add", "ANNA", "--role", "operator", *at)
    assert "there is a user or a token called ANNA already" in twice.err
    assert cli("user", "remove", "bob", *at).status == 1


def test_a_token_is_shown_once_and_kept_as_a_digest(cli: Cli, config_file: Path) -> None:
    at = ("--config", config_file)
    added = cli("token", "add", "archive", "--role", "sender", "--days", "90", *at)
    token = added.out.strip()
    assert token.startswith("m3n_")
    assert len(token) == 47
    assert token not in added.err
    (row,) = cli("token", "list", "--json", *at).json()
    assert (row["name"], row["role"], row["used_at"]) == ("archive", "sender", None)
    ends = datetime.fromisoformat(row["ends_at"])
    assert timedelta(days=89) < ends - datetime.now(UTC) < timedelta(days=91)
    data = (config_file.parent / "data" / "m3node.sqlite").read_bytes()
    assert token.encode() not in data
    store = kept(config_file)
    digest = digest_of(token, purpose=TOKEN_PURPOSE)
    assert store.holder_of_token(digest, now=datetime.now(UTC)) is not None
    assert cli("token", "remove", "archive", *at).status == 0
    assert store.holder_of_token(digest, now=datetime.now(UTC)) is None
    store.close()
    assert cli("token", "add", "x", "--role", "sender", "--days", "0", *at).status == 2


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(
    config_file: Path,
) -> None:
    ours, theirs = pty.openpty()
    asking = subprocess.Popen(
        [sys.executable, "-P", "-m", "node", "user", "add", "anna", "--role", "viewer"],
        env={**os.environ, "M3NODE_CONFIG": str(config_file)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    for asked in (b"Password: ", b"confirmation: "):
        while not said.endswith(asked):
            said += os.read(ours, 1)
        os.write(ours, PASSWORD.encode() + b"\n")
    while b"may log in as viewer" not in said:
        said += os.read(ours, 1)
    assert asking.wait(30) == 0
    os.close(ours)
    assert PASSWORD.encode() not in said


def looked(store: Store | None, **web: object) -> list[Finding]:
    return list(people(WebConfig.model_validate(web), store, now=NOON))


def test_a_first_user_who_is_no_operator_locks_everybody_out_of_acting_and_that_is_said(
    cli: Cli, config_file: Path
) -> None:
    at = ("--no-password", "--config", config_file)
    first = cli("user", "add", "zoë", "--role", "viewer", *at)
    assert (first.status, first.out) == (0, "zoë may log in as viewer\n")
    assert first.err == "none is an operator now: nobody can act on the page\n"
    assert cli("user", "add", "anna", "--role", "operator", *at).err == ""
    assert cli("user", "add", "bob", "--role", "viewer", *at).err == ""


def test_check_tells_of_nobody_of_no_operator_and_of_tokens_that_end(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'people.sqlite'}")
    for nobody in (store, None):
        assert [f.status for f in looked(nobody)] == ["ok"]
        (refused,) = looked(nobody, host="0.0.0.0")
        assert refused.status == "fail"
        assert "make one with `m3node user add NAME --role operator`" in refused.says
        (behind,) = looked(nobody, public_url="https://pacs.example/dicom-web")
        assert behind.status == "warn"
    assert looked(store, host="0.0.0.0", enabled=False) == []
    store.add_account(AccountKind.USER, "vera", role=Role.VIEWER, secret="h", now=NOON)
    assert [f.status for f in looked(store, host="0.0.0.0")] == ["ok", "warn"]
    for name, days in (("ended", -1), ("soon", 29), ("later", 31)):
        ends = NOON + timedelta(days=days)
        store.add_account(
            AccountKind.TOKEN, name, role=Role.SENDER, secret=name, now=NOON, ends_at=ends
        )
    told = [f.says.partition(" on ")[0] for f in looked(store) if f.what == "tokens"]
    assert told == ["that of ended ended", "that of soon ends"]
    store.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "pacs.example"])
def test_serve_refuses_a_host_that_others_reach_until_there_is_a_user(
    tmp_path: Path, host: str
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'people.sqlite'}")
    with pytest.raises(ConfigError, match="there is no user"):
        require_users(WebConfig(host=host), store)
    for own in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        require_users(WebConfig(host=own), store)
    require_users(WebConfig(host=host, enabled=False), store)
    store.add_account(AccountKind.USER, "anna", role=Role.OPERATOR, secret="h", now=NOON)
    require_users(WebConfig(host=host), store)
    store.close()


def test_serve_ends_with_the_sentence(
    config_file: Path,
) -> None:
    receiver = {"M3NODE_RECEIVER__PORT": str(free_port())}
    said = subprocess.run(
        [sys.executable, "-P", "-m", "node", "serve", "--config", str(config_file)],
        env={**os.environ, **receiver, "M3NODE_WEB__HOST": "0.0.0.0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 1
    assert "lets others than this machine reach the node, and there is no user" in said.stderr
