"""What the verbs share: --config, --json, --phi, --since, --state, and how lists are shown."""

import getpass
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from node.core.states import State

if TYPE_CHECKING:
    from rich.console import Console

    from node.config import NodeConfig
    from node.persistence.store import Store

F = TypeVar("F", bound=Callable[..., Any])
_AGE = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def config_option(command: F) -> F:
    """--config FILE, for every verb."""
    return click.option(
        "--config",
        "config_path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The configuration; default: $M3NODE_CONFIG, then ./node.toml.",
    )(command)


def json_option(command: F) -> F:
    """--json, for everything that lists."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        command
    )


def phi_option(command: F) -> F:
    """--phi: patients are named only when asked for."""
    return click.option("--phi", is_flag=True, help="Name the patients.")(command)


def moment(text: str) -> datetime:
    """An aware datetime from an age such as 90m, 12h or 3d, or from an ISO date or time."""
    try:
        if age := _AGE.fullmatch(text.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither an age (90m, 12h, 3d) nor an ISO time"
        ) from None


def since_option(what: str) -> Callable[[F], F]:
    """--since WHEN."""
    return click.option("--since", metavar="WHEN", type=moment, help=f"{what} (12h, 3d, a date).")


def state_option(choices: Iterable[State]) -> Callable[[F], F]:
    """--state STATE, as often as one likes; the verb gets a tuple of `State`."""
    offered = frozenset(choices)
    return click.option(
        "--state",
        "states",
        type=click.Choice([state.value for state in State if state in offered]),
        multiple=True,
        callback=lambda _context, _option, chosen: tuple(map(State, chosen)),
    )


def loaded(config_path: Path | None, *, warn: bool = True) -> "NodeConfig":
    """The configuration that is meant.

    warn : a variable that is nearly a key's is told on standard error, since whoever typed it
           believes that another node answers; of what only begins like ours `check` tells
    """
    from node.config import find_config, load_config

    if warn:
        _warn_of_slips()
    return load_config(find_config(config_path, os.environ), os.environ)


def loaded_or_default(config_path: Path | None) -> "NodeConfig":
    """The configuration that is meant; without any file, the defaults and the environment."""
    from node.config import find_config, load_config

    found = find_config(config_path, os.environ)
    named = config_path is not None or "M3NODE_CONFIG" in os.environ
    if found is not None and not named and not found.exists():
        found = None
    _warn_of_slips()
    return load_config(found, os.environ)


def _warn_of_slips() -> None:
    from node.config import sets_nothing, unknown_variables

    for name, nearest in unknown_variables(os.environ).items():
        if nearest is not None:
            click.echo(f"warning: {sets_nothing(name, nearest)}", err=True)


@contextmanager
def opened_store(config: "NodeConfig", *, of_any_version: bool = False) -> Iterator["Store"]:
    """The store of a node that has run before; a mistyped path makes no empty database.

    of_any_version : an earlier schema than this program's will do, since no row is looked at
    """
    from node.app import open_node_store
    from node.persistence.upgrading import Change

    store = open_node_store(config, change=Change.LEAVE if of_any_version else Change.NONE)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def made_store(config: "NodeConfig") -> Iterator["Store"]:
    """The store of a node that may run for the first time only after this."""
    from node.app import open_node_store
    from node.persistence.private import OTHERS, make_folder
    from node.persistence.upgrading import Change

    os.umask(OTHERS)
    make_folder(config.storage.directory)
    store = open_node_store(config, change=Change.MAKE)
    try:
        yield store
    finally:
        store.close()


def person() -> str:
    """Who is at the command line, for the diary."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        name = str(os.getuid())
    return f"{name} (command line)"


def console() -> "Console":
    """Standard output; wide where no terminal cuts it."""
    from rich.console import Console

    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=240)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One line a row; UIDs are never cut."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "study")
    for row in rows:
        table.add_row(*(Text(in_cell(value)) for value in row))
    console().print(table)


def show_list(columns: Sequence[str], rows: Sequence[Sequence[object]], told: str) -> None:
    """A table, if there is a row, and below it what else there is to say of the list."""
    if rows:
        show_table(columns, rows)
    if told:
        click.echo(told)


def show_fields(fields: Mapping[str, object]) -> None:
    """One line a field."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:{width}}  {in_cell(value)}")


def show_json(value: object) -> None:
    """Indented JSON; times as ISO 8601 in UTC."""
    click.echo(json.dumps(value, indent=2, default=in_json, ensure_ascii=False))


def in_json(value: object) -> object:
    """What JSON has no word for."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def in_cell(value: object) -> str:
    """A value for human eyes; times are local."""
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3g}"
        case _:
            return str(value)
