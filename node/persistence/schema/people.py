"""Who may come in over the web, and who is in."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from node.persistence.schema.base import Base


class Account(Base):
    """A user, or the token of a machine; no two have one name.

    kind     : "user" or "token"
    name_key : the name as names are compared (`node.core.people.name_key`)
    secret   : of a user the argon2 hash of the password, null for one whom only a proxy lets in; of
               a token its digest
    ends_at  : when a token is of no more use; null: never
    used_at  : when a token was last shown, to the hour
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    secret: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("kind IN ('user', 'token')", name="kind"),
        CheckConstraint("role IN ('viewer', 'operator', 'sender')", name="role"),
        CheckConstraint("kind = 'user' OR secret IS NOT NULL", name="token_has_secret"),
        CheckConstraint("kind = 'token' OR ends_at IS NULL", name="users_do_not_end"),
    )


class Session(Base):
    """One log-in, kept for a while after its end: from where a user comes is known then.

    digest   : of the token in the cookie, which itself is kept nowhere
    address  : from where it was
    seen_at  : when the user last asked for something, to the minute
    ends_at  : when it ends whatever happens
    ended_at : when it was ended before that, by logging out or with the password
    """

    __tablename__ = "session"

    digest: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id))
    address: Mapped[str]
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "account_id", "address"), Index(None, "ends_at"))


class AccountChange(Base):
    """What was done to a user or a token, and by whom; it stays when they are gone.

    did  : "added", "new role", "new password" or "removed"
    role : the one that was given, if one was
    """

    __tablename__ = "account_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    did: Mapped[str]
    role: Mapped[str | None]
