"""Each sign: when it is there and when it is not, to the second, and what it says to do."""

from datetime import timedelta

import pytest

from node.persistence.watching import DeadRow, QueueRow
from node.watch.moment import Moment
from node.watch.sign import Name, Severity
from tests.node.persistence.filling import NOON, at
from tests.node.watch.seen import BOOT, NOW, found, pulse, well


def test_a_node_that_is_well_has_none() -> None:
    assert found(well()) == []


def test_a_process_that_says_nothing_is_frozen_after_half_a_minute() -> None:
    assert found(well(pulses={"worker": pulse("worker", tick=970.0, moved_tick=970.0)})) == []
    frozen = well(pulses={"worker": pulse("worker", tick=969.0, moved_tick=969.0, at=at(-31))})
    (sign,) = found(frozen)
    assert (sign.name, sign.subject, sign.severity) == (
        Name.PROCESS_FROZEN,
        "worker",
        Severity.ERROR,
    )
    assert sign.since == at(-31)
    assert sign.says == (
        "the worker (process 101 on host-a) has not said for 31 s that it runs, so no study is "
        "analysed; `kill -9 101`, and it is started again"
    )


def test_a_clock_that_is_set_freezes_nobody_and_hides_nobody() -> None:
    for hours in (-5, 5):
        set_by = Moment(at=NOON + timedelta(hours=hours), boot=BOOT, tick=1000.0)
        assert found(well(), now=set_by) == []
        silent = well(pulses={"worker": pulse("worker", tick=900.0, moved_tick=900.0)})
        assert [sign.name for sign in found(silent, now=set_by)] == [Name.PROCESS_FROZEN]


def test_of_another_host_the_clock_tells() -> None:
    there = {"boot": "boot-2", "tick": 7.0, "moved_tick": 7.0}
    assert found(well(pulses={"worker": pulse("worker", **there)})) == []
    silent = well(pulses={"worker": pulse("worker", **there, at=at(-31))})
    assert [sign.name for sign in found(silent)] == [Name.PROCESS_FROZEN]


def test_a_process_that_is_not_there_is_missing_and_one_that_is_not_wanted_is_not() -> None:
    (sign,) = found(well(pulses={"deliverer": None}))
    assert (sign.name, sign.subject) == (Name.PROCESS_MISSING, "deliverer")
    assert "so no result is sent" in sign.says
    assert found(well(pulses={"web": None}), web={"enabled": False}) == []


def test_without_any_process_there_is_one_sign_and_not_one_for_each() -> None:
    (sign,) = found(
        well(
            pulses=dict.fromkeys(("receiver", "worker", "deliverer", "watcher"))
            | {role: pulse(role, tick=100.0, at=at(-900)) for role in ("scheduler", "web")}
        )
    )
    assert (sign.name, sign.since) == (Name.NODE_DOWN, at(-900))


def test_a_job_that_gets_on_with_no_nodule_for_a_quarter_of_an_hour_is_stuck() -> None:
    working = {"doing": "job 12", "tick": 995.0}
    assert found(well(pulses={"worker": pulse("worker", **working, moved_tick=100.0)})) == []
    (sign,) = found(well(pulses={"worker": pulse("worker", **working, moved_tick=99.0)}))
    assert (sign.name, sign.since) == (Name.PROCESS_STUCK, at(-901))
    assert sign.says == (
        "the worker (process 101 on host-a) is at job 12 and has not got on for 15 min; "
        "`kill -9 101`, and it is started again"
    )


def test_a_scheduler_whose_tick_is_late_is_told_after_a_minute() -> None:
    assert found(well(pulses={"scheduler": pulse("scheduler", moved_tick=940.0)})) == []
    (sign,) = found(well(pulses={"scheduler": pulse("scheduler", moved_tick=939.0)}))
    assert (sign.name, sign.subject, sign.since) == (Name.TICK_LATE, "scheduler", at(-61))
    assert "has not looked at the studies for 61 s: none is judged complete" in sign.says


def jobs(**changed: object) -> QueueRow:
    row = {"kind": "job", "name": "", "queued": 3, "running": 0, "due_since": at(-61)}
    return QueueRow(**row | changed)  # type: ignore[arg-type]  # a row in a test


def test_work_that_is_due_and_that_nobody_takes_is_told_after_a_minute() -> None:
    assert found(well(queues=[jobs(due_since=at(-60))])) == []
    (sign,) = found(well(queues=[jobs()]))
    assert (sign.name, sign.subject, sign.since) == (Name.WORK_UNCLAIMED, "worker", at(-61))
    assert sign.says == (
        "3 jobs wait and the worker takes none of them; `m3node job list --state queued` names "
        "them, the log of the worker says why"
    )


def test_work_that_waits_behind_other_work_is_nothing_to_be_told() -> None:
    assert found(well(queues=[jobs(running=1)])) == []
    busy = {"worker": pulse("worker", doing="job 12")}
    assert found(well(queues=[jobs()], pulses=busy)) == []


def to_pacs(**changed: object) -> QueueRow:
    row = {"kind": "delivery", "name": "pacs", "queued": 2, "running": 0, "due_since": None}
    return QueueRow(**row | changed)  # type: ignore[arg-type]  # a row in a test


def test_a_deliverer_that_takes_nothing_is_told_of_each_destination() -> None:
    (sign,) = found(well(queues=[to_pacs(due_since=at(-61))]))
    assert (sign.name, sign.subject) == (Name.WORK_UNCLAIMED, "deliverer pacs")
    assert sign.says.startswith("2 deliveries for pacs wait and the deliverer takes none of them;")


def test_a_destination_is_down_when_it_has_taken_nothing_for_a_quarter_of_an_hour() -> None:
    failing = {"failing_from": at(-901)}
    assert found(well(queues=[to_pacs(failing_from=at(-900))])) == []
    assert found(well(queues=[to_pacs(**failing, done_at=at(-60))])) == []
    (sign,) = found(well(queues=[to_pacs(**failing, done_at=at(-5000))]))
    assert (sign.name, sign.subject, sign.since) == (Name.DESTINATION_DOWN, "pacs", at(-901))
    assert "`m3node echo pacs`" in sign.says


def test_a_destination_is_down_while_its_only_delivery_is_tried_once_more() -> None:
    waits, tried = (
        found(well(queues=[to_pacs(queued=queued, running=1 - queued, failing_from=at(-901))]))
        for queued in (1, 0)
    )
    assert [sign.name for sign in tried] == [Name.DESTINATION_DOWN]
    assert tried == waits  # nor does what it says change with every try


def test_what_waits_for_a_destination_that_nobody_names_is_a_warning() -> None:
    (sign,) = found(well(queues=[to_pacs(name="gone", due_since=at(-7200))]))
    assert (sign.name, sign.severity) == (Name.DESTINATION_UNKNOWN, Severity.WARNING)


@pytest.mark.parametrize(
    ("dead", "name", "severity", "says"),
    [
        (
            DeadRow(kind="job", name="", number=1, since=at(-10)),
            Name.JOBS_DEAD,
            Severity.ERROR,
            "1 job is dead and waits for a person: `m3node job list --state dead` says why, "
            "requeue or cancel",
        ),
        (
            DeadRow(kind="delivery", name="pacs", number=5, since=at(-10)),
            Name.DELIVERIES_DEAD,
            Severity.ERROR,
            "5 deliveries to pacs are dead and wait for a person: `m3node delivery list --state "
            "dead` says why, requeue or cancel",
        ),
        (
            DeadRow(kind="fetch", name="archive", number=1, since=at(-10)),
            Name.FETCHES_DEAD,
            Severity.WARNING,
            "1 fetch at archive is dead and waits for a person: `m3node why STUDY` says why, "
            "`m3node fetch --study UID` asks again, `m3node fetch cancel` ends it",
        ),
    ],
)
def test_what_is_dead_is_told_until_somebody_has_seen_to_it(
    dead: DeadRow, name: Name, severity: Severity, says: str
) -> None:
    (sign,) = found(well(dead=[dead]))
    assert (sign.name, sign.severity, sign.says, sign.since) == (name, severity, says, at(-10))


def test_a_scanner_that_sends_nothing_for_a_day_is_told() -> None:
    watch = {"expect_ct_from": ["CT1", "CT2"]}
    seen = well(ct_from={"CT1": at(-86400), "CT2": at(-86401)})
    (sign,) = found(seen, watch=watch)
    assert (sign.name, sign.subject, sign.severity) == (Name.NO_CT, "CT2", Severity.WARNING)


def test_studies_that_expired_of_late_are_told_where_each_is_to_be_annotated() -> None:
    (sign,) = found(well(expired=2, expired_since=at(-60)))
    assert (sign.name, sign.severity, sign.since) == (
        Name.STUDIES_EXPIRED,
        Severity.WARNING,
        at(-60),
    )
    assert sign.says.startswith("2 studies expired during the last day: no annotation came within")


def test_a_scanner_that_has_never_sent_is_told_when_the_node_has_run_for_long_enough() -> None:
    watch = {"expect_ct_from": ["CT1"], "expect_ct_within_h": 2}
    assert found(well(ct_from={"CT1": None}), watch=watch) == []
    watch["expect_ct_within_h"] = 1.9
    (sign,) = found(well(ct_from={"CT1": None}), watch=watch)
    assert sign.says.startswith("no CT has come from CT1;")


def test_objects_that_nobody_reads_are_told() -> None:
    assert found(well(unread=4, unread_since=at(-600))) == []
    (sign,) = found(well(unread=4, unread_since=at(-601)))
    assert (sign.name, sign.since) == (Name.STUDIES_UNREAD, at(-601))


def test_studies_that_nobody_judges_are_told() -> None:
    assert found(well(judged_late=1, judge_due_since=at(-60))) == []
    (sign,) = found(well(judged_late=1, judge_due_since=at(-61)))
    assert sign.says.startswith("1 study should have been judged complete or not by now")


def test_now_is_as_it_was_meant() -> None:
    assert NOW.age_s(boot=BOOT, tick=990.0, at=NOON) == 10.0
