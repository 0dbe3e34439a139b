"""Nobody but the node's user gets at what is stored, whatever the umask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.persistence.private import make_folder, tighten
from node.persistence.spool import Spool
from node.persistence.store import open_store

NOBODY = 65534


@pytest.fixture(params=[0o022, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(below: Path) -> set[str]:
    """What others may do with anything there."""
    return {
        f"{path.relative_to(below)} {path.stat().st_mode & 0o777:o}"
        for path in (below, *below.rglob("*"))
        if path.stat().st_mode & 0o077
    }


@pytest.mark.usefixtures("umask")
def test_database_and_spool_are_closed_to_others(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'm3node.sqlite'}")
    spool = Spool(tmp_path / "data" / "spool")
    spool.write([b"patient"])
    with spool.begin() as part:
        part.write(b"half a patient")
        assert {path.name for path in (tmp_path / "data").glob("m3node*")} == {
            "m3node.sqlite",
            "m3node.sqlite-shm",
            "m3node.sqlite-wal",
        }
        assert modes(tmp_path / "data") == set()
    store.close()


def test_what_a_version_before_has_left_open_is_closed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm3node.sqlite'}"
    for _ in range(2):
        store = open_store(url)
        spool = Spool(tmp_path / "spool")
        assert modes(tmp_path / "spool") == set()
        for path in (tmp_path / "m3node.sqlite", tmp_path / "m3node.sqlite-wal"):
            assert path.stat().st_mode & 0o777 == 0o600
            path.chmod(0o644)
        for folder in (spool.directory, spool.directory / "ab", spool.directory / "parts"):
            folder.chmod(0o755)
        store.close()


def test_a_folder_that_everybody_shares_by_design_stays_open(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    tighten(tmp_path)
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_user_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    make_folder(tmp_path / "a" / "b")
    open_store(f"sqlite:///{tmp_path / 'a' / 'm3node.sqlite'}").close()
    Spool(tmp_path / "a" / "b" / "spool").write([b"patient"])
    owners = {path.stat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {NOBODY}
