"""A database that is deleted, replaced or damaged under a running node: nothing is acknowledged."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.core.errors import DatabaseLost, NotNow
from node.inbound.intake import Intake
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import STUDY, ct_slice
from tests.node.persistence.filling import NOON, SCANNER, arrive
from tests.synthetic import ct_series


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m3node.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{file}")
    arrive(opened, ct_slice(0))
    yield opened
    opened.close()


def deleted(file: Path) -> None:
    file.unlink()


def replaced(file: Path) -> None:
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


def without_log(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def another_log(file: Path) -> None:
    without_log(file)
    file.with_name(f"{file.name}-wal").touch()


@pytest.mark.parametrize("happens", [deleted, replaced, without_log, another_log])
def test_what_goes_where_nobody_will_find_it_is_not_acknowledged(
    store: Store, file: Path, happens: Callable[[Path], None]
) -> None:
    told: list[DatabaseLost] = []
    store.when_lost = told.append
    happens(file)
    with pytest.raises(DatabaseLost, match="was deleted or replaced while it was in use"):
        store.open_sender(SCANNER, owner="host:1:1", now=NOON)
    with pytest.raises(DatabaseLost):
        store.find_study(STUDY)
    assert len(told) == 2, "whoever serves is told each time, writing or reading"


def test_a_sender_is_told_to_come_again(store: Store, file: Path, tmp_path: Path) -> None:
    intake = Intake(
        spool=Spool(tmp_path / "spool"), store=store, min_free_bytes=0, clock=lambda: NOON
    )
    path = tmp_path / "sent.dcm"
    ct_series(shape=(1, 4, 4))[0].save_as(path, enforce_file_format=True)
    deleted(file)
    with pytest.raises(NotNow, match="0xA700: cannot store now"):
        intake.accept_file(path, sender_id=None)


def test_a_damaged_database_is_told_from_one_that_does_not_answer(store: Store, file: Path) -> None:
    store.close()
    size = file.stat().st_size
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * (size - 4096))
    with pytest.raises(DatabaseLost, match=r"is damaged \(.*malformed.*m3node restore"):
        open_store(f"sqlite:///{file}")
    file.write_bytes(b"something else altogether" * 1000)
    with pytest.raises(DatabaseLost, match=r"is damaged \(file is not a database\)"):
        open_store(f"sqlite:///{file}")
