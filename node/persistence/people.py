"""Who asks: users, tokens and sessions, as a request finds them (`accounts`: who makes them).

They are kept in the database, so that all machines of a node know the same people.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, exists, insert, select, update

from node.core.errors import NotAllowed
from node.core.people import Role, name_key
from node.persistence.schema import Account, Session
from node.persistence.transactions import Transactions

_REMEMBERED = timedelta(days=30)
"""For how long after its end a session tells from where a user comes."""
_SEEN_EVERY = timedelta(minutes=1)
_USED_EVERY = timedelta(hours=1)


class AccountKind(StrEnum):
    """Who it is for."""

    USER = "user"
    TOKEN = "token"  # a word, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """A user, or the token of a machine; see `schema.Account`."""

    number: int
    kind: AccountKind
    name: str
    role: Role
    secret: str | None = field(repr=False)
    created_at: datetime
    ends_at: datetime | None
    used_at: datetime | None


class People(Transactions):
    """Who may come in, and who is in."""

    def has_users(self) -> bool:
        """Whether anybody has to log in."""
        with self._read() as connection:
            return bool(
                connection.execute(
                    select(exists().where(Account.kind == AccountKind.USER.value))
                ).scalar_one()
            )

    def user_of_name(self, name: str) -> AccountRow | None:
        """The user of that name, however it is spelt."""
        return self._one(Account.kind == "user", Account.name_key == name_key(name))

    def holder_of_token(self, digest: str, *, now: datetime) -> AccountRow | None:
        """Whose token it is; None if it is nobody's, or has ended."""
        row = self._one(Account.kind == "token", Account.secret == digest)
        if row is None or (row.ends_at is not None and row.ends_at <= now):
            return None
        return row

    def token_used(self, row: AccountRow, *, now: datetime) -> None:
        """It is noted, once an hour."""
        if row.used_at is None or now - row.used_at >= _USED_EVERY:
            with self._write() as connection:
                connection.execute(
                    update(Account).where(Account.id == row.number).values(used_at=now)
                )

    def open_session(
        self, user: AccountRow, digest: str, *, address: str, now: datetime, ends_at: datetime
    ) -> None:
        """The user is logged in, unless the password has changed meanwhile: raises NotAllowed."""
        with self._write() as connection:
            found = connection.execute(
                select(Account.id)
                .where(Account.id == user.number, Account.secret == user.secret)
                .with_for_update()
            ).one_or_none()
            if found is None:
                raise NotAllowed(f"{user.name} is no user, or has another password now")
            connection.execute(delete(Session).where(Session.ends_at < now - _REMEMBERED))
            connection.execute(
                insert(Session).values(
                    digest=digest,
                    account_id=user.number,
                    address=address,
                    opened_at=now,
                    seen_at=now,
                    ends_at=ends_at,
                )
            )

    def holder_of_session(
        self, digest: str, *, now: datetime, idle: timedelta
    ) -> tuple[AccountRow, datetime] | None:
        """Whose session it is, and when it was last seen; None if there is none, or it has ended.

        idle : after so long without a request it has
        """
        with self._read() as connection:
            row = connection.execute(
                select(*Account.__table__.columns, Session.seen_at)
                .join(Session, Session.account_id == Account.id)
                .where(
                    Session.digest == digest,
                    Session.ended_at.is_(None),
                    Session.ends_at > now,
                    Session.seen_at > now - idle,
                )
            ).one_or_none()
        return None if row is None else (account_of(row), row.seen_at)

    def session_seen(self, digest: str, *, before: datetime, now: datetime) -> None:
        """The user has asked for something; it is noted once a minute."""
        if now - before >= _SEEN_EVERY:
            with self._write() as connection:
                connection.execute(
                    update(Session)
                    .where(Session.digest == digest, Session.seen_at < now)
                    .values(seen_at=now)
                )

    def end_session(self, digest: str, *, now: datetime) -> None:
        """Nobody is in by it any more; nothing happens if there is none."""
        with self._write() as connection:
            connection.execute(
                update(Session)
                .where(Session.digest == digest, Session.ended_at.is_(None))
                .values(ended_at=now)
            )

    def has_come_from(self, name: str, address: str) -> bool:
        """Whether the user of that name has logged in from there of late."""
        with self._read() as connection:
            return bool(
                connection.execute(
                    select(
                        exists().where(
                            Session.account_id == Account.id,
                            Account.name_key == name_key(name),
                            Session.address == address,
                        )
                    )
                ).scalar_one()
            )

    def _one(self, *conditions: ColumnElement[bool]) -> AccountRow | None:
        with self._read() as connection:
            row = connection.execute(
                select(*Account.__table__.columns).where(*conditions)
            ).one_or_none()
        return None if row is None else account_of(row)


def account_of(row: Row[*tuple[Any, ...]]) -> AccountRow:
    """Of a row with all columns of the table."""
    return AccountRow(
        number=row.id,
        kind=AccountKind(row.kind),
        name=row.name,
        role=Role(row.role),
        secret=row.secret,
        created_at=row.created_at,
        ends_at=row.ends_at,
        used_at=row.used_at,
    )
