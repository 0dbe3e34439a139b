"""The diary of a study, in words."""

from datetime import UTC, datetime

import pytest

from m3net.uids import StudyInstanceUID
from node.core.diary import Event, Kind, queued_entry, sentence, step_entry
from node.core.states import Step


def said(kind: str, **details: object) -> str:
    return sentence(
        Event(
            at=datetime(2026, 5, 6, tzinfo=UTC),
            study_instance_uid=StudyInstanceUID("1.2"),
            kind=kind,
            job_id=7,
            delivery_id=9,
            details=details,
        )
    )


def test_an_entry_is_named_by_the_work_and_its_step() -> None:
    assert queued_entry("job") == "job.queued"
    assert [step_entry("delivery", step) for step in (Step.CLAIM, Step.FINISH, Step.BURY)] == [
        "delivery.claimed",
        "delivery.done",
        "delivery.dead",
    ]


@pytest.mark.parametrize(
    ("kind", "details", "words"),
    [
        # in words of its own
        (Kind.STUDY_WAITS, {"reason": "for an annotation"}, "waiting: for an annotation"),
        (
            "job.done",
            {"headline": "1 of 1 nodule analysed."},
            "job 7 done: 1 of 1 nodule analysed.",
        ),
        (
            "delivery.done",
            {"destination": "pacs", "delivered": 3},
            "delivery 9 to pacs done: 3 objects stored",
        ),
        # in the words of the step, whatever the work
        ("job.dead", {"error": "no disk"}, "job 7 is dead and waits for a person: no disk"),
        (
            "delivery.requeued",
            {"destination": "pacs"},
            "delivery 9 to pacs requeued by an operator",
        ),
        (
            "fetch.released",
            {"number": 4, "source": "pacs", "error": "lost"},
            "fetch 4 from pacs taken back: lost",
        ),
        # work that has no words at all is called by its kind and its number
        ("some_work.queued", {"number": 5}, "some work 5 queued"),
    ],
)
def test_an_event_is_told_in_its_own_words_or_in_those_of_its_step(
    kind: str, details: dict[str, object], words: str
) -> None:
    assert said(kind, **details) == words


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("study.complete", {}),
        ("job.retried", {"not_before": "soon", "error": "x"}),
        ("job.retried", {"not_before": 7}),
        ("job.dreamt", {}),
        ("from another version", {}),
    ],
)
def test_a_line_of_another_version_is_shown_as_one_and_hides_no_other(
    kind: str, details: dict[str, object]
) -> None:
    assert said(kind, **details) == f"{kind}, for which this version has no words"
