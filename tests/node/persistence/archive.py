"""A database with a hospital's archive in it, written in bulk, to be searched."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, insert, update

from node.persistence.schema import (
    Artifact,
    Contribution,
    Delivery,
    EventLog,
    Instance,
    Job,
    Sender,
    Series,
    Study,
)
from tests.node.persistence.filling import NOON

FAMILIES = ("Abel", "Becker", "Chevalier", "Doe", "Eriksson", "Fischer", "García", "Huber", "Ito")
GIVEN = ("Anna", "Bruno", "Clara", "David", "Eva", "Felix", "Greta", "Hugo", "Ida", "Jan", "Kim")
CT = "1.2.840.10008.5.1.4.1.1.2"


def fill_archive(engine: Engine, studies: int, *, slices: int, at_once: int = 1_000) -> None:
    """So many studies of a CT; four in five analysed, one in ten with a SEG, few with an RTSTRUCT.

    Days run backwards from 2026-03-01, twenty studies a day.
    """
    with engine.begin() as connection:
        for start in range(1, studies + 1, at_once):
            numbers = range(start, min(start + at_once, studies + 1))
            connection.execute(insert(Study), [_study(number, slices) for number in numbers])
            connection.execute(
                insert(Series), [each for number in numbers for each in _series(number, slices)]
            )
            connection.execute(
                insert(Instance),
                [_instance(number, each) for number in numbers for each in range(slices)],
            )
            done = [number for number in numbers if "SR" in _modalities(number)]
            connection.execute(insert(Job), [_job(number) for number in done])
            connection.execute(insert(Artifact), [_report(number) for number in done])


def fill_work(engine: Engine, studies: int, *, at_once: int = 1_000) -> None:
    """What came of the studies of `fill_archive`: who sent them, what waits, where results went.

    Of four in five the report went to two destinations, one in five hundred of them in vain.  Half
    of the others wait for an annotation, a quarter has died, and a quarter is of no concern.
    """
    with engine.begin() as connection:
        connection.execute(insert(Sender), [_sender(each) for each in range(1, 21)])
        for start in range(1, studies + 1, at_once):
            numbers = range(start, min(start + at_once, studies + 1))
            connection.execute(insert(Contribution), [_contribution(each) for each in numbers])
            done = [number for number in numbers if number % 5]
            deliveries = [_delivery(n, name) for n in done for name in ("archive", "pacs")]
            connection.execute(insert(Delivery), deliveries)
            others = [number for number in numbers if not number % 5]
            for number in others:
                connection.execute(
                    update(Study)
                    .where(Study.study_instance_uid == uid_of(number))
                    .values(
                        waiting_for="for an annotation" if number % 10 else None,
                        ignored_because="nothing is for this node" if number % 20 == 10 else None,
                    )
                )
            died = [number for number in others if number % 20 == 0]
            connection.execute(insert(Job), [_dead_job(number) for number in died])
            connection.execute(insert(EventLog), [_event(n, kind) for n in done for kind in _DIARY])


def uid_of(number: int) -> str:
    """Of the study."""
    return f"1.2.826.0.1.3680043.10.511.3.{number:07d}"


def _modalities(number: int) -> list[str]:
    found = ["CT"]
    if number % 1000 == 7:
        found.append("RTSTRUCT")
    if number % 10 == 3:
        found.append("SEG")
    if number % 5:
        found.append("SR")
    return sorted(found)


def name_of(number: int) -> str:
    """Of the patient."""
    return f"{FAMILIES[number % 9]}{number % 700}^{GIVEN[number % 11]}"


def _study(number: int, slices: int) -> dict[str, Any]:
    arrived = NOON - timedelta(minutes=number)
    modalities = _modalities(number)
    return {
        "study_instance_uid": uid_of(number),
        "patient_id": f"PID{number % 7000:06d}",
        "patient_name": name_of(number),
        "patient_name_key": name_of(number).casefold(),
        "accession_number": f"A{number:07d}",
        "study_date": f"{NOON - timedelta(days=number // 20):%Y%m%d}",
        "study_time": f"{8 + number % 9:02d}{number % 60:02d}00",
        "study_id": f"S{number}",
        "study_description": "CT Thorax",
        "referring_physician_name": f"House{number % 50}^Gregory",
        "referring_physician_name_key": f"house{number % 50}^gregory",
        "patient_birth_date": "19610704",
        "patient_sex": "FM"[number % 2],
        "modalities": "\\".join(("", *modalities, "")),
        "number_of_series": len(modalities),
        "number_of_instances": slices + len(modalities) - 1,
        "first_arrival_at": arrived,
        "last_arrival_at": arrived,
        "change": 1,
    }


def _series(number: int, slices: int) -> list[dict[str, Any]]:
    return [
        {
            "study_instance_uid": uid_of(number),
            "series_instance_uid": f"{uid_of(number)}.{place}",
            "modality": modality,
            "series_number": place,
            "series_description": f"{modality} of the thorax",
            "series_date": "20260301",
            "station_name": f"CT{number % 4}",
            "number_of_instances": slices if modality == "CT" else 1,
        }
        for place, modality in enumerate(_modalities(number))
    ]


def _instance(number: int, place: int) -> dict[str, Any]:
    return {
        "study_instance_uid": uid_of(number),
        "series_instance_uid": f"{uid_of(number)}.0",
        "sop_instance_uid": f"{uid_of(number)}.0.{place}",
        "sop_class_uid": CT,
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "role": "ct",
        "kind": "CT",
        "content_digest": "c",
        "facts": "{}",
        "version": 1,
        "current": True,
        "sha256": f"{number}.{place}",
        "path": f"ab/{number}.{place}.dcm",
        "size": 526_000,
        "received_at": NOON,
        "findable": True,
        "instance_number": place + 1,
        "rows": 512,
        "columns": 512,
        "bits_allocated": 16,
    }


def _job(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "study_instance_uid": uid_of(number),
        "input_digest": "d",
        "analysis_id": "a",
        "revision": 1,
        "inputs": {},
        "summary": {},
        "outcome": "analysed",
        "headline": "1 of 1 nodule analysed",
        "state": "done",
        "attempt": 1,
        "tries": 1,
        "max_attempts": 3,
        "not_before": NOON,
        "created_at": NOON,
        "settled_at": NOON,
    }


def _report(number: int) -> dict[str, Any]:
    place = _modalities(number).index("SR")
    return {
        "study_instance_uid": uid_of(number),
        "job_id": number,
        "outcome": "analysed",
        "kind": "report",
        "report_variant": "comprehensive_3d",
        "capture_variant": "multi_frame",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
        "sop_instance_uid": f"2.25.{number}",
        "series_instance_uid": f"{uid_of(number)}.{place}",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "path": "p",
        "sha256": "s",
        "size": 1,
        "in_force": True,
        "instance_number": 1,
    }


_DIARY = ("study.complete", "job.queued", "job.claimed", "job.done")


def _dead_job(number: int) -> dict[str, Any]:
    return {**_job(number), "outcome": None, "headline": None, "state": "dead", "error": "x"}


def _sender(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "kind": "dimse",
        "name": f"CT{number}",
        "called": "M3NODE",
        "peer": "10.0.0.7",
        "owner": "host:1:1",
        "opened_at": NOON,
        "alive_at": NOON,
        "closed_at": NOON,
    }


def _contribution(number: int) -> dict[str, Any]:
    return {
        "sender_id": 1 + number % 20,
        "study_instance_uid": uid_of(number),
        "new": 1,
        "same": 0,
        "newer": 0,
    }


def _delivery(number: int, destination: str) -> dict[str, Any]:
    dead = destination == "archive" and number % 500 == 1
    return {
        "study_instance_uid": uid_of(number),
        "job_id": number,
        "destination": destination,
        "outcome": "analysed",
        "round": 1,
        "state": "dead" if dead else "done",
        "attempt": 1,
        "tries": 1,
        "max_attempts": 3,
        "not_before": NOON,
        "created_at": NOON,
        "settled_at": NOON,
        "error": "refused" if dead else None,
    }


def _event(number: int, kind: str) -> dict[str, Any]:
    return {
        "at": NOON,
        "study_instance_uid": uid_of(number),
        "job_id": number,
        "kind": kind,
        "details": {
            "reason": "all is here",
            "because": "all is here",
            "revision": 1,
            "owner": "host:1:1",
            "tries": 1,
            "max_attempts": 3,
            "headline": "1 of 1 nodule analysed",
        },
    }
