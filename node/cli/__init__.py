"""`m3node`: noun, then verb; exit status 0 done, 1 failed, 2 misused.

Only click is imported before a command is chosen, so that `m3node --help` comes at once.
"""

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence

import click

from node import __version__
from node.core.errors import Ambiguous

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("node.cli.init:init", "Make a folder with a complete, commented node.toml."),
    "serve": ("node.cli.serve:serve", "Receive, analyse and deliver until told to stop."),
    "reload": ("node.cli.reload:reload", "Have the running node take over its configuration."),
    "check": ("node.cli.check:check", "Is everything there that the node needs?"),
    "ingest": ("node.cli.ingest:ingest", "Take in files and folders, as if received."),
    "analyse": (
        "node.cli.analyse:analyse",
        "Judge studies in folders, without a PACS: reports, pictures, a table.",
    ),
    "study": ("node.cli.study:study", "What has been received, and what came of it."),
    "job": ("node.cli.job:job", "Analyses: list, show, requeue, cancel."),
    "delivery": ("node.cli.delivery:delivery", "What is sent where: list, requeue, cancel."),
    "fetch": ("node.cli.fetch:fetch", "Ask a source for a study; list what was asked."),
    "backup": ("node.cli.storage:backup", "The whole storage into a folder, while the node runs."),
    "restore": ("node.cli.storage:restore", "A backup becomes the storage again."),
    "verify": ("node.cli.storage:verify", "Read every stored file against its digest."),
    "rebuild": ("node.cli.storage:rebuild", "Make a lost database again from the stored objects."),
    "retention": ("node.cli.retention:retention", "What is freed from the disk: plan, run."),
    "why": ("node.cli.why:why", "The diary of one study, in words."),
    "health": ("node.cli.health:health", "What is wrong with the running node, if anything."),
    "alert": ("node.cli.alert:alert", "Who is told of what is wrong: test."),
    "echo": ("node.cli.echo:echo", "Ask a destination whether it answers."),
    "user": ("node.cli.user:user", "Who may log in to the page: add, list, role, passwd, ..."),
    "token": ("node.cli.token:token", "By which machines are let in: add, list, remove."),
    "model": ("node.cli.model:model", "The network's weights: show, verify, import."),
    "demo": ("node.demo.command:demo", "A phantom study all the way, into a folder of pictures."),
    "_run": ("node.cli.serve:run_role", ""),
}
_HIDDEN = frozenset({"_run"})


class _Commands(click.Group):
    """Imports a command when it is called; its one line of help stands here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which an operator meets them."""
        del ctx
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; None if there is none of that name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of the help page, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="m3node", message="%(prog)s %(version)s")
def cli() -> None:
    """Malignancy of annotated pulmonary nodules in chest CT: a DICOM node. For research use.

    \b
    m3node init DIR                       a folder with a configuration that works at once
    m3node serve --config DIR/node.toml   run it
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    # A library's warning may quote a patient; what a process logs is `node.logs`'s business.
    logging.getLogger().addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(
            args=list(arguments) if arguments is not None else None,
            prog_name="m3node",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return 2 if isinstance(error, click.UsageError) else 1
    except Ambiguous as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("M3NODE_TRACEBACK"):
            raise
        from node.words import in_words_with_place, reason

        more = "" if reason(error) else "; M3NODE_TRACEBACK=1 shows more"
        click.echo(f"error: {in_words_with_place(error)}{more}", err=True)
        return 1
    return status if isinstance(status, int) else 0
