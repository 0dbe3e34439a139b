"""kill -9 at each step of freeing and erasing: no row without its file, no file for ever."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NoReturn

import pytest

from node.config import RetentionConfig
from node.keeping.erasure import erase
from node.keeping.removal import remove_marked
from node.keeping.retention import run
from node.persistence import erasure, retention, spool
from tests.node.keeping.bench import Bench, bench
from tests.node.keeping.conftest import on_both


def now() -> datetime:
    return datetime.now(UTC)


def die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody outlives SIGKILL")


def before_the_commit_of_the_marks() -> None:
    retention.record = die  # type: ignore[assignment]  # the step
    erasure._delete_rows = die


def after_the_marks() -> None:
    retention.Retention.removing = die  # type: ignore[assignment]  # the step


def between_two_files() -> None:
    unlink, number = Path.unlink, count()

    def once(path: Path, missing_ok: bool = False) -> None:
        if next(number):
            die()
        unlink(path, missing_ok=missing_ok)

    Path.unlink = once  # type: ignore[method-assign]  # the step


def after_the_files() -> None:
    spool.fsync_directory = die


def free(kept: Bench) -> None:
    config = RetentionConfig(received_days=0, results_days=0)
    for _ in run(kept.store, kept.spool, config, by="alice", now=now()):
        pass


def erase_first(kept: Bench) -> None:
    study = kept.store.list_studies()[-1].study_instance_uid
    erase(kept.store, kept.spool, study, by="alice", now=now())


STEPS = (before_the_commit_of_the_marks, after_the_marks, between_two_files, after_the_files)


@on_both
@pytest.mark.parametrize("act", [free, erase_first])
def test_whatever_the_step_the_next_look_finishes_it(
    kept: Bench, url: str, tmp_path: Path, act: Callable[[Bench], None]
) -> None:
    for number, step in enumerate(STEPS, 1):
        kept.study(number)
        before = kept.files()
        kept.store.close()  # no connection is shared with the one that dies
        child = os.fork()
        if child == 0:
            try:
                # The spool's folders are there; opening it syncs, which is one of the steps.
                own = bench(url, tmp_path)
                step()
                act(own)
            finally:
                os._exit(1)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended == -signal.SIGKILL, step.__name__
        assert kept.needed() <= kept.files(), f"{step.__name__}: a row without its file"
        if step is before_the_commit_of_the_marks:
            assert kept.files() == before == kept.needed()
        remove_marked(kept.store, kept.spool)
        assert kept.files() == kept.needed(), f"{step.__name__}: a file without its row"
