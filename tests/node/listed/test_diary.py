"""A night of failed tries is one line; nothing else is folded away."""

from datetime import UTC, datetime, timedelta

from node.core.diary import Event
from node.listed.diary import folded, in_local_time, zone
from tests.node.core.facts_of import STUDY

EVENING = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return EVENING + timedelta(minutes=minutes)


def of(minutes: int, what: str, *, delivery: int = 7, error: str = "is down") -> Event:
    of_each: dict[str, dict[str, object]] = {
        "claimed": {"tries": 1, "max_attempts": 500, "owner": "a:1:1"},
        "retried": {"error": error, "not_before": at(minutes + 5).isoformat()},
        "done": {"delivered": 2},
    }
    return Event(
        at=at(minutes),
        study_instance_uid=STUDY,
        kind=f"delivery.{what}",
        job_id=1,
        delivery_id=delivery,
        details={"destination": "pacs", **of_each[what]},
    )


def shown(*events: Event) -> list[str]:
    return [
        f"{(line.until - EVENING) // timedelta(minutes=1)} {line.says}" for line in folded(events)
    ]


def failed(minutes: int, error: str = "is down") -> str:
    return (
        f"delivery 7 to pacs failed, next try not before {in_local_time(at(minutes + 5))}: {error}"
    )


BEGAN = "delivery 7 to pacs begins, try 1 of 500"


def test_a_night_of_failures_is_the_first_try_and_one_line_with_the_last_word() -> None:
    night = [of(m, what) for m in range(0, 600, 5) for what in ("claimed", "retried")]
    assert shown(*night, of(600, "claimed"), of(600, "done")) == [
        f"0 {BEGAN}",
        f"595 {failed(595)} (120 times since {in_local_time(EVENING)})",
        f"600 {BEGAN}",
        "600 delivery 7 to pacs done: 2 objects stored",
    ]


def test_one_failure_is_told_as_it_was() -> None:
    assert shown(of(0, "claimed"), of(1, "retried")) == [f"0 {BEGAN}", f"1 {failed(1)}"]


def test_another_error_begins_another_line_and_a_try_that_lasts_is_told() -> None:
    events = [
        *(of(m, what) for m in (0, 5) for what in ("claimed", "retried")),
        of(10, "claimed"),
        of(10, "retried", error="is full"),
        of(15, "claimed"),
    ]
    assert shown(*events) == [
        f"0 {BEGAN}",
        f"5 {failed(5)} (2 times since {in_local_time(EVENING)})",
        f"10 {BEGAN}",
        f"10 {failed(10, 'is full')}",
        f"15 {BEGAN}",
    ]


def test_two_destinations_that_are_down_at_once_are_a_line_each() -> None:
    events = [
        of(m, what, delivery=number)
        for m in (0, 5, 10)
        for number in (7, 8)
        for what in ("claimed", "retried")
    ]
    assert [line.split("(")[-1] for line in shown(*events) if "times" in line] == [
        f"3 times since {in_local_time(EVENING)})",
        f"3 times since {in_local_time(EVENING)})",
    ]


def test_what_happened_to_another_meanwhile_stands_before_the_last_of_the_failures() -> None:
    events = [
        of(0, "claimed"),
        of(0, "retried"),
        of(1, "claimed", delivery=8),
        of(2, "done", delivery=8),
        of(5, "claimed"),
        of(5, "retried"),
    ]
    assert shown(*events) == [
        f"0 {BEGAN}",
        "1 delivery 8 to pacs begins, try 1 of 500",
        "2 delivery 8 to pacs done: 2 objects stored",
        f"5 {failed(5)} (2 times since {in_local_time(EVENING)})",
    ]


def test_the_zone_of_the_times_is_said() -> None:
    assert zone(EVENING).startswith(("UTC+", "UTC-"))
