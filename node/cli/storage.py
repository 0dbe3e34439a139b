"""`m3node backup`, `restore`, `verify` and `rebuild`: the storage as a whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.options import (
    config_option,
    console,
    json_option,
    loaded,
    opened_store,
    person,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from rich.progress import Progress

    from node.config import NodeConfig

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("directory", metavar="DIR", type=_FOLDER)
@config_option
def backup(directory: Path, config_path: Path | None) -> None:
    """Write a whole backup into DIR, which is empty or not there; the node may run.

    The database at one moment, as a file of SQLite (of PostgreSQL's rows too: no pg_dump of the
    server's version is needed, and it can be restored into either), and every file that it names,
    linked where DIR is on the same disk.  SHA256SUMS lists all: `sha256sum -c` checks it.  What an
    earlier version has written in SQLite is saved as it is, before this one upgrades it.
    """
    from node.app import open_spool
    from node.keeping.backup import back_up

    config = loaded(config_path)
    with opened_store(config, of_any_version=True) as store, _progress() as bar:
        task = bar.add_task("copying", total=None)
        files = back_up(
            store,
            open_spool(config.storage),
            directory,
            told=lambda done: bar.update(task, completed=done),
        )
    click.echo(f"{directory} holds the database and {files} files")


@click.command()
@click.argument("directory", metavar="DIR", type=_FOLDER)
@config_option
def restore(directory: Path, config_path: Path | None) -> None:
    """Put a backup in DIR in place; storage and database have to be empty.

    Every digest is checked.  What was queued, waiting or running when the backup was made is held:
    it may have been reported since.  `m3node delivery list --state cancelled` and `m3node study
    list` name it; requeue what is wanted, or send the study again.
    """
    from functools import partial

    from node.app import open_database
    from node.keeping.restore import restore as put_back
    from node.persistence.upgrading import Change

    config = loaded(config_path)
    with _locked(config), _progress() as bar:
        task = bar.add_task("restoring", total=None)
        files, held = put_back(
            directory,
            config.storage.directory,
            partial(open_database, config.database, change=Change.UPGRADE),
            by=person(),
            now=datetime.now(UTC),
            told=lambda done, of: bar.update(task, completed=done, total=of),
        )
    click.echo(f"restored: the database and {files} files; {held} studies wait for a person")


@click.command()
@json_option
@config_option
def verify(as_json: bool, config_path: Path | None) -> int:
    """Read every stored file against its digest; the node may run.

    Names what is damaged, missing, or known to no row; exit status 1 if there is anything.
    """
    from node.app import open_spool
    from node.keeping.verify import verify as look

    config = loaded(config_path)
    with opened_store(config) as store, _progress() as bar:
        task = bar.add_task("reading", total=max(1, store.stored_bytes()))
        amiss = list(
            look(
                store,
                open_spool(config.storage),
                now=datetime.now(UTC),
                told=lambda size: bar.advance(task, size),
            )
        )
    if as_json:
        show_json([asdict(each) for each in amiss])
    elif amiss:
        show_table(
            ["file", "is", "study", "says"],
            [[each.path, each.wrong, each.study_instance_uid, each.says] for each in amiss],
        )
    else:
        click.echo("every file is as it was written")
    return 1 if amiss else 0


@click.command()
@config_option
def rebuild(config_path: Path | None) -> int:
    """Make the database again from the stored objects, if it is lost and there is no backup.

    Nothing is judged or sent by itself then: what was reported of which study is not known any
    more.  A study that gets any of its objects again is judged.  Names the files that are damaged
    or no objects; exit status 1 if there are any.
    """
    from node.app import open_database, open_intake, open_spool
    from node.keeping import identity
    from node.keeping.rebuild import Identified
    from node.keeping.rebuild import rebuild as make_again
    from node.persistence.upgrading import Change

    config = loaded(config_path)
    with _locked(config), _progress() as bar:
        task = bar.add_task("reading", total=None)
        store = open_database(config.database, change=Change.MAKE)
        try:
            intake, now = open_intake(config, store), datetime.now(UTC)

            def identify(encoded: memoryview) -> tuple[Identified, str]:
                whole = intake.taken_apart(encoded)
                return whole.ids, whole.syntax

            made = make_again(
                store,
                open_spool(config.storage),
                identify,
                by=person(),
                now=now,
                told=lambda done, of: bar.update(task, completed=done, total=of),
            )
            identity.own(store, config.storage.directory, now=now)
        finally:
            store.close()
    for path, says in made.left:
        click.echo(f"left out {path}: {says}", err=True)
    click.echo(
        f"{made.objects} objects found again, {made.results} of them results of this node; "
        f"{made.held} studies wait for a person"
    )
    return 1 if made.left else 0


@contextmanager
def _locked(config: "NodeConfig") -> Iterator[None]:
    """No node serves the storage meanwhile."""
    from node.persistence.private import make_folder
    from node.process.orphans import lock_directory

    make_folder(config.storage.directory)
    lock = lock_directory(config.storage.directory, wait_s=0)
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _progress() -> "Iterator[Progress]":
    from rich.progress import Progress

    shown = console()
    with Progress(console=shown, disable=not shown.is_terminal, transient=True) as bar:
        yield bar
