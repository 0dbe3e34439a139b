"""Rows of the store as tables: jobs, their nodules, deliveries."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from node.cli.options import show_table
from node.listed.nodules import nodule_words

if TYPE_CHECKING:
    from node.persistence.rows import DeliveryRow, JobRow


def show_jobs(rows: "Sequence[JobRow]") -> None:
    """One line a job; of a dead one, why."""
    show_table(
        ["job", "study", "rev", "state", "tries", "made", "settled", "says"],
        [
            [
                row.job_id,
                row.study_instance_uid,
                row.revision,
                row.state,
                f"{row.tries}/{row.max_attempts}",
                row.created_at,
                row.settled_at,
                row.error if row.state == "dead" else row.headline,
            ]
            for row in rows
        ],
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
                    words.reason,
                ]
                for n, words in ((n, nodule_words(n)) for n in nodules)
            ],
        )


def _numbers(values: list[float] | None) -> str:
    return "-" if values is None else ", ".join(f"{value:.1f}" for value in values)


def show_deliveries(rows: "Sequence[DeliveryRow]") -> None:
    """One line a delivery; of one that has failed and waits, why and until when."""
    show_table(
        [
            "delivery",
            "job",
            "study",
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
                row.study_instance_uid,
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
    )
