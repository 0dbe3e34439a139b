"""A sign: one thing that is wrong right now, and what to do.

The same signs are told by `m3node health`, the page, `/readyz`, `/metrics` and alerts.  A sign is
known by its name and its subject: two destinations that are down are two signs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is."""

    WARNING = "warning"
    """The node does its work, but somebody has to see to something."""
    ERROR = "error"
    """Some of its work is not done."""


class Name(StrEnum):
    """Every sign that there is; a monitor may rely on these words."""

    NODE_DOWN = "node_down"
    DATABASE_UNREACHABLE = "database_unreachable"
    STORAGE_UNREADABLE = "storage_unreadable"
    DISK_LOW = "disk_low"
    RECEIVER_SILENT = "receiver_silent"
    PROCESS_FROZEN = "process_frozen"
    PROCESS_STUCK = "process_stuck"
    PROCESS_MISSING = "process_missing"
    TICK_LATE = "tick_late"
    WORK_UNCLAIMED = "work_unclaimed"
    STUDIES_UNREAD = "studies_unread"
    DESTINATION_DOWN = "destination_down"
    DESTINATION_UNKNOWN = "destination_unknown"
    JOBS_DEAD = "jobs_dead"
    DELIVERIES_DEAD = "deliveries_dead"
    FETCHES_DEAD = "fetches_dead"
    NO_CT = "no_ct"
    STUDIES_EXPIRED = "studies_expired"
    CERTIFICATE = "certificate"
    ALERTS_UNHEARD = "alerts_unheard"


TOLD_OF: Mapping[str, Sequence[str]] = {
    "warning": [Severity.WARNING.value, Severity.ERROR.value],
    "error": [Severity.ERROR.value],
}
"""By `alerts.least`: of what alerts tell."""
NOT_READY = frozenset(
    {
        Name.DATABASE_UNREACHABLE,
        Name.STORAGE_UNREADABLE,
        Name.DISK_LOW,
    }
)
"""With one of these, as an error, an object that came over the web now would not be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that is wrong.

    subject : what it is of: a role, a destination, an AE title, a key of the configuration; empty
              where there is but one of the kind
    says    : what is wrong and what to do; names no patient
    since   : when it began, or was first seen; None if neither is known
    """

    name: Name
    severity: Severity
    subject: str = ""
    says: str
    since: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.name.value, self.subject

    def as_json(self) -> Mapping[str, Any]:
        """Its fields, for programs."""
        return asdict(self)


def error(name: Name, says: str, *, subject: str = "", since: datetime | None = None) -> Sign:
    """Some of the node's work is not done."""
    return Sign(name=name, severity=Severity.ERROR, subject=subject, says=says, since=since)


def warning(name: Name, says: str, *, subject: str = "", since: datetime | None = None) -> Sign:
    """Somebody has to see to something."""
    return Sign(name=name, severity=Severity.WARNING, subject=subject, says=says, since=since)


def worst(signs: Iterable[Sign]) -> Severity | None:
    """The greatest severity; None without signs."""
    severities = {sign.severity for sign in signs}
    if Severity.ERROR in severities:
        return Severity.ERROR
    return Severity.WARNING if severities else None
