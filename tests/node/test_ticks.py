"""Ticks come in their time, whatever is done to the clock; what fails is said once."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from node import ticks
from node.ticks import Tick, keep_ticking

ENDS_S = 20.0
"""Far more than any of these takes."""


def ticked(tick: Tick, *, times: int, wall: Callable[[], float] = time.time) -> list[float]:
    """The seconds from the first call to the beginning of each of so many."""
    stop = threading.Event()
    at_last = threading.Timer(ENDS_S, stop.set)
    at_last.start()
    began: list[float] = []
    do = tick.do

    def noted() -> float | None:
        began.append(time.monotonic())
        return do()

    tick.do = noted
    ended = count(1)
    keep_ticking(
        [tick], stop, ticked=lambda _: stop.set() if next(ended) == times else None, wall=wall
    )
    at_last.cancel()
    assert len(began) == times
    return [each - began[0] for each in began]


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "LOOK_AT_CLOCK_S", 0.02)


def test_the_first_comes_at_once_and_each_next_in_its_time() -> None:
    began = time.monotonic()
    came = ticked(Tick(name="a", every_s=0.2, do=lambda: None), times=4)
    assert time.monotonic() - began >= came[-1] >= 0.6


def test_one_that_wants_to_come_sooner_does_and_later_it_cannot() -> None:
    pauses = iter([0.05, 60.0, 0.05, 60.0])
    came = ticked(Tick(name="a", every_s=0.5, do=lambda: next(pauses)), times=4)
    assert came[3] < ENDS_S
    assert came[2] - came[1] >= 0.5 > came[1]


def test_one_that_fails_comes_again_and_is_said_when_it_begins_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: Iterator[OSError | None] = iter([OSError(), OSError(), OSError(), None, None])

    def do() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    with caplog.at_level(logging.INFO, logger="node"):
        ticked(Tick(name="a", every_s=0.01, do=do), times=5)
    said = [record.action for record in caplog.records if hasattr(record, "action")]
    assert said == ["tick.failed", "tick.works_again"]


def test_a_late_one_is_not_made_up_for_and_none_overlap() -> None:
    running = threading.Lock()

    def slow() -> None:
        assert running.acquire(blocking=False)
        time.sleep(0.2)
        running.release()

    came = ticked(Tick(name="slow", every_s=0.05, do=slow), times=4)
    assert came[3] >= 3 * 0.25


def test_one_that_runs_at_the_end_is_brought_to_its_end_and_the_end_comes() -> None:
    stop, began, may_end = threading.Event(), threading.Event(), threading.Event()
    ended: list[str] = []

    def long() -> None:
        began.set()
        may_end.wait(ENDS_S)
        ended.append("long")

    tick = Tick(name="long", every_s=60, do=long)
    keeping = threading.Thread(target=keep_ticking, args=([tick], stop), daemon=True)
    keeping.start()
    assert began.wait(ENDS_S)
    stop.set()
    keeping.join(0.2)
    assert keeping.is_alive()
    may_end.set()
    keeping.join(ENDS_S)
    assert not keeping.is_alive()
    assert ended == ["long"]


def test_one_that_is_due_again_before_it_has_quite_ended_comes_again() -> None:
    stop = threading.Event()
    at_last = threading.Timer(ENDS_S, stop.set)
    at_last.start()
    came = count(1)

    def ticked(_name: str) -> None:
        time.sleep(0.05)  # it is due again by now, and this call is not over
        if next(came) == 3:
            stop.set()

    keep_ticking([Tick(name="a", every_s=3600, do=lambda: 0.0)], stop, ticked=ticked)
    at_last.cancel()
    assert next(came) == 4


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_has_every_tick_come_at_once(step_s: float) -> None:
    looks = count()

    def wall() -> float:
        return time.time() + (step_s if next(looks) > 5 else 0.0)

    came = ticked(Tick(name="a", every_s=3600, do=lambda: None), times=2, wall=wall)
    assert came[1] < ENDS_S
