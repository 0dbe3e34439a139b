"""`m3node check` finds what is missing before a patient does."""

import json
import os
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from node.app import reach
from node.config import (
    DestinationConfig,
    DicomwebDestination,
    NodeConfig,
    ReceiverConfig,
    WebConfig,
    as_destination,
    commented_toml,
)
from node.core.errors import ConfigError, DestinationUnreachable
from node.operator.certificates import https
from node.operator.check import _receiver, check_node
from node.operator.web import web_server
from node.persistence.store import Store
from node.process.orphans import lock_directory
from node.process.supervisor import port_is_free
from tests.certificates import BOTH, Authority, Holder, authority
from tests.node.cli.conftest import Cli, finish
from tests.node.web.serving import serving
from tests.peers import free_port


def findings(said_json: list[dict[str, Any]], what: str) -> list[tuple[str, str]]:
    return [(f["status"], f["says"]) for f in said_json if f["what"] == what]


def test_a_fresh_node_passes_with_its_warnings(cli: Cli, config_file: Path) -> None:
    said = cli("check", "--json", "--config", config_file)
    assert said.status == 0
    found = said.json()
    assert {f["status"] for f in found} <= {"ok", "warn"}
    assert ("warn", "none is configured: results stay in the storage directory") in findings(
        found, "destinations"
    )
    everyone = [says for status, says in findings(found, "receiver") if status == "warn"]
    assert findings(found, "web")[0][0] == "ok"
    assert everyone == [
        "receiver.allowed_calling_ae_titles is absent: everyone may send",
        "receiver.allowed_peers is absent: everyone may send",
    ]


def test_whoever_looks_leaves_nothing_behind(
    cli: Cli, config_file: Path, store: Store, tmp_path: Path
) -> None:
    def there() -> set[str]:
        return {str(path) for path in tmp_path.rglob("*")}

    before = there()
    store.close()
    assert cli("check", "--config", config_file).status == 0
    assert there() <= before
    fresh = tmp_path / "fresh" / "node.toml"
    fresh.parent.mkdir()
    fresh.touch()
    found = cli("check", "--json", "--config", fresh).json()
    assert [path.name for path in fresh.parent.iterdir()] == ["node.toml"]
    assert findings(found, "storage")[0][1].startswith(
        f"{fresh.parent / 'data'} (not there yet: `m3node serve` makes it) has "
    )
    assert findings(found, "database") == [
        (
            "warn",
            f"no database at {fresh.parent / 'data' / 'm3node.sqlite'} yet; "
            "`m3node serve` or `m3node ingest` make it",
        )
    ]


def test_a_variable_that_was_mistyped_is_named_and_not_quoted(
    cli: Cli, config_file: Path, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("M3NODE_DATABASE_ULR", "postgresql://m3node:secret@db/m3node")
    says = "M3NODE_DATABASE_ULR sets nothing; did you mean M3NODE_DATABASE__URL?"
    said = cli("check", "--json", "--config", config_file)
    assert (said.status, said.err) == (0, "")
    assert ("warn", says) in findings(said.json(), "configuration")
    listed = cli("study", "list", "--json", "--config", config_file)
    assert (listed.status, len(listed.json()), listed.err) == (0, 1, f"warning: {says}\n")
    said = cli("check", "--json", "--config", tmp_path / "gone.toml")
    assert said.status == 1
    assert findings(said.json(), "configuration")[-1] == ("warn", says)


def test_a_database_that_is_gone_or_of_another_storage_fails(
    cli: Cli, config_file: Path, store: Store, tmp_path: Path
) -> None:
    store.close()
    file, identity = tmp_path / "data" / "m3node.sqlite", tmp_path / "data" / "identity"
    known = identity.read_text()
    identity.write_text("123e4567-e89b-12d3-a456-426614174000\n")
    said = cli("check", "--json", "--config", config_file)
    assert said.status == 1
    ((status, says),) = findings(said.json(), "database")
    assert (status, known.strip() in says) == ("fail", True)
    assert "they do not belong together" in says
    assert cli("study", "list", "--config", config_file).err == f"error: {says}\n"
    file.rename(tmp_path / "elsewhere")
    said = cli("check", "--json", "--config", config_file)
    assert findings(said.json(), "database") == [
        (
            "fail",
            f"{file} is gone, and {file.parent} has been used with it: m3node restore puts it "
            "back, m3node rebuild makes it again from the stored objects",
        )
    ]
    assert not file.exists()
    for verb in (["ingest", tmp_path / "ct"], ["serve"], ["study", "list"]):
        said = cli(*verb, "--config", config_file)
        assert (said.status, "m3node rebuild" in said.err) == (1, True)
        assert not file.exists(), "an empty one in its place would hide that it is gone"


def test_what_others_can_read_is_warned_of(
    cli: Cli, config_file: Path, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer secret\n")
    (tmp_path / "headers").chmod(0o644)
    with config_file.open("a") as file:
        file.write(
            '[[destinations]]\nname = "archive"\nkind = "dicomweb"\nheaders_file = "headers"\n'
            'url = "https://127.0.0.1:9/dicom-web"\n'
        )
    (tmp_path / "data" / "m3node.sqlite").chmod(0o640)
    (tmp_path / "data").chmod(0o755)
    found = cli("check", "--json", "--config", config_file).json()
    assert findings(found, "destinations archive.headers_file") == [
        (
            "warn",
            f"{tmp_path / 'headers'} can be read by other users of this machine: "
            f"chmod 600 {tmp_path / 'headers'}",
        )
    ]
    warned = [says for status, says in findings(found, "storage") if status == "warn"]
    assert [says.partition(" is open to other users")[0] for says in warned] == [
        str(tmp_path / "data"),
        str(tmp_path / "data" / "m3node.sqlite"),
    ]
    store.close()
    assert cli("ingest", tmp_path / "ct", "--config", config_file).status == 0
    found = cli("check", "--json", "--config", config_file).json()
    assert {status for status, _ in findings(found, "storage")} == {"ok"}


def test_every_key_that_names_a_secret_is_known() -> None:
    commented = commented_toml()
    named = set(re.findall(r"^#? ?(\w+_file) =", commented, re.MULTILINE))
    assert named == {"certificate_file", "key_file", "headers_file", "password_file", "ca_file"}


def test_allow_lists_end_the_warning(
    cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M3NODE_RECEIVER__ALLOWED_PEERS", '["10.0.0.0/8"]')
    monkeypatch.setenv("M3NODE_RECEIVER__ALLOWED_CALLING_AE_TITLES", '["CT1"]')
    found = cli("check", "--json", "--config", config_file).json()
    assert [status for status, _ in findings(found, "receiver")] == ["ok"]


def test_a_broken_configuration_fails_and_names_the_key(cli: Cli, config_file: Path) -> None:
    config_file.write_text("[receiver]\nprot = 1\n")
    said = cli("check", "--config", config_file)
    assert said.status == 1
    assert "receiver.prot: unknown key; did you mean receiver.port?" in said.out


def test_a_destination_that_is_down_fails_and_the_others_are_still_checked(
    cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    down = {"kind": "dimse", "host": "127.0.0.1", "port": port, "ae_title": "X", "timeout_s": 2}
    monkeypatch.setenv(
        "M3NODE_DESTINATIONS", json.dumps([down | {"name": "one"}, down | {"name": "two"}])
    )
    said = cli("check", "--json", "--config", config_file)
    assert said.status == 1
    assert [findings(said.json(), f"destination {n}")[0][0] for n in ("one", "two")] == [
        "fail",
        "fail",
    ]


def test_what_a_profile_means_for_a_destination_is_said(cli: Cli, config_file: Path) -> None:
    config_file.write_text(
        config_file.read_text()
        + '[[destinations]]\nname = "desk"\nkind = "dimse"\nhost = "127.0.0.1"\nport = 1\n'
        'ae_title = "X"\nprofile = "weasis"\nreject_superseded = true\n'
    )
    assert findings(cli("check", "--json", "--config", config_file).json(), "profile of desk") == [
        (
            "ok",
            'weasis: report = "auto", captures = "auto", compression = "accepted", '
            'companions = ["presentation_state", "key_objects"], reject_superseded = true',
        )
    ]


@pytest.mark.usefixtures("job")
def test_results_that_a_destination_has_not_taken_yet_are_told(
    cli: Cli, store: Store, config_file: Path
) -> None:
    finish(store)
    now = datetime.now(UTC)
    lease = store.claim_delivery(destination="pacs", owner="me", lease_s=60, now=now)
    assert lease is not None
    store.retry(lease, error="status 0110", not_before=now + timedelta(hours=1), now=now)
    config_file.write_text(
        config_file.read_text()
        + '[[destinations]]\nname = "pacs"\nkind = "dimse"\nhost = "127.0.0.1"\nport = 1\n'
        'ae_title = "X"\n'
    )
    found = cli("check", "--json", "--config", config_file).json()
    assert findings(found, "database")[-1] == (
        "warn",
        "deliveries to 'pacs' have failed and are tried again (1): "
        "m3node delivery list --state queued says why",
    )


@pytest.mark.usefixtures("job")
def test_results_that_wait_for_a_destination_that_is_gone_are_told(
    cli: Cli, store: Store, config_file: Path
) -> None:
    finish(store)
    found = cli("check", "--json", "--config", config_file).json()
    assert findings(found, "database")[-1] == (
        "warn",
        "deliveries (1) wait for 'pacs', which no [[destinations]] names: nothing sends them "
        "until one does; m3node delivery cancel --destination pacs ends them",
    )


def test_missing_weights_fail_and_say_what_to_do(
    cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M3NODE_MODEL__WEIGHTS", "absent.safetensors")
    said = cli("check", "--json", "--config", config_file)
    assert said.status == 1
    ((status, says),) = findings(said.json(), "model")
    assert status == "fail"
    assert "absent.safetensors" in says


def test_too_little_space_fails(
    cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M3NODE_STORAGE__MIN_FREE_GB", "1e9")
    found = cli("check", "--json", "--config", config_file).json()
    assert findings(found, "storage")[0][0] == "fail"


class Silent:
    """Listens, and answers nothing."""

    def __init__(self, config: DestinationConfig) -> None:
        self._name = config.name

    def verify(self) -> None:
        raise DestinationUnreachable(f"{self._name} does not answer")


def test_a_port_that_something_else_holds_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        config = NodeConfig.model_validate(
            {
                "receiver": {"port": sock.getsockname()[1]},
                "database": {"url": f"sqlite:///{tmp_path}/m3node.sqlite"},
                "storage": {"directory": tmp_path},
            }
        )
        of_another = list(_receiver(config, reach()))
        lock = lock_directory(tmp_path)
        own = list(_receiver(config, replace(reach(), connect=Silent)))
        os.close(lock)
    assert (of_another[0].status, own[0].status) == ("fail", "fail")
    assert "is taken, and not by this node, which does not run" in of_another[0].says
    assert own[0].says.endswith("is taken by something else: self does not answer")


def test_a_ris_is_asked_and_what_travels_in_the_clear_is_warned_of(tmp_path: Path) -> None:
    config = NodeConfig.model_validate(
        {
            "database": {"url": f"sqlite:///{tmp_path}/m3node.sqlite"},
            "storage": {"directory": tmp_path},
            "destinations": [
                {"name": "ris", "kind": "hl7", "host": "ris.example", "port": 2575},
                {"name": "ehr", "kind": "fhir", "url": "http://ehr.example/fhir"},
            ],
        }
    )
    found = list(check_node(config, replace(reach(), connect=Silent)))
    told = {f.what: f.says for f in found if f.status == "warn" and "destination " in f.what}
    assert "the patient's name travel in the clear" in told["destination ris"]
    assert "is reached over http" in told["destination ehr"]
    assert [f.says for f in found if f.status == "fail" and f.what.startswith("destination")] == [
        "ris does not answer",
        "ehr does not answer",
    ]


def test_the_node_asks_itself_as_somebody_who_is_let_in() -> None:
    config = ReceiverConfig.model_validate(
        {"host": "0.0.0.0", "port": 4242, "allowed_calling_ae_titles": ["CT1", "CT2"]}
    )
    own = as_destination(config)
    assert (own.calling_ae_title, own.ae_title) == ("CT1", "M3NODE")
    assert (own.host, own.port) == ("127.0.0.1", 4242)


def tls_settings(ca: Authority, holder: Holder, **settings: str) -> dict[str, str]:
    """The environment of a node whose receiver speaks TLS, on a port that nobody has."""
    keys = {
        "port": str(free_port()),
        "certificate_file": str(holder.certificate_file),
        "key_file": str(holder.key_file),
        "ca_file": str(ca.ca_file),
        **settings,
    }
    return {f"M3NODE_RECEIVER__TLS__{key.upper()}": value for key, value in keys.items()}


def test_certificates_of_the_receiver_are_looked_at(
    cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = authority(tmp_path)
    (tmp_path / "old").mkdir()
    old = authority(tmp_path / "old", "Old CA", days=-2)
    good, other = ca.issue("good"), ca.issue("other")
    servers = ca.issue("servers", good_for=BOTH[:1])
    cases: list[tuple[Authority, Holder, dict[str, str], list[tuple[str, str]]]] = [
        (ca, good, {}, [("ok", "good.pem is valid until ")]),
        (ca, ca.issue("soon", days=12), {}, [("warn", ", 12 days")]),
        (ca, ca.issue("ended", days=-2), {}, [("fail", "nobody trusts it any more")]),
        (
            ca,
            Holder(good.certificate_file, other.key_file),
            {},
            [("fail", "other.key is not of the certificate in")],
        ),
        (ca, good, {"key_file": "/absent"}, [("fail", "/absent cannot be read: No such file")]),
        (old, good, {}, [("ok", "good.pem"), ("fail", "Old_CA.pem: CN=Old CA ended on ")]),
        (ca, servers, {}, [("ok", "valid"), ("warn", "m3node health cannot call this port")]),
        (
            ca,
            good,
            {"client_certificate": "none"},
            [("ok", "valid"), ("warn", "whoever reaches the port may send")],
        ),
    ]
    for authority_, holder, more, expected in cases:
        for name, value in tls_settings(authority_, holder, **more).items():
            monkeypatch.setenv(name, value)
        found = findings(cli("check", "--json", "--config", config_file).json(), "receiver.tls")
        assert [status for status, _ in found] == [status for status, _ in expected], found
        for (_, says), (_, words) in zip(found, expected, strict=True):
            assert words in says
        monkeypatch.delenv("M3NODE_RECEIVER__TLS__CLIENT_CERTIFICATE", raising=False)


def test_senders_cannot_be_judged_without_an_authority(
    cli: Cli, config_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = authority(tmp_path)
    settings = tls_settings(ca, ca.issue("m3node"))
    del settings["M3NODE_RECEIVER__TLS__CA_FILE"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    said = cli("check", "--config", config_file)
    assert said.status == 1
    assert 'receiver.tls: client_certificate = "required" needs a ca_file' in said.out


def web_findings(*, runs: bool = True, **web: Any) -> list[tuple[str, str]]:
    found = web_server(WebConfig.model_validate(web), port_is_free, runs=lambda: runs)
    return [(str(each.status), each.says) for each in found]


def test_a_web_port_that_is_free_taken_or_served_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.operator.web._TIMEOUT_S", 0.2)
    port = free_port()
    place = f"127.0.0.1:{port}"
    assert web_findings(port=port) == [("ok", f"{place} is free to listen on")]
    assert web_findings(port=port, enabled=False) == []
    with socket.create_server(("127.0.0.1", port)):
        ((status, says),) = web_findings(port=port)
    assert status == "fail"
    assert "is taken by something else: there is no DICOMweb until that is stopped" in says
    monkeypatch.setattr("node.operator.web._TIMEOUT_S", 10)
    with serving(tmp_path) as served:
        place = f"127.0.0.1:{served.port}"
        assert web_findings(port=served.port) == [
            ("ok", f"{place} is served already: /healthz answers")
        ]
        ((status, says),) = web_findings(port=served.port, runs=False)  # another node's
        assert (status, "is taken by something else" in says) == ("fail", True)


def test_a_web_server_that_others_reach_is_best_secured(tmp_path: Path) -> None:
    port = free_port()
    assert [status for status, _ in web_findings(host="0.0.0.0", port=port)] == [
        "ok",
        "warn",
    ]
    holder = authority(tmp_path).issue("web", days=10)
    secured = web_findings(
        host="0.0.0.0",
        port=port,
        allowed_peers=["10.0.0.0/8"],
        certificate_file=holder.certificate_file,
        key_file=holder.key_file,
    )
    assert [status for status, _ in secured] == ["ok", "warn"]
    assert secured[1][1].endswith(", 10 days")
    with pytest.raises(ConfigError, match=r"absent\.pem cannot be read"):
        web_findings(port=port, certificate_file=tmp_path / "absent.pem")


def test_whom_a_web_peer_is_trusted_by_has_to_be_readable(tmp_path: Path) -> None:
    pacs = DicomwebDestination(name="pacs", url="https://127.0.0.1:9", ca_file=tmp_path)
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be read: Is a directory"):
        list(https("destination pacs", pacs))
