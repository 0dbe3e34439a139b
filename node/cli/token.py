"""`m3node token`: by which machines are let in that cannot log in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from node.cli.options import (
    config_option,
    json_option,
    loaded,
    made_store,
    opened_store,
    person,
    show_json,
    show_table,
)
from node.cli.user import role_option
from node.core.people import Role


@click.group()
def token() -> None:
    """Tokens by which machines are let in: add, list, remove."""


@token.command("add")
@click.argument("name")
@role_option
@click.option(
    "--days",
    type=click.IntRange(min=1, max=36_500),
    help="After so many days it is of no more use; else it never ends.",
)
@config_option
def add(name: str, role: str, days: int | None, config_path: Path | None) -> None:
    """A token more; it is printed this once, and kept nowhere.

    The machine sends it with every request: "Authorization: Bearer TOKEN".
    """
    from node.core.people import checked_name
    from node.credentials import TOKEN_PREFIX, TOKEN_PURPOSE, digest_of, drawn_token
    from node.persistence.people import AccountKind

    config = loaded(config_path)
    name = checked_name(name)
    secret, now = TOKEN_PREFIX + drawn_token(), datetime.now(UTC)
    ends_at = None if days is None else now + timedelta(days=days)
    with made_store(config) as store:
        store.add_account(
            AccountKind.TOKEN,
            name,
            role=Role(role),
            secret=digest_of(secret, purpose=TOKEN_PURPOSE),
            now=now,
            ends_at=ends_at,
            by=person(),
        )
    until = "until it is removed" if ends_at is None else f"until {ends_at.astimezone():%Y-%m-%d}"
    click.echo(f"{name} may come in as {role} {until}, by this token, shown only now:", err=True)
    click.echo(secret)


@token.command("list")
@json_option
@config_option
def list_tokens(as_json: bool, config_path: Path | None) -> None:
    """All tokens, by name; none is shown."""
    from node.persistence.people import AccountKind

    with opened_store(loaded(config_path)) as store:
        rows = store.accounts(AccountKind.TOKEN)
    if as_json:
        show_json(
            [
                {
                    "name": row.name,
                    "role": row.role,
                    "created_at": row.created_at,
                    "ends_at": row.ends_at,
                    "used_at": row.used_at,
                }
                for row in rows
            ]
        )
    else:
        show_table(
            ["name", "role", "made", "ends", "last used"],
            [(row.name, row.role, row.created_at, row.ends_at, row.used_at) for row in rows],
        )


@token.command("remove")
@click.argument("name")
@config_option
def remove(name: str, config_path: Path | None) -> None:
    """The token is of no more use."""
    from node.persistence.people import AccountKind

    with opened_store(loaded(config_path)) as store:
        store.remove_account(AccountKind.TOKEN, name, now=datetime.now(UTC), by=person())
    click.echo(f"{name} is removed")
