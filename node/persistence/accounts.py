"""Who may come in, as an administrator says; what was said by whom is kept when they are gone."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.core.errors import NotAllowed, UnknownEntry
from node.core.people import AN_ADMINISTRATOR, Role, name_key
from node.persistence.people import AccountKind, AccountRow, account_of
from node.persistence.schema import Account, AccountChange, Session
from node.persistence.transactions import Transactions


class Did(StrEnum):
    """What can be done to a user or a token."""

    ADDED = "added"
    NEW_ROLE = "new role"
    NEW_PASSWORD = "new password"  # not the password
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChangeRow:
    """One line of the history; `role` of what was added, or got another."""

    at: datetime
    by: str
    kind: AccountKind
    name: str
    did: Did
    role: Role | None


class Accounts(Transactions):
    """Users and tokens; `by` is who changes them, for the history."""

    def add_account(
        self,
        kind: AccountKind,
        name: str,
        *,
        role: Role,
        secret: str | None,
        now: datetime,
        ends_at: datetime | None = None,
        by: str = AN_ADMINISTRATOR,
    ) -> None:
        """There is one more.  Raises NotAllowed if the name is taken."""
        values = {
            "kind": kind.value,
            "name": name,
            "name_key": name_key(name),
            "role": role.value,
            "secret": secret,
            "created_at": now,
            "ends_at": ends_at,
        }
        try:
            with self._write() as connection:
                number = connection.execute(
                    insert(Account).values(values).returning(Account.id)
                ).scalar_one()
                _note(connection, number, Did.ADDED, by=by, now=now)
        except IntegrityError:
            raise NotAllowed(f"there is a user or a token called {name} already") from None

    def accounts(self, kind: AccountKind) -> list[AccountRow]:
        """All of the kind, by name."""
        with self._read() as connection:
            rows = connection.execute(
                select(*Account.__table__.columns)
                .where(Account.kind == kind.value)
                .order_by(Account.name_key)
            ).all()
        return [account_of(row) for row in rows]

    def set_role(self, name: str, role: Role, *, now: datetime, by: str = AN_ADMINISTRATOR) -> bool:
        """The user has that role, and is logged in nowhere; False if it was so before.

        Raises UnknownEntry.
        """
        with self._write() as connection:
            number = _number(connection, AccountKind.USER, name)
            changed = connection.execute(
                update(Account)
                .where(Account.id == number, Account.role != role.value)
                .values(role=role.value)
            ).rowcount
            if changed:
                _end_sessions(connection, number, now=now)
                _note(connection, number, Did.NEW_ROLE, by=by, now=now)
        return bool(changed)

    def set_password(
        self, name: str, secret: str, *, now: datetime, by: str = AN_ADMINISTRATOR
    ) -> None:
        """The user has another password, and is logged in nowhere.  Raises UnknownEntry."""
        with self._write() as connection:
            number = _number(connection, AccountKind.USER, name)
            connection.execute(update(Account).where(Account.id == number).values(secret=secret))
            _end_sessions(connection, number, now=now)
            _note(connection, number, Did.NEW_PASSWORD, by=by, now=now)

    def remove_account(
        self, kind: AccountKind, name: str, *, now: datetime, by: str = AN_ADMINISTRATOR
    ) -> None:
        """It is gone, and its sessions with it.  Raises UnknownEntry."""
        with self._write() as connection:
            number = _number(connection, kind, name)
            _note(connection, number, Did.REMOVED, by=by, now=now)
            connection.execute(delete(Session).where(Session.account_id == number))
            connection.execute(delete(Account).where(Account.id == number))

    def has_operator(self) -> bool:
        """Whether a user may act on the page."""
        with self._read() as connection:
            return bool(
                connection.execute(
                    select(
                        exists().where(
                            Account.kind == AccountKind.USER.value,
                            Account.role == Role.OPERATOR.value,
                        )
                    )
                ).scalar_one()
            )

    def account_changes(self) -> list[AccountChangeRow]:
        """What was done to users and tokens, the newest first."""
        with self._read() as connection:
            rows = connection.execute(
                select(*AccountChange.__table__.columns).order_by(AccountChange.id.desc())
            ).all()
        return [
            AccountChangeRow(
                at=row.at,
                by=row.by,
                kind=AccountKind(row.kind),
                name=row.name,
                did=Did(row.did),
                role=None if row.role is None else Role(row.role),
            )
            for row in rows
        ]


def _number(connection: Connection, kind: AccountKind, name: str) -> int:
    number = connection.execute(
        select(Account.id).where(Account.kind == kind.value, Account.name_key == name_key(name))
    ).scalar_one_or_none()
    if number is None:
        raise UnknownEntry(f"there is no {kind} of that name; see `m3node {kind} list`")
    return int(number)


def _end_sessions(connection: Connection, number: int, *, now: datetime) -> None:
    connection.execute(
        update(Session)
        .where(Session.account_id == number, Session.ended_at.is_(None))
        .values(ended_at=now)
    )


def _note(connection: Connection, number: int, did: Did, *, by: str, now: datetime) -> None:
    account = connection.execute(
        select(Account.kind, Account.name, Account.role).where(Account.id == number)
    ).one()
    connection.execute(
        insert(AccountChange).values(
            at=now,
            by=by,
            kind=account.kind,
            name=account.name,
            did=did.value,
            role=account.role if did in (Did.ADDED, Did.NEW_ROLE) else None,
        )
    )
