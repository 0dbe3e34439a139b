"""Rows of the store as tables: jobs, their nodules, deliveries."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from node.cli.options import show_table
from sr_templates.findings import Lobe, Location, Measurements, Side
from sr_templates.probability import percent_text
from sr_templates.spoken import image_in_words, lung_in_words, size_in_words

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
                    n["tracking_id"],
                    _numbers(n["centre_index"]),
                    _numbers(n["centre_mm"]),
                    _where(n.get("location") or {}),
                    _size(n.get("measurements") or {}, n["diameter_mm"]),
                    None if n["probability"] is None else percent_text(n["probability"]),
                    n["reason"] or "",
                ]
                for n in nodules
            ],
        )


def _where(location: Mapping[str, Any]) -> str:
    """Lung and key slice; of a job from before they were noted, nothing."""
    place = Location(
        **{
            **location,
            "side": Side(location["side"]) if location.get("side") else None,
            "lobe": Lobe(location["lobe"]) if location.get("lobe") else None,
        }
    )
    return ", ".join(part for part in (lung_in_words(place), image_in_words(place)) if part)


def _size(measurements: Mapping[str, Any], diameter_mm: float | None) -> str | None:
    """As measured from the mark, else as it is marked."""
    told = size_in_words(
        Measurements(
            long_axis_mm=measurements.get("long_axis_mm"),
            short_axis_mm=measurements.get("short_axis_mm"),
        )
    )
    return told or (None if diameter_mm is None else f"marked as {diameter_mm:.0f} mm")


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
