"""`m3node user`: who may log in to the page, and as what."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

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
from node.core.people import Role

if TYPE_CHECKING:
    from node.persistence.people import AccountRow

_NO_OPERATOR = "none is an operator now: nobody can act on the page"

role_option = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="viewer: sees studies; operator: acts on them too; sender: only stores.",
)


@click.group()
def user() -> None:
    """Who may log in to the page: add, list, role, passwd, remove, history."""


@user.command("add")
@click.argument("name")
@role_option
@click.option(
    "--no-password",
    is_flag=True,
    help="Only a proxy of web.proxy_peers lets this user in; there is no log-in with a password.",
)
@config_option
def add(name: str, role: str, no_password: bool, config_path: Path | None) -> None:
    """A user more.  The password is asked for, or is the first line of standard input.

    From the first user on nobody sees the page without a log-in.
    """
    from node.cli.secret import asked_password
    from node.core.people import checked_name
    from node.credentials import hashed
    from node.persistence.people import AccountKind

    config = loaded(config_path)
    name = checked_name(name)
    secret = None if no_password else hashed(asked_password(name))
    with made_store(config) as store:
        store.add_account(
            AccountKind.USER,
            name,
            role=Role(role),
            secret=secret,
            now=datetime.now(UTC),
            by=person(),
        )
        operator = store.has_operator()
    click.echo(f"{name} may log in as {role}")
    if not operator:
        click.echo(_NO_OPERATOR, err=True)


@user.command("list")
@json_option
@config_option
def list_users(as_json: bool, config_path: Path | None) -> None:
    """All users, by name."""
    from node.persistence.people import AccountKind

    with opened_store(loaded(config_path)) as store:
        rows = store.accounts(AccountKind.USER)
    if as_json:
        show_json([_said(row) for row in rows])
    else:
        show_table(
            ["name", "role", "log-in", "made"],
            [(row.name, row.role, _login(row), row.created_at) for row in rows],
        )


@user.command("passwd")
@click.argument("name")
@config_option
def passwd(name: str, config_path: Path | None) -> None:
    """Another password; wherever the user is logged in, that is over."""
    from node.cli.secret import asked_password
    from node.credentials import hashed

    with opened_store(loaded(config_path)) as store:
        secret = hashed(asked_password(name))
        store.set_password(name, secret, now=datetime.now(UTC), by=person())
    click.echo(f"{name} has a new password, and is logged in nowhere")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@config_option
def change_role(name: str, role: str, config_path: Path | None) -> None:
    """Another role, and the same password; wherever the user is logged in, that is over."""
    with opened_store(loaded(config_path)) as store:
        changed = store.set_role(name, Role(role), now=datetime.now(UTC), by=person())
        operator = store.has_operator()
    if changed:
        click.echo(f"{name} is {role} now, and is logged in nowhere")
    else:
        click.echo(f"{name} was {role} before; nothing has changed")
    if not operator:
        click.echo(_NO_OPERATOR, err=True)


@user.command("history")
@json_option
@config_option
def history(as_json: bool, config_path: Path | None) -> None:
    """What was done to users and tokens, when and by whom, the newest first."""
    with opened_store(loaded(config_path)) as store:
        rows = store.account_changes()
    if as_json:
        show_json([asdict(row) for row in rows])
    else:
        show_table(
            ["at", "by", "kind", "name", "what", "role"],
            [(row.at, row.by, row.kind, row.name, row.did, row.role) for row in rows],
        )


@user.command("remove")
@click.argument("name")
@config_option
def remove(name: str, config_path: Path | None) -> None:
    """The user is gone, and wherever he or she is logged in, that is over."""
    from node.persistence.people import AccountKind

    config = loaded(config_path)
    with opened_store(config) as store:
        store.remove_account(AccountKind.USER, name, now=datetime.now(UTC), by=person())
        anybody, operator = store.has_users(), store.has_operator()
    click.echo(f"{name} is removed")
    if anybody and not operator:
        click.echo(_NO_OPERATOR, err=True)
    if not anybody:
        click.echo(
            "there is no user left: the page is for whoever reaches this machine's own port, and "
            "`m3node serve` refuses another web.host",
            err=True,
        )


def _login(row: "AccountRow") -> str:
    return "a proxy's" if row.secret is None else "password"


def _said(row: "AccountRow") -> dict[str, object]:
    return {
        "name": row.name,
        "role": row.role,
        "login": "proxy" if row.secret is None else "password",
        "created_at": row.created_at,
    }
