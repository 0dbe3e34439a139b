"""Ticks come in their time, whatever is done to the clock; what fails is said once."""

import json
import logging
import threading
from collections.abc import Callable

import pytest

from node.ticks import Tick, keep_ticking


class Time:
    """Monotonic seconds that pass while somebody waits; ends after so many."""

    def __init__(self, stop: threading.Event, *, ends_s: float) -> None:
        self.now_s = 1000.0
        self._stop, self._ends_s = stop, 1000.0 + ends_s

    def wait(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.001)
        if self.now_s > self._ends_s:
            self._stop.set()


def ticked(ticks: list[Tick], *, for_s: float) -> None:
    stop = threading.Event()
    passing = Time(stop, ends_s=for_s)
    for tick in ticks:
        do = tick.do
        tick.do = noting(do, passing)
    keep_ticking(ticks, stop, monotonic=lambda: passing.now_s, wait=passing.wait)


NOTED: list[float] = []


def noting(do: Callable[[], float | None], passing: Time) -> Callable[[], float | None]:
    def noted() -> float | None:
        NOTED.append(round(passing.now_s - 1000.0, 2))
        return do()

    return noted


@pytest.fixture(autouse=True)
def _afresh() -> None:
    NOTED.clear()


def test_the_first_comes_at_once_and_each_next_in_its_time() -> None:
    ticked([Tick(name="a", every_s=5, do=lambda: None)], for_s=16)
    assert NOTED == [0, 5, 10, 15]


def test_one_that_wants_to_come_sooner_does_and_later_it_cannot() -> None:
    pauses = iter([1.0, 60.0, 2.0, 5.0, 5.0])
    ticked([Tick(name="a", every_s=5, do=lambda: next(pauses))], for_s=12)
    assert NOTED == [0, 1, 6, 8]


def test_one_that_fails_comes_again_and_is_said_when_it_begins_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = iter([OSError("away"), OSError("away"), OSError("away"), None, None])

    def do() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    with caplog.at_level(logging.INFO, logger="node"):
        ticked([Tick(name="a", every_s=5, do=do)], for_s=19)
    said = [json.dumps(getattr(record, "action", "")) for record in caplog.records]
    assert NOTED == [0, 5, 10, 15]
    assert said == ['"tick.failed"', '"tick.works_again"']


def test_a_late_one_is_not_made_up_for() -> None:
    stop = threading.Event()
    passing = Time(stop, ends_s=21)
    came: list[float] = []

    def slow() -> None:
        came.append(passing.now_s - 1000.0)
        passing.now_s += 12

    keep_ticking(
        [Tick(name="slow", every_s=5, do=slow)],
        stop,
        monotonic=lambda: passing.now_s,
        wait=passing.wait,
    )
    assert came == [0, 17]
