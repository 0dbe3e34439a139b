"""The configuration: what a person types, and what the node makes of it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel

from node.config import (
    DicomwebDestination,
    DicomwebSource,
    DimseDestination,
    DimseSource,
    FhirDestination,
    Hl7Destination,
    NodeConfig,
    commented_toml,
    find_config,
    load_config,
    sets_nothing,
    unknown_variables,
)
from node.config.section import Section
from node.core.errors import ConfigError

MINIMAL = """
[receiver]
ae_title = "CAD"
port = 4242
[storage]
directory = "spool"
[database]
url = "sqlite:///queue.sqlite"
[[destinations]]
name = "pacs"
kind = "dimse"
host = "10.1.1.1"
port = 104
ae_title = "PACS"
"""


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(MINIMAL)
    return path


def test_receiver_storage_database_and_destinations_are_enough(minimal: Path) -> None:
    config = load_config(minimal, {})
    assert config.receiver.port == 4242
    assert config.study.quiet_period_s == 60
    assert config.study.max_wait_s == 1800
    assert config.study.when_unannotated == "wait"
    assert config.model.weights == "default"
    assert config.worker.lease_s <= 60
    (pacs,) = config.destinations
    assert isinstance(pacs, DimseDestination)
    assert (pacs.host, pacs.port, pacs.ae_title) == ("10.1.1.1", 104, "PACS")


def test_relative_paths_are_relative_to_the_file(minimal: Path) -> None:
    config = load_config(minimal, {})
    assert config.storage.directory == minimal.parent / "spool"
    assert config.database.url == f"sqlite:///{minimal.parent}/queue.sqlite"


def paths_of(value: object) -> list[Path]:
    """Every path in a configuration."""
    match value:
        case Path():
            return [value]
        case BaseModel():
            return [path for _, inner in value for path in paths_of(inner)]
        case tuple():
            return [path for inner in value for path in paths_of(inner)]
        case _:
            return []


def test_every_path_is_relative_to_the_file_whether_written_or_default(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(
        """
        [database]
        url = "postgresql+psycopg://m3node@db/m3node"
        password_file = "password"
        [model]
        weights = "mine.safetensors"
        [[destinations]]
        name = "archive"
        kind = "dicomweb"
        url = "https://pacs.example/dicom-web"
        headers_file = "headers"
        ca_file = "/etc/ca.pem"
        """
    )
    config = load_config(path, {})
    assert sorted(paths_of(config)) == sorted(
        [
            Path("/etc/ca.pem"),
            tmp_path / "data",
            tmp_path / "headers",
            tmp_path / "mine.safetensors",
            tmp_path / "password",
        ]
    )
    assert config.database.url == "postgresql+psycopg://m3node@db/m3node"


def test_a_key_that_is_new_is_relative_to_the_file_too(tmp_path: Path) -> None:
    class Security(Section):
        certificate: Path | None = None
        authorities: tuple[Path, ...] = (Path("ca.pem"),)
        key: Literal["none"] | Path = "none"

    folder = Path("/srv/m3node")
    written = Security.model_validate({"certificate": "own.pem", "key": "own.key"}, context=folder)
    assert (written.certificate, written.key) == (folder / "own.pem", folder / "own.key")
    assert written.authorities == (folder / "ca.pem",)
    assert Security.model_validate({}, context=folder).key == "none"


def test_an_absolute_path_stays(minimal: Path) -> None:
    config = load_config(minimal, {"M3NODE_STORAGE__DIRECTORY": "/var/lib/m3node"})
    assert config.storage.directory == Path("/var/lib/m3node")


def test_the_database_lies_in_the_storage_directory_unless_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[storage]\ndirectory = "spool"\n')
    assert load_config(path, {}).database.url == f"sqlite:///{tmp_path}/spool/m3node.sqlite"


def test_a_dimse_destination_is_called_under_the_receivers_title(minimal: Path) -> None:
    (pacs,) = load_config(minimal, {}).destinations
    assert isinstance(pacs, DimseDestination)
    assert pacs.calling_ae_title == "CAD"


def test_an_unknown_key_is_an_error_that_names_its_path(minimal: Path) -> None:
    minimal.write_text(MINIMAL.replace("[storage]", "prot = 1\n[storage]", 1))
    with pytest.raises(ConfigError) as raised:
        load_config(minimal, {})
    assert str(raised.value) == (
        f"{minimal}: receiver.prot: unknown key; did you mean receiver.port?"
    )


def test_an_unknown_key_of_a_destination_names_its_number(minimal: Path) -> None:
    minimal.write_text(MINIMAL + 'aetitle = "X"\n')
    with pytest.raises(ConfigError, match="destination pacs: aetitle: unknown key; did you mean"):
        load_config(minimal, {})


def test_an_unknown_section_is_an_error(minimal: Path) -> None:
    minimal.write_text(MINIMAL + "[reciever]\nport = 1\n")
    with pytest.raises(ConfigError, match="reciever: unknown key; did you mean receiver"):
        load_config(minimal, {})


def test_a_missing_key_of_a_destination_is_named(minimal: Path) -> None:
    minimal.write_text(MINIMAL.replace('host = "10.1.1.1"\n', ""))
    with pytest.raises(ConfigError, match="destination pacs: host: missing"):
        load_config(minimal, {})


def test_an_unknown_kind_of_destination_is_an_error(minimal: Path) -> None:
    minimal.write_text(MINIMAL.replace('"dimse"', '"ftp"'))
    with pytest.raises(
        ConfigError, match='destination pacs: kind: must be "dimse", "dicomweb", "fhir" or "hl7"'
    ):
        load_config(minimal, {})


def test_two_destinations_of_one_name_are_an_error(minimal: Path) -> None:
    table = MINIMAL[MINIMAL.index("[[destinations]]") :]
    minimal.write_text(MINIMAL + table)
    with pytest.raises(ConfigError, match="two destinations are called 'pacs'"):
        load_config(minimal, {})


def test_every_mistake_is_told_at_once(minimal: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(minimal, {"M3NODE_RECEIVER__PORT": "x", "M3NODE_STUDY__QUIET_PERIOD_S": "-1"})
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "M3NODE_RECEIVER__PORT",
        "M3NODE_STUDY__QUIET_PERIOD_S",
    ]


def test_a_value_of_none_of_the_kinds_that_a_key_takes_is_one_mistake(minimal: Path) -> None:
    minimal.write_text(MINIMAL + 'report = "pdf"\n[model]\nweights = 5\n')
    with pytest.raises(ConfigError) as raised:
        load_config(minimal, {})
    assert str(raised.value).splitlines() == [
        f'{minimal}: model.weights: must be "default" or "untrained" or a path',
        f'{minimal}: destination pacs: report: must be "auto" or "comprehensive_3d" or '
        '"comprehensive"',
    ]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make one with `m3node init DIR`"):
        load_config(tmp_path / "node.toml", {})


def test_broken_toml_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text("[receiver\n")
    with pytest.raises(ConfigError, match=r"no TOML.*line 1"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("[receiver]\nport = 1\nport = 2\n", r"the key stands twice \(at line 3"),
        ("[web]\n[receiver]\n[web]\n", r"the heading stands twice.*\(at line 3"),
        ("[receiver]\nae_title = CT1\n", r"text stands in quotation marks.*\(at line 2"),
        ("# für\n[receiver]\n# Gerät\n".encode("latin-1"), r"not written in UTF-8 \(line 1\)"),
        ("[web]\n".encode("utf-16"), r"not written in UTF-8 \(line 1\): save it as UTF-8"),
    ],
)
def test_what_is_no_toml_is_told_in_words(tmp_path: Path, written: str | bytes, words: str) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    with pytest.raises(ConfigError, match=words):
        load_config(path, {})


def test_a_byte_order_mark_and_ends_of_lines_of_another_system_are_read(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(b"\xef\xbb\xbf[receiver]\r\nport = 21999\r\n")
    assert load_config(path, {}).receiver.port == 21999


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("M3NODE_RECEIVER_PORT", "M3NODE_RECEIVER__PORT"),
        ("M3NODE_STUDY_QUIET_PERIOD_S", "M3NODE_STUDY__QUIET_PERIOD_S"),
        ("M3NODE_DESTINATION", "M3NODE_DESTINATIONS"),
        ("M3NODE_RECEIVER_TLS_PORT", "M3NODE_RECEIVER__TLS__PORT"),
        ("M3NODE_ALERTS_MAIL_HOST", "M3NODE_ALERTS__MAIL__HOST"),
        ("M3NODE_SOURCES_0_HOST", "M3NODE_SOURCES__0__HOST"),
        ("M3NODE_WEB_TLS", ""),
        ("M3NODE_TRACEBACK", ""),
        ("M3NODE_CONFIG", ""),
    ],
)
def test_a_variable_with_an_underscore_too_few_is_not_passed_over(name: str, meant: str) -> None:
    if meant:
        with pytest.raises(ConfigError, match=f"^{name} sets nothing; did you mean {meant}"):
            load_config(None, {name: "1"})
    else:
        assert load_config(None, {name: "1"}) == load_config(None, {})


def test_a_variable_that_is_a_section_is_not_passed_over_and_not_quoted() -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(None, {"M3NODE_DATABASE": "postgresql://m3node:secret@db/m3node"})
    assert str(raised.value) == (
        "M3NODE_DATABASE sets nothing; a key of [database] is set by M3NODE_DATABASE__KEY"
    )


def test_the_variables_of_a_service_in_kubernetes_are_none_of_ours() -> None:
    service = {
        "M3NODE_WEB_PORT": "tcp://10.96.0.17:8105",
        "M3NODE_WEB_PORT_8105_TCP_ADDR": "10.96.0.17",
        "M3NODE_WEB_SERVICE_HOST": "10.96.0.17",
        "M3NODE_RECEIVER_PORT": "tcp://10.96.0.18:11112",
        "M3NODE_SERVICE_PORT": "8105",
    }
    assert load_config(None, service) == load_config(None, {})
    assert unknown_variables(service) == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("M3NODE_DATABASE_ULR", "M3NODE_DATABASE__URL"),
        ("M3NODE_STORAGE_DIR", "M3NODE_STORAGE__DIRECTORY"),
        ("M3NODE_LOGLEVEL", "M3NODE_LOG__LEVEL"),
        ("M3NODE_AE_TITLE", "M3NODE_RECEIVER__AE_TITLE"),
        ("M3NODE_DESTINATION_1_HOST", "M3NODE_DESTINATIONS__1__HOST"),
        ("M3NODE_RECEIVER_PROT", "M3NODE_RECEIVER__PORT"),
        ("M3NODE_CONFG", "M3NODE_CONFIG"),
        ("m3node_database__url", "M3NODE_DATABASE__URL"),
        ("M3NODE-WEB-PORT", "M3NODE_WEB__PORT"),
        ("M3NOD_DATABASE__URL", "M3NODE_DATABASE__URL"),
        ("M3NODE_ANYTHING", None),
        ("M3NODE", None),
    ],
)
def test_a_variable_that_sets_nothing_is_named_with_the_nearest_that_does(
    name: str, meant: str | None
) -> None:
    assert unknown_variables({name: "postgresql://m3node:secret@db/m3node"}) == {name: meant}
    assert sets_nothing(name, meant) == (
        f"{name} sets nothing; did you mean {meant}?"
        if meant
        else f"{name} sets nothing; a key is set by M3NODE_SECTION__KEY"
    )


@pytest.mark.parametrize(
    "name",
    [
        "M3NODE_CONFIG",
        "M3NODE_TRACEBACK",
        "M3NODE_FAMILY",
        "M3NODE_PARENT",
        "M3NODE_RECEIVER__PORT",
        "M3NODE_DESTINATIONS",
        "M3NODE_SERVICE_HOST",
        "M3NODE_WEB_SERVICE_PORT_HTTP",
        "M3NODE_WEB_PORT_8105_TCP_ADDR",
        "NODE_PATH",
        "PATH",
    ],
)
def test_of_a_variable_that_is_known_or_of_others_nothing_is_said(name: str) -> None:
    assert unknown_variables({name: "1"}) == {}


def test_the_environment_overrides_the_file(minimal: Path) -> None:
    config = load_config(
        minimal,
        {
            "M3NODE_RECEIVER__PORT": "11113",
            "M3NODE_RECEIVER__ALLOWED_CALLING_AE_TITLES": '["CT1", "CT2"]',
            "M3NODE_RECEIVER__ALLOWED_PEERS": '["10.0.0.0/8"]',
            "M3NODE_DESTINATIONS__0__PORT": "105",
        },
    )
    assert config.receiver.port == 11113
    assert config.receiver.allowed_calling_ae_titles == ("CT1", "CT2")
    assert [str(n) for n in config.receiver.allowed_peers or ()] == ["10.0.0.0/8"]
    assert config.destinations[0].model_dump()["port"] == 105


def test_destinations_are_a_json_list_in_the_environment(minimal: Path) -> None:
    config = load_config(
        minimal,
        {
            "M3NODE_DESTINATIONS": '[{"name": "web", "kind": "dicomweb", '
            '"url": "https://pacs.example/dicom-web", "headers_file": "headers"}]'
        },
    )
    (web,) = config.destinations
    assert isinstance(web, DicomwebDestination)
    assert web.headers_file == minimal.parent / "headers"


def test_an_unknown_key_in_the_environment_names_the_variable(minimal: Path) -> None:
    with pytest.raises(ConfigError, match=r"^M3NODE_RECIEVER__PORT: reciever: unknown key"):
        load_config(minimal, {"M3NODE_RECIEVER__PORT": "1"})


def test_a_variable_without_a_section_is_not_ours(minimal: Path) -> None:
    assert load_config(minimal, {"M3NODE_LIDC": "/x"}) == load_config(minimal, {})


def test_a_numeric_ae_title_stays_text(minimal: Path) -> None:
    assert load_config(minimal, {"M3NODE_RECEIVER__AE_TITLE": "1234"}).receiver.ae_title == "1234"


def test_the_file_is_found_by_option_then_variable_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    option, variable = Path("a.toml"), {"M3NODE_CONFIG": "b.toml"}
    assert find_config(option, variable) == Path("a.toml")
    assert find_config(None, variable) == Path("b.toml")
    assert find_config(None, {}) == Path("node.toml")


def test_the_environment_alone_is_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"M3NODE_STORAGE__DIRECTORY": "/data"}
    assert find_config(None, environ) is None
    assert load_config(None, environ).storage.directory == Path("/data")


def test_the_commented_file_says_every_default(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(commented_toml())
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    assert load_config(path, {}) == load_config(empty, {})


def test_every_key_stands_in_the_commented_file_and_can_be_uncommented(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(re.sub(r"(?m)^# ", "", commented_toml()))
    tree = tomllib.loads(path.read_text())
    for name in NodeConfig.model_fields:
        if name not in ("destinations", "sources"):
            section = type(getattr(NodeConfig(), name))
            assert set(tree[name]) == set(section.model_fields)
    dimse, dicomweb, fhir, hl7 = tree["destinations"]
    assert set(dimse) == set(DimseDestination.model_fields)
    assert set(dicomweb) == set(DicomwebDestination.model_fields)
    assert set(fhir) == set(FhirDestination.model_fields)
    assert set(hl7) == set(Hl7Destination.model_fields)
    assert len(load_config(path, {}).destinations) == 4
    asked, archive = tree["sources"]
    assert set(asked) == set(DimseSource.model_fields)
    assert set(archive) == set(DicomwebSource.model_fields)
    assert len(load_config(path, {}).sources) == 2


def test_a_ris_is_no_pacs_and_has_no_keys_of_one() -> None:
    ris = {"name": "ris", "kind": "hl7", "host": "ris.example", "port": 2575}
    with_pdf = {"M3NODE_DESTINATIONS": json.dumps([ris]), "M3NODE_RESULTS__REPORT_PDF": "true"}
    (destination,) = load_config(None, with_pdf).destinations
    assert isinstance(destination, Hl7Destination)
    assert destination.wishes().companions == frozenset()
    for key in ("profile", "companions", "reject_superseded", "ae_title"):
        mistaken = {"M3NODE_DESTINATIONS": json.dumps([{**ris, key: "x"}])}
        with pytest.raises(ConfigError, match=f"destination ris: {key}: unknown key"):
            load_config(None, mistaken)


def test_a_source_is_written_and_mistaken_like_a_destination(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(
        '[receiver]\nae_title = "NODULES"\n'
        '[[sources]]\nname = "pacs"\nkind = "dimse"\nhost = "h"\nport = 104\nae_title = "PACS"\n'
        '[[sources]]\nname = "web"\nkind = "dicomweb"\nurl = "http://h"\nca_file = "ca.pem"\n'
    )
    pacs, web = load_config(path, {"M3NODE_SOURCES__0__RETRIEVE": "move"}).sources
    assert isinstance(pacs, DimseSource)
    assert (pacs.retrieve, pacs.calling_ae_title) == ("move", "NODULES")
    assert isinstance(web, DicomwebSource)
    assert web.ca_file == tmp_path / "ca.pem"
    mistakes = {
        "source pacs: retreive: unknown key; did you mean retrieve": {
            "M3NODE_SOURCES__0__RETREIVE": "get"
        },
        "two sources are called 'web'": {"M3NODE_SOURCES__0__NAME": "web"},
        "there are 2 sources, numbered from 0": {"M3NODE_SOURCES__2__NAME": "more"},
        'source web: kind: must be "dimse" or "dicomweb"': {"M3NODE_SOURCES__1__KIND": "ftp"},
    }
    for said, environ in mistakes.items():
        with pytest.raises(ConfigError, match=re.escape(said)):
            load_config(path, environ)


def test_a_key_of_what_is_no_table_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('destinations = ["pacs"]\n')
    with pytest.raises(ConfigError, match="number 0 of the destinations is no table"):
        load_config(path, {"M3NODE_DESTINATIONS__0__HOST": "10.1.1.1"})


def test_the_shipped_example_is_the_generated_one() -> None:
    shipped = Path(__file__).parents[2] / "deploy" / "node.example.toml"
    assert shipped.read_text(encoding="utf-8") == commented_toml()


@pytest.mark.parametrize(
    ("profile", "report", "captures", "compression", "companions"),
    [
        ("standard", "auto", "auto", "accepted", ()),
        ("ohif", "auto", "auto", "accepted", ("pdf",)),
        ("weasis", "auto", "auto", "accepted", ("presentation_state", "key_objects")),
        ("basic", "comprehensive", "single_frame", "never", ("pdf",)),
    ],
)
def test_a_profile_decides_what_a_destination_leaves_out(
    minimal: Path,
    profile: str,
    report: str,
    captures: str,
    compression: str,
    companions: tuple[str, ...],
) -> None:
    minimal.write_text(MINIMAL + f'profile = "{profile}"\n')
    (pacs,) = load_config(minimal, {}).destinations
    settled = pacs.settled()
    assert (settled.report, settled.captures) == (report, captures)
    assert (settled.compression, settled.companions) == (compression, companions)
    assert settled.reject_superseded is False


def test_a_setting_goes_before_its_profile(minimal: Path) -> None:
    minimal.write_text(
        MINIMAL
        + 'profile = "basic"\ncaptures = "auto"\ncompanions = []\n'
        + "reject_superseded = true\n"
    )
    (pacs,) = load_config(minimal, {}).destinations
    settled = pacs.settled()
    assert (settled.report, settled.captures, settled.companions) == ("comprehensive", "auto", ())
    assert settled.reject_superseded is True
    assert not pacs.compressed


def test_a_companion_that_does_not_exist_is_an_error(minimal: Path) -> None:
    minimal.write_text(MINIMAL + 'companions = ["hologram"]\n')
    with pytest.raises(ConfigError, match="destination pacs: companions"):
        load_config(minimal, {})


TLS = """
[receiver]
port = 0
[receiver.tls]
certificate_file = "own.pem"
client_certificate = "none"
"""


def test_tls_beside_the_plain_port_or_instead_of_it(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text(TLS)
    receiver = load_config(path, {}).receiver
    assert receiver.ports == {"receiver.tls.port": 2762}
    assert receiver.tls is not None
    assert receiver.tls.certificate_file == tmp_path / "own.pem"
    receiver = load_config(path, {"M3NODE_RECEIVER__PORT": "104"}).receiver
    assert receiver.ports == {"receiver.port": 104, "receiver.tls.port": 2762}
    moved = load_config(path, {"M3NODE_RECEIVER__TLS__PORT": "2763"})
    assert moved.receiver.ports == {"receiver.tls.port": 2763}


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ("[receiver.tls]", "[study]", "receiver: port = 0 leaves no port to listen on"),
        ("port = 0", "port = 2762", "receiver: port and tls.port are the same"),
        ('"none"', '"always"', r"receiver\.tls\.client_certificate: must be \"required\""),
        ('"none"', '"optional"', r'receiver\.tls: client_certificate = "optional" needs a ca_file'),
        ('certificate_file = "own.pem"', "", r"receiver\.tls\.certificate_file: missing; every"),
        ("certificate_file", "certificat_file", r"did you mean receiver\.tls\.certificate_file\?"),
    ],
)
def test_what_is_wrong_with_tls_is_said_with_its_key(
    tmp_path: Path, replaced: str, by: str, said: str
) -> None:
    path = tmp_path / "node.toml"
    path.write_text(TLS.replace(replaced, by))
    with pytest.raises(ConfigError, match=said):
        load_config(path, {})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('ca_file = "ca.pem"', "ca_file is of no use without tls = true"),
        ('server_name = "pacs"', "server_name is of no use without tls = true"),
        ('tls = true\nkey_file = "own.key"', "key_file is of no use without certificate_file"),
    ],
)
def test_nobody_believes_that_results_are_encrypted_when_they_are_not(
    minimal: Path, keys: str, said: str
) -> None:
    minimal.write_text(MINIMAL + keys + "\n")
    with pytest.raises(ConfigError, match=said):
        load_config(minimal, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nport = 11112", r"web\.port and receiver\.port are the same; choose two"),
        ('[web]\nhost = "0.0.0.0"\nport = 11112', "are the same; choose two"),
        ("receiver = 3", r"receiver: must be a table, \[receiver\]"),
        ("[receiver]\ntls = true", r"receiver\.tls: must be a table, \[receiver\.tls\]"),
        ('[destinations]\nname = "pacs"', r"must be a list of tables, \[\[destinations\]\]"),
        ('sources = ["pacs"]', r"source number 1: must be a table, \[\[sources\]\]"),
        ('[web]\nallowed_origins = "*"', r"web\.allowed_origins: must be a list"),
        ('[web]\nallowed_origins = ["*"]', "must be an origin such as https://viewer.example"),
        ('[web]\npublic_url = "https://a/"', 'must be an address such as .*, without "/" at'),
        ('[model]\ndevice = "gpu"', 'must be "auto", "cpu", "cuda" or "cuda:1"'),
        (MINIMAL.replace('"dimse"', '"dicomweb"\nurl = "pacs"'), r"url: must be an address such"),
        ('ae_title = "CT1"', r"ae_title: unknown key; it belongs below \[receiver\]"),
        (
            "[study]\nport = 1",
            r"study\.port: .* below \[receiver\] or \[web\]",
        ),
        ("[log]\nfrobnicate = 1", r"log\.frobnicate: unknown key; remove it"),
        (
            '[alerts.mail]\nhost = "mail"',
            r"mail\.to: missing; every \[alerts\.mail\] needs",
        ),
        ('[storage]\ndirectory = "~/data"', "storage.directory: must be written out"),
        ('[web]\nkey_file = "$HOME/key"', "web.key_file: must be written out"),
        ('[database]\nurl = "sqlite:///~/x"', "database.url: must be written out"),
        (
            '[receiver]\nallowed_peers = ["::1", "10.0.0.1/24"]',
            r"peers, number 2: .*write 10\.0\.0\.0/24",
        ),
        ('[receiver]\nhost = "0.0.0.0:104"', "receiver.host: must be a host name or an address"),
        ('[web]\nhost = ""', "web.host: must be a host name or an address alone"),
        *(
            (MINIMAL.replace('"10.1.1.1"', f'"{host}"'), "host: must be a host name or an addr")
            for host in ("my pacs", "pacs:104", "http://pacs", "pacs/", "10.1.2.3:104", "[::1]")
        ),
        *(
            (MINIMAL.replace('"10.1.1.1"', f'"{host}"'), "host: must be a host name or an addr")
            for host in ("10.1.1.256", "10.1.1", "pacs..example", f"{64 * 'a'}.example")
        ),
        *(
            (f'{MINIMAL}tls = true\nserver_name = "{name}"', 'server_name: must be "" or a host')
            for name in (".example", "pacs..example", "pacs:104")
        ),
        *(
            (
                MINIMAL.replace('"dimse"', f'"dicomweb"\nurl = "{url}"'),
                "url: must name a host, and a port as a number if one at all",
            )
            for url in (
                "http:///dicom-web",
                "http://pacs:dicom/",
                "http://:80/",
                "http://pacs:99999",
            )
        ),
        (MINIMAL + 'calling_ae_title = "A\\\\B"', "must be ASCII without a backslash"),
    ],
)
def test_a_mistake_is_said_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(path, {})


@pytest.mark.parametrize("web", ['host = "127.0.0.2"', "enabled = false"])
def test_two_servers_that_do_not_meet_may_have_one_port(tmp_path: Path, web: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text(f"[web]\nport = 11112\n{web}\n")
    assert load_config(path, {}).web.port == 11112


@pytest.mark.parametrize(
    "address",
    [
        "https://anna:hunter2@pacs.example/dicom-web",
        "https://hunter2@pacs.example/dicom-web",
        "https://pacs.example/dicom-web?token=hunter2",
        "https://pacs.example/dicom-web#hunter2",
        "hunter2",
    ],
)
@pytest.mark.parametrize("kind", ["dicomweb", "fhir"])
def test_an_address_with_a_secret_in_it_is_refused_and_not_quoted(kind: str, address: str) -> None:
    destination = json.dumps([{"name": "pacs", "kind": kind, "url": address}])
    with pytest.raises(ConfigError, match="destination pacs: url: must be an address") as told:
        load_config(None, {"M3NODE_DESTINATIONS": destination})
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("at_host", ["[hunter2]@pacs.example", "hunter2\uff20pacs.example"])
def test_what_is_no_address_is_not_quoted_either(at_host: str) -> None:
    destination = json.dumps([{"name": "x", "kind": "fhir", "url": f"https://anna:{at_host}/"}])
    with pytest.raises(ConfigError, match="destination x: url: must name a host") as told:
        load_config(None, {"M3NODE_DESTINATIONS": destination})
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("RECEIVER__PORT", "x", "receiver.port: must be a whole number"),
        ("RECEIVER__PORT", "70000", "receiver.port: must be 65535 or less"),
        ("RECEIVER__AE_TITLE", "", "receiver.ae_title: must not be empty"),
        ("RECEIVER__AE_TITLE", "A" * 17, "receiver.ae_title: must have 16 characters at most"),
        ("STUDY__QUIET_PERIOD_S", "-1", "study.quiet_period_s: must be 0 or more"),
        ("STUDY__QUIET_PERIOD_S", "soon", "study.quiet_period_s: must be a number"),
        ("STORAGE__MIN_FREE_GB", "inf", "storage.min_free_gb: must be a number"),
        ("WEB__ENABLED", "maybe", "web.enabled: must be true or false"),
        ("RECEIVER__ALLOWED_PEERS", '["10.0.0.0/99"]', "must be an address or a network"),
    ],
)
def test_a_value_that_cannot_be_is_said_in_words(variable: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_config(None, {f"M3NODE_{variable}": value})
