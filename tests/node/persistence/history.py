"""A database with a hospital's past in it, written in bulk."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, insert

from node.persistence.codec import facts_to_row
from node.persistence.meant import backwards
from node.persistence.schema import Artifact, Delivery, Instance, Job, Study
from tests.node.core.facts_of import ct_slice
from tests.node.persistence.filling import NOON

CYCLE = ("done", "done", "done", "done", "done", "done", "done", "done", "dead", "cancelled")


def fill(engine: Engine, jobs: int, *, at_once: int = 5_000) -> None:
    """So many studies with one job each, eight in ten done and sent, one dead and reported."""
    with engine.begin() as connection:
        for start in range(1, jobs + 1, at_once):
            numbers = range(start, min(start + at_once, jobs + 1))
            connection.execute(insert(Study), [_study(number) for number in numbers])
            connection.execute(insert(Instance), [_instance(number) for number in numbers])
            connection.execute(insert(Job), [_job(number) for number in numbers])
            told = [number for number in numbers if _state(number) != "cancelled"]
            connection.execute(insert(Artifact), [_artifact(number) for number in told])
            connection.execute(insert(Delivery), [_delivery(number) for number in told])


def _uid(number: int) -> str:
    return f"1.2.3.4.{number}"


def _state(number: int) -> str:
    return CYCLE[number % len(CYCLE)]


def _outcome(number: int) -> str:
    return "technical_failure" if _state(number) == "dead" else "analysed"


def _study(number: int) -> dict[str, Any]:
    arrived = NOON - timedelta(minutes=number)
    return {
        "study_instance_uid": _uid(number),
        "uid_backwards": backwards(_uid(number)),
        "patient_id": f"{number}",
        "patient_name": f"Doe^{number}",
        "accession_number": f"A{number}",
        "study_date": "20260301",
        "first_arrival_at": arrived,
        "last_arrival_at": arrived,
        "change": 1,
        "judge_at": None,
        "waiting_for": None,
    }


def _instance(number: int) -> dict[str, Any]:
    return {
        **facts_to_row(ct_slice(0)),
        "study_instance_uid": _uid(number),
        "sop_instance_uid": f"{_uid(number)}.1",
        "version": 1,
        "current": True,
        "sha256": f"{number}",
        "path": "p",
        "size": 1,
        "received_at": NOON,
    }


def _settled(number: int, *, state: str) -> dict[str, Any]:
    made = NOON - timedelta(minutes=number)
    return {
        "study_instance_uid": _uid(number),
        "state": state,
        "attempt": 1,
        "tries": 1,
        "max_attempts": 3,
        "not_before": made,
        "created_at": made,
        "settled_at": made,
        "error": None,
    }


def _job(number: int) -> dict[str, Any]:
    done = _state(number) == "done"
    return {
        **_settled(number, state=_state(number)),
        "id": number,
        "input_digest": "d",
        "analysis_id": "a",
        "revision": 1,
        "inputs": {},
        "summary": {},
        "outcome": "analysed" if done else None,
        "headline": "1 of 1 nodule analysed" if done else None,
        "failure_reported": _state(number) == "dead",
    }


def _artifact(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "study_instance_uid": _uid(number),
        "job_id": number,
        "outcome": _outcome(number),
        "kind": "report",
        "report_variant": "comprehensive_3d",
        "capture_variant": "multi_frame",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
        "sop_instance_uid": f"2.25.{number}",
        "series_instance_uid": "2.25.1",
        "path": "p",
        "sha256": "s",
        "size": 1,
    }


def _delivery(number: int) -> dict[str, Any]:
    return {
        **_settled(number, state="done"),
        "job_id": number,
        "destination": "pacs",
        "outcome": _outcome(number),
        "round": 1,
    }
