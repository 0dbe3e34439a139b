"""`m3node health`: what is wrong with the running node, and what to do."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import config_option, console, in_cell, json_option, loaded, show_json

if TYPE_CHECKING:
    from node.config import NodeConfig
    from node.watch.sign import Sign

_COLOURS = {"warning": "yellow", "error": "red"}
_WITHIN_S = 5.0
"""The database and the receiver have so long to answer."""


@click.command()
@json_option
@config_option
def health(as_json: bool, config_path: Path | None) -> int:
    """Say what is wrong with the running node: one line for each thing, with what to do.

    Exit status 1 if some of its work is not done; warnings do not count.
    """
    from node.app import now_utc
    from node.watch.sign import Severity, worst

    config = loaded(config_path)
    found = _signs(config, now_utc())
    own = config.receiver.ae_title
    if as_json:
        show_json(
            {"status": worst(found) or "ok", "signs": [dict(each.as_json()) for each in found]}
        )
    else:
        if not any(sign.name == "receiver_silent" for sign in found):
            click.echo(f"{own} answers a C-ECHO")
        for sign in found:
            _show(sign)
    return int(worst(found) is Severity.ERROR)


def _signs(config: "NodeConfig", now: datetime) -> "tuple[Sign, ...]":
    from sqlalchemy.exc import SQLAlchemyError

    from node.app import open_node_store
    from node.core.errors import NodeError
    from node.persistence.upgrading import Change
    from node.watch.moment import moment
    from node.watch.signs import in_order, signs, unreachable
    from node.words import in_words

    found = [*_receiver(config)]
    try:
        store = open_node_store(config, change=Change.NONE, patience_s=_WITHIN_S)
    except (NodeError, SQLAlchemyError) as error:
        return in_order([*found, unreachable(in_words(error))])
    try:
        return in_order([*found, *signs(config, store, now=moment(now))])
    finally:
        store.close()


def _receiver(config: "NodeConfig") -> "list[Sign]":
    from node.config import as_destination
    from node.core.errors import NodeError
    from node.outbound.connect import connect
    from node.watch.sign import Name, error

    own = as_destination(config.receiver).model_copy(update={"timeout_s": _WITHIN_S})
    try:
        connect(own).verify()
    except NodeError as silent:
        says = f"the receiver does not answer a C-ECHO, so nothing comes in: {silent}"
        return [error(Name.RECEIVER_SILENT, says)]
    return []


def _show(sign: "Sign") -> None:
    from rich.text import Text

    what = f"{sign.name} {sign.subject}".rstrip()
    since = "" if sign.since is None else f" (since {in_cell(sign.since)})"
    console().print(
        Text.assemble(
            (f"{sign.severity:7}", _COLOURS[sign.severity]), f" {what}: {sign.says}{since}"
        ),
        soft_wrap=True,
    )
