"""Backup, restore, verify and rebuild: nothing is lost, and nothing happens twice."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from node.core.errors import ConfigError, DatabaseBehind
from node.core.keeping import Files
from node.core.people import Role
from node.core.states import State
from node.keeping import identity
from node.keeping.backup import back_up
from node.keeping.removal import remove_marked
from node.keeping.restore import require_finished, restore
from node.keeping.verify import verify
from node.persistence.people import AccountKind
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.persistence.upgrading import Change
from tests.node.keeping.bench import Bench
from tests.node.keeping.conftest import on_both
from tests.node.persistence.earlier import make_earlier, revision_of
from tests.node.watch.seen import pulse


def now() -> datetime:
    return datetime.now(UTC)


def opener(tmp_path: Path) -> Callable[[], Store]:
    return lambda: open_store(f"sqlite:///{tmp_path / 'restored' / 'm3node.sqlite'}")


def amiss(store: Store, spool: Spool) -> list[str]:
    return [f"{each.wrong} {each.path}" for each in verify(store, spool, now=now())]


@pytest.fixture
def saved(kept: Bench, tmp_path: Path) -> Path:
    """A backup of one delivered study, one whose delivery is queued, and one to be judged."""
    (kept.spool.directory.parent).mkdir(exist_ok=True)
    identity.adopt(kept.store, tmp_path, now=now())
    kept.study(1)
    kept.study(2, until="finished")
    kept.study(3, until="received")
    assert back_up(kept.store, kept.spool, tmp_path / "backup") == 10
    return tmp_path / "backup"


@on_both
def test_a_backup_is_whole_and_a_restore_is_the_same_with_nothing_going_on(
    kept: Bench, saved: Path, tmp_path: Path
) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=saved, check=False
    )
    assert checked.returncode == 0
    assert {path.stat().st_mode & 0o077 for path in (saved, *saved.rglob("*"))} == {0}
    directory = tmp_path / "restored"
    files, held = restore(saved, directory, opener(tmp_path), by="alice", now=now())
    assert (files, held) == (10, 1)
    assert identity.identity_in(directory) == identity.identity_in(tmp_path)
    store, spool = opener(tmp_path)(), Spool(directory / "spool")
    identity.adopt(store, directory, now=now())
    assert amiss(store, spool) == []
    assert [row.study_instance_uid for row in store.list_studies()] == [
        row.study_instance_uid for row in kept.store.list_studies()
    ]
    # What was under way may have been done since: it waits for a person.
    assert store.studies_to_judge(now()) == []
    assert store.counts()["delivery"] == {State.DONE: 1, State.CANCELLED: 1}
    assert store.find_study("1.2.3.3").waiting_for is not None
    (cancelled,) = store.list_deliveries(states=[State.CANCELLED])
    store.requeue_delivery(cancelled.delivery_id, now=now())
    again = Bench(store, spool)
    again.receive(again.slices(3)[0], now=now())
    assert store.studies_to_judge(now()) == ["1.2.3.3"]
    again.study(4)  # numbers are drawn on after those of the backup
    store.close()


def test_what_an_earlier_version_wrote_is_saved_before_it_is_upgraded(
    kept: Bench, saved: Path, tmp_path: Path
) -> None:
    kept.store.close()
    file = tmp_path / "m3node.sqlite"
    make_earlier(file, "0009")
    with pytest.raises(DatabaseBehind, match=r"make a backup \(m3node backup DIR\), then start"):
        open_store(f"sqlite:///{file}", change=Change.NONE)
    store = open_store(f"sqlite:///{file}", change=Change.LEAVE)
    assert back_up(store, kept.spool, tmp_path / "before") == 10
    store.close()
    assert revision_of(file) == revision_of(tmp_path / "before" / "m3node.sqlite") == "0009"
    assert {path.name for path in (tmp_path / "before").iterdir()} == {
        path.name for path in saved.iterdir()
    }
    files, held = restore(
        tmp_path / "before", tmp_path / "restored", opener(tmp_path), by="alice", now=now()
    )
    assert (files, held) == (10, 1), "and by this version it is restored too"


def test_a_restore_overwrites_nothing_and_takes_nothing_damaged(
    kept: Bench, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="is not empty: move it away, or choose another"):
        restore(saved, tmp_path, lambda: kept.store, by="alice", now=now())
    with pytest.raises(ConfigError, match="is not empty; choose a folder that is not there yet"):
        back_up(kept.store, kept.spool, saved)
    victim = next((saved / "spool").rglob("*.dcm"))
    whole = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(whole[:-1])
    directory = tmp_path / "restored"
    with pytest.raises(ConfigError, match="is damaged: its digest is"):
        restore(saved, directory, opener(tmp_path), by="alice", now=now())
    with pytest.raises(ConfigError, match="was broken off; give the same `m3node restore` again"):
        require_finished(directory)
    victim.write_bytes(whole)
    restore(saved, directory, opener(tmp_path), by="alice", now=now())
    require_finished(directory)
    (saved / "SHA256SUMS").unlink()
    with pytest.raises(ConfigError, match="holds no whole backup"):
        restore(saved, tmp_path / "elsewhere", opener(tmp_path), by="alice", now=now())


def test_a_restore_knows_nobody_who_was_logged_in_and_no_process_that_ran(
    kept: Bench, saved: Path, tmp_path: Path
) -> None:
    """A backup is made while the node runs, and is restored onto another machine, perhaps."""
    kept.store.beat(pulse("receiver", host="the-first-machine"))
    kept.store.add_account(
        AccountKind.USER, "alice", role=Role.OPERATOR, secret="digest", now=now()
    )
    alice = kept.store.user_of_name("alice")
    assert alice is not None
    kept.store.open_session(
        alice, "cookie", address="h", now=now(), ends_at=now() + timedelta(days=1)
    )
    back_up(kept.store, kept.spool, tmp_path / "second")
    restore(tmp_path / "second", tmp_path / "restored", opener(tmp_path), by="alice", now=now())
    store = opener(tmp_path)()
    assert store.watched(ct_expected_from=(), now=now()).pulses == []
    assert store.user_of_name("alice") == alice
    assert store.holder_of_session("cookie", now=now(), idle=timedelta(hours=1)) is None
    store.close()


@on_both
def test_a_restore_is_not_put_beside_the_database_that_is_in_use(
    kept: Bench, url: str, saved: Path, tmp_path: Path
) -> None:
    """The disk of the storage is lost, and the database, of the same identity, knows more."""
    kept.study(4)
    directory = tmp_path / "new disk"
    for _ in range(2):
        with pytest.raises(ConfigError, match="the database is not empty; restore into an empty"):
            restore(saved, directory, lambda: open_store(url), by="alice", now=now())
    assert kept.store.counts()["delivery"] == {State.DONE: 2, State.QUEUED: 1}, "nothing is held"
    with pytest.raises(ConfigError, match="was broken off"):
        require_finished(directory)
    assert restore(saved, directory, opener(tmp_path), by="alice", now=now()) == (10, 1)


def test_a_restore_that_broke_off_goes_on_with_the_same_backup_only(
    kept: Bench, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.study(4)
    newer = tmp_path / "newer"
    back_up(kept.store, kept.spool, newer)
    directory = tmp_path / "restored"

    def die(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EIO, "the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "hold_everything", die)
        with pytest.raises(OSError, match="the disk is gone"):
            restore(saved, directory, opener(tmp_path), by="alice", now=now())
    with pytest.raises(ConfigError, match="the database is not empty"):
        restore(newer, directory, opener(tmp_path), by="alice", now=now())
    assert restore(saved, directory, opener(tmp_path), by="alice", now=now()) == (10, 1)
    require_finished(directory)


def test_a_backup_onto_a_disk_that_is_full_says_which_and_leaves_nothing(
    kept: Bench, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_another_disk(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EXDEV, "another disk")

    def full(source: Path, target: Path) -> NoReturn:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    target = tmp_path / "another"
    with monkeypatch.context() as disk:
        disk.setattr(os, "link", on_another_disk)
        disk.setattr(shutil, "copyfile", full)
        with pytest.raises(ConfigError, match=f"the disk of {target} is full, and nothing is"):
            back_up(kept.store, kept.spool, target)
    assert list(target.iterdir()) == []
    assert back_up(kept.store, kept.spool, target) == 10, "and it can be tried again"


def test_what_is_freed_after_a_backup_is_still_in_it(kept: Bench, saved: Path) -> None:
    study = kept.store.list_studies()[-1].study_instance_uid
    gone = kept.paths(study)
    assert kept.store.free(study, Files.RECEIVED, because="", by="", now=now())
    remove_marked(kept.store, kept.spool)
    assert len(gone - kept.files()) == 2
    assert all((saved / "spool" / path).exists() for path in gone)


def test_verify_names_what_is_damaged_missing_and_extra(kept: Bench) -> None:
    study = kept.study(1)
    first, second, *_ = sorted(kept.paths(study))
    assert amiss(kept.store, kept.spool) == []
    kept.spool.locate(first).write_bytes(b"another patient")
    kept.spool.locate(second).unlink()
    stray = kept.spool.write([b"stray"])

    os.utime(kept.spool.locate(stray.path), (0, 0))
    assert amiss(kept.store, kept.spool) == [
        f"damaged {first}",
        f"missing {second}",
        f"extra {stray.path}",
    ]
    assert {each.study_instance_uid for each in verify(kept.store, kept.spool, now=now())} == {
        study,
        None,
    }
