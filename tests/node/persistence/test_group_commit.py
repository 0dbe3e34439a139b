"""One transaction for all that wait, and an answer for each."""

import threading
import time
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from node.persistence import group_commit
from node.persistence.group_commit import GroupCommit
from tests.peers import wait_until


class Database:
    """Counts its transactions; the first one waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def commit(self, rows: Sequence[int]) -> list[str]:
        self.batches.append(list(rows))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go.wait(20)
        return [f"row {row}" for row in rows]


def submitted(
    group: GroupCommit[int, str], rows: range, into: dict[int, object]
) -> list[threading.Thread]:
    def submit(row: int) -> None:
        try:
            into[row] = group.submit(lambda: row)
        except Exception as error:
            into[row] = error

    threads = [threading.Thread(target=submit, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    return threads


def test_those_that_come_while_one_commits_share_the_next_transaction() -> None:
    database, answers = Database(), dict[int, object]()
    group = GroupCommit(database.commit)
    threads = submitted(group, range(1), answers)
    assert database.begun.wait(20)
    threads += submitted(group, range(1, 17), answers)
    wait_until(lambda: len(group._waiting) == 16, "all wait")
    database.go.set()
    for thread in threads:
        thread.join(20)
    assert [len(batch) for batch in database.batches] == [1, 16]
    assert answers == {row: f"row {row}" for row in range(17)}


def test_more_than_one_transaction_takes_are_committed_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "MOST_AT_ONCE", 3)
    database, answers = Database(), dict[int, object]()
    group = GroupCommit(database.commit)
    threads = submitted(group, range(1), answers)
    assert database.begun.wait(20)
    threads += submitted(group, range(1, 9), answers)
    wait_until(lambda: len(group._waiting) == 8, "all wait")
    database.go.set()
    for thread in threads:
        thread.join(20)
    assert [len(batch) for batch in database.batches] == [1, 3, 3, 2]
    assert len(answers) == 9


def test_a_row_that_cannot_be_written_takes_no_other_with_it() -> None:
    def commit(rows: Sequence[int]) -> list[str]:
        if 3 in rows:
            raise IntegrityError("", {}, Exception("no"))
        return [f"row {row}" for row in rows]

    answers: dict[int, object] = {}
    gate = Database()
    group: GroupCommit[int, str] = GroupCommit(lambda rows: gate.commit(rows) and commit(rows))
    threads = submitted(group, range(1), answers)
    assert gate.begun.wait(20)
    threads += submitted(group, range(1, 6), answers)
    wait_until(lambda: len(group._waiting) == 5, "all wait")
    gate.go.set()
    for thread in threads:
        thread.join(20)
    assert isinstance(answers.pop(3), IntegrityError)
    assert answers == {row: f"row {row}" for row in (0, 1, 2, 4, 5)}


def test_while_the_database_is_away_nobody_waits_for_it_twice() -> None:
    gate = Database()

    def commit(rows: Sequence[int]) -> list[str]:
        gate.commit(rows)
        raise OperationalError("", {}, Exception("database is locked"))

    answers: dict[int, object] = {}
    group: GroupCommit[int, str] = GroupCommit(commit)
    threads = submitted(group, range(1), answers)
    assert gate.begun.wait(20)
    threads += submitted(group, range(1, 6), answers)
    wait_until(lambda: len(group._waiting) == 5, "all wait")
    gate.go.set()
    for thread in threads:
        thread.join(20)
    assert gate.batches == [[0]]
    assert all(isinstance(answers[row], OperationalError) for row in range(6))


def test_those_who_are_getting_their_rows_ready_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_S", 20)
    database, answers = Database(), dict[int, object]()
    database.go.set()
    group = GroupCommit(database.commit)
    at_it, ready = threading.Event(), threading.Event()

    def slow() -> int:
        at_it.set()
        assert ready.wait(20)
        return 1

    first = threading.Thread(target=group.submit, args=(slow,))
    first.start()
    assert at_it.wait(20)
    (second,) = submitted(group, range(2, 3), answers)
    wait_until(lambda: len(group._waiting) == 1, "the second one waits")
    assert database.batches == []
    ready.set()
    first.join(20)
    second.join(20)
    assert database.batches == [[2, 1]]


def test_nobody_waits_long_for_one_who_gets_nothing_ready() -> None:
    group: GroupCommit[int, int] = GroupCommit(lambda rows: rows)
    at_it, ready = threading.Event(), threading.Event()

    def stuck() -> int:
        at_it.set()
        assert ready.wait(20)
        raise OSError(28, "no space left")

    failures: list[OSError] = []

    def fail() -> None:
        try:
            group.submit(stuck)
        except OSError as error:
            failures.append(error)

    first = threading.Thread(target=fail)
    first.start()
    assert at_it.wait(20)
    assert group.submit(lambda: 2) == 2
    ready.set()
    first.join(20)
    assert [error.errno for error in failures] == [28]
    assert group.submit(lambda: 3) == 3


def test_one_that_fails_to_get_ready_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_S", 20)
    group: GroupCommit[int, int] = GroupCommit(lambda rows: rows)

    def fails() -> int:
        raise OSError(28, "no space left")

    with pytest.raises(OSError, match="no space left"):
        group.submit(fails)
    started = time.monotonic()
    assert group.submit(lambda: 2) == 2
    assert time.monotonic() - started < 10
