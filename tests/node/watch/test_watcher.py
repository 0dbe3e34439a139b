"""Each sign is told once, and once more when it is over, whatever ends in between."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from node.core.errors import DestinationUnreachable
from node.persistence.store import Store, open_store
from node.watch import watcher
from node.watch.alert import Alert
from node.watch.moment import Moment
from node.watch.sign import Name, Sign, error, warning
from node.watch.signs import signs
from tests.node.persistence.filling import NOON, at
from tests.node.watch.seen import config

DOWN = error(Name.DESTINATION_DOWN, "pacs has taken nothing", subject="pacs", since=at(-900))
ENDS = warning(Name.CERTIFICATE, "it ends in 12 days", subject="web")


class Teller:
    """Somebody who is told, and may be away."""

    name = "webhook"

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool, datetime]] = []
        self.away = False

    def tell(self, alert: Alert) -> None:
        if self.away:
            raise DestinationUnreachable("away")
        self.heard.append((alert.name, alert.over, alert.since))


class Bench:
    """A watcher whose looks and clock a test decides."""

    def __init__(self, directory: Path, **alerts: object) -> None:
        self.url = f"sqlite:///{directory / 'm3node.sqlite'}"
        self.config = config(alerts=alerts)
        self.teller = Teller()
        self.now = NOON
        self.store: Store
        self.start()

    def start(self) -> None:
        """A new process, which knows what the database knows."""
        self.store = open_store(self.url)
        self.telling = watcher.Telling(
            self.config,
            self.store,
            self.teller,
            node="M3NODE",
            clock=lambda: self.now,
            rng=Random(1),
        )

    def seen(self, *signs: Sign, seconds: float) -> float:
        """So many seconds after noon these are seen, and told if it is time."""
        self.now = at(seconds)
        self.store.note_signs([watcher.row_of(sign, self.now) for sign in signs], now=self.now)
        pause_s = self.telling.tell()
        settle = timedelta(seconds=self.config.alerts.settle_s)
        self.store.forget_over([self.teller.name], settle=settle, now=self.now)
        return pause_s


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_once_when_it_has_stood_and_once_when_it_is_over(bench: Bench) -> None:
    for seconds in (0, 29, 30, 35, 500):
        bench.seen(DOWN, seconds=seconds)
    assert bench.teller.heard == [("destination_down", False, at(-900))]
    for seconds in (600, 629, 630, 700):
        bench.seen(seconds=seconds)
    assert bench.teller.heard[1:] == [("destination_down", True, at(-900))]
    assert bench.store.standing_since() == {}


def test_what_is_over_at_once_is_not_told_and_what_comes_back_at_once_was_not_over(
    bench: Bench,
) -> None:
    bench.seen(DOWN, seconds=0)
    bench.seen(seconds=10)
    bench.seen(seconds=100)
    assert bench.teller.heard == []
    bench.seen(DOWN, seconds=200)
    bench.seen(DOWN, seconds=230)
    bench.seen(seconds=240)
    bench.seen(DOWN, seconds=260)
    bench.seen(DOWN, seconds=900)
    assert [over for _, over, _ in bench.teller.heard] == [False]


def test_a_restart_repeats_nothing_and_forgets_nothing(bench: Bench) -> None:
    bench.seen(DOWN, seconds=0)
    bench.seen(DOWN, seconds=30)
    bench.store.close()
    bench.start()
    bench.seen(DOWN, seconds=60)
    assert len(bench.teller.heard) == 1
    bench.store.close()
    bench.start()
    bench.seen(seconds=70)
    bench.seen(seconds=100)
    assert [over for _, over, _ in bench.teller.heard] == [False, True]


def test_whoever_is_away_is_told_later_and_is_asked_more_and_more_seldom(bench: Bench) -> None:
    bench.teller.away = True
    bench.seen(DOWN, seconds=0)
    pauses = [bench.seen(DOWN, seconds=30 + n) for n in range(12)]
    assert 2.5 <= pauses[0] <= 5
    assert 300 <= pauses[-1] <= 600
    bench.teller.away = False
    assert bench.seen(DOWN, seconds=900) == watcher.TELL_EVERY_S
    assert [over for _, over, _ in bench.teller.heard] == [False]


def test_a_clock_that_is_set_back_silences_nothing(bench: Bench) -> None:
    bench.seen(DOWN, seconds=0)
    bench.seen(DOWN, seconds=-3600)
    assert [over for _, over, _ in bench.teller.heard] == [False]
    bench.seen(seconds=-3590)
    bench.seen(seconds=-7200)
    assert [over for _, over, _ in bench.teller.heard] == [False, True]


def test_only_errors_are_told_where_only_errors_are_wanted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, least="error", settle_s=0)
    bench.seen(DOWN, ENDS, seconds=0)
    assert [name for name, _, _ in bench.teller.heard] == ["destination_down"]
    bench.seen(seconds=1)
    bench.seen(seconds=2)
    assert [(name, over) for name, over, _ in bench.teller.heard][1:] == [
        ("destination_down", True)
    ]
    assert bench.store.standing_since() == {}
    bench.store.close()


def test_a_database_that_is_away_is_told_without_it_and_so_is_its_return(tmp_path: Path) -> None:
    bench = Bench(tmp_path, settle_s=0)
    bench.store.close()
    (tmp_path / "m3node.sqlite").rename(tmp_path / "away")
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"m3node.sqlite{suffix}").unlink(missing_ok=True)
    bench.telling.tell()
    bench.telling.tell()
    assert [(name, over) for name, over, _ in bench.teller.heard] == [
        ("database_unreachable", False)
    ]
    (tmp_path / "m3node.sqlite").unlink(missing_ok=True)
    (tmp_path / "away").rename(tmp_path / "m3node.sqlite")
    bench.store.close()
    bench.telling.tell()
    bench.telling.tell()
    assert [over for _, over, _ in bench.teller.heard] == [False, True]
    bench.store.close()


def test_whoever_could_not_be_told_for_a_quarter_of_an_hour_is_a_sign_for_the_others(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, webhook={"url": "http://127.0.0.1:9"})
    bench.teller.away = True
    bench.seen(DOWN, seconds=0)

    def unheard(seconds: float) -> list[tuple[str, datetime | None]]:
        now = Moment(at=at(seconds), boot="boot-1", tick=seconds)
        return [
            (sign.subject, sign.since)
            for sign in signs(bench.config, bench.store, now=now)
            if sign.name is Name.ALERTS_UNHEARD
        ]

    bench.seen(DOWN, seconds=929)
    assert unheard(929) == []
    assert unheard(930) == [("webhook", NOON)]
    bench.teller.away = False
    bench.seen(DOWN, seconds=935)
    assert unheard(940) == []
    bench.store.close()
