"""What is wrong since when, and who has been told of it: kept, so that a restart repeats nothing.

A row stands from when a sign is first seen until everybody who is told has heard that it is over.
A time that lies ahead counts as long past: it is of a clock that was set back since.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, update

from node.persistence.schema import StandingSign, ToldSign
from node.persistence.transactions import Transactions

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRow:
    """One sign that stands, or that is over and has not been told so; `schema.StandingSign`."""

    name: str
    subject: str
    severity: str
    says: str
    since: datetime
    seen_at: datetime
    over_at: datetime | None


class StandingSigns(Transactions):
    """Rows of signs, and of whom they were told to."""

    def standing_since(self) -> dict[Key, datetime]:
        """Since when each sign stands that was seen before, by name and subject."""
        with self._read() as connection:
            rows = connection.execute(
                select(StandingSign.name, StandingSign.subject, StandingSign.since).where(
                    StandingSign.over_at.is_(None)
                )
            ).all()
        return {(row.name, row.subject): row.since for row in rows}

    def note_signs(self, seen: Sequence[StandingRow], *, now: datetime) -> None:
        """These stand and no others; what stood before keeps when it began."""
        with self._write() as connection:
            before = {
                (row.name, row.subject)
                for row in connection.execute(select(StandingSign.name, StandingSign.subject))
            }
            for row in seen:
                if (row.name, row.subject) in before:
                    connection.execute(
                        update(StandingSign)
                        .where(_of(row.name, row.subject))
                        .values(severity=row.severity, says=row.says, over_at=None)
                    )
                else:
                    values = {name: getattr(row, name) for name in StandingRow.__slots__}
                    connection.execute(insert(StandingSign).values(values))
            for name, subject in before - {(row.name, row.subject) for row in seen}:
                connection.execute(
                    update(StandingSign)
                    .where(_of(name, subject), StandingSign.over_at.is_(None))
                    .values(over_at=now)
                )

    def untold(
        self, recipient: str, *, settle: timedelta, severities: Iterable[str], now: datetime
    ) -> list[StandingRow]:
        """What the recipient is to be told, the oldest first: what has begun, or is over.

        settle : for so long it has to stand, and to be over
        """
        told = exists().where(
            ToldSign.name == StandingSign.name,
            ToldSign.subject == StandingSign.subject,
            ToldSign.recipient == recipient,
        )
        stood = or_(StandingSign.seen_at <= now - settle, StandingSign.seen_at > now)
        over = or_(StandingSign.over_at <= now - settle, StandingSign.over_at > now)
        begun = and_(StandingSign.over_at.is_(None), stood, ~told)
        with self._read() as connection:
            rows = connection.execute(
                select(*StandingSign.__table__.columns)
                .where(or_(begun, and_(over, told)), StandingSign.severity.in_(list(severities)))
                .order_by(StandingSign.seen_at, StandingSign.name, StandingSign.subject)
            ).all()
        return [StandingRow(**row._asdict()) for row in rows]

    def note_told(self, row: StandingRow, recipient: str, *, now: datetime) -> None:
        """The recipient knows that it has begun, or that it is over."""
        key = (ToldSign.name == row.name, ToldSign.subject == row.subject)
        with self._write() as connection:
            connection.execute(delete(ToldSign).where(*key, ToldSign.recipient == recipient))
            if row.over_at is None:
                connection.execute(
                    insert(ToldSign).values(
                        name=row.name, subject=row.subject, recipient=recipient, told_at=now
                    )
                )

    def forget_over(self, recipients: Sequence[str], *, settle: timedelta, now: datetime) -> None:
        """What is over, and known to be by all of the recipients who were told, is forgotten."""
        known = exists().where(
            ToldSign.name == StandingSign.name,
            ToldSign.subject == StandingSign.subject,
            ToldSign.recipient.in_(recipients),
        )
        over = or_(StandingSign.over_at <= now - settle, StandingSign.over_at > now)
        with self._write() as connection:
            gone = connection.execute(
                delete(StandingSign)
                .where(over, ~known)
                .returning(StandingSign.name, StandingSign.subject)
            ).all()
            for row in gone:
                connection.execute(
                    delete(ToldSign).where(
                        ToldSign.name == row.name, ToldSign.subject == row.subject
                    )
                )


def _of(name: str, subject: str) -> ColumnElement[bool]:
    return and_(StandingSign.name == name, StandingSign.subject == subject)
