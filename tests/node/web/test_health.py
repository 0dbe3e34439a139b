"""A monitor is answered, whatever everybody else waits for."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.persistence.asked import Page, StudiesAsked
from node.persistence.rows import StudyRow
from node.persistence.store import open_store
from tests.node.web.page.test_live import THREADS
from tests.node.web.serving import serving


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """What lists wait for."""
    event = threading.Event()
    yield event
    event.set()


def test_while_every_thread_waits_for_the_database_a_monitor_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: threading.Event
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    waiting = threading.Semaphore(0)

    def slow(asked: StudiesAsked) -> Page[StudyRow]:
        waiting.release()
        answers.wait(30)
        return Page(rows=[], total=0, offset=asked.offset)

    monkeypatch.setattr(store, "studies", slow)
    with serving(tmp_path, store=store) as served, ThreadPoolExecutor(THREADS) as people:
        pages = [people.submit(served.get, "/") for _ in range(THREADS)]
        for _ in range(THREADS):
            assert waiting.acquire(timeout=20)
        for path in ("/healthz", "/readyz"):
            assert served.get(path).status_code == 200
        answers.set()
        assert {page.result().status_code for page in pages} == {200}
