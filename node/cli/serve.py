"""`m3node serve`, and what runs inside it."""

import os
import sys
from contextlib import closing
from functools import partial
from logging import WARNING
from pathlib import Path
from typing import NoReturn

import click

from node.cli.options import config_option, loaded


@click.command()
@config_option
def serve(config_path: Path | None) -> None:
    """Receive, analyse and deliver until SIGTERM or Ctrl-C.

    Directories and the database are made if they are missing.  At SIGHUP, which `m3node reload`
    sends, the configuration is read again.  Exit status 1 if the node cannot run.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from node import logs
    from node.app import open_node_store
    from node.config import find_config, unknown_variables
    from node.config.reloading import changed, needs_restart
    from node.core.errors import ConfigError
    from node.operator.people import require_users
    from node.persistence.private import OTHERS, make_folder, tighten
    from node.persistence.upgrading import Change
    from node.process.supervisor import Supervisor, port_is_free
    from node.watch.roles import roles_of
    from node.words import in_words

    config = loaded(config_path, warn=False)
    path = find_config(config_path, os.environ)
    logs.configure(config.log, role="supervisor")
    host, ports = config.receiver.host, config.receiver.ports
    os.umask(OTHERS)
    make_folder(config.storage.directory)
    tighten(config.storage.directory)

    def free_or_fail() -> None:
        for key, port in ports.items():
            try:
                free = port_is_free(host, port)
            except ConfigError as error:
                raise ConfigError(f"receiver: {error}") from None
            if not free:
                raise ConfigError(
                    f"port {port} on {host} is taken; stop what listens there, "
                    f"or choose another {key}"
                )
        with closing(open_node_store(config, change=Change.UPGRADE)) as store:
            require_users(config.web, store)
        for name, nearest in unknown_variables(os.environ).items():
            logs.event(
                "config.variable_sets_nothing", level=WARNING, variable=name, did_you_mean=nearest
            )

    in_force = [config]

    def reread() -> list[str]:
        new = loaded(config_path, warn=False)
        keys = changed(in_force[0], new)
        fixed = needs_restart(keys)
        if roles_of(new) != roles_of(in_force[0]):
            fixed.append("which processes there are ([web] enabled, [[sources]])")
        if fixed:
            raise ConfigError(f"only a restart of `m3node serve` changes {', '.join(fixed)}")
        if not new.web.is_loopback:
            try:
                with closing(open_node_store(new, change=Change.NONE)) as store:
                    require_users(new.web, store)
            except SQLAlchemyError as error:
                raise ConfigError(f"whether there is a user: {in_words(error)}") from None
        in_force[0] = new
        logs.configure(new.log, role="supervisor")
        return keys

    def command(role: str) -> list[str]:
        named = ["--config", str(path.resolve())] if path is not None else []
        # Not from the current directory: whatever lies there is no part of the program.
        return [sys.executable, "-P", "-m", "node", "_run", role, *named]

    status = Supervisor(
        directory=config.storage.directory,
        command=command,
        drain_s=config.serve.drain_s,
        roles=roles_of(config),
        before_start=free_or_fail,
        shows_life=["watcher"],
        frozen_after_s=max(3 * config.watch.frozen_after_s, 20.0),
        reread=reread,
        told=["receiver"],
        is_up=lambda: not any(port_is_free(host, port) for port in ports.values()),
    ).run()
    if status:
        click.echo("error: the node cannot run; process.cannot_run above says why", err=True)
    leave(status)


@click.command("_run", hidden=True)
@click.argument("role")
@config_option
def run_role(role: str, config_path: Path | None) -> None:
    """Be one of the processes that `serve` starts."""
    from node.app import run_role as run

    config = partial(loaded, config_path, warn=False)  # `serve` has told of it
    leave(run(role, config(), reread=config))


def leave(status: int) -> NoReturn:
    """The process is over now: to take down an interpreter with torch in it takes seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
