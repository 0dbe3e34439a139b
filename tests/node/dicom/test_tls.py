"""What certificates are good for, and what is said of those that are not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.core.errors import ConfigError
from node.dicom.tls import accepting, authorities, calling, own_certificate
from tests.certificates import BOTH, Authority, Holder, authority


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path)


def accept(holder: Holder, *, ca_file: Path | None = None) -> None:
    accepting(
        certificate_file=holder.certificate_file,
        key_file=holder.key_file,
        ca_file=ca_file,
        client_certificate="none" if ca_file is None else "required",
        minimum_version="1.2",
    )


@pytest.mark.parametrize("use_rsa", [True, False])
def test_a_certificate_says_whose_it_is_and_when_it_ends(ca: Authority, use_rsa: bool) -> None:
    holder = ca.issue("m3node", days=12, use_rsa=use_rsa)
    for of in ("server", "client"):
        own = own_certificate(holder.certificate_file, holder.key_file, of=of)
        assert own.subject == "CN=m3node"
        assert timedelta(days=11) < own.ends - datetime.now(UTC) < timedelta(days=13)


def test_one_that_has_ended_is_read_all_the_same(ca: Authority) -> None:
    holder = ca.issue("m3node", days=-3)
    own = own_certificate(holder.certificate_file, holder.key_file, of="server")
    assert own.ends < datetime.now(UTC)


def test_authorities_are_read_from_their_file(tmp_path: Path, ca: Authority) -> None:
    other = authority(tmp_path, "Old CA", days=-1)
    both = tmp_path / "both.pem"
    both.write_bytes(ca.ca_file.read_bytes() + other.ca_file.read_bytes())
    found = {each.subject: each.ends < datetime.now(UTC) for each in authorities(both)}
    assert found == {"CN=Hospital CA": False, "CN=Old CA": True}


def test_key_and_certificate_may_stand_in_one_file(tmp_path: Path, ca: Authority) -> None:
    holder = ca.issue("m3node")
    one = tmp_path / "one.pem"
    one.write_bytes(holder.certificate_file.read_bytes() + holder.key_file.read_bytes())
    assert own_certificate(one, None, of="server").subject == "CN=m3node"


def test_what_cannot_be_used_is_said_with_its_file(tmp_path: Path, ca: Authority) -> None:
    mine, others = ca.issue("m3node"), ca.issue("ct1", use_rsa=True)
    absent, empty = tmp_path / "absent.pem", tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    sealed = ca.issue("sealed", passphrase=b"secret")
    said = {
        Holder(absent, mine.key_file): f"{absent} cannot be read: No such file or directory",
        Holder(mine.certificate_file, absent): f"{absent} cannot be read: No such file",
        Holder(tmp_path, mine.key_file): f"{tmp_path} cannot be read: Is a directory",
        Holder(mine.certificate_file, others.key_file): (
            f"the key in {others.key_file} is not of the certificate in {mine.certificate_file}"
        ),
        Holder(empty, mine.key_file): "have to hold a certificate and its key in PEM",
        Holder(mine.certificate_file, empty): "have to hold a certificate and its key in PEM",
        Holder(mine.key_file, mine.certificate_file): "a certificate: they are swapped",
        sealed: "has a passphrase; write it without one",
    }
    for holder, words in said.items():
        with pytest.raises(ConfigError) as raised:
            accept(holder)
        assert words in str(raised.value)
    for ca_file, words in {empty: "holds no certificate in PEM", absent: "cannot be read"}.items():
        with pytest.raises(ConfigError, match=words):
            accept(mine, ca_file=ca_file)
        with pytest.raises(ConfigError, match=words):
            calling(ca_file=ca_file, certificate_file=None, key_file=None, compares_name=True)


def test_a_certificate_for_servers_alone_is_none_for_a_client(ca: Authority) -> None:
    holder = ca.issue("m3node", good_for=BOTH[:1])
    assert own_certificate(holder.certificate_file, holder.key_file, of="server")
    with pytest.raises(ConfigError, match=r"cannot be shown as a client's .* purpose"):
        own_certificate(holder.certificate_file, holder.key_file, of="client")
