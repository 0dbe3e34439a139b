"""A database and a storage directory that belong together, and no others."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.core.errors import ConfigError
from node.keeping import identity
from node.persistence.store import Store, open_store
from tests.node.core.facts_of import ct_slice
from tests.node.persistence.filling import NOON, arrive


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Stores on databases of their own, by name."""
    stores: dict[str, Store] = {}

    def on(name: str) -> Store:
        if name not in stores:
            stores[name] = open_store(f"sqlite:///{tmp_path / name}.sqlite")
        return stores[name]

    yield on
    for store in stores.values():
        store.close()


def adopt(store: Store, directory: Path) -> str:
    identity.adopt(store, directory, now=NOON)
    known = store.storage_identity()
    assert known is not None
    assert identity.identity_in(directory) == known
    return known


def test_two_new_ones_adopt_each_other_once(opened: Callable[[str], Store], tmp_path: Path) -> None:
    first = adopt(opened("a"), tmp_path / "data")
    assert adopt(opened("a"), tmp_path / "data") == first
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["identity"]
    assert (tmp_path / "data" / "identity").stat().st_mode & 0o777 == 0o600


def test_a_second_node_with_a_storage_of_its_own_does_not_start_on_the_same_database(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    adopt(opened("a"), tmp_path / "data")
    adopt(opened("b"), tmp_path / "other")
    with pytest.raises(ConfigError, match="they do not belong together"):
        identity.adopt(opened("a"), tmp_path / "other", now=NOON)
    with pytest.raises(ConfigError, match=r"has no identity: is storage\.directory right, and"):
        identity.adopt(opened("a"), tmp_path / "empty", now=NOON)
    with pytest.raises(ConfigError, match=r"is the storage of another database.*m3node rebuild"):
        identity.adopt(opened("new"), tmp_path / "data", now=NOON)
    with pytest.raises(ConfigError, match="they do not belong together"):
        identity.require_same(opened("a"), tmp_path / "other")


def test_a_directory_that_moves_keeps_its_identity(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    known = adopt(opened("a"), tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "moved")
    assert adopt(opened("a"), tmp_path / "moved") == known


def test_what_a_version_before_has_left_is_adopted_if_the_files_are_there(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    arrive(opened("a"), ct_slice(0))
    (path,) = opened("a").newest_files(1)
    with pytest.raises(ConfigError, match="names files that are not in"):
        identity.adopt(opened("a"), tmp_path / "wrong", now=NOON)
    file = tmp_path / "data" / "spool" / path
    file.parent.mkdir(parents=True)
    file.touch()
    with pytest.raises(ConfigError, match=r"holds files, and the database knows of none"):
        identity.adopt(opened("empty"), tmp_path / "data", now=NOON)
    adopt(opened("a"), tmp_path / "data")


@pytest.mark.parametrize("step", ["link", "adopt_storage", "rename"])
def test_a_crash_while_adopting_is_finished_by_the_next_start(
    opened: Callable[[str], Store],
    tmp_path: Path,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Crash(Exception):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(opened("a") if step == "adopt_storage" else os, step, crash)
        with pytest.raises(Crash):
            identity.adopt(opened("a"), tmp_path / "data", now=NOON)
    adopt(opened("a"), tmp_path / "data")


def test_of_two_that_start_at_once_on_one_database_one_is_refused(
    opened: Callable[[str], Store], tmp_path: Path
) -> None:
    store = opened("a")

    class Slow:
        """Has looked before the other has adopted."""

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def storage_identity(self) -> None:
            return None

    adopt(store, tmp_path / "first")
    with pytest.raises(ConfigError, match="has no identity"):
        identity.adopt(Slow(), tmp_path / "second", now=NOON)  # type: ignore[arg-type]


def test_nonsense_in_the_file_is_told(opened: Callable[[str], Store], tmp_path: Path) -> None:
    adopt(opened("a"), tmp_path / "data")
    (tmp_path / "data" / "identity").write_text("me\n")
    with pytest.raises(ConfigError, match="does not hold an identity such as"):
        identity.adopt(opened("a"), tmp_path / "data", now=NOON)
