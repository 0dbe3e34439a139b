"""What screens are told while they stand there, and what that takes from others."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from node.persistence.store import open_store
from tests.node.persistence.filling import queued
from tests.node.web.serving import Served, serving

THREADS = 40
"""So many the web server has for everything that is no coroutine."""


def changes(screen: requests.Response) -> Iterator[str]:
    """What it is told of, event by event, but for the beats."""
    lines = screen.iter_lines(decode_unicode=True)
    return (next(lines) for line in lines if line == "event: change")


def opened(served: Served) -> requests.Response:
    """A screen that is told of changes."""
    return served.get("/events", stream=True)


def test_a_screen_is_told_that_something_came(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    with serving(tmp_path, store=store) as served, opened(served) as screen:
        said = changes(screen)
        before = next(said)
        queued(store)
        assert next(said) != before


def test_screens_take_no_thread_from_others_while_the_database_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'node.sqlite'}")
    answers, asked = threading.Event(), threading.Event()

    def slow() -> int:
        asked.set()
        answers.wait(30)
        return 1

    monkeypatch.setattr(store, "last_event", slow)
    with ExitStack() as stack:
        served = stack.enter_context(serving(tmp_path, store=store))
        stack.callback(answers.set)
        for _ in range(THREADS + 5):
            stack.enter_context(opened(served))
        assert asked.wait(10)
        assert requests.get(f"http://127.0.0.1:{served.port}/healthz", timeout=3).status_code == 200
