"""Rows of the store as tables: jobs, their nodules, deliveries, fetches."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from node.cli.options import show_list, show_table
from node.listed.nodules import nodule_words
from node.listed.studies import uid_ends

if TYPE_CHECKING:
    from node.persistence.rows import DeliveryRow, FetchRow, JobRow


def show_jobs(rows: "Sequence[JobRow]", told: str = "") -> None:
    """One line a job; of one that waits, is dead or cancelled, why."""
    ends = uid_ends([row.study_instance_uid for row in rows])
    show_list(
        ["job", "study", "accession", "rev", "state", "tries", "made", "settled", "says"],
        [
            [
                row.job_id,
                ends[row.study_instance_uid],
                row.accession_number,
                row.revision,
                row.state,
                f"{row.tries}/{row.max_attempts}",
                row.created_at,
                row.settled_at,
                row.says,
            ]
            for row in rows
        ],
        told,
    )


def show_nodules(nodules: Sequence[Mapping[str, Any]]) -> None:
    """The nodules of a job's summary, with probability or the reason why there is none."""
    if nodules:
        show_table(
            ["nodule", "centre z, y, x", "centre mm (L, P, S)", "where", "size", "probability", ""],
            [
                [
                    words.name,
                    _numbers(n["centre_index"]),
                    _numbers(n["centre_mm"]),
                    words.where,
                    words.size or None,
                    words.probability or None,
                    words.reason or words.growth,
                ]
                for n, words in ((n, nodule_words(n)) for n in nodules)
            ],
        )


def _numbers(values: list[float] | None) -> str:
    return "-" if values is None else ", ".join(f"{value:.1f}" for value in values)


def show_deliveries(rows: "Sequence[DeliveryRow]", told: str = "") -> None:
    """One line a delivery; of one that has failed and waits, why and until when."""
    ends = uid_ends([row.study_instance_uid for row in rows])
    show_list(
        [
            "delivery",
            "job",
            "study",
            "accession",
            "destination",
            "state",
            "tries",
            "objects",
            "made",
            "next try",
            "error",
        ],
        [
            [
                row.delivery_id,
                row.job_id,
                ends[row.study_instance_uid],
                row.accession_number,
                row.destination,
                row.state,
                f"{row.tries}/{row.max_attempts}",
                row.delivered,
                row.created_at,
                row.not_before if row.waits else None,
                row.error,
            ]
            for row in rows
        ],
        told,
    )


def show_fetches(rows: "Sequence[FetchRow]", told: str = "") -> None:
    """One line a question to a source."""
    ends = uid_ends([row.study_instance_uid for row in rows])
    show_list(
        ["fetch", "study", "accession", "source", "asked by", "state", "tries", "made", "error"],
        [
            [
                row.number,
                ends[row.study_instance_uid],
                row.accession_number,
                row.source,
                "the node" if row.by_itself else "a person",
                row.state,
                f"{row.tries}/{row.max_attempts}",
                row.created_at,
                row.error,
            ]
            for row in rows
        ],
        told,
    )
