"""An alert: that a sign has begun, or is over; the words in which it is told.  It names no patient.

An alert is told once.  Where it cannot be known whether one was heard (the process was killed in
the middle), it is told again under the same identifier.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from node.persistence.standing import StandingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message.

    node    : which node speaks: its AE title and its host
    over    : that it is over; else that it has begun
    since   : when it began
    at      : when it is told
    """

    node: str
    name: str
    subject: str
    severity: str
    says: str
    over: bool
    since: datetime
    at: datetime

    @property
    def identifier(self) -> str:
        """The same for the same alert, however often it is told."""
        parts = (self.node, self.name, self.subject, self.since.isoformat(), str(self.over))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        """One line."""
        what = f"{self.name} {self.subject}".rstrip()
        return f"{self.node}: {'over: ' if self.over else ''}{what}"

    @property
    def text(self) -> str:
        """A few sentences."""
        since = f"{self.since.astimezone():%Y-%m-%d %H:%M %Z}"
        if self.over:
            return f"It is over. Since {since} it was so: {self.says}."
        return f"Since {since}: {self.says}."

    def as_json(self) -> Mapping[str, Any]:
        """Its fields; `text` is what a chat shows."""
        return {
            "id": self.identifier,
            "event": "over" if self.over else "begun",
            "node": self.node,
            "name": self.name,
            "subject": self.subject,
            "severity": self.severity,
            "says": self.says,
            "since": self.since.isoformat(timespec="seconds"),
            "at": self.at.isoformat(timespec="seconds"),
            "text": f"{self.title}\n{self.text}",
        }


def test_of(node: str, now: datetime) -> Alert:
    """What is told when nothing is wrong, to see whether it is heard."""
    return Alert(
        node=node,
        name="test",
        subject="",
        severity="warning",
        says="this is a test, nothing is wrong",
        over=False,
        since=now,
        at=now,
    )


def alert_of(row: StandingRow, *, node: str, now: datetime) -> Alert:
    """What is told of the row."""
    return Alert(
        node=node,
        name=row.name,
        subject=row.subject,
        severity=row.severity,
        says=row.says,
        over=row.over_at is not None,
        since=row.since,
        at=now,
    )
